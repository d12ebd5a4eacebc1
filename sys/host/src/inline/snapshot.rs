// SPDX-License-Identifier: BSD-2-Clause
//! Addresses and routes of an interface: taken down as the OS has them, and put on another one.
//!
//! *Contexts*: thread. *Locking*: none; the OS serializes.
//!
//! Addresses are there twice for a moment, so that sockets which are bound to them, and routes of
//! other interfaces which prefer them, notice nothing. What the OS makes by itself with an address
//! or an interface (the table `local`, prefix routes) comes and goes with these.

use std::io;

use super::netlink::{Netlink, Record, Request, attr, attrs, push_attr, word};

/// Bytes of struct ifaddrmsg and struct rtmsg, and of struct ndmsg and struct rtnexthop.
const IFADDR: usize = 8;
const RTMSG: usize = 12;
const NDMSG: usize = 12;
const NEXTHOP: usize = 8;
const IFA_PROTO: u16 = 11;
const RTA_EXPIRES: u16 = 23;
const RTA_NH_ID: u16 = 30;
const RTM_F_CLONED: u32 = 0x200;
/// Of the flags of a next hop, those that say how it is to be, not how it is.
const NEXTHOP_KEPT: u8 = 4;
/// Clock ticks of the OS in a second, in what it tells us.
const TICKS: i32 = 100;
/// A lifetime that has no end.
const FOREVER: u32 = u32::MAX;
/// An entry that was made by hand, and one that is answered for others.
const NUD_PERMANENT: u16 = 0x80;
const NTF_PROXY: u8 = 0x08;

/// Which interface something is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// What the OS said of an interface's addresses, routes and neighbours: structs with attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// IPv4 first; an interface's primary address before the secondary ones.
    pub addrs: Vec<Vec<u8>>,
    /// Those without a gateway first.
    pub routes: Vec<Vec<u8>>,
    /// Neighbours that were entered by hand.
    pub neighbours: Vec<Vec<u8>>,
}

/// The bytes of a record of this type; nothing of another type.
fn of_kind(records: Vec<Record>, kind: u16) -> impl Iterator<Item = Vec<u8>> {
    let same = move |r: &Record| r.kind == kind;
    records.into_iter().filter(same).map(|r| r.body)
}

fn index_at(body: &[u8], at: usize) -> Option<u32> {
    word(body.get(at..)?)
}

/// Whether the address is IPv6.
pub fn is_v6(body: &[u8]) -> bool {
    body.first() == Some(&(libc::AF_INET6 as u8))
}

/// Next hops of a route over several.
fn hops(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let len = usize::from(u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]));
        let hop = bytes.get(..len).filter(|hop| hop.len() >= NEXTHOP)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(hop)
    })
}

/// Whether the route leads over `index`.
pub fn leads_over(body: &[u8], index: u32) -> bool {
    let rest = body.get(RTMSG..).unwrap_or_default();
    let many = attr(rest, libc::RTA_MULTIPATH).unwrap_or_default();
    attr(rest, libc::RTA_OIF).and_then(word) == Some(index)
        || hops(many).any(|hop| index_at(hop, 4) == Some(index))
}

fn has_gateway(body: &[u8]) -> bool {
    let rest = body.get(RTMSG..).unwrap_or_default();
    attrs(rest).any(|(kind, _)| {
        matches!(
            kind,
            libc::RTA_GATEWAY | libc::RTA_VIA | libc::RTA_MULTIPATH
        )
    })
}

/// Made by the OS with an address or an interface.
fn by_itself(body: &[u8]) -> bool {
    body.get(5) == Some(&libc::RTPROT_KERNEL)
}

/// Not to be taken down: of the table `local` and made by the OS, or a copy in its cache.
fn passes(body: &[u8]) -> bool {
    let local = body.get(4) == Some(&libc::RT_TABLE_LOCAL) && by_itself(body);
    let cached = index_at(body, 8).is_none_or(|flags| flags & RTM_F_CLONED != 0);
    !local && !cached
}

