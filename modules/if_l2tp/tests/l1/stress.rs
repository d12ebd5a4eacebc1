// SPDX-License-Identifier: BSD-2-Clause
//! Configuration changes, destruction and unloading under traffic: nothing leaks, nothing hangs,
//! and what comes out is what was put in.

use super::site::Case;
use super::site::MY_ID;
use super::site::PLAIN;
use super::site::Site;
use super::site::delete_tunnel;
use super::site::ids;
use super::site::set;
use super::site::snapshot;
use super::site::state;
use super::site::tunnel;
use host::errno::Errno;
use if_l2tp_abi as abi;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use testkit::Noise;
use testkit::Stop;
use testkit::packet;

const UDP: Case = Case {
    udp: true,
    cookie: 8,
    ..PLAIN
};

/// Threads that send on `l2tp0` and receive for it until told to stop.
fn traffic<R>(site: &Site, change: impl FnOnce(&AtomicU64) -> R) -> R {
    let (stop, done) = (Stop::new(), AtomicU64::new(0));
    std::thread::scope(|s| {
        let _running = stop.guard();
        for _ in 0..2 {
            s.spawn(|| {
                let frame = packet::frame(60);
                while stop.go_on() {
                    match site.k.if_output("l2tp0", &frame) {
                        Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
                        Err(Errno::ENXIO | Errno::ENETDOWN) => {}
                        Err(e) => panic!("{e}"),
                    }
                }
            });
        }
        s.spawn(|| {
            let messages = [PLAIN, UDP].map(|c| (c, c.message(&packet::frame(60))));
            let peers = [PLAIN, UDP].map(|c| {
                let third = host::outer::End {
                    addr: c.addr(2),
                    port: c.theirs().port,
                    ..c.theirs()
                };
                site.net.peer(third).ok()
            });
            while stop.go_on() {
                for ((case, message), peer) in messages.iter().zip(&peers) {
                    let peer = peer.as_ref().unwrap_or(&site.peer);
                    let _ = peer.send(&case.ours(), message);
                }
                (0..64).take_while(|_| site.net.step()).for_each(drop);
                for frame in site.frames() {
                    assert_eq!(frame, packet::frame(60));
                }
                site.packets();
                while site.peer.recv().is_some() {}
                for peer in peers.iter().flatten() {
                    while peer.recv().is_some() {}
                }
            }
        });
        change(&done)
    })
}

#[test]
fn reconfigured_under_traffic() {
    let site = Site::new(PLAIN);
    let steps = traffic(&site, |done| {
        let mut noise = Noise::new(3);
        let mut steps = 0;
        while steps < 1500 || done.load(Ordering::Relaxed) < 200 {
            steps += 1;
            let k = &site.k;
            match noise.below(8) {
                0 => set(k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(MY_ID, 7)).unwrap(),
                1 => set(k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(9, 7)).unwrap(),
                2 => set(k, "l2tp0", &abi::SIOCSL2TPENCAP, &UDP.encap()).unwrap(),
                3 => set(k, "l2tp0", &abi::SIOCSL2TPENCAP, &PLAIN.encap()).unwrap(),
                4 => set(k, "l2tp0", &abi::SIOCSL2TPCOOKIE, &UDP.cookies()).unwrap(),
                5 => set(k, "l2tp0", &abi::SIOCDL2TPCOOKIE, &ids(0, 0)).unwrap(),
                6 => {
                    let up = noise.below(4) != 0;
                    set(k, "l2tp0", &abi::SIOCSL2TPSTATE, &state(up)).unwrap();
                }
                _ => {
                    delete_tunnel(k, "l2tp0").unwrap();
                    tunnel(k, "l2tp0", PLAIN.addr(1), PLAIN.addr(2)).unwrap();
                }
            }
        }
        steps
    });
    assert!(snapshot(&site.k).get("l2tp0.reconfigured") >= steps);
    site.net.run();
    site.done();
}

#[test]
fn destroyed_and_created_under_traffic() {
    let site = Site::new(PLAIN);
    traffic(&site, |done| {
        let mut rounds = 0;
        while rounds < 200 || done.load(Ordering::Relaxed) < 200 {
            rounds += 1;
            site.k.clone_destroy("l2tp0").unwrap();
            site.k.clone_create("l2tp0").unwrap();
            site.configure("l2tp0", PLAIN, MY_ID, 7);
        }
    });
    site.net.run();
    site.done();
}

/// Ioctls that come while the interface goes away find it or not, and leave nothing behind.
#[test]
fn configured_while_it_is_destroyed() {
    let site = Site::new(PLAIN);
    let stop = Stop::new();
    std::thread::scope(|s| {
        let _running = stop.guard();
        for n in 0..2u32 {
            let (site, stop) = (&site, &stop);
            s.spawn(move || {
                let k = &site.k;
                while stop.go_on() {
                    let results = [
                        set(k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(100 + n, 7)),
                        tunnel(k, "l2tp0", PLAIN.addr(1), PLAIN.addr(2)),
                        set(k, "l2tp0", &abi::SIOCSL2TPSTATE, &state(true)),
                        k.if_set_up("l2tp0", true),
                    ];
                    for result in results {
                        assert!(matches!(result, Ok(()) | Err(Errno::ENXIO)), "{result:?}");
                    }
                }
            });
        }
        for _ in 0..500 {
            site.k.clone_destroy("l2tp0").unwrap();
            let all = snapshot(&site.k);
            assert_eq!((all.get(".sessions"), all.get(".endpoints")), (0, 0));
            site.k.clone_create("l2tp0").unwrap();
        }
    });
    site.done();
}

/// Two interfaces that share an endpoint come and go at once: neither is told EADDRINUSE.
#[test]
fn an_endpoint_is_shared_by_threads() {
    let site = Site::new(PLAIN);
    site.k.clone_destroy("l2tp0").unwrap();
    std::thread::scope(|s| {
        for n in 0..3u32 {
            let site = &site;
            s.spawn(move || {
                let name = format!("l2tp{n}");
                site.k.clone_create(&name).unwrap();
                set(&site.k, &name, &abi::SIOCSL2TPSESSION, &ids(n + 1, 7)).unwrap();
                for _ in 0..300 {
                    tunnel(&site.k, &name, PLAIN.addr(1), PLAIN.addr(2)).unwrap();
                    delete_tunnel(&site.k, &name).unwrap();
                }
            });
        }
    });
    site.done();
}
