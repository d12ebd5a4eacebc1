// SPDX-License-Identifier: BSD-2-Clause
//! Packet filter hooks, and the interfaces that rules name.
//!
//! A [`Gate`] is made first, so that the hook's value can hold it; [`Pfil::attach`] then lets the
//! hook see packets. A clone of the gate may outlive the registration: what is put into it then is
//! freed, and says ENXIO.
//!
//! *Contexts*: `packet` in softint context on any CPU, many at once; `ifchange` in thread context,
//! one at a time. *Lifetime*: no upcall runs once [`Pfil::detach`] has returned.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::net::IpAddr;
use core::ptr;
use core::ptr::NonNull;

use kpi_sys as k;

use crate::cx::Cx;
use crate::cx::MayDrain;
use crate::cx::MaySleep;
use crate::cx::Softint;
use crate::cx::Thread;
use crate::errno::Errno;
use crate::errno::Result;
use crate::ifnet::IfName;
use crate::ifnet::addr_from;
use crate::mbuf::Mbuf;
use crate::mem::KArc;
use crate::verdict::Reason;
use crate::verdict::Verdict;

/// Which IP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Af {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Af {
    fn raw(self) -> u32 {
        match self {
            Af::V4 => k::KPI_AF_INET,
            Af::V6 => k::KPI_AF_INET6,
        }
    }
}

/// Which way a packet goes through its interface.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dir {
    /// From the wire to us.
    In,
    /// From us to the wire.
    Out,
}

/// How a packet came; a hook that keeps the packet keeps this with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rx {
    /// Its family.
    pub af: Af,
    /// Its direction.
    pub dir: Dir,
    /// The interface it came in on, or goes out on.
    pub ifindex: u32,
    /// The checksum field of TCP or UDP holds the folded sum of the pseudo-header only; the kernel
    /// ends it. Adding a difference to it (RFC 1624) is right only for what the pseudo-header has.
    pub csum_partial: bool,
    /// It is longer than the MTU, and cut later.
    pub gso: bool,
}

impl Rx {
    fn from_raw(rx: &k::kpi_pfil_rx) -> Option<Rx> {
        Some(Rx {
            af: match rx.kx_af {
                k::KPI_AF_INET => Af::V4,
                k::KPI_AF_INET6 => Af::V6,
                _ => return None,
            },
            dir: match rx.kx_dir {
                k::KPI_PFIL_IN => Dir::In,
                k::KPI_PFIL_OUT => Dir::Out,
                _ => return None,
            },
            ifindex: rx.kx_ifindex,
            csum_partial: rx.kx_flags & k::KPI_PFILF_CSUM_PARTIAL != 0,
            gso: rx.kx_flags & k::KPI_PFILF_GSO != 0,
        })
    }

    fn raw(&self) -> k::kpi_pfil_rx {
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        k::kpi_pfil_rx {
            kx_af: self.af.raw(),
            kx_dir: match self.dir {
                Dir::In => k::KPI_PFIL_IN,
                Dir::Out => k::KPI_PFIL_OUT,
            },
            kx_ifindex: self.ifindex,
            kx_flags: flag(self.csum_partial, k::KPI_PFILF_CSUM_PARTIAL)
                | flag(self.gso, k::KPI_PFILF_GSO),
        }
    }
}

/// Who sees packets.
pub trait Hook: Send + Sync + Sized + 'static {
    /// Why it drops packets.
    type Drop: Reason;

    /// A packet, which starts with its IP header: the first 20 bytes (IPv6: 40) are contiguous.
    fn packet(&self, cx: &mut Softint, m: Mbuf, rx: &Rx) -> Verdict<Self::Drop>;

    /// Counts a packet that `packet` dropped.
    fn dropped(&self, why: Self::Drop);

    /// An interface came, went, was renamed, went up or down, or has other addresses: ask
    /// [`interface`] and [`addresses`] what holds now.
    fn ifchange(this: &KArc<Self>, cx: &mut Thread, ifindex: u32);
}

struct Inner {
    raw: NonNull<k::kpi_pfil>,
}

// SAFETY: the kernel's hook is usable from every thread.
unsafe impl Send for Inner {}
// SAFETY: as above; kpi_pfil_* lock for themselves.
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: the last handle; a Pfil holds one, and detaches before it lets go of it.
        unsafe { k::kpi_pfil_free(self.raw.as_ptr()) };
    }
}

/// The place of a hook in the packets' way: through it packets go on, back and out.
#[derive(Clone)]
pub struct Gate(KArc<Inner>);

