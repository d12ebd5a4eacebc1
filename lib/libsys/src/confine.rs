// SPDX-License-Identifier: BSD-2-Clause
//! Giving up root for good, on every system.
//!
//! *Locking*: rights belong to a thread on Linux, so this comes before the first thread.

use nix::unistd::Gid;
use nix::unistd::Group;
use nix::unistd::Uid;
use nix::unistd::User;
use nix::unistd::chdir;
use nix::unistd::chroot;
use nix::unistd::geteuid;
use nix::unistd::getuid;
use nix::unistd::setgid;
use nix::unistd::setgroups;
use nix::unistd::setuid;
use std::io;
use std::path::Path;

/// What a process becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Looks a user up.
///
/// # Errors
/// There is none of that name.
pub fn account(name: &str) -> io::Result<Account> {
    let user = User::from_name(name)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no user '{name}'")))?;
    Ok(Account {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    })
}

/// The users that are in a group, and its number: by the group's list, or as their first group.
///
/// # Errors
/// There is none of that name.
pub fn members(name: &str) -> io::Result<(u32, Vec<u32>)> {
    let group = Group::from_name(name)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no group '{name}'")))?;
    let mut uids: Vec<u32> = group
        .mem
        .iter()
        .filter_map(|user| User::from_name(user).ok().flatten())
        .map(|user| user.uid.as_raw())
        .collect();
    uids.sort_unstable();
    uids.dedup();
    Ok((group.gid.as_raw(), uids))
}

/// Whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Shuts this process, which is root's, into a directory, and makes it that user's, in that group
/// only, for good.
///
/// # Errors
/// Whatever system call refuses; the process must not go on then.
pub fn confine(root: Option<&Path>, account: &Account) -> io::Result<()> {
    if let Some(root) = root {
        chroot(root)?;
        chdir("/")?;
    }
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    setgroups(&[gid])?;
    // Of a process of root's these set the real, the effective and the saved one.
    setgid(gid)?;
    setuid(uid)?;
    if getuid() != uid || geteuid() != uid {
        return Err(io::Error::other("the user did not change"));
    }
    if !uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
        return Err(io::Error::other("the process could become root again"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_members_are_looked_up() {
        assert_eq!(account("root").expect("root").uid, 0);
        let e = account("no-such-user-here").expect_err("nobody is called that");
        assert!(e.to_string().contains("no user 'no-such-user-here'"));
        let name = if cfg!(target_os = "linux") {
            "root"
        } else {
            "wheel"
        };
        assert_eq!(members(name).expect("gid 0").0, 0);
        assert!(members("no-such-group-here").is_err());
    }
}
