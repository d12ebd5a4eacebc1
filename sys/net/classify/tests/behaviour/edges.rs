// SPDX-License-Identifier: BSD-2-Clause
//! The edges of each condition, of order and of the limits.

use classify::*;
use kern::errno::Errno;

use crate::gen_rules::Modulo;
use crate::in_kernel;

fn quick(when: Match) -> Rule {
    Rule {
        when,
        kind: Kind::Quick,
        anchor: None,
    }
}

fn last(when: Match, anchor: Option<u16>) -> Rule {
    Rule {
        when,
        kind: Kind::Last,
        anchor,
    }
}

fn anchor(quick: bool, parent: Option<u16>) -> Anchor {
    Anchor {
        when: Match::ANY,
        quick,
        parent,
    }
}

fn first(rules: &[Rule], anchors: &[Anchor], f: &Fields) -> Option<u32> {
    in_kernel("edges", |_, cx| {
        let c = Classifier::build(cx, rules, anchors, &Limits::default()).unwrap();
        c.first(f, &Modulo)
    })
}

/// That a rule of just `when` matches exactly where it should, and says what is amiss elsewhere.
fn check(when: Match, yes: &[Fields], no: &[(Fields, Condition)]) {
    for f in yes {
        assert_eq!(first(&[quick(when)], &[], f), Some(0), "{when:?} {f:?}");
        assert_eq!(when.miss(f, &Modulo), None);
    }
    for (f, why) in no {
        assert_eq!(first(&[quick(when)], &[], f), None, "{when:?} {f:?}");
        assert_eq!(when.miss(f, &Modulo), Some(*why));
    }
}

const V4: Fields = Fields::new(Af::V4);
const V6: Fields = Fields::new(Af::V6);

fn src(addr: Addr, not: bool) -> Match {
    Match {
        src: AddrMatch { addr, not },
        ..Match::ANY
    }
}

fn from(af: Af, addr: u128) -> Fields {
    Fields {
        src: addr,
        ..Fields::new(af)
    }
}

#[test]
fn addresses() {
    let net = Addr::prefix(Af::V4, 0x0a01_02ff, 24);
    assert_eq!(net, Addr::Range(0x0a01_0200, 0x0a01_02ff));
    let inside = [from(Af::V4, 0x0a01_0200), from(Af::V4, 0x0a01_02ff)];
    let outside = [from(Af::V4, 0x0a01_01ff), from(Af::V4, 0x0a01_0300)];
    let miss = outside.map(|f| (f, Condition::Source));
    check(src(net, false), &inside, &miss);
    check(
        src(net, true),
        &outside,
        &inside.map(|f| (f, Condition::Source)),
    );

    let top = u128::from(u32::MAX);
    check(
        src(Addr::prefix(Af::V4, 0, 0), false),
        &[V4, from(Af::V4, top)],
        &[],
    );
    check(
        src(Addr::prefix(Af::V4, top, 32), false),
        &[from(Af::V4, top)],
        &[(V4, Condition::Source)],
    );
    let all = Addr::prefix(Af::V6, 7, 0);
    assert_eq!(all, Addr::Range(0, u128::MAX));
    check(src(all, false), &[V6, from(Af::V6, u128::MAX), V4], &[]);
    check(src(Addr::Any, true), &[], &[(V4, Condition::Source)]);
    // Ranges that hold nothing, and ranges beyond IPv4.
    check(
        src(Addr::Range(5, 4), false),
        &[],
        &[(from(Af::V4, 5), Condition::Source)],
    );
    check(src(Addr::Range(5, 4), true), &[from(Af::V4, 5)], &[]);
    check(
        src(Addr::Range(top + 1, u128::MAX), false),
        &[from(Af::V6, u128::MAX)],
        &[(V4, Condition::Source)],
    );
    check(
        src(Addr::Range(top + 1, u128::MAX), true),
        &[V4, from(Af::V4, top)],
        &[],
    );
    // Tables; there is no table 9.
    check(
        src(Addr::Table(3), false),
        &[from(Af::V4, 8)],
        &[(V4, Condition::Source)],
    );
    check(
        src(Addr::Table(3), true),
        &[V4],
        &[(from(Af::V6, 3), Condition::Source)],
    );
    check(src(Addr::Table(9), false), &[], &[(V4, Condition::Source)]);
}

