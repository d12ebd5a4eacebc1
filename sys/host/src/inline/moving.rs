// SPDX-License-Identifier: BSD-2-Clause
//! What an interface has moves to another one, and back.
//!
//! *Contexts*: thread. *Locking*: none; the OS serializes.

use std::io;
use std::time::Duration;

use super::netlink::{Netlink, Request};
use super::oslink::{set_sysctl6, sysctl6};
use super::snapshot::{
    Place, Snapshot, addr_request, is_v6, neighbour_request, onlink, route_request,
};

/// How often, and how long after each other, we look whether addresses are settled.
const SETTLE_TRIES: u32 = 200;
const SETTLE_PAUSE: Duration = Duration::from_millis(5);

fn done(netlink: &mut Netlink, request: Option<Request>, fine: &[i32]) -> io::Result<()> {
    // What makes no sense was not said by the OS.
    let Some(request) = request else {
        return Ok(());
    };
    match netlink.change(request) {
        Err(e) if e.raw_os_error().is_some_and(|code| fine.contains(&code)) => Ok(()),
        other => other,
    }
}

/// Put the addresses of `snapshot`, taken of `from`, on `to` as well. Gives the first that the OS
/// refused; the others are there.
pub fn put_addrs(
    netlink: &mut Netlink,
    snapshot: &Snapshot,
    from: &Place,
    to: &Place,
) -> io::Result<()> {
    let mut first = Ok(());
    for body in &snapshot.addrs {
        let request = addr_request(body, true, &from.name, to);
        first = first.and(done(netlink, request, &[libc::EEXIST]));
    }
    for body in &snapshot.neighbours {
        // They are no loss where the OS does not want them.
        let _ = done(netlink, neighbour_request(body, to.index), &[]);
    }
    first
}

/// Take the addresses of `snapshot` from `from`.
pub fn drop_addrs(netlink: &mut Netlink, snapshot: &Snapshot, from: &Place) {
    for body in snapshot.addrs.iter().rev() {
        let request = addr_request(body, false, &from.name, from);
        // Gone with its primary address, or by the OS's own doing.
        let _ = done(netlink, request, &[libc::EADDRNOTAVAIL]);
    }
}

/// Make the routes `bodies` over `from` routes over `to`; `gone`: `from` exists no more. Gives
/// those that the OS refused, each with why, to be tried again when more is in place.
pub fn shift_routes(
    netlink: &mut Netlink,
    bodies: &[Vec<u8>],
    from: &Place,
    to: &Place,
    gone: bool,
) -> Vec<(Vec<u8>, io::Error)> {
    let mut left: Vec<(Vec<u8>, Option<io::Error>)> =
        bodies.iter().map(|body| (body.clone(), None)).collect();
    loop {
        let mut refused = Vec::new();
        let before = left.len();
        for (body, _) in left {
            if let Err(e) = shift_route(netlink, &body, from, to, gone) {
                refused.push((body, Some(e)));
            }
        }
        // Some need others first: a gateway, the way to it.
        let progress = refused.len() < before;
        left = refused;
        if left.is_empty() || !progress {
            // The OS keeps a route whose gateway's network has gone; it does not make one.
            let unreachable = |e: &Option<io::Error>| {
                let code = e.as_ref().and_then(io::Error::raw_os_error);
                matches!(code, Some(libc::ENETUNREACH | libc::EHOSTUNREACH))
            };
            left.retain(|(body, e)| {
                !unreachable(e) || shift_unreachable(netlink, body, from, to, gone).is_err()
            });
            let with_error = |(body, e): (Vec<u8>, Option<io::Error>)| Some((body, e?));
            return left.into_iter().filter_map(with_error).collect();
        }
    }
}

fn shift_unreachable(
    netlink: &mut Netlink,
    body: &[u8],
    from: &Place,
    to: &Place,
    gone: bool,
) -> io::Result<()> {
    let request = route_request(&onlink(body), true, from.index, to.index);
    done(netlink, request, &[libc::EEXIST])?;
    if gone {
        return Ok(());
    }
    let request = route_request(body, false, from.index, from.index);
    done(netlink, request, &[libc::ESRCH, libc::ENODEV])
}

fn shift_route(
    netlink: &mut Netlink,
    body: &[u8],
    from: &Place,
    to: &Place,
    gone: bool,
) -> io::Result<()> {
    let add = |netlink: &mut Netlink, from: u32, to: u32| {
        let request = route_request(body, true, from, to);
        done(netlink, request, &[libc::EEXIST])
    };
    let delete = || route_request(body, false, from.index, from.index);
    // Gone with an address or an interface.
    let absent = &[libc::ESRCH, libc::ENODEV];
    if gone {
        return add(netlink, from.index, to.index);
    }
    if is_v6(body) {
        // Beside each other the two would be one route over both.
        done(netlink, delete(), absent)?;
        return add(netlink, from.index, to.index).inspect_err(|_| {
            let _ = add(netlink, from.index, from.index);
        });
    }
    add(netlink, from.index, to.index)?;
    done(netlink, delete(), absent)
}

/// Where duplicates of addresses are not looked for: they were unique a moment ago.
#[derive(Debug)]
pub struct Trusting {
    place: Place,
    before: Option<String>,
}

impl Trusting {
    /// From now on.
    pub fn new(place: &Place) -> Trusting {
        let before = sysctl6(&place.name, "accept_dad").filter(|now| now != "0");
        if before.is_some() {
            // Then they are looked for, and addresses serve a second later.
            let _ = set_sysctl6(&place.name, "accept_dad", "0");
        }
        Trusting {
            place: place.clone(),
            before,
        }
    }

    /// Until now; waits for the addresses unless there is no carrier that they could be used on.
    pub fn end(self, netlink: &mut Netlink, carrier: bool) {
        for _ in 0..if carrier { SETTLE_TRIES } else { 0 } {
            let now = Snapshot::take(netlink, self.place.index);
            if now.is_ok_and(|now| now.tentative() == 0) {
                break;
            }
            std::thread::sleep(SETTLE_PAUSE);
        }
        if let Some(before) = &self.before {
            let _ = set_sysctl6(&self.place.name, "accept_dad", before);
        }
    }
}
