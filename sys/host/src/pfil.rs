// SPDX-License-Identifier: BSD-2-Clause
//! Packet filter hooks, and the ports at which packets pass them.
//!
//! A door that carries IP packets opens a [`Port`] for each interface it has, shows every packet to
//! [`Port::run`], and sends on what comes back. What a module puts in by itself comes out of the
//! door's [`Outlet`].
//!
//! *Contexts*: [`Port::run`] and what a module puts in softint, any thread, many at once; the rest
//! thread. *Locking*: the list of hooks is replaced under a mutex and read without one, in a section
//! of [`epoch::UPCALLS`]; detaching and closing wait for these. `po_ifchange` runs under the hook's
//! own mutex, one at a time.

use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockWriteGuard, Weak};

use kpi_sys::{
    KPI_AF_INET, KPI_AF_INET6, KPI_MF_BCAST, KPI_MF_MCAST, KPI_PFIL_IN, KPI_PFIL_OUT,
    KPI_PFIL_PASS, kpi_pfil_rx, kpi_pfilops,
};

use crate::die::die;
use crate::epoch;
use crate::errno::Errno;
use crate::home::Home;
use crate::ifreg::{Entry, IfAddr, IfReg};
use crate::ledger::{Fault, Kind};
use crate::link::LinkHeader;
use crate::mbuf::Mbuf;
use crate::sync::lock;

/// Which way a packet goes through its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dir {
    /// From the wire to us.
    In,
    /// From us to the wire.
    Out,
}

impl Dir {
    fn raw(self) -> u32 {
        match self {
            Dir::In => KPI_PFIL_IN,
            Dir::Out => KPI_PFIL_OUT,
        }
    }

    fn from_raw(raw: u32) -> Option<Dir> {
        match raw {
            KPI_PFIL_IN => Some(Dir::In),
            KPI_PFIL_OUT => Some(Dir::Out),
            _ => None,
        }
    }

    /// The other one.
    #[must_use]
    pub fn back(self) -> Dir {
        match self {
            Dir::In => Dir::Out,
            Dir::Out => Dir::In,
        }
    }
}

/// Which IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Af {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Af {
    /// Bytes of the header without options: what hooks get in one piece.
    fn header(self) -> usize {
        match self {
            Af::V4 => 20,
            Af::V6 => 40,
        }
    }
}

/// Where packets that a module puts in come out: what a door is to a port.
///
/// Not called any more once [`Port::close`] has returned.
pub trait Outlet: Send + Sync + fmt::Debug {
    /// `m`, an IP packet, goes on in direction `dir`: [`Dir::Out`] to the wire, [`Dir::In`] to the
    /// OS. [`Mbuf::link`] is the header to put before it; where that is empty the module knew none,
    /// and the door finds one or says `EHOSTUNREACH`. `flags` are `KPI_PFILF_*`, set for a packet
    /// that [`Port::run`] got with them. Never waits.
    fn emit(&self, dir: Dir, m: Mbuf, flags: u32) -> Result<(), Errno>;
}

/// What `struct kpi_pfil` is on the host.
#[derive(Debug)]
pub struct Pfil {
    table: Arc<Pfils>,
    /// Its place among the hooks; 0 before it is attached.
    place: AtomicU64,
    /// Null while no upcall may be made.
    ops: AtomicPtr<kpi_pfilops>,
    arg: AtomicPtr<c_void>,
    config: Mutex<()>,
}

type Hooks = Vec<Arc<Pfil>>;

/// The hooks and ports of a kernel.
#[derive(Debug)]
pub struct Pfils {
    home: Arc<Home>,
    /// The interfaces that rules may name.
    pub reg: IfReg,
    hooks: AtomicPtr<Hooks>,
    /// Held while the list of hooks is replaced: the last place that was given.
    places: Mutex<u64>,
    ports: RwLock<HashMap<u32, Weak<Port>>>,
    late: AtomicU64,
    runts: AtomicU64,
}

/// One interface at which packets pass the hooks.
#[derive(Debug)]
pub struct Port {
    /// The interface's index.
    pub index: u32,
    table: Arc<Pfils>,
    outlet: Arc<dyn Outlet>,
    open: AtomicBool,
}

