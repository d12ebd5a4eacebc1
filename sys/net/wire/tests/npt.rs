// SPDX-License-Identifier: BSD-2-Clause
//! Prefix translation (RFC 6296): its examples, there and back, checksums that do not move.

mod util;

use std::net::Ipv6Addr;
use testkit::Noise;
use util::{Shape, What};
use wire::packet::{self, Af};
use wire::rewrite::{self, Ends, Npt, Sums, Untranslatable};

fn addr(text: &str) -> u128 {
    text.parse::<Ipv6Addr>().unwrap().into()
}

/// The example of RFC 6296 for /48, and the same prefixes longer (3.5).
#[test]
fn examples() {
    let npt = Npt::new(addr("fd01:203:405::"), addr("2001:db8:1::"), 48).unwrap();
    let (inside, outside) = (addr("fd01:203:405:1::1234"), addr("2001:db8:1:d550::1234"));
    assert_eq!(npt.outbound(inside), Ok(outside));
    assert_eq!(npt.inbound(outside), Ok(inside));

    // The word behind the prefix is in the interface identifier, the first that is not ffff.
    let npt = Npt::new(addr("fd01:203:405:1::"), addr("2001:db8:1:1::"), 64).unwrap();
    let (inside, outside) = (
        addr("fd01:203:405:1::1234"),
        addr("2001:db8:1:1:d54f::1234"),
    );
    assert_eq!(npt.outbound(inside), Ok(outside));
    assert_eq!(npt.inbound(outside), Ok(inside));
    let (inside, outside) = (
        addr("fd01:203:405:1:ffff::5"),
        addr("2001:db8:1:1:ffff:d54f:0:5"),
    );
    assert_eq!(npt.outbound(inside), Ok(outside));
    assert_eq!(npt.inbound(outside), Ok(inside));
}

#[test]
fn what_has_no_counterpart() {
    let npt = Npt::new(addr("fd01:203:405::"), addr("2001:db8:1::"), 48).unwrap();
    assert_eq!(
        npt.outbound(addr("fd01:203:406::1")),
        Err(Untranslatable::Prefix)
    );
    assert_eq!(
        npt.inbound(addr("fd01:203:405::1")),
        Err(Untranslatable::Prefix)
    );
    assert_eq!(
        npt.outbound(addr("fd01:203:405:ffff::1")),
        Err(Untranslatable::Word)
    );
    let long = Npt::new(addr("fd01:203:405:1::"), addr("2001:db8:1:1::"), 64).unwrap();
    let all = addr("fd01:203:405:1:ffff:ffff:ffff:ffff");
    assert_eq!(long.outbound(all), Err(Untranslatable::Word));
    for len in [0, 113, 128, 255] {
        assert_eq!(Npt::new(1 << 127, 1 << 126, len), None);
    }
}

#[test]
fn there_and_back_without_a_new_checksum() {
    let mut lens = [0; 113];
    for seed in 0..10_000 {
        let mut noise = Noise::new(seed);
        let len = 1 + noise.below(112) as u8;
        let [inside, outside, host] = [(); 3].map(|()| util::addr(&mut noise, Af::V6));
        let npt = Npt::new(inside, outside, len).unwrap();
        let mask = u128::MAX << (128 - u32::from(len));
        let src = inside & mask | host & !mask;
        let Ok(out) = npt.outbound(src) else { continue };
        assert_eq!(out & mask, outside & mask);
        // A word of ffff comes back as such only where it was skipped.
        assert_eq!(npt.inbound(out), Ok(src), "{seed}: /{len} {src:x} {out:x}");
        lens[usize::from(len)] += 1;

        let shape = Shape::new(Af::V6, What::Udp { sum: true }, &[1, 2, 3]);
        let old = Ends {
            src,
            ..util::ends(&mut noise, &shape)
        };
        let mut b = shape.make(&old, None);
        let was = b.clone();
        let mut p = packet::parse(&b, b.len(), Af::V6).unwrap();
        let to = Ends { src: out, ..old };
        rewrite::ends(&mut b, &mut p, &to, Sums::Whole).unwrap();
        assert_eq!(b[24..], was[24..], "all but the source is as it was");
        assert_eq!(packet::upper_sum_ok(&b, &p), Some(true));
    }
    assert!(lens[1..].iter().all(|&n| n > 30));
}
