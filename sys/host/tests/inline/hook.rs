// SPDX-License-Identifier: BSD-2-Clause
//! A hook of a test: a closure that judges packets, and its ways to put packets in.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use host::errno::Errno;
use host::kernel::Kernel;
use host::mbuf::Mbuf;
use kpi_sys::{
    KPI_PFIL_PASS, KPI_PFIL_STOLEN, kpi_mbuf, kpi_pfil, kpi_pfil_alloc, kpi_pfil_attach,
    kpi_pfil_detach, kpi_pfil_free, kpi_pfil_reply, kpi_pfil_resume, kpi_pfil_rx, kpi_pfil_send,
    kpi_pfilops,
};

/// What becomes of a packet: `Some` passes.
pub type Judge = dyn Fn(&Ways, Mbuf, &kpi_pfil_rx) -> Option<Mbuf> + Send + Sync;

/// The ways back into the kernel.
#[derive(Default)]
pub struct Ways(AtomicPtr<kpi_pfil>);

impl Ways {
    fn raw(&self) -> *mut kpi_pfil {
        self.0.load(Ordering::Acquire)
    }

    /// `kpi_pfil_resume`
    pub fn resume(&self, rx: &kpi_pfil_rx, m: Mbuf) -> Result<(), Errno> {
        // SAFETY: the hook is attached while its judge runs, and m is ours.
        Errno::check(unsafe { kpi_pfil_resume(self.raw(), rx, m.into_raw()) })
    }

    /// `kpi_pfil_reply`
    pub fn reply(&self, rx: &kpi_pfil_rx, orig: Mbuf, m: Mbuf) -> Result<(), Errno> {
        let (raw, orig) = (self.raw(), orig.into_raw());
        // SAFETY: as above; orig stays ours.
        let done = Errno::check(unsafe { kpi_pfil_reply(raw, rx, orig, m.into_raw()) });
        // SAFETY: ours.
        drop(unsafe { Mbuf::from_raw(orig) });
        done
    }

    /// `kpi_pfil_send`
    pub fn send(&self, rx: &kpi_pfil_rx, orig: Option<Mbuf>, m: Mbuf) -> Result<(), Errno> {
        let orig = orig.map_or(ptr::null_mut(), Mbuf::into_raw);
        // SAFETY: as above.
        let done = Errno::check(unsafe { kpi_pfil_send(self.raw(), rx, orig, m.into_raw()) });
        if !orig.is_null() {
            // SAFETY: ours.
            drop(unsafe { Mbuf::from_raw(orig) });
        }
        done
    }
}

struct Arg {
    judge: Box<Judge>,
    ways: Ways,
}

/// An attached hook.
pub struct Hook {
    kernel: Kernel,
    raw: *mut kpi_pfil,
    arg: &'static Arg,
}

unsafe extern "C" fn packet(
    arg: *mut c_void,
    mp: *mut *mut kpi_mbuf,
    rx: *const kpi_pfil_rx,
) -> i32 {
    // SAFETY: what attach was given, which is never freed.
    let arg = unsafe { &*arg.cast::<Arg>() };
    // SAFETY: the contract of po_packet.
    let raw = unsafe { *mp };
    // SAFETY: as above: the packet is ours.
    let m = unsafe { Mbuf::from_raw(raw) };
    // SAFETY: as above.
    let rx = unsafe { *rx };
    match (arg.judge)(&arg.ways, m, &rx) {
        Some(m) => {
            // SAFETY: as above.
            unsafe { *mp = m.into_raw() };
            KPI_PFIL_PASS as i32
        }
        None => KPI_PFIL_STOLEN as i32,
    }
}

unsafe extern "C" fn ifchange(_: *mut c_void, _: u32) {}

static OPS: kpi_pfilops = kpi_pfilops {
    po_packet: Some(packet),
    po_ifchange: Some(ifchange),
};

impl Hook {
    /// Let `judge` see packets.
    pub fn attach(
        kernel: &Kernel,
        judge: impl Fn(&Ways, Mbuf, &kpi_pfil_rx) -> Option<Mbuf> + Send + Sync + 'static,
    ) -> Hook {
        // Never freed: a test that fails leaves threads behind that use it.
        let arg: &'static Arg = Box::leak(Box::new(Arg {
            judge: Box::new(judge),
            ways: Ways::default(),
        }));
        let raw = kernel.enter(|| {
            let mut error = 0;
            // SAFETY: the contract.
            let raw = unsafe { kpi_pfil_alloc(&mut error) };
            assert_eq!(error, 0);
            arg.ways.0.store(raw, Ordering::Release);
            let at = ptr::from_ref(arg).cast_mut().cast();
            // SAFETY: the table is static, arg lives on.
            assert_eq!(unsafe { kpi_pfil_attach(raw, &OPS, at) }, 0);
            raw
        });
        Hook {
            kernel: kernel.clone(),
            raw,
            arg,
        }
    }

    /// From outside of the judge: a callout's way.
    pub fn ways(&self) -> &'static Ways {
        &self.arg.ways
    }

    /// No more packets.
    pub fn detach(self) {
        self.kernel.enter(|| {
            // SAFETY: attached.
            unsafe { kpi_pfil_detach(self.raw) };
            // SAFETY: detached, and nobody puts anything in.
            unsafe { kpi_pfil_free(self.raw) };
        });
    }
}
