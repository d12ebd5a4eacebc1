// SPDX-License-Identifier: BSD-2-Clause
//! Header parsers: total functions, whose answers agree with the bytes.

use wire::ether;
use wire::ip;
use wire::ipv4;
use wire::ipv6;
use wire::l2tp::Cookie;
use wire::l2tp::Encap;
use wire::l2tp::Layout;
use wire::l2tp::MAX_HEADER;
use wire::l2tp::Message;
use wire::l2tp::SessionId;
use wire::l2tp::Sublayer;
use wire::udp;

/// Any bytes as each kind of header.
pub fn header(data: &[u8]) {
    let within = |part: &[u8]| assert!(part.len() <= data.len());
    if let Ok(frame) = ether::parse(data) {
        within(frame.payload);
    }
    if let Ok(packet) = ipv4::parse(data) {
        within(packet.payload);
        assert!(packet.options.len() <= 40);
    }
    let _ = ipv4::checksum_ok(data);
    if let Ok(packet) = ipv6::parse(data) {
        within(packet.payload);
    }
    if let Ok((_, payload)) = udp::Header::parse(data) {
        within(payload);
    }
    let ports = match data {
        [.., a, b, c, d] => ip::Ports {
            src: u16::from_be_bytes([*a, *b]),
            dst: u16::from_be_bytes([*c, *d]),
        },
        _ => ip::Ports {
            src: 1701,
            dst: 1701,
        },
    };
    for ports in [None, Some(ports)] {
        if let Some(carried) = ip::carried(data, ports) {
            assert_eq!(carried.src.is_ipv4(), carried.dst.is_ipv4());
            assert!(carried.encap == Encap::Ip || ports.is_some());
            // What is looked at is enough, unless IPv6 extensions are long.
            if carried.src.is_ipv4() && data.len() > ip::LOOK {
                assert_eq!(ip::carried(&data[..ip::LOOK], ports), Some(carried));
            }
        }
    }
    for encap in [Encap::Ip, Encap::Udp] {
        if let Ok(Message::Data { session, at }) = Message::parse(data, encap) {
            for sublayer in [Sublayer::None, Sublayer::Default] {
                for n in [0, 4, 8] {
                    open(data, Layout { encap, sublayer }, session, at, n);
                }
            }
        }
    }
}

/// A message opened with its own cookie, and with one that differs; then built anew.
fn open(data: &[u8], layout: Layout, session: SessionId, at: usize, n: usize) {
    let after = &data[at..];
    let Some(Some(cookie)) = after.get(..n).map(Cookie::from_bytes) else {
        return;
    };
    let opened = layout.open(&cookie, after);
    assert_eq!(opened.is_ok(), after.len() >= n + layout.sublayer.bytes());
    if let Some((first, rest)) = after.get(..n).and_then(<[u8]>::split_first) {
        let wrong = [&[first ^ 1], rest].concat();
        let wrong = Cookie::from_bytes(&wrong).expect("as long as the right one");
        assert!(layout.open(&wrong, after).is_err());
    }
    let Ok(opened) = opened else { return };
    let mut built = [0; MAX_HEADER];
    let emitted = layout.emit(session, &cookie, opened.sequence, &mut built);
    emitted.expect("room for the longest header");
    let again = Message::parse(&built, layout.encap);
    assert_eq!(again, Ok(Message::Data { session, at }));
    assert_eq!(layout.open(&cookie, &built[at..]), Ok(opened));
}
