// SPDX-License-Identifier: BSD-2-Clause
//! `epoch::read` and `Passive::with` against crossbeam-epoch, Arc and RwLock, alone and with a
//! second thread that does the same. Compare within one run: machines differ, ratios less.

#![expect(missing_docs, reason = "made by criterion's macros")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use criterion::BenchmarkGroup;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use criterion::measurement::WallTime;
use host::clock::ClockKind;
use host::door::Doors;
use host::kernel::Config;
use host::kernel::Kernel;
use host::ledger::Faults;
use host::sink::Sink;
use kern::epoch;
use kern::passive::Passive;
use kern::passive::Value;
use kern::testing::token;

/// A variant's worth of data.
type Variant = [u64; 16];

const VARIANT: Variant = [7; 16];

/// Measures `f` alone, then while another thread does it all the time.
fn both<F: Fn() + Send + Sync>(g: &mut BenchmarkGroup<'_, WallTime>, name: &str, f: F) {
    g.bench_function(format!("{name}/1 thread"), |b| b.iter(&f));
    let stop = AtomicBool::new(false);
    thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                f();
            }
        });
        g.bench_function(format!("{name}/2 threads"), |b| b.iter(&f));
        stop.store(true, Ordering::Relaxed);
    });
}

fn references(c: &mut Criterion) {
    let kernel = Kernel::new(Config {
        name: "bench".to_owned(),
        clock: ClockKind::Real,
        seed: 1,
        faults: Faults::none(),
        doors: Doors::Sink(Sink::default()),
    });
    kernel.enter(|| {
        let mut g = c.benchmark_group("read a shared value");
        g.warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));

        let passive = Passive::new(Value::new(&mut token(), VARIANT).expect("memory"));
        both(&mut g, "epoch::read + peek", || {
            let seen = epoch::read(&mut token(), |s| passive.peek(s).map(|v| v[3]));
            black_box(seen);
        });
        both(&mut g, "Passive::with", || {
            black_box(passive.with(&mut token(), |v, _| v[3]));
        });

        // The pin alone: what a load behind it costs, all have in common.
        both(&mut g, "crossbeam-epoch pin", || {
            black_box(crossbeam_epoch::pin());
        });

        let shared = RwLock::new(Arc::new(VARIANT));
        both(&mut g, "RwLock<Arc> clone", || {
            let v = shared.read().expect("not poisoned").clone();
            black_box(v[3]);
        });
        let arc = Arc::new(VARIANT);
        both(&mut g, "Arc clone and drop", || {
            black_box(arc.clone()[3]);
        });
        let lock = RwLock::new(VARIANT);
        both(&mut g, "RwLock read", || {
            black_box(lock.read().expect("not poisoned")[3]);
        });
        g.finish();
        drop(passive);
    });
}

criterion_group!(benches, references);
criterion_main!(benches);
