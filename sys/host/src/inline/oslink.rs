// SPDX-License-Identifier: BSD-2-Clause
//! Interfaces of the OS: found, set, and kept from feeding the OS's own stack.
//!
//! *Contexts*: thread. *Locking*: none; the OS serializes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::netlink::{Netlink, Record, Request, attr, push_attr, word};

/// Bytes of struct ifinfomsg.
const IFINFO: usize = 16;
const IFLA_CARRIER: u16 = 33;
/// The attributes of a `struct tcmsg`, and what they take.
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_OPS_LEN: u16 = 4;
const TCA_BPF_OPS: u16 = 5;
const TCA_BPF_FLAGS: u16 = 8;
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;
/// A qdisc of the kind clsact, and where its filters for frames that come in are.
const CLSACT_HANDLE: u32 = 0xffff_0000;
const CLSACT_PARENT: u32 = 0xffff_fff1;
const CLSACT_INGRESS: u32 = 0xffff_fff2;
/// Before the filters of others.
const PREFERENCE: u32 = 1;
/// "return 2", which is to drop the frame, in classic BPF: code, jumps, value.
const DROP_ALL: [u8; 8] = {
    let [a, b] = 6u16.to_ne_bytes();
    let [c, d, e, f] = 2u32.to_ne_bytes();
    [a, b, 0, 0, c, d, e, f]
};

/// What is known about an interface of the OS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsLink {
    /// Index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Bytes.
    pub mtu: u32,
    /// Link-level address; zeros when it is none of Ethernet.
    pub mac: [u8; 6],
    /// Set up.
    pub up: bool,
    /// It has a carrier.
    pub carrier: bool,
    /// It is Ethernet, or looks so.
    pub ethernet: bool,
    /// The index of the bridge or bond that it belongs to; 0: none.
    pub master: u32,
    /// The index of the interface that it stands upon (a VLAN), in this namespace; 0: none.
    pub lower: u32,
}

impl OsLink {
    /// From what the OS says; `None` when that makes no sense.
    pub fn parse(body: &[u8]) -> Option<OsLink> {
        let (info, rest) = body.split_at_checked(IFINFO)?;
        let flags = word(info.get(8..)?)?;
        let name = attr(rest, libc::IFLA_IFNAME)?;
        let name = name.strip_suffix(&[0]).unwrap_or(name);
        let number = |kind| attr(rest, kind).and_then(word).unwrap_or(0);
        let mac = attr(rest, libc::IFLA_ADDRESS).and_then(|m| m.try_into().ok());
        let lower_up = flags & libc::IFF_LOWER_UP as u32 != 0;
        let carrier = attr(rest, IFLA_CARRIER).and_then(|c| c.first().copied());
        // An index of another namespace says nothing here.
        let elsewhere = attr(rest, libc::IFLA_LINK_NETNSID).is_some();
        Some(OsLink {
            index: word(info.get(4..)?)?,
            name: String::from_utf8_lossy(name).into_owned(),
            mtu: number(libc::IFLA_MTU),
            mac: mac.unwrap_or_default(),
            up: flags & libc::IFF_UP as u32 != 0,
            carrier: carrier.map_or(lower_up, |c| c != 0),
            ethernet: info.get(2..4)? == libc::ARPHRD_ETHER.to_ne_bytes() && mac.is_some(),
            master: number(libc::IFLA_MASTER),
            lower: if elsewhere {
                0
            } else {
                number(libc::IFLA_LINK)
            },
        })
    }

    /// All interfaces.
    pub fn all(netlink: &mut Netlink) -> io::Result<Vec<OsLink>> {
        let records = netlink.dump(libc::RTM_GETLINK, &[0; IFINFO])?;
        let news = records.iter().filter(|r| r.kind == libc::RTM_NEWLINK);
        Ok(news.filter_map(|r| OsLink::parse(&r.body)).collect())
    }

    /// The interface of that name.
    pub fn named(netlink: &mut Netlink, name: &str) -> io::Result<Option<OsLink>> {
        Ok(OsLink::all(netlink)?.into_iter().find(|l| l.name == name))
    }

    /// The interface of that index.
    pub fn numbered(netlink: &mut Netlink, index: u32) -> io::Result<Option<OsLink>> {
        Ok(OsLink::all(netlink)?.into_iter().find(|l| l.index == index))
    }
}

fn link_request(index: u32, flags: u32, mask: u32) -> Request {
    let mut info = [0; IFINFO];
    info[4..8].copy_from_slice(&index.to_ne_bytes());
    info[8..12].copy_from_slice(&flags.to_ne_bytes());
    info[12..16].copy_from_slice(&mask.to_ne_bytes());
    Request::new(libc::RTM_NEWLINK, 0, &info)
}

/// Set an interface up or down.
pub fn set_up(netlink: &mut Netlink, index: u32, up: bool) -> io::Result<()> {
    let bit = libc::IFF_UP as u32;
    netlink.change(link_request(index, if up { bit } else { 0 }, bit))
}

/// Set an interface's MTU.
pub fn set_mtu(netlink: &mut Netlink, index: u32, mtu: u32) -> io::Result<()> {
    netlink.change(link_request(index, 0, 0).attr(libc::IFLA_MTU, &mtu.to_ne_bytes()))
}

