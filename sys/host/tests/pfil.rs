// SPDX-License-Identifier: BSD-2-Clause
//! Ports as a door uses them: link headers that travel, answers, and the end of a port.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use host::errno::Errno;
use host::ifreg::Entry;
use host::kernel::{Config, Kernel};
use host::link::LinkHeader;
use host::mbuf::Mbuf;
use host::pfil::{Af, Dir, Outlet, Pfil, Port};
use host::wire::WireNet;
use kpi_sys::{
    KPI_MF_BCAST, KPI_MF_MCAST, KPI_PFIL_PASS, KPI_PFIL_STOLEN, kpi_mbuf, kpi_pfil_rx, kpi_pfilops,
};

/// A door's other side: keeps direction, link header and length.
#[derive(Debug, Default)]
struct Wire(Mutex<Vec<(Dir, Vec<u8>, usize)>>);

impl Outlet for Wire {
    fn emit(&self, dir: Dir, m: Mbuf, _flags: u32) -> Result<(), Errno> {
        if m.link().is_empty() {
            return Err(Errno::EHOSTUNREACH);
        }
        let link = m.link().bytes().to_vec();
        self.0.lock().expect("no panic").push((dir, link, m.len()));
        Ok(())
    }
}

/// What the hook found and does.
#[derive(Default)]
struct Seen {
    flags: AtomicU32,
    kept: Mutex<Option<(kpi_pfil_rx, Mbuf)>>,
    changes: AtomicU32,
}

unsafe extern "C" fn packet(
    arg: *mut c_void,
    mp: *mut *mut kpi_mbuf,
    rx: *const kpi_pfil_rx,
) -> i32 {
    // SAFETY: the tests pass a Seen that outlives the hook.
    let seen = unsafe { &*arg.cast::<Seen>() };
    // SAFETY: the caller's variable.
    let raw = unsafe { mp.read() };
    // SAFETY: the packet is the hook's.
    let m = unsafe { Mbuf::from_raw(raw) };
    seen.flags.store(m.flags(), Ordering::SeqCst);
    // A packet of 21 bytes is kept, all others go on.
    if m.len() == 21 {
        // SAFETY: valid for the call.
        let rx = unsafe { rx.read() };
        *seen.kept.lock().expect("no panic") = Some((rx, m));
        return KPI_PFIL_STOLEN as i32;
    }
    // SAFETY: the caller's variable.
    unsafe { *mp = m.into_raw() };
    KPI_PFIL_PASS as i32
}

unsafe extern "C" fn ifchange(arg: *mut c_void, _index: u32) {
    // SAFETY: as above.
    let seen = unsafe { &*arg.cast::<Seen>() };
    seen.changes.fetch_add(1, Ordering::SeqCst);
}

static OPS: kpi_pfilops = kpi_pfilops {
    po_packet: Some(packet),
    po_ifchange: Some(ifchange),
};

fn entry(name: &str) -> Entry {
    Entry {
        name: name.into(),
        mtu: 1500,
        up: true,
        loopback: false,
        addrs: Vec::new(),
    }
}

/// A kernel with a hook and a port.
fn site(seen: &Seen) -> (Kernel, Arc<Pfil>, Arc<Wire>, Arc<Port>) {
    let k = Kernel::new(Config::test("pfil", &WireNet::new(1)));
    let hook = k.pfils().alloc().expect("no fault");
    let arg = ptr::from_ref(seen).cast_mut().cast();
    // SAFETY: OPS is static, seen outlives the hook.
    unsafe { hook.attach(&OPS, arg) }.expect("the first time");
    let wire = Arc::new(Wire::default());
    let outlet: Arc<dyn Outlet> = Arc::clone(&wire) as _;
    let port = k.pfils().open(entry("wan0"), outlet).expect("free");
    (k, hook, wire, port)
}

fn end(k: Kernel, hook: Arc<Pfil>) {
    hook.detach();
    hook.free();
    assert_eq!(k.shutdown(), Ok(()));
}

/// A packet of `len` bytes behind this link header.
fn ipv4(k: &Kernel, len: usize, link: &[u8]) -> Mbuf {
    let mut m = k
        .enter(|| Mbuf::from_bytes(&vec![0x45; len]))
        .expect("memory");
    m.set_link(LinkHeader::new(link).expect("a header"));
    m.set_vnet(Some([9; 10]));
    m
}

