// SPDX-License-Identifier: BSD-2-Clause
//! The view of a packet: what it says, and every truncation.

mod util;

use testkit::Noise;
use util::{Shape, What};
use wire::icmp::Kind;
use wire::packet::{self, Af, Bad, Ids, Packet, Upper};
use wire::rewrite::Ends;
use wire::tcp::{Flags, Illegal};

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

/// 172.16.10.99 to 172.16.10.12, a SYN as a sender's stack made it.
const GOLDEN: [u8; 60] = [
    0x45, 0x00, 0x00, 0x3c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0xb1, 0xe6, 0xac, 0x10, 0x0a, 0x63,
    0xac, 0x10, 0x0a, 0x0c, 0x9c, 0x40, 0x00, 0x50, 0x12, 0x34, 0x56, 0x78, 0x00, 0x00, 0x00, 0x00,
    0xa0, 0x02, 0xfa, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x04, 0x02, 0x08, 0x0a,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x07,
];

#[test]
fn golden_syn() {
    let p = parse(&GOLDEN, Af::V4).unwrap();
    assert_eq!((p.src, p.dst), (0xac10_0a63, 0xac10_0a0c));
    assert_eq!((p.proto, p.ttl, p.len, p.at), (6, 64, 60, 20));
    assert!(p.dont_fragment && !p.has_options && p.frag.is_none());
    assert_eq!(
        p.ids,
        Ids::Ports {
            src: 40_000,
            dst: 80
        }
    );
    let Upper::Tcp(seg) = p.upper else {
        panic!("{p:?}")
    };
    assert_eq!((seg.seq, seg.ack, seg.window), (0x1234_5678, 0, 0xfaf0));
    assert_eq!(
        (seg.flags, seg.header_len, seg.data_len),
        (Flags::SYN, 40, 0)
    );
    assert_eq!(seg.seq_len(), 1);
    let o = p.tcp_options(&GOLDEN);
    assert_eq!(
        (o.mss.unwrap().0, o.wscale, o.sack_ok),
        (1460, Some(7), true)
    );
    assert!(o.timestamps.is_some() && o.sack.is_none() && !o.malformed);
    assert!(packet::header_sum_ok(&GOLDEN, &p));
    assert_eq!(
        packet::upper_sum_ok(&GOLDEN, &p),
        Some(false),
        "left out above"
    );
    assert_eq!(packet::family(&GOLDEN), Ok(Af::V4));
    for bit in 0..160 {
        let mut b = GOLDEN;
        b[bit / 8] ^= 1 << (bit % 8);
        assert!(!packet::header_sum_ok(&b, &p), "bit {bit}");
    }
}

