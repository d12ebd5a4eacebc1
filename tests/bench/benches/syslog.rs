// SPDX-License-Identifier: BSD-2-Clause
//! What a message costs syslogd before and behind its sockets: ns for reading a packet of each
//! grammar, for storing it in rings of three sizes that are full (it must not depend on the size),
//! for reading a record, and for writing one as JSON, for a file and for another syslogd. That
//! nothing calls the allocator is asserted.

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
use liblog::Buf;
use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::emit;
use liblog::frame::Framer;
use liblog::parse::Form;
use liblog::parse::From;
use liblog::parse::parse;
use liblog::proto::write_record;
use liblog::ring::Log;
use liblog::ring::Record;
use liblog::ring::Ring;
use liblog::ring::Split;
use liblog::ring::Step;
use liblog::time::Zone;
use testkit::Noise;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// 2024-11-29T01:02:04Z
const NOW: Clocks = Clocks {
    wall: 1_732_842_124_000_000_000,
    mono: 86_400_000_000_000,
};

/// Packets of about 100 bytes of text, and how they are to be read.
const PACKETS: [(&str, bool, bool, Form, &[u8]); 5] = [
    (
        "rfc3164 local",
        true,
        false,
        Form::Bsd,
        b"<30>Nov 29 01:02:03 dhcpd[712]: DHCPACK on 192.0.2.17 to 00:00:5e:00:53:01 (host17) \
        via em0, lease of 7200 seconds",
    ),
    (
        "rfc3164",
        false,
        false,
        Form::Bsd,
        b"<30>Nov 29 01:02:03 gw dhcpd[712]: DHCPACK on 192.0.2.17 to 00:00:5e:00:53:01 (host17) \
        via em0, lease of 7200 seconds",
    ),
    (
        "rfc5424",
        false,
        false,
        Form::Ietf,
        b"<30>1 2024-11-29T01:02:03.123456+01:00 gw.example.net dhcpd 712 ACK - DHCPACK on \
        192.0.2.17 to 00:00:5e:00:53:01 (host17) via em0, lease of 7200 seconds",
    ),
    (
        "rfc5424 sd",
        false,
        false,
        Form::Ietf,
        b"<30>1 2024-11-29T01:02:03.123456+01:00 gw.example.net dhcpd 712 ACK \
        [lease@32473 ip=\"192.0.2.17\" time=\"7200\"][timeQuality tzKnown=\"1\" isSynced=\"1\"] \
        DHCPACK on 192.0.2.17 to 00:00:5e:00:53:01 (host17) via em0, lease of 7200 seconds",
    ),
    (
        "kmsg",
        true,
        true,
        Form::Bare,
        b"6,812,86399000000,-;br0: port 2(eth1) entered forwarding state\n SUBSYSTEM=net\n",
    ),
];

fn from(local: bool, kernel: bool) -> From<'static> {
    From {
        pri: Pri::DEFAULT,
        host: b"gw",
        local,
        kernel,
    }
}

fn message() -> Msg<'static> {
    let zone = Zone::utc();
    let from = from(true, false);
    let (_, _, _, _, packet) = PACKETS[0];
    // What it has is part of the packet or of the host's name, and both are for ever.
    let msg = parse(packet, &from, &zone, NOW).msg;
    Msg {
        pri: msg.pri,
        sent: msg.sent,
        host: b"gw",
        app: b"dhcpd",
        procid: b"712",
        msgid: b"",
        sd: b"",
        text: b"DHCPACK on 192.0.2.17 to 00:00:5e:00:53:01 (host17) via em0, lease of 7200 \
            seconds, and no more",
    }
}

/// Measures `f` after it has been seen not to allocate.
fn measure(g: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut f: impl FnMut()) {
    // Once before: caches that are made at the first use.
    f();
    let calls = allocations(|| (0..100).for_each(|_| f()));
    assert_eq!(calls, 0, "{name} calls the allocator");
    g.bench_function(name, |bench| bench.iter(&mut f));
}

fn full(size: usize) -> Ring<Box<[u8]>> {
    let region = vec![0; size].into_boxed_slice();
    let mut ring = Ring::format(region, 1).expect("large enough");
    let msg = message();
    while ring.stats().dropped < 100 {
        ring.push(&msg, NOW);
    }
    ring
}

/// Texts that differ as leases do: addresses, hosts, times.
fn leases() -> Vec<String> {
    let mut noise = Noise::new(1);
    let mut any = || noise.below(256);
    let lease = |_| {
        let [a, b, c, d, e] = [(); 5].map(|()| any());
        format!(
            "DHCPACK on 192.0.2.{a} to 00:00:5e:{b:02x}:{c:02x}:{d:02x} (host{}) via em{}, lease of {} seconds",
            a * 256 + e,
            e & 7,
            d * 60
        )
    };
    (0..4096).map(lease).collect()
}

