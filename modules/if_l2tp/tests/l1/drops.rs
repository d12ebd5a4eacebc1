// SPDX-License-Identifier: BSD-2-Clause
//! Every reason in `stats.rs` is reached here by a test of its name; received ones in every way in
//! which a kernel may hand a packet over.

use super::site::Case;
use super::site::MY_ID;
use super::site::PEER_ID;
use super::site::PEER_PORT;
use super::site::PLAIN;
use super::site::RICH;
use super::site::Site;
use super::site::delete_tunnel;
use super::site::ids;
use super::site::set;
use super::site::snapshot;
use super::site::state;
use host::errno::Errno;
use host::ledger::Fault;
use host::ledger::Faults;
use host::ledger::Split;
use host::outer::End;
use host::wire::Trouble;
use if_l2tp_abi as abi;
use kern::stats::Counter;
use testkit::packet;

const UDP: Case = Case { udp: true, ..PLAIN };

/// The counters of a drop that the interface is charged with.
fn charged(name: &'static str) -> [(&'static str, u64); 2] {
    [(name, 1), ("l2tp0.ierrors", 1)]
}

/// A frame that is sent and dropped for this reason.
#[track_caller]
fn not_sent(site: &Site, frame: &[u8], name: &'static str, errno: Errno) {
    site.packets();
    site.moves(&[(name, 1), ("l2tp0.oerrors", 1)], |site| {
        assert_eq!(site.k.if_output("l2tp0", frame), Err(errno));
    });
    assert!(site.packets().is_empty());
}

/// A reason that is added without a test here fails this one.
#[test]
fn all_reasons_have_a_test() {
    let source = include_str!("drops.rs");
    for info in if_l2tp::Drop::INFO {
        let test = format!("\nfn {}", info.name);
        assert!(source.contains(&test), "no test of {}", info.name);
    }
}

#[test]
fn no_bufs_before_the_session_is_known() {
    let site = Site::new(UDP);
    site.k.set_faults(&Faults {
        split: Split::Each,
        readonly: true,
        ..Faults::default()
    });
    site.k.fail_nth(Fault::Mbuf, 1);
    let message = site.case.message(&packet::frame(60));
    site.moves(&[(".no_bufs", 1)], |site| site.receive(&message));
    site.done();
}

#[test]
fn no_bufs_of_a_session() {
    let site = Site::new(PLAIN);
    site.k.set_faults(&Faults {
        split: Split::Each,
        readonly: true,
        ..Faults::default()
    });
    site.k.fail_nth(Fault::Mbuf, 1);
    let message = site.case.message(&packet::frame(60));
    site.moves(&charged("l2tp0.no_bufs"), |site| site.receive(&message));
    site.k.fail_nth(Fault::Mbuf, 1);
    not_sent(&site, &packet::frame(60), "l2tp0.no_bufs", Errno::ENOBUFS);
    site.done();
}

#[test]
fn short_before_the_session_id_ends() {
    for (case, lens) in [(PLAIN, 0..4), (UDP, 0..8)] {
        let site = Site::new(case);
        let message = case.message(&packet::frame(14));
        for len in lens {
            site.every_way(&message[..len], &[(".short", 1)], &[]);
        }
        site.done();
    }
}

#[test]
fn short_within_cookie_or_sublayer() {
    for case in Case::all() {
        let site = Site::new(case);
        let (header, base) = (case.rx_header(), if case.udp { 8 } else { 4 });
        for len in base..header.len() {
            site.every_way(&header[..len], &charged("l2tp0.short"), &[]);
        }
        site.done();
    }
}

#[test]
fn runt() {
    for case in [PLAIN, RICH] {
        let site = Site::new(case);
        for len in [0, 1, 13] {
            let message = case.message(&packet::frame(14)[..len]);
            site.every_way(&message, &charged("l2tp0.runt"), &[]);
        }
        for len in [0, 13] {
            not_sent(
                &site,
                &packet::frame(14)[..len],
                "l2tp0.runt",
                Errno::EINVAL,
            );
        }
        site.done();
    }
}

#[test]
fn bad_version() {
    let site = Site::new(UDP);
    for version in (0..16).filter(|&v| v != 3) {
        let mut message = site.case.message(&packet::frame(20));
        message[1] = version;
        site.every_way(&message, &[(".bad_version", 1)], &[]);
        // A control message of another version is another protocol's too.
        message[0] = 0x80;
        site.moves(&[(".bad_version", 1)], |site| site.receive(&message));
    }
    site.done();
}

#[test]
fn no_session() {
    for case in [PLAIN, RICH] {
        let site = Site::new(case);
        for id in [1, MY_ID + 1, PEER_ID, MY_ID.swap_bytes(), u32::MAX] {
            let message = [case.header(id, &[]), packet::frame(60)].concat();
            site.every_way(&message, &[(".no_session", 1)], &[]);
        }
        site.done();
    }
}

