// SPDX-License-Identifier: BSD-2-Clause
//! The trace ring, through the records that kstat(8) reads.

use super::in_kernel;
use super::kernel;
use host::kernel::Kernel;
use kabi::kstat::Record;
use kabi::kstat::Records;
use kabi::kstat::TraceEventBody;
use kern::cx::Thread;
use kern::kstat::Emitter;
use kern::kstat::Kstat;
use kern::kstat::Source;
use kern::mem::KArc;
use kern::testing;
use kern::trace::Trace;
use std::sync::Barrier;

kern::counters! {
    /// Events.
    pub enum Event {
        One = "one", "a number, its complement, its double";
        Two = "two", "the same";
    }
}

struct Traced(Trace<Event>);

impl Source for Traced {
    fn emit(&self, _cx: &mut Thread, _n: u64, _out: &mut Emitter<'_, '_>) -> bool {
        false
    }

    fn emit_trace(&self, _cx: &mut Thread, out: &mut Emitter<'_, '_>) {
        out.instance("");
        out.trace(&self.0);
    }
}

/// All events that a reading of the trace gives, and the names that came before them.
fn read(k: &Kernel, size: usize) -> (Vec<String>, Vec<TraceEventBody>) {
    let (mut names, mut events) = (Vec::new(), Vec::new());
    let (mut cursor, mut buf) = (0, vec![0; size]);
    loop {
        let n = k.kstat_read("traced_trace", &mut cursor, &mut buf).unwrap();
        if n == 0 {
            return (names, events);
        }
        for record in Records::new(&buf[..n]) {
            match record.unwrap() {
                Record::TraceName { name, .. } => names.push(name.to_owned()),
                Record::TraceEvent(e) => events.push(e),
                _ => {}
            }
        }
    }
}

fn traced(k: &Kernel, f: impl FnOnce(&Kernel, &Traced)) {
    k.enter(|| {
        let mut cx = testing::token();
        let trace = Trace::new(&mut cx).unwrap();
        let traced = KArc::new(&mut cx, Traced(trace)).unwrap();
        let handle = Kstat::attach(&mut cx, "traced", "traced_trace", traced.clone()).unwrap();
        f(k, &traced);
        handle.detach(&mut cx);
    });
}

#[test]
fn off_records_nothing_and_on_keeps_the_last() {
    let k = kernel("trace");
    traced(&k, |k, t| {
        t.0.event(Event::One, [1, 2, 3]);
        assert!(read(k, 4096).1.is_empty());
        t.0.set_on(true);
        for n in 0..1000 {
            t.0.event(
                if n % 2 == 0 { Event::One } else { Event::Two },
                [n, !n, 2 * n],
            );
        }
        t.0.set_on(false);
        t.0.event(Event::One, [0, 0, 0]);
        let (names, events) = read(k, 4096);
        assert_eq!(names, ["one", "two"]);
        let numbers: Vec<u64> = events.iter().map(|e| e.args[0]).collect();
        assert_eq!(numbers, (744..1000).collect::<Vec<_>>());
        assert!(events.iter().all(|e| u64::from(e.code) == e.args[0] % 2));
        assert!(events.windows(2).all(|w| w[1].seq == w[0].seq + 1));
        // In the smallest buffers that hold a record, the same.
        assert_eq!(read(k, 96).1, events);
    });
    k.shutdown().unwrap();
}

#[test]
fn a_reader_sees_no_torn_event() {
    let k = kernel("torn");
    traced(&k, |k, t| {
        t.0.set_on(true);
        let (stop, ready) = (testkit::Stop::new(), Barrier::new(141));
        let mut seen = 0;
        std::thread::scope(|s| {
            let _running = stop.guard();
            // More threads than there are numbers for CPUs. Those that have the first numbers write:
            // two or three share a ring, and overtake one another.
            for writer in 0..140u64 {
                let (t, stop, ready, k) = (t, &stop, &ready, k.clone());
                s.spawn(move || {
                    let writes = host::thread::cpu() < 2;
                    ready.wait();
                    k.enter(|| {
                        let mut n = writer << 32;
                        while writes && stop.go_on() {
                            n += 1;
                            t.0.event(Event::One, [n, !n, n << 1]);
                        }
                    });
                });
            }
            ready.wait();
            for _ in 0..100 {
                for e in read(k, 8192).1 {
                    let [a, b, c] = e.args;
                    assert!(b == !a && c == a << 1, "torn: {e:?}");
                    seen += 1;
                }
            }
        });
        assert!(seen > 1000, "only {seen} events were seen");
    });
    k.shutdown().unwrap();
}

#[test]
fn every_allocation_may_fail() {
    super::with_every_allocation_failing("trace", |cx| Trace::<Event>::new(cx).map(drop));
}

#[test]
fn times_are_the_kernels() {
    in_kernel("times", |k, cx| {
        assert_eq!(kern::misc::uptime_ns(), k.home().clock.now());
        k.advance(5_000_000);
        assert_eq!(kern::misc::uptime_ns(), k.home().clock.now());
        let mut buf = [0; 10_000];
        kern::misc::random(&mut buf);
        assert!(buf.iter().collect::<std::collections::BTreeSet<_>>().len() > 200);
        let _ = cx;
    });
}
