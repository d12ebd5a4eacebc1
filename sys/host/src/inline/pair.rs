// SPDX-License-Identifier: BSD-2-Clause
//! An inline pair: made, known, and unmade.
//!
//! *Contexts*: thread. *Locking*: see [`super::shared`]; making and unmaking hold it throughout.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use kpi_sys::{KPI_LOG_NOTICE, KPI_LOG_WARNING};

use super::ends::Ends;
use super::ether::Ether;
use super::moving::{Trusting, drop_addrs, put_addrs, shift_routes};
use super::netlink::Netlink;
use super::oslink::{self, OsLink, copy_sysctls, set_sysctl6, sysctl6};
use super::pump::{Inward, Outward};
use super::shared::{Core, Live};
use super::snapshot::{Place, Snapshot};
use super::state::{State, StateFile, netns};
use super::undo::{self, Faults};
use super::watch::{Watch, addresses};
use crate::errno::Errno;
use crate::event::Event;
use crate::home::Home;
use crate::ifinfo::IfInfo;
use crate::ifreg::{Entry, valid_name};
use crate::pfil::Pfils;
use crate::poll::{Poller, Token};
use crate::port::{IfPort, Link};
use crate::sync::lock;
use crate::tap::Tap;

/// See the module's text. Dropping it takes it down.
pub struct Pair {
    core: Arc<Core>,
    inward: Poller<Inward>,
    outward: Poller<Outward>,
    tokens: OnceLock<(Token, Token)>,
    watch: Mutex<Option<Watch>>,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pair({})", self.core.ends.port.name())
    }
}

fn about<E: fmt::Display>(what: &str) -> impl Fn(E) -> String {
    move |e| format!("{what}: {e}")
}

/// The interface whose place is to be taken, if it can be.
fn eligible(netlink: &mut Netlink, name: &str, tap: &str) -> Result<OsLink, String> {
    let links = OsLink::all(netlink).map_err(about("rtnetlink"))?;
    let found = links.iter().find(|l| l.name == name);
    let link = found.ok_or_else(|| format!("{name}: the system has no such interface"))?;
    if !link.ethernet {
        return Err(format!("{name}: not an Ethernet interface"));
    }
    let named = |index| links.iter().find(|l| l.index == index);
    if let Some(master) = named(link.master) {
        let master = &master.name;
        return Err(format!(
            "{name}: belongs to {master}: take it out of there first"
        ));
    }
    // The two ends of a cable (veth) name each other.
    let stands = |l: &&OsLink| l.lower == link.index && link.lower != l.index;
    if let Some(upper) = links.iter().find(stands) {
        let upper = &upper.name;
        return Err(format!(
            "{name}: {upper} stands upon it: make that anew on {tap}"
        ));
    }
    if links.iter().any(|l| l.name == tap) {
        return Err(format!(
            "{tap}: the system has an interface of this name already"
        ));
    }
    Ok(link.clone())
}