#[test]
fn no_session_with_id_0_over_udp() {
    let site = Site::new(UDP);
    let message = [site.case.header(0, &[]), packet::frame(60)].concat();
    site.every_way(&message, &[(".no_session", 1)], &[]);
    site.done();
}

/// The id is known, and the endpoint open for another interface, but this one has no tunnel.
#[test]
fn no_session_without_a_tunnel() {
    let site = Site::new(PLAIN);
    site.k.clone_create("l2tp1").unwrap();
    site.configure("l2tp1", PLAIN, 7, 8);
    delete_tunnel(&site.k, "l2tp0").unwrap();
    let message = PLAIN.message(&packet::frame(60));
    site.every_way(&message, &[(".no_session", 1)], &[]);
    site.done();
}

#[test]
fn wrong_encap() {
    for (is, comes) in [(PLAIN, UDP), (UDP, PLAIN)] {
        let site = Site::new(is);
        site.k.clone_create("l2tp1").unwrap();
        site.configure("l2tp1", comes, 7, 8);
        let peer = site.net.peer(comes.theirs()).unwrap();
        let message = comes.message(&packet::frame(60));
        site.moves(&charged("l2tp0.wrong_encap"), |site| {
            peer.send(&comes.ours(), &message).unwrap();
            site.net.run();
        });
        assert!(site.frames().is_empty());
        site.done();
    }
}

#[test]
fn wrong_peer() {
    for case in Case::all() {
        let site = Site::new(case);
        let stranger = End {
            addr: case.addr(3),
            ..case.theirs()
        };
        let stranger = site.net.peer(stranger).unwrap();
        let message = case.message(&packet::frame(60));
        site.moves(&charged("l2tp0.wrong_peer"), |site| {
            site.receive_from(&stranger, &message);
        });
        assert!(site.frames().is_empty());
        site.done();
    }
}

/// The id is ours, but it came to another address or port of ours.
#[test]
fn wrong_peer_at_another_endpoint() {
    let site = Site::new(UDP);
    site.k.clone_create("l2tp1").unwrap();
    let other = abi::L2tpEncapReq {
        my_port: 1702,
        ..UDP.encap()
    };
    set(&site.k, "l2tp1", &abi::SIOCSL2TPENCAP, &other).unwrap();
    super::site::tunnel(&site.k, "l2tp1", UDP.addr(1), UDP.addr(2)).unwrap();
    set(&site.k, "l2tp1", &abi::SIOCSL2TPSESSION, &ids(7, 8)).unwrap();
    let message = UDP.message(&packet::frame(60));
    let to = End {
        port: 1702,
        ..UDP.ours()
    };
    site.moves(&charged("l2tp0.wrong_peer"), |site| {
        site.peer.send(&to, &message).unwrap();
        site.net.run();
    });
    site.done();
}

/// A translator on the way may give the peer another port.
#[test]
fn the_peers_port_may_change() {
    let site = Site::new(UDP);
    let moved = End {
        port: PEER_PORT + 1,
        ..UDP.theirs()
    };
    let peer = site.net.peer(moved).unwrap();
    let frame = packet::frame(60);
    let message = UDP.message(&frame);
    site.moves(&[("l2tp0.ipackets", 1), ("l2tp0.ibytes", 60)], |site| {
        site.receive_from(&peer, &message);
    });
    assert_eq!(site.frames(), [frame]);
    site.done();
}

#[test]
fn bad_cookie() {
    for case in Case::all().filter(|c| c.cookie != 0) {
        let site = Site::new(case);
        let good = case.message(&packet::frame(60));
        let at = if case.udp { 8 } else { 4 };
        for n in 0..case.cookie as usize {
            let mut message = good.clone();
            message[at + n] ^= 1 << (n % 8);
            if n == 0 || n == case.cookie as usize - 1 {
                site.every_way(&message, &charged("l2tp0.bad_cookie"), &[]);
            } else {
                site.moves(&charged("l2tp0.bad_cookie"), |site| site.receive(&message));
            }
        }
        site.done();
    }
}

#[test]
fn bad_source() {
    for case in [PLAIN, RICH] {
        let site = Site::new(case);
        for src in [
            [0xff; 6],
            [0x01, 0, 0x5e, 0, 0, 1],
            [0x33, 0x33, 0, 0, 0, 1],
        ] {
            let frame = packet::ether(packet::mac(1), src, 0x0800, &[0; 46]);
            site.every_way(&case.message(&frame), &charged("l2tp0.bad_source"), &[]);
        }
        site.done();
    }
}

