// SPDX-License-Identifier: BSD-2-Clause
//! Whole kernels with a small module: load and unload, cloning, tunnels over wires, faults, leaks.

mod pair;

use std::net::IpAddr;

use host::errno::Errno;
use host::event::Event;
use host::kernel::{Config, Kernel, LoadError};
use host::ledger::{Fault, Faults, Split};
use host::outer::{self, End};
use host::port::Link;
use host::wire::{Trouble, WireNet};
use kpi_sys::{KPI_IFS_IPACKETS, KPI_IFS_OPACKETS, KPI_TUNNEL_DEL, KPI_TUNNEL_SET, kpi_tunnel};

fn addr(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn tunnel(src: &str, dst: &str) -> kpi_tunnel {
    let (kt_af, kt_src) = outer::to_bytes(addr(src));
    let (_, kt_dst) = outer::to_bytes(addr(dst));
    kpi_tunnel {
        kt_af,
        kt_pad: 0,
        kt_src,
        kt_dst,
    }
}

fn kernel(name: &str, net: &WireNet, faults: Faults) -> Kernel {
    let kernel = Kernel::new(Config {
        faults,
        ..Config::test(name, net)
    });
    kernel.load(&pair::MODULE.0).expect("loads");
    kernel
}

/// Two kernels with `pair0` each, joined.
fn joined(faults: &Faults) -> (WireNet, Kernel, Kernel) {
    let net = WireNet::new(1);
    let make = |name: &str, src: &str, dst: &str| {
        let kernel = kernel(name, &net.host(&[addr(src)]), faults.clone());
        assert_eq!(kernel.clone_create("pair"), Ok("pair0".into()));
        kernel
            .if_tunnel("pair0", KPI_TUNNEL_SET, &mut tunnel(src, dst))
            .expect("free");
        kernel.if_set_up("pair0", true).expect("up");
        kernel
    };
    let a = make("a", "192.0.2.1", "192.0.2.2");
    let b = make("b", "192.0.2.2", "192.0.2.1");
    (net, a, b)
}

fn frame(len: usize) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend((6..len).map(|n| n as u8));
    frame
}

#[test]
fn the_handshake_refuses_and_says_both_numbers() {
    let kernel = Kernel::new(Config::test("k", &WireNet::new(1)));
    let text = |m| kernel.load(m).expect_err("refused").to_string();
    let old = text(&pair::OLD.0);
    assert!(old.contains("version 7") && old.contains("has 1"), "{old}");
    let odd = text(&pair::ODD.0);
    assert!(odd.contains("32 bytes") && odd.contains("40"), "{odd}");
    assert!(kernel.modules().is_empty());
    assert_eq!(kernel.load(&pair::MODULE.0), Ok(()));
    assert_eq!(
        kernel.load(&pair::MODULE.0),
        Err(LoadError::Loaded("pair".into()))
    );
    assert_eq!(kernel.modules(), ["pair"]);
    assert_eq!(kernel.shutdown(), Ok(()));
}

#[test]
fn an_unload_that_is_refused_leaves_all_as_it_was() {
    let kernel = kernel("k", &WireNet::new(1), Faults::default());
    kernel.clone_create("pair3").expect("free");
    pair::BUSY.set(true);
    assert_eq!(kernel.unload("pair"), Err(Errno::EBUSY));
    assert_eq!(kernel.modules(), ["pair"]);
    assert_eq!(kernel.ifnets().len(), 1);
    pair::BUSY.set(false);
    assert_eq!(kernel.unload("nil"), Err(Errno::ENOENT));
    assert_eq!(kernel.unload("pair"), Ok(()));
    assert!(
        kernel.ifnets().is_empty(),
        "a cloner takes its interfaces with it"
    );
    assert_eq!(kernel.shutdown(), Ok(()));
}

