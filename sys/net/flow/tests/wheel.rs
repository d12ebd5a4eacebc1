// SPDX-License-Identifier: BSD-2-Clause
//! The wheel against a sorted list.

use flow::wheel::FURTHEST;
use flow::wheel::Links;
use flow::wheel::Wheel;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

struct Slots(Vec<AtomicU32>);

impl Links for Slots {
    fn link(&self, index: u32) -> Option<&AtomicU32> {
        self.0.get(index as usize)
    }
}

fn slots(n: u32) -> Slots {
    Slots((0..n).map(|_| AtomicU32::new(u32::MAX)).collect())
}

#[derive(Clone, Debug)]
enum Op {
    /// Put one away, by a clock that is so many seconds off.
    Push(u32, i32),
    /// Let so many seconds pass; the worker puts back what it finds for so long, if at all.
    Pass(u32, Option<u32>),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0u32..200, -2i32..3).prop_map(|(secs, off)| Op::Push(secs, off)),
        1 => (0u32..5, prop::option::of(0u32..100)).prop_map(|(n, again)| Op::Pass(n, again)),
        1 => (0u32..300).prop_map(|n| Op::Pass(n, None)),
    ]
}

proptest! {
    #[test]
    fn entries_come_in_their_second(
        start in prop_oneof![Just(0u32), any::<u32>(), Just(u32::MAX - 3)],
        ops in prop::collection::vec(op(), 0..200),
    ) {
        let links = slots(200);
        let wheel = Wheel::new(start);
        // Seconds since the start, so that nothing wraps; when each entry is due.
        let mut now = 0u64;
        let mut due: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        let mut serial = 0;
        for op in ops {
            match op {
                Op::Push(secs, off) => {
                    let clock = start.wrapping_add(now as u32).wrapping_add_signed(off);
                    wheel.push(&links, serial, clock, secs);
                    let ahead = off.max(0) as u32;
                    let at = now + u64::from((ahead + secs).clamp(2, FURTHEST));
                    due.entry(at).or_default().insert(serial);
                    serial += 1;
                }
                Op::Pass(n, again) => {
                    now += u64::from(n);
                    let mut later: Vec<(u64, u32)> = Vec::new();
                    let mut got = BTreeSet::new();
                    while let Some(mut list) = wheel.take(start.wrapping_add(now as u32)) {
                        let mut these = Vec::new();
                        while let Some(index) = list.pop(&links) {
                            these.push(index);
                        }
                        for index in these {
                            assert!(got.insert(index), "{index} twice");
                            if let Some(secs) = again.filter(|_| n <= 1) {
                                wheel.again(&links, index, secs);
                                later.push((now + u64::from(secs.clamp(1, FURTHEST)), index));
                            }
                        }
                    }
                    assert_eq!(wheel.last(), start.wrapping_add(now as u32));
                    let rest = due.split_off(&(now + 1));
                    let expected: BTreeSet<u32> = due.into_values().flatten().collect();
                    assert_eq!(got, expected);
                    due = rest;
                    for (at, index) in later {
                        due.entry(at).or_default().insert(index);
                    }
                }
            }
        }
    }
}

#[test]
fn entries_of_many_threads_all_come() {
    const EACH: u32 = 2000;
    let links = slots(3 * EACH);
    let wheel = Wheel::new(7);
    let pushed = AtomicU32::new(0);
    std::thread::scope(|s| {
        for t in 0..3 {
            let (links, wheel, pushed) = (&links, &wheel, &pushed);
            s.spawn(move || {
                for i in 0..EACH {
                    wheel.push(links, t * EACH + i, 7, i % 70);
                    pushed.fetch_add(1, Ordering::Release);
                }
            });
        }
        let mut seen = BTreeSet::new();
        let mut now = 7;
        loop {
            let all = pushed.load(Ordering::Acquire) == 3 * EACH;
            let until = now + 64;
            while now < until {
                now += 1;
                while let Some(mut list) = wheel.take(now) {
                    while let Some(index) = list.pop(&links) {
                        assert!(seen.insert(index), "{index} twice");
                    }
                }
            }
            if all {
                break;
            }
        }
        assert_eq!(seen.len() as u32, 3 * EACH);
    });
}