#[test]
fn ports_of_fragments() {
    let low = Ports {
        lo: 0,
        hi: 1023,
        not: false,
    };
    let mut when = Match {
        proto: Some(TCP),
        dport: low,
        ..Match::ANY
    };
    let tcp = Fields { proto: TCP, ..V4 };
    let first_part = Fields {
        frag: Frag::First,
        ..tcp
    };
    let later = Fields {
        frag: Frag::Later,
        ..tcp
    };
    let high = Fields { dport: 1024, ..tcp };
    let miss = (high, Condition::DestinationPort);
    check(
        when,
        &[tcp, first_part, Fields { dport: 1023, ..tcp }],
        &[miss, (later, Condition::Fragment)],
    );
    when.dport.not = true;
    check(
        when,
        &[high],
        &[
            (tcp, Condition::DestinationPort),
            (
                Fields {
                    frag: Frag::Later,
                    ..high
                },
                Condition::Fragment,
            ),
        ],
    );
    when.dport = Ports {
        not: true,
        ..Ports::ANY
    };
    check(
        when,
        &[],
        &[
            (tcp, Condition::DestinationPort),
            (high, Condition::DestinationPort),
        ],
    );
    when.dport = Ports::ANY;
    check(when, &[tcp, later, high], &[(V4, Condition::Proto)]);
    when.frags = Frag::Later as u8;
    check(
        when,
        &[later],
        &[
            (tcp, Condition::Fragment),
            (first_part, Condition::Fragment),
        ],
    );
    when.frags = 0;
    check(when, &[], &[(tcp, Condition::Fragment)]);
}

#[test]
fn flags_types_marks() {
    let syn = Match {
        tcp_flags: (2, 0x12),
        ..Match::ANY
    };
    let tcp = Fields {
        proto: TCP,
        tcp_flags: 2,
        ..V4
    };
    let synack = Fields {
        tcp_flags: 0x12,
        ..tcp
    };
    let later = Fields {
        frag: Frag::Later,
        ..tcp
    };
    // Not TCP: the flags do not matter.
    check(
        syn,
        &[
            tcp,
            V4,
            Fields {
                tcp_flags: 0xc2,
                ..tcp
            },
        ],
        &[(synack, Condition::TcpFlags), (later, Condition::Fragment)],
    );
    let mut echo = Match {
        icmp: Some(Icmp {
            kind: 8,
            code: None,
        }),
        ..Match::ANY
    };
    let ping = Fields {
        proto: 1,
        icmp_type: 8,
        icmp_code: 3,
        ..V4
    };
    check(
        echo,
        &[ping, Fields { proto: 58, ..ping }],
        &[
            (tcp, Condition::Icmp),
            (Fields { proto: TCP, ..ping }, Condition::Icmp),
        ],
    );
    echo.icmp = Some(Icmp {
        kind: 8,
        code: Some(0),
    });
    check(
        echo,
        &[Fields {
            icmp_code: 0,
            ..ping
        }],
        &[(ping, Condition::Icmp)],
    );
    let marked = |value, mask| Match {
        mark: (value, mask),
        ..Match::ANY
    };
    let m = |mark| Fields { mark, ..V4 };
    check(
        marked(5, u32::MAX),
        &[m(5)],
        &[(m(4), Condition::Mark), (m(0x8000_0005), Condition::Mark)],
    );
    check(
        marked(u32::MAX, u32::MAX),
        &[m(u32::MAX)],
        &[(m(0), Condition::Mark)],
    );
    check(
        marked(4, 6),
        &[m(4), m(5), m(12)],
        &[(m(6), Condition::Mark)],
    );
    check(marked(1, 0), &[], &[(m(1), Condition::Mark)]);
    let dscp = Match {
        dscp: Some(46),
        ..Match::ANY
    };
    check(dscp, &[Fields { dscp: 46, ..V4 }], &[(V4, Condition::Dscp)]);
}

