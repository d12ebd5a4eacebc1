// SPDX-License-Identifier: BSD-2-Clause
//! Every interleaving of readers, a writer and a small table, as loom explores them.
//!
//! Read sections are modelled by a RwLock: a section holds it for reading, and waiting for all
//! sections is to take it for writing once. The values are loom cells, so that a read that does
//! not happen before the writer's reuse of the value ends the test, whatever bytes it saw.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p psref --release`
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex, RwLock};
use loom::thread;
use psref::table::{Place, Table, Target};

/// Small enough to explore; the second nested reference of a CPU spills.
type Small = Table<2, 1>;
/// One entry for everybody: claims of different targets follow one another in it.
type Single = Table<1, 1>;

const NOTHING: usize = usize::MAX;

/// A value that readers may use, with its target.
struct Value {
    target: Target,
    alive: UnsafeCell<bool>,
}

impl Value {
    fn new() -> Self {
        Self {
            target: Target::new(),
            alive: UnsafeCell::new(true),
        }
    }

    fn read(&self) {
        // SAFETY: what is under test; loom reports a read beside a write.
        self.alive
            .with(|p| assert!(unsafe { *p }, "a freed value was read"));
    }

    /// What the writer does with memory that nobody uses.
    fn free(&self) {
        // SAFETY: what is under test; loom reports a write beside a read.
        self.alive.with_mut(|p| unsafe { *p = false });
    }
}

struct World<const S: usize, const E: usize> {
    table: Table<S, E>,
    sections: RwLock<()>,
    /// The published value: an index, or NOTHING. Relaxed: the sections do the ordering.
    published: AtomicUsize,
    values: [Value; 2],
}

impl<const S: usize, const E: usize> World<S, E> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            table: Table::new(),
            sections: RwLock::new(()),
            published: AtomicUsize::new(0),
            values: [Value::new(), Value::new()],
        })
    }

    /// Take a reference in a section, read the value outside of it, drop the reference.
    fn reader(&self, cpu: usize) -> Option<Place> {
        let (value, place) = {
            let _section = self.sections.read().unwrap();
            let value = self.values.get(self.published.load(Ordering::Relaxed))?;
            (value, self.table.acquire(cpu, &value.target))
        };
        value.read();
        self.table.release(place, &value.target);
        Some(place)
    }

    /// Retire value 0 in favour of `next`, as kern's Passive does.
    fn replace(&self, next: usize) {
        self.published.store(next, Ordering::Relaxed);
        drop(self.sections.write().unwrap());
        self.retire(0);
    }

    fn retire(&self, which: usize) {
        let value = &self.values[which];
        self.table.drain(&value.target, |_| thread::yield_now());
        value.free();
    }
}

/// At most three switches of thread that are not forced: five find no more, and take twenty times
/// as long. `LOOM_MAX_PREEMPTIONS` sets another bound.
fn explore(f: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(3));
    model.check(f);
}

#[test]
fn one_reader_and_a_writer_that_frees() {
    explore(|| {
        let w: Arc<World<2, 1>> = World::new();
        let reader = thread::spawn({
            let w = w.clone();
            move || w.reader(0)
        });
        w.replace(NOTHING);
        reader.join().unwrap();
        assert_eq!(w.table.held(), 0);
    });
}

#[test]
fn two_readers_on_two_cpus() {
    explore(|| {
        let w: Arc<World<2, 1>> = World::new();
        let readers = [0, 1].map(|cpu| {
            let w = w.clone();
            thread::spawn(move || w.reader(cpu))
        });
        w.replace(1);
        for r in readers {
            assert!(r.join().unwrap().is_some());
        }
        assert_eq!(w.table.held(), 0);
    });
}

/// Both claim in the same entry: one wins, the other spills into the target's count.
#[test]
fn two_readers_of_one_entry() {
    explore(|| {
        let w: Arc<World<1, 1>> = World::new();
        let readers = [0, 7].map(|cpu| {
            let w = w.clone();
            thread::spawn(move || w.reader(cpu))
        });
        w.replace(NOTHING);
        for r in readers {
            r.join().unwrap();
        }
        assert_eq!(w.table.held(), 0);
    });
}

#[test]
fn nested_references_spill() {
    explore(|| {
        let w: Arc<World<2, 1>> = World::new();
        let reader = thread::spawn({
            let w = w.clone();
            move || {
                let value = &w.values[0];
                let places = {
                    let _section = w.sections.read().unwrap();
                    if w.published.load(Ordering::Relaxed) != 0 {
                        return;
                    }
                    [0; 3].map(|cpu| w.table.acquire(cpu, &value.target))
                };
                assert_eq!(places[2], Place::SPILLED);
                assert_ne!(places[0], places[1]);
                // The table's entries first: at the end only the count protects the value.
                for place in places {
                    value.read();
                    w.table.release(place, &value.target);
                }
            }
        });
        w.replace(NOTHING);
        reader.join().unwrap();
        assert_eq!(w.table.held(), 0);
    });
}