impl Snapshot {
    /// The addresses that the OS has now on the interface `index`.
    pub fn addresses(netlink: &mut Netlink, index: u32) -> io::Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let mut ask = [0; IFADDR];
            ask[0] = family as u8;
            // Without IPv6 there is nothing of it.
            let addrs = netlink.dump(libc::RTM_GETADDR, &ask)?;
            let ours = of_kind(addrs, libc::RTM_NEWADDR);
            let ours = ours.filter(|body| index_at(body, 4) == Some(index));
            snapshot.addrs.extend(ours);
        }
        Ok(snapshot)
    }

    /// What the OS has now on the interface `index`.
    pub fn take(netlink: &mut Netlink, index: u32) -> io::Result<Snapshot> {
        let mut snapshot = Snapshot::addresses(netlink, index)?;
        for family in [libc::AF_INET, libc::AF_INET6] {
            let mut ask = [0; RTMSG];
            ask[0] = family as u8;
            let routes = netlink.dump(libc::RTM_GETROUTE, &ask)?;
            let ours = of_kind(routes, libc::RTM_NEWROUTE);
            let ours = ours.filter(|body| leads_over(body, index) && passes(body));
            snapshot.routes.extend(ours);
            for proxy in [0, NTF_PROXY] {
                let mut ask = [0; NDMSG];
                (ask[0], ask[10]) = (family as u8, proxy);
                let entries = netlink.dump(libc::RTM_GETNEIGH, &ask)?;
                let ours = of_kind(entries, libc::RTM_NEWNEIGH).filter(|body| by_hand(body, index));
                snapshot.neighbours.extend(ours);
            }
        }
        snapshot.routes.sort_by_key(|body| has_gateway(body));
        Ok(snapshot)
    }

    /// What is left of it after so many seconds: lifetimes go on.
    pub fn age(&mut self, seconds: u32) {
        self.addrs.retain_mut(|body| age(body, seconds));
    }

    /// The IPv6 addresses whose uniqueness the OS has not yet found out.
    pub fn tentative(&self) -> usize {
        let of = |body: &[u8]| {
            let long = attr(body.get(IFADDR..)?, libc::IFA_FLAGS).and_then(word);
            Some(long? & libc::IFA_F_TENTATIVE != 0 && long? & libc::IFA_F_DADFAILED == 0)
        };
        let pending = |body: &&Vec<u8>| is_v6(body) && of(body) == Some(true);
        self.addrs.iter().filter(pending).count()
    }
}

/// Shorten an address's lifetimes; false: it would be over.
fn age(body: &mut [u8], seconds: u32) -> bool {
    let rest = body.get(IFADDR..).unwrap_or_default();
    let found = attr(rest, libc::IFA_CACHEINFO).filter(|info| info.len() >= 8);
    let Some(at) = found.map(|info| info.as_ptr() as usize - body.as_ptr() as usize) else {
        return true;
    };
    let mut valid = true;
    for at in [at, at + 4] {
        let Some(room) = body.get_mut(at..at + 4) else {
            return true;
        };
        let left = word(room).unwrap_or(FOREVER);
        if left != FOREVER {
            valid = left > seconds;
            room.copy_from_slice(&left.saturating_sub(seconds).to_ne_bytes());
        } else {
            valid = true;
        }
    }
    valid
}

fn by_hand(body: &[u8], index: u32) -> bool {
    let state = body.get(8..10).map(|s| u16::from_ne_bytes([s[0], s[1]]));
    let flags = body.get(10).copied().unwrap_or(0);
    index_at(body, 4) == Some(index)
        && (state.is_some_and(|s| s & NUD_PERMANENT != 0) || flags & NTF_PROXY != 0)
}