#[test]
fn down_by_state() {
    let site = Site::new(RICH);
    set(&site.k, "l2tp0", &abi::SIOCSL2TPSTATE, &state(false)).unwrap();
    let message = RICH.message(&packet::frame(60));
    site.every_way(&message, &charged("l2tp0.down"), &[]);
    not_sent(&site, &packet::frame(60), "l2tp0.down", Errno::ENETDOWN);
    set(&site.k, "l2tp0", &abi::SIOCSL2TPSTATE, &state(true)).unwrap();
    site.receive(&message);
    assert_eq!(site.frames().len(), 1);
    site.done();
}

#[test]
fn down_by_flag() {
    let site = Site::new(PLAIN);
    site.k.if_set_up("l2tp0", false).unwrap();
    let message = PLAIN.message(&packet::frame(60));
    site.every_way(&message, &charged("l2tp0.down"), &[]);
    site.k.if_set_up("l2tp0", true).unwrap();
    site.receive(&message);
    assert_eq!(site.frames().len(), 1);
    site.done();
}

#[test]
fn no_tunnel() {
    let site = Site::new(PLAIN);
    delete_tunnel(&site.k, "l2tp0").unwrap();
    not_sent(
        &site,
        &packet::frame(60),
        "l2tp0.no_tunnel",
        Errno::ENETDOWN,
    );
    super::site::tunnel(&site.k, "l2tp0", PLAIN.addr(1), PLAIN.addr(2)).unwrap();
    set(&site.k, "l2tp0", &abi::SIOCDL2TPSESSION, &ids(0, 0)).unwrap();
    not_sent(
        &site,
        &packet::frame(60),
        "l2tp0.no_tunnel",
        Errno::ENETDOWN,
    );
    site.done();
}

#[test]
fn too_big() {
    let site = Site::new(PLAIN);
    for mtu in [abi::L2TP_MTU_MIN, abi::L2TP_MTU_DEFAULT, abi::L2TP_MTU_MAX] {
        site.k.if_set_mtu("l2tp0", mtu).unwrap();
        let most = packet::tagged(&packet::frame(mtu as usize + 14), 1);
        site.k.if_output("l2tp0", &most).unwrap();
        assert_eq!(site.packets(), [PLAIN.sent(&most)]);
        let more = [&most[..], &[0]].concat();
        not_sent(&site, &more, "l2tp0.too_big", Errno::EMSGSIZE);
    }
    site.done();
}

#[test]
fn output() {
    let site = Site::new(PLAIN);
    site.net.set_trouble(Trouble {
        refuse: 1000,
        ..Trouble::default()
    });
    not_sent(
        &site,
        &packet::frame(60),
        "l2tp0.output",
        Errno::EHOSTUNREACH,
    );
    site.done();
}

/// What a pseudowire has sent comes back to it as a frame: plain, tagged, in pieces.
#[test]
fn loop_of_its_own_packet() {
    for case in Case::all() {
        let site = Site::new(case);
        let own = case.sent(&packet::frame(60));
        let ethertype = if case.v6 { 0x86dd } else { 0x0800 };
        let plain = packet::ether(packet::mac(2), packet::mac(1), ethertype, &own);
        let tagged = packet::tagged(&plain, 5);
        let twice = packet::tagged_as(&packet::tagged(&plain, 6), 0x88a8, 5);
        for frame in [&plain, &tagged, &twice] {
            for split in (0..110).map(Split::At).chain([Split::None, Split::Each]) {
                site.k.set_split(split);
                not_sent(&site, frame, "l2tp0.loop", Errno::ELOOP);
            }
        }
        // Another session's, another peer's, a control message: these pass.
        site.k.set_split(Split::None);
        let mut others = vec![plain.clone(), plain.clone()];
        let ip = 14;
        let id = plain
            .windows(4)
            .position(|w| w == PEER_ID.to_be_bytes())
            .unwrap();
        others[0][id] ^= 1;
        others[1][ip + if case.v6 { 39 } else { 19 }] ^= 1;
        if case.udp {
            let mut control = plain.clone();
            control[id - 4] |= 0x80;
            others.push(control);
        }
        for frame in others {
            site.k.if_output("l2tp0", &frame).unwrap();
            assert_eq!(site.packets(), [case.sent(&frame)]);
        }
        site.done();
    }
}

/// An interface's drops are its own: the other one's do not move, nor the module's.
#[test]
fn drops_are_charged_to_the_right_interface() {
    let case = Case { cookie: 4, ..PLAIN };
    let site = Site::new(case);
    site.k.clone_create("l2tp1").unwrap();
    site.configure("l2tp1", case, 7, 8);
    let message = [case.header(7, &[9; 4]), packet::frame(60)].concat();
    let before = snapshot(&site.k);
    site.receive(&message);
    let moved = [("l2tp1.bad_cookie", 1), ("l2tp1.ierrors", 1)];
    snapshot(&site.k).assert_moved(&before, &moved);
    site.done();
}
