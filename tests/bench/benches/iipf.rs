// SPDX-License-Identifier: BSD-2-Clause
//! iipf's packet path on a host kernel: ns a packet without a state, with one, and translated, by
//! the number of rules and of states; what a new flow costs, and what a state takes.
//!
//! Packets of states are measured twice: of one busy flow among N (what the table costs), and of
//! all N in random order (what N states cost the caches as well). That no packet calls the allocator
//! is asserted in each case, not plotted.

#![expect(missing_docs, reason = "made by criterion's macros")]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use criterion::BatchSize;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use host::counting::Counting;
use host::counting::allocations;
use host::errno::Errno;
use host::ifreg::Entry;
use host::ifreg::IfAddr;
use host::mbuf::Mbuf;
use host::pfil::Af;
use host::pfil::Dir;
use host::pfil::Outlet;
use host::pfil::Port;
use iipf_abi as abi;

#[path = "../../../modules/iipf/tests/l1/site.rs"]
#[allow(dead_code, reason = "not all of it is for here")]
mod site;

use site::OUTSIDE;
use site::Rules;
use site::SERVER;
use site::Site;
use site::ip;
use site::net;
use site::udp;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Packets made and put through in one go, so that making them is not in the figure.
const BATCH: usize = 64;
/// States of one inside address and port, to as many ports of the server.
const PEERS: u32 = 64;

/// What the filter itself sends leads nowhere.
#[derive(Debug)]
struct Nowhere;

impl Outlet for Nowhere {
    fn emit(&self, _dir: Dir, m: Mbuf, _flags: u32) -> Result<(), Errno> {
        drop(m);
        Ok(())
    }
}

struct Bed {
    site: Site,
    wan: Arc<Port>,
}

impl Bed {
    /// `n` rules that mean others, then one that passes; `state`: `IIPF_STATE_*`.
    fn new(n: u32, state: u8, nat: bool) -> Bed {
        let site = Site::new();
        let entry = Entry {
            name: "wan1".to_owned(),
            mtu: 1500,
            up: true,
            loopback: false,
            addrs: vec![IfAddr {
                addr: ip("203.0.113.9"),
                prefixlen: 24,
            }],
        };
        let wan = site.kernel.pfils().open(entry, Arc::new(Nowhere));
        let mut rules = Rules::default();
        let wan_if = rules.iface("wan1");
        for i in 0..n {
            let host = format!("172.{}.{}.{}", 16 + (i >> 16), i >> 8 & 255, i & 255);
            let r = rules.filter(abi::IIPF_ACT_BLOCK, 0, "");
            r.m.dst = net(&host, &host);
            r.m.flags |= abi::IIPF_M_PROTO;
            r.m.proto = 17;
        }
        rules.filter(abi::IIPF_ACT_PASS, 0, "").state.mode = state;
        if nat {
            let r = rules.nat(abi::IIPF_FILTER_ENDPOINT, 0);
            r.m.iface = wan_if;
            r.m.src = net("10.0.0.0", "10.255.255.255");
            let pool = rules.pools.last_mut().expect("nat adds one");
            let outside = net(OUTSIDE, OUTSIDE);
            pool.kind = abi::IIPF_POOLADDR_RANGE;
            (pool.index, pool.lo, pool.hi) = (0, outside.lo, outside.hi);
        }
        rules.options.limits[abi::IIPF_LIMIT_STATES] = 2_000_000;
        rules.options.limits[abi::IIPF_LIMIT_MAPPINGS] = 100_000;
        let reply = site.load(&rules);
        assert_eq!(reply.error, 0, "the rules are taken: {}", reply.index);
        Bed {
            wan: wan.expect("wan1 is free"),
            site,
        }
    }

    /// The first or any packet of flow `i`, as it comes from the inside.
    fn packet(&self, i: u32) -> Mbuf {
        let source = i / PEERS;
        let host = format!("10.{}.{}.{}", source >> 16, source >> 8 & 255, source & 255);
        let bytes = udp(
            (&host, 5_000),
            (SERVER, 1_000 + (i % PEERS) as u16),
            &[0; 18],
        );
        let made = self.site.kernel.enter(|| Mbuf::from_bytes(&bytes));
        made.expect("memory")
    }

    fn run(&self, m: Mbuf) -> bool {
        self.wan.run(Af::V4, Dir::Out, m, 0).is_some()
    }

    /// Puts a batch through; the vector comes back empty, so that its memory is not freed in here.
    fn pass(&self, mut batch: Vec<Mbuf>) -> Vec<Mbuf> {
        for m in batch.drain(..) {
            assert!(self.run(m), "it passes");
        }
        batch
    }

    fn status(&self) -> abi::Status {
        self.site.ask(&abi::IIPFSTATUS, &())
    }