/// The same with another index at `at`; also where the attributes begin.
fn placed(body: &[u8], len: usize, at: usize, to: u32) -> Option<(Vec<u8>, &[u8])> {
    let (head, rest) = body.split_at_checked(len)?;
    let mut head = head.to_vec();
    head.get_mut(at..at + 4)?.copy_from_slice(&to.to_ne_bytes());
    Some((head, rest))
}

/// The request that puts an address of `from` on `to`, or takes it from there.
pub fn addr_request(body: &[u8], add: bool, from: &str, to: &Place) -> Option<Request> {
    let (head, rest) = placed(body, IFADDR, 4, to.index)?;
    let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let mut request = if add {
        Request::new(libc::RTM_NEWADDR, flags, &head)
    } else {
        Request::new(libc::RTM_DELADDR, 0, &head)
    };
    for (kind, value) in attrs(rest) {
        request = match kind {
            libc::IFA_LABEL => request.attr(kind, &label(value, from, &to.name)),
            libc::IFA_FLAGS => request.attr(kind, &flags_wanted(value).to_ne_bytes()),
            libc::IFA_MULTICAST => request,
            IFA_PROTO if !add => request,
            _ => request.attr(kind, value),
        };
    }
    Some(request)
}

/// Without what the OS says of an address's state.
fn flags_wanted(value: &[u8]) -> u32 {
    let state = libc::IFA_F_TENTATIVE | libc::IFA_F_DADFAILED | libc::IFA_F_DEPRECATED;
    word(value).unwrap_or(0) & !state
}

/// A label begins with the interface's name.
fn label(value: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = value.strip_suffix(&[0]).unwrap_or(value);
    let rest = text.strip_prefix(from.as_bytes());
    let mut label = match rest {
        Some(rest) if rest.is_empty() || rest.starts_with(b":") => [to.as_bytes(), rest].concat(),
        _ => text.to_vec(),
    };
    label.truncate(libc::IFNAMSIZ - 1);
    label.push(0);
    label
}

/// The same route without a look whether its gateway can be reached: it was once.
pub fn onlink(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    if let Some(flags) = body.get_mut(8) {
        *flags |= NEXTHOP_KEPT;
    }
    body
}

/// The request that makes a route over `from` one over `to`, or takes it from there.
pub fn route_request(body: &[u8], add: bool, from: u32, to: u32) -> Option<Request> {
    let (head, rest) = body.split_at_checked(RTMSG)?;
    let mut head = head.to_vec();
    let flags = index_at(&head, 8)? & u32::from(NEXTHOP_KEPT);
    head[8..].copy_from_slice(&flags.to_ne_bytes());
    let v4 = !is_v6(body);
    let mut request = match (add, v4 && !by_itself(body)) {
        (false, _) => Request::new(libc::RTM_DELROUTE, 0, &head),
        // Beside the one over `from`.
        (true, true) => {
            let how = libc::NLM_F_CREATE | libc::NLM_F_APPEND;
            Request::new(libc::RTM_NEWROUTE, how, &head)
        }
        (true, false) => {
            let how = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
            Request::new(libc::RTM_NEWROUTE, how, &head)
        }
    };
    for (kind, value) in attrs(rest) {
        request = match kind {
            libc::RTA_OIF if word(value) == Some(from) => request.attr(kind, &to.to_ne_bytes()),
            libc::RTA_MULTIPATH => request.attr(kind, &moved_hops(value, from, to)),
            libc::RTA_METRICS => request.nested(kind, value),
            libc::RTA_CACHEINFO => match word(value.get(8..)?)? as i32 {
                ticks if add && ticks > 0 && !v4 => {
                    let seconds = ((ticks / TICKS).max(1) as u32).to_ne_bytes();
                    request.attr(RTA_EXPIRES, &seconds)
                }
                _ => request,
            },
            // The next hop as an object is over `from`; what it says stands in the route too.
            RTA_NH_ID | RTA_EXPIRES => request,
            _ => request.attr(kind, value),
        };
    }
    Some(request)
}

