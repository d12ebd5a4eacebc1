// SPDX-License-Identifier: BSD-2-Clause
//! Rules and packets of any bits, and memory that runs out.

use classify::*;

use crate::gen_rules::{Modulo, Rng, Style, conditions};
use crate::in_kernel;

fn quick(when: Match) -> Rule {
    Rule {
        when,
        kind: Kind::Quick,
        anchor: None,
    }
}

/// Nothing is left behind, whichever allocation fails.
#[test]
fn want_of_memory() {
    for nested in [false, true] {
        let mut r = Rng::new(5);
        let style = Style {
            cares: if nested { 1 } else { 2 },
            values: 40,
            not: 10,
            fancy: true,
            nested,
        };
        let n = if nested { 150 } else { 40 };
        let rules: Vec<_> = (0..n).map(|_| quick(conditions(&mut r, &style))).collect();
        each_allocation_fails(&rules);
    }
}

fn each_allocation_fails(rules: &[Rule]) {
    for n in 1.. {
        let hit = in_kernel("edges", |k, cx| {
            k.fail_nth(host::ledger::Fault::Any, n);
            let built = Classifier::build(cx, rules, &[], &Limits::default());
            let hit = !k.fail_pending(host::ledger::Fault::Any);
            k.fail_nth(host::ledger::Fault::Any, 0);
            assert_eq!(
                built.err(),
                hit.then_some(Refused::NoMemory),
                "allocation {n}"
            );
            hit
        });
        if !hit {
            assert!(n > 20, "only {n} allocations");
            return;
        }
    }
}

/// Any bits at all: no rule and no packet makes it panic.
#[test]
fn any_bits() {
    in_kernel("edges", |_, cx| {
        let mut r = Rng::new(77);
        for round in 0..200 {
            let n = 1 + r.below(if round % 20 == 0 { 3_000 } else { 60 });
            let rules: Vec<_> = (0..n).map(|_| junk_rule(&mut r)).collect();
            let anchors: Vec<_> = (0..r.below(3) as u16)
                .map(|i| Anchor {
                    when: junk_match(&mut r),
                    quick: r.one_in(2),
                    parent: i.checked_sub(1),
                })
                .collect();
            let Ok(c) = Classifier::build(cx, &rules, &anchors, &Limits::default()) else {
                continue;
            };
            for _ in 0..200 {
                let f = junk_packet(&mut r);
                let decided = c.first(&f, &Modulo);
                assert!(decided.is_none_or(|d| rules[d as usize].when.miss(&f, &Modulo).is_none()));
                c.each(&f, &Modulo, Some(r.next() as u32), |n| {
                    assert!((n as usize) < rules.len())
                });
            }
        }
    });
}

fn wide(r: &mut Rng) -> u128 {
    let bits = u128::from(r.next()) << 64 | u128::from(r.next());
    bits >> r.pick(&[0, 96, 96, 100, 120, 127])
}

fn junk_addr(r: &mut Rng) -> AddrMatch {
    let addr = match r.below(4) {
        0 => Addr::Any,
        1 => Addr::Table(r.next() as u16),
        2 => Addr::prefix(r.pick(&[Af::V4, Af::V6]), wide(r), r.next() as u8),
        _ => Addr::Range(wide(r), wide(r)),
    };
    AddrMatch {
        addr,
        not: r.one_in(4),
    }
}

fn junk_ports(r: &mut Rng) -> Ports {
    if r.one_in(2) {
        return Ports::ANY;
    }
    Ports {
        lo: r.next() as u16,
        hi: r.next() as u16,
        not: r.one_in(4),
    }
}

fn junk_match(r: &mut Rng) -> Match {
    let some = IfSet::one(r.byte());
    Match {
        src: junk_addr(r),
        dst: junk_addr(r),
        ifaces: r.pick(&[IfSet::ANY, IfSet::NONE, some, IfSet::one(3).not()]),
        mark: (r.next() as u32, r.pick(&[0, 0, u32::MAX, 1])),
        sport: junk_ports(r),
        dport: junk_ports(r),
        tcp_flags: (r.next() as u8, r.pick(&[0, 0, 0x12, 0xff])),
        icmp: r.pick(&[
            None,
            None,
            Some(Icmp {
                kind: 1,
                code: Some(255),
            }),
        ]),
        dir: r.pick(&[None, Some(Dir::In), Some(Dir::Out)]),
        af: r.pick(&[None, Some(Af::V4), Some(Af::V6)]),
        proto: r.pick(&[None, None, Some(TCP), Some(255)]),
        dscp: r.pick(&[None, None, Some(255)]),
        frags: r.next() as u8,
        maybe: r.one_in(3),
    }
}

fn junk_rule(r: &mut Rng) -> Rule {
    Rule {
        when: junk_match(r),
        kind: r.pick(&[Kind::Last, Kind::Quick, Kind::Note]),
        anchor: None,
    }
}

fn junk_packet(r: &mut Rng) -> Fields {
    let af = r.pick(&[Af::V4, Af::V6]);
    let most = if af == Af::V4 {
        u128::from(u32::MAX)
    } else {
        u128::MAX
    };
    Fields {
        src: wide(r) & most,
        dst: wide(r) & most,
        mark: r.next() as u32,
        sport: r.next() as u16,
        dport: r.next() as u16,
        af,
        dir: r.pick(&[Dir::In, Dir::Out]),
        iface: r.byte(),
        proto: r.pick(&[TCP, 255, 1]),
        tcp_flags: r.next() as u8,
        icmp_type: r.next() as u8,
        icmp_code: r.next() as u8,
        dscp: r.next() as u8,
        frag: r.pick(&[Frag::Whole, Frag::First, Frag::Later]),
    }
}
