// SPDX-License-Identifier: BSD-2-Clause
//! Fallible memory, and the mutex.

use super::Alive;
use super::in_kernel;
use super::with_every_allocation_failing;
use host::ledger::Fault;
use kern::errno::Errno;
use kern::mem::KArc;
use kern::mem::KBox;
use kern::mem::KVec;
use kern::sync::Mutex;
use kern::testing;
use proptest::prelude::*;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

#[test]
fn boxes_own_and_give_back() {
    let count = AtomicUsize::new(0);
    in_kernel("kbox", |_, cx| {
        let a = KBox::new(cx, (7u64, Alive::new(&count))).unwrap();
        let b = KBox::new(cx, [1u8; 100]).unwrap();
        assert_eq!((a.0, b[99]), (7, 1));
        let (seven, alive) = a.into_inner();
        assert_eq!((seven, count.load(Ordering::Relaxed)), (7, 1));
        drop(alive);
        let unit = KBox::new(cx, ()).unwrap();
        drop(unit);
    });
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn shared_values_live_until_the_last_handle() {
    let count = AtomicUsize::new(0);
    in_kernel("karc", |_, cx| {
        let a = KArc::new(cx, Alive::new(&count)).unwrap();
        assert!(KArc::is_unique(&a));
        let b = a.clone();
        assert!(KArc::ptr_eq(&a, &b) && !KArc::is_unique(&a));
        drop(a);
        assert_eq!(count.load(Ordering::Relaxed), 1);
        drop(b);
        assert_eq!(count.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn handles_are_counted_right_by_many_threads() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    in_kernel("karc threads", |k, cx| {
        let a = KArc::new(cx, Alive::new(&COUNT)).unwrap();
        std::thread::scope(|s| {
            for _ in 0..4 {
                let (mine, k) = (a.clone(), k.clone());
                s.spawn(move || k.enter(|| (0..20_000).for_each(|_| drop(mine.clone()))));
            }
        });
        assert!(KArc::is_unique(&a));
        assert_eq!(COUNT.load(Ordering::Relaxed), 1);
    });
    assert_eq!(COUNT.load(Ordering::Relaxed), 0);
}

#[test]
fn alignment_is_what_types_want() {
    #[repr(align(64))]
    struct Line([u8; 64]);
    in_kernel("alignment", |_, cx| {
        let boxed = KBox::new(cx, Line([3; 64])).unwrap();
        assert_eq!(std::ptr::from_ref(&*boxed).addr() % 64, 0);
        let many = KVec::from_fn(cx, 3, |n| Line([n as u8; 64])).unwrap();
        assert!(many.iter().all(|l| std::ptr::from_ref(l).addr() % 64 == 0));
        assert_eq!((boxed.0[1], many[2].0[63]), (3, 2));
    });
}

#[test]
fn absurd_sizes_are_refused() {
    in_kernel("absurd", |_, cx| {
        let e = KVec::<u64>::with_capacity(cx, usize::MAX / 4).err();
        assert_eq!(e, Some(Errno::ENOMEM));
        let e = KVec::<u64>::with_capacity(cx, usize::MAX).err();
        assert_eq!(e, Some(Errno::ENOMEM));
    });
}

#[test]
fn a_failed_push_changes_nothing() {
    let count = AtomicUsize::new(0);
    in_kernel("push", |k, cx| {
        let mut v = KVec::new();
        for _ in 0..4 {
            v.push(cx, Alive::new(&count)).unwrap();
        }
        k.fail_nth(Fault::Memory, 1);
        assert_eq!(v.push(cx, Alive::new(&count)).err(), Some(Errno::ENOMEM));
        assert_eq!((v.len(), count.load(Ordering::Relaxed)), (4, 4));
        v.push(cx, Alive::new(&count)).unwrap();
        assert!(v.swap_remove(5).is_none());
        drop(v.swap_remove(0));
        drop(v.pop());
        assert_eq!((v.len(), count.load(Ordering::Relaxed)), (3, 3));
    });
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn every_allocation_may_fail() {
    with_every_allocation_failing("memory", |cx| {
        let boxed = KBox::new(cx, 1u32)?;
        let shared = KArc::new(cx, *boxed)?;
        let mut v = KVec::new();
        for n in 0..100 {
            let boxed = KBox::new(cx, n + *shared)?;
            v.push(cx, boxed)?;
        }
        let m = Mutex::new(cx, "test", v)?;
        assert_eq!(m.lock(cx).iter().map(|b| **b).sum::<u32>(), 5050);
        Ok(())
    });
}

#[test]
fn the_mutex_excludes_and_hands_on() {
    in_kernel("mutex", |k, cx| {
        let mut m = Mutex::new(cx, "counter", 0u64).unwrap();
        std::thread::scope(|s| {
            for _ in 0..4 {
                let (m, k) = (&m, k.clone());
                s.spawn(move || {
                    k.enter(|| {
                        let mut cx = testing::token();
                        for _ in 0..2000 {
                            let mut guard = m.lock(&mut cx);
                            let seen = *guard;
                            std::hint::spin_loop();
                            *guard = seen + 1;
                        }
                    });
                });
            }
        });
        assert_eq!(*m.get_mut(), 8000);
        assert_eq!(*m.lock(cx), 8000);
    });
}

#[derive(Clone, Debug)]
enum Op {
    Push(u32),
    Pop,
    SwapRemove(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => any::<u32>().prop_map(Op::Push),
        1 => Just(Op::Pop),
        1 => (0usize..20).prop_map(Op::SwapRemove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_kvec_is_a_vec(ops in prop::collection::vec(op(), 0..80)) {
        in_kernel("kvec", |_, cx| {
            let (mut ours, mut std) = (KVec::new(), Vec::new());
            for op in ops {
                match op {
                    Op::Push(n) => {
                        ours.push(cx, Box::new(n)).unwrap();
                        std.push(Box::new(n));
                    }
                    Op::Pop => assert_eq!(ours.pop(), std.pop()),
                    Op::SwapRemove(i) => {
                        let expected = (i < std.len()).then(|| std.swap_remove(i));
                        assert_eq!(ours.swap_remove(i), expected);
                    }
                }
                assert_eq!(*ours, *std);
            }
        });
    }
}