#[test]
fn ways_and_interfaces() {
    let inward = Match {
        dir: Some(Dir::In),
        ..Match::ANY
    };
    check(
        inward,
        &[V4, V6],
        &[(
            Fields {
                dir: Dir::Out,
                ..V6
            },
            Condition::Dir,
        )],
    );
    let six = Match {
        af: Some(Af::V6),
        ..Match::ANY
    };
    check(six, &[V6], &[(V4, Condition::Family)]);
    let on = |slot| Fields { iface: slot, ..V4 };
    for slot in [0, 63, 64, 127, 128, 191, 192, 255] {
        let just = IfSet::one(slot);
        let others = (0..=255).filter(|s| *s != slot);
        assert!(just.has(slot) && others.clone().all(|s| !just.has(s)));
        assert!(!just.not().has(slot) && others.clone().all(|s| just.not().has(s)));
        let m = Match {
            ifaces: just,
            ..Match::ANY
        };
        check(m, &[on(slot)], &[(on(slot ^ 1), Condition::Interface)]);
        let m = Match {
            ifaces: just.not(),
            ..Match::ANY
        };
        check(m, &[on(slot ^ 1)], &[(on(slot), Condition::Interface)]);
    }
    check(
        Match {
            ifaces: IfSet::NONE,
            ..Match::ANY
        },
        &[],
        &[(V4, Condition::Interface)],
    );
    assert_eq!(
        IfSet::one(3).with(200).and(IfSet::one(200)),
        IfSet::one(200)
    );
}

/// More interfaces that rules tell apart than trees are made for: they share one.
#[test]
fn as_many_interfaces_as_there_are() {
    in_kernel("edges", |_, cx| {
        let mut rules = Vec::new();
        for slot in 0..=255 {
            let m = Match {
                ifaces: IfSet::one(slot).not(),
                dport: Ports::one(u16::from(slot)),
                ..Match::ANY
            };
            rules.push(quick(m));
            rules.push(quick(Match {
                ifaces: IfSet::one(slot),
                sport: Ports::one(9),
                ..Match::ANY
            }));
        }
        let c = Classifier::build(cx, &rules, &[], &Limits::default()).unwrap();
        for iface in 0..=255u8 {
            for dport in 0..=255u16 {
                let mut f = Fields { iface, dport, ..V4 };
                let want = (u16::from(iface) != dport).then_some(u32::from(dport) * 2);
                assert_eq!(c.first(&f, &NoTables), want);
                f.sport = 9;
                let own = u32::from(iface) * 2 + 1;
                let want = want.map_or(own, |w| w.min(own));
                assert_eq!(c.first(&f, &NoTables), Some(want));
            }
        }
        assert!(c.bytes() < 1 << 20, "{}", c.bytes());
    });
}

#[test]
fn order() {
    let any = Match::ANY;
    let never = Match {
        proto: Some(99),
        ..any
    };
    assert_eq!(first(&[], &[], &V4), None);
    assert_eq!(
        first(&[last(any, None), last(any, None)], &[], &V4),
        Some(1)
    );
    assert_eq!(
        first(&[last(any, None), last(never, None)], &[], &V4),
        Some(0)
    );
    assert_eq!(
        first(&[last(any, None), quick(any), last(any, None)], &[], &V4),
        Some(1)
    );
    assert_eq!(first(&[quick(any), quick(any)], &[], &V4), Some(0));
    // The last match of a quick anchor beats what stands behind it, and what stands before.
    let rules = [
        last(any, None),
        last(any, Some(0)),
        last(any, Some(0)),
        quick(any),
    ];
    assert_eq!(first(&rules, &[anchor(true, None)], &V4), Some(2));
    assert_eq!(first(&rules, &[anchor(false, None)], &V4), Some(3));
    // Within anchors; the inner one is quick.
    let rules = [
        last(any, Some(0)),
        last(any, Some(1)),
        last(any, Some(0)),
        last(any, None),
    ];
    let anchors = [anchor(false, None), anchor(true, Some(0))];
    assert_eq!(first(&rules, &anchors, &V4), Some(1));
    // An anchor's own conditions.
    let mut closed = [anchor(true, None)];
    closed[0].when.proto = Some(TCP);
    let rules = [last(any, None), last(any, Some(0))];
    assert_eq!(first(&rules, &closed, &V4), Some(0));
    assert_eq!(
        first(&rules, &closed, &Fields { proto: TCP, ..V4 }),
        Some(1)
    );
}

