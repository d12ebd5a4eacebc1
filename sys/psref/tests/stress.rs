// SPDX-License-Identifier: BSD-2-Clause
//! The C functions under load: readers that hold, nest and sleep while a writer replaces what
//! they read, poisons it and frees it. Address- and ThreadSanitizer run this same test.
//!
//! The test plays the kernel: it defines the `kpi_*` functions that the tracker calls. Its read
//! sections are counted by atomics of its own, so that ThreadSanitizer sees every edge.
#![cfg(not(loom))]

use std::cell::Cell;
use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use kpi_sys::{kpi_psref, kpi_psref_target};
use psref as _;

const READERS: usize = 6;
const ALIVE: u64 = 0x600d_600d_600d_600d;
const POISON: u64 = 0xdead_dead_dead_dead;

thread_local! {
    static CPU: Cell<u32> = const { Cell::new(0) };
}

/// The table is one for the process, and `held` counts it all: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(|e| e.into_inner())
}

#[unsafe(no_mangle)]
extern "C" fn kpi_cpu_index() -> u32 {
    CPU.get()
}

#[unsafe(no_mangle)]
extern "C" fn kpi_pause(us: u32) {
    assert!((50..=10_000).contains(&us), "a pause of {us} us");
    thread::sleep(Duration::from_micros(u64::from(us)));
}

#[unsafe(no_mangle)]
extern "C" fn kpi_panic(msg: *const c_char, len: u32) -> ! {
    // SAFETY: psref passes the bytes of a str.
    let bytes = unsafe { std::slice::from_raw_parts(msg.cast::<u8>(), len as usize) };
    eprintln!("kpi_panic: {}", String::from_utf8_lossy(bytes));
    std::process::abort()
}

/// Read sections: each reader's counter is odd within one.
struct Sections([AtomicU64; READERS]);

impl Sections {
    fn read<R>(&self, me: usize, f: impl FnOnce() -> R) -> R {
        self.0[me].fetch_add(1, Ordering::SeqCst);
        let r = f();
        self.0[me].fetch_add(1, Ordering::SeqCst);
        r
    }

    fn wait(&self) {
        for counter in &self.0 {
            let seen = counter.load(Ordering::SeqCst);
            while seen % 2 == 1 && counter.load(Ordering::SeqCst) == seen {
                thread::yield_now();
            }
        }
    }
}

struct Value {
    target: kpi_psref_target,
    /// Plain memory, so that the sanitizers judge.
    words: [u64; 8],
}

impl Value {
    fn publish(serial: u64) -> *mut Value {
        let mut words = [ALIVE; 8];
        words[0] = serial;
        let target = kpi_psref_target { kt_opaque: [0; 2] };
        let v = Box::into_raw(Box::new(Value { target, words }));
        // SAFETY: v is a fresh allocation.
        let t = unsafe { &raw mut (*v).target };
        // SAFETY: room for a target that nobody uses yet.
        unsafe { kpi_sys::kpi_psref_target_init(t) };
        v
    }

    fn check(v: *mut Value) -> u64 {
        // SAFETY: what is under test: the caller's reference keeps v alive.
        let words = unsafe { &(*v).words };
        assert!(
            words[1..].iter().all(|w| *w == ALIVE),
            "read of a freed value: {words:x?}"
        );
        words[0]
    }

    /// Wait for the readers of an unpublished value, poison it and free it.
    fn retire(v: *mut Value) {
        // SAFETY: v is allocated until the end of this function.
        let t = unsafe { &raw mut (*v).target };
        // SAFETY: unpublished, and the sections of that time have ended.
        unsafe { kpi_sys::kpi_psref_target_destroy(t) };
        // SAFETY: nobody reads it any more: this is what is under test.
        let words = unsafe { &mut (*v).words };
        words.fill(POISON);
        // SAFETY: it came from Box::into_raw and is freed once.
        drop(unsafe { Box::from_raw(v) });
    }
}

