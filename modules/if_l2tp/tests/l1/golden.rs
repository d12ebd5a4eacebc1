// SPDX-License-Identifier: BSD-2-Clause
//! Bytes on the wire, in both directions.

use super::site::Case;
use super::site::PLAIN;
use super::site::RICH;
use super::site::Site;
use host::ledger::Fault;
use host::ledger::Faults;
use host::ledger::Split;
use testkit::packet;

/// Written down by hand, byte for byte: IPv4, protocol 115, no cookie.
#[test]
fn golden_ipv4() {
    let site = Site::new(PLAIN);
    site.k.if_output("l2tp0", &packet::frame(18)).unwrap();
    let packets = site.packets();
    assert_eq!(packets[0][..10], [0x45, 0, 0, 42, 0, 0, 0x40, 0, 255, 115]);
    assert_eq!(packets[0][12..20], [192, 0, 2, 1, 192, 0, 2, 2]);
    let behind = [
        0xaa, 0xbb, 0xcc, 0xdd, // session
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0, 1, 2, 3, // frame
    ];
    assert_eq!(packets[0][20..], behind);
    site.done();
}

/// The same for UDP over IPv6 with all that can stand before the frame.
#[test]
fn golden_ipv6_udp_cookie_sublayer() {
    let site = Site::new(RICH);
    site.k.if_output("l2tp0", &packet::frame(14)).unwrap();
    let packets = site.packets();
    assert_eq!(packets[0][..8], [0x60, 0, 0, 0, 0, 42, 17, 255]);
    assert_eq!(packets[0][40..46], [0x06, 0xa5, 0x13, 0x88, 0, 42]);
    let behind = [
        0, 3, 0, 0, // flags and version
        0xaa, 0xbb, 0xcc, 0xdd, // session
        0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, // cookie
        0, 0, 0, 0, // sublayer
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, // frame
    ];
    assert_eq!(packets[0][48..], behind);
    site.done();
}

#[test]
fn sent_in_every_shape() {
    for case in Case::all() {
        let site = Site::new(case);
        for len in [14, 15, 60, 64, 1514] {
            let frame = packet::frame(len);
            let moved = [("l2tp0.opackets", 1), ("l2tp0.obytes", len as u64)];
            site.moves(&moved, |site| site.k.if_output("l2tp0", &frame).unwrap());
            assert_eq!(site.packets(), [case.sent(&frame)], "{case:?}, {len} bytes");
        }
        site.net.run();
        assert_eq!(site.peer.recv().unwrap().0, case.ours());
        site.done();
    }
}

/// Frames from the stack come in pieces too, and memory may be short.
#[test]
fn sent_from_every_split_and_with_every_failure() {
    for case in [PLAIN, RICH] {
        let site = Site::new(case);
        let frame = packet::tagged(&packet::frame(80), 7);
        let len = frame.len() as u64;
        let moved = [("l2tp0.opackets", 1), ("l2tp0.obytes", len)];
        for readonly in [false, true] {
            for split in (0..=len as u32).map(Split::At).chain([Split::Each]) {
                site.k.set_faults(&Faults {
                    split,
                    readonly,
                    ..Faults::default()
                });
                site.moves(&moved, |site| site.k.if_output("l2tp0", &frame).unwrap());
                assert_eq!(site.packets(), [case.sent(&frame)]);
            }
            site.k.fail_nth(Fault::Mbuf, 1);
            let failed = site.k.if_output("l2tp0", &frame);
            if site.k.fail_pending(Fault::Mbuf) {
                // There was room for the header, so that nothing was allocated.
                assert!(!readonly);
                failed.unwrap();
                site.packets();
                site.k.fail_nth(Fault::Mbuf, 0);
            } else {
                assert_eq!(failed, Err(host::errno::Errno::ENOBUFS));
                assert!(site.packets().is_empty());
            }
        }
        site.done();
    }
}

fn received(len: u64) -> [(&'static str, u64); 2] {
    [("l2tp0.ipackets", 1), ("l2tp0.ibytes", len)]
}

#[test]
fn received_in_every_shape_and_way() {
    for case in Case::all() {
        let site = Site::new(case);
        for len in [14, 15, 60] {
            let frame = packet::frame(len);
            site.every_way(&case.message(&frame), &received(len as u64), &[&frame]);
        }
        let frame = packet::frame(9000);
        site.moves(&received(9000), |site| site.receive(&case.message(&frame)));
        assert_eq!(site.frames(), [frame]);
        site.done();
    }
}

#[test]
fn tagged_frames_are_counted_as_such() {
    let case = Case { cookie: 4, ..PLAIN };
    let site = Site::new(case);
    let frame = packet::tagged(&packet::frame(60), 4095);
    let moved = [&received(64)[..], &[("l2tp0.rx_vlan", 1)]].concat();
    site.every_way(&case.message(&frame), &moved, &[&frame]);
    site.done();
}

/// A sequence number is taken note of; reserved bits and flags are nobody's business yet.
#[test]
fn sublayer_bits() {
    let case = Case { udp: true, ..RICH };
    let site = Site::new(case);
    let frame = packet::frame(20);
    let mut message = case.message(&frame);
    let sublayer = case.rx_header().len() - 4;
    message[sublayer] = 0x40;
    message[sublayer + 3] = 9;
    let moved = [&received(20)[..], &[("l2tp0.rx_sequenced", 1)]].concat();
    site.every_way(&message, &moved, &[&frame]);
    message[sublayer] = 0xbf;
    site.every_way(&message, &received(20), &[&frame]);
    // All flags of the UDP header but T, and its reserved bytes.
    message[..4].copy_from_slice(&[0x7f, 0xf3, 0xff, 0xff]);
    site.every_way(&message, &received(20), &[&frame]);
    site.done();
}

/// Control messages are for a daemon: they are passed on, and are no drops.
#[test]
fn control_messages_pass() {
    for case in Case::all() {
        let site = Site::new(case);
        let refused = site.net.stats().refused;
        let mut messages: Vec<Vec<u8>> = if case.udp {
            // A header of 12 bytes, and what is too short to have a session id.
            vec![
                vec![0xc8, 3, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0],
                vec![0x80, 3, 0, 0],
            ]
        } else {
            vec![
                [&[0; 4][..], &[0xc8, 3, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0]].concat(),
                vec![0; 4],
            ]
        };
        messages.push([&messages[0][..], &[7; 40]].concat());
        for message in &messages {
            site.moves(&[], |site| site.receive(message));
        }
        assert_eq!(site.net.stats().refused - refused, messages.len() as u64);
        site.every_way(&messages[0], &[], &[]);
        assert!(site.frames().is_empty());
        site.done();
    }
}