impl Pair {
    /// The tap `tap` takes the place of the interface `physical`. A sentence says why it cannot;
    /// all is as it was then. `dir` keeps what it takes to undo it.
    pub fn open(
        home: &Arc<Home>,
        pfils: &Arc<Pfils>,
        (tap, physical): (&str, &str),
        dir: &Path,
    ) -> Result<Pair, String> {
        let mut netlink = Netlink::open().map_err(about("rtnetlink"))?;
        let phys = eligible(&mut netlink, physical, tap)?;
        let place = |l: &OsLink| Place {
            index: l.index,
            name: l.name.clone(),
        };
        let snapshot = Snapshot::take(&mut netlink, phys.index).map_err(about(physical))?;
        let state = State {
            netns: netns().map_err(about("network namespace"))?,
            tap: tap.to_owned(),
            physical: place(&phys),
            mac: phys.mac,
            up: phys.up,
            mtu: phys.mtu,
            disable_ipv6: sysctl6(physical, "disable_ipv6"),
            filter: None,
            on: place(&phys),
            snapshot,
        };
        let inward = Poller::new("pair in").map_err(about(tap))?;
        let outward = Poller::new("pair out").map_err(about(tap))?;
        let if_port = IfPort::new(Arc::clone(home), 0, tap, 0, phys.mtu, phys.mac);
        let if_port = Arc::new(if_port);
        if_port.set_link(phys.carrier);
        let ether = Ether::open(phys.index).map_err(about(physical))?;
        let device = Tap::open(&if_port, true).map_err(about(tap))?;
        let device = Arc::new(device);
        let made = OsLink::named(&mut netlink, tap).ok().flatten();
        let Some(link) = made else {
            device.close();
            return Err(format!("{tap}: made, and not there"));
        };
        let ends = Arc::new(Ends::new(Arc::clone(&device), ether, if_port));
        let entry = Entry {
            name: tap.to_owned(),
            mtu: phys.mtu,
            up: phys.up,
            loopback: false,
            addrs: addresses(&state.snapshot),
        };
        let opened = pfils.open(entry, Arc::clone(&ends) as _);
        let hooks = opened.inspect_err(|_| device.close()).map_err(about(tap))?;
        let file = StateFile::create(dir, &state).map_err(about(&dir.display().to_string()));
        let file = file.inspect_err(|_| {
            hooks.close();
            device.close();
        })?;
        let live = Live {
            tap: link,
            physical: phys,
            undo: Some((file, state)),
            unplaced: Vec::new(),
        };
        let core = Core {
            home: Arc::clone(home),
            ends,
            hooks,
            live: Mutex::new(live),
        };
        let pair = Pair {
            core: Arc::new(core),
            inward,
            outward,
            tokens: OnceLock::new(),
            watch: Mutex::default(),
        };
        // Dropped on an error, it undoes what was done so far.
        pair.take_over(&mut netlink)?;
        let (index, name) = (pair.core.hooks.index, tap.to_owned());
        home.events.post(&Event::IfAttach { index, name });
        Ok(pair)
    }

    fn take_over(&self, netlink: &mut Netlink) -> Result<(), String> {
        let core = &self.core;
        let mut guard = lock(&core.live);
        let live = &mut *guard;
        let Some((file, state)) = &mut live.undo else {
            return Ok(());
        };
        let from = state.physical.clone();
        let to = Place {
            index: live.tap.index,
            name: live.tap.name.clone(),
        };
        copy_sysctls(&from.name, &to.name);
        oslink::accept_local(&to.name);
        let trusting = Trusting::new(&to);
        put_addrs(netlink, &state.snapshot, &from, &to).map_err(about("an address"))?;
        if state.up {
            oslink::set_up(netlink, to.index, true).map_err(about(&to.name))?;
        } else {
            oslink::set_up(netlink, from.index, true).map_err(about(&from.name))?;
        }
        core.ends.set_up(state.up);
        live.tap.up = state.up;
        let made = oslink::shut(netlink, from.index);
        let made = made.map_err(about(
            "cannot keep the system from its frames (clsact, cls_bpf)",
        ))?;
        state.filter = Some(made);
        let written = file.replace(state);
        written.map_err(about("state file"))?;
        let inward = Arc::new(Inward {
            ends: Arc::clone(&core.ends),
            hooks: Arc::clone(&core.hooks),
        });
        let outward = Arc::new(Outward {
            ends: Arc::clone(&core.ends),
            hooks: Arc::clone(&core.hooks),
        });
        let inward = self
            .inward
            .add(&core.home, &inward)
            .map_err(about("thread"))?;
        let outward = self
            .outward
            .add(&core.home, &outward)
            .map_err(about("thread"))?;
        let _ = self.tokens.set((inward, outward));
        trusting.end(netlink, state.up && live.physical.carrier);
        let left = shift_routes(netlink, &state.snapshot.routes, &from, &to, false);
        drop_addrs(netlink, &state.snapshot, &from);
        let left: Vec<_> = left.into_iter().map(|(body, _)| body).collect();
        // What another address stood in the way of.
        for (body, e) in shift_routes(netlink, &left, &from, &to, false) {
            core.say(KPI_LOG_WARNING, &format!("a route stays behind: {e}"));
            live.unplaced.push(body);
        }
        if state.disable_ipv6.is_some()
            && let Err(e) = set_sysctl6(&from.name, "disable_ipv6", "1")
        {
            core.say(KPI_LOG_WARNING, &format!("{}: keeps IPv6: {e}", from.name));
        }
        drop(guard);
        let watch = Watch::start(&self.core).map_err(about("thread"))?;
        *lock(&self.watch) = Some(watch);
        Ok(())
    }