impl Gate {
    /// A place that is not in the way yet. Its last clone goes in thread context.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MaySleep>(cx: &mut C) -> Result<Self> {
        let mut error = 0;
        // SAFETY: error is writable.
        let raw = unsafe { k::kpi_pfil_alloc(&raw mut error) };
        let raw = NonNull::new(raw).ok_or(Errno::stored(error))?;
        // Should this fail, Inner is dropped, which frees.
        Ok(Gate(KArc::new(cx, Inner { raw })?))
    }

    fn raw(&self) -> *mut k::kpi_pfil {
        self.0.raw.as_ptr()
    }

    /// A packet that `packet` kept goes on as if it passed now; hooks behind this one see it. The
    /// token keeps this out of read sections.
    ///
    /// # Errors
    /// ENXIO when the hook is detached or the interface gone, ENOBUFS; the packet is gone.
    pub fn resume<C: Cx>(&self, _cx: &mut C, rx: &Rx, m: Mbuf) -> Result {
        // SAFETY: rx lives through the call, the packet passes to the kernel.
        Errno::check(unsafe { k::kpi_pfil_resume(self.raw(), &rx.raw(), m.into_raw()) })
    }

    /// A whole IP packet goes back to where `orig`, seen with `rx`, came from: a reset, an ICMP
    /// error. No hook sees it.
    ///
    /// # Errors
    /// As [`Gate::resume`].
    pub fn reply<C: Cx>(&self, _cx: &mut C, rx: &Rx, orig: &Mbuf, m: Mbuf) -> Result {
        let (rx, orig) = (rx.raw(), orig.as_ptr());
        // SAFETY: rx and orig live through the call, the packet passes to the kernel.
        Errno::check(unsafe { k::kpi_pfil_reply(self.raw(), &rx, orig, m.into_raw()) })
    }

    /// A whole IP packet goes out of the interface of `rx` in its direction; hooks behind this one
    /// see it. `orig` is a packet of that way, for what lies before its IP header.
    ///
    /// # Errors
    /// As [`Gate::resume`]; EHOSTUNREACH when the way is not known without `orig`.
    pub fn send<C: Cx>(&self, _cx: &mut C, rx: &Rx, orig: Option<&Mbuf>, m: Mbuf) -> Result {
        let orig: *const k::kpi_mbuf = orig.map_or(ptr::null(), |orig| orig.as_ptr().cast_const());
        let rx = rx.raw();
        // SAFETY: rx and orig live through the call, the packet passes to the kernel.
        Errno::check(unsafe { k::kpi_pfil_send(self.raw(), &rx, orig, m.into_raw()) })
    }
}

/// A hook that sees packets.
pub struct Pfil<H: Hook> {
    gate: Gate,
    hook: *const H,
}

// SAFETY: the registration is usable from every thread; `hook` is a count of a KArc.
unsafe impl<H: Hook> Send for Pfil<H> {}
// SAFETY: a shared Pfil gives out its gate only.
unsafe impl<H: Hook> Sync for Pfil<H> {}

impl<H: Hook> Pfil<H> {
    /// Lets `hook` see packets at `gate`, behind the hooks that are attached. Packets may come
    /// before this returns. It keeps `hook` alive: detach to break the circle.
    ///
    /// # Errors
    /// EINVAL when the gate has had a hook, ENOMEM and what else the kernel says.
    pub fn attach<C: MayDrain>(_cx: &mut C, gate: &Gate, hook: KArc<H>) -> Result<Self> {
        let ops: &'static k::kpi_pfilops = &Thunks::<H>::OPS;
        let hook = hook.into_raw();
        // SAFETY: ops is static; hook's count is kept for the kernel until detach.
        let error = unsafe { k::kpi_pfil_attach(gate.raw(), ops, hook.cast_mut().cast()) };
        Errno::check(error).inspect_err(|_| {
            // SAFETY: not attached, so the count is ours again.
            drop(unsafe { KArc::from_raw(hook) });
        })?;
        let gate = gate.clone();
        Ok(Pfil { gate, hook })
    }

    /// The hook's gate.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Takes the hook out of the way.
    pub fn detach<C: MayDrain>(self, _cx: &mut C) {
        // SAFETY: thread context outside any section, and no reference held: the token says so.
        unsafe { k::kpi_pfil_detach(self.gate.raw()) };
        // SAFETY: no upcall runs any more: the count is ours again.
        drop(unsafe { KArc::from_raw(self.hook) });
    }
}

struct Thunks<H>(PhantomData<H>);

impl<H: Hook> Thunks<H> {
    const OPS: k::kpi_pfilops = k::kpi_pfilops {
        po_packet: Some(Self::packet),
        po_ifchange: Some(Self::ifchange),
    };

