// SPDX-License-Identifier: BSD-2-Clause
//! Network interfaces: a driver implements [`Driver`], the thunks to it live here.
//!
//! *Contexts*: `transmit` in softint context on any CPU, many at once; the rest in thread context,
//! one call at a time an interface. *Lifetime*: no upcall runs once `detach` has returned; the
//! handle stays valid (packets put into it are freed) until the last clone of it is gone.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
use core::ptr;
use core::ptr::NonNull;
use core::slice;

use kpi_sys as k;

use crate::cx::Cx;
use crate::cx::MayDrain;
use crate::cx::MaySleep;
use crate::cx::Softint;
use crate::cx::Thread;
use crate::errno::Errno;
use crate::errno::Result;
use crate::errno::to_raw;
use crate::mbuf::Mbuf;
use crate::mem::KArc;
use crate::verdict::Reason;
use crate::verdict::Verdict;

/// The interface's name, e.g. `l2tp0`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IfName {
    bytes: [u8; k::KPI_IFNAMSIZ as usize],
    len: u8,
}

impl IfName {
    /// A name of 1 to 15 bytes.
    pub fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; k::KPI_IFNAMSIZ as usize];
        let len = u8::try_from(name.len()).ok().filter(|&n| n > 0 && n < 16)?;
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(IfName { bytes, len })
    }

    /// The name; `?` should it not be UTF-8.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len as usize).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or("?")
    }
}

/// The outer addresses of a tunnel, both of one family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tunnel {
    /// This end.
    pub src: IpAddr,
    /// The other end.
    pub dst: IpAddr,
}

/// A driver's own ioctl, as `KPI_IFC_*` describe it.
pub type Cmd = k::kpi_ifcmd;

/// One interface's counters that the system keeps (if_data).
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "the names of if_data(4)")]
pub enum IfStat {
    Ipackets = k::KPI_IFS_IPACKETS as isize,
    Ierrors = k::KPI_IFS_IERRORS as isize,
    Ibytes = k::KPI_IFS_IBYTES as isize,
    Iqdrops = k::KPI_IFS_IQDROPS as isize,
    Noproto = k::KPI_IFS_NOPROTO as isize,
    Opackets = k::KPI_IFS_OPACKETS as isize,
    Oerrors = k::KPI_IFS_OERRORS as isize,
    Obytes = k::KPI_IFS_OBYTES as isize,
    Oqdrops = k::KPI_IFS_OQDROPS as isize,
}

/// What a driver of pseudo-interfaces does.
pub trait Driver: Send + Sync + Sized + 'static {
    /// Why it drops packets.
    type Drop: Reason;

    /// Its private ioctls.
    const CMDS: &'static [Cmd];

    /// Its interface.
    fn ifnet(&self) -> &Ifnet;

    /// The stack sends a frame. `Pass` makes no sense here and counts as an output error.
    fn transmit(&self, cx: &mut Softint, m: Mbuf) -> Verdict<Self::Drop>;

    /// Counts a frame that `transmit` dropped.
    fn dropped(&self, why: Self::Drop);

    /// A private ioctl from `CMDS`; `data` has the size listed there.
    fn ioctl(this: &KArc<Self>, cx: &mut Thread, cmd: u32, data: &mut [u8]) -> Result;

    /// `ifconfig tunnel`.
    fn set_tunnel(this: &KArc<Self>, cx: &mut Thread, t: Tunnel) -> Result;

    /// The tunnel as it is set.
    fn tunnel(&self, cx: &mut Thread) -> Option<Tunnel>;

    /// `ifconfig deletetunnel`.
    fn delete_tunnel(this: &KArc<Self>, cx: &mut Thread) -> Result;

    /// Whether the driver can do with this MTU; the system then sets it.
    fn set_mtu(&self, cx: &mut Thread, mtu: u32) -> Result;

    /// `ifconfig up` and `down`.
    fn set_up(&self, cx: &mut Thread, up: bool) -> Result;
}

/// What an interface starts with.
pub struct Params {
    /// Its name.
    pub name: IfName,
    /// Its number.
    pub unit: u32,
    /// Bytes of payload behind the Ethernet header.
    pub mtu: u32,
    /// Its Ethernet address.
    pub lladdr: [u8; 6],
}

struct Inner {
    raw: NonNull<k::kpi_ifnet>,
    name: IfName,
}

// SAFETY: the kernel's interface is usable from every thread.
unsafe impl Send for Inner {}
// SAFETY: as above; kpi_if_* lock for themselves.
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: the last handle; whoever attached it has detached it.
        unsafe { k::kpi_if_free(self.raw.as_ptr()) };
    }
}

/// A handle of an interface.
#[derive(Clone)]
pub struct Ifnet(KArc<Inner>);

