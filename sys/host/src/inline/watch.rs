// SPDX-License-Identifier: BSD-2-Clause
//! What the OS does with a pair's interfaces: heard, passed on, and written down.
//!
//! *Contexts*: a thread of its own for each pair. *Locking*: see [`super::shared`].

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kpi_sys::KPI_LOG_WARNING;

use super::netlink::{Netlink, Record, attr};
use super::oslink::OsLink;
use super::shared::Core;
use super::snapshot::{Place, Snapshot, leads_over};
use crate::event::Event;
use crate::ifreg::IfAddr;
use crate::sync::lock;

/// What is written down may lag so far behind.
const LAG: Duration = Duration::from_millis(300);
/// Frames that the OS had no room for are counted so often.
const COUNT: Duration = Duration::from_secs(2);

/// The thread.
#[derive(Debug)]
pub struct Watch {
    thread: JoinHandle<()>,
    wake: UnixStream,
}

/// The addresses of a snapshot as rules name them.
pub fn addresses(snapshot: &Snapshot) -> Vec<IfAddr> {
    let one = |body: &Vec<u8>| {
        let rest = body.get(8..)?;
        let local = attr(rest, libc::IFA_LOCAL).or_else(|| attr(rest, libc::IFA_ADDRESS))?;
        let addr = match local.len() {
            4 => IpAddr::from(*local.first_chunk::<4>()?),
            _ => IpAddr::from(*local.first_chunk::<16>()?),
        };
        Some(IfAddr {
            addr,
            prefixlen: *body.get(1)?,
        })
    };
    snapshot.addrs.iter().filter_map(one).collect()
}

impl Watch {
    /// Watch a pair from now on.
    pub fn start(core: &Arc<Core>) -> io::Result<Watch> {
        let news = Netlink::listen(&[
            libc::RTNLGRP_LINK,
            libc::RTNLGRP_IPV4_IFADDR,
            libc::RTNLGRP_IPV6_IFADDR,
            libc::RTNLGRP_IPV4_ROUTE,
            libc::RTNLGRP_IPV6_ROUTE,
        ])?;
        let ask = Netlink::open()?;
        let (wake, woken) = UnixStream::pair()?;
        let core = Arc::clone(core);
        let body = move || {
            let mut watcher = Watcher {
                core,
                ask,
                dirty: Some(Instant::now()),
            };
            // What happened before we listened.
            watcher.links();
            watcher.run(&news, &woken);
        };
        let name = "pair watch".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(body)?;
        Ok(Watch { thread, wake })
    }

    /// No more, once this has returned.
    pub fn stop(self) {
        let _ = (&self.wake).write(&[0]);
        // A panic there has been reported already.
        let _ = self.thread.join();
    }
}

struct Watcher {
    core: Arc<Core>,
    ask: Netlink,
    /// Since when what is written down is old.
    dirty: Option<Instant>,
}

