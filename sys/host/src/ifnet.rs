// SPDX-License-Identifier: BSD-2-Clause
//! Interfaces: what modules attach, and the table of those that the kernel knows.
//!
//! *Contexts*: [`Ifnet::input`] softint, the rest thread. *Locking*: the table's lock is held for a
//! look-up or a change of the table, never during an upcall; see [`crate::port`] for these.

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use kpi_sys::{
    KPI_IFS_IBYTES, KPI_IFS_IPACKETS, KPI_IFS_IQDROPS, KPI_TUNNEL_GET, kpi_ifops, kpi_tunnel,
};

use crate::die::die;
use crate::door::{Doors, IfDoor};
use crate::epoch;
use crate::errno::Errno;
use crate::event::Event;
use crate::home::Home;
pub use crate::ifinfo::{IfInfo, Tunnel};
use crate::ifreg::{Entry, valid_name};
use crate::ledger::{Fault, Kind};
use crate::mbuf::Mbuf;
use crate::pfil::Pfils;
use crate::port::IfPort;
use crate::sync::lock;

/// What `struct kpi_ifnet` is on the host.
#[derive(Debug)]
pub struct Ifnet {
    /// Its identity, state and upcalls.
    pub port: Arc<IfPort>,
    table: Arc<IfTable>,
    /// 0 until it is attached.
    index: AtomicU32,
    door: OnceLock<IfDoor>,
    attached: AtomicBool,
}

/// The interfaces that a kernel knows.
#[derive(Debug)]
pub struct IfTable {
    home: Arc<Home>,
    doors: Doors,
    map: Mutex<Map>,
    /// Where rules find them.
    pfils: Arc<Pfils>,
}

/// Both ways to find an interface: a look-up by name must not slow down with their number.
#[derive(Debug, Default)]
struct Map {
    by_index: BTreeMap<u32, Arc<Ifnet>>,
    by_name: HashMap<String, Arc<Ifnet>>,
}

impl Map {
    fn remove(&mut self, index: u32) {
        if let Some(ifp) = self.by_index.remove(&index) {
            self.by_name.remove(&ifp.port.name());
        }
    }
}

impl IfTable {
    /// No interfaces yet.
    pub fn new(home: Arc<Home>, doors: Doors, pfils: Arc<Pfils>) -> Arc<IfTable> {
        Arc::new(IfTable {
            home,
            doors,
            map: Mutex::default(),
            pfils,
        })
    }

    /// An interface that the kernel does not yet know.
    pub fn alloc(
        self: &Arc<Self>,
        name: &str,
        unit: u32,
        mtu: u32,
        lladdr: [u8; 6],
    ) -> Result<Arc<Ifnet>, Errno> {
        static LAST_ID: AtomicU64 = AtomicU64::new(0);
        if !valid_name(name) {
            return Err(Errno::EINVAL);
        }
        if self.home.ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        let id = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
        let port = IfPort::new(Arc::clone(&self.home), id, name, unit, mtu, lladdr);
        self.home.ledger.born(Kind::Ifnet);
        Ok(Arc::new(Ifnet {
            port: Arc::new(port),
            table: Arc::clone(self),
            index: AtomicU32::new(0),
            door: OnceLock::new(),
            attached: AtomicBool::new(false),
        }))
    }

    /// All interfaces, by index.
    pub fn all(&self) -> Vec<Arc<Ifnet>> {
        lock(&self.map).by_index.values().cloned().collect()
    }

    /// The interface of this name.
    pub fn find(&self, name: &str) -> Option<Arc<Ifnet>> {
        lock(&self.map).by_name.get(name).cloned()
    }
}

impl Ifnet {
    /// Its index; 0 if it was never attached.
    pub fn index(&self) -> u32 {
        self.index.load(Ordering::Relaxed)
    }

    fn home(&self) -> &Home {
        &self.port.home
    }

    /// Its door, if it is attached.
    pub fn door(&self) -> Option<&IfDoor> {
        self.door.get()
    }

    /// Make it known: `EEXIST` when the name is taken.
    ///
    /// # Safety
    ///
    /// `ops` is a complete table; it and `sc` stay valid until [`Ifnet::detach`] has returned.
    pub unsafe fn attach(
        self: &Arc<Self>,
        ops: *const kpi_ifops,
        sc: *mut c_void,
    ) -> Result<(), Errno> {
        if self.index() != 0 {
            return Err(Errno::EINVAL);
        }
        let name = self.port.name();
        let pfils = &self.table.pfils;
        let index = pfils.reg.next_index();
        {
            let mut map = lock(&self.table.map);
            if map.by_name.contains_key(&name) {
                return Err(Errno::EEXIST);
            }
            pfils.reg.insert(index, self.entry())?;
            map.by_index.insert(index, Arc::clone(self));
            map.by_name.insert(name.clone(), Arc::clone(self));
        }
        // SAFETY: passed on to our caller.
        unsafe { self.port.open(ops, sc) };
        let door = match self.table.doors.open_if(&self.port) {
            Ok(door) => door,
            Err(e) => {
                self.port.close();
                pfils.reg.remove(index);
                lock(&self.table.map).remove(index);
                return Err(e);
            }
        };
        if self.door.set(door).is_err() {
            die("ifnet: attached by two threads at once");
        }
        self.index.store(index, Ordering::Relaxed);
        self.attached.store(true, Ordering::Release);
        self.home().events.post(&Event::IfAttach { index, name });
        pfils.changed(index);
        Ok(())
    }

    /// What rules may know about it.
    fn entry(&self) -> Entry {
        Entry {
            name: self.port.name(),
            mtu: self.port.mtu(),
            up: self.port.is_up(),
            loopback: false,
            addrs: Vec::new(),
        }
    }

