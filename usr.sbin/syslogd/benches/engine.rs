// SPDX-License-Identifier: BSD-2-Clause
//! What syslogd's engine costs for a message, into a sink that only counts: with one rule, with a
//! usual file, and with many rules that can not match; throttled, repeated, and by an expression.
//! The same configurations are asserted not to allocate in `tests/engine_alloc.rs`.

#![expect(missing_docs, reason = "made by criterion's macros")]

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use rig::Rig;

#[path = "../tests/rig/mod.rs"]
mod rig;

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("syslog_engine");
    group.measurement_time(Duration::from_secs(2));
    group.warm_up_time(Duration::from_millis(500));
    for (name, conf, different) in rig::cases() {
        let mut rig = Rig::new(&conf, different);
        (0..5000).for_each(|_| rig.one());
        group.bench_function(name, |b| b.iter(|| black_box(&mut rig).one()));
        black_box(rig.seen());
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
