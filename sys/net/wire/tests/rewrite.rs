// SPDX-License-Identifier: BSD-2-Clause
//! Rewritten packets against packets made anew with what they were to get: equal byte for byte, for
//! all kinds, odd lengths, fragments, errors with cut-off packets in them.

mod util;

use testkit::Noise;
use util::{Shape, What};
use wire::packet::{self, Af, Bad, Ids, Packet, Upper};
use wire::rewrite::{self, Ends, Refused, Sums};

const CASES: u64 = 15_000;

fn parsed(b: &[u8], af: Af) -> Packet {
    packet::parse(b, b.len(), af).unwrap_or_else(|bad| panic!("{bad}: {b:02x?}"))
}

fn sums(shape: &Shape) -> Sums {
    if shape.partial {
        Sums::Partial
    } else {
        Sums::Whole
    }
}

/// Old and new bytes of a packet, and of an error's embedded packet the ends.
struct Case {
    shape: Shape,
    old: Ends,
    new: Ends,
    inner: Option<(Ends, Ends)>,
}

impl Case {
    fn of(seed: u64) -> Case {
        let mut noise = Noise::new(seed);
        let mut shape = util::shape(&mut noise, false);
        shape.partial = noise.below(4) == 0;
        let old = util::ends(&mut noise, &shape);
        let new = util::other(&mut noise, &shape, &old);
        let inner = match &shape.what {
            What::Error { inner, .. } => {
                let old = util::ends(&mut noise, inner);
                Some((old, util::other(&mut noise, inner, &old)))
            }
            _ => None,
        };
        Case {
            shape,
            old,
            new,
            inner,
        }
    }

    fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let inner = self.inner.as_ref();
        (
            self.shape.make(&self.old, inner.map(|(old, _)| old)),
            self.shape.make(&self.new, inner.map(|(_, new)| new)),
        )
    }

    /// Rewrites `b` from old to new; what it has become.
    fn rewrite(&self, b: &mut [u8], len: usize) -> Result<(Packet, Option<Packet>), Refused> {
        let mut p = packet::parse(b, len, self.shape.af).expect("was parsed");
        let Some((_, new)) = &self.inner else {
            rewrite::ends(b, &mut p, &self.new, sums(&self.shape))?;
            return Ok((p, None));
        };
        let mut inner = p.embedded(b).expect("was parsed");
        let addrs = (self.new.src, self.new.dst);
        rewrite::error(b, &mut p, &mut inner, addrs, new)?;
        Ok((p, Some(inner)))
    }
}

#[test]
fn equal_to_packets_made_anew() {
    let (mut kinds, mut cut) = (std::collections::BTreeSet::new(), 0);
    for seed in 0..CASES {
        let mut case = Case::of(seed);
        let (mut b, _) = case.bytes();
        let p = parsed(&b, case.shape.af);
        if p.is_later_fragment() {
            case.new.ids = Ids::None;
        }
        // Padding behind the packet stays, and does not count.
        let n = b.len();
        b.resize(n + seed as usize % 20, 0xee);
        let (p, inner) = case
            .rewrite(&mut b, n)
            .unwrap_or_else(|e| panic!("{seed}: {e:?} {:?}", case.shape));
        if p.is_later_fragment() {
            // Made anew with ids that are not in it.
            case.new.ids = case.old.ids;
        }
        assert!(b[n..].iter().all(|&b| b == 0xee));
        b.truncate(n);
        let (_, want) = case.bytes();
        assert_eq!(
            b, want,
            "{seed}: {:?} {:?} {:?}",
            case.shape, case.old, case.new
        );
        // What is said to have become of it is what the parser reads.
        assert_eq!(parsed(&b, case.shape.af), p, "{seed}");
        if let Some(inner) = inner {
            assert_eq!(p.embedded(&b), Ok(inner), "{seed}");
            cut += usize::from(matches!(inner.upper, Upper::TcpPart { .. }));
        }
        kinds.insert((
            case.shape.af,
            p.proto,
            p.is_fragment(),
            inner.map(|i| i.proto),
        ));
    }
    assert!(kinds.len() > 45, "{}", kinds.len());
    assert!(cut > 25, "{cut}");
}

