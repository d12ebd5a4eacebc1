// SPDX-License-Identifier: BSD-2-Clause
//! What a filter and a translator do to the bytes of a packet: ns for parsing it, and for parsing it
//! and giving it another address and port, there or back in turn. For comparison, the checksum of
//! a full-sized segment computed anew. That nothing calls the allocator is asserted.

#![expect(missing_docs, reason = "made by criterion's macros")]

use std::hint::black_box;
use std::time::Duration;

use criterion::BenchmarkGroup;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use criterion::measurement::WallTime;
use host::counting::Counting;
use host::counting::allocations;
use wire::build::Ip;
use wire::build::Problem;
use wire::build::Segment;
use wire::build::problem;
use wire::cksum::Sum;
use wire::packet;
use wire::packet::Af;
use wire::packet::Ids;
use wire::rewrite;
use wire::rewrite::Ends;
use wire::rewrite::Sums;
use wire::tcp::Flags;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const INSIDE: u128 = 0x2001_0db8 << 96 | 0x0a00_0001;
const OUTSIDE: u128 = 0x2001_0db8 << 96 | 0xcb00_7107;
const PEER: u128 = 0x2001_0db8 << 96 | 0xc633_6402;
const SPORT: u16 = 50_000;
const MAPPED: u16 = 61_234;

fn ends(af: Af, src: u128, sport: u16) -> Ends {
    let narrow = |addr: u128| {
        if af == Af::V4 {
            addr & 0xffff_ffff
        } else {
            addr
        }
    };
    Ends {
        src: narrow(src),
        dst: narrow(PEER),
        ids: Ids::Ports {
            src: sport,
            dst: 443,
        },
    }
}

/// A segment without data from inside to the peer.
fn segment(af: Af) -> Vec<u8> {
    let Ends { src, dst, .. } = ends(af, INSIDE, SPORT);
    let ip = Ip {
        af,
        src,
        dst,
        ttl: 64,
        tos: 0,
    };
    let segment = Segment {
        ip,
        sport: SPORT,
        dport: 443,
        seq: 1,
        ack: 2,
        flags: Flags::ACK,
        window: 512,
        mss: None,
    };
    let mut b = vec![0; 60];
    let n = segment.emit(&mut b).expect("room");
    b.truncate(n);
    b
}

/// The same as UDP: the checksum's place is another.
fn datagram(af: Af) -> Vec<u8> {
    let mut b = segment(af);
    let at = b.len() - 20;
    match af {
        Af::V4 => {
            b[9] = 17;
            b[10..12].fill(0);
            let sum = Sum::new().bytes(&b[..20]).finish();
            b[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        Af::V6 => b[6] = 17,
    }
    b[at + 4..at + 8].copy_from_slice(&[0, 20, 0x12, 0x34]);
    b
}

/// "Port unreachable" about a packet.
fn unreachable(af: Af, orig: &[u8]) -> Vec<u8> {
    let p = packet::parse(orig, orig.len(), af).expect("a packet");
    let (typ, code, arg) = match af {
        Af::V4 => (3, 3, 0),
        Af::V6 => (1, 4, 0),
    };
    let mut b = vec![0; 1280];
    let n = problem(&p, orig, Problem { typ, code, arg }, p.dst, 64, &mut b).expect("room");
    b.truncate(n);
    b
}

/// Measures `f` on `b`, after it has been seen not to allocate.
fn measure(g: &mut BenchmarkGroup<'_, WallTime>, name: &str, b: &mut [u8], f: fn(&mut [u8], bool)) {
    let calls = allocations(|| {
        f(b, true);
        f(b, false);
    });
    assert_eq!(calls, 0, "{name} calls the allocator");
    let mut there = false;
    g.bench_function(name, |bench| {
        bench.iter(|| {
            there = !there;
            f(black_box(b), there);
        });
    });
    if there {
        f(b, false);
    }
}

fn parse<const SIX: bool>(b: &mut [u8], _: bool) {
    let af = if SIX { Af::V6 } else { Af::V4 };
    black_box(packet::parse(b, b.len(), af)).expect("a packet");
}

fn translate<const SIX: bool>(b: &mut [u8], there: bool) {
    let af = if SIX { Af::V6 } else { Af::V4 };
    let to = if there {
        ends(af, OUTSIDE, MAPPED)
    } else {
        ends(af, INSIDE, SPORT)
    };
    let mut p = packet::parse(b, b.len(), af).expect("a packet");
    rewrite::ends(b, &mut p, &to, Sums::Whole).expect("can be rewritten");
    black_box(p);
}

fn translate_error<const SIX: bool>(b: &mut [u8], there: bool) {
    let af = if SIX { Af::V6 } else { Af::V4 };
    let to = if there {
        ends(af, OUTSIDE, MAPPED)
    } else {
        ends(af, INSIDE, SPORT)
    };
    let mut p = packet::parse(b, b.len(), af).expect("a packet");
    let mut inner = p.embedded(b).expect("an error");
    rewrite::error(b, &mut p, &mut inner, (to.dst, to.src), &to).expect("can be rewritten");
    black_box((p, inner));
}

fn wire(c: &mut Criterion) {
    let mut g = c.benchmark_group("wire");
    g.warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    let (mut tcp4, mut tcp6) = (segment(Af::V4), segment(Af::V6));
    let (mut udp4, mut udp6) = (datagram(Af::V4), datagram(Af::V6));
    let mut error4 = unreachable(Af::V4, &tcp4);
    let mut error6 = unreachable(Af::V6, &tcp6);
    measure(&mut g, "parse/tcp4", &mut tcp4, parse::<false>);
    measure(&mut g, "parse/udp4", &mut udp4, parse::<false>);
    measure(&mut g, "parse/tcp6", &mut tcp6, parse::<true>);
    measure(&mut g, "parse/udp6", &mut udp6, parse::<true>);
    measure(
        &mut g,
        "parse + rewrite/tcp4",
        &mut tcp4,
        translate::<false>,
    );
    measure(
        &mut g,
        "parse + rewrite/udp4",
        &mut udp4,
        translate::<false>,
    );
    measure(&mut g, "parse + rewrite/tcp6", &mut tcp6, translate::<true>);
    measure(&mut g, "parse + rewrite/udp6", &mut udp6, translate::<true>);
    measure(
        &mut g,
        "parse + rewrite/error4",
        &mut error4,
        translate_error::<false>,
    );
    measure(
        &mut g,
        "parse + rewrite/error6",
        &mut error6,
        translate_error::<true>,
    );
    let mut full = vec![0x5a; 1480];
    measure(&mut g, "checksum of 1480 bytes", &mut full, |b, _| {
        black_box(Sum::new().bytes(b).finish());
    });
    g.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