impl Ifnet {
    /// An interface that the system does not yet know.
    ///
    /// # Errors
    /// What the kernel says, ENOMEM for one.
    pub fn alloc<C: MaySleep>(cx: &mut C, p: &Params) -> Result<Self> {
        let params = k::kpi_ifparams {
            kf_name: p.name.bytes.as_ptr().cast(),
            kf_namelen: u32::from(p.name.len),
            kf_mtu: p.mtu,
            kf_unit: p.unit,
            kf_lladdr: p.lladdr,
            kf_pad: [0; 2],
        };
        let mut error = 0;
        // SAFETY: params and the name in it live through the call.
        let raw = unsafe { k::kpi_if_alloc(&raw const params, &raw mut error) };
        let raw = NonNull::new(raw).ok_or(Errno::stored(error))?;
        // Inner frees the interface if there is no memory for the handle.
        KArc::new(cx, Inner { raw, name: p.name }).map(Ifnet)
    }

    /// Makes the interface known with `sc` as its driver.
    pub(crate) fn attach<C: MaySleep, D: Driver>(&self, _cx: &mut C, sc: KArc<D>) -> Result {
        let ops: &'static k::kpi_ifops = &Thunks::<D>::OPS;
        let sc = sc.into_raw();
        // SAFETY: ops is static; sc's count is kept for the kernel until detach.
        let error = unsafe { k::kpi_if_attach(self.raw(), ops, sc.cast_mut().cast()) };
        Errno::check(error).inspect_err(|_| {
            // SAFETY: not attached, so the count is ours again.
            drop(unsafe { KArc::from_raw(sc) });
        })
    }

    /// Takes the interface from the system.
    pub(crate) fn detach<C: MayDrain>(&self, _cx: &mut C) {
        // SAFETY: thread context outside any section, and no reference held: the token says so.
        unsafe { k::kpi_if_detach(self.raw()) };
    }

    fn raw(&self) -> *mut k::kpi_ifnet {
        self.0.raw.as_ptr()
    }

    /// Its name at creation.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// A frame goes up the stack. The token keeps this out of read sections.
    #[inline]
    pub fn input<C: Cx>(&self, _cx: &mut C, m: Mbuf) {
        // SAFETY: the packet passes to the kernel.
        unsafe { k::kpi_if_input(self.raw(), m.into_raw()) };
    }

    /// Shows an outgoing frame to bpf.
    #[inline]
    pub fn tap(&self, m: &Mbuf) {
        // SAFETY: both live through the call.
        unsafe { k::kpi_if_tap(self.raw(), m.as_ptr()) };
    }

    /// Adds to one of the system's counters.
    #[inline]
    pub fn count(&self, which: IfStat, n: u64) {
        // SAFETY: the interface lives as long as the handle.
        unsafe { k::kpi_if_count(self.raw(), which as u32, n) };
    }

    /// IFF_RUNNING.
    pub fn set_running<C: MaySleep>(&self, _cx: &mut C, running: bool) {
        // SAFETY: as above.
        unsafe { k::kpi_if_set_running(self.raw(), u32::from(running)) };
    }

    /// The link state.
    pub fn set_link<C: MaySleep>(&self, _cx: &mut C, up: bool) {
        // SAFETY: as above.
        unsafe { k::kpi_if_set_link(self.raw(), u32::from(up)) };
    }

    /// The MTU as it is set now.
    pub fn mtu(&self) -> u32 {
        // SAFETY: as above.
        unsafe { k::kpi_if_mtu(self.raw()) }
    }

    /// Marks the packet as having passed this interface.
    ///
    /// # Errors
    /// ELOOP when it has before, or has passed more than `limit` interfaces that mark.
    #[inline]
    pub fn check_nesting(&self, m: &mut Mbuf, limit: u32) -> Result {
        // SAFETY: both live through the call.
        Errno::check(unsafe { k::kpi_if_check_nesting(self.raw(), m.as_ptr(), limit) })
    }
}

/// An address in the kpi's form, of the family that `af` names.
pub(crate) fn addr_from(af: u32, bytes: &[u8; 16]) -> Option<IpAddr> {
    let [a, b, c, d, ..] = *bytes;
    match af {
        k::KPI_AF_INET => Some(Ipv4Addr::new(a, b, c, d).into()),
        k::KPI_AF_INET6 => Some(Ipv6Addr::from(*bytes).into()),
        _ => None,
    }
}

/// The kpi's form of an address: its family and bytes.
pub(crate) fn addr_to(addr: IpAddr) -> (u32, [u8; 16]) {
    match addr {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (
                k::KPI_AF_INET,
                [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            )
        }
        IpAddr::V6(v6) => (k::KPI_AF_INET6, v6.octets()),
    }
}

/// The upcalls of a driver, in C's form.
struct Thunks<D>(PhantomData<D>);

