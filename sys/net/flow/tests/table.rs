// SPDX-License-Identifier: BSD-2-Clause
//! The table against the standard map, at its limits, and its size.

mod common;

use common::Flow;
use common::in_kernel;
use flow::care::Done;
use flow::care::Expire;
use flow::key::Packed;
use flow::key::Tuple;
use flow::key::V4;
use flow::key::V6;
use flow::slab::Id;
use flow::slab::Side;
use flow::table::Hit;
use flow::table::InsertError;
use flow::table::Table;
use flow::wheel::Next;
use host::ledger::Fault;
use kern::cx::Thread;
use kern::epoch;
use kern::epoch::Section;
use kern::errno::Errno;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

type Small = Table<V4, Flow>;

fn key(n: u64) -> [u64; V4] {
    [n, n ^ 0x5555]
}

#[derive(Clone, Debug)]
enum Op {
    Insert(u64, Option<u64>),
    Unlink(u64),
    Get(u64),
    Reclaim,
    Max(u32),
}

fn op() -> impl Strategy<Value = Op> {
    let n = 0u64..60;
    prop_oneof![
        6 => (n.clone(), prop::option::of(n.clone())).prop_map(|(a, b)| Op::Insert(a, b)),
        4 => n.clone().prop_map(Op::Unlink),
        4 => n.prop_map(Op::Get),
        1 => Just(Op::Reclaim),
        1 => (0u32..30).prop_map(Op::Max),
    ]
}

/// What the table should hold: entries by key, and those that wait.
#[derive(Default)]
struct Model {
    by_key: HashMap<u64, (Id, Side, u32)>,
    keys: HashMap<Id, (u64, Option<u64>)>,
    waiting: u32,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn it_is_a_map_with_two_keys(ops in prop::collection::vec(op(), 0..400)) {
        in_kernel(|_, cx| {
            let table = Small::new(cx, "test", 20).unwrap();
            assert!(table.is_unused());
            let mut m = Model::default();
            for (serial, op) in (0u32..).zip(ops) {
                match op {
                    Op::Insert(a, b) => insert(&table, cx, &mut m, serial, a, b),
                    Op::Unlink(a) => {
                        let id = m.by_key.get(&a).map(|e| e.0);
                        let done = epoch::read(cx, |s| {
                            id.is_some_and(|id| {
                                let once = table.unlink(s, id);
                                assert!(!table.unlink(s, id), "only once");
                                assert!(table.by_id(s, id).is_none());
                                once
                            })
                        });
                        assert_eq!(done, id.is_some());
                        if let Some((a, b)) = id.and_then(|id| m.keys.remove(&id)) {
                            m.by_key.remove(&a);
                            b.map(|b| m.by_key.remove(&b));
                            m.waiting += 1;
                        }
                    }
                    Op::Get(a) => check(&table, cx, &m, a),
                    Op::Reclaim => {
                        assert_eq!(table.reclaim(cx).freed, m.waiting);
                        m.waiting = 0;
                    }
                    Op::Max(max) => table.set_max(cx, max),
                }
                assert_eq!(table.len() as usize, m.keys.len());
                assert!(m.keys.is_empty() || !table.is_unused());
            }
            (0..60).for_each(|n| check(&table, cx, &m, n));
            let mut seen = HashMap::new();
            let mut from = Some(0);
            while let Some(at) = from {
                from = epoch::read(cx, |s| table.walk(s, at, 7, |hit| {
                    assert!(seen.insert(hit.id, hit.entry.keys()).is_none());
                }));
            }
            let expected = m.keys.iter().map(|(&id, &(a, b))| (id, (key(a), b.map(key))));
            assert_eq!(seen, expected.collect());
        });
    }
}

fn insert(table: &Small, cx: &mut Thread, m: &mut Model, serial: u32, a: u64, b: Option<u64>) {
    let b = b.filter(|&b| b != a);
    let keys = [Some(a), b];
    let taken = keys.iter().flatten().any(|k| m.by_key.contains_key(k));
    let full = m.keys.len() as u32 + m.waiting >= table.max();
    let mut ran = false;
    let got = epoch::read(cx, |s| {
        let b = b.map(key);
        let init = |f: &Flow| {
            ran = true;
            f.mark.store(serial, Ordering::Relaxed);
        };
        table.insert(s, &key(a), b.as_ref(), init).map(|hit| hit.id)
    });
    assert_eq!(ran, got.is_ok(), "init runs for what is inserted");
    match got {
        Ok(id) => {
            assert!(!taken && !full);
            assert!(m.keys.insert(id, (a, b)).is_none(), "a name used twice");
            m.by_key.insert(a, (id, Side::A, serial));
            if let Some(b) = b {
                m.by_key.insert(b, (id, Side::B, serial));
            }
        }
        // Which of the two is said when both are true does not matter.
        Err(InsertError::Taken) => assert!(taken),
        Err(InsertError::Full) => assert!(full),
        Err(InsertError::NoMemory) => panic!("there is memory"),
    }
}