#[test]
fn a_module_that_stays_busy_is_reported_at_shutdown() {
    let kernel = kernel("k", &WireNet::new(1), Faults::default());
    pair::BUSY.set(true);
    let again = kernel.clone();
    let leaks = kernel.shutdown().expect_err("busy");
    assert_eq!(leaks.get("cloners"), 1);
    assert!(leaks.to_string().contains("EBUSY"), "{leaks}");
    pair::BUSY.set(false);
    assert_eq!(again.shutdown(), Ok(()));
}

#[test]
fn clones_are_created_renamed_and_destroyed() {
    let kernel = kernel("k", &WireNet::new(1), Faults::default());
    let events = kernel.events();
    assert_eq!(kernel.cloners(), ["pair"]);
    assert_eq!(kernel.clone_create("pair1"), Ok("pair1".into()));
    assert_eq!(kernel.clone_create("pair"), Ok("pair0".into()));
    assert_eq!(kernel.clone_create("pair"), Ok("pair2".into()));
    assert_eq!(kernel.clone_create("pair1"), Err(Errno::EEXIST));
    assert_eq!(kernel.clone_create("pair01"), Err(Errno::EINVAL));
    assert_eq!(kernel.clone_create("nil0"), Err(Errno::EINVAL));
    assert_eq!(kernel.if_rename("pair1", "pair0"), Err(Errno::EEXIST));
    assert_eq!(kernel.if_rename("pair1", "a name"), Err(Errno::EINVAL));
    assert_eq!(kernel.if_rename("pair1", "wan"), Ok(()));
    assert_eq!(
        kernel.clone_create("pair1"),
        Err(Errno::EEXIST),
        "the unit is still in use"
    );
    assert_eq!(kernel.clone_destroy("pair1"), Err(Errno::ENXIO));
    assert_eq!(kernel.clone_destroy("wan"), Ok(()));
    assert_eq!(kernel.clone_create("pair"), Ok("pair1".into()));
    let names: Vec<_> = kernel
        .ifnets()
        .into_iter()
        .map(|i| (i.index, i.name))
        .collect();
    assert_eq!(
        names,
        [
            (2, "pair0".into()),
            (3, "pair2".into()),
            (4, "pair1".into())
        ]
    );
    let seen: Vec<_> = events.try_iter().collect();
    assert_eq!(
        seen[0],
        Event::IfAttach {
            index: 1,
            name: "pair1".into()
        }
    );
    let renamed = Event::Rename {
        index: 1,
        name: "wan".into(),
        from: "pair1".into(),
    };
    assert!(seen.contains(&renamed));
    assert!(seen.contains(&Event::IfDetach {
        index: 1,
        name: "wan".into()
    }));
    assert_eq!(kernel.shutdown(), Ok(()));
}

#[test]
fn ioctls_are_checked_before_the_module_sees_them() {
    let kernel = kernel("k", &WireNet::new(1), Faults::default());
    kernel.clone_create("pair0").expect("free");
    let mut data = 77u64.to_ne_bytes();
    assert_eq!(kernel.if_ioctl("pair0", 1, &mut data), Err(Errno::ENOTTY));
    assert_eq!(
        kernel.if_ioctl("pair0", pair::SET, &mut data[..4]),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        kernel.if_ioctl("pair9", pair::SET, &mut data),
        Err(Errno::ENXIO)
    );
    assert_eq!(kernel.if_ioctl("pair0", pair::SET, &mut data), Ok(()));
    let mut got = [0xee; 8];
    assert_eq!(kernel.if_ioctl("pair0", pair::GET, &mut got), Ok(()));
    assert_eq!(u64::from_ne_bytes(got), 77);
    assert_eq!(kernel.if_set_mtu("pair0", 20), Err(Errno::EINVAL));
    assert_eq!(kernel.if_set_mtu("pair0", 1300), Ok(()));
    let info = kernel.ifnet("pair0").expect("there");
    assert_eq!((info.mtu, info.up, info.link), (1300, false, Link::Unknown));
    assert_eq!(info.lladdr, Some([2, 0, 0, 0, 0, 0]));
    assert_eq!(kernel.shutdown(), Ok(()));
}