struct World {
    sections: Sections,
    published: AtomicPtr<Value>,
    stop: AtomicBool,
    reads: AtomicU64,
    deepest: AtomicU32,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            sections: Sections(std::array::from_fn(|_| AtomicU64::new(0))),
            published: AtomicPtr::new(Value::publish(0)),
            stop: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            deepest: AtomicU32::new(0),
        })
    }

    /// One reference, `deeper` more inside of it, `f` while the innermost is held.
    fn with(&self, me: usize, deeper: u32, f: &dyn Fn()) {
        let mut r = MaybeUninit::<kpi_psref>::uninit();
        let v = self.sections.read(me, || {
            let v = self.published.load(Ordering::SeqCst);
            // SAFETY: published values are alive within a section.
            let t = unsafe { &raw mut (*v).target };
            // SAFETY: within a section that saw v published; r stays to the end of the function.
            unsafe { kpi_sys::kpi_psref_acquire(r.as_mut_ptr(), t) };
            v
        });
        let serial = Value::check(v);
        match deeper {
            0 => f(),
            n => self.with(me, n - 1, f),
        }
        assert_eq!(Value::check(v), serial);
        // SAFETY: our reference keeps v alive.
        let t = unsafe { &raw mut (*v).target };
        // SAFETY: filled above and dropped once.
        unsafe { kpi_sys::kpi_psref_release(r.as_mut_ptr(), t) };
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    fn replace(&self, serial: u64) {
        let old = self
            .published
            .swap(Value::publish(serial), Ordering::SeqCst);
        self.sections.wait();
        Value::retire(old);
    }
}

fn run(cpus: u32, depth: u32, time: Duration) {
    let _alone = alone();
    let w = World::new();
    let readers: Vec<_> = (0..READERS)
        .map(|me| {
            let w = w.clone();
            thread::spawn(move || {
                for turn in 0u32.. {
                    if w.stop.load(Ordering::Relaxed) {
                        break;
                    }
                    // Wander over the CPUs, as a thread that is migrated does.
                    CPU.set((me as u32 + turn / 64) % cpus);
                    let deeper = turn % depth;
                    w.deepest.fetch_max(deeper + 1, Ordering::Relaxed);
                    w.with(me, deeper, &|| match turn % 128 {
                        0 => thread::sleep(Duration::from_micros(200)),
                        1..8 => thread::yield_now(),
                        _ => CPU.set(CPU.get() + 1),
                    });
                }
            })
        })
        .collect();
    let end = Instant::now() + time;
    let mut replaced = 0;
    while Instant::now() < end {
        replaced += 1;
        w.replace(replaced);
    }
    w.stop.store(true, Ordering::Relaxed);
    for r in readers {
        r.join().expect("a reader that saw only live values");
    }
    assert_eq!(psref::held(), 0, "references that nobody dropped");
    assert_eq!(w.deepest.load(Ordering::Relaxed), depth);
    let reads = w.reads.load(Ordering::Relaxed);
    println!("{cpus} CPUs, depth {depth}: {reads} references, {replaced} values replaced");
    assert!(replaced > 1 && reads > replaced);
    Value::retire(w.published.swap(ptr::null_mut(), Ordering::SeqCst));
}

#[test]
fn readers_on_their_own_cpus() {
    run(READERS as u32, 3, Duration::from_millis(700));
}

/// One CPU and deep nesting: 6 readers of up to 40 pass the 64 entries in reach, and spill.
#[test]
fn readers_that_overflow_the_slots() {
    run(1, 40, Duration::from_millis(700));
}

#[test]
fn held_counts_what_is_held() {
    let _alone = alone();
    let w = World::new();
    assert_eq!(psref::held(), 0);
    for depth in [1, 16, 17, 64, 65, 100] {
        w.with(0, depth - 1, &|| assert_eq!(psref::held(), depth as usize));
        assert_eq!(psref::held(), 0);
    }
    Value::retire(w.published.swap(ptr::null_mut(), Ordering::SeqCst));
}

/// The writer comes back only after a reader that sleeps has dropped its reference.
#[test]
fn destroy_waits_for_a_reader_that_sleeps() {
    let _alone = alone();
    let w = World::new();
    let (held, is_held) = std::sync::mpsc::channel();
    let reader = thread::spawn({
        let w = w.clone();
        move || {
            w.with(0, 0, &|| {
                held.send(()).expect("the writer listens");
                thread::sleep(Duration::from_millis(60));
                // Relaxed: only the tracker orders this before the writer's load.
                w.deepest.store(77, Ordering::Relaxed);
            });
        }
    });
    is_held.recv().expect("the reader has its reference");
    w.replace(1);
    assert_eq!(w.deepest.load(Ordering::Relaxed), 77);
    reader.join().expect("the reader saw a live value");
    Value::retire(w.published.swap(ptr::null_mut(), Ordering::SeqCst));
}
