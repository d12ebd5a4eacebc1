// SPDX-License-Identifier: BSD-2-Clause
//! What is refused, and why: lengths that lie, fragments, chains of extension headers.

mod util;

use util::{Shape, What};
use wire::packet::{self, Af, Bad, Frag, Ids, Packet, Upper};
use wire::rewrite::Ends;

const PORTS: Ids = Ids::Ports { src: 4321, dst: 80 };
const V4: Ends = Ends {
    src: 0x0a00_0001,
    dst: 0xc633_6402,
    ids: PORTS,
};
const V6: Ends = Ends {
    src: 0x2001_0db8_0000_0000_0000_0000_0000_0001,
    dst: 0x2001_0db8_0001_0000_0000_0000_0000_0002,
    ids: PORTS,
};

fn ends(af: Af) -> Ends {
    match af {
        Af::V4 => V4,
        Af::V6 => V6,
    }
}

fn tcp(flags: u8) -> What {
    What::Tcp {
        opts: vec![],
        seq: 0x0102_0304,
        ack: 0x0506_0708,
        flags,
    }
}

fn parse(b: &[u8], af: Af) -> Result<Packet, Bad> {
    packet::parse(b, b.len(), af)
}

/// What is missing in the packet is an error of the packet's, what is missing in hand another.
fn truncations(b: &[u8], p: &Packet) {
    for n in 0..b.len() {
        match packet::parse(&b[..n], b.len(), p.af) {
            Ok(q) => assert_eq!(q, *p),
            Err(bad) => assert_eq!(bad, Bad::Beyond),
        }
        let bad = packet::parse(&b[..n], n, p.af).expect_err("the header says more");
        assert!(matches!(bad, Bad::Short | Bad::Length), "{bad}");
    }
}

#[test]
fn lengths_that_lie() {
    let set = |at: usize, value: &[u8], af: Af| {
        let mut b = Shape::new(af, tcp(0x10), &[1, 2, 3]).make(&ends(af), None);
        b[at..at + value.len()].copy_from_slice(value);
        parse(&b, af)
    };
    assert_eq!(set(0, &[0x65], Af::V4), Err(Bad::Version));
    assert_eq!(set(0, &[0x44], Af::V4), Err(Bad::Length));
    assert_eq!(set(2, &[0, 19], Af::V4), Err(Bad::Length));
    assert_eq!(
        set(2, &[0, 44], Af::V4),
        Err(Bad::Length),
        "more than there is"
    );
    assert_eq!(set(2, &[0, 39], Af::V4), Err(Bad::Short));
    assert_eq!(set(32, &[0x40], Af::V4), Err(Bad::TcpOffset));
    assert_eq!(
        set(32, &[0x60], Af::V4),
        Err(Bad::TcpOffset),
        "beyond the segment"
    );
    assert_eq!(set(0, &[0x45], Af::V6), Err(Bad::Version));
    assert_eq!(set(4, &[0, 24], Af::V6), Err(Bad::Length));
    assert_eq!(set(4, &[0, 19], Af::V6), Err(Bad::Short));
    assert_eq!(set(52, &[0x40], Af::V6), Err(Bad::TcpOffset));
    for (len, want) in [
        (7, Some(Bad::UdpLength)),
        (8, None),
        (11, None),
        (12, Some(Bad::UdpLength)),
    ] {
        for af in [Af::V4, Af::V6] {
            let mut b = Shape::new(af, What::Udp { sum: true }, &[1, 2, 3]).make(&ends(af), None);
            let at = b.len() - 7;
            b[at..at + 2].copy_from_slice(&[0, len]);
            assert_eq!(parse(&b, af).err(), want);
        }
    }
    assert_eq!(packet::family(&[]), Err(Bad::Short));
    assert_eq!(packet::family(&[0x55]), Err(Bad::Version));
}

/// A fragment of a datagram whose bytes are `piece`.
fn fragment(af: Af, what: What, from: usize, to: usize) -> Vec<u8> {
    let mut shape = Shape::new(af, what, &[0x55; 64]);
    shape.piece = Some((from, to));
    shape.make(&ends(af), None)
}