impl<D: Driver> Thunks<D> {
    const OPS: k::kpi_ifops = k::kpi_ifops {
        ifo_transmit: Some(Self::transmit),
        ifo_ioctl: Some(Self::ioctl),
        ifo_tunnel: Some(Self::tunnel),
        ifo_set_mtu: Some(Self::set_mtu),
        ifo_set_up: Some(Self::set_up),
        ifo_cmds: D::CMDS.as_ptr(),
        ifo_ncmds: D::CMDS.len() as u32,
        ifo_pad: 0,
    };

    /// # Safety
    /// An upcall of thread context for an attached interface.
    unsafe fn control(sc: *mut c_void, f: impl FnOnce(&KArc<D>, &mut Thread) -> Result) -> i32 {
        // SAFETY: sc is what attach was given, with its count, alive until detach returns.
        let sc = unsafe { KArc::<D>::clone_raw(sc.cast_const().cast()) };
        // SAFETY: kpi_if.h: thread context.
        let mut cx = unsafe { Thread::assume() };
        to_raw(f(&sc, &mut cx))
    }

    unsafe extern "C" fn transmit(sc: *mut c_void, m: *mut k::kpi_mbuf) -> i32 {
        let Some(m) = NonNull::new(m) else {
            return Errno::EINVAL.raw();
        };
        // SAFETY: the packet is handed to us.
        let m = unsafe { Mbuf::from_raw(m) };
        // SAFETY: sc is what attach was given, alive until detach returns.
        let sc = unsafe { &*sc.cast::<D>() };
        // SAFETY: kpi_if.h: softint context.
        let mut cx = unsafe { Softint::assume() };
        match sc.transmit(&mut cx, m) {
            Verdict::Stolen => 0,
            Verdict::Pass(m) => {
                drop(m);
                sc.ifnet().count(IfStat::Oerrors, 1);
                Errno::EOPNOTSUPP.raw()
            }
            Verdict::Drop(why) => {
                sc.dropped(why);
                sc.ifnet().count(IfStat::Oerrors, 1);
                why.errno().raw()
            }
        }
    }

    unsafe extern "C" fn ioctl(sc: *mut c_void, cmd: u32, data: *mut u8, len: u32) -> i32 {
        let data = if len == 0 || data.is_null() {
            &mut []
        } else {
            // SAFETY: the kernel's copy of the bytes, ours for the call.
            unsafe { slice::from_raw_parts_mut(data, len as usize) }
        };
        // SAFETY: thread upcall.
        unsafe { Self::control(sc, |sc, cx| D::ioctl(sc, cx, cmd, data)) }
    }

    unsafe extern "C" fn tunnel(sc: *mut c_void, op: u32, t: *mut k::kpi_tunnel) -> i32 {
        let get = |t: *mut k::kpi_tunnel| -> Result<Tunnel> {
            // SAFETY: for KPI_TUNNEL_SET the kernel's struct is filled and valid for the call.
            let t = unsafe { t.as_ref() }.ok_or(Errno::EINVAL)?;
            let src = addr_from(t.kt_af, &t.kt_src).ok_or(Errno::EAFNOSUPPORT)?;
            let dst = addr_from(t.kt_af, &t.kt_dst).ok_or(Errno::EAFNOSUPPORT)?;
            Ok(Tunnel { src, dst })
        };
        let f = |sc: &KArc<D>, cx: &mut Thread| match op {
            k::KPI_TUNNEL_SET => D::set_tunnel(sc, cx, get(t)?),
            k::KPI_TUNNEL_DEL => D::delete_tunnel(sc, cx),
            k::KPI_TUNNEL_GET if !t.is_null() => {
                let now = sc.tunnel(cx).ok_or(Errno::EADDRNOTAVAIL)?;
                let (kt_af, kt_src) = addr_to(now.src);
                let (_, kt_dst) = addr_to(now.dst);
                // SAFETY: the kernel's struct is ours to fill.
                unsafe {
                    ptr::write(
                        t,
                        k::kpi_tunnel {
                            kt_af,
                            kt_pad: 0,
                            kt_src,
                            kt_dst,
                        },
                    )
                };
                Ok(())
            }
            _ => Err(Errno::EINVAL),
        };
        // SAFETY: thread upcall.
        unsafe { Self::control(sc, f) }
    }

    unsafe extern "C" fn set_mtu(sc: *mut c_void, mtu: u32) -> i32 {
        // SAFETY: thread upcall.
        unsafe { Self::control(sc, |sc, cx| sc.set_mtu(cx, mtu)) }
    }

    unsafe extern "C" fn set_up(sc: *mut c_void, up: u32) -> i32 {
        // SAFETY: thread upcall.
        unsafe { Self::control(sc, |sc, cx| sc.set_up(cx, up != 0)) }
    }
}
