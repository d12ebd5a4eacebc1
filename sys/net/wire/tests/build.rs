// SPDX-License-Identifier: BSD-2-Clause
//! Answers: resets as RFC 9293 wants them, errors, and what is never answered.

mod util;

use testkit::Noise;
use util::{Shape, What};
use wire::build::{self, Ip, MAX_LEN, Never, NoRoom, Problem, Segment};
use wire::icmp::{v4, v6};
use wire::packet::{self, Af, Ids, Packet, Upper};
use wire::rewrite::Ends;
use wire::tcp::Flags;

const PORTS: Ids = Ids::Ports { src: 4321, dst: 80 };

fn ends(af: Af) -> Ends {
    match af {
        Af::V4 => Ends {
            src: 0x0a00_0001,
            dst: 0xc633_6402,
            ids: PORTS,
        },
        Af::V6 => Ends {
            src: 0x2001_0db8 << 96 | 1,
            dst: 0x2001_0db8 << 96 | 2,
            ids: PORTS,
        },
    }
}

fn parse(b: &[u8], af: Af) -> Packet {
    packet::parse(b, b.len(), af).unwrap()
}

/// A packet that has been built: parsed again, its checksums right.
fn built(out: &[u8], n: usize, af: Af) -> Packet {
    let b = &out[..n];
    let p = parse(b, af);
    assert_eq!(p.len as usize, n);
    assert!(packet::header_sum_ok(b, &p));
    assert_eq!(packet::upper_sum_ok(b, &p), Some(true));
    p
}

fn segment(af: Af, seq: u32, ack: u32, flags: u8, data: &[u8]) -> Packet {
    let what = What::Tcp {
        opts: vec![],
        seq,
        ack,
        flags,
    };
    parse(&Shape::new(af, what, data).make(&ends(af), None), af)
}

#[test]
fn resets() {
    let (rst, rst_ack) = (Flags::RST, Flags::RST | Flags::ACK);
    for af in [Af::V4, Af::V6] {
        for (seq, ack, flags, data, want) in [
            // With ACK: its number, and nothing is acknowledged.
            (100, 7, 0x10, 5, (7, 0, rst)),
            (100, 7, 0x12, 0, (7, 0, rst)),
            (100, 7, 0x11, 3, (7, 0, rst)),
            // Without: all that the segment takes, SYN and FIN too.
            (100, 7, 0x02, 0, (0, 101, rst_ack)),
            (100, 7, 0x02, 5, (0, 106, rst_ack)),
            (100, 7, 0x03, 5, (0, 107, rst_ack)),
            (u32::MAX, 7, 0x02, 5, (0, 5, rst_ack)),
            (100, 7, 0x00, 0, (0, 100, rst_ack)),
        ] {
            let p = segment(af, seq, ack, flags, &vec![1; data]);
            let mut out = [0xee; 80];
            let n = build::reset(&p, 64, &mut out).unwrap().unwrap();
            let r = built(&out, n, af);
            let Upper::Tcp(seg) = r.upper else { panic!() };
            assert_eq!((seg.seq, seg.ack, seg.flags), want);
            assert_eq!((seg.window, seg.data_len, seg.header_len), (0, 0, 20));
            assert_eq!(
                (r.src, r.dst, r.ids),
                (p.dst, p.src, Ids::Ports { src: 80, dst: 4321 })
            );
            for room in 0..n {
                assert_eq!(build::reset(&p, 64, &mut out[..room]), Err(NoRoom));
            }
        }
        for flags in [0x04, 0x14] {
            assert_eq!(build::reset_for(&segment(af, 1, 2, flags, &[]), 64), None);
        }
    }
    let udp = Shape::new(Af::V4, What::Udp { sum: true }, &[1]);
    let udp = parse(&udp.make(&ends(Af::V4), None), Af::V4);
    assert_eq!(build::reset_for(&udp, 64), None);
}