#[test]
fn frames_cross_however_they_are_cut() {
    let splits = (0..60).map(Split::At).chain([Split::None, Split::Each]);
    for split in splits {
        for (outer_headers, readonly) in [(false, false), (true, false), (false, true)] {
            let faults = Faults {
                split,
                outer_headers,
                readonly,
                ..Faults::default()
            };
            let (net, a, b) = joined(&faults);
            let sent = frame(100);
            assert_eq!(a.if_output("pair0", &sent), Ok(()), "{faults:?}");
            assert_eq!(net.run(), 1);
            assert_eq!(b.if_received("pair0"), [sent], "{faults:?}");
            let (sa, sb) = (
                a.ifnet("pair0").expect("there"),
                b.ifnet("pair0").expect("there"),
            );
            assert_eq!(sa.stats[KPI_IFS_OPACKETS as usize], 1);
            assert_eq!(sb.stats, [1, 0, 100, 0, 0, 0, 0, 0, 0]);
            assert_eq!(a.shutdown(), Ok(()));
            assert_eq!(b.shutdown(), Ok(()));
        }
    }
}

#[test]
fn each_allocation_that_fails_is_survived() {
    let (mut n, mut failed) = (0, 0);
    loop {
        n += 1;
        let net = WireNet::new(1);
        let a = kernel("a", &net.host(&[addr("2001:db8::1")]), Faults::default());
        a.fail_nth(Fault::Any, n);
        let done = a.clone_create("pair").and_then(|name| {
            let mut t = tunnel("2001:db8::1", "2001:db8::2");
            a.if_tunnel(&name, KPI_TUNNEL_SET, &mut t)?;
            a.if_set_up(&name, true)?;
            a.home().ledger.set_faults(&Faults {
                readonly: true,
                fail_any: 0,
                ..Faults::default()
            });
            Ok(())
        });
        failed += u32::from(done.is_err());
        let over = done.is_ok();
        assert_eq!(a.shutdown(), Ok(()), "allocation {n}");
        if over {
            break;
        }
    }
    assert_eq!(failed, 4, "softc, ifnet, encap, path");

    // The packet path: a read-only frame needs a segment for its header.
    let (net, a, b) = joined(&Faults {
        readonly: true,
        ..Faults::default()
    });
    a.fail_nth(Fault::Mbuf, 1);
    assert_eq!(a.if_output("pair0", &frame(60)), Err(Errno::ENOBUFS));
    assert!(!a.fail_pending(Fault::Mbuf));
    assert_eq!(a.if_output("pair0", &frame(60)), Ok(()));
    assert_eq!((net.run(), b.if_received("pair0").len()), (1, 1));
    assert_eq!(a.shutdown(), Ok(()));
    assert_eq!(b.shutdown(), Ok(()));
}