fn check(table: &Small, cx: &mut Thread, m: &Model, n: u64) {
    epoch::read(cx, |s| {
        let hit = table.get(s, &key(n));
        let got = hit.map(|h| (h.id, h.side, h.entry.mark.load(Ordering::Relaxed)));
        assert_eq!(got, m.by_key.get(&n).copied());
        if let Some(hit) = hit {
            let again = table.by_id(s, Id::from_u64(hit.id.to_u64())).unwrap();
            assert!(std::ptr::eq(again.entry, hit.entry));
            assert_eq!(hit.entry.key(hit.side), key(n));
        }
    });
}

/// A million flows with two keys each: all found, none else, 200 bytes each.
#[test]
fn a_million_of_200_bytes() {
    const MAX: u32 = 1_000_000;
    in_kernel(|_, cx| {
        let table = Small::new(cx, "test", MAX).unwrap();
        let name = |n: u32| {
            let t = Tuple {
                src: 0x0a00_0000 + u128::from(n / 50_000),
                dst: 0xc633_6401,
                sport: (n % 50_000) as u16 + 1024,
                dport: 443,
                proto: 6,
                ..Tuple::default()
            };
            <[u64; V4]>::pack(&t)
        };
        let mut short = 0;
        for n in 0..MAX {
            loop {
                let a = name(n);
                let got = epoch::read(cx, |s| {
                    let init = |f: &Flow| f.mark.store(n, Ordering::Relaxed);
                    table.insert(s, &a, Some(&a.flip()), init).map(|_| ())
                });
                match got {
                    Ok(()) => break,
                    Err(InsertError::NoMemory) => {
                        short += 1;
                        assert!(table.wants_reclaim());
                        table.reclaim(cx);
                    }
                    Err(e) => panic!("{n}: {e:?}"),
                }
            }
            if table.wants_reclaim() {
                table.reclaim(cx);
            }
        }
        assert_eq!(short, 0, "it asks before it runs short");
        assert_eq!(table.len(), MAX);
        let more = epoch::read(cx, |s| table.insert(s, &[1, 2], None, |_| ()).map(|_| ()));
        assert_eq!(more, Err(InsertError::Full));
        epoch::read(cx, |s| {
            // Every one in a release; without optimisation a seventh will do.
            let step = if cfg!(debug_assertions) { 7 } else { 1 };
            for n in (0..MAX).step_by(step) {
                for (key, side) in [(name(n), Side::A), (name(n).flip(), Side::B)] {
                    let hit = table.get(s, &key).unwrap();
                    assert_eq!(hit.entry.mark.load(Ordering::Relaxed), n);
                    assert_eq!(hit.side, side);
                }
                assert!(table.get(s, &name(MAX + n)).is_none());
            }
        });
        let each = table.bytes() as f64 / f64::from(MAX);
        println!(
            "{each:.1} bytes a flow of 1,000,000, {} the value",
            size_of::<Flow>()
        );
        assert!(each <= 200.0, "{each} bytes a flow");
    });
}

#[test]
fn ipv6_keys_work_the_same() {
    in_kernel(|_, cx| {
        let table = Table::<V6, Flow>::new(cx, "test", 10_000).unwrap();
        let name = |n: u32| {
            let t = Tuple {
                src: 0x2001_0db8 << 96 | u128::from(n),
                dst: 0x2001_0db8 << 96 | 1 << 64,
                dport: 53,
                proto: 17,
                ..Tuple::default()
            };
            <[u64; V6]>::pack(&t)
        };
        for n in 0..10_000 {
            epoch::read(cx, |s| {
                let init = |f: &Flow| f.mark.store(n, Ordering::Relaxed);
                assert!(
                    table
                        .insert(s, &name(n), Some(&name(n).flip()), init)
                        .is_ok()
                );
            });
            if table.wants_reclaim() {
                table.reclaim(cx);
            }
        }
        epoch::read(cx, |s| {
            for n in 0..10_000 {
                let hit = table.get(s, &name(n).flip()).unwrap();
                assert_eq!(
                    (hit.entry.mark.load(Ordering::Relaxed), hit.side),
                    (n, Side::B)
                );
            }
            assert!(table.get(s, &name(10_000)).is_none());
        });
    });
}

/// Every second entry goes at its first visit, the others at their third.
struct Third<'a>(&'a mut HashMap<Id, u32>);

impl Expire<V4, Flow> for Third<'_> {
    fn due(&mut self, _s: &Section<'_>, hit: Hit<'_, V4, Flow>) -> Next {
        let visits = self.0.entry(hit.id).or_default();
        *visits += 1;
        let odd = hit.entry.mark.load(Ordering::Relaxed) % 2 == 1;
        if odd || *visits == 3 {
            Next::Unlink
        } else {
            Next::In(70)
        }
    }

    fn gone(&mut self, _s: &Section<'_>, hit: Hit<'_, V4, Flow>) {
        assert!(hit.entry.key(Side::A) != [0; 2]);
        self.0.remove(&hit.id).expect("told once");
    }
}

