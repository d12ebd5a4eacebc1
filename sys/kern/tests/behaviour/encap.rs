// SPDX-License-Identifier: BSD-2-Clause
//! Endpoints are opened once, shared, and closed after the last path.

use super::kernel;
use super::with_every_allocation_failing;
use host::kernel::Kernel;
use host::ledger::Kind;
use host::outer::End;
use host::wire::WireNet;
use kern::cx::Softint;
use kern::cx::Thread;
use kern::encap::Endpoints;
use kern::encap::Input;
use kern::encap::Local;
use kern::encap::Proto;
use kern::encap::Remote;
use kern::encap::Rx;
use kern::errno::Errno;
use kern::mbuf::Mbuf;
use kern::mem::KArc;
use kern::testing;
use kern::verdict::Verdict;
use std::net::IpAddr;
use std::sync::Mutex;

use super::stats::Why;

/// Source, its port, our port, whether UDP carried it, bytes.
type Got = (IpAddr, u16, u16, bool, usize);

#[derive(Default)]
struct Handler {
    got: Mutex<Vec<Got>>,
    dropped: Mutex<Vec<Why>>,
}

impl Input for Handler {
    type Drop = Why;

    fn input(&self, _cx: &mut Softint, m: Mbuf, rx: &Rx) -> Verdict<Why> {
        let len = m.len() as usize;
        let got = (rx.src, rx.sport, rx.dport, rx.udp, len);
        self.got.lock().unwrap().push(got);
        match len {
            1 => Verdict::Pass(m),
            2 => Verdict::Drop(Why::Late),
            _ => Verdict::Stolen,
        }
    }

    fn dropped(&self, why: Why) {
        self.dropped.lock().unwrap().push(why);
    }
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn local(text: &str, proto: Proto) -> Local {
    Local {
        addr: addr(text),
        proto,
    }
}

fn remote(text: &str, port: u16) -> Remote {
    Remote {
        addr: addr(text),
        port,
    }
}

fn with_endpoints(f: impl FnOnce(&Kernel, &mut Thread, &Endpoints<Handler>, &KArc<Handler>)) {
    let k = kernel("endpoints");
    k.enter(|| {
        let cx = &mut testing::token();
        let endpoints = Endpoints::new(cx).unwrap();
        let handler = KArc::new(cx, Handler::default()).unwrap();
        f(&k, cx, &endpoints, &handler);
        endpoints.sweep(cx);
        assert!(endpoints.is_empty(cx));
    });
    k.shutdown().unwrap();
}

#[test]
fn paths_share_an_endpoint() {
    with_endpoints(|k, cx, endpoints, handler| {
        let ours = local("192.0.2.1", Proto::L2tp);
        let one = endpoints
            .path(cx, handler, ours, remote("192.0.2.2", 0), 64)
            .unwrap();
        let two = endpoints
            .path(cx, handler, ours, remote("192.0.2.3", 0), 64)
            .unwrap();
        let udp = local("192.0.2.1", Proto::Udp(1701));
        let three = endpoints
            .path(cx, handler, udp, remote("192.0.2.3", 9), 64)
            .unwrap();
        assert_eq!(
            (endpoints.len(cx), k.home().ledger.count(Kind::Path)),
            (2, 3)
        );
        drop(one);
        endpoints.sweep(cx);
        assert_eq!(endpoints.len(cx), 2);
        drop(two);
        endpoints.sweep(cx);
        assert_eq!(endpoints.len(cx), 1);
        assert_eq!(k.home().ledger.count(Kind::Encap), 1);
        drop(three);
    });
}

#[test]
fn what_cannot_be_opened_leaves_nothing() {
    with_endpoints(|_, cx, endpoints, handler| {
        let mut errno = |local, remote, ttl| {
            let e = endpoints.path(cx, handler, local, remote, ttl).err();
            endpoints.sweep(cx);
            assert!(endpoints.is_empty(cx));
            e
        };
        let four = local("192.0.2.1", Proto::L2tp);
        let six = remote("2001:db8::2", 0);
        assert_eq!(errno(four, six, 64), Some(Errno::EAFNOSUPPORT));
        let nobody = local("0.0.0.0", Proto::L2tp);
        assert_eq!(
            errno(nobody, remote("192.0.2.2", 0), 64),
            Some(Errno::EADDRNOTAVAIL)
        );
        assert_eq!(errno(four, remote("192.0.2.2", 0), 0), Some(Errno::EINVAL));
        let port0 = local("192.0.2.1", Proto::Udp(0));
        assert_eq!(
            errno(port0, remote("192.0.2.2", 1), 64),
            Some(Errno::EINVAL)
        );
    });
}

#[test]
fn verdicts_reach_the_kernel_and_the_counters() {
    let net = WireNet::new(1);
    let k = Kernel::new(host::kernel::Config::test("verdicts", &net));
    k.enter(|| {
        let cx = &mut testing::token();
        let endpoints = Endpoints::new(cx).unwrap();
        let handler = KArc::new(cx, Handler::default()).unwrap();
        let ours = local("2001:db8::1", Proto::Udp(1701));
        let path = endpoints
            .path(cx, &handler, ours, remote("2001:db8::2", 5000), 64)
            .unwrap();
        let end = |text: &str, port| End {
            addr: addr(text),
            proto: 17,
            port,
        };
        let peer = net.peer(end("2001:db8::2", 5000)).unwrap();
        for len in 1..=3 {
            peer.send(&end("2001:db8::1", 1701), &vec![0; len]).unwrap();
        }
        assert_eq!(net.run(), 3);
        assert_eq!(net.stats().refused, 1);
        let src = addr("2001:db8::2");
        let expected: Vec<_> = (1..=3).map(|len| (src, 5000, 1701, true, len)).collect();
        assert_eq!(*handler.got.lock().unwrap(), expected);
        assert_eq!(*handler.dropped.lock().unwrap(), [Why::Late]);
        // And back.
        let mut m = Mbuf::get(4, 64).unwrap();
        m.append(b"back").unwrap();
        path.output(cx, m).unwrap();
        net.run();
        let (from, payload) = peer.recv().unwrap();
        assert_eq!(
            (from, &payload[..]),
            (end("2001:db8::1", 1701), &b"back"[..])
        );
        drop(path);
        endpoints.sweep(cx);
    });
    k.shutdown().unwrap();
}

#[test]
fn every_allocation_may_fail() {
    with_every_allocation_failing("endpoints", |cx| {
        let endpoints = Endpoints::new(cx)?;
        let handler = KArc::new(cx, Handler::default())?;
        let ours = local("192.0.2.1", Proto::Gre);
        let path = endpoints.path(cx, &handler, ours, remote("192.0.2.2", 0), 64);
        if let Err(e) = path {
            endpoints.sweep(cx);
            return Err(e);
        }
        drop(path);
        endpoints.sweep(cx);
        Ok(())
    });
}

/// The endpoint that one thread closes is the one that another opens.
#[test]
fn closing_and_opening_do_not_cross() {
    with_endpoints(|k, _, endpoints, handler| {
        std::thread::scope(|s| {
            for _ in 0..3 {
                let k = k.clone();
                s.spawn(move || {
                    k.enter(|| {
                        let cx = &mut testing::token();
                        let ours = local("192.0.2.1", Proto::L2tp);
                        for _ in 0..300 {
                            let to = remote("192.0.2.2", 0);
                            let path = endpoints.path(cx, handler, ours, to, 64);
                            drop(path.expect("neither EADDRINUSE nor anything else"));
                            endpoints.sweep(cx);
                        }
                    });
                });
            }
        });
    });
}
