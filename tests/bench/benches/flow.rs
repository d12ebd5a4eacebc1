// SPDX-License-Identifier: BSD-2-Clause
//! The table of flows by its size, and what a TCP segment costs. Compare within one run.

#![expect(missing_docs, reason = "made by criterion's macros")]

use std::hint::black_box;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use flow::key::Packed;
use flow::key::Tuple;
use flow::key::V4;
use flow::table::InsertError;
use flow::table::Table;
use flow::tcp::End;
use flow::tcp::Seg;
use flow::tcp::Track;
use flow::tcp::flag::ACK;
use flow::tcp::flag::SYN;
use host::clock::ClockKind;
use host::door::Doors;
use host::kernel::Config;
use host::kernel::Kernel;
use host::ledger::Faults;
use host::sink::Sink;
use kern::epoch;
use kern::mem::KBox;
use kern::testing::softint;
use kern::testing::token;

/// What a firewall keeps about a flow: 88 bytes, the first 24 on the line of the keys.
#[derive(Default)]
#[repr(C)]
struct Flow {
    words: [AtomicU32; 6],
    tcp: Track,
    counters: [AtomicU64; 4],
}

type Flows = Table<V4, Flow>;

fn kernel() -> Kernel {
    Kernel::new(Config {
        name: "bench".to_owned(),
        clock: ClockKind::Real,
        seed: 1,
        faults: Faults::none(),
        doors: Doors::Sink(Sink::default()),
    })
}

fn name(n: u32) -> [u64; V4] {
    let t = Tuple {
        src: 0x0a00_0000 + u128::from(n >> 15),
        dst: 0xc633_6401,
        sport: (n & 0x7fff) as u16 + 1024,
        dport: 443,
        proto: 6,
        ..Tuple::default()
    };
    <[u64; V4]>::pack(&t)
}

fn insert(table: &Flows, n: u32) -> Result<flow::slab::Id, InsertError> {
    let a = name(n);
    epoch::read(&mut softint(), |s| {
        let init = |f: &Flow| {
            f.tcp.reset();
            f.counters
                .iter()
                .for_each(|c| c.store(0, Ordering::Relaxed));
            f.words.iter().for_each(|w| w.store(n, Ordering::Relaxed));
        };
        table.insert(s, &a, Some(&a.flip()), init).map(|hit| hit.id)
    })
}

fn filled(n: u32, max: u32) -> KBox<Flows> {
    let table = Flows::new(&mut token(), "bench", max).expect("memory");
    for i in 0..n {
        insert(&table, i).expect("room");
        if table.wants_reclaim() {
            table.reclaim(&mut token());
        }
    }
    table
}

/// Another flow each time, in an order that no cache foresees: a walk through all numbers below a
/// power of two.
fn next(n: u32, bits: u32) -> u32 {
    n.wrapping_mul(0x9e37_79b5).wrapping_add(0x7f4a_7c15) & ((1 << bits) - 1)
}

fn look(table: &Flows, key: &[u64; V4]) -> Option<u32> {
    epoch::read(&mut softint(), |s| {
        let hit = table.get(s, key)?;
        Some(hit.entry.words.first()?.load(Ordering::Relaxed))
    })
}

fn lookups(c: &mut Criterion) {
    let kernel = kernel();
    kernel.enter(|| {
        let mut g = c.benchmark_group("look-up");
        g.warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));
        for (label, bits) in [("1k", 10), ("128k", 17), ("1M", 20)] {
            let n = 1 << bits;
            let table = filled(n, n);
            let busy = name(n / 3).flip();
            g.bench_function(format!("one busy flow/{label}"), |b| {
                b.iter(|| black_box(look(&table, black_box(&busy))));
            });
            // As many as a CPE has busy at once, among all.
            let some: Vec<_> = (0..256).map(|i| name(next(i * 977, bits)).flip()).collect();
            let mut i = 0;
            g.bench_function(format!("256 busy flows/{label}"), |b| {
                b.iter(|| {
                    i = (i + 1) % some.len();
                    black_box(look(&table, &some[i]))
                });
            });
            let mut at = 0;
            g.bench_function(format!("any flow/{label}"), |b| {
                b.iter(|| {
                    at = next(at, bits);
                    let found = look(&table, &name(at));
                    debug_assert_eq!(found, Some(at));
                    black_box(found)
                });
            });
            g.bench_function(format!("none/{label}"), |b| {
                b.iter(|| {
                    at = next(at, bits);
                    black_box(look(&table, &name(at + n)))
                });
            });
        }
        g.finish();
    });
    kernel.shutdown().expect("nothing left");
}

/// A flow comes and goes: inserted, unlinked, given back by the worker a thousand at a time.
fn turnover(c: &mut Criterion) {
    const BATCH: u32 = 1000;
    let kernel = kernel();
    kernel.enter(|| {
        let mut g = c.benchmark_group("turnover");
        g.warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .throughput(Throughput::Elements(u64::from(BATCH)));
        for (label, n) in [("empty", 0), ("1M others", 1_000_000)] {
            let table = filled(n, 1_100_000);
            let mut at = n;
            g.bench_function(format!("insert, unlink, reclaim/{label}"), |b| {
                b.iter(|| {
                    for _ in 0..BATCH {
                        at = if at < u32::MAX / 2 { at + 1 } else { n };
                        let id = insert(&table, at).expect("room");
                        epoch::read(&mut softint(), |s| table.unlink(s, id));
                    }
                    table.reclaim(&mut token())
                });
            });
        }
        g.finish();
    });
    kernel.shutdown().expect("nothing left");
}

fn segments(c: &mut Criterion) {
    let track = Track::default();
    let seg = |seq, ack, len, flags| Seg {
        seq,
        ack,
        len,
        win: 0xffff,
        flags,
        wscale: (flags & SYN != 0).then_some(7),
    };
    track.segment(End::First, &seg(0, 0, 0, SYN), false);
    track.segment(End::Second, &seg(0, 1, 0, SYN | ACK), false);
    track.segment(End::First, &seg(1, 1, 0, ACK), false);
    let mut g = c.benchmark_group("tcp");
    g.warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    let mut at = 1u32;
    g.bench_function("data and its acknowledgment", |b| {
        b.iter(|| {
            let data = seg(at, 1, 1448, ACK);
            at = at.wrapping_add(1448);
            let one = track.segment(End::First, black_box(&data), false);
            let two = track.segment(End::Second, black_box(&seg(1, at, 0, ACK)), false);
            black_box((one, two))
        });
    });
    let same = seg(at, 1, 0, ACK);
    g.bench_function("nothing new", |b| {
        b.iter(|| black_box(track.segment(End::First, black_box(&same), false)));
    });
    g.finish();
}

criterion_group!(benches, lookups, turnover, segments);
criterion_main!(benches);