fn moved_hops(value: &[u8], from: u32, to: u32) -> Vec<u8> {
    let mut moved = Vec::with_capacity(value.len());
    for hop in hops(value) {
        let mut hop = hop.to_vec();
        hop[2] &= NEXTHOP_KEPT;
        if index_at(&hop, 4) == Some(from) {
            hop[4..8].copy_from_slice(&to.to_ne_bytes());
        }
        moved.extend_from_slice(&hop);
        moved.resize(moved.len().next_multiple_of(4), 0);
    }
    moved
}

/// The request that enters a neighbour on `to`.
pub fn neighbour_request(body: &[u8], to: u32) -> Option<Request> {
    let (head, rest) = placed(body, NDMSG, 4, to)?;
    let how = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let kept = |kind: u16| matches!(kind, libc::NDA_DST | libc::NDA_LLADDR);
    let mut all = Vec::new();
    for (kind, value) in attrs(rest).filter(|(kind, _)| kept(*kind)) {
        push_attr(&mut all, kind, value);
    }
    Some(Request::new(libc::RTM_NEWNEIGH, how, &[head, all].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(preferred: u32, valid: u32) -> Vec<u8> {
        let mut body = vec![10, 64, 0, 0, 3, 0, 0, 0];
        push_attr(&mut body, libc::IFA_ADDRESS, &[1; 16]);
        let info = [preferred, valid, 0, 0].map(u32::to_ne_bytes);
        push_attr(&mut body, libc::IFA_CACHEINFO, info.as_flattened());
        body
    }

    #[test]
    fn lifetimes_go_on_while_nobody_looks() {
        let mut snapshot = Snapshot {
            addrs: vec![
                address(100, 1000),
                address(1, 40),
                address(0, FOREVER),
                address(FOREVER, FOREVER),
                vec![2, 24, 0, 0, 3, 0, 0, 0],
            ],
            ..Snapshot::default()
        };
        snapshot.age(60);
        let left = [
            address(40, 940),
            address(0, FOREVER),
            address(FOREVER, FOREVER),
            vec![2, 24, 0, 0, 3, 0, 0, 0],
        ];
        assert_eq!(snapshot.addrs, left);
    }

    #[test]
    fn labels_follow_the_name_where_they_had_it() {
        assert_eq!(label(b"eth1\0", "eth1", "wan0"), b"wan0\0");
        assert_eq!(label(b"eth1:web\0", "eth1", "wan0"), b"wan0:web\0");
        assert_eq!(label(b"eth10\0", "eth1", "wan0"), b"eth10\0");
        let long = label(b"e:0123456789\0", "e", "longer-name0");
        assert_eq!(long, b"longer-name0:01\0");
    }

    #[test]
    fn only_what_leads_over_the_interface_is_another_route() {
        let mut route = vec![2, 0, 0, 0, 254, 3, 0, 1, 0x11, 0, 0, 0];
        let hop = |index: u32, flags: u8| {
            let mut hop = vec![8, 0, flags, 0];
            hop.extend(index.to_ne_bytes());
            hop
        };
        push_attr(
            &mut route,
            libc::RTA_MULTIPATH,
            &[hop(3, 0x15), hop(4, 0)].concat(),
        );
        assert!(leads_over(&route, 3) && leads_over(&route, 4) && !leads_over(&route, 5));
        let many = [hop(7, 4), hop(4, 0)].concat();
        assert_eq!(moved_hops(&[hop(3, 0x15), hop(4, 0)].concat(), 3, 7), many);
        for len in 0..route.len() {
            leads_over(&route[..len], 3);
            let _ = route_request(&route[..len], true, 3, 7);
            let _ = addr_request(
                &route[..len],
                true,
                "a",
                &Place {
                    index: 1,
                    name: "b".into(),
                },
            );
        }
    }
}
