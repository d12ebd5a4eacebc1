// SPDX-License-Identifier: BSD-2-Clause
//! Passive references and counted handles.

use super::Alive;
use super::in_kernel;
use super::with_every_allocation_failing;
use kern::epoch;
use kern::mem::KArc;
use kern::passive;
use kern::passive::Counted;
use kern::passive::Passive;
use kern::passive::Value;
use kern::testing;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn nothing_published_gives_the_argument_back() {
    in_kernel("empty", |_, cx| {
        let p: Passive<u32> = Passive::empty();
        assert_eq!(p.with(cx, |v, _| *v), None);
        let back = p.with_or(cx, String::from("packet"), |_, v, _| *v);
        assert_eq!(back, Err(String::from("packet")));
        assert_eq!(epoch::read(cx, |s| p.peek(s).copied()), None);
        assert!(p.replace(cx, None).is_none());
    });
}

#[test]
fn replace_hands_the_old_value_back() {
    let count = AtomicUsize::new(0);
    in_kernel("replace", |_, cx| {
        let first = Value::new(cx, (1, Alive::new(&count))).unwrap();
        let p = Passive::new(first);
        assert_eq!(p.with(cx, |v, _| v.0), Some(1));
        let second = Value::new(cx, (2, Alive::new(&count))).unwrap();
        let old = p.replace(cx, Some(second)).unwrap();
        assert_eq!((old.0, p.with(cx, |v, _| v.0)), (1, Some(2)));
        // Used again: its target is as good as new.
        let second = p.replace(cx, Some(old)).unwrap().into_inner();
        assert_eq!((second.0, count.load(Ordering::Relaxed)), (2, 2));
        drop(second);
        // What is published at the end goes with the Passive.
        assert_eq!(count.load(Ordering::Relaxed), 1);
    });
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn every_allocation_may_fail() {
    let count = AtomicUsize::new(0);
    with_every_allocation_failing("values", |cx| {
        let p = Passive::new(Value::new(cx, Alive::new(&count))?);
        let next = Value::new(cx, Alive::new(&count))?;
        drop(p.replace(cx, Some(next)));
        let c = Counted::new(cx, Alive::new(&count))?;
        c.drain(cx);
        Ok(())
    });
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn references_nest_as_deep_as_one_likes() {
    in_kernel("nested", |_, cx| {
        let p = Passive::new(Value::new(cx, 5u64).unwrap());
        let q = Passive::new(Value::new(cx, 7u64).unwrap());
        let sum = p.with(cx, |a, cx| {
            q.with(cx, |b, cx| {
                p.with(cx, |c, cx| q.with(cx, |d, _| a + b + c + d))
            })
        });
        assert_eq!(sum, Some(Some(Some(Some(24)))));
        assert!(p.replace(cx, None).is_some());
    });
}

#[test]
fn a_value_is_found_through_a_table() {
    struct Owner {
        variant: Passive<u32>,
    }
    in_kernel("found", |_, cx| {
        let variant = Passive::new(Value::new(cx, 9).unwrap());
        let owner = KArc::new(cx, Owner { variant }).unwrap();
        let find = |cx: &mut _, hit: bool| {
            passive::with_found(
                cx,
                &owner,
                "packet",
                |owner, _s| hit.then_some(&owner.variant),
                |m, v, _| (m, *v),
            )
        };
        assert_eq!(find(cx, true), Ok(("packet", 9)));
        assert_eq!(find(cx, false), Err("packet"));
        drop(owner.variant.replace(cx, None));
        assert_eq!(find(cx, true), Err("packet"));
    });
}

#[test]
fn replace_waits_for_a_reader_who_sleeps() {
    in_kernel("sleeper", |k, cx| {
        let p = Passive::new(Value::new(cx, AtomicBool::new(false)).unwrap());
        let (inside, entered) = mpsc::channel();
        std::thread::scope(|s| {
            let (p, k) = (&p, k.clone());
            s.spawn(move || {
                k.enter(|| {
                    p.with(&mut testing::token(), |v, _| {
                        inside.send(()).unwrap();
                        std::thread::sleep(Duration::from_millis(50));
                        v.store(true, Ordering::Relaxed);
                    });
                });
            });
            entered.recv().unwrap();
            let old = p.replace(cx, None).unwrap();
            assert!(old.load(Ordering::Relaxed), "replace did not wait");
        });
    });
}

const ALIVE: u64 = 0x600d_600d_600d_600d;
const DEAD: u64 = 0xdead_dead_dead_dead;

/// Two words that belong together, and a word that tells a retired value.
struct Pair {
    a: AtomicU64,
    b: AtomicU64,
    state: AtomicU64,
}

fn pair(n: u64) -> Pair {
    Pair {
        a: AtomicU64::new(n),
        b: AtomicU64::new(!n),
        state: AtomicU64::new(ALIVE),
    }
}

fn check(v: &Pair) {
    assert_eq!(
        v.state.load(Ordering::Relaxed),
        ALIVE,
        "a retired value was seen"
    );
    assert_eq!(v.a.load(Ordering::Relaxed), !v.b.load(Ordering::Relaxed));
}

/// Readers with sections and with references, writers that replace and then spoil what they got.
#[test]
fn retired_values_are_seen_by_nobody() {
    in_kernel("stress", |k, cx| {
        let p = Passive::new(Value::new(cx, pair(0)).unwrap());
        let (stop, reads) = (testkit::Stop::new(), AtomicUsize::new(0));
        std::thread::scope(|s| {
            let _running = stop.guard();
            for reader in 0..3 {
                let (p, stop, reads, k) = (&p, &stop, &reads, k.clone());
                s.spawn(move || {
                    k.enter(|| {
                        let mut cx = testing::softint();
                        while stop.go_on() {
                            p.with(&mut cx, |v, cx| {
                                check(v);
                                if reader == 0 {
                                    std::thread::yield_now();
                                }
                                p.with(cx, |v, _| check(v));
                                check(v);
                            });
                            epoch::read(&mut cx, |s| p.peek(s).map(check));
                            reads.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                });
            }
            let writers: Vec<_> = (0..2u64)
                .map(|writer| {
                    let (p, reads, k) = (&p, &reads, k.clone());
                    s.spawn(move || {
                        k.enter(|| {
                            let mut cx = testing::token();
                            for n in 0..1500 {
                                let new = (n % 7 != 0)
                                    .then(|| Value::new(&mut cx, pair(n << 1 | writer)).unwrap());
                                if let Some(old) = p.replace(&mut cx, new) {
                                    old.state.store(DEAD, Ordering::Relaxed);
                                    old.a.store(0, Ordering::Relaxed);
                                    old.b.store(0, Ordering::Relaxed);
                                }
                            }
                            while reads.load(Ordering::Relaxed) < 100 {
                                std::thread::yield_now();
                            }
                        });
                    })
                })
                .collect();
            writers.into_iter().for_each(|w| w.join().unwrap());
        });
    });
}

#[test]
fn counted_waits_for_its_handles() {
    let count = AtomicUsize::new(0);
    in_kernel("counted", |k, cx| {
        let c = Counted::new(cx, (3, Alive::new(&count))).unwrap();
        let handles: Vec<_> = (0..4).map(|_| c.retain()).collect();
        std::thread::scope(|s| {
            for (n, handle) in handles.into_iter().enumerate() {
                let (k, count) = (k.clone(), &count);
                s.spawn(move || {
                    k.enter(|| {
                        std::thread::sleep(Duration::from_millis(10 * n as u64));
                        assert_eq!((handle.0, count.load(Ordering::Relaxed)), (3, 1));
                        drop(handle);
                    });
                });
            }
            c.drain(cx);
            assert_eq!(count.load(Ordering::Relaxed), 0);
        });
    });
}
