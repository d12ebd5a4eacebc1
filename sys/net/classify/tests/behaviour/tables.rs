// SPDX-License-Identifier: BSD-2-Clause
//! Address tables: against a simple model, at their edges, and read while they are changed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use classify::{AddError, AddrTable, Af, Entry, Prefix, TableConfig};
use host::ledger::Fault;
use kern::cx::Thread;
use kern::epoch;
use kern::errno::Errno;
use kern::testing::token;
use proptest::prelude::*;

use crate::gen_rules::Rng;
use crate::in_kernel;

const COUNTING: TableConfig = TableConfig {
    max: 100_000,
    counters: true,
};

fn p(af: Af, addr: u128, len: u8) -> Prefix {
    Prefix::new(af, addr, len).unwrap()
}

fn net(addr: u32, len: u8) -> Prefix {
    p(Af::V4, u128::from(addr), len)
}

fn has(cx: &mut Thread, t: &AddrTable, addr: u32, now: u32) -> bool {
    epoch::read(cx, |s| t.contains(s, Af::V4, u128::from(addr), now))
}

fn all(cx: &mut Thread, t: &AddrTable, page: usize) -> Vec<Entry> {
    let (mut cursor, mut entries) = (Some(0), Vec::new());
    while let Some(c) = cursor {
        let before = entries.len();
        cursor = t.list(cx, c, page, |e| entries.push(*e));
        assert!(entries.len() - before <= page);
        assert!(cursor.is_none() || entries.len() - before == page);
    }
    entries
}

type Model = BTreeMap<(bool, u8, u128), (bool, u32, u64)>;

fn id(x: &Prefix) -> (bool, u8, u128) {
    (x.af() == Af::V6, x.bits(), x.addr())
}

