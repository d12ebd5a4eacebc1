// SPDX-License-Identifier: BSD-2-Clause
//! Packets on several threads against a worker that expires, gives back and grows. ThreadSanitizer
//! and AddressSanitizer run this same test.

mod common;

use common::in_kernel;
use flow::care::Expire;
use flow::care::seconds;
use flow::key::V4;
use flow::slab::Id;
use flow::table::Hit;
use flow::table::InsertError;
use flow::table::Table;
use flow::wheel::Next;
use host::kernel::Kernel;
use kern::cx::Softint;
use kern::epoch;
use kern::epoch::Section;
use kern::mem::KBox;
use kern::testing;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use testkit::Noise;
use testkit::Stop;

/// Says whose the entry is.
#[derive(Default)]
struct Owner {
    key: AtomicU64,
    serial: AtomicU64,
    wheel: AtomicU32,
}

type Flows = Table<V4, Owner>;

/// Keys that come and go, few, so that threads meet.
const BUSY: u64 = 97;
/// Keys that come and stay, so that the table grows.
const STAY: u64 = 12_000;

fn key(n: u64) -> [u64; V4] {
    [n, n.wrapping_mul(3)]
}

fn back(n: u64) -> [u64; V4] {
    [n, !n]
}

struct World {
    table: KBox<Flows>,
    stop: Stop,
    /// Who holds a busy key: 0 or 1.
    holders: Vec<AtomicU32>,
    serial: AtomicU64,
    stayed: AtomicU64,
    looks: AtomicU64,
    turns: AtomicU64,
}

