// SPDX-License-Identifier: BSD-2-Clause
//! Reading by cursor: any size of buffer gives the same records.

use super::kernel;
use super::with_every_allocation_failing;
use host::kernel::Kernel;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::kstat::Emitter;
use kern::kstat::Kstat;
use kern::kstat::Source;
use kern::mem::KArc;
use kern::stats::Counters;
use kern::testing;

use super::stats::Ctr;
use super::stats::Why;

struct Many {
    instances: u64,
    counters: Counters<Ctr>,
    drops: Counters<Why>,
}

impl Source for Many {
    fn emit(&self, _cx: &mut Thread, n: u64, out: &mut Emitter<'_, '_>) -> bool {
        if n >= self.instances {
            return false;
        }
        match n {
            0 => out.instance(""),
            n => out.instance(&format!("many{n}")),
        }
        // Some have nothing to show.
        if n % 5 != 4 {
            out.gauge("number", "which one it is", n);
            out.counters(&self.counters);
            out.counters(&self.drops);
        }
        true
    }

    fn emit_trace(&self, _cx: &mut Thread, out: &mut Emitter<'_, '_>) {
        out.instance("");
    }
}

fn lines(k: &Kernel, size: usize) -> Vec<String> {
    let read = |cursor: &mut u64, buf: &mut [u8]| k.kstat_read("many", cursor, buf).unwrap();
    let buffers = testkit::counters::read_all(size, read);
    assert!(buffers.iter().all(|b| !b.is_empty() && b.len() <= size));
    // Each buffer is read by itself: it says whose its records are.
    buffers
        .iter()
        .flat_map(|b| testkit::counters::describe(b))
        .collect()
}

#[test]
fn any_buffer_gives_the_same_records() {
    let k = kernel("kstat");
    k.enter(|| {
        let mut cx = testing::token();
        let many = Many {
            instances: 23,
            counters: Counters::new(&mut cx).unwrap(),
            drops: Counters::new(&mut cx).unwrap(),
        };
        many.counters.add(Ctr::C, 3);
        many.drops.inc(Why::Late);
        let many = KArc::new(&mut cx, many).unwrap();
        let handle = Kstat::attach(&mut cx, "many", "many_trace", many.clone()).unwrap();
        let all = lines(&k, 1 << 20);
        assert_eq!(all.len(), 19 * (1 + 9 + 2));
        assert_eq!(all[0], " gauge number=0 which one it is");
        assert!(all.contains(&"many3 counter c=3 third".to_owned()));
        assert!(all.contains(&"many22 drop late=1 too late".to_owned()));
        for size in [80, 88, 96, 104, 128, 200, 256, 1000, 4096, 65_536] {
            assert_eq!(lines(&k, size), all, "with {size} bytes");
        }
        // Too small for any record: the end at once, and not for ever the beginning.
        assert!(lines(&k, 24).is_empty());
        assert!(lines(&k, 0).is_empty());
        handle.detach(&mut cx);
    });
    k.shutdown().unwrap();
}

#[test]
fn names_are_taken_once_and_given_back() {
    let k = kernel("kstat names");
    k.enter(|| {
        let mut cx = testing::token();
        let make = |cx: &mut Thread| {
            let many = Many {
                instances: 1,
                counters: Counters::new(cx).unwrap(),
                drops: Counters::new(cx).unwrap(),
            };
            KArc::new(cx, many).unwrap()
        };
        let first = make(&mut cx);
        let handle = Kstat::attach(&mut cx, "many", "many_trace", first).unwrap();
        assert_eq!(k.kstat_names(), ["many", "many_trace"]);
        let second = make(&mut cx);
        let again = Kstat::attach(&mut cx, "other", "many_trace", second.clone());
        assert_eq!(again.err(), Some(Errno::EEXIST));
        assert_eq!(k.kstat_names(), ["many", "many_trace"], "half of it stayed");
        assert!(KArc::is_unique(&second));
        handle.detach(&mut cx);
        assert!(k.kstat_names().is_empty());
    });
    k.shutdown().unwrap();
}

#[test]
fn callouts_and_endpoints_fail_cleanly_too() {
    with_every_allocation_failing("registrations", |cx| {
        let many = Many {
            instances: 1,
            counters: Counters::new(cx)?,
            drops: Counters::new(cx)?,
        };
        let many = KArc::new(cx, many)?;
        // kpi_kstat_attach has one way to fail only, and EEXIST is its name.
        let handle = Kstat::attach(cx, "many", "many_trace", many).map_err(|_| Errno::ENOMEM)?;
        handle.detach(cx);
        Ok(())
    });
}