impl Drop for Pfils {
    fn drop(&mut self) {
        // SAFETY: from Box::into_raw in new or replace, and nobody else is left.
        drop(unsafe { Box::from_raw(*self.hooks.get_mut()) });
    }
}

impl Pfils {
    /// No hooks and no ports yet.
    pub fn new(home: Arc<Home>) -> Arc<Pfils> {
        Arc::new(Pfils {
            home,
            reg: IfReg::default(),
            hooks: AtomicPtr::new(Box::into_raw(Box::default())),
            places: Mutex::new(0),
            ports: RwLock::default(),
            late: AtomicU64::new(0),
            runts: AtomicU64::new(0),
        })
    }

    /// A hook that sees nothing yet; fails only by injected fault.
    pub fn alloc(self: &Arc<Self>) -> Result<Arc<Pfil>, Errno> {
        if self.home.ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        self.home.ledger.born(Kind::Pfil);
        Ok(Arc::new(Pfil {
            table: Arc::clone(self),
            place: AtomicU64::new(0),
            ops: AtomicPtr::new(ptr::null_mut()),
            arg: AtomicPtr::new(ptr::null_mut()),
            config: Mutex::new(()),
        }))
    }

    /// An interface of a door: `EEXIST` when the name is taken. Hooks are told of it.
    pub fn open(
        self: &Arc<Self>,
        entry: Entry,
        outlet: Arc<dyn Outlet>,
    ) -> Result<Arc<Port>, Errno> {
        let index = self.reg.next_index();
        let port = Arc::new(Port {
            index,
            table: Arc::clone(self),
            outlet,
            open: AtomicBool::new(true),
        });
        // The port first: who finds the interface can use it.
        self.ports_mut().insert(index, Arc::downgrade(&port));
        // On an error the port is dropped.
        self.reg.insert(index, entry)?;
        self.changed(index);
        Ok(port)
    }

    fn ports_mut(&self) -> RwLockWriteGuard<'_, HashMap<u32, Weak<Port>>> {
        self.ports.write().unwrap_or_else(|e| e.into_inner())
    }

    fn port(&self, index: u32) -> Option<Arc<Port>> {
        let ports = self.ports.read().unwrap_or_else(|e| e.into_inner());
        ports.get(&index).and_then(Weak::upgrade)
    }

    /// Tell the hooks that something about an interface has changed.
    pub fn changed(&self, index: u32) {
        let hooks = {
            let _section = epoch::UPCALLS.enter();
            self.hooks().clone()
        };
        for hook in hooks {
            hook.ifchange(index);
        }
    }

    /// Packets that were put into a hook that was detached, and freed.
    pub fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// Packets too short for their header, which no hook saw, and which were freed.
    pub fn runts(&self) -> u64 {
        self.runts.load(Ordering::Relaxed)
    }

    /// The hooks, within a section.
    fn hooks(&self) -> &Hooks {
        // SAFETY: never null; replace frees a list only after the sections that could see it.
        unsafe { &*self.hooks.load(Ordering::Acquire) }
    }

    /// Put another list in place; `places` is locked.
    fn replace(&self, list: Hooks) {
        let new = Box::into_raw(Box::new(list));
        let old = self.hooks.swap(new, Ordering::AcqRel);
        epoch::UPCALLS.wait();
        // SAFETY: from Box::into_raw, and no section can see it any more.
        drop(unsafe { Box::from_raw(old) });
    }

    /// Show `m` to the hooks behind `place`.
    fn show(&self, rx: &kpi_pfil_rx, m: Mbuf, place: u64) -> Option<Mbuf> {
        let _section = epoch::UPCALLS.enter();
        let link = *m.link();
        let behind = |hook: &&Arc<Pfil>| hook.place.load(Ordering::Relaxed) > place;
        let hooks = self.hooks();
        if hooks.last().filter(behind).is_none() {
            return Some(m);
        }
        let shown = self.home.enter(|| {
            hooks
                .iter()
                .filter(behind)
                .try_fold(m, |m, hook| hook.packet(rx, m))
        });
        shown.map(|mut m| {
            // A hook may have made a packet of its own in place of ours.
            if m.link().is_empty() {
                m.set_link(link);
            }
            m
        })
    }
}