/// Plain and packed rings that are full, the same different messages.
fn packed(g: &mut BenchmarkGroup<'_, WallTime>) {
    let leases = leases();
    let mut msg = message();
    let mut kept = [0; 2];
    for (name, size) in [("256 KiB", 1 << 18), ("1 MB", 1 << 20), ("16 MB", 1 << 24)] {
        let split = Split::of(size).expect("large enough");
        let ring = |size| Ring::format(vec![0; size].into_boxed_slice(), 1).expect("a ring");
        let logs = [
            ("plain", Log::plain(ring(size))),
            ("packed", Log::packed(ring(split.hot), ring(split.cold))),
        ];
        for (how, mut log) in logs {
            let mut texts = leases.iter().cycle();
            let mut push = |log: &mut Log<_>| {
                msg.text = texts.next().map_or(b"", |text| text.as_bytes());
                log.push(black_box(&msg), NOW);
            };
            while log.stats().dropped < 1000 {
                push(&mut log);
            }
            measure(g, &format!("push {how}/{name}"), || push(&mut log));
            assert!(log.stats().used <= log.stats().total);
            let mut cursor = log.cursor(0);
            measure(g, &format!("read {how}/{name}"), || {
                if log.read(&mut cursor) == Step::End {
                    cursor = log.cursor(0);
                }
            });
            kept[usize::from(how == "packed")] = log.stats().records;
        }
        println!("kept in {name}: {} plain, {} packed", kept[0], kept[1]);
    }
}

fn syslog(c: &mut Criterion) {
    let mut g = c.benchmark_group("syslog");
    g.warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    // Local time with rules, as a router has it.
    let zone = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("rules");
    for (name, local, kernel, form, packet) in PACKETS {
        let from = from(local, kernel);
        assert_eq!(parse(packet, &from, &zone, NOW).form, form);
        measure(&mut g, &format!("parse/{name}"), || {
            black_box(parse(black_box(packet), &from, &zone, NOW));
        });
    }

    let msg = message();
    assert_eq!(msg.text.len(), 95);
    for (name, size) in [("64 KiB", 1 << 16), ("1 MB", 1 << 20), ("16 MB", 1 << 24)] {
        let mut ring = full(size);
        measure(&mut g, &format!("push/{name}"), || {
            black_box(ring.push(black_box(&msg), NOW));
        });
        assert!(ring.stats().used <= ring.stats().total);
    }
    packed(&mut g);
    let mut ring = full(1 << 20);
    let from = from(true, false);
    measure(&mut g, "parse + push/rfc3164 local", || {
        let p = parse(black_box(PACKETS[0].4), &from, &zone, NOW);
        black_box(ring.push(&p.msg, NOW));
    });

    let mut cursor = ring.cursor(0);
    measure(&mut g, "read/1 MB", || match ring.read(&mut cursor) {
        Step::End => cursor = ring.cursor(0),
        step => {
            black_box(step);
        }
    });
    let record = Record {
        seq: 123_456,
        at: NOW,
        msg,
        cut: false,
    };
    let mut out = Buf::new(8192);
    measure(&mut g, "write/JSON", || {
        out.clear();
        assert!(write_record(black_box(&record), &zone, &mut out));
    });
    measure(&mut g, "write/line", || {
        out.clear();
        assert!(emit::line(black_box(&msg), NOW.wall, &zone, &mut out));
    });
    measure(&mut g, "write/rfc3164", || {
        out.clear();
        assert!(emit::bsd(
            black_box(&msg),
            NOW.wall,
            &zone,
            true,
            2048,
            &mut out
        ));
    });
    measure(&mut g, "write/rfc5424", || {
        out.clear();
        assert!(emit::ietf(black_box(&msg), NOW.wall, &zone, 2048, &mut out));
    });

    for (name, stream) in [
        ("lines", [PACKETS[0].4, b"\n"].concat()),
        (
            "counted",
            [format!("{} ", PACKETS[0].4.len()).as_bytes(), PACKETS[0].4].concat(),
        ),
    ] {
        let mut framer = Framer::new(8192);
        measure(&mut g, &format!("frame/{name}"), || {
            framer.space()[..stream.len()].copy_from_slice(&stream);
            framer.filled(stream.len());
            assert!(framer.next().is_some());
            assert!(framer.next().is_none());
        });
    }
    g.finish();
}

criterion_group!(benches, syslog);
criterion_main!(benches);