fn traffic(kind: u16, flags: i32, index: u32, ids: [u32; 3]) -> Request {
    let mut tc = [0; 20];
    tc[4..8].copy_from_slice(&index.to_ne_bytes());
    for (room, id) in tc[8..].as_chunks_mut().0.iter_mut().zip(ids) {
        *room = id.to_ne_bytes();
    }
    Request::new(kind, flags, &tc)
}

/// The place of our filter: no handle, its parent, its preference and the sort of frame (all).
fn place() -> [u32; 3] {
    let all = u32::from((libc::ETH_P_ALL as u16).to_be());
    [0, CLSACT_INGRESS, PREFERENCE << 16 | all]
}

/// Whether somebody else's filter has our place.
fn is_taken(netlink: &mut Netlink, index: u32) -> io::Result<bool> {
    let mut tc = [0; 20];
    tc[4..8].copy_from_slice(&index.to_ne_bytes());
    tc[12..16].copy_from_slice(&CLSACT_INGRESS.to_ne_bytes());
    let filters = netlink.dump(libc::RTM_GETTFILTER, &tc)?;
    let preference = |r: &Record| r.body.get(16..).and_then(word).map(|info| info >> 16);
    Ok(filters.iter().any(|r| preference(r) == Some(PREFERENCE)))
}

/// The OS takes no frame from this interface any more; packet sockets still get them. Gives whether
/// the place for filters is one that we have made; `EEXIST`: another filter has the first place.
pub fn shut(netlink: &mut Netlink, index: u32) -> io::Result<bool> {
    let fresh = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    let ids = [CLSACT_HANDLE, CLSACT_PARENT, 0];
    let qdisc = traffic(libc::RTM_NEWQDISC, fresh, index, ids).attr(TCA_KIND, b"clsact\0");
    let made = match netlink.change(qdisc) {
        Ok(()) => true,
        Err(e) if e.raw_os_error() == Some(libc::EEXIST) => false,
        Err(e) => return Err(e),
    };
    if !made && is_taken(netlink, index)? {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    let mut options = Vec::new();
    push_attr(&mut options, TCA_BPF_OPS_LEN, &1u16.to_ne_bytes());
    push_attr(&mut options, TCA_BPF_OPS, &DROP_ALL);
    let flags = TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes();
    push_attr(&mut options, TCA_BPF_FLAGS, &flags);
    let filter = traffic(libc::RTM_NEWTFILTER, fresh, index, place())
        .attr(TCA_KIND, b"bpf\0")
        .nested(TCA_OPTIONS, &options);
    netlink.change(filter).inspect_err(|_| {
        if made {
            // The error that counts is the filter's.
            let _ = drop_qdisc(netlink, index);
        }
    })?;
    Ok(made)
}

fn drop_qdisc(netlink: &mut Netlink, index: u32) -> io::Result<()> {
    let ids = [CLSACT_HANDLE, CLSACT_PARENT, 0];
    netlink.change(traffic(libc::RTM_DELQDISC, 0, index, ids))
}

/// Undo [`shut`], which gave `made`; fine when it is undone already.
pub fn open(netlink: &mut Netlink, index: u32, made: bool) -> io::Result<()> {
    let done = if made {
        drop_qdisc(netlink, index)
    } else {
        netlink.change(traffic(libc::RTM_DELTFILTER, 0, index, place()))
    };
    match done {
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) => Ok(()),
        done => done,
    }
}

/// The directory of an interface's sysctls of a family.
fn sysctls(v6: bool, name: &str) -> PathBuf {
    let family = if v6 { "ipv6" } else { "ipv4" };
    Path::new("/proc/sys/net")
        .join(family)
        .join("conf")
        .join(name)
}

/// An IPv6 sysctl of an interface; `None` without IPv6.
pub fn sysctl6(name: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(sysctls(true, name).join(key)).ok()?;
    Some(text.trim_end().to_owned())
}

/// Set an IPv6 sysctl of an interface.
pub fn set_sysctl6(name: &str, key: &str, value: &str) -> io::Result<()> {
    fs::write(sysctls(true, name).join(key), value)
}

/// Let packets in whose source is an address of ours: what a NAT turns round between hosts behind
/// it comes so. Who forges them is the filter's to know.
pub fn accept_local(name: &str) {
    // Without IPv4 there is nothing to set.
    let _ = fs::write(sysctls(false, name).join("accept_local"), "1");
}

/// Give one interface the sysctls of another, as far as we may; its MTU it has already.
pub fn copy_sysctls(from: &str, to: &str) {
    for v6 in [false, true] {
        let Ok(entries) = fs::read_dir(sysctls(v6, from)) else {
            continue;
        };
        for entry in entries.flatten().filter(|e| e.file_name() != "mtu") {
            let place = sysctls(v6, to).join(entry.file_name());
            let (theirs, ours) = (fs::read(entry.path()), fs::read(&place));
            if let (Ok(theirs), Ok(ours)) = (theirs, ours)
                && theirs != ours
            {
                // Some are read-only, or another's to set.
                let _ = fs::write(&place, theirs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_parsed() {
        let mut netlink = Netlink::open().expect("a socket");
        let lo = OsLink::named(&mut netlink, "lo").expect("links");
        let lo = lo.expect("every system has one");
        assert!(!lo.ethernet && lo.mtu >= 1500, "{lo:?}");
        assert_eq!(
            OsLink::numbered(&mut netlink, lo.index).expect("links"),
            Some(lo)
        );
        assert_eq!(OsLink::named(&mut netlink, "nosuch").expect("links"), None);
        assert_eq!(OsLink::parse(&[0; 15]), None);
    }
}
