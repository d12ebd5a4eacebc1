// SPDX-License-Identifier: BSD-2-Clause
//! Outer headers: endpoints receive, paths send.
//!
//! The kernel builds and strips IP and UDP and reassembles fragments; a module sees what lies
//! behind. Several tunnels share an endpoint: [`Endpoints`] opens it for the first path and closes
//! it after the last.
//!
//! *Contexts*: input in softint context on any CPU, many at once; opening and closing in thread
//! context. *Locking*: the registry's mutex is a leaf but for the kernel's own locks.

use core::ffi::c_void;
use core::net::IpAddr;
use core::ptr::NonNull;

use kpi_sys as k;

use crate::cx::Cx;
use crate::cx::MayDrain;
use crate::cx::MaySleep;
use crate::cx::Softint;
use crate::errno::Errno;
use crate::errno::Result;
use crate::ifnet::addr_from;
use crate::ifnet::addr_to;
use crate::mbuf::Mbuf;
use crate::mem::KArc;
use crate::mem::KVec;
use crate::sync::Mutex;
use crate::verdict::Reason;
use crate::verdict::Verdict;

/// What carries the packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proto {
    /// IP protocol 115.
    L2tp,
    /// IP protocol 50.
    Esp,
    /// IP protocol 47.
    Gre,
    /// UDP from and to our port.
    Udp(u16),
}

impl Proto {
    fn raw(self) -> (u32, u16) {
        match self {
            Proto::L2tp => (k::KPI_PROTO_L2TP, 0),
            Proto::Esp => (k::KPI_PROTO_ESP, 0),
            Proto::Gre => (k::KPI_PROTO_GRE, 0),
            Proto::Udp(port) => (k::KPI_PROTO_UDP, port),
        }
    }
}

/// Our side of a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Local {
    /// Our address.
    pub addr: IpAddr,
    /// What carries the packets, with our port.
    pub proto: Proto,
}

/// The other side of a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remote {
    /// Its address.
    pub addr: IpAddr,
    /// Its UDP port, else 0.
    pub port: u16,
}

/// Where a packet came from.
pub struct Rx {
    /// The outer source address.
    pub src: IpAddr,
    /// The outer destination address.
    pub dst: IpAddr,
    /// UDP source port, else 0.
    pub sport: u16,
    /// UDP destination port, else 0.
    pub dport: u16,
    /// Whether UDP carried it.
    pub udp: bool,
    /// Bytes of outer headers that are still in front.
    pub off: u32,
}

/// Who receives for endpoints.
pub trait Input: Send + Sync + Sized + 'static {
    /// Why it drops packets.
    type Drop: Reason;

    /// A packet came. The bytes up to `rx.off + 4` are contiguous if it has as many.
    fn input(&self, cx: &mut Softint, m: Mbuf, rx: &Rx) -> Verdict<Self::Drop>;

    /// Counts a packet that `input` dropped.
    fn dropped(&self, why: Self::Drop);
}

struct Endpoint<I: Input> {
    raw: NonNull<k::kpi_encap>,
    local: Local,
    handler: *const I,
}

// SAFETY: the endpoint is usable from every thread; `handler` is a count of a KArc.
unsafe impl<I: Input> Send for Endpoint<I> {}
// SAFETY: as above.
unsafe impl<I: Input> Sync for Endpoint<I> {}

impl<I: Input> Endpoint<I> {
    const OPS: k::kpi_encapops = k::kpi_encapops {
        eo_input: Some(Self::input),
    };

    fn open<C: MaySleep>(cx: &mut C, handler: KArc<I>, local: Local) -> Result<KArc<Self>> {
        let (ke_af, ke_addr) = addr_to(local.addr);
        let (ke_proto, ke_port) = local.proto.raw();
        let ep = k::kpi_endpoint {
            ke_af,
            ke_proto,
            ke_addr,
            ke_port,
            ke_pad: [0; 3],
        };
        let ops: &'static k::kpi_encapops = &Self::OPS;
        let handler = handler.into_raw();
        let arg = handler.cast_mut().cast();
        let mut error = 0;
        // SAFETY: ep lives through the call, ops is static, arg's count is kept until close.
        let raw = unsafe { k::kpi_encap_open(&raw const ep, ops, arg, &raw mut error) };
        match NonNull::new(raw) {
            Some(raw) => KArc::new(
                cx,
                Endpoint {
                    raw,
                    local,
                    handler,
                },
            ),
            None => {
                // SAFETY: not opened, so the count is ours again.
                drop(unsafe { KArc::from_raw(handler) });
                Err(Errno::stored(error))
            }
        }
    }