#[test]
fn endpoints_are_refused_as_the_contract_says() {
    let net = WireNet::new(1);
    let k = kernel(
        "k",
        &net.host(&[addr("192.0.2.1"), addr("::7")]),
        Faults::default(),
    );
    k.clone_create("pair0").expect("free");
    k.clone_create("pair1").expect("free");
    let set = |name, t: &mut kpi_tunnel| k.if_tunnel(name, KPI_TUNNEL_SET, t);
    assert_eq!(
        set("pair0", &mut tunnel("192.0.2.9", "192.0.2.2")),
        Err(Errno::EADDRNOTAVAIL)
    );
    assert_eq!(set("pair0", &mut tunnel("192.0.2.1", "192.0.2.2")), Ok(()));
    assert_eq!(
        set("pair1", &mut tunnel("192.0.2.1", "192.0.2.3")),
        Err(Errno::EADDRINUSE)
    );
    assert_eq!(set("pair1", &mut tunnel("::7", "::")), Err(Errno::EINVAL));
    let mut strange = kpi_tunnel {
        kt_af: 99,
        ..tunnel("::7", "::8")
    };
    assert_eq!(set("pair1", &mut strange), Err(Errno::EAFNOSUPPORT));
    let info = k.ifnet("pair0").expect("there");
    assert_eq!((info.link, info.running), (Link::Up, true));
    assert_eq!(
        info.tunnel.map(|t| t.0.kt_dst[..4].to_vec()),
        Some(vec![192, 0, 2, 2])
    );
    k.if_tunnel("pair0", KPI_TUNNEL_DEL, &mut tunnel("::", "::"))
        .expect("deletes");
    assert!(k.ifnet("pair0").expect("there").tunnel.is_none());
    assert_eq!(set("pair1", &mut tunnel("192.0.2.1", "192.0.2.3")), Ok(()));
    assert_eq!(k.shutdown(), Ok(()));
}

#[test]
fn what_is_not_the_modules_is_refused_and_freed() {
    let (net, a, b) = joined(&Faults {
        outer_headers: true,
        ..Faults::default()
    });
    let end = |text| End {
        addr: addr(text),
        proto: 17,
        port: pair::PORT,
    };
    let peer = net.peer(end("198.51.100.7")).expect("free");
    for payload in [&b""[..], b"PAI", b"WRONG"] {
        peer.send(&end("192.0.2.1"), payload).expect("fits");
    }
    peer.send(&end("192.0.2.1"), b"PAIRframe").expect("fits");
    net.run();
    assert_eq!(net.stats().refused, 3);
    assert_eq!(a.if_received("pair0"), [b"frame"]);
    assert_eq!(
        a.ifnet("pair0").expect("there").stats[KPI_IFS_IPACKETS as usize],
        1
    );
    assert_eq!(a.shutdown(), Ok(()));
    assert_eq!(b.shutdown(), Ok(()));
}

#[test]
fn a_destroyed_end_is_silent_and_down_is_down() {
    let (net, a, b) = joined(&Faults::default());
    net.set_trouble(Trouble {
        dup: 1000,
        ..Trouble::default()
    });
    a.if_output("pair0", &frame(64)).expect("up");
    b.clone_destroy("pair0").expect("destroys");
    assert_eq!((net.run(), net.stats().unreachable), (2, 2));
    assert!(b.if_received("pair0").is_empty());
    a.if_set_up("pair0", false).expect("down");
    assert_eq!(a.if_output("pair0", &frame(64)), Err(Errno::ENETDOWN));
    assert_eq!(a.shutdown(), Ok(()));
    assert_eq!(b.shutdown(), Ok(()));
}

#[test]
fn kernels_are_told_apart() {
    let net = WireNet::new(1);
    let (a, b) = (
        Kernel::new(Config::test("a", &net)),
        Kernel::new(Config::test("b", &net)),
    );
    a.advance(5_000_000_000);
    // SAFETY: no preconditions.
    let now = || unsafe { kpi_sys::kpi_uptime_ns() };
    // SAFETY: at least one byte.
    let p = a.enter(|| unsafe { kpi_sys::kpi_alloc(100, 0) });
    assert_eq!(
        a.enter(|| (now(), b.enter(now), now())),
        (6_000_000_000, 1_000_000_000, 6_000_000_000)
    );
    assert_eq!(a.home().ledger.memory(), (1, 100));
    assert_eq!(b.home().ledger.memory(), (0, 0));
    // SAFETY: from kpi_alloc; freed in the other kernel, counted in its own.
    b.enter(|| unsafe { kpi_sys::kpi_free(p, 100) });
    assert_eq!(a.home().ledger.memory(), (0, 0));
    assert!(Kernel::current().is_none());
    assert_eq!((a.shutdown(), b.shutdown()), (Ok(()), Ok(())));
}
