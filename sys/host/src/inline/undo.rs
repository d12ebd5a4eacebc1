// SPDX-License-Identifier: BSD-2-Clause
//! What an interface lost to a pair goes back to it: at the pair's end, or after its process died.
//!
//! *Contexts*: thread. *Locking*: none; the OS serializes.

use std::path::Path;

use super::moving::{Trusting, put_addrs, shift_routes};
use super::netlink::Netlink;
use super::oslink::{self, OsLink, set_sysctl6};
use super::snapshot::Place;
use super::state::{State, left_behind};

/// Sentences about what did not work; the rest did.
pub type Faults = Vec<String>;

fn about<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String {
    move |e| format!("{what}: {e}")
}

/// Give `state.physical` back what `state.snapshot` has; `gone`: the tap exists no more. What the
/// OS refuses is said, and does not stop the rest.
pub fn give_back(netlink: &mut Netlink, state: &State, gone: bool) -> Faults {
    let (from, to) = (&state.on, &state.physical);
    let mut faults = Faults::new();
    let mut note = |what: &str, done: std::io::Result<()>| {
        faults.extend(done.err().map(about(&format!("{}: {what}", to.name))));
    };
    let trusting = Trusting::new(to);
    if let Some(before) = &state.disable_ipv6 {
        note(
            "disable_ipv6",
            set_sysctl6(&to.name, "disable_ipv6", before),
        );
    }
    let link = OsLink::numbered(netlink, to.index).ok().flatten();
    if link.as_ref().is_some_and(|l| l.mtu != state.mtu) {
        note("MTU", oslink::set_mtu(netlink, to.index, state.mtu));
    }
    if state.up {
        note("cannot be set up", oslink::set_up(netlink, to.index, true));
    }
    note("an address", put_addrs(netlink, &state.snapshot, from, to));
    // Before routes: the way to a gateway may be one that the OS makes with an address.
    trusting.end(netlink, state.up && link.is_some_and(|l| l.carrier));
    for (body, e) in shift_routes(netlink, &state.snapshot.routes, from, to, gone) {
        faults.push(format!("{}: a route is lost: {e}: {body:02x?}", to.name));
    }
    faults
}

/// Take the OS's own way from the wire open again, and the interface down if it is to be.
pub fn finish(netlink: &mut Netlink, state: &State) -> Faults {
    let to = &state.physical;
    let mut faults = Faults::new();
    if let Some(made) = state.filter
        && let Err(e) = oslink::open(netlink, to.index, made)
    {
        faults.push(format!("{}: the filter stays: {e}", to.name));
    }
    if !state.up
        && let Err(e) = oslink::set_up(netlink, to.index, false)
    {
        faults.push(format!("{}: stays up: {e}", to.name));
    }
    faults
}

/// Repair what pairs have left in this network namespace whose process died: a sentence for each,
/// an error where something is still missing.
pub fn restore(dir: &Path) -> Vec<Result<String, String>> {
    left_behind(dir)
        .into_iter()
        .map(|left| {
            let (file, mut state) = left?;
            let mut netlink = Netlink::open().map_err(about("rtnetlink"))?;
            state.physical = find(&mut netlink, &state)?;
            let mut faults = give_back(&mut netlink, &state, true);
            faults.extend(finish(&mut netlink, &state));
            // What did not work now will not work later either.
            faults.extend(file.remove().err().map(about("state file")));
            if faults.is_empty() {
                let (physical, tap) = (&state.physical.name, &state.tap);
                Ok(format!("{physical}: has back what {tap} had taken over"))
            } else {
                Err(faults.join("; "))
            }
        })
        .collect()
}

/// The interface may have come back under another index, never with another address.
fn find(netlink: &mut Netlink, state: &State) -> Result<Place, String> {
    let was = &state.physical;
    let links = OsLink::all(netlink).map_err(about("rtnetlink"))?;
    let same = |l: &&OsLink| l.mac == state.mac && (l.index == was.index || l.name == was.name);
    let link = links.iter().find(same).ok_or_else(|| {
        let name = &was.name;
        format!(
            "{name}: is not there; what it lost to {} is kept",
            state.tap
        )
    })?;
    Ok(Place {
        index: link.index,
        name: link.name.clone(),
    })
}