#[test]
fn segments_with_an_option() {
    for af in [Af::V4, Af::V6] {
        let Ends { src, dst, .. } = ends(af);
        let ip = Ip {
            af,
            src,
            dst,
            ttl: 9,
            tos: 0xb8,
        };
        let s = Segment {
            ip,
            sport: 1,
            dport: 2,
            seq: 3,
            ack: 4,
            flags: Flags::SYN | Flags::ACK,
            window: 5,
            mss: Some(1220),
        };
        let mut out = [0xee; 70];
        let n = s.emit(&mut out).unwrap();
        let p = built(&out, n, af);
        assert_eq!((p.ttl, p.dscp(), p.src, p.dst), (9, 46, src, dst));
        assert_eq!(p.tcp_options(&out).mss.unwrap().0, 1220);
        assert!(out[n..].iter().all(|&b| b == 0xee));
    }
}

#[test]
fn problems() {
    for (af, typ, code, header, max) in [
        (Af::V4, v4::UNREACH, v4::UNREACH_PORT, 20, 576),
        (Af::V6, v6::UNREACH, v6::UNREACH_ADMIN, 40, 1280),
    ] {
        for data in [0, 1, 33, 519, 520, 1191, 1192, 1300] {
            let shape = Shape::new(af, What::Udp { sum: true }, &vec![7; data]);
            let orig = shape.make(&ends(af), None);
            let p = parse(&orig, af);
            let from = ends(af).dst + 7;
            let what = Problem {
                typ,
                code,
                arg: 0x0102_0304,
            };
            let mut out = [0xee; MAX_LEN];
            let n = build::problem(&p, &orig, what, from, 64, &mut out).unwrap();
            assert_eq!(n, max.min(header + 8 + orig.len()));
            let e = built(&out, n, af);
            assert_eq!((e.src, e.dst), (from, p.src));
            assert!(e.is_icmp_error());
            assert_eq!(out[usize::from(e.at)..][..2], [typ, code]);
            assert_eq!(out[usize::from(e.at) + 4..][..4], [1, 2, 3, 4]);
            let inner = e.embedded(&out[..n]).unwrap();
            assert_eq!((inner.src, inner.dst, inner.ids), (p.src, p.dst, p.ids));
            assert_eq!(out[header + 8..n], orig[..n - header - 8]);
            for room in [0, header, header + 8, n - 1] {
                let done = build::problem(&p, &orig, what, from, 64, &mut out[..room]);
                assert_eq!(done, Err(NoRoom));
            }
            // Of the original only a front in hand; bytes behind it are not quoted.
            let front = &orig[..header + 8];
            let n = build::problem(&p, front, what, from, 64, &mut out).unwrap();
            assert_eq!(n, header + 8 + front.len());
            let more = [&orig[..], &[9; 40]].concat();
            let n = build::problem(&p, &more, what, from, 64, &mut out).unwrap();
            assert_eq!(n, max.min(header + 8 + orig.len()));
        }
    }
}

#[test]
fn echoes() {
    for af in [Af::V4, Af::V6] {
        let Ends { src, dst, .. } = ends(af);
        let ip = Ip {
            af,
            src,
            dst,
            ttl: 1,
            tos: 0,
        };
        for reply in [false, true] {
            let mut out = [0; 100];
            let n = build::echo(&ip, reply, 0x1234, 5, &[1, 2, 3], &mut out).unwrap();
            let p = built(&out, n, af);
            assert_eq!((p.ids, p.ttl), (Ids::Query(0x1234), 1));
            let kind = if reply {
                wire::icmp::Kind::Reply
            } else {
                wire::icmp::Kind::Request
            };
            assert!(matches!(p.upper, Upper::Icmp { kind: k, .. } if k == kind));
        }
    }
}