impl Pfil {
    /// See packets, behind the hooks that are attached: `EINVAL` when it was attached before.
    ///
    /// # Safety
    ///
    /// `ops` is a complete table; it and `arg` stay valid until [`Pfil::detach`] has returned.
    pub unsafe fn attach(
        self: &Arc<Self>,
        ops: *const kpi_pfilops,
        arg: *mut c_void,
    ) -> Result<(), Errno> {
        let table = &self.table;
        let mut last = lock(&table.places);
        if self.place.load(Ordering::Relaxed) != 0 {
            return Err(Errno::EINVAL);
        }
        if table.home.ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        *last += 1;
        self.place.store(*last, Ordering::Relaxed);
        self.arg.store(arg, Ordering::Release);
        self.ops.store(ops.cast_mut(), Ordering::Release);
        // The list cannot change: we hold its mutex.
        let mut list = table.hooks().clone();
        list.push(Arc::clone(self));
        table.replace(list);
        Ok(())
    }

    /// No upcall runs once this has returned.
    pub fn detach(self: &Arc<Self>) {
        let last = lock(&self.table.places);
        if self.ops.swap(ptr::null_mut(), Ordering::AcqRel).is_null() {
            die("pfil: detached while it is not attached");
        }
        let mut list = self.table.hooks().clone();
        list.retain(|hook| !Arc::ptr_eq(hook, self));
        // Waits for packet upcalls, and for what this hook is just putting in.
        self.table.replace(list);
        drop(last);
        drop(lock(&self.config));
    }

    /// Free one that was never attached or is detached.
    pub fn free(self: Arc<Self>) {
        if !self.ops.load(Ordering::Acquire).is_null() {
            die("pfil: freed while it is attached");
        }
        self.table.home.ledger.died(Kind::Pfil);
    }

    fn ops(&self) -> Option<&kpi_pfilops> {
        // SAFETY: null, or valid while a section or the config mutex keeps detach from returning.
        unsafe { self.ops.load(Ordering::Acquire).as_ref() }
    }

    /// Show it one packet: what goes on. In a section, in our kernel.
    fn packet(&self, rx: &kpi_pfil_rx, m: Mbuf) -> Option<Mbuf> {
        let Some(call) = self.ops().and_then(|ops| ops.po_packet) else {
            return Some(m);
        };
        let header = match rx.kx_af {
            KPI_AF_INET6 => Af::V6.header(),
            _ => Af::V4.header(),
        };
        // The contract promises the IP header in one piece.
        let contiguous = m.len().min(header);
        let m = m.scatter(contiguous)?.pullup(contiguous)?;
        let kept = if self.table.home.ledger.readonly() {
            m.share()
        } else {
            None
        };
        let mut raw = m.into_raw();
        // SAFETY: the contract of po_packet; arg is valid, see ops.
        let verdict = unsafe { call(self.arg.load(Ordering::Acquire), &mut raw, rx) };
        drop(kept);
        if verdict != KPI_PFIL_PASS as i32 {
            return None;
        }
        if raw.is_null() {
            die("pfil: a module passed a packet on that it had taken");
        }
        // SAFETY: passed on: the packet is ours again, maybe another one.
        Some(unsafe { Mbuf::from_raw(raw) })
    }

    fn ifchange(&self, index: u32) {
        let _one = lock(&self.config);
        if let Some(call) = self.ops().and_then(|ops| ops.po_ifchange) {
            let arg = self.arg.load(Ordering::Acquire);
            // SAFETY: the contract of po_ifchange; arg is valid, since detach waits for the mutex.
            self.table.home.enter(|| unsafe { call(arg, index) });
        }
    }

    /// Let `f` put something in at the port of `rx`: `ENXIO` when we are detached, or it is gone.
    fn put<R>(
        &self,
        rx: &kpi_pfil_rx,
        f: impl FnOnce(&Port, Dir) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        // Detaching and closing wait for this section.
        let _section = epoch::UPCALLS.enter();
        if self.ops().is_none() {
            self.table.late.fetch_add(1, Ordering::Relaxed);
            return Err(Errno::ENXIO);
        }
        let dir = Dir::from_raw(rx.kx_dir).ok_or(Errno::EINVAL)?;
        let port = self.table.port(rx.kx_ifindex);
        let port = port.filter(|port| port.open.load(Ordering::Acquire));
        f(port.as_deref().ok_or(Errno::ENXIO)?, dir)
    }