#[test]
fn notes_up_to_where_it_stops() {
    let note = |anchor| Rule {
        when: Match::ANY,
        kind: Kind::Note,
        anchor,
    };
    let any = Match::ANY;
    let notes = |rules: &[Rule], anchors: &[Anchor]| {
        in_kernel("edges", |_, cx| {
            let c = Classifier::build(cx, rules, anchors, &Limits::default()).unwrap();
            let mut seen = Vec::new();
            let decided = c.first(&V4, &NoTables);
            c.each(&V4, &NoTables, decided, |n| seen.push(n));
            seen
        })
    };
    assert_eq!(
        notes(&[note(None), last(any, None), note(None)], &[]),
        [0, 2]
    );
    assert_eq!(notes(&[note(None), quick(any), note(None)], &[]), [0]);
    assert_eq!(notes(&[note(None), note(None)], &[]), [0, 1]);
    let rules = [note(None), last(any, Some(0)), note(Some(0)), note(None)];
    assert_eq!(notes(&rules, &[anchor(true, None)]), [0, 2]);
    assert_eq!(notes(&rules, &[anchor(false, None)]), [0, 2, 3]);
}

#[test]
fn what_is_refused() {
    let refused = |rules: &[Rule], anchors: &[Anchor], limits: &Limits| {
        in_kernel("edges", |_, cx| {
            Classifier::build(cx, rules, anchors, limits).err()
        })
    };
    let free = Limits::default();
    let any = |a| last(Match::ANY, a);
    assert_eq!(
        refused(&vec![any(None); 65_536], &[], &free),
        Some(Refused::Rules)
    );
    assert_eq!(refused(&vec![any(None); 65_535], &[], &free), None);
    assert_eq!(refused(&[any(Some(0))], &[], &free), Some(Refused::Anchors));
    assert_eq!(
        refused(&[], &[anchor(false, Some(0))], &free),
        Some(Refused::Anchors)
    );
    assert_eq!(
        refused(&[], &vec![anchor(false, None); 65_536], &free),
        Some(Refused::Anchors)
    );
    let chain = |n| -> Vec<_> {
        (0..n)
            .map(|i: u16| anchor(false, i.checked_sub(1)))
            .collect()
    };
    assert_eq!(
        refused(&[any(Some(64))], &chain(65), &free),
        Some(Refused::Depth)
    );
    assert_eq!(refused(&[any(Some(63))], &chain(64), &free), None);
    let astray = [any(Some(0)), any(None), any(Some(0))];
    assert_eq!(
        refused(&astray, &[anchor(false, None)], &free),
        Some(Refused::Scattered(2))
    );
    let some: Vec<_> = (0..1_000)
        .map(|i| quick(src(Addr::Range(i, i), false)))
        .collect();
    assert_eq!(
        refused(&some, &[], &Limits { bytes: 50_000 }),
        Some(Refused::Bytes)
    );
    assert_eq!(refused(&some, &[], &Limits { bytes: 1_000_000 }), None);
    assert_eq!(Errno::from(Refused::Rules), Errno::ERANGE);
    assert!(Refused::Bytes.to_string().contains("memory limit"));
}