#[test]
fn never_answered() {
    let udp = What::Udp { sum: true };
    let ask = |af, src, dst, link| {
        let ends = Ends {
            src,
            dst,
            ids: PORTS,
        };
        let p = parse(&Shape::new(af, udp.clone(), &[1]).make(&ends, None), af);
        build::may_answer(&p, if af == Af::V4 { 3 } else { 1 }, link)
    };
    let (a4, b4) = (ends(Af::V4).src, ends(Af::V4).dst);
    let (a6, b6) = (ends(Af::V6).src, ends(Af::V6).dst);
    assert_eq!(ask(Af::V4, a4, b4, false), Ok(()));
    assert_eq!(ask(Af::V6, a6, b6, false), Ok(()));
    assert_eq!(ask(Af::V4, a4, b4, true), Err(Never::LinkBroadcast));
    assert_eq!(ask(Af::V6, a6, b6, true), Err(Never::LinkBroadcast));
    for dst in [0xe000_0001, 0xefff_ffff, 0xffff_ffff] {
        assert_eq!(
            ask(Af::V4, a4, dst, false),
            Err(Never::Multicast),
            "{dst:x}"
        );
    }
    assert_eq!(ask(Af::V4, a4, 0xdfff_ffff, false), Ok(()));
    for src in [
        0,
        0x00ff_ffff,
        0x7f00_0001,
        0xe000_0001,
        0xf000_0000,
        0xffff_ffff,
    ] {
        assert_eq!(ask(Af::V4, src, b4, false), Err(Never::Source), "{src:x}");
    }
    assert_eq!(
        ask(Af::V6, a6, 0xff02 << 112 | 1, false),
        Err(Never::Multicast)
    );
    for src in [0, 1, 0xff02 << 112 | 1] {
        assert_eq!(ask(Af::V6, src, b6, false), Err(Never::Source), "{src:x}");
    }
    // Packet too big goes out for groups too, else no path MTU is found for them.
    let group = Ends {
        dst: 0xff0e << 112 | 1,
        ..ends(Af::V6)
    };
    let p = parse(
        &Shape::new(Af::V6, udp.clone(), &[1]).make(&group, None),
        Af::V6,
    );
    assert_eq!(build::may_answer(&p, v6::TOO_BIG, true), Ok(()));
    for af in [Af::V4, Af::V6] {
        // Errors, redirects too; queries are answered.
        let kinds = match af {
            Af::V4 => [3, 4, 5, 11, 12],
            Af::V6 => [1, 2, 3, 4, v6::REDIRECT],
        };
        for typ in kinds {
            let inner = Box::new(Shape::new(af, udp.clone(), &[]));
            let error = Shape::new(
                af,
                What::Error {
                    typ,
                    code: 0,
                    inner,
                },
                &[],
            );
            let p = parse(&error.make(&ends(af), Some(&ends(af))), af);
            assert_eq!(build::may_answer(&p, 3, false), Err(Never::Error), "{typ}");
        }
        let echo = Shape::new(
            af,
            What::Query {
                typ: if af == Af::V4 { 8 } else { 128 },
            },
            &[],
        );
        let p = parse(&echo.make(&ends(af), None), af);
        assert_eq!(build::may_answer(&p, 3, false), Ok(()));
        // Fragments: the first only.
        for (piece, want) in [((0, 16), Ok(())), ((16, 24), Err(Never::Fragment))] {
            let mut shape = Shape::new(af, udp.clone(), &[0; 64]);
            shape.piece = Some(piece);
            let p = parse(&shape.make(&ends(af), None), af);
            assert_eq!(build::may_answer(&p, 3, false), want);
        }
    }
}

/// Whatever the packet, its answers can be parsed and are never answered themselves.
#[test]
fn answers_end_there() {
    for seed in 0..3_000 {
        let mut noise = Noise::new(seed);
        let shape = util::shape(&mut noise, false);
        let to = util::ends(&mut noise, &shape);
        let inner = match &shape.what {
            What::Error { inner, .. } => Some(util::ends(&mut noise, inner)),
            _ => None,
        };
        let b = shape.make(&to, inner.as_ref());
        let p = parse(&b, shape.af);
        let mut out = [0; MAX_LEN];
        if let Some(n) = build::reset(&p, 64, &mut out).unwrap() {
            let r = built(&out, n, shape.af);
            assert_eq!(build::reset_for(&r, 64), None);
        }
        let (typ, code, arg) = (if shape.af == Af::V4 { 3 } else { 1 }, 3, 0);
        let n = build::problem(&p, &b, Problem { typ, code, arg }, to.dst, 64, &mut out).unwrap();
        let e = built(&out, n, shape.af);
        assert_eq!(build::may_answer(&e, typ, false), Err(Never::Error));
    }
}
