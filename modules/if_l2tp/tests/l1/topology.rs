// SPDX-License-Identifier: BSD-2-Clause
//! Two and three kernels joined by wires, under the virtual clock.

use super::site::Case;
use super::site::PLAIN;
use super::site::delete_tunnel;
use super::site::ids;
use super::site::kernel;
use super::site::set;
use super::site::snapshot;
use super::site::state;
use super::site::tunnel;
use host::kernel::Kernel;
use host::wire::Trouble;
use host::wire::WireNet;
use if_l2tp_abi as abi;
use testkit::packet;

/// An interface of `k`, host `me`, to host `peer`.
fn join(k: &Kernel, case: Case, me: u8, peer: u8) -> String {
    let name = k.clone_create("l2tp").unwrap();
    let id = |from: u8, to: u8| u32::from(from) << 8 | u32::from(to);
    let encap = abi::L2tpEncapReq {
        peer_port: if case.udp { super::site::MY_PORT } else { 0 },
        ..case.encap()
    };
    set(k, &name, &abi::SIOCSL2TPENCAP, &encap).unwrap();
    tunnel(k, &name, case.addr(me), case.addr(peer)).unwrap();
    set(
        k,
        &name,
        &abi::SIOCSL2TPSESSION,
        &ids(id(me, peer), id(peer, me)),
    )
    .unwrap();
    // What one end expects is what the other end sends.
    let cookies = case.cookies();
    let cookies = abi::L2tpReq {
        peer_cookie: cookies.my_cookie,
        ..cookies
    };
    set(k, &name, &abi::SIOCSL2TPCOOKIE, &cookies).unwrap();
    set(k, &name, &abi::SIOCSL2TPSTATE, &state(true)).unwrap();
    k.if_set_up(&name, true).unwrap();
    name
}

fn host(net: &WireNet, case: Case, n: u8) -> Kernel {
    kernel(&format!("host{n}"), &net.host(&[case.addr(n)]))
}

fn end(kernels: impl IntoIterator<Item = Kernel>) {
    for k in kernels {
        for ifnet in k.ifnets() {
            k.clone_destroy(&ifnet.name).unwrap();
        }
        k.shutdown().unwrap();
    }
}

#[test]
fn frames_cross_in_every_shape() {
    for case in Case::all() {
        let net = WireNet::new(1);
        let (a, b) = (host(&net, case, 1), host(&net, case, 2));
        join(&a, case, 1, 2);
        join(&b, case, 2, 1);
        let frames = [14, 60, 1514, 9000].map(packet::frame);
        a.if_set_mtu("l2tp0", 9000).unwrap();
        let tagged = packet::tagged(&packet::frame(1514), 7);
        let (before_a, before_b) = (snapshot(&a), snapshot(&b));
        for frame in frames.iter().chain([&tagged]) {
            a.if_output("l2tp0", frame).unwrap();
        }
        b.if_output("l2tp0", &tagged).unwrap();
        assert_eq!(net.run(), 6);
        let came = b.if_received("l2tp0");
        assert_eq!((&came[..4], &came[4]), (&frames[..], &tagged));
        assert_eq!(a.if_received("l2tp0"), [&tagged[..]]);
        // What one end sent, the other end received; nothing else moved.
        let bytes = (14 + 60 + 1514 + 9000 + 1518) as u64;
        snapshot(&a).assert_moved(
            &before_a,
            &[
                ("l2tp0.opackets", 5),
                ("l2tp0.obytes", bytes),
                ("l2tp0.ipackets", 1),
                ("l2tp0.ibytes", 1518),
                ("l2tp0.rx_vlan", 1),
            ],
        );
        snapshot(&b).assert_moved(
            &before_b,
            &[
                ("l2tp0.ipackets", 5),
                ("l2tp0.ibytes", bytes),
                ("l2tp0.opackets", 1),
                ("l2tp0.obytes", 1518),
                ("l2tp0.rx_vlan", 1),
            ],
        );
        end([a, b]);
    }
}