fn model_lookup(m: &mut Model, af: Af, addr: u128, now: u32) -> Option<(bool, u8)> {
    let bits: u8 = if af == Af::V4 { 32 } else { 128 };
    (0..=bits).rev().find_map(|len| {
        let (not, expires, packets) = m.get_mut(&id(&p(af, addr, len)))?;
        if *expires != 0 && *expires <= now {
            return None;
        }
        *packets += 1;
        Some((*not, len))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_the_model(seed: u64, steps in 1usize..700, spread in 1u64..5_000) {
        in_kernel("tables", |_, cx| {
            let mut r = Rng::new(seed);
            let t = AddrTable::new(cx, COUNTING).unwrap();
            let mut m = Model::new();
            let mut now = 1;
            for _ in 0..steps {
                let af = r.pick(&[Af::V4, Af::V4, Af::V6]);
                let base = if af == Af::V4 { 0xc0a8_0000 } else { 0x2001_u128 << 112 };
                let addr = base + (u128::from(r.below(spread)) << if af == Af::V4 { 0 } else { r.pick(&[0, 60]) });
                let bits: u8 = if af == Af::V4 { 32 } else { 128 };
                let len = if r.one_in(2) { bits } else { r.below(u64::from(bits) + 1) as u8 };
                let prefix = p(af, addr, len);
                match r.below(10) {
                    0..=3 => {
                        let not = r.one_in(4);
                        let expires = if r.one_in(3) { now + r.below(50) as u32 } else { 0 };
                        let new = t.add(cx, prefix, not, expires).unwrap();
                        let entry = m.entry(id(&prefix)).or_insert((not, expires, 0));
                        assert_eq!(new, entry.2 == 0 && !has_counted(entry));
                        (entry.0, entry.1) = (not, expires);
                        entry.2 |= SEEN;
                    }
                    4 => assert_eq!(t.remove(cx, prefix), m.remove(&id(&prefix)).is_some()),
                    5 => {
                        now += r.below(20) as u32;
                        let gone = t.sweep(cx, now, u32::MAX);
                        let before = m.len();
                        m.retain(|_, e| e.1 == 0 || e.1 > now);
                        assert_eq!(gone as usize, before - m.len());
                    }
                    _ => {
                        let want = model_lookup(&mut m, af, addr, now);
                        let got = epoch::read(cx, |s| {
                            let hit = t.lookup(s, af, addr, now)?;
                            hit.count(100);
                            Some((hit.not, hit.bits))
                        });
                        assert_eq!(got, want);
                    }
                }
                assert_eq!(t.len(cx), m.len());
                let want = m.get(&id(&prefix)).map(|e| (e.0, e.1, e.2 & !SEEN));
                assert_eq!(t.get(cx, prefix).map(|e| (e.not, e.expires, e.packets)), want);
            }
            let listed = all(cx, &t, 1 + r.below(20) as usize);
            let seen: Model = listed
                .iter()
                .map(|e| (id(&e.prefix), (e.not, e.expires, e.packets | SEEN)))
                .collect();
            assert_eq!(listed.len(), m.len());
            assert!(listed.iter().all(|e| e.bytes == e.packets * 100));
            assert_eq!(seen, m);
        });
    }
}

/// Marks a model's entry as added, next to its count.
const SEEN: u64 = 1 << 63;

fn has_counted(e: &(bool, u32, u64)) -> bool {
    e.2 & SEEN != 0
}

#[test]
fn prefixes() {
    assert_eq!(Prefix::new(Af::V4, 0, 33), None);
    assert_eq!(Prefix::new(Af::V4, 1 << 32, 32), None);
    assert_eq!(Prefix::new(Af::V6, 0, 129), None);
    assert_eq!(net(0x0a01_02ff, 24).addr(), 0x0a01_0200);
    assert_eq!(net(u32::MAX, 0).addr(), 0);
    assert_eq!(p(Af::V6, u128::MAX, 1).addr(), 1 << 127);
    assert_eq!(p(Af::V6, 7, 128).bits(), 128);
}

#[test]
fn longest_and_not_and_expired() {
    in_kernel("tables", |_, cx| {
        let t = AddrTable::new(cx, COUNTING).unwrap();
        assert!(!has(cx, &t, 0x0a00_0001, 0) && t.is_empty(cx));
        assert_eq!(t.add(cx, net(0, 0), false, 0), Ok(true));
        assert!(has(cx, &t, 0, 0) && has(cx, &t, u32::MAX, 0));
        assert_eq!(t.add(cx, net(0x0a00_0000, 8), true, 0), Ok(true));
        assert_eq!(t.add(cx, net(0x0a00_0001, 32), false, 100), Ok(true));
        assert!(!has(cx, &t, 0x0a00_0002, 0));
        assert!(has(cx, &t, 0x0a00_0001, 99) && !has(cx, &t, 0x0a00_0001, 100));
        // Changed, not added.
        assert_eq!(t.add(cx, net(0x0a00_0001, 32), false, 200), Ok(false));
        assert!(has(cx, &t, 0x0a00_0001, 100));
        assert_eq!(t.sweep(cx, 199, u32::MAX), 0);
        assert_eq!(t.sweep(cx, 200, u32::MAX), 1);
        assert_eq!(t.len(cx), 2);
        // The other family is another world.
        assert!(!epoch::read(cx, |s| t.contains(s, Af::V6, 0, 0)));
        assert_eq!(t.clear(cx), 2);
        assert!(t.is_empty(cx) && !has(cx, &t, 5, 0) && all(cx, &t, 10).is_empty());
    });
}

#[test]
fn counts_survive_growth_and_can_be_zeroed() {
    in_kernel("tables", |_, cx| {
        let t = AddrTable::new(cx, COUNTING).unwrap();
        t.add(cx, net(1, 32), false, 0).unwrap();
        let count = |cx: &mut Thread| {
            epoch::read(cx, |s| t.lookup(s, Af::V4, 1, 0).unwrap().count(60));
        };
        count(cx);
        for i in 2..5_000 {
            t.add(cx, net(i, 32), false, 0).unwrap();
            count(cx);
        }
        let e = t.get(cx, net(1, 32)).unwrap();
        assert_eq!((e.packets, e.bytes), (4_999, 4_999 * 60));
        t.zero(cx);
        assert_eq!(t.get(cx, net(1, 32)).unwrap().packets, 0);
        count(cx);
        // Out and in again: it starts anew.
        assert!(t.remove(cx, net(1, 32)) && !t.remove(cx, net(1, 32)));
        assert_eq!(t.add(cx, net(1, 32), false, 0), Ok(true));
        assert_eq!(t.get(cx, net(1, 32)).unwrap().packets, 0);
        let quiet = TableConfig {
            counters: false,
            ..COUNTING
        };
        let t = AddrTable::new(cx, quiet).unwrap();
        t.add(cx, net(1, 32), false, 0).unwrap();
        epoch::read(cx, |s| t.lookup(s, Af::V4, 1, 0).unwrap().count(60));
        assert_eq!(t.get(cx, net(1, 32)).unwrap().packets, 0);
    });
}

#[test]
fn full_and_out_of_memory() {
    in_kernel("tables", |k, cx| {
        let small = TableConfig {
            max: 20,
            counters: true,
        };
        let t = AddrTable::new(cx, small).unwrap();
        for i in 0..10 {
            t.add(cx, net(i, 32), false, 0).unwrap();
            t.add(cx, p(Af::V6, u128::from(i), 128), false, 0).unwrap();
        }
        assert_eq!(t.add(cx, net(99, 32), false, 0), Err(AddError::Full));
        assert_eq!(t.add(cx, net(9, 32), true, 0), Ok(false));
        assert!(t.remove(cx, net(9, 32)));
        assert_eq!(t.add(cx, net(99, 32), false, 0), Ok(true));
        let none = TableConfig {
            max: u32::MAX,
            counters: false,
        };
        assert_eq!(AddrTable::new(cx, none).err(), Some(Errno::EINVAL));

        let t = AddrTable::new(cx, COUNTING).unwrap();
        for i in 0..5_000 {
            let mut n = 1;
            loop {
                k.fail_nth(Fault::Any, n);
                let added = t.add(cx, net(i, 32), false, 0);
                let hit = !k.fail_pending(Fault::Any);
                k.fail_nth(Fault::Any, 0);
                assert_eq!(
                    added,
                    if hit {
                        Err(AddError::NoMemory)
                    } else {
                        Ok(true)
                    }
                );
                assert_eq!(t.len(cx), i as usize + usize::from(!hit));
                if !hit {
                    break;
                }
                n += 1;
            }
        }
        assert!((0..5_000).all(|i| has(cx, &t, i, 0)));
    });
}

/// What stays is listed once, also when the table grows, shrinks and is rebuilt between pages.
#[test]
fn listed_while_it_changes() {
    in_kernel("tables", |_, cx| {
        let t = AddrTable::new(cx, COUNTING).unwrap();
        let stays = |i: u32| {
            if i.is_multiple_of(2) {
                net(i, 32)
            } else {
                p(Af::V6, u128::from(i) << 64, 64)
            }
        };
        for i in 0..400 {
            t.add(cx, stays(i), false, 0).unwrap();
        }
        let mut seen = BTreeMap::new();
        let (mut cursor, mut fresh) = (Some(0), 1_000_000);
        while let Some(c) = cursor {
            cursor = t.list(cx, c, 3, |e| *seen.entry(id(&e.prefix)).or_insert(0) += 1);
            for _ in 0..if fresh < 1_008_000 { 60 } else { 0 } {
                t.add(cx, net(fresh, 32), false, 0).unwrap();
                fresh += 1;
            }
            for i in (1_000_000..fresh).filter(|i| fresh >= 1_008_000 && i % 7 != 0) {
                t.remove(cx, net(i, 32));
            }
        }
        assert!((0..400).all(|i| seen.get(&id(&stays(i))) == Some(&1)));
        assert!(seen.values().all(|n| *n == 1));
        assert!(t.bytes(cx) < 8 << 20);
    });
}

/// A sweep looks at so many places, and gets around in the end.
#[test]
fn sweep_in_steps() {
    in_kernel("tables", |_, cx| {
        let t = AddrTable::new(cx, COUNTING).unwrap();
        for i in 0..3_000 {
            t.add(cx, net(i, 32), false, if i % 3 == 0 { 10 } else { 0 })
                .unwrap();
            t.add(cx, p(Af::V6, u128::from(i), 128), false, 11).unwrap();
        }
        let (mut gone, mut turns) = (0, 0);
        while gone < 4_000 {
            let n = t.sweep(cx, 11, 100);
            assert!(n <= 100);
            gone += n;
            turns += 1;
            assert!(turns < 1_000);
        }
        assert!(turns > 40);
        assert_eq!(t.len(cx), 2_000);
        assert_eq!(t.sweep(cx, u32::MAX, 100), 0);
    });
}

/// An entry that stays is found by readers all the time, an absent one never.
#[test]
fn readers_while_it_changes() {
    in_kernel("tables", |k, cx| {
        let t = AddrTable::new(cx, COUNTING).unwrap();
        let stays: BTreeSet<u32> = (0..50).map(|i| i * 997).collect();
        for i in &stays {
            t.add(cx, net(*i, 32), false, 0).unwrap();
            t.add(cx, p(Af::V6, u128::from(*i) << 70, 96), false, 0)
                .unwrap();
        }
        let (stop, looks) = (AtomicBool::new(false), 20_000u64);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                k.enter(|| {
                    let cx = &mut token();
                    for round in 0..looks {
                        for i in &stays {
                            assert!(has(cx, &t, *i, 5));
                            let v6 = u128::from(*i) << 70 | u128::from(round);
                            assert!(epoch::read(cx, |s| {
                                let hit = t.lookup(s, Af::V6, v6, 5);
                                hit.inspect(|h| h.count(1)).is_some_and(|h| h.bits == 96)
                            }));
                        }
                        assert!(!has(cx, &t, 0x0b00_0000, 5));
                    }
                    stop.store(true, Ordering::Relaxed);
                });
            });
            let mut i = 0;
            while !stop.load(Ordering::Relaxed) && !reader.is_finished() {
                i += 1;
                let prefix = net(0x0a00_0000 + i % 30_000, 24 + (i % 9) as u8);
                t.add(cx, prefix, false, 0).unwrap();
                t.add(
                    cx,
                    p(Af::V6, u128::from(i % 3_000) | 1 << 127, 128),
                    false,
                    0,
                )
                .unwrap();
                if !i.is_multiple_of(3) {
                    t.remove(cx, prefix);
                }
            }
            reader.join().unwrap();
        });
        // Counts were not lost while the table was rebuilt.
        for i in &stays {
            let e = t.get(cx, p(Af::V6, u128::from(*i) << 70, 96)).unwrap();
            assert_eq!(e.packets, looks);
        }
    });
}

/// What a million entries take, and that nobody has to wait long for one more.
#[test]
fn bytes_an_entry() {
    in_kernel("tables", |_, cx| {
        for (counters, most_v4, most_v6) in [(false, 40, 92), (true, 92, 144)] {
            let config = TableConfig {
                max: 200_000,
                counters,
            };
            for (af, most) in [(Af::V4, most_v4), (Af::V6, most_v6)] {
                let t = AddrTable::new(cx, config).unwrap();
                let bits = if af == Af::V4 { 32 } else { 128 };
                for i in 0..200_000 {
                    t.add(cx, p(af, i, bits), false, 0).unwrap();
                    if i > 1_000 && i.is_power_of_two() {
                        let each = t.bytes(cx) / i as usize;
                        assert!(each <= most, "{each} bytes an entry of {i}");
                    }
                }
            }
        }
    });
}
