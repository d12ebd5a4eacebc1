// SPDX-License-Identifier: BSD-2-Clause
//! Where doors meet modules: upcalls into an interface or an endpoint, and their end.
//!
//! *Contexts*: [`IfPort::transmit`] and [`EncapPort::input`] softint, any thread, many at once;
//! the rest thread. *Locking*: packet upcalls run in a section of [`epoch::UPCALLS`], closing waits
//! for these; all other upcalls of an interface run under its `config` mutex, one at a time.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use kpi_sys::{
    KPI_ENCAP_PASS, KPI_IFC_IN, KPI_IFC_OUT, KPI_MF_BCAST, KPI_MF_MCAST, kpi_encap_rx,
    kpi_encapops, kpi_endpoint, kpi_ifcmd, kpi_ifops, kpi_tunnel,
};

use crate::die::die;
use crate::epoch;
use crate::errno::Errno;
use crate::home::Home;
use crate::mbuf::Mbuf;
use crate::sync::lock;
use crate::thread::Counters;

/// Largest argument of a private command.
const CMD_MOST: usize = 4096;

/// State of an interface's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nobody has said yet.
    Unknown,
    /// Down.
    Down,
    /// Up.
    Up,
}

/// One interface as its door sees it: identity, state, and the module's upcalls.
#[derive(Debug)]
pub struct IfPort {
    /// The kernel it belongs to.
    pub home: Arc<Home>,
    /// Unique in the process, never used again.
    pub id: u64,
    /// The unit its module gave.
    pub unit: u32,
    /// Link-level address; all zero: none wanted.
    pub lladdr: [u8; 6],
    /// Counters in the order of `KPI_IFS_*`.
    pub stats: Counters<9>,
    name: Mutex<String>,
    mtu: AtomicU32,
    up: AtomicBool,
    running: AtomicBool,
    link: AtomicU8,
    /// Null while no upcall may be made.
    ops: AtomicPtr<kpi_ifops>,
    sc: AtomicPtr<c_void>,
    config: Mutex<()>,
}

impl IfPort {
    /// An interface without upcalls yet.
    pub fn new(home: Arc<Home>, id: u64, name: &str, unit: u32, mtu: u32, mac: [u8; 6]) -> IfPort {
        IfPort {
            home,
            id,
            unit,
            lladdr: mac,
            stats: Counters::new(),
            name: Mutex::new(name.to_owned()),
            mtu: AtomicU32::new(mtu),
            up: AtomicBool::new(false),
            running: AtomicBool::new(false),
            link: AtomicU8::new(0),
            ops: AtomicPtr::new(ptr::null_mut()),
            sc: AtomicPtr::new(ptr::null_mut()),
            config: Mutex::new(()),
        }
    }

    /// Its name now.
    pub fn name(&self) -> String {
        lock(&self.name).clone()
    }

    pub(crate) fn set_name(&self, name: &str) {
        name.clone_into(&mut lock(&self.name));
    }

    /// Its MTU now.
    pub fn mtu(&self) -> u32 {
        self.mtu.load(Ordering::Relaxed)
    }

    /// Whether it was set up (`IFF_UP`).
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Whether the module has what it needs (`IFF_RUNNING`).
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    pub(crate) fn set_running(&self, running: bool) {
        self.running.store(running, Ordering::Relaxed);
    }

    /// Its link state.
    pub fn link(&self) -> Link {
        match self.link.load(Ordering::Relaxed) {
            0 => Link::Unknown,
            1 => Link::Down,
            _ => Link::Up,
        }
    }

    /// Set the link state; returns whether it was another one before.
    pub(crate) fn set_link(&self, up: bool) -> bool {
        let new = if up { 2 } else { 1 };
        self.link.swap(new, Ordering::Relaxed) != new
    }

    /// What the module gave to `kpi_if_attach`.
    pub fn sc(&self) -> *mut c_void {
        self.sc.load(Ordering::Acquire)
    }

    /// Whether upcalls may be made.
    pub fn is_open(&self) -> bool {
        !self.ops.load(Ordering::Acquire).is_null()
    }

    /// Upcalls may be made from now on.
    ///
    /// # Safety
    ///
    /// `ops` is a complete table; it and `sc` stay valid until [`IfPort::close`] has returned.
    pub(crate) unsafe fn open(&self, ops: *const kpi_ifops, sc: *mut c_void) {
        self.sc.store(sc, Ordering::Release);
        self.ops.store(ops.cast_mut(), Ordering::Release);
    }