#[test]
fn the_wheel_ends_flows_and_passes_on_the_dead() {
    in_kernel(|_, cx| {
        let table = Small::new(cx, "test", 1000).unwrap();
        let now = flow::care::seconds();
        let ids: Vec<Id> = (1..=1000)
            .map(|n| {
                epoch::read(cx, |s| {
                    let init = |f: &Flow| f.mark.store(n as u32, Ordering::Relaxed);
                    let hit = table.insert(s, &key(n), None, init).ok().unwrap();
                    table.arm(s, hit.id, now, 10);
                    table.arm(s, hit.id, now, 20);
                    hit.id
                })
            })
            .collect();
        // Some die otherwise; they wait on the wheel, and come back by a sweep or a visit.
        epoch::read(cx, |s| {
            assert!(ids[..100].iter().all(|&id| table.unlink(s, id)))
        });
        assert_eq!(table.len(), 900);
        let mut visits = HashMap::new();
        assert_eq!(
            table.expire(cx, now + 9, &mut Third(&mut visits)),
            Done::default()
        );
        let done = table.expire(cx, now + 10, &mut Third(&mut visits));
        assert_eq!(
            (done.visited, done.unlinked),
            (1000, 450),
            "armed once each"
        );
        assert_eq!(table.reclaim(cx).freed, 550);
        assert_eq!(table.len(), 450);
        // 63 seconds at most.
        assert_eq!(
            table.expire(cx, now + 72, &mut Third(&mut visits)).visited,
            0
        );
        assert_eq!(
            table.expire(cx, now + 73, &mut Third(&mut visits)).visited,
            450
        );
        epoch::read(cx, |s| {
            let mut alive = ids.iter().filter(|&&id| table.by_id(s, id).is_some());
            assert!(table.unlink(s, *alive.next().unwrap()));
        });
        assert_eq!(table.reclaim(cx).freed, 1, "swept before its second");
        let done = table.expire(cx, now + 1000, &mut Third(&mut visits));
        assert_eq!((done.visited, done.unlinked), (449, 449));
        assert!(table.is_empty() && visits.len() == 1);
        assert_eq!(table.reclaim(cx).freed, 449);
    });
}

#[test]
fn a_smaller_maximum_keeps_what_lives() {
    in_kernel(|_, cx| {
        let table = Small::new(cx, "test", 100).unwrap();
        let add = |cx: &mut Thread, n| {
            epoch::read(cx, |s| table.insert(s, &key(n), None, |_| ()).map(|h| h.id))
        };
        let ids: Vec<Id> = (0..100).map(|n| add(cx, n).unwrap()).collect();
        table.set_max(cx, 10);
        assert_eq!((table.len(), table.max()), (100, 10));
        epoch::read(cx, |s| {
            assert!(ids[5..].iter().all(|&id| table.unlink(s, id)))
        });
        assert_eq!(table.reclaim(cx).freed, 95);
        assert_eq!((200..300).filter(|&n| add(cx, n).is_ok()).count(), 5);
        table.set_max(cx, 3000);
        assert_eq!((1000..5000).filter(|&n| add(cx, n).is_ok()).count(), 2990);
    });
}

/// A new table, or a larger one, without memory: told, or later, and nothing is lost.
#[test]
fn failures_of_memory_lose_nothing() {
    let mut late = 0;
    for nth in 1.. {
        let hit = in_kernel(|k, cx| {
            k.fail_nth(Fault::Any, nth);
            let table = Small::new(cx, "test", 20_000);
            let early = !k.fail_pending(Fault::Any);
            if early {
                k.fail_nth(Fault::Any, 0);
                assert_eq!(table.err(), Some(Errno::ENOMEM));
                return true;
            }
            late += 1;
            let table = table.unwrap();
            let mut n = 0;
            while n < 20_000 {
                let got = epoch::read(cx, |s| table.insert(s, &key(n), None, |_| ()).map(|_| ()));
                match got {
                    Ok(()) => n += 1,
                    Err(InsertError::NoMemory) => (),
                    Err(e) => panic!("{e:?}"),
                }
                if table.wants_reclaim() {
                    table.reclaim(cx);
                }
            }
            let hit = !k.fail_pending(Fault::Any);
            k.fail_nth(Fault::Any, 0);
            epoch::read(cx, |s| {
                assert!((0..n).all(|n| table.get(s, &key(n)).is_some()))
            });
            hit
        });
        if !hit {
            assert!(late > 10, "failures reach growth: {late} of {nth}");
            return;
        }
    }
}
