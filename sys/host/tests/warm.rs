// SPDX-License-Identifier: BSD-2-Clause
//! The packet path calls the allocator only until it is warm.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use host::counting::{Counting, allocations};
use host::errno::Errno;
use host::ifreg::Entry;
use host::kernel::{Config, Kernel};
use host::ledger::Faults;
use host::link::LinkHeader;
use host::mbuf::Mbuf;
use host::pfil::{Af, Dir, Outlet};
use host::wire::WireNet;
use kpi_sys::{KPI_PFIL_PASS, kpi_mbuf, kpi_pfil_rx, kpi_pfilops};

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a tunnel does to a packet, out and in, with a duplicate for good measure.
fn one_packet(frame: &[u8]) {
    let m = Mbuf::from_bytes(frame).expect("memory");
    let mut dup = m.dup().expect("memory");
    assert!(dup.append(&[1; 40]));
    let m = m.prepend(24).expect("memory").pullup(60).expect("memory");
    drop(dup);
    let mut m = m.prepend(20).expect("memory");
    m.trim_front(44);
    assert!(m.check_nesting(1, 4));
    assert_eq!(m.len(), frame.len());
}

#[test]
fn a_warm_path_does_not_allocate() {
    let faults = Faults::none();
    let kernel = Kernel::new(Config {
        faults,
        ..Config::test("warm", &WireNet::new(1))
    });
    kernel.enter(|| {
        for len in [64, 1400, 9000, 60_000] {
            let frame = vec![7; len];
            assert!(
                allocations(|| (0..4).for_each(|_| one_packet(&frame))) > 0,
                "cold at {len}"
            );
            let warm = allocations(|| (0..1000).for_each(|_| one_packet(&frame)));
            assert_eq!(warm, 0, "{len} bytes");
        }
    });
    assert_eq!(kernel.shutdown(), Ok(()));
}

/// A door that nothing comes out of.
#[derive(Debug)]
struct Shut;

impl Outlet for Shut {
    fn emit(&self, _dir: Dir, _m: Mbuf, _flags: u32) -> Result<(), Errno> {
        Err(Errno::ENETDOWN)
    }
}

unsafe extern "C" fn pass(
    _arg: *mut c_void,
    mp: *mut *mut kpi_mbuf,
    _rx: *const kpi_pfil_rx,
) -> i32 {
    // SAFETY: the caller's variable.
    let raw = unsafe { mp.read() };
    // SAFETY: the packet is the hook's.
    let m = unsafe { Mbuf::from_raw(raw) };
    let m = m.writable(40).expect("memory");
    // SAFETY: the caller's variable.
    unsafe { *mp = m.into_raw() };
    KPI_PFIL_PASS as i32
}

static OPS: kpi_pfilops = kpi_pfilops {
    po_packet: Some(pass),
    po_ifchange: None,
};

#[test]
fn passing_hooks_does_not_allocate() {
    let kernel = Kernel::new(Config {
        faults: Faults::none(),
        ..Config::test("warm hooks", &WireNet::new(1))
    });
    let entry = Entry {
        name: "wan0".into(),
        mtu: 1500,
        up: true,
        loopback: false,
        addrs: Vec::new(),
    };
    let port = kernel.pfils().open(entry, Arc::new(Shut)).expect("free");
    let hooks = [(); 2].map(|()| {
        let hook = kernel.pfils().alloc().expect("no fault");
        // SAFETY: OPS is static.
        unsafe { hook.attach(&OPS, ptr::null_mut()) }.expect("the first time");
        hook
    });
    kernel.enter(|| {
        let one = || {
            let mut m = Mbuf::from_bytes(&[0x45; 1400]).expect("memory");
            m.set_link(LinkHeader::new(&[2; 14]).expect("a header"));
            let m = port.run(Af::V4, Dir::In, m, 0).expect("passes");
            assert_eq!(m.link().bytes(), [2; 14]);
        };
        (0..4).for_each(|_| one());
        assert_eq!(allocations(|| (0..1000).for_each(|_| one())), 0);
    });
    port.close();
    for hook in hooks {
        hook.detach();
        hook.free();
    }
    assert_eq!(kernel.shutdown(), Ok(()));
}