    /// No upcall runs once this has returned.
    pub(crate) fn close(&self) {
        self.ops.store(ptr::null_mut(), Ordering::Release);
        epoch::UPCALLS.wait();
        drop(lock(&self.config));
    }

    fn ops(&self) -> Result<&kpi_ifops, Errno> {
        // SAFETY: null, or valid while our section or the config mutex keeps close from returning.
        unsafe { self.ops.load(Ordering::Acquire).as_ref() }.ok_or(Errno::ENXIO)
    }

    /// The stack, or the OS behind a door, sends a frame: hand it to the module.
    pub fn transmit(&self, m: Mbuf) -> Result<(), Errno> {
        let _section = epoch::UPCALLS.enter();
        let ops = self.ops()?;
        let call = ops.ifo_transmit.ok_or(Errno::ENXIO)?;
        self.home.enter(|| {
            let mut m = m.scatter(0).ok_or(Errno::ENOBUFS)?;
            m.set_flags(m.flags() | group_flags(&m));
            let kept = if self.home.ledger.readonly() {
                m.share()
            } else {
                None
            };
            // SAFETY: the contract of ifo_transmit: it consumes m; sc is valid, see close.
            let ret = unsafe { call(self.sc(), m.into_raw()) };
            drop(kept);
            Errno::check(ret)
        })
    }

    /// The private commands that the module takes.
    pub fn commands(&self) -> Vec<kpi_ifcmd> {
        self.listed().unwrap_or_default()
    }

    /// As [`IfPort::commands`]; `ENXIO` while no upcall may be made.
    fn listed(&self) -> Result<Vec<kpi_ifcmd>, Errno> {
        let _one = lock(&self.config);
        let ops = self.ops()?;
        if ops.ifo_cmds.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: by the contract of kpi_if_attach, ifo_cmds has ifo_ncmds entries.
        Ok(unsafe { std::slice::from_raw_parts(ops.ifo_cmds, ops.ifo_ncmds as usize) }.to_vec())
    }

    /// A private command: `ENOTTY` when the module has none such, `EINVAL` when the size differs,
    /// `ENXIO` while the interface is being attached or detached.
    /// `data` is changed only if the command is one whose bytes come out, and succeeds.
    pub fn ioctl(&self, cmd: u32, data: &mut [u8]) -> Result<(), Errno> {
        command(&self.listed()?, cmd, data, |copy| {
            self.configure(|ops, sc| {
                let call = ops.ifo_ioctl.ok_or(Errno::ENOTTY)?;
                // SAFETY: the contract of ifo_ioctl; the copy has the size the module asked for.
                Errno::check(unsafe { call(sc, cmd, copy.as_mut_ptr(), copy.len() as u32) })
            })
        })
    }

    /// Get, set or delete the tunnel: `op` is a `KPI_TUNNEL_*`.
    pub fn tunnel(&self, op: u32, t: &mut kpi_tunnel) -> Result<(), Errno> {
        self.configure(|ops, sc| {
            let call = ops.ifo_tunnel.ok_or(Errno::EOPNOTSUPP)?;
            // SAFETY: the contract of ifo_tunnel.
            Errno::check(unsafe { call(sc, op, t) })
        })
    }

    /// Change the MTU, if the module agrees.
    pub fn set_mtu(&self, mtu: u32) -> Result<(), Errno> {
        self.configure(|ops, sc| {
            let call = ops.ifo_set_mtu.ok_or(Errno::EOPNOTSUPP)?;
            // SAFETY: the contract of ifo_set_mtu.
            Errno::check(unsafe { call(sc, mtu) })?;
            self.mtu.store(mtu, Ordering::Relaxed);
            Ok(())
        })
    }

    /// Set it up or down, if the module agrees.
    pub fn set_up(&self, up: bool) -> Result<(), Errno> {
        self.configure(|ops, sc| {
            let call = ops.ifo_set_up.ok_or(Errno::EOPNOTSUPP)?;
            // SAFETY: the contract of ifo_set_up.
            Errno::check(unsafe { call(sc, u32::from(up)) })?;
            self.up.store(up, Ordering::Relaxed);
            Ok(())
        })
    }

