// SPDX-License-Identifier: BSD-2-Clause
//! Compiled rules and the reference agree, whatever the rules.

use classify::{Addr, AddrMatch, Af, Classifier, Fields, Frag, Kind, Limits, Match, Ports, Rule};
use kern::cx::Thread;
use proptest::prelude::*;

use crate::gen_rules::{Modulo, Rng, Ruleset, Style, packet, ruleset};
use crate::in_kernel;
use crate::model::{Outcome, evaluate};

fn accept(number: u32) -> bool {
    !number.is_multiple_of(3)
}

fn outcome(c: &Classifier, f: &Fields) -> Outcome {
    let decided = c.first_where(f, &Modulo, accept);
    let mut notes = Vec::new();
    c.each(f, &Modulo, decided, |n| notes.push(n));
    Outcome { decided, notes }
}

fn compare(cx: &mut Thread, r: &mut Rng, set: &Ruleset, packets: usize) {
    let c = Classifier::build(cx, &set.rules, &set.anchors, &Limits::default()).unwrap();
    assert_eq!(c.len(), set.rules.len());
    for _ in 0..packets {
        let f = packet(r, &set.rules);
        let want = evaluate(&set.rules, &set.anchors, &f, &Modulo, &accept);
        let got = outcome(&c, &f);
        assert_eq!(got, want, "{f:x?} in {:#x?} {:#x?}", set.rules, set.anchors);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn small_rulesets(seed: u64, n in 0usize..60, cares in 1u64..6, values in 1u64..200,
        not in 2u64..20, fancy: bool, nested: bool)
    {
        in_kernel("equal", |_, cx| {
            let mut r = Rng::new(seed);
            let set = ruleset(&mut r, &Style { cares, values, not, fancy, nested }, n);
            compare(cx, &mut r, &set, 60);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn larger_rulesets(seed: u64, n in 100usize..1_500, cares in 1u64..6, values in 1u64..70_000,
        not in 2u64..200, fancy: bool, nested: bool)
    {
        in_kernel("equal", |_, cx| {
            let mut r = Rng::new(seed);
            let set = ruleset(&mut r, &Style { cares, values, not, fancy, nested }, n);
            compare(cx, &mut r, &set, 300);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, max_shrink_iters: 20, ..ProptestConfig::default() })]

    /// So many that overlap that their sets have several pages.
    #[test]
    fn nested_rulesets(seed: u64, n in 1_000usize..2_000, cares in 1u64..3, values in 20u64..70_000,
        not in 20u64..400, fancy: bool)
    {
        in_kernel("equal", |_, cx| {
            let mut r = Rng::new(seed);
            let nested = true;
            let set = ruleset(&mut r, &Style { cares, values, not, fancy, nested }, n);
            compare(cx, &mut r, &set, 150);
        });
    }
}

/// Rules that nest in both addresses, the worst there is, take bounded memory and are still right,
/// be the widest the first, the narrowest, or neither.
#[test]
fn nested_ranges() {
    in_kernel("equal", |_, cx| {
        let n = 2_000u32;
        let range = |i: u32| AddrMatch {
            addr: Addr::Range(u128::from(i), u128::from(3 * n - i)),
            not: false,
        };
        for shape in 0..3 {
            let rules: Vec<_> = (0..n)
                .map(|i| Rule {
                    when: Match {
                        src: range(if shape == 0 { i } else { n - 1 - i }),
                        dst: range([i, n - 1 - i, (i * 7919) % n][shape]),
                        af: Some(Af::V4),
                        ..Match::ANY
                    },
                    kind: Kind::Quick,
                    anchor: None,
                })
                .collect();
            let c = Classifier::build(cx, &rules, &[], &Limits::default()).unwrap();
            assert!(c.bytes() < 700 * rules.len(), "{}", c.bytes());
            let mut r = Rng::new(1);
            for _ in 0..1_000 {
                let f = packet(&mut r, &rules);
                let want = rules
                    .iter()
                    .position(|r| r.when.miss(&f, &Modulo).is_none());
                assert_eq!(c.first(&f, &Modulo), want.map(|w| w as u32));
            }
        }
    });
}

/// A later fragment has no ports: of rules that nest in addresses and ports it meets those that do
/// not ask for any, whatever its fields say.
#[test]
fn fragments_among_nested_ports() {
    in_kernel("equal", |_, cx| {
        let n = 400u16;
        let rules: Vec<_> = (0..n)
            .map(|i| Rule {
                when: Match {
                    src: AddrMatch {
                        addr: Addr::Range(u128::from(n - i), u128::from(n + i)),
                        not: false,
                    },
                    dport: Ports {
                        lo: 0,
                        hi: if i % 8 == 7 { u16::MAX } else { i },
                        not: false,
                    },
                    ..Match::ANY
                },
                kind: Kind::Quick,
                anchor: None,
            })
            .collect();
        let c = Classifier::build(cx, &rules, &[], &Limits::default()).unwrap();
        for off in 0..n + 2 {
            for (dport, frag) in [(0, Frag::Later), (off, Frag::Later), (off / 2, Frag::First)] {
                let f = Fields {
                    src: u128::from(n + off),
                    dport,
                    frag,
                    ..Fields::new(Af::V4)
                };
                let met = |r: &Rule| r.when.miss(&f, &Modulo).is_none();
                let want = rules.iter().position(met);
                assert_eq!(c.first(&f, &Modulo), want.map(|w| w as u32), "{f:?}");
            }
        }
    });
}