    unsafe extern "C" fn packet(
        arg: *mut c_void,
        mp: *mut *mut k::kpi_mbuf,
        rx: *const k::kpi_pfil_rx,
    ) -> i32 {
        // SAFETY: arg's count is kept until kpi_pfil_detach has returned.
        let hook = unsafe { &*arg.cast_const().cast::<H>() };
        // SAFETY: valid for the call.
        let Some(rx) = Rx::from_raw(unsafe { &*rx }) else {
            return k::KPI_PFIL_PASS as i32;
        };
        // SAFETY: mp points to the caller's packet.
        let Some(raw) = NonNull::new(unsafe { *mp }) else {
            return k::KPI_PFIL_STOLEN as i32;
        };
        // SAFETY: the packet is ours unless we pass it back.
        let m = unsafe { Mbuf::from_raw(raw) };
        // SAFETY: kpi_pfil.h: softint context.
        let mut cx = unsafe { Softint::assume() };
        match hook.packet(&mut cx, m, &rx) {
            Verdict::Pass(m) => {
                // SAFETY: mp is the caller's variable.
                unsafe { *mp = m.into_raw() };
                return k::KPI_PFIL_PASS as i32;
            }
            Verdict::Stolen => {}
            Verdict::Drop(why) => hook.dropped(why),
        }
        // SAFETY: mp is the caller's variable, which names a packet that is gone.
        unsafe { *mp = ptr::null_mut() };
        k::KPI_PFIL_STOLEN as i32
    }

    unsafe extern "C" fn ifchange(arg: *mut c_void, ifindex: u32) {
        // SAFETY: arg stands for a count that is kept until detach.
        let hook = unsafe { KArc::<H>::clone_raw(arg.cast_const().cast()) };
        // SAFETY: kpi_pfil.h: thread context.
        let mut cx = unsafe { Thread::assume() };
        H::ifchange(&hook, &mut cx, ifindex);
    }
}

/// What an interface is now.
#[derive(Clone, Copy)]
pub struct IfInfo {
    /// Its name.
    pub name: IfName,
    /// Its index.
    pub index: u32,
    /// Bytes of an IP packet.
    pub mtu: u32,
    /// Whether it is set up.
    pub up: bool,
    /// Whether it leads back to us.
    pub loopback: bool,
}

/// One address of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IfAddr {
    /// The address.
    pub addr: IpAddr,
    /// Bits of its network.
    pub prefixlen: u8,
}

/// The interface of this index.
///
/// # Errors
/// ENXIO when there is none.
pub fn interface<C: MaySleep>(_cx: &mut C, index: u32) -> Result<IfInfo> {
    let mut info = k::kpi_ifinfo {
        ki_name: [0; 16],
        ki_index: 0,
        ki_mtu: 0,
        ki_flags: 0,
        ki_pad: 0,
    };
    // SAFETY: info is writable.
    Errno::check(unsafe { k::kpi_if_info(index, &raw mut info) })?;
    let end = info.ki_name.iter().position(|&b| b == 0).unwrap_or(16);
    let name = info.ki_name.get(..end).and_then(IfName::new);
    Ok(IfInfo {
        name: name.ok_or(Errno::ENXIO)?,
        index: info.ki_index,
        mtu: info.ki_mtu,
        up: info.ki_flags & k::KPI_IFI_UP != 0,
        loopback: info.ki_flags & k::KPI_IFI_LOOPBACK != 0,
    })
}

/// Shows all interfaces, by index. The token goes in and out, so that `f` may sleep.
pub fn interfaces<C: MaySleep>(cx: &mut C, mut f: impl FnMut(&mut C, &IfInfo)) {
    let mut index = 0;
    loop {
        // SAFETY: no conditions but thread context.
        index = unsafe { k::kpi_if_next(index) };
        if index == 0 {
            return;
        }
        // One that has gone meanwhile is left out.
        if let Ok(info) = interface(cx, index) {
            f(cx, &info);
        }
    }
}

/// Shows the addresses of an interface.
///
/// # Errors
/// ENXIO when there is no such interface.
pub fn addresses<C: MaySleep>(cx: &mut C, index: u32, mut f: impl FnMut(&mut C, IfAddr)) -> Result {
    let mut n = 0;
    loop {
        let mut addr = k::kpi_ifaddr {
            ka_af: 0,
            ka_prefixlen: 0,
            ka_addr: [0; 16],
        };
        // SAFETY: addr is writable.
        match Errno::check(unsafe { k::kpi_if_addr(index, n, &raw mut addr) }) {
            Err(Errno::ENOENT) => return Ok(()),
            other => other?,
        }
        let prefixlen = u8::try_from(addr.ka_prefixlen).unwrap_or(u8::MAX);
        if let Some(addr) = addr_from(addr.ka_af, &addr.ka_addr) {
            f(cx, IfAddr { addr, prefixlen });
        }
        n += 1;
    }
}