#[test]
fn there_and_back_again() {
    for seed in 0..2_000 {
        let mut case = Case::of(seed);
        let (mut b, _) = case.bytes();
        let was = b.clone();
        if parsed(&b, case.shape.af).is_later_fragment() {
            (case.old.ids, case.new.ids) = (Ids::None, Ids::None);
        }
        let n = b.len();
        case.rewrite(&mut b, n).unwrap();
        std::mem::swap(&mut case.old, &mut case.new);
        case.inner = case.inner.map(|(old, new)| (new, old));
        case.rewrite(&mut b, n).unwrap();
        assert_eq!(b, was, "{seed}");
    }
}

/// A wrong checksum stays wrong: the receiver, not the translator, is to find out.
#[test]
fn wrong_sums_stay_wrong() {
    for seed in 0..3_000 {
        let case = Case::of(seed);
        let (mut b, _) = case.bytes();
        let p = parsed(&b, case.shape.af);
        if packet::upper_sum_ok(&b, &p) != Some(true) {
            continue;
        }
        let at = usize::from(p.at) + if p.proto == 6 { 13 } else { 3 };
        if matches!(p.upper, Upper::Udp { .. } | Upper::Icmp { .. }) || p.proto == 136 {
            // The last byte is payload.
            *b.last_mut().unwrap() ^= 0x40;
        } else {
            b[at] ^= 0x40;
        }
        let Ok(p) = packet::parse(&b, b.len(), case.shape.af) else {
            continue;
        };
        if packet::upper_sum_ok(&b, &p) != Some(false) || case.inner.is_some() {
            continue;
        }
        let n = b.len();
        let (p, _) = case.rewrite(&mut b, n).unwrap();
        assert_eq!(packet::upper_sum_ok(&b, &p), Some(false), "{seed}");
    }
}

/// With less in hand than would change, nothing changes; with enough, the rest need not be there.
#[test]
fn every_contiguous_front() {
    let mut short = 0;
    for seed in 0..800 {
        let mut case = Case::of(seed);
        let (b, _) = case.bytes();
        if parsed(&b, case.shape.af).is_later_fragment() {
            case.new.ids = Ids::None;
        }
        let mut want = b.clone();
        case.rewrite(&mut want, b.len()).unwrap();
        for n in 0..=b.len() {
            let mut front = b[..n].to_vec();
            let p = match packet::parse(&front, b.len(), case.shape.af) {
                Ok(p) => p,
                Err(bad) => {
                    assert_eq!(bad, Bad::Beyond, "{seed} {n}");
                    continue;
                }
            };
            if case.inner.is_some() {
                // What can be seen of the embedded packet is the same, or not enough.
                match p.embedded(&front) {
                    Ok(inner) => assert_eq!(Ok(inner), p.embedded(&b), "{seed} {n}"),
                    Err(bad) => {
                        assert_eq!(bad, Bad::Beyond, "{seed} {n}");
                        continue;
                    }
                }
            }
            match case.rewrite(&mut front, b.len()) {
                Ok(_) => assert_eq!(front, want[..n], "{seed} {n}"),
                Err(refused) => {
                    short += 1;
                    assert_eq!((refused, &front[..]), (Refused::Short, &b[..n]));
                }
            }
        }
    }
    assert!(short > 50, "{short}");
}

#[test]
fn what_cannot_change() {
    let mut noise = Noise::new(1);
    let old = |noise: &mut Noise, shape: &Shape| util::ends(noise, shape);
    let sctp = Shape::new(Af::V4, What::Sctp, &[0; 12]);
    let esp = Shape::new(Af::V4, What::Esp, &[0; 12]);
    let tcp = What::Tcp {
        opts: vec![],
        seq: 1,
        ack: 2,
        flags: 16,
    };
    let mut ah = Shape::new(Af::V6, tcp.clone(), &[]);
    ah.exts = vec![(51, [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1].to_vec())];
    for shape in [&sctp, &esp] {
        let ends = old(&mut noise, shape);
        let mut b = shape.make(&ends, None);
        let was = b.clone();
        let mut p = parsed(&b, Af::V4);
        let to = Ends {
            ids: ends.ids.with_pair(1, 2),
            ..ends
        };
        let refused = rewrite::ends(&mut b, &mut p, &to, Sums::Whole);
        assert_eq!((refused, &b), (Err(Refused::Ids), &was));
        // Addresses may.
        let to = Ends { src: 7, ..ends };
        assert_eq!(rewrite::ends(&mut b, &mut p, &to, Sums::Whole), Ok(()));
        assert_eq!(b, shape.make(&to, None));
    }
    let ends = old(&mut noise, &ah);
    let mut b = ah.make(&ends, None);
    let mut p = parsed(&b, Af::V6);
    assert!(p.authenticated && p.proto == 6);
    let to = Ends { src: 7, ..ends };
    assert_eq!(
        rewrite::ends(&mut b, &mut p, &to, Sums::Whole),
        Err(Refused::Authenticated)
    );
    let query = Ends {
        ids: Ids::Query(1),
        ..ends
    };
    assert_eq!(
        rewrite::ends(&mut b, &mut p, &query, Sums::Whole),
        Err(Refused::Ids)
    );
    assert_eq!(b, ah.make(&ends, None));
    // No error, no embedded packet.
    let mut other = p;
    let done = rewrite::error(&mut b, &mut p, &mut other, (1, 2), &ends);
    assert_eq!(done, Err(Refused::Ids));
}

