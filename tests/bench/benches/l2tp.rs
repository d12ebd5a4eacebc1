// SPDX-License-Identifier: BSD-2-Clause
//! if_l2tp's packet path on a host kernel with doors that lead nowhere: ns a packet for encap and
//! decap, by frame size and by the number of sessions.
//!
//! A look-up is measured twice: with one session busy among N (what the table costs) and with the
//! packets spread over all N in random order (what N variants cost the caches as well).
//! That no packet calls the allocator is asserted in each case, not plotted.

#![expect(missing_docs, reason = "made by criterion's macros")]

use std::sync::Arc;
use std::time::Duration;

use criterion::BatchSize;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use host::clock::ClockKind;
use host::counting::Counting;
use host::counting::allocations;
use host::door::Doors;
use host::kernel::Config;
use host::kernel::Kernel;
use host::ledger::Faults;
use host::mbuf::Mbuf;
use host::port::EncapPort;
use host::port::IfPort;
use host::sink::Sink;
use if_l2tp_abi as abi;
use kabi::IntoBytes;
use kpi_sys::KPI_AF_INET;
use kpi_sys::KPI_PROTO_L2TP;
use kpi_sys::KPI_TUNNEL_SET;
use kpi_sys::kpi_encap_rx;
use kpi_sys::kpi_tunnel;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LOCAL: [u8; 16] = [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const REMOTE: [u8; 16] = [10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const COOKIE: u64 = 0x1122_3344_5566_7788;

/// A kernel with `n` sessions of one peer, ids from 1 on, cookies of 8 bytes.
struct Bed {
    kernel: Kernel,
    ports: Vec<Arc<IfPort>>,
    encap: Arc<EncapPort>,
}

impl Bed {
    fn new(n: u32) -> Bed {
        let sink = Sink::default();
        let kernel = Kernel::new(Config {
            name: "bench".to_owned(),
            clock: ClockKind::Real,
            seed: 1,
            faults: Faults::none(),
            doors: Doors::Sink(sink.clone()),
        });
        kernel.load(if_l2tp::MODULE.raw()).expect("if_l2tp loads");
        for unit in 0..n {
            let name = kernel.clone_create(&format!("l2tp{unit}")).expect("create");
            let (kt_af, kt_src, kt_dst) = (KPI_AF_INET, LOCAL, REMOTE);
            let mut tunnel = kpi_tunnel {
                kt_af,
                kt_pad: 0,
                kt_src,
                kt_dst,
            };
            kernel
                .if_tunnel(&name, KPI_TUNNEL_SET, &mut tunnel)
                .expect("tunnel");
            let mut req = abi::L2tpReq {
                state: abi::L2TP_STATE_UP,
                my_cookie_len: 8,
                peer_cookie_len: 8,
                my_sess_id: unit + 1,
                peer_sess_id: unit + 1_000_000,
                pad: 0,
                my_cookie: COOKIE,
                peer_cookie: COOKIE,
            };
            let set = [
                abi::SIOCSL2TPSESSION,
                abi::SIOCSL2TPCOOKIE,
                abi::SIOCSL2TPSTATE,
            ];
            for cmd in set {
                kernel
                    .if_ioctl(&name, cmd.cmd, req.as_mut_bytes())
                    .expect("ioctl");
            }
            kernel.if_set_up(&name, true).expect("up");
        }
        let port = |unit| sink.ifport(&format!("l2tp{unit}")).expect("attached");
        // Looking each of 65,535 up by name would take longer than the benchmark.
        let ports = (0..n.min(1)).map(port).collect();
        let encap = sink.encap().expect("a tunnel opened an endpoint");
        Bed {
            kernel,
            ports,
            encap,
        }
    }

    /// The outer payload of a packet for a session.
    fn message(session: u32, frame: &[u8]) -> Vec<u8> {
        let cookie = COOKIE.to_be_bytes();
        [session.to_be_bytes().as_slice(), cookie.as_slice(), frame].concat()
    }

    fn packet(&self, bytes: &[u8]) -> Mbuf {
        self.kernel
            .enter(|| Mbuf::from_bytes(bytes))
            .expect("memory")
    }

    fn receive(&self, m: Mbuf) {
        assert!(self.encap.input(m, &RX), "the module takes it");
    }

    fn send(&self, m: Mbuf) {
        self.ports[0].transmit(m).expect("sent");
    }
}

const RX: kpi_encap_rx = kpi_encap_rx {
    kr_af: KPI_AF_INET,
    kr_proto: KPI_PROTO_L2TP,
    kr_src: REMOTE,
    kr_dst: LOCAL,
    kr_sport: 0,
    kr_dport: 0,
    kr_off: 0,
};

/// An IPv4/UDP frame, as a LAN carries most of the time.
fn frame(len: usize) -> Vec<u8> {
    let mut f = vec![0x5a; len];
    f[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    f[14] = 0x45;
    f[16..18].copy_from_slice(&((len - 14) as u16).to_be_bytes());
    f[20] = 0;
    f[21] = 0;
    f[23] = 17;
    f
}

/// Packets made and put through a path in one go, so that setting up is not in the figure.
const BATCH: usize = 64;

fn by_size(c: &mut Criterion) {
    let bed = Bed::new(1);
    for (name, decap) in [("encap", false), ("decap", true)] {
        let mut g = c.benchmark_group(name);
        g.warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        g.throughput(Throughput::Elements(BATCH as u64));
        for size in [64, 1400] {
            let frame = frame(size);
            let bytes = if decap {
                Bed::message(1, &frame)
            } else {
                frame
            };
            let make = || (0..BATCH).map(|_| bed.packet(&bytes)).collect::<Vec<_>>();
            let run = |batch: Vec<Mbuf>| {
                let mut batch = batch;
                for m in batch.drain(..) {
                    if decap { bed.receive(m) } else { bed.send(m) }
                }
                batch
            };
            // Warm the pools, then no packet may call the allocator.
            drop(run(make()));
            let mut ready = Some(make());
            let calls = allocations(|| ready = ready.take().map(run));
            assert_eq!(
                calls, 0,
                "{name} of {size} bytes: {BATCH} packets called the allocator"
            );
            g.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter_batched(make, run, BatchSize::PerIteration);
            });
        }
        g.finish();
    }
}

/// A random order that every run repeats.
fn shuffled(n: u32) -> Vec<u32> {
    let mut ids: Vec<u32> = (1..=n).collect();
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    for i in (1..ids.len()).rev() {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        ids.swap(i, (x % (i as u64 + 1)) as usize);
    }
    ids
}

fn by_sessions(c: &mut Criterion) {
    let mut g = c.benchmark_group("decap by sessions");
    g.warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    g.throughput(Throughput::Elements(BATCH as u64));
    let frame = frame(64);
    for n in [1, 64, 4_096, 65_535] {
        let bed = Bed::new(n);
        let order = shuffled(n);
        for (name, spread) in [("one busy", false), ("all busy", true)] {
            let mut at = 0;
            let mut make = || {
                let mut batch = Vec::with_capacity(BATCH);
                for _ in 0..BATCH {
                    at = if spread {
                        (at + 1) % order.len()
                    } else {
                        order.len() / 2
                    };
                    batch.push(bed.packet(&Bed::message(order[at], &frame)));
                }
                batch
            };
            let run = |batch: Vec<Mbuf>| {
                let mut batch = batch;
                batch.drain(..).for_each(|m| bed.receive(m));
                batch
            };
            drop(run(make()));
            let mut ready = Some(make());
            let calls = allocations(|| ready = ready.take().map(run));
            assert_eq!(
                calls, 0,
                "{n} sessions, {name}: packets called the allocator"
            );
            g.bench_function(BenchmarkId::new(name, n), |b| {
                b.iter_batched(&mut make, run, BatchSize::PerIteration);
            });
        }
    }
    g.finish();
}

criterion_group!(benches, by_size, by_sessions);
criterion_main!(benches);
