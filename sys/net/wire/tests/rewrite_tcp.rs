// SPDX-License-Identifier: BSD-2-Clause
//! Changed segment sizes, sequence numbers and payloads, against packets made anew.

mod util;

use testkit::Noise;
use util::{Shape, What};
use wire::packet::{self, Af, Packet};
use wire::rewrite::{self, Refused, Sums};

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

#[test]
fn segment_size() {
    let mut clamped = 0;
    for seed in 0..5_000 {
        let mut noise = Noise::new(seed);
        let af = [Af::V4, Af::V6][noise.below(2)];
        let flags = [2, 0x12, 0x10][noise.below(3)];
        let (mss, max) = (noise.word() as u16, noise.word() as u16);
        let mut again = noise.clone();
        let opts = util::tcp_options(&mut noise, mss);
        let lower = util::tcp_options(&mut again, mss.min(max));
        let n = noise.below(5);
        let what = |opts| What::Tcp {
            opts,
            seq: 1,
            ack: 2,
            flags,
        };
        let mut shape = Shape::new(af, what(opts.clone()), &util::bytes(&mut noise, n));
        shape.partial = noise.below(3) == 0;
        let ends = util::ends(&mut noise, &shape);
        let mut b = shape.make(&ends, None);
        let was = b.clone();
        let p = parsed(&b, af);
        let done = rewrite::clamp_mss(&mut b, &p, max, sums(&shape));
        shape.what = what(if flags & 2 != 0 { lower } else { opts });
        let want = shape.make(&ends, None);
        assert_eq!((done, &b), (want != was, &want), "{seed}");
        clamped += usize::from(done);
    }
    assert!(clamped > 500, "{clamped}");
}

#[test]
fn shifted_streams() {
    for seed in 0..5_000 {
        let mut noise = Noise::new(seed);
        let af = [Af::V4, Af::V6][noise.below(2)];
        let (seq, ack) = (noise.word() as u32, noise.word() as u32);
        let (add_seq, add_ack) = match noise.below(3) {
            0 => (noise.word() as u32, 0),
            1 => (0, noise.word() as u32),
            _ => (noise.word() as u32, (-3i32).cast_unsigned()),
        };
        let opts = util::tcp_options(&mut noise, 1460);
        let mut shifted = opts.clone();
        if let Some(sack) = wire::tcp::Options::parse(&opts).sack {
            for at in (0..usize::from(sack.len)).step_by(4) {
                let edge = &mut shifted[usize::from(sack.at) + at..][..4];
                let old = u32::from_be_bytes((&*edge).try_into().unwrap());
                edge.copy_from_slice(&old.wrapping_add(add_ack).to_be_bytes());
            }
        }
        let what = |opts, seq, ack| What::Tcp {
            opts,
            seq,
            ack,
            flags: 0x18,
        };
        let n = noise.below(6);
        let mut shape = Shape::new(af, what(opts, seq, ack), &util::bytes(&mut noise, n));
        shape.partial = noise.below(3) == 0;
        let ends = util::ends(&mut noise, &shape);
        let mut b = shape.make(&ends, None);
        let mut p = parsed(&b, af);
        rewrite::shift(&mut b, &mut p, add_seq, add_ack, sums(&shape));
        shape.what = what(
            shifted,
            seq.wrapping_add(add_seq),
            ack.wrapping_add(add_ack),
        );
        assert_eq!(b, shape.make(&ends, None), "{seed}");
        assert_eq!(p, parsed(&b, af), "{seed}");
    }
}

#[test]
fn spliced_payloads() {
    for seed in 0..5_000 {
        let mut noise = Noise::new(seed);
        let af = [Af::V4, Af::V6][noise.below(2)];
        let what = match noise.below(2) {
            0 => What::Udp { sum: true },
            _ => What::Tcp {
                opts: util::tcp_options(&mut noise, 1460),
                seq: 7,
                ack: 8,
                flags: 0x18,
            },
        };
        let sizes = [
            noise.below(40),
            noise.below(30),
            noise.below(30),
            noise.below(40),
        ];
        let [a, old, new, z] = sizes.map(|n| util::bytes(&mut noise, n));
        let mut shape = Shape::new(af, what, &[&a[..], &old, &z].concat());
        if af == Af::V4 && noise.below(3) == 0 {
            shape.options = vec![1; 8];
        }
        shape.partial = noise.below(3) == 0;
        let ends = util::ends(&mut noise, &shape);
        let mut b = shape.make(&ends, None);
        let mut p = parsed(&b, af);
        let at = p.data_at().unwrap() + a.len();
        let grown = b.len() - old.len() + new.len();
        // Without room nothing happens.
        if new.len() > old.len() {
            let was = b.clone();
            let done = rewrite::splice(&mut b, &mut p, at, old.len(), &new, sums(&shape));
            assert_eq!((done, &b), (Err(Refused::NoRoom), &was));
        }
        b.resize(b.len().max(grown), 0xee);
        let done = rewrite::splice(&mut b, &mut p, at, old.len(), &new, sums(&shape));
        assert_eq!(done, Ok(grown), "{seed}");
        b.truncate(grown);
        shape.payload = [&a[..], &new, &z].concat();
        assert_eq!(b, shape.make(&ends, None), "{seed}");
        assert_eq!(p, parsed(&b, af), "{seed}");
        // Headers are no payload.
        let done = rewrite::splice(&mut b, &mut p, at - a.len() - 1, 0, &[], sums(&shape));
        assert_eq!(done, Err(Refused::Short));
    }
}