#[test]
fn says_what_was_put_in() {
    for seed in 0..8_000 {
        let mut noise = Noise::new(seed);
        let shape = util::shape(&mut noise, false);
        let ends = util::ends(&mut noise, &shape);
        let inner = match &shape.what {
            What::Error { inner, .. } => Some((util::ends(&mut noise, inner), inner)),
            _ => None,
        };
        let b = shape.make(&ends, inner.as_ref().map(|(ends, _)| ends));
        // Padding behind the packet is not part of it.
        let padded = [&b[..], &[0xee; 5]].concat();
        let p = parse(&padded, shape.af).unwrap_or_else(|e| panic!("{seed} {e} {shape:?}"));
        assert_eq!(
            (p.src, p.dst, p.proto),
            (ends.src, ends.dst, shape.proto()),
            "{seed}"
        );
        assert_eq!(
            (p.tos, p.ttl, p.len as usize),
            (shape.tos, shape.ttl, b.len())
        );
        assert_eq!(
            p.has_options,
            !shape.options.is_empty() || !shape.exts.is_empty()
        );
        let header = if shape.af == Af::V6 && shape.piece.is_some() {
            8
        } else {
            0
        };
        assert_eq!(usize::from(p.at), shape.at() + header);
        match (shape.piece, p.frag) {
            (None, frag) => assert_eq!(frag, None),
            (Some((from, _)), Some(frag)) => {
                let id = if shape.af == Af::V4 {
                    shape.id & 0xffff
                } else {
                    shape.id
                };
                let want = (id, from, b.len() - usize::from(p.at));
                assert_eq!((frag.id, frag.offset.into(), frag.len.into()), want);
            }
            (Some(_), None) => panic!("{seed}: not seen as a fragment"),
        }
        let ids = if p.is_later_fragment() {
            Ids::None
        } else {
            ends.ids
        };
        assert_eq!(p.ids, ids, "{seed}");
        if !p.is_fragment() {
            assert_ne!(
                packet::upper_sum_ok(&b, &p),
                Some(false),
                "{seed} {shape:?}"
            );
        }
        assert!(packet::header_sum_ok(&b, &p));
        if let Some((ends, shape)) = inner {
            let inside = p
                .embedded(&b)
                .unwrap_or_else(|e| panic!("{seed} {e} {shape:?}"));
            assert_eq!((inside.src, inside.dst), (ends.src, ends.dst));
            assert_eq!((inside.proto, inside.ids), (shape.proto(), ends.ids));
            assert_eq!(usize::from(inside.at), p.data_at().unwrap() + shape.at());
        } else {
            assert_eq!(p.embedded(&b), Err(Bad::Short));
        }
        truncations(&b, &p);
    }
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
fn control_bits() {
    let of = |bits: u8| Flags(bits).illegal();
    let legal = [
        0x02, 0x12, 0x10, 0x18, 0x30, 0x11, 0x19, 0x39, 0x04, 0x14, 0x0a, 0x22, 0xc2, 0x52,
    ];
    for bits in 0..=0xff {
        // ECE and CWR never matter.
        assert_eq!(of(bits), of(bits & 0x3f));
        let known = legal.iter().any(|l| l & 0x3f == bits & 0x3f);
        assert!(!known || of(bits).is_none(), "{bits:02x}");
    }
    for (bits, want) in [
        (0x00, Illegal::Null),
        (0xc0, Illegal::Null),
        (0x29, Illegal::Xmas),
        (0x03, Illegal::SynFin),
        (0x3f, Illegal::SynFin),
        (0x06, Illegal::SynRst),
        (0x16, Illegal::SynRst),
        (0x05, Illegal::FinRst),
        (0x15, Illegal::FinRst),
        (0x01, Illegal::NoAck),
        (0x08, Illegal::NoAck),
        (0x20, Illegal::NoAck),
    ] {
        assert_eq!(of(bits), Some(want), "{bits:02x}");
    }
}

#[test]
fn kinds_of_icmp() {
    let mut error = Shape::new(Af::V4, tcp(0x10), &[7; 30]);
    error.cut = 8;
    let what = What::Error {
        typ: 3,
        code: 4,
        inner: Box::new(error),
    };
    let b = Shape::new(Af::V4, what, &[]).make(
        &Ends {
            ids: Ids::None,
            ..V4
        },
        Some(&V4),
    );
    let p = parse(&b, Af::V4).unwrap();
    assert_eq!(
        p.upper,
        Upper::Icmp {
            typ: 3,
            code: 4,
            kind: Kind::Error
        }
    );
    let inner = p.embedded(&b).unwrap();
    assert_eq!(inner.upper, Upper::TcpPart { seq: 0x0102_0304 });
    assert_eq!((inner.ids, inner.len, inner.start), (PORTS, 70, 28));
    // Less than that is of no use.
    for n in 20..b.len() {
        let mut cut = b[..n].to_vec();
        cut[2..4].copy_from_slice(&(n as u16).to_be_bytes());
        let inner = parse(&cut, Af::V4).and_then(|p| p.embedded(&cut));
        assert_eq!(inner, Err(Bad::Short), "{n}");
    }
    // Neighbor discovery is neither query nor error.
    let what = What::Query {
        typ: wire::icmp::v6::NEIGHBOR_SOLICIT,
    };
    let b = Shape::new(Af::V6, what, &[0; 16]).make(
        &Ends {
            ids: Ids::Query(0),
            ..V6
        },
        None,
    );
    let p = parse(&b, Af::V6).unwrap();
    assert!(
        matches!(
            p.upper,
            Upper::Icmp {
                kind: Kind::Other,
                ..
            }
        ) && p.ids == Ids::None
    );
    // Each family's ICMP is only in that family.
    let b = Shape::new(Af::V4, What::Other(58), &[3; 8]).make(&V4, None);
    assert_eq!(parse(&b, Af::V4).unwrap().upper, Upper::None);
}

#[test]
fn pairs_of_ids() {
    for (ids, pair) in [
        (PORTS, (4321, 80)),
        (Ids::Query(9), (9, 9)),
        (Ids::Call(9), (0, 9)),
        (Ids::Spi(0x0001_0002), (1, 2)),
        (Ids::None, (0, 0)),
    ] {
        assert_eq!(ids.pair(), pair);
        assert_eq!(ids.with_pair(pair.0, pair.1), ids);
    }
}

#[test]
fn other_gre() {
    // Version 0 with a key, version 1 that is not PPP, and too short: no ids, but no error.
    for b in [
        &[0x20, 0, 0x65, 0x58, 0, 0, 0, 1][..],
        &[0x30, 1, 8, 0, 0, 0, 0, 1],
        &[0x30, 1],
    ] {
        let b = Shape::new(Af::V4, What::Other(47), b).make(&V4, None);
        let p = parse(&b, Af::V4).unwrap();
        assert_eq!((p.ids, p.upper), (Ids::None, Upper::None));
    }
    use wire::gre::Header;
    let v0 = Header::parse(&[0xa0, 0, 0x65, 0x58, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(
        v0,
        Ok(Header::V0 {
            ethertype: 0x6558,
            key: Some(1)
        })
    );
    let pptp = [0x30, 0x81, 0x88, 0x0b, 0, 5, 0x12, 0x34];
    assert_eq!(
        Header::parse(&pptp),
        Ok(Header::Pptp {
            call: 0x1234,
            len: 5
        })
    );
    for n in 0..pptp.len() {
        assert!(Header::parse(&pptp[..n]).is_err());
    }
    assert!(Header::parse(&[0x30, 2, 0x88, 0x0b, 0, 0, 0, 0]).is_err());
    assert!(
        Header::parse(&[0xb0, 1, 0x88, 0x0b, 0, 0, 0, 0]).is_err(),
        "no checksum in it"
    );
}

#[test]
fn tcp_options_are_total() {
    use wire::tcp::Options;
    let mut noise = Noise::new(3);
    for _ in 0..20_000 {
        let n = noise.below(48);
        let b = util::bytes(&mut noise, n);
        let o = Options::parse(&b);
        for at in o
            .mss
            .map(|(_, at)| at)
            .into_iter()
            .chain(o.sack)
            .chain(o.timestamps)
        {
            assert!(usize::from(at.at) + usize::from(at.len) <= n);
        }
    }
    for (b, malformed) in [
        (&[2, 4, 5][..], true),
        (&[2, 1], true),
        (&[2, 0, 0, 0], true),
        (&[3], true),
        (&[2, 3, 1], true),
        (&[0, 2], false),
        (&[1, 1], false),
        (&[254, 4, 0, 0], false),
    ] {
        assert_eq!(Options::parse(b).malformed, malformed, "{b:?}");
    }
    assert_eq!(Options::parse(&[3, 3, 200]).wscale, Some(14));
    let twice = [2, 4, 0, 1, 2, 4, 0, 2];
    assert_eq!(Options::parse(&twice).mss.unwrap().0, 1);
}

/// It is copied about on the packet path.
#[test]
fn small_enough_to_copy() {
    assert!(size_of::<Packet>() <= 96, "{}", size_of::<Packet>());
}
