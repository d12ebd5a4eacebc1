// SPDX-License-Identifier: BSD-2-Clause
//! Rules and address tables: what a look-up costs by number and shape.
//!
//! Each shape is measured with 10, 1,000 and 10,000 rules, on random packets that match one of
//! them; a block at the end catches the rest. Time is per packet, over a ring of packets, so that
//! neither the branch predictor nor the nearest cache knows what comes.

#![expect(missing_docs, reason = "made by criterion's macros")]

use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use classify::Addr;
use classify::AddrMatch;
use classify::AddrTable;
use classify::Af;
use classify::Classifier;
use classify::Dir;
use classify::Fields;
use classify::IfSet;
use classify::Kind;
use classify::Limits;
use classify::Match;
use classify::Ports;
use classify::Prefix;
use classify::Rule;
use classify::TCP;
use classify::TableConfig;
use classify::Tables;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use host::clock::ClockKind;
use host::door::Doors;
use host::kernel::Config;
use host::kernel::Kernel;
use host::ledger::Faults;
use host::sink::Sink;
use kern::epoch;
use kern::testing::token;

const PACKETS: usize = 1 << 14;
const UDP: u8 = 17;

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 8) % n
    }

    fn addr(&mut self, af: Af) -> u128 {
        let random = u128::from(self.next()) << 64 | u128::from(self.next());
        match af {
            Af::V4 => random & u128::from(u32::MAX),
            // Where addresses are given out, with interface numbers of any kind.
            Af::V6 => 0x2000_u128 << 112 | random >> 8,
        }
    }
}

fn host_of(addr: u128) -> AddrMatch {
    AddrMatch {
        addr: Addr::Range(addr, addr),
        not: false,
    }
}

fn prefix(af: Af, addr: u128, len: u8) -> AddrMatch {
    AddrMatch {
        addr: Addr::prefix(af, addr, len),
        not: false,
    }
}

/// Rules of one shape: `n` of them, for one family.
type Shape = fn(&mut Rng, Af, u64) -> Vec<Rule>;

fn rule(af: Af, kind: Kind, when: Match) -> Rule {
    Rule {
        when: Match {
            af: Some(af),
            ..when
        },
        kind,
        anchor: None,
    }
}

fn each(r: &mut Rng, af: Af, n: u64, mut f: impl FnMut(&mut Rng, u64) -> Match) -> Vec<Rule> {
    let last = rule(af, Kind::Last, Match::ANY);
    let some = (1..n).map(|i| rule(af, Kind::Quick, f(r, i)));
    some.chain([last]).collect()
}

/// A block list: each rule has another source.
fn sources(r: &mut Rng, af: Af, n: u64) -> Vec<Rule> {
    each(r, af, n, |r, _| Match {
        src: host_of(r.addr(af)),
        ..Match::ANY
    })
}

/// Sources that follow one another.
fn dense(r: &mut Rng, af: Af, n: u64) -> Vec<Rule> {
    let base = r.addr(af) & !0xffff;
    each(r, af, n, |_, i| Match {
        src: host_of(base + u128::from(i) * 2),
        ..Match::ANY
    })
}

/// Every source with every destination.
fn pairs(r: &mut Rng, af: Af, n: u64) -> Vec<Rule> {
    let side = n.isqrt();
    let of: Vec<_> = (0..2 * side + 2).map(|_| r.addr(af)).collect();
    each(r, af, n, |_, i| Match {
        src: host_of(of[(i % side) as usize]),
        dst: host_of(of[(side + i / side) as usize]),
        ..Match::ANY
    })
}

/// Ports alone, one each.
fn ports(r: &mut Rng, af: Af, n: u64) -> Vec<Rule> {
    each(r, af, n, |_, i| Match {
        proto: Some(TCP),
        dport: Ports::one((i * 6) as u16),
        ..Match::ANY
    })
}

/// Ranges of ports that overlap.
fn port_ranges(r: &mut Rng, af: Af, n: u64) -> Vec<Rule> {
    each(r, af, n, |r, _| {
        let lo = r.below(65_000) as u16;
        Match {
            proto: Some(if r.below(2) == 0 { TCP } else { UDP }),
            dport: Ports {
                lo,
                hi: lo.saturating_add(r.below(500) as u16),
                not: false,
            },
            ..Match::ANY
        }
    })
}