impl Watcher {
    fn run(&mut self, news: &Netlink, woken: &UnixStream) {
        let mut counted = Instant::now();
        loop {
            let due = self
                .dirty
                .map_or(COUNT, |since| LAG.saturating_sub(since.elapsed()));
            let entry = |fd: i32| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            };
            let mut fds = [
                entry(news.fd().as_raw_fd()),
                entry(woken.as_fd().as_raw_fd()),
            ];
            // SAFETY: two entries, which outlive the call.
            unsafe { libc::poll(fds.as_mut_ptr(), 2, due.as_millis() as i32 + 1) };
            if fds[1].revents != 0 {
                let _ = (&*woken).read(&mut [0]);
                return;
            }
            if fds[0].revents != 0 {
                match news.news() {
                    Ok(records) => records.iter().for_each(|r| self.hear(r)),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => self.links(),
                }
            }
            if self.dirty.is_some_and(|since| since.elapsed() >= LAG) {
                self.write();
            }
            if counted.elapsed() >= COUNT {
                counted = Instant::now();
                let missed = self.core.ends.ether.missed();
                let stats = &self.core.ends.port.stats;
                stats.add(kpi_sys::KPI_IFS_IQDROPS as usize, missed);
            }
        }
    }

    fn indexes(&self) -> (u32, u32) {
        let live = lock(&self.core.live);
        (live.tap.index, live.physical.index)
    }

    /// Look at both interfaces, and at what the tap has.
    fn links(&mut self) {
        let (tap, physical) = self.indexes();
        for index in [physical, tap] {
            if let Ok(Some(link)) = OsLink::numbered(&mut self.ask, index) {
                self.link(link);
            }
        }
        self.addrs();
    }

    fn hear(&mut self, record: &Record) {
        let (tap, physical) = self.indexes();
        let body = &record.body;
        let index = body
            .get(4..8)
            .map(|b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
        match record.kind {
            libc::RTM_NEWLINK => {
                let ours = |l: &OsLink| l.index == tap || l.index == physical;
                if let Some(link) = OsLink::parse(body).filter(ours) {
                    self.link(link);
                }
            }
            libc::RTM_DELLINK if index == Some(physical) => {
                let gone = OsLink {
                    carrier: false,
                    up: false,
                    ..lock(&self.core.live).physical.clone()
                };
                self.core
                    .say(KPI_LOG_WARNING, &format!("{} is gone", gone.name));
                self.link(gone);
            }
            libc::RTM_NEWADDR | libc::RTM_DELADDR if index == Some(tap) => self.addrs(),
            libc::RTM_NEWADDR if index == Some(physical) => {
                let name = lock(&self.core.live).physical.name.clone();
                let what = format!("{name} has got an address, which serves nobody there");
                self.core.say(KPI_LOG_WARNING, &what);
            }
            libc::RTM_NEWROUTE | libc::RTM_DELROUTE if leads_over(body, tap) => self.touch(),
            _ => {}
        }
    }

    fn touch(&mut self) {
        self.dirty.get_or_insert_with(Instant::now);
    }

    /// One of the two is now as `link` says.
    fn link(&mut self, link: OsLink) {
        let core = Arc::clone(&self.core);
        let mut live = lock(&core.live);
        let index = core.hooks.index;
        if link.index == live.physical.index {
            let (carrier, mtu) = (link.up && link.carrier, link.mtu);
            let new_mtu = mtu != live.physical.mtu;
            live.physical = link;
            drop(live);
            if core.ends.port.set_link(carrier) {
                core.ends.tap.set_link(carrier);
                let (name, up) = (core.ends.port.name(), carrier);
                core.home.events.post(&Event::Link { index, name, up });
            }
            if new_mtu && let Err(e) = core.ends.tap.set_mtu(mtu) {
                core.say(KPI_LOG_WARNING, &format!("MTU {mtu}: {e}"));
            }
            return;
        }
        let before = std::mem::replace(&mut live.tap, link.clone());
        drop(live);
        self.touch();
        let name = link.name.clone();
        if before.name != name {
            core.ends.port.set_name(&name);
            let _ = core.hooks.rename(&name);
            let (name, from) = (name.clone(), before.name);
            core.home.events.post(&Event::Rename { index, name, from });
        }
        if before.mtu != link.mtu {
            core.hooks.set_mtu(link.mtu);
            let (name, mtu) = (name.clone(), link.mtu);
            core.home.events.post(&Event::Mtu { index, name, mtu });
        }
        core.note_up(link.up);
        if before.up != link.up {
            let event = if link.up {
                Event::Up { index, name }
            } else {
                Event::Down { index, name }
            };
            core.home.events.post(&event);
        }
    }

    fn addrs(&mut self) {
        self.touch();
        let (tap, _) = self.indexes();
        if let Ok(now) = Snapshot::addresses(&mut self.ask, tap) {
            self.core.hooks.set_addrs(&addresses(&now));
        }
    }

    /// Write down what the tap has now; if it is gone, what it had stays.
    fn write(&mut self) {
        self.dirty = None;
        let (tap, _) = self.indexes();
        let Ok(Some(link)) = OsLink::numbered(&mut self.ask, tap) else {
            return;
        };
        let Ok(snapshot) = Snapshot::take(&mut self.ask, tap) else {
            return;
        };
        let mut live = lock(&self.core.live);
        let unplaced = live.unplaced.clone();
        let Some((file, state)) = &mut live.undo else {
            return;
        };
        (state.up, state.mtu) = (link.up, link.mtu);
        state.on = Place {
            index: link.index,
            name: link.name,
        };
        let unchanged = state.snapshot == snapshot;
        state.snapshot = snapshot;
        let mut whole = state.clone();
        // Over the physical interface already: they need no other index.
        whole.snapshot.routes.extend(unplaced);
        if !unchanged && let Err(e) = file.replace(&whole) {
            drop(live);
            self.core.say(KPI_LOG_WARNING, &format!("state file: {e}"));
        }
    }
}