/// Two VLAN tags between the addresses and the type.
const TAGGED: [u8; 22] = [
    2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0,
];

#[test]
fn what_stood_before_the_packet_comes_with_it() {
    let seen = Seen::default();
    let (k, hook, wire, port) = site(&seen);
    let passed = port
        .run(Af::V4, Dir::In, ipv4(&k, 60, &TAGGED), 0)
        .expect("goes on");
    assert_eq!(
        (passed.link().bytes(), passed.vnet()),
        (&TAGGED[..], Some(&[9; 10]))
    );
    drop(passed);
    assert!(
        port.run(Af::V4, Dir::In, ipv4(&k, 21, &TAGGED), 0)
            .is_none()
    );
    let (rx, m) = seen.kept.lock().expect("no panic").take().expect("kept");
    // The answer goes back through the same tags.
    let answer = || k.enter(|| Mbuf::from_bytes(&[0x45; 40])).expect("memory");
    hook.reply(&rx, &m, answer()).expect("the way is known");
    hook.send(&rx, Some(&m), answer())
        .expect("the way is known");
    assert_eq!(hook.send(&rx, None, answer()), Err(Errno::EHOSTUNREACH));
    hook.resume(&rx, m).expect("the port is open");
    let mut back = TAGGED;
    back[..12].rotate_left(6);
    let out = std::mem::take(&mut *wire.0.lock().expect("no panic"));
    let expected = [
        (Dir::Out, back.to_vec(), 40),
        (Dir::In, TAGGED.to_vec(), 40),
        (Dir::In, TAGGED.to_vec(), 21),
    ];
    assert_eq!(out, expected);
    port.close();
    end(k, hook);
}

#[test]
fn groups_are_marked_and_not_answered() {
    let seen = Seen::default();
    let (k, hook, wire, port) = site(&seen);
    let mut link = TAGGED;
    for (first, flag) in [(2, 0), (1, KPI_MF_MCAST), (0xff, KPI_MF_BCAST)] {
        link[..6].fill(first);
        assert!(port.run(Af::V4, Dir::In, ipv4(&k, 21, &link), 0).is_none());
        assert_eq!(seen.flags.load(Ordering::SeqCst), flag);
        let (rx, m) = seen.kept.lock().expect("no panic").take().expect("kept");
        let told = hook.reply(
            &rx,
            &m,
            k.enter(|| Mbuf::from_bytes(&[0; 40])).expect("memory"),
        );
        assert_eq!(told.is_ok(), flag == 0);
    }
    assert_eq!(wire.0.lock().expect("no panic").len(), 1);
    port.close();
    end(k, hook);
}

#[test]
fn a_port_ends_and_its_packets_with_it() {
    let seen = Seen::default();
    let (k, hook, wire, port) = site(&seen);
    assert_eq!(seen.changes.load(Ordering::SeqCst), 1);
    assert!(
        port.run(Af::V6, Dir::In, ipv4(&k, 39, &TAGGED), 0)
            .is_none()
    );
    assert_eq!(k.pfils().runts(), 1);
    assert!(
        port.run(Af::V4, Dir::Out, ipv4(&k, 21, &TAGGED), 0)
            .is_none()
    );
    let taken = k.pfils().open(entry("wan0"), Arc::new(Wire::default()));
    assert_eq!(taken.err(), Some(Errno::EEXIST));
    port.close();
    assert_eq!(seen.changes.load(Ordering::SeqCst), 2);
    let (rx, m) = seen.kept.lock().expect("no panic").take().expect("kept");
    assert_eq!(hook.resume(&rx, m), Err(Errno::ENXIO));
    assert!(wire.0.lock().expect("no panic").is_empty());
    // One that is only dropped is gone as well.
    let outlet: Arc<dyn Outlet> = Arc::new(Wire::default());
    let again = k.pfils().open(entry("wan0"), outlet).expect("free again");
    assert!(again.index > port.index);
    drop(again);
    assert_eq!(k.pfils().reg.find("wan0"), None);
    end(k, hook);
}

#[test]
fn hooks_that_are_not_given_back_are_reported() {
    let seen = Seen::default();
    let (k, hook, _wire, port) = site(&seen);
    port.close();
    hook.detach();
    let leaks = k.clone().shutdown().expect_err("a hook is left");
    assert_eq!(leaks.get("hooks"), 1);
    hook.free();
    assert_eq!(k.shutdown(), Ok(()));
}