    /// Undo all of it.
    pub fn close(&self) {
        if let Some(watch) = lock(&self.watch).take() {
            watch.stop();
        }
        let core = &self.core;
        let mut live = lock(&core.live);
        let Some((file, mut state)) = live.undo.take() else {
            return;
        };
        let faults = match Netlink::open() {
            Ok(mut netlink) => self.give_back(&mut netlink, &mut state, &live),
            Err(e) => vec![format!("rtnetlink: {e}")],
        };
        drop(live);
        core.hooks.close();
        core.ends.tap.close();
        for fault in &faults {
            core.say(KPI_LOG_WARNING, fault);
        }
        if let Err(e) = file.remove() {
            core.say(KPI_LOG_WARNING, &format!("state file: {e}"));
        }
        let (index, name) = (core.hooks.index, core.ends.port.name());
        core.home.events.post(&Event::IfDetach { index, name });
        let back = format!("{} has its addresses and routes back", state.physical.name);
        core.say(KPI_LOG_NOTICE, &back);
    }

    fn give_back(&self, netlink: &mut Netlink, state: &mut State, live: &Live) -> Faults {
        // What the OS has done since counts; if it took the tap away, what was last written.
        let tap = OsLink::numbered(netlink, live.tap.index).ok().flatten();
        let gone = tap.is_none();
        if let Some(tap) = tap
            && let Ok(snapshot) = Snapshot::take(netlink, tap.index)
        {
            (state.up, state.mtu) = (tap.up, tap.mtu);
            (state.on.index, state.on.name) = (tap.index, tap.name);
            state.snapshot = snapshot;
        }
        let mut faults = undo::give_back(netlink, state, gone);
        let home = &state.physical;
        for (_, e) in shift_routes(netlink, &live.unplaced, home, home, true) {
            faults.push(format!("a route is lost: {e}"));
        }
        faults.extend(undo::finish(netlink, state));
        if let Some((inward, outward)) = self.tokens.get() {
            self.inward.remove(*inward);
            self.outward.remove(*outward);
            self.inward.barrier();
            self.outward.barrier();
        }
        faults
    }

    /// The name of the interface whose place it took.
    pub fn physical(&self) -> String {
        lock(&self.core.live).physical.name.clone()
    }

    /// Its name, and its counters.
    pub fn port(&self) -> &IfPort {
        &self.core.ends.port
    }

    /// What is known about it.
    pub fn info(&self) -> IfInfo {
        let tap = lock(&self.core.live).tap.clone();
        let port = self.port();
        IfInfo {
            name: port.name(),
            index: self.core.hooks.index,
            mtu: tap.mtu,
            up: tap.up,
            running: port.link() != Link::Down,
            link: port.link(),
            lladdr: Some(port.lladdr),
            stats: std::array::from_fn(|which| port.stats.sum(which)),
            tunnel: None,
        }
    }

    /// Set the tap up or down.
    pub fn set_up(&self, up: bool) -> Result<(), Errno> {
        self.core.ends.tap.set_up(up)?;
        lock(&self.core.live).tap.up = up;
        self.core.note_up(up);
        Ok(())
    }

    /// Set the tap's MTU.
    pub fn set_mtu(&self, mtu: u32) -> Result<(), Errno> {
        self.core.ends.tap.set_mtu(mtu)?;
        lock(&self.core.live).tap.mtu = mtu;
        self.core.hooks.set_mtu(mtu);
        Ok(())
    }

    /// Give the tap another name: `EINVAL`, `EEXIST`.
    pub fn rename(&self, name: &str) -> Result<(), Errno> {
        if !valid_name(name) {
            return Err(Errno::EINVAL);
        }
        let from = self.port().name();
        self.core.hooks.rename(name)?;
        if let Err(e) = self.core.ends.tap.rename(name) {
            let _ = self.core.hooks.rename(&from);
            return Err(e);
        }
        self.port().set_name(name);
        Ok(())
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.close();
    }
}