/// As an administrator writes them: services of servers, networks that may, a few for all,
/// interfaces and directions, the last match decides.
fn mixed(r: &mut Rng, af: Af, n: u64) -> Vec<Rule> {
    let wide = if af == Af::V4 { 8 } else { 32 };
    let bits = if af == Af::V4 { 32 } else { 128 };
    let nets: Vec<_> = (0..40).map(|_| r.addr(af)).collect();
    let services = [22, 25, 53, 80, 110, 143, 443, 993, 3306, 8080];
    let mut rules = vec![rule(af, Kind::Last, Match::ANY)];
    for _ in 1..n {
        let server = nets[r.below(40) as usize] & (!0 << 16) | u128::from(r.below(65_536));
        let client = r.addr(af);
        let from = [wide, wide + 8, wide + 16, bits][r.below(4) as usize];
        let mut when = Match {
            proto: Some(if r.below(4) == 0 { UDP } else { TCP }),
            ..Match::ANY
        };
        match r.below(10) {
            0..=4 => {
                when.dst = host_of(server);
                when.dport = Ports::one(services[r.below(10) as usize]);
            }
            5..=6 => {
                when.src = prefix(af, client, from);
                when.dst = prefix(af, server, bits - 8);
            }
            7 => {
                when.src = prefix(af, client, from);
                when.dst = host_of(server);
                when.dport.lo = 1024;
            }
            8 => {
                when.src = prefix(af, nets[r.below(40) as usize], from);
                when.ifaces = IfSet::one(r.below(4) as u8);
            }
            _ => {
                when.dst = host_of(server);
                when.dir = Some(Dir::In);
                when.tcp_flags = (2, 0x12);
            }
        }
        let kind = if r.below(5) == 0 {
            Kind::Quick
        } else {
            Kind::Last
        };
        rules.push(rule(af, kind, when));
    }
    rules
}

/// Against the trees: each rule's ranges lie within those of the rule before it, in both
/// addresses.
fn nested(r: &mut Rng, af: Af, n: u64) -> Vec<Rule> {
    let base = r.addr(af) & !0xfff_ffff | 0x0800_0000;
    each(r, af, n, |r, i| {
        let (low, high) = (
            u128::from(n - i) * 64,
            u128::from(n - i) * 64 + u128::from(r.below(64)),
        );
        Match {
            src: AddrMatch {
                addr: Addr::Range(base - low, base + high),
                not: false,
            },
            dst: AddrMatch {
                addr: Addr::Range(base - high, base + low),
                not: false,
            },
            ..Match::ANY
        }
    })
}

/// The same, the narrowest first.
fn nested_narrow(r: &mut Rng, af: Af, n: u64) -> Vec<Rule> {
    let mut rules = nested(r, af, n);
    let last = rules.pop();
    rules.reverse();
    rules.extend(last);
    rules
}

/// Each rule has a table, four in all, and a port.
fn tables(r: &mut Rng, af: Af, n: u64) -> Vec<Rule> {
    each(r, af, n, |_, i| Match {
        src: AddrMatch {
            addr: Addr::Table((i % 4) as u16),
            not: false,
        },
        proto: Some(TCP),
        dport: Ports::one((i / 4 * 6) as u16),
        ..Match::ANY
    })
}

const SHAPES: [(&str, Shape); 9] = [
    ("sources", sources),
    ("dense sources", dense),
    ("pairs", pairs),
    ("ports", ports),
    ("port ranges", port_ranges),
    ("mixed", mixed),
    ("nested", nested),
    ("nested, narrow first", nested_narrow),
    ("tables and ports", tables),
];

/// A packet that matches rule `when`.
fn meeting(r: &mut Rng, af: Af, when: &Match, tables: &[u128]) -> Fields {
    let addr = |r: &mut Rng, m: &AddrMatch| match m.addr {
        Addr::Range(lo, hi) => lo + u128::from(r.next()) % (hi - lo).saturating_add(1),
        Addr::Table(_) => tables[r.below(tables.len() as u64) as usize],
        Addr::Any => r.addr(af),
    };
    let port = |r: &mut Rng, p: &Ports| p.lo + r.below(u64::from(p.hi - p.lo) + 1) as u16;
    let mut f = Fields::new(af);
    f.src = addr(r, &when.src);
    f.dst = addr(r, &when.dst);
    f.sport = port(r, &when.sport);
    f.dport = port(r, &when.dport);
    f.proto = when.proto.unwrap_or(TCP);
    f.tcp_flags = 2;
    f.dir = when.dir.unwrap_or(Dir::Out);
    f.iface = (0..4).find(|i| when.ifaces.has(*i)).unwrap_or(0);
    f
}

struct Four<'s>(&'s [AddrTable], &'s epoch::Section<'s>);

impl Tables for Four<'_> {
    fn contains(&self, table: u16, af: Af, addr: u128) -> bool {
        let table = self.0.get(usize::from(table));
        table.is_some_and(|t| t.contains(self.1, af, addr, 0))
    }
}