/// The drainer sees the entry only after another target's reader used it: what the first reader
/// did must be visible all the same (point 3 of the proof; needs the claim's Acquire).
#[test]
fn an_entry_that_passes_through_another_target() {
    explore(|| {
        let w: Arc<(Single, [Value; 2])> = Arc::new((Table::new(), [Value::new(), Value::new()]));
        // Claimed before the drain begins, as the sections guarantee.
        let first = w.0.acquire(0, &w.1[0].target);
        assert_ne!(first, Place::SPILLED);
        let one = thread::spawn({
            let w = w.clone();
            move || {
                w.1[0].read();
                w.0.release(first, &w.1[0].target);
            }
        });
        let other = thread::spawn({
            let w = w.clone();
            move || {
                let place = w.0.acquire(0, &w.1[1].target);
                w.1[1].read();
                w.0.release(place, &w.1[1].target);
            }
        });
        w.0.drain(&w.1[0].target, |_| thread::yield_now());
        w.1[0].free();
        one.join().unwrap();
        other.join().unwrap();
        assert_eq!(w.0.held(), 0);
    });
}

/// Two writers at once; each drops the reference that the other one waits for.
#[test]
fn two_drainers() {
    explore(|| {
        let w: Arc<(Small, [Value; 2])> = Arc::new((Table::new(), [Value::new(), Value::new()]));
        let holds = [0, 1].map(|i| w.0.acquire(0, &w.1[i].target));
        let writer = |mine: usize, others: usize| {
            let w = w.clone();
            move || {
                w.1[others].read();
                w.0.release(holds[others], &w.1[others].target);
                w.0.drain(&w.1[mine].target, |_| thread::yield_now());
                w.1[mine].free();
            }
        };
        let first = thread::spawn(writer(0, 1));
        writer(1, 0)();
        first.join().unwrap();
        assert_eq!(w.0.held(), 0);
    });
}

/// A filter's ruleset and the map of interfaces that belongs to it, each published and replaced by
/// itself, as iipf has them.
struct Filter {
    sections: RwLock<()>,
    /// What writers hold: which ruleset runs.
    config: Mutex<usize>,
    rules: AtomicUsize,
    alive: [Value; 2],
    /// Of each ruleset: which of its maps is published, and the maps.
    map: [AtomicUsize; 2],
    maps: [[Value; 2]; 2],
}

impl Filter {
    /// A packet: both are looked at in one section, and belong together.
    fn packet(&self) -> usize {
        let _section = self.sections.read().unwrap();
        let rules = self.rules.load(Ordering::Acquire);
        self.alive[rules].read();
        let map = self.map[rules].load(Ordering::Acquire);
        self.maps[rules][map].read();
        rules
    }

    fn wait(&self) {
        drop(self.sections.write().unwrap());
    }

    /// Another ruleset, with a map of its own; the old ones go.
    fn load(&self) {
        let mut running = self.config.lock().unwrap();
        self.rules.store(1, Ordering::Release);
        let old = std::mem::replace(&mut *running, 1);
        self.wait();
        self.alive[old].free();
        self.maps[old][self.map[old].load(Ordering::Relaxed)].free();
    }

    /// The interfaces have changed: the running ruleset gets another map.
    fn refresh(&self) {
        let running = self.config.lock().unwrap();
        self.map[*running].store(1, Ordering::Release);
        self.wait();
        self.maps[*running][0].free();
    }
}

#[test]
fn a_ruleset_is_replaced_while_its_interfaces_change() {
    explore(|| {
        let pair = || [Value::new(), Value::new()];
        let filter = Arc::new(Filter {
            sections: RwLock::new(()),
            config: Mutex::new(0),
            rules: AtomicUsize::new(0),
            alive: pair(),
            map: [AtomicUsize::new(0), AtomicUsize::new(0)],
            maps: [pair(), pair()],
        });
        let refresher = thread::spawn({
            let filter = filter.clone();
            move || filter.refresh()
        });
        let packets = thread::spawn({
            let filter = filter.clone();
            move || [filter.packet(), filter.packet()]
        });
        filter.load();
        let [first, second] = packets.join().unwrap();
        assert!(first <= second, "a packet saw the rules of before again");
        refresher.join().unwrap();
        assert_eq!(filter.packet(), 1);
    });
}