#[test]
fn fragments() {
    for af in [Af::V4, Af::V6] {
        let first = parse(&fragment(af, tcp(2), 0, 24), af).unwrap();
        let frag = Frag {
            id: 0x1c46,
            offset: 0,
            len: 24,
            more: true,
        };
        assert_eq!((first.frag, first.ids), (Some(frag), PORTS));
        assert!(first.is_fragment() && !first.is_later_fragment());
        let last = parse(&fragment(af, tcp(2), 24, 1000), af).unwrap();
        assert_eq!(
            (last.frag.unwrap().offset, last.frag.unwrap().len),
            (24, 60)
        );
        assert!(last.is_later_fragment() && last.upper == Upper::None);
        // The header is cut.
        for n in [8, 16] {
            assert_eq!(
                parse(&fragment(af, tcp(2), 0, n), af),
                Err(Bad::Tiny),
                "{n}"
            );
        }
        assert!(parse(&fragment(af, What::Udp { sum: true }, 0, 8), af).is_ok());
    }
    // What would overwrite the flags (RFC 3128); of IPv6 the first must have been whole anyway.
    assert_eq!(
        parse(&fragment(Af::V4, tcp(2), 8, 24), Af::V4),
        Err(Bad::Tiny)
    );
    assert!(parse(&fragment(Af::V4, What::Udp { sum: true }, 8, 24), Af::V4).is_ok());
    // Beyond the largest packet, empty, in the middle but no multiple of 8.
    let mut b = fragment(Af::V4, What::Udp { sum: true }, 8, 24);
    b[6..8].copy_from_slice(&[0x3f, 0xff]);
    assert_eq!(parse(&b, Af::V4), Err(Bad::Fragment));
    b[6..8].copy_from_slice(&[0x20, 0x01]);
    assert!(parse(&b, Af::V4).is_ok());
    b[2..4].copy_from_slice(&[0, 35]);
    assert_eq!(parse(&b, Af::V4), Err(Bad::Fragment));
    b[2..4].copy_from_slice(&[0, 20]);
    assert_eq!(parse(&b, Af::V4), Err(Bad::Fragment));
    // IPv6: a fragment that is all of its packet (RFC 6946).
    let atomic = parse(&fragment(Af::V6, tcp(2), 0, 1000), Af::V6).unwrap();
    assert!(atomic.frag.unwrap().is_whole() && !atomic.is_fragment() && atomic.ids == PORTS);
}

#[test]
fn extension_headers() {
    let with = |exts: &[(u8, &[u8])]| {
        let mut shape = Shape::new(Af::V6, tcp(2), &[]);
        shape.exts = exts.iter().map(|(typ, b)| (*typ, b.to_vec())).collect();
        let b = shape.make(&V6, None);
        (parse(&b, Af::V6), b)
    };
    const PAD: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    const AH: &[u8] = &[0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    let (p, b) = with(&[
        (0, PAD),
        (60, PAD),
        (43, &[0, 0, 2, 0, 0, 0, 0, 0]),
        (51, AH),
    ]);
    let p = p.unwrap();
    assert_eq!((p.proto, usize::from(p.at)), (6, b.len() - 20));
    assert!(p.has_options && p.authenticated);
    truncations(&b, &p);
    assert_eq!(with(&[(43, &[0; 8])]).0, Err(Bad::RoutingZero));
    // Hop-by-hop options elsewhere than in front; two fragment headers; a chain without end.
    assert_eq!(with(&[(60, PAD), (0, PAD)]).0, Err(Bad::Options));
    assert_eq!(with(&[(44, &[0; 8]), (44, &[0; 8])]).0, Err(Bad::Options));
    let many = [(60, PAD); packet::MAX_EXTENSIONS + 1];
    assert_eq!(with(&many).0, Err(Bad::Options));
    assert!(with(&many[1..]).0.is_ok());
    // Jumbograms: by their option, and by a length of 0.
    assert_eq!(
        with(&[(0, &[0, 0, 0xc2, 4, 0, 1, 0, 0])]).0,
        Err(Bad::Jumbo)
    );
    let (_, mut b) = with(&[(0, PAD)]);
    b[4..6].copy_from_slice(&[0, 0]);
    assert_eq!(parse(&b, Af::V6), Err(Bad::Jumbo));
    // Options that go beyond their header, or end in the middle of one.
    assert_eq!(with(&[(0, &[0, 0, 1, 5, 0, 0, 0, 0])]).0, Err(Bad::Options));
    assert_eq!(with(&[(0, &[0, 0, 1, 3, 0, 0, 0, 9])]).0, Err(Bad::Options));
    assert!(
        with(&[(0, &[0, 0, 0, 0, 0, 0, 0, 0])]).0.is_ok(),
        "six of one byte"
    );
    // The first fragment must have the whole chain (RFC 7112), a later one ends the walk.
    let b = fragment(Af::V6, What::Other(60), 0, 0);
    assert!(parse(&b, Af::V6).is_err());
    let mut b = fragment(Af::V6, What::Other(60), 0, 8);
    b[49] = 1;
    assert_eq!(
        parse(&b, Af::V6),
        Err(Bad::Tiny),
        "options of 16 bytes, 8 of them here"
    );
    let p = parse(&fragment(Af::V6, What::Other(60), 8, 16), Af::V6).unwrap();
    assert_eq!((p.proto, p.ids), (60, Ids::None));
}
