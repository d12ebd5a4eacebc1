// SPDX-License-Identifier: BSD-2-Clause
//! Giving up root and keeping two capabilities.
//!
//! *Locking*: capabilities belong to a thread and are inherited by those it makes, so all this
//! comes before the first thread.

use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::{Gid, Group, Uid, User, chown, initgroups, setgid, setuid};
use std::ffi::CString;
use std::io;
use std::path::Path;

/// Enough for tap devices, raw sockets and network configuration; nothing else.
const KEPT: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];

/// A user, looked up.
#[derive(Clone, Debug)]
pub struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
}

/// Looks a user up.
///
/// # Errors
/// There is none of that name.
pub fn account(name: &str) -> io::Result<Account> {
    let user = User::from_name(name)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no user '{name}'")))?;
    Ok(Account {
        name: user.name,
        uid: user.uid,
        gid: user.gid,
    })
}

/// Looks a group up; gives its number.
///
/// # Errors
/// There is none of that name.
pub fn group(name: &str) -> io::Result<u32> {
    Group::from_name(name)?
        .map(|g| g.gid.as_raw())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no group '{name}'")))
}

/// Gives a file to a user, a group, or both.
///
/// # Errors
/// As chown(2).
pub fn give(path: &Path, to: Option<&Account>, gid: Option<u32>) -> io::Result<()> {
    Ok(chown(path, to.map(|a| a.uid), gid.map(Gid::from_raw))?)
}

/// Whether this process has the rights that a host kernel needs.
#[must_use]
pub fn has_net_capabilities() -> bool {
    KEPT.iter()
        .all(|&c| caps::has_cap(None, CapSet::Effective, c).unwrap_or(false))
}

/// Becomes that user, with `CAP_NET_ADMIN` and `CAP_NET_RAW` and no other right, for good.
///
/// # Errors
/// Whatever system call refuses; the process must not go on then.
pub fn become_user(account: &Account) -> io::Result<()> {
    let fail = |e: caps::errors::CapsError| io::Error::other(format!("capabilities: {e}"));
    caps::securebits::set_keepcaps(true).map_err(fail)?;
    // Without these in the bounding set, no program that is executed can get them back.
    let every = caps::all();
    for &c in every.iter().filter(|c| !KEPT.contains(c)) {
        if caps::has_cap(None, CapSet::Bounding, c).unwrap_or(false) {
            caps::drop(None, CapSet::Bounding, c).map_err(fail)?;
        }
    }
    // With the groups of that user: one of them may be what /dev/net/tun is open to.
    initgroups(&CString::new(account.name.as_str())?, account.gid)?;
    setgid(account.gid)?;
    setuid(account.uid)?;
    keep()?;
    if !account.uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
        return Err(io::Error::other(format!(
            "user {} could become root again",
            account.name
        )));
    }
    Ok(())
}

/// Keeps `CAP_NET_ADMIN` and `CAP_NET_RAW` and gives up every other capability.
///
/// # Errors
/// A capability that is to be kept is not there.
pub fn keep() -> io::Result<()> {
    let fail = |e: caps::errors::CapsError| io::Error::other(format!("capabilities: {e}"));
    let kept: CapsHashSet = KEPT.into_iter().collect();
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new()).map_err(fail)?;
    caps::set(None, CapSet::Effective, &kept).map_err(fail)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(fail)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_groups_are_looked_up() {
        assert!(account("root").is_ok());
        let e = account("no-such-user-here").expect_err("nobody is called that");
        assert!(e.to_string().contains("no user 'no-such-user-here'"));
        assert_eq!(group("root").expect("gid 0"), 0);
        assert!(group("no-such-group-here").is_err());
    }
}
