// SPDX-License-Identifier: BSD-2-Clause
//! Read sections across threads: the wait really waits, never for later sections, and a reader
//! never sees what was retired.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use host::epoch::{READ, UPCALLS};

#[test]
fn wait_returns_when_the_open_section_ends_and_not_before() {
    let ended = AtomicBool::new(false);
    let (opened_tx, opened) = channel();
    let (end_tx, end) = channel::<()>();
    std::thread::scope(|s| {
        s.spawn(|| {
            let end = end;
            let outer = READ.enter();
            let inner = READ.enter();
            opened_tx.send(()).expect("the test lives");
            end.recv().expect("the test lives");
            drop(inner);
            std::thread::sleep(Duration::from_millis(20));
            ended.store(true, Ordering::SeqCst);
            drop(outer);
        });
        opened.recv().expect("the reader lives");
        UPCALLS.wait(); // another domain: does not wait for the reader
        let waiter = s.spawn(|| {
            READ.wait();
            assert!(ended.load(Ordering::SeqCst), "waited for the outermost end");
        });
        std::thread::sleep(Duration::from_millis(30));
        assert!(!waiter.is_finished());
        end_tx.send(()).expect("the reader lives");
        waiter.join().expect("no panic");
    });
}

#[test]
fn steady_readers_do_not_starve_a_waiter() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _section = READ.enter();
                    std::hint::black_box(0);
                }
            });
        }
        let begin = Instant::now();
        for _ in 0..50 {
            READ.wait();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{:?}",
            begin.elapsed()
        );
    });
}

/// Two words that are equal while the value lives, and differ once it is retired.
struct Value {
    a: AtomicU64,
    b: AtomicU64,
}

#[test]
fn no_reader_sees_a_retired_value() {
    let fresh = |n| {
        Box::into_raw(Box::new(Value {
            a: AtomicU64::new(n),
            b: AtomicU64::new(n),
        }))
    };
    let published = AtomicPtr::new(fresh(0));
    let stop = AtomicBool::new(false);
    let reads = AtomicU64::new(0);
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _section = READ.enter();
                    // SAFETY: published, and we are in a read section.
                    let value = unsafe { &*published.load(Ordering::Acquire) };
                    for _ in 0..20 {
                        let (a, b) = (&value.a, &value.b);
                        assert_eq!(a.load(Ordering::Relaxed), b.load(Ordering::Relaxed));
                    }
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let begin = Instant::now();
        let mut n = 0;
        while begin.elapsed() < Duration::from_millis(500) || n < 50 {
            n += 1;
            let old = published.swap(fresh(n), Ordering::AcqRel);
            READ.wait();
            // SAFETY: unpublished, and no section that saw it is open.
            let old = unsafe { Box::from_raw(old) };
            old.a.store(u64::MAX, Ordering::Relaxed);
        }
        stop.store(true, Ordering::Relaxed);
        println!("{n} values retired");
    });
    assert!(reads.load(Ordering::Relaxed) > 0);
    // SAFETY: the threads have ended.
    drop(unsafe { Box::from_raw(published.load(Ordering::Acquire)) });
}

#[test]
fn sections_of_threads_that_end_leave_nothing_behind() {
    for _ in 0..50 {
        std::thread::spawn(|| drop(READ.enter()))
            .join()
            .expect("no panic");
    }
    assert_eq!(READ.depth(), 0);
    READ.wait();
}

/// Prints what a section costs, ours and crossbeam's: no assertion, since machines differ.
#[test]
fn cost_of_a_section() {
    const N: u32 = 1_000_000;
    fn time(f: impl Fn()) -> f64 {
        f(); // the first one sets the thread up
        let begin = Instant::now();
        (0..N).for_each(|_| f());
        begin.elapsed().as_nanos() as f64 / f64::from(N)
    }
    let ours = time(|| drop(std::hint::black_box(READ.enter())));
    let theirs = time(|| drop(std::hint::black_box(crossbeam_epoch::pin())));
    println!("a section: {ours:.1} ns here, {theirs:.1} ns crossbeam-epoch");
}
