// SPDX-License-Identifier: BSD-2-Clause
//! Tasks: in time, once for each schedule, in a context that may sleep and drain.

use super::in_kernel;
use super::with_every_allocation_failing;
use host::clock::ClockKind;
use host::kernel::Config;
use host::kernel::Kernel;
use host::wire::WireNet;
use kern::cx::Thread;
use kern::epoch;
use kern::mem::KArc;
use kern::mem::KVec;
use kern::sync::Mutex;
use kern::task::Runner;
use kern::task::Task;
use kern::testing;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

struct Work {
    runs: AtomicU32,
    inside: AtomicBool,
    again: AtomicU32,
    lock: Mutex<KVec<u64>>,
    task: StdMutex<Option<Task<Work>>>,
}

impl Runner for Work {
    fn run(&self, cx: &mut Thread) {
        assert!(
            !self.inside.swap(true, Ordering::SeqCst),
            "one run at a time"
        );
        epoch::wait(cx);
        let now = kern::misc::uptime_ns() / 1_000_000;
        let mut at = self.lock.lock(cx);
        let _ = at.push(cx, now);
        drop(at);
        self.runs.fetch_add(1, Ordering::SeqCst);
        if self.again.load(Ordering::SeqCst) > 0 {
            self.again.fetch_sub(1, Ordering::SeqCst);
            self.task.lock().unwrap().as_ref().unwrap().schedule(10);
        }
        self.inside.store(false, Ordering::SeqCst);
    }
}

fn work(cx: &mut Thread) -> kern::errno::Result<KArc<Work>> {
    let lock = Mutex::new(cx, "work", KVec::new())?;
    KArc::new(
        cx,
        Work {
            runs: AtomicU32::new(0),
            inside: AtomicBool::new(false),
            again: AtomicU32::new(0),
            lock,
            task: StdMutex::default(),
        },
    )
}

#[test]
fn the_virtual_clock_runs_them_in_time() {
    in_kernel("task", |k, cx| {
        let w = work(cx).unwrap();
        let task = Task::new(cx, w.clone()).unwrap();
        let start = kern::misc::uptime_ns() / 1_000_000;
        task.schedule(20);
        task.schedule(5);
        k.advance(4_999_999);
        assert_eq!(w.runs.load(Ordering::SeqCst), 0);
        k.advance(1);
        k.advance(100_000_000);
        task.schedule(1);
        k.advance(1_000_000);
        assert_eq!(w.lock.lock(cx)[..], [start + 5, start + 106]);
        task.schedule(1);
        task.destroy(cx);
        k.advance(10_000_000);
        assert_eq!(w.runs.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_run_may_ask_for_another() {
    in_kernel("task", |k, cx| {
        let w = work(cx).unwrap();
        let task = Task::new(cx, w.clone()).unwrap();
        w.again.store(3, Ordering::SeqCst);
        task.schedule(0);
        *w.task.lock().unwrap() = Some(task);
        k.advance(1_000_000_000);
        assert_eq!(w.runs.load(Ordering::SeqCst), 4);
        // Breaks the circle: the task keeps its owner.
        let task = w.task.lock().unwrap().take();
        task.unwrap().destroy(cx);
    });
}

#[test]
fn a_real_clock_has_a_thread_for_them_and_destroy_waits() {
    let k = Kernel::new(Config {
        clock: ClockKind::Real,
        ..Config::test("real", &WireNet::new(1))
    });
    k.enter(|| {
        let cx = &mut testing::token();
        let w = work(cx).unwrap();
        let task = Task::new(cx, w.clone()).unwrap();
        task.schedule(1);
        while w.runs.load(Ordering::SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        task.schedule(60_000);
        task.destroy(cx);
        assert_eq!(w.runs.load(Ordering::SeqCst), 1);
    });
    k.shutdown().unwrap();
}

#[test]
fn every_allocation_may_fail() {
    with_every_allocation_failing("task", |cx| {
        let w = work(cx)?;
        Task::new(cx, w)?.destroy(cx);
        Ok(())
    });
}