    fn configure(
        &self,
        f: impl FnOnce(&kpi_ifops, *mut c_void) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let _one = lock(&self.config);
        let ops = self.ops()?;
        self.home.enter(|| f(ops, self.sc()))
    }
}

/// A command of those in `listed`: `call` gets a copy of the bytes, as a kernel would make it.
/// `ENOTTY` when there is none such, `EINVAL` when the size differs.
pub(crate) fn command(
    listed: &[kpi_ifcmd],
    cmd: u32,
    data: &mut [u8],
    call: impl FnOnce(&mut [u8]) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let found = listed.iter().find(|c| c.kc_cmd == cmd);
    let found = found.ok_or(Errno::ENOTTY)?;
    if found.kc_size as usize != data.len() || data.len() > CMD_MOST {
        return Err(Errno::EINVAL);
    }
    let mut copy = vec![0; data.len()];
    if found.kc_flags & KPI_IFC_IN != 0 {
        copy.copy_from_slice(data);
    }
    call(&mut copy)?;
    if found.kc_flags & KPI_IFC_OUT != 0 {
        data.copy_from_slice(&copy);
    }
    Ok(())
}

/// `KPI_MF_*` as the destination of an Ethernet frame says.
fn group_flags(m: &Mbuf) -> u32 {
    let mut dst = [0; 6];
    if !m.copydata(0, &mut dst) {
        return 0;
    }
    match dst {
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => KPI_MF_BCAST,
        [first, ..] if first & 1 != 0 => KPI_MF_MCAST,
        _ => 0,
    }
}

/// One endpoint of tunnels as its door sees it: what it is, and the module's upcall.
#[derive(Debug)]
pub struct EncapPort {
    /// The kernel it belongs to.
    pub home: Arc<Home>,
    /// Family, protocol, address and port.
    pub endpoint: kpi_endpoint,
    ops: *const kpi_encapops,
    arg: *mut c_void,
    open: AtomicBool,
}

// SAFETY: by the contract of kpi_encap_open any thread may make the upcall; we only pass arg on.
unsafe impl Send for EncapPort {}
// SAFETY: as above; all else is immutable or atomic.
unsafe impl Sync for EncapPort {}

impl EncapPort {
    /// Upcalls may be made from now on.
    ///
    /// # Safety
    ///
    /// `ops` and `arg` stay valid until [`EncapPort::close`] has returned.
    pub(crate) unsafe fn new(
        home: Arc<Home>,
        endpoint: kpi_endpoint,
        ops: *const kpi_encapops,
        arg: *mut c_void,
    ) -> EncapPort {
        EncapPort {
            home,
            endpoint,
            ops,
            arg,
            open: AtomicBool::new(true),
        }
    }

    /// No upcall runs once this has returned.
    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::Release);
        epoch::UPCALLS.wait();
    }

    /// A packet came in for this endpoint, `rx.kr_off` bytes of outer headers still in front.
    /// True: the module has taken it. False: it was not the module's, and is freed.
    pub fn input(&self, m: Mbuf, rx: &kpi_encap_rx) -> bool {
        let _section = epoch::UPCALLS.enter();
        if !self.open.load(Ordering::Acquire) {
            return false;
        }
        // SAFETY: valid until close has returned, which waits for our section.
        let ops = unsafe { &*self.ops };
        let Some(call) = ops.eo_input else {
            return false;
        };
        self.home.enter(|| {
            // The contract promises the outer headers and four bytes in one piece.
            let contiguous = m.len().min(rx.kr_off as usize + 4);
            let Some(m) = m.scatter(contiguous).and_then(|m| m.pullup(contiguous)) else {
                return false;
            };
            let kept = if self.home.ledger.readonly() {
                m.share()
            } else {
                None
            };
            let mut raw = m.into_raw();
            // SAFETY: the contract of eo_input.
            let verdict = unsafe { call(self.arg, &mut raw, rx) };
            drop(kept);
            if verdict as u32 != KPI_ENCAP_PASS {
                return true;
            }
            if raw.is_null() {
                die("encap: a module passed a packet on that it had taken");
            }
            // SAFETY: passed on: the packet is ours again, maybe another one.
            drop(unsafe { Mbuf::from_raw(raw) });
            false
        })
    }
}