    /// `m` goes on as if it were passed now.
    pub fn resume(&self, rx: &kpi_pfil_rx, m: Mbuf) -> Result<(), Errno> {
        self.put(rx, |port, dir| {
            let place = self.place.load(Ordering::Relaxed);
            match self.table.show(rx, m, place) {
                Some(m) => port.outlet.emit(dir, m, rx.kx_flags),
                None => Ok(()),
            }
        })
    }

    /// `m` goes back to where `orig` came from: `EADDRNOTAVAIL` when that was sent to a group of
    /// the link, which is not answered.
    pub fn reply(&self, rx: &kpi_pfil_rx, orig: &Mbuf, mut m: Mbuf) -> Result<(), Errno> {
        self.put(rx, |port, dir| {
            if orig.link().to_group() {
                return Err(Errno::EADDRNOTAVAIL);
            }
            m.set_link(orig.link().reversed());
            port.outlet.emit(dir.back(), m, 0)
        })
    }

    /// `m` goes the way of `rx`, behind the link header of `orig`.
    pub fn send(&self, rx: &kpi_pfil_rx, orig: Option<&Mbuf>, mut m: Mbuf) -> Result<(), Errno> {
        m.set_link(orig.map_or(LinkHeader::NONE, |orig| *orig.link()));
        self.resume(&kpi_pfil_rx { kx_flags: 0, ..*rx }, m)
    }
}

impl Port {
    /// Show an IP packet that passes this interface to the hooks: the packet that goes on in its
    /// stead, or `None` when they have taken it. `m` starts with the IP header and has the link
    /// header that stood before it ([`Mbuf::set_link`]); `flags` are `KPI_PFILF_*`.
    ///
    /// A packet that is shorter than its IP header is freed and counted.
    pub fn run(&self, af: Af, dir: Dir, mut m: Mbuf, flags: u32) -> Option<Mbuf> {
        if m.len() < af.header() {
            self.table.runts.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if m.link().to_group() {
            let all = m.link().bytes().starts_with(&[0xff; 6]);
            m.set_flags(m.flags() | if all { KPI_MF_BCAST } else { KPI_MF_MCAST });
        }
        let rx = kpi_pfil_rx {
            kx_af: match af {
                Af::V4 => KPI_AF_INET,
                Af::V6 => KPI_AF_INET6,
            },
            kx_dir: dir.raw(),
            kx_ifindex: self.index,
            kx_flags: flags,
        };
        self.table.show(&rx, m, 0)
    }

    fn change(&self, f: impl FnOnce(&mut Entry)) {
        if self.table.reg.update(self.index, f) {
            self.table.changed(self.index);
        }
    }

    /// It has these addresses now.
    pub fn set_addrs(&self, addrs: &[IfAddr]) {
        self.change(|e| e.addrs = addrs.to_vec());
    }

    /// It is up or down now.
    pub fn set_up(&self, up: bool) {
        self.change(|e| e.up = up);
    }

    /// It has this MTU now.
    pub fn set_mtu(&self, mtu: u32) {
        self.change(|e| e.mtu = mtu);
    }

    /// It has this name now: `EEXIST`.
    pub fn rename(&self, name: &str) -> Result<(), Errno> {
        self.table.reg.rename(self.index, name)?;
        self.table.changed(self.index);
        Ok(())
    }

    /// The interface is gone: its outlet is called no more once this has returned. The door has
    /// stopped calling [`Port::run`].
    pub fn close(&self) {
        if !self.open.swap(false, Ordering::AcqRel) {
            return;
        }
        self.forget();
        epoch::UPCALLS.wait();
        self.table.changed(self.index);
    }

    fn forget(&self) {
        self.table.reg.remove(self.index);
        self.table.ports_mut().remove(&self.index);
    }
}

impl Drop for Port {
    /// Of one that its door did not close: nobody is left who could use it.
    fn drop(&mut self) {
        if *self.open.get_mut() {
            self.forget();
        }
    }
}