fn in_kernel(f: impl FnOnce()) {
    let kernel = Kernel::new(Config {
        name: "bench".to_owned(),
        clock: ClockKind::Real,
        seed: 1,
        faults: Faults::none(),
        doors: Doors::Sink(Sink::default()),
    });
    kernel.enter(f);
}

fn rules(c: &mut Criterion) {
    in_kernel(|| {
        let mut r = Rng(1);
        let config = TableConfig {
            max: 10_000,
            counters: false,
        };
        // Whoever is in one of the tables is in all, so that each rule can be met.
        let members: Vec<_> = (0..1_000).map(|_| r.addr(Af::V4)).collect();
        let mut four = Vec::new();
        for _ in 0..4 {
            let table = AddrTable::new(&mut token(), config).expect("memory");
            for addr in &members {
                let host = Prefix::new(Af::V4, *addr, 32).expect("an address");
                table.add(&mut token(), host, false, 0).expect("room");
            }
            four.push(table);
        }
        for (af, family) in [(Af::V4, "v4"), (Af::V6, "v6")] {
            for (name, shape) in SHAPES {
                if name.starts_with("tables") && af == Af::V6 {
                    continue;
                }
                let mut g = c.benchmark_group(format!("rules {family} {name}"));
                g.warm_up_time(Duration::from_millis(300))
                    .measurement_time(Duration::from_secs(1))
                    .sample_size(20)
                    .throughput(Throughput::Elements(1));
                for n in [10, 1_000, 10_000] {
                    let rules = shape(&mut r, af, n);
                    let start = Instant::now();
                    let built = Classifier::build(&mut token(), &rules, &[], &Limits::default());
                    let built = built.expect("not too complex");
                    println!(
                        "rules {family} {name}/{n}: built in {:.1} ms, {} bytes",
                        start.elapsed().as_secs_f64() * 1e3,
                        built.bytes()
                    );
                    let packets: Vec<_> = (0..PACKETS)
                        .map(|_| {
                            let which = r.below(rules.len() as u64) as usize;
                            meeting(&mut r, af, &rules[which].when, &members)
                        })
                        .collect();
                    let mut at = 0;
                    g.bench_function(format!("{n}"), |b| {
                        b.iter(|| {
                            at = (at + 1) % PACKETS;
                            let f = &packets[at];
                            epoch::read(&mut token(), |s| {
                                black_box(built.first(f, &Four(&four, s)))
                            })
                        });
                    });
                }
                g.finish();
            }
        }
        drop(four);
    });
}

fn table(c: &mut Criterion) {
    in_kernel(|| {
        let mut r = Rng(1);
        for (af, family, bits) in [(Af::V4, "v4", 32), (Af::V6, "v6", 128)] {
            let mut g = c.benchmark_group(format!("table {family}"));
            g.warm_up_time(Duration::from_millis(300))
                .measurement_time(Duration::from_secs(1))
                .sample_size(20)
                .throughput(Throughput::Elements(1));
            // Hosts alone, and prefixes of the lengths that block lists have.
            let lengths = [0, 0, 0, 8, 9, 10, 11, 12].map(|short| bits - short);
            for (kind, lengths) in [("hosts", &lengths[..1]), ("prefixes", &lengths[..])] {
                for n in [1_000, 100_000, 1_000_000] {
                    let config = TableConfig {
                        max: n,
                        counters: true,
                    };
                    let table = AddrTable::new(&mut token(), config).expect("memory");
                    let mut members = Vec::new();
                    let start = Instant::now();
                    while members.len() < n as usize {
                        let addr = r.addr(af);
                        let len = lengths[members.len() % lengths.len()];
                        let prefix = Prefix::new(af, addr, len).expect("a prefix");
                        if table.add(&mut token(), prefix, false, 0).expect("room") {
                            members.push(addr);
                        }
                    }
                    println!(
                        "table {family} {kind}/{n}: {:.0} ns an insertion, {:.1} bytes an entry",
                        start.elapsed().as_secs_f64() * 1e9 / f64::from(n),
                        table.bytes(&mut token()) as f64 / f64::from(n)
                    );
                    let hits: Vec<_> = (0..PACKETS)
                        .map(|_| members[r.below(u64::from(n)) as usize])
                        .collect();
                    let misses: Vec<_> = (0..PACKETS).map(|_| r.addr(af)).collect();
                    for (what, addrs) in [("hit", &hits), ("random", &misses)] {
                        let mut at = 0;
                        g.bench_function(format!("{kind} {what}/{n}"), |b| {
                            b.iter(|| {
                                at = (at + 1) % PACKETS;
                                epoch::read(&mut token(), |s| {
                                    black_box(table.contains(s, af, addrs[at], 1))
                                })
                            });
                        });
                    }
                }
            }
            g.finish();
        }
    });
}

criterion_group!(benches, rules, table);
criterion_main!(benches);