    /// Rules may know another thing about it than before.
    fn tell(&self, f: impl FnOnce(&mut Entry)) {
        let pfils = &self.table.pfils;
        if pfils.reg.update(self.index(), f) {
            pfils.changed(self.index());
        }
    }

    /// Take it from the system; no upcall runs once this has returned.
    pub fn detach(&self) {
        if !self.attached.swap(false, Ordering::AcqRel) {
            die(&format!(
                "ifnet {}: detached while it is not attached",
                self.port.name()
            ));
        }
        let index = self.index();
        lock(&self.table.map).remove(index);
        self.table.pfils.reg.remove(index);
        self.port.close();
        if let Some(door) = self.door.get() {
            door.close();
        }
        self.home().events.post(&Event::IfDetach {
            index,
            name: self.port.name(),
        });
        self.table.pfils.changed(index);
    }

    /// Whether it is attached.
    pub fn is_attached(&self) -> bool {
        self.attached.load(Ordering::Acquire)
    }

    /// A frame from the wire side goes up; it is counted as input, and dropped if detached.
    pub fn input(&self, m: Mbuf) {
        // Closing the door waits for this section.
        let _section = epoch::UPCALLS.enter();
        if !self.port.is_open() {
            return;
        }
        let Some(door) = self.door.get() else { return };
        let stats = &self.port.stats;
        stats.add(KPI_IFS_IPACKETS as usize, 1);
        stats.add(KPI_IFS_IBYTES as usize, m.len() as u64);
        if door.input(m).is_err() {
            stats.add(KPI_IFS_IQDROPS as usize, 1);
        }
    }

    /// The module says whether it can carry packets.
    pub fn set_running(&self, running: bool) {
        self.port.set_running(running);
    }

    /// The module says whether the link is up.
    pub fn set_link(&self, up: bool) {
        if self.port.set_link(up) && self.is_attached() {
            if let Some(door) = self.door.get() {
                door.set_link(up);
            }
            let event = Event::Link {
                index: self.index(),
                name: self.port.name(),
                up,
            };
            self.home().events.post(&event);
        }
    }

    /// Change the MTU, if the module and the door agree.
    pub fn set_mtu(&self, mtu: u32) -> Result<(), Errno> {
        let before = self.port.mtu();
        self.port.set_mtu(mtu)?;
        if let Some(Err(e)) = self.door.get().map(|door| door.set_mtu(mtu)) {
            // What the module took once it takes again.
            let _ = self.port.set_mtu(before);
            return Err(e);
        }
        let event = Event::Mtu {
            index: self.index(),
            name: self.port.name(),
            mtu,
        };
        self.home().events.post(&event);
        self.tell(|e| e.mtu = mtu);
        Ok(())
    }

    /// Set it up or down.
    pub fn set_up(&self, up: bool) -> Result<(), Errno> {
        let before = self.port.is_up();
        self.port.set_up(up)?;
        if let Some(Err(e)) = self.door.get().map(|door| door.set_up(up)) {
            let _ = self.port.set_up(before);
            return Err(e);
        }
        if up != before {
            let (index, name) = (self.index(), self.port.name());
            let event = if up {
                Event::Up { index, name }
            } else {
                Event::Down { index, name }
            };
            self.home().events.post(&event);
            self.tell(|e| e.up = up);
        }
        Ok(())
    }

    /// Give it another name: `EINVAL`, `EEXIST`, or what the door says.
    pub fn rename(&self, name: &str) -> Result<(), Errno> {
        if !valid_name(name) {
            return Err(Errno::EINVAL);
        }
        // Held while the door renames, so that no one takes the name meanwhile.
        let mut map = lock(&self.table.map);
        let pfils = &self.table.pfils;
        if map.by_name.contains_key(name) || pfils.reg.find(name).is_some() {
            return Err(Errno::EEXIST);
        }
        self.door.get().map_or(Ok(()), |door| door.rename(name))?;
        let from = self.port.name();
        if let Some(ifp) = map.by_name.remove(&from) {
            map.by_name.insert(name.to_owned(), ifp);
        }
        self.port.set_name(name);
        drop(map);
        // A door that took the name meanwhile has it in rules, this one in the OS.
        let _ = pfils.reg.rename(self.index(), name);
        let event = Event::Rename {
            index: self.index(),
            name: name.to_owned(),
            from,
        };
        self.home().events.post(&event);
        pfils.changed(self.index());
        Ok(())
    }

    /// The tunnel that is set.
    pub fn tunnel(&self) -> Option<Tunnel> {
        let mut t = kpi_tunnel {
            kt_af: 0,
            kt_pad: 0,
            kt_src: [0; 16],
            kt_dst: [0; 16],
        };
        self.port
            .tunnel(KPI_TUNNEL_GET, &mut t)
            .ok()
            .map(|()| Tunnel(t))
    }

    /// What is known about it.
    pub fn info(&self) -> IfInfo {
        let port = &self.port;
        IfInfo {
            name: port.name(),
            index: self.index(),
            mtu: port.mtu(),
            up: port.is_up(),
            running: port.is_running(),
            link: port.link(),
            lladdr: (port.lladdr != [0; 6]).then_some(port.lladdr),
            stats: std::array::from_fn(|which| port.stats.sum(which)),
            tunnel: self.tunnel(),
        }
    }

    /// Free one that was never attached or is detached.
    pub fn free(self: Arc<Self>) {
        if self.is_attached() {
            die(&format!(
                "ifnet {}: freed while it is attached",
                self.port.name()
            ));
        }
        self.home().ledger.died(Kind::Ifnet);
    }
}
