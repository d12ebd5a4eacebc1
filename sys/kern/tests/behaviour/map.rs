// SPDX-License-Identifier: BSD-2-Clause
//! `EpochMap` against the standard map, and with readers while it changes.

use super::Alive;
use super::in_kernel;
use super::with_every_allocation_failing;
use core::num::NonZeroU32;
use kern::cx::Cx;
use kern::epoch;
use kern::errno::Errno;
use kern::map::EpochMap;
use kern::mem::KArc;
use kern::testing;
use proptest::prelude::*;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

fn key(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn look<C: Cx>(map: &EpochMap<u32>, cx: &mut C, n: u32) -> Option<u32> {
    epoch::read(cx, |s| map.get(s, key(n)).copied())
}

#[derive(Clone, Debug)]
enum Op {
    Insert(u32, u32),
    Remove(u32),
    Get(u32),
}

/// Few keys, so that they collide, come back and leave marks behind.
fn op() -> impl Strategy<Value = Op> {
    let near = 1u32..40;
    let far = (1u32..40).prop_map(|n| n << 24);
    let n = prop_oneof![3 => near, 1 => far, 1 => Just(u32::MAX)];
    (n, any::<u32>(), 0..5).prop_map(|(n, value, what)| match what {
        0..2 => Op::Insert(n, value),
        2..4 => Op::Remove(n),
        _ => Op::Get(n),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn it_is_a_map(ops in prop::collection::vec(op(), 0..300)) {
        in_kernel("map", |_, cx| {
            let map = EpochMap::new(cx, "test").unwrap();
            let mut std = HashMap::new();
            for op in ops {
                match op {
                    Op::Insert(n, value) => {
                        let value_in = KArc::new(cx, value).unwrap();
                        let result = map.insert(cx, key(n), value_in);
                        match std.entry(n) {
                            Entry::Occupied(_) => assert_eq!(result, Err(Errno::EEXIST)),
                            Entry::Vacant(place) => {
                                assert_eq!(result, Ok(()));
                                place.insert(value);
                            }
                        }
                    }
                    Op::Remove(n) => {
                        assert_eq!(map.remove(cx, key(n)).map(|v| *v), std.remove(&n));
                    }
                    Op::Get(n) => assert_eq!(look(&map, cx, n), std.get(&n).copied()),
                }
                assert_eq!(map.len(cx), std.len());
            }
            for n in 1..40 {
                assert_eq!(look(&map, cx, n), std.get(&n).copied());
            }
        });
    }
}

#[test]
fn it_grows_to_65535_and_empties() {
    let count = AtomicUsize::new(0);
    in_kernel("growth", |_, cx| {
        let map = EpochMap::new(cx, "test").unwrap();
        // Ids as a peer's daemon deals them out: consecutive, and some at random.
        let id = |n: u32| {
            if n.is_multiple_of(2) {
                n
            } else {
                n.wrapping_mul(0x9e37_79b1) | 1 << 20
            }
        };
        let ids: std::collections::BTreeSet<u32> = (1..=70_000).map(id).take(65_535).collect();
        for &n in &ids {
            let value = KArc::new(cx, (n, Alive::new(&count))).unwrap();
            map.insert(cx, key(n), value).unwrap();
        }
        assert_eq!(map.len(cx), ids.len());
        epoch::read(cx, |s| {
            for &n in &ids {
                assert_eq!(map.get(s, key(n)).map(|v| v.0), Some(n));
            }
        });
        let (gone, kept): (Vec<u32>, Vec<u32>) = ids.iter().partition(|&&n| n % 1024 != 0);
        // A wait a removal: a part is enough.
        for &n in gone.iter().take(2000) {
            assert_eq!(map.remove(cx, key(n)).map(|v| v.0), Some(n));
            assert!(map.remove(cx, key(n)).is_none());
        }
        assert!(
            kept.iter()
                .all(|&n| epoch::read(cx, |s| map.get(s, key(n)).is_some()))
        );
        assert_eq!(count.load(Ordering::Relaxed), ids.len() - 2000);
    });
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn a_failed_insert_changes_nothing() {
    with_every_allocation_failing("map", |cx| {
        let map = EpochMap::new(cx, "test")?;
        for n in 1..=100 {
            let value = KArc::new(cx, n)?;
            if let Err(e) = map.insert(cx, key(n), value) {
                assert_eq!(map.len(cx), n as usize - 1);
                assert!((1..n).all(|n| look(&map, cx, n) == Some(n)));
                return Err(e);
            }
        }
        Ok(())
    });
}

/// A value that says when it has been taken out and must not be seen any more.
struct Marked {
    key: u32,
    dead: AtomicBool,
}

/// Readers find each key with its own value or not at all, while a writer inserts, removes and
/// makes the table grow; and what `remove` has handed back is read by nobody.
#[test]
fn readers_meet_no_writer() {
    in_kernel("readers", |k, cx| {
        let map: EpochMap<Marked> = EpochMap::new(cx, "test").unwrap();
        let (stop, hits) = (testkit::Stop::new(), AtomicU32::new(0));
        std::thread::scope(|s| {
            let _running = stop.guard();
            for seed in 0..2u32 {
                let (map, stop, hits, k) = (&map, &stop, &hits, k.clone());
                s.spawn(move || {
                    k.enter(|| {
                        let mut cx = testing::softint();
                        let mut n = seed;
                        while stop.go_on() {
                            n = n % 499 + 1;
                            epoch::read(&mut cx, |s| {
                                let Some(e) = map.get(s, key(n)) else { return };
                                assert_eq!(e.key, n, "another key's value");
                                assert!(!e.dead.load(Ordering::Relaxed), "removed, still seen");
                                hits.fetch_add(1, Ordering::Relaxed);
                                // Still there after a while in the section.
                                std::hint::spin_loop();
                                assert!(!e.dead.load(Ordering::Relaxed), "removed while read");
                            });
                        }
                    });
                });
            }
            let mut noise = testkit::Noise::new(5);
            let mut present = std::collections::BTreeSet::new();
            let mut rounds = 0;
            while rounds < 6000 || hits.load(Ordering::Relaxed) < 1000 {
                rounds += 1;
                let n = (noise.word() % 499 + 1) as u32;
                if present.remove(&n) {
                    let old = map.remove(cx, key(n)).unwrap();
                    assert!(KArc::is_unique(&old), "a reader's handle would be a bug");
                    old.dead.store(true, Ordering::Relaxed);
                } else {
                    let dead = AtomicBool::new(false);
                    let entry = KArc::new(cx, Marked { key: n, dead }).unwrap();
                    map.insert(cx, key(n), entry).unwrap();
                    present.insert(n);
                }
                assert!(rounds < 10_000_000, "the readers find nothing");
            }
            assert_eq!(map.len(cx), present.len());
        });
    });
}