/// The example of RFC 1624, 4: the sum that equation 2 of RFC 1141 gets wrong.
#[test]
fn rfc1624_example() {
    // A header whose checksum is dd2f, of which one word changes from 5555 to 3285.
    let mut b = [0u8; 20];
    let shape = Shape::new(Af::V4, What::Other(89), &[]);
    let ends = Ends {
        src: 0x5555_0000,
        dst: 0,
        ids: Ids::None,
    };
    b.copy_from_slice(&shape.make(&ends, None));
    b[10..12].copy_from_slice(&[0xdd, 0x2f]);
    let mut p = parsed(&b, Af::V4);
    let to = Ends {
        src: 0x3285_0000,
        ..ends
    };
    rewrite::ends(&mut b, &mut p, &to, Sums::Whole).unwrap();
    assert_eq!(b[10..12], [0, 0], "not ffff");
}

/// An echo reply of zeros alone: the one place where checksums of 0 and ffff differ.
#[test]
fn zeros_alone() {
    let shape = Shape::new(Af::V4, What::Query { typ: 0 }, &[0; 5]);
    let ends = |id| Ends {
        src: 1,
        dst: 2,
        ids: Ids::Query(id),
    };
    let zeros = |id| {
        let mut b = shape.make(&ends(id), None);
        // The number of the query, which the shape sets, and the checksum for it.
        b[27] = 0;
        let sum = u16::from_be_bytes([b[22], b[23]]) + 7;
        b[22..24].copy_from_slice(&sum.to_be_bytes());
        b
    };
    let mut b = zeros(9);
    let mut p = parsed(&b, Af::V4);
    assert_eq!(packet::upper_sum_ok(&b, &p), Some(true));
    rewrite::ends(&mut b, &mut p, &ends(0), Sums::Whole).unwrap();
    assert_eq!(
        (&b[22..24], packet::upper_sum_ok(&b, &p)),
        (&[0xff; 2][..], Some(true))
    );
    rewrite::ends(&mut b, &mut p, &ends(9), Sums::Whole).unwrap();
    assert_eq!(b, zeros(9));
}

#[test]
fn udp_without_a_sum_keeps_none_and_a_sum_of_0_is_ffff() {
    let mut noise = Noise::new(2);
    let (mut none, mut ones) = (0, 0);
    for af in [Af::V4, Af::V6] {
        for sum in [false, true] {
            let shape = Shape::new(af, What::Udp { sum }, &[1, 2, 3]);
            // All ports: among 65,536 sums one is 0.
            let old = util::ends(&mut noise, &shape);
            let was = shape.make(&old, None);
            for dst in 0..=u16::MAX {
                let to = Ends {
                    ids: Ids::Ports { src: 5000, dst },
                    ..old
                };
                let mut b = was.clone();
                let mut p = parsed(&b, af);
                rewrite::ends(&mut b, &mut p, &to, Sums::Whole).unwrap();
                let at = usize::from(p.at) + 6;
                match u16::from_be_bytes([b[at], b[at + 1]]) {
                    0 => none += 1,
                    0xffff => {
                        ones += 1;
                        assert_eq!(packet::upper_sum_ok(&b, &p), Some(true));
                    }
                    _ => {}
                }
            }
        }
    }
    assert_eq!(none, 2 * 65_536);
    assert!(ones >= 2, "{ones}");
}