    unsafe extern "C" fn input(
        arg: *mut c_void,
        mp: *mut *mut k::kpi_mbuf,
        rx: *const k::kpi_encap_rx,
    ) -> i32 {
        // SAFETY: arg's count is kept until kpi_encap_close has returned.
        let handler = unsafe { &*arg.cast_const().cast::<I>() };
        // SAFETY: valid for the call.
        let rx = unsafe { &*rx };
        let (src, dst) = (
            addr_from(rx.kr_af, &rx.kr_src),
            addr_from(rx.kr_af, &rx.kr_dst),
        );
        let (Some(src), Some(dst)) = (src, dst) else {
            return k::KPI_ENCAP_PASS as i32;
        };
        let rx = Rx {
            src,
            dst,
            sport: rx.kr_sport,
            dport: rx.kr_dport,
            udp: rx.kr_proto == k::KPI_PROTO_UDP,
            off: rx.kr_off,
        };
        // SAFETY: mp points to the caller's packet.
        let raw = unsafe { *mp };
        let Some(raw) = NonNull::new(raw) else {
            return k::KPI_ENCAP_STOLEN as i32;
        };
        // SAFETY: the packet is ours unless we pass it back.
        let m = unsafe { Mbuf::from_raw(raw) };
        // SAFETY: kpi_encap.h: softint context.
        let mut cx = unsafe { Softint::assume() };
        match handler.input(&mut cx, m, &rx) {
            Verdict::Pass(m) => {
                // SAFETY: mp is the caller's variable.
                unsafe { *mp = m.into_raw() };
                return k::KPI_ENCAP_PASS as i32;
            }
            Verdict::Stolen => {}
            Verdict::Drop(why) => handler.dropped(why),
        }
        k::KPI_ENCAP_STOLEN as i32
    }
}

impl<I: Input> Drop for Endpoint<I> {
    fn drop(&mut self) {
        // SAFETY: paths hold a handle of the endpoint, so there are none; thread context, as only
        // Endpoints::sweep and the failure of open let go of the last handle.
        unsafe { k::kpi_encap_close(self.raw.as_ptr()) };
        // SAFETY: no upcall runs any more: the count is ours again.
        drop(unsafe { KArc::from_raw(self.handler) });
    }
}

/// A way to a peer.
pub struct Path<I: Input> {
    raw: NonNull<k::kpi_path>,
    /// Keeps the endpoint open.
    _endpoint: KArc<Endpoint<I>>,
}

// SAFETY: kpi_path_output may be called from any CPU, many at once.
unsafe impl<I: Input> Send for Path<I> {}
// SAFETY: as above.
unsafe impl<I: Input> Sync for Path<I> {}

impl<I: Input> Path<I> {
    /// Sends a packet to the peer; it is gone also on an error. The token keeps this out of read
    /// sections.
    #[inline]
    pub fn output<C: Cx>(&self, _cx: &mut C, m: Mbuf) -> Result {
        // SAFETY: the packet passes to the kernel.
        Errno::check(unsafe { k::kpi_path_output(self.raw.as_ptr(), m.into_raw()) })
    }
}

impl<I: Input> Drop for Path<I> {
    fn drop(&mut self) {
        // SAFETY: exclusive access: nobody sends on it; thread context, since it lived in a value
        // that only a draining writer gets back.
        unsafe { k::kpi_path_close(self.raw.as_ptr()) };
    }
}

/// The endpoints that a module has open.
pub struct Endpoints<I: Input> {
    open: Mutex<KVec<KArc<Endpoint<I>>>>,
}

impl<I: Input> Endpoints<I> {
    /// None open.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MaySleep>(cx: &mut C) -> Result<Self> {
        Ok(Endpoints {
            open: Mutex::new(cx, "encap", KVec::new())?,
        })
    }

    /// A path from `local` to `remote`; packets that come for `local` go to `handler`.
    ///
    /// # Errors
    /// EAFNOSUPPORT when the families differ; EADDRINUSE, EADDRNOTAVAIL, ENOMEM and what else the
    /// kernel says.
    pub fn path<C: MayDrain>(
        &self,
        cx: &mut C,
        handler: &KArc<I>,
        local: Local,
        remote: Remote,
        ttl: u8,
    ) -> Result<Path<I>> {
        let (af, dst) = addr_to(remote.addr);
        if af != addr_to(local.addr).0 {
            return Err(Errno::EAFNOSUPPORT);
        }
        let mut open = self.open.lock(cx);
        let endpoint = match open.iter().find(|e| e.local == local) {
            Some(e) => e.clone(),
            None => {
                let e = Endpoint::open(cx, handler.clone(), local)?;
                open.push(cx, e.clone())?;
                e
            }
        };
        let mut error = 0;
        let (encap, ttl) = (endpoint.raw.as_ptr(), u32::from(ttl));
        // SAFETY: the endpoint is open, dst is valid for the call.
        let raw =
            unsafe { k::kpi_path_open(encap, dst.as_ptr(), remote.port, ttl, &raw mut error) };
        let raw = NonNull::new(raw).ok_or(Errno::stored(error))?;
        Ok(Path {
            raw,
            _endpoint: endpoint,
        })
    }

    /// Closes the endpoints that no path uses any more.
    pub fn sweep<C: MayDrain>(&self, cx: &mut C) {
        let mut open = self.open.lock(cx);
        while let Some(i) = open.iter().position(KArc::is_unique) {
            // Closed with the mutex held: between leaving the registry and being closed another
            // thread could not open it again, and would be told EADDRINUSE. Closing waits for
            // input upcalls, and these never take the registry's mutex.
            drop(open.swap_remove(i));
        }
    }

    /// How many are open.
    pub fn len<C: MaySleep>(&self, cx: &mut C) -> usize {
        self.open.lock(cx).len()
    }

    /// Whether none is.
    pub fn is_empty<C: MaySleep>(&self, cx: &mut C) -> bool {
        self.len(cx) == 0
    }
}