impl World {
    fn insert(&self, cx: &mut Softint, n: u64, wheel: bool) -> Result<(Id, u64), InsertError> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        epoch::read(cx, |s| {
            let init = |o: &Owner| {
                o.key.store(n, Ordering::Relaxed);
                o.serial.store(serial, Ordering::Relaxed);
                o.wheel.store(u32::from(wheel), Ordering::Relaxed);
            };
            let hit = self.table.insert(s, &key(n), Some(&back(n)), init)?;
            if wheel {
                self.table.arm(s, hit.id, seconds(), 2);
            }
            Ok((hit.id, serial))
        })
    }

    /// Comes and goes by keys that others want too.
    fn turn(&self, k: &Kernel, seed: u64) {
        k.enter(|| {
            let mut cx = testing::softint();
            let mut noise = Noise::new(seed);
            while self.stop.go_on() {
                let n = noise.word() % BUSY;
                let wheel = noise.below(4) == 0;
                let (id, serial) = match self.insert(&mut cx, n, wheel) {
                    Ok(got) => got,
                    Err(InsertError::Taken) => continue,
                    Err(_) => {
                        std::thread::yield_now();
                        continue;
                    }
                };
                let holders = &self.holders[n as usize];
                let others = holders.fetch_add(1, Ordering::AcqRel);
                assert_eq!(others, 0, "two entries with key {n}");
                for _ in 0..noise.below(4) {
                    self.mine(&mut cx, n, id, serial);
                }
                holders.fetch_sub(1, Ordering::AcqRel);
                let done = epoch::read(&mut cx, |s| self.table.unlink(s, id));
                assert!(done, "nobody else unlinks it");
                self.turns.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// What one has inserted is found by both keys, whatever the worker does.
    fn mine(&self, cx: &mut Softint, n: u64, id: Id, serial: u64) {
        epoch::read(cx, |s| {
            for key in [key(n), back(n)] {
                let hit = self.table.get(s, &key).expect("it is there");
                assert_eq!(hit.id, id);
                assert_eq!(hit.entry.serial.load(Ordering::Relaxed), serial);
            }
        });
    }

    /// What is found has the key that was looked for, and keeps it as long as the section lasts.
    fn read(&self, k: &Kernel, seed: u64) {
        k.enter(|| {
            let mut cx = testing::softint();
            let mut noise = Noise::new(seed);
            while self.stop.go_on() {
                let n = noise.word() % BUSY;
                epoch::read(&mut cx, |s| self.watch(s, n));
                let stayed = self.stayed.load(Ordering::Acquire);
                if stayed != 0 {
                    let n = BUSY + noise.word() % stayed;
                    epoch::read(&mut cx, |s| {
                        let hit = self.table.get(s, &key(n));
                        let hit = hit.unwrap_or_else(|| panic!("{n} of {stayed} is lost"));
                        assert_eq!(hit.entry.key.load(Ordering::Relaxed), n);
                    });
                }
            }
        });
    }

    fn watch(&self, s: &Section<'_>, n: u64) {
        let Some(hit) = self.table.get(s, &back(n)) else {
            return;
        };
        let serial = hit.entry.serial.load(Ordering::Relaxed);
        for _ in 0..20 {
            assert_eq!(hit.entry.key.load(Ordering::Relaxed), n, "another flow's");
            assert_eq!(hit.entry.serial.load(Ordering::Relaxed), serial, "reused");
            assert_eq!(hit.entry.key(hit.side), back(n));
            std::hint::spin_loop();
        }
        self.looks.fetch_add(1, Ordering::Relaxed);
    }
}

/// Looks at what is on the wheel, and leaves it to its owner.
struct Watch;

impl Expire<V4, Owner> for Watch {
    fn due(&mut self, _s: &Section<'_>, hit: Hit<'_, V4, Owner>) -> Next {
        assert_eq!(hit.entry.wheel.load(Ordering::Relaxed), 1);
        Next::In(1)
    }

    fn gone(&mut self, _s: &Section<'_>, _hit: Hit<'_, V4, Owner>) {
        panic!("nothing was to be unlinked");
    }
}

#[test]
fn packets_and_the_worker_do_not_meet() {
    in_kernel(|k, cx| {
        let w = World {
            table: Flows::new(cx, "stress", 60_000).unwrap(),
            stop: Stop::new(),
            holders: (0..BUSY).map(|_| AtomicU32::new(0)).collect(),
            serial: AtomicU64::new(1),
            stayed: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            turns: AtomicU64::new(0),
        };
        std::thread::scope(|threads| {
            let _running = w.stop.guard();
            for seed in 0..2 {
                let (w, k1, k2) = (&w, k.clone(), k.clone());
                threads.spawn(move || w.turn(&k1, seed));
                threads.spawn(move || w.read(&k2, seed + 10));
            }
            let w = &w;
            let k = k.clone();
            threads.spawn(move || {
                k.enter(|| {
                    let mut cx = testing::softint();
                    for n in 0..STAY {
                        while w.insert(&mut cx, BUSY + n, false).is_err() {
                            if !w.stop.go_on() {
                                return;
                            }
                            std::thread::yield_now();
                        }
                        w.stayed.store(n + 1, Ordering::Release);
                    }
                });
            });
            // The worker: its clock runs fast.
            let mut now = seconds();
            let bytes = w.table.bytes();
            let mut rounds = 0u32;
            while w.stayed.load(Ordering::Relaxed) < STAY
                || rounds < 200
                || w.turns.load(Ordering::Relaxed) < 20_000
                || w.looks.load(Ordering::Relaxed) < 1000
            {
                rounds += 1;
                now += 1;
                w.table.expire(cx, now, &mut Watch);
                w.table.reclaim(cx);
                if rounds.is_multiple_of(50) {
                    w.table.set_max(cx, 40_000 + rounds % 7 * 1000);
                }
                assert!(rounds < 5_000_000, "the others get nowhere");
            }
            assert!(w.table.bytes() > 2 * bytes, "it has grown");
        });
        assert_eq!(w.table.len() as u64, STAY);
        w.table.expire(cx, seconds() + 10_000_000, &mut Watch);
        w.table.reclaim(cx);
        epoch::read(cx, |s| {
            let lost = (BUSY..BUSY + STAY).filter(|&n| w.table.get(s, &key(n)).is_none());
            assert_eq!(lost.count(), 0);
        });
    });
}
