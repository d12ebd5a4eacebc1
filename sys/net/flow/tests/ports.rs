// SPDX-License-Identifier: BSD-2-Clause
//! Ports against a set: none twice, none out of range, the right one where there is a choice.

mod common;

use common::in_kernel;
use flow::blocks::Blocks;
use flow::portmap::Policy;
use flow::portmap::PortMap;
use flow::portmap::Range;
use kern::errno::Errno;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

#[derive(Clone, Debug)]
enum Op {
    Alloc(u16, Range, Policy, u32),
    Claim(u16),
    Release(u16),
    /// One of those in use.
    ReleaseOne(usize),
}

/// Ports around the corners, and few of them, so that ranges run out.
fn port() -> impl Strategy<Value = u16> {
    prop_oneof![
        3 => 1010u16..1040,
        1 => 60u16..70,
        1 => 0u16..3,
        1 => 65_530u16..=65_535,
        1 => any::<u16>(),
    ]
}

fn range() -> impl Strategy<Value = Range> {
    prop_oneof![
        4 => (port(), port()).prop_map(|(lo, hi)| Range { lo, hi }),
        1 => Just(Range { lo: 0, hi: u16::MAX }),
        1 => Just(Range { lo: 1024, hi: u16::MAX }),
        2 => (1000u16..1020, 1024u16..1040).prop_map(|(lo, hi)| Range { lo, hi }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let policy = prop_oneof![
        Just(Policy::Preserve),
        Just(Policy::Random),
        Just(Policy::ParityPreserve),
    ];
    prop_oneof![
        8 => (port(), range(), policy, any::<u32>())
            .prop_map(|(p, r, policy, rnd)| Op::Alloc(p, r, policy, rnd)),
        2 => port().prop_map(Op::Claim),
        1 => port().prop_map(Op::Release),
        2 => any::<usize>().prop_map(Op::ReleaseOne),
    ]
}

/// A free port, and what it must be: the best of what the policy asks that has a free port.
fn best(
    used: &BTreeSet<u16>,
    prefer: u16,
    range: Range,
    policy: Policy,
) -> Option<Box<dyn Fn(u16) -> bool>> {
    let side = move |p: u16| (p < 1024) == (prefer < 1024);
    let parity = move |p: u16| p % 2 == prefer % 2;
    let mut choices: Vec<Box<dyn Fn(u16) -> bool>> = Vec::new();
    if policy == Policy::Preserve {
        choices.push(Box::new(move |p| p == prefer));
    }
    if policy != Policy::Random {
        choices.push(Box::new(move |p| side(p) && parity(p)));
        choices.push(Box::new(side));
        choices.push(Box::new(parity));
    }
    choices.push(Box::new(|_| true));
    let free = |may: &dyn Fn(u16) -> bool| {
        let mut ports = range.lo.max(1)..=range.hi;
        ports.any(|p| may(p) && !used.contains(&p))
    };
    choices.into_iter().find(|may| free(may))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn ports_are_given_out_once(ops in prop::collection::vec(op(), 0..120)) {
        in_kernel(|_, cx| {
            let map = PortMap::new(cx).unwrap();
            let mut used = BTreeSet::new();
            for op in ops {
                match op {
                    Op::Alloc(prefer, range, policy, rnd) => {
                        let best = best(&used, prefer, range, policy);
                        match (map.alloc(prefer, range, policy, rnd), best) {
                            (None, None) => (),
                            (Some(port), Some(best)) => {
                                assert!(best(port), "{port} is not among the best");
                                assert!(range.has(port) && port != 0);
                                assert!(used.insert(port), "{port} twice");
                            }
                            (got, best) => panic!("{got:?}, and one is free: {}", best.is_some()),
                        }
                    }
                    Op::Claim(port) => assert_eq!(map.claim(port), used.insert(port)),
                    Op::Release(port) => assert_eq!(map.release(port), used.remove(&port)),
                    Op::ReleaseOne(n) => {
                        if let Some(&port) = used.iter().nth(n % used.len().max(1)) {
                            assert!(map.release(port) && used.remove(&port));
                        }
                    }
                }
                assert_eq!(map.used() as usize, used.len());
            }
            assert!((0..=u16::MAX).all(|p| map.is_used(p) == used.contains(&p)));
        });
    }
}

#[test]
fn all_65535_of_them_and_no_more() {
    in_kernel(|_, cx| {
        let map = PortMap::new(cx).unwrap();
        let all = Range {
            lo: 0,
            hi: u16::MAX,
        };
        let mut noise = testkit::Noise::new(3);
        let mut take = || map.alloc(5000, all, Policy::Random, noise.word() as u32);
        let got: BTreeSet<u16> = std::iter::from_fn(&mut take).collect();
        assert_eq!(got.len(), 65_535);
        assert!(!got.contains(&0));
        assert_eq!(map.used(), 65_535);
        assert!(map.release(5000));
        assert_eq!(
            map.alloc(5001, all, Policy::Preserve, 7),
            Some(5000),
            "the only one left"
        );
    });
}

#[test]
fn random_ports_are_all_over_the_range() {
    in_kernel(|_, cx| {
        let map = PortMap::new(cx).unwrap();
        let range = Range {
            lo: 1024,
            hi: u16::MAX,
        };
        let mut noise = testkit::Noise::new(9);
        let mut eighths = [0; 8];
        for _ in 0..800 {
            let port = map
                .alloc(4000, range, Policy::Random, noise.word() as u32)
                .unwrap();
            eighths[usize::from(port >> 13)] += 1;
        }
        assert!(eighths.iter().all(|n| (60..140).contains(n)), "{eighths:?}");
    });
}

#[test]
fn threads_get_different_ports() {
    in_kernel(|_, cx| {
        let map = PortMap::new(cx).unwrap();
        let range = Range { lo: 1024, hi: 3071 };
        let users: Vec<AtomicU32> = (0..4096).map(|_| AtomicU32::new(0)).collect();
        std::thread::scope(|s| {
            for seed in 0..4 {
                let (map, users) = (&map, &users);
                s.spawn(move || {
                    let mut noise = testkit::Noise::new(seed);
                    let mut mine = Vec::new();
                    for _ in 0..20_000 {
                        let rnd = noise.word();
                        if rnd & 1 == 0 || mine.is_empty() {
                            let prefer = 1024 + (rnd >> 8) as u16 % 64;
                            let Some(p) = map.alloc(prefer, range, Policy::Preserve, rnd as u32)
                            else {
                                continue;
                            };
                            let before = users[usize::from(p)].fetch_add(1, Ordering::AcqRel);
                            assert_eq!(before, 0, "{p} twice");
                            mine.push(p);
                        } else {
                            let p = mine.swap_remove(noise.below(mine.len()));
                            users[usize::from(p)].fetch_sub(1, Ordering::AcqRel);
                            assert!(map.release(p));
                        }
                    }
                    for p in mine {
                        users[usize::from(p)].fetch_sub(1, Ordering::AcqRel);
                        assert!(map.release(p));
                    }
                });
            }
        });
        assert_eq!(map.used(), 0);
    });
}

fn host(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Hosts take and give back; a block is one host's from its first port to its last.
    #[test]
    fn blocks_have_one_host(ops in prop::collection::vec((1u32..6, any::<u32>()), 0..400)) {
        in_kernel(|_, cx| {
            let map = PortMap::new(cx).unwrap();
            // Ten blocks of eight, and three ports left over; one port is a static forward's.
            let blocks = Blocks::new(cx, Range { lo: 2001, hi: 2083 }, 8).unwrap();
            assert_eq!((blocks.count(), blocks.size()), (10, 8));
            assert!(map.claim(2010));
            let mut ports: BTreeMap<u16, u32> = BTreeMap::new();
            let block = |p: u16| (p - 2001) / 8;
            let of = |ports: &BTreeMap<u16, u32>, n: u16| -> Vec<u32> {
                ports.iter().filter(|e| block(*e.0) == n).map(|e| *e.1).collect()
            };
            for (who, rnd) in ops {
                if rnd % 3 != 0 {
                    let room = |n: u16| if n == 1 { 7 } else { 8 };
                    let mine: BTreeSet<u16> =
                        ports.iter().filter(|e| *e.1 == who).map(|e| block(*e.0)).collect();
                    let own = mine.iter().any(|&n| of(&ports, n).len() < room(n));
                    let free = (0..10).any(|n| of(&ports, n).is_empty());
                    match blocks.alloc(&map, host(who), 3, 2000, rnd) {
                        Some(given) => {
                            assert!((2001..2081).contains(&given.port) && given.port != 2010);
                            let n = block(given.port);
                            assert_eq!(given.opened.is_none(), own, "a new one if there must be");
                            assert!(own || mine.len() < 3);
                            assert_eq!(own, mine.contains(&n));
                            if let Some(range) = given.opened {
                                assert!(of(&ports, n).is_empty() && range.has(given.port));
                                assert_eq!(range.len(), 8);
                            }
                            assert!(ports.insert(given.port, who).is_none(), "twice");
                            assert_eq!(blocks.owner(given.port), Some(host(who)));
                        }
                        None => assert!(!own && (mine.len() == 3 || !free)),
                    }
                } else if let Some(&port) = ports.keys().nth(rnd as usize % ports.len().max(1)) {
                    ports.remove(&port);
                    let last = of(&ports, block(port)).is_empty();
                    let closed = blocks.release(&map, port);
                    assert_eq!(closed.is_some(), last);
                    assert!(closed.is_none_or(|range| range.has(port)));
                    assert_eq!(blocks.owner(port).is_none(), last);
                }
            }
            assert_eq!(map.used() as usize, ports.len() + 1);
        });
    }
}

#[test]
fn impossible_blocks_are_refused() {
    in_kernel(|_, cx| {
        let range = Range { lo: 1024, hi: 2047 };
        for size in [0, 1, 3, 2048] {
            assert_eq!(
                Blocks::new(cx, range, size).err(),
                Some(Errno::EINVAL),
                "{size}"
            );
        }
        assert!(Blocks::new(cx, Range { lo: 9, hi: 8 }, 2).is_err());
        assert!(Blocks::new(cx, range, 1024).is_ok_and(|b| b.count() == 1));
    });
}