    /// Makes `n` states. The worker makes room while the time stands nearly still.
    fn fill(&self, n: u32) {
        for i in 0..n {
            for _ in 0..100 {
                if self.run(self.packet(i)) {
                    break;
                }
                self.site.kernel.advance(1_000_000);
            }
        }
        let used = self.status().used[abi::IIPF_LIMIT_STATES];
        assert_eq!(used, n, "states");
    }
}

impl fmt::Debug for Bed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bed")
    }
}

/// Asserts that a batch calls no allocator.
fn quiet(what: &str, bed: &Bed, mut make: impl FnMut() -> Vec<Mbuf>) {
    drop(bed.pass(make()));
    let mut ready = Some(make());
    let calls = allocations(|| ready = ready.take().map(|batch| bed.pass(batch)));
    assert_eq!(calls, 0, "{what}: {BATCH} packets called the allocator");
}

/// A random order that every run repeats.
fn shuffled(n: u32) -> Vec<u32> {
    let mut all: Vec<u32> = (0..n).collect();
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    for i in (1..all.len()).rev() {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        all.swap(i, (x % (i as u64 + 1)) as usize);
    }
    all
}

fn group<'c>(
    c: &'c mut Criterion,
    name: &str,
) -> criterion::BenchmarkGroup<'c, criterion::measurement::WallTime> {
    let mut g = c.benchmark_group(name);
    g.warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    g.throughput(Throughput::Elements(BATCH as u64));
    g
}

fn by_rules(c: &mut Criterion) {
    let mut g = group(c, "no state, by rules");
    for n in [10, 1_000, 10_000] {
        let bed = Bed::new(n, abi::IIPF_STATE_NONE, false);
        let mut at = 0u32;
        let mut make = || {
            at = at.wrapping_add(1);
            (0..BATCH as u32)
                .map(|i| bed.packet(at.wrapping_mul(64).wrapping_add(i) & 0xf_ffff))
                .collect::<Vec<_>>()
        };
        quiet("without state", &bed, &mut make);
        g.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter_batched(&mut make, |batch| bed.pass(batch), BatchSize::PerIteration);
        });
        bed.site.end();
    }
    g.finish();
}

/// Every packet is the first of its flow.
fn new_flows(c: &mut Criterion) {
    let mut g = group(c, "new flow");
    for (name, n, nat) in [
        ("state, rules", 10, false),
        ("state, rules", 10_000, false),
        ("NAPT, rules", 10, true),
    ] {
        let bed = Bed::new(n, abi::IIPF_STATE_KEEP, nat);
        // Room that is made once, then used again and again.
        let room = 40_000 * if nat { 64 } else { 1 };
        let mut at = 0u32;
        let mut made = 0u32;
        let mut make = || {
            if made >= 16_384 {
                // All go; the worker gives their memory back.
                let none = abi::StateFilter::default();
                bed.site.ask(&abi::IIPFKILLSTATES, &none);
                bed.site.later(70);
                made = 0;
            }
            made += BATCH as u32;
            // With NAPT each has a mapping of its own, too.
            let step = if nat { PEERS } else { 1 };
            (0..BATCH)
                .map(|_| {
                    at = (at + step) % room;
                    bed.packet(at)
                })
                .collect::<Vec<_>>()
        };
        for _ in 0..256 {
            for m in make() {
                bed.run(m);
            }
            bed.site.kernel.advance(1_000_000);
        }
        g.bench_function(BenchmarkId::new(name, n), |b| {
            b.iter_batched(&mut make, |batch| bed.pass(batch), BatchSize::PerIteration);
        });
        bed.site.end();
    }
    g.finish();
}

fn by_states(c: &mut Criterion) {
    let mut g = group(c, "established, by states");
    for nat in [false, true] {
        for n in [1_000, 100_000, 1_000_000] {
            let bed = Bed::new(10, abi::IIPF_STATE_KEEP, nat);
            bed.fill(n);
            if !nat {
                let bytes = bed.status().state_memory;
                println!("{n} states: {} bytes each", bytes / u64::from(n));
            }
            let order = shuffled(n);
            for (how, spread) in [("one busy", false), ("all busy", true)] {
                let name = format!("{}{how}", if nat { "NAPT, " } else { "" });
                let mut at = 0;
                let mut make = || {
                    (0..BATCH)
                        .map(|_| {
                            at = if spread { (at + 1) % order.len() } else { 7 };
                            bed.packet(order[at])
                        })
                        .collect::<Vec<_>>()
                };
                quiet(&name, &bed, &mut make);
                g.bench_function(BenchmarkId::new(name, n), |b| {
                    b.iter_batched(&mut make, |batch| bed.pass(batch), BatchSize::PerIteration);
                });
            }
            bed.site.end();
        }
    }
    g.finish();
}

criterion_group!(benches, by_rules, new_flows, by_states);
criterion_main!(benches);