/// After a teardown of any kind nothing crosses, and after a new setup it does again.
#[test]
fn nothing_crosses_after_teardown() {
    let teardowns: [fn(&Kernel); 5] = [
        |k| delete_tunnel(k, "l2tp0").unwrap(),
        |k| set(k, "l2tp0", &abi::SIOCDL2TPSESSION, &ids(0, 0)).unwrap(),
        |k| set(k, "l2tp0", &abi::SIOCSL2TPSTATE, &state(false)).unwrap(),
        |k| k.if_set_up("l2tp0", false).unwrap(),
        |k| k.clone_destroy("l2tp0").unwrap(),
    ];
    for teardown in teardowns {
        for at_receiver in [false, true] {
            let net = WireNet::new(1);
            let (a, b) = (host(&net, PLAIN, 1), host(&net, PLAIN, 2));
            join(&a, PLAIN, 1, 2);
            join(&b, PLAIN, 2, 1);
            let ping = || {
                let sent = a.if_output("l2tp0", &packet::frame(60));
                net.run();
                (sent.is_ok(), b.if_received("l2tp0").len())
            };
            assert_eq!(ping(), (true, 1));
            // What is on its way when it is torn down does not arrive either.
            a.if_output("l2tp0", &packet::frame(60)).unwrap();
            teardown(if at_receiver { &b } else { &a });
            if at_receiver {
                assert_eq!(ping(), (true, 0));
            } else {
                assert_eq!(ping(), (false, 1));
                assert_eq!(ping(), (false, 0));
            }
            let (torn, me, peer) = if at_receiver { (&b, 2, 1) } else { (&a, 1, 2) };
            let _gone_already = torn.clone_destroy("l2tp0");
            join(torn, PLAIN, me, peer);
            assert_eq!(ping(), (true, 1));
            end([a, b]);
        }
    }
}

/// A triangle: each host has a pseudowire to each other one, and nothing goes astray.
#[test]
fn three_hosts() {
    let case = Case {
        udp: true,
        v6: true,
        cookie: 4,
        sublayer: false,
    };
    let net = WireNet::new(1);
    let hosts = [1, 2, 3].map(|n| host(&net, case, n));
    for (me, k) in (1u8..).zip(&hosts) {
        for peer in (1..=3).filter(|&p| p != me) {
            join(k, case, me, peer);
        }
    }
    let frame =
        |me: u8, peer: u8| packet::ether(packet::mac(peer), packet::mac(me), 0x88b5, &[me; 46]);
    let unit = |me: u8, peer: u8| {
        (1..=3)
            .filter(|&p| p != me)
            .position(|p| p == peer)
            .unwrap()
    };
    for (me, k) in (1u8..).zip(&hosts) {
        for peer in (1..=3).filter(|&p| p != me) {
            k.if_output(&format!("l2tp{}", unit(me, peer)), &frame(me, peer))
                .unwrap();
        }
    }
    assert_eq!(net.run(), 6);
    for (me, k) in (1u8..).zip(&hosts) {
        for peer in (1..=3).filter(|&p| p != me) {
            let name = format!("l2tp{}", unit(me, peer));
            assert_eq!(k.if_received(&name), [frame(peer, me)]);
        }
        assert_eq!(snapshot(k).get(".endpoints"), 1);
    }
    end(hosts);
}

/// On a bad wire what was sent is what was received and what was lost, to the packet.
#[test]
fn a_lossy_wire_adds_up() {
    let net = WireNet::new(7);
    let (a, b) = (host(&net, PLAIN, 1), host(&net, PLAIN, 2));
    join(&a, PLAIN, 1, 2);
    join(&b, PLAIN, 2, 1);
    net.set_trouble(Trouble {
        loss: 200,
        dup: 100,
        reorder: 300,
        ..Trouble::default()
    });
    let frame = |n: u32| [&packet::frame(14)[..], &n.to_be_bytes()].concat();
    for n in 0..1000 {
        a.if_output("l2tp0", &frame(n)).unwrap();
    }
    let delivered = net.run() as u64;
    let (stats, came) = (net.stats(), b.if_received("l2tp0"));
    assert_eq!(stats.sent, 1000);
    assert!((100..300).contains(&stats.lost), "{stats:?}");
    assert_eq!(
        (stats.delivered, stats.unreachable, stats.refused),
        (delivered, 0, 0)
    );
    assert_eq!(came.len() as u64, delivered);
    assert_eq!(snapshot(&a).get("l2tp0.opackets"), 1000);
    assert_eq!(snapshot(&b).get("l2tp0.ipackets"), delivered);
    let different: std::collections::BTreeSet<_> = came.into_iter().collect();
    assert_eq!(different.len() as u64, 1000 - stats.lost);
    end([a, b]);
}
