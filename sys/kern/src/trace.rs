// SPDX-License-Identifier: BSD-2-Clause
//! The trace ring: the last events of each CPU, for kstat(8) -t.
//!
//! Off, an event costs one relaxed load. Reading the trace turns it on; it goes off by itself
//! [`LINGER_MS`] after the last reader.
//!
//! *Contexts*: any. *Locking*: none; each entry has a sequence number that is odd while it is being
//! written, and a reader who sees it change drops what it read.

use core::marker::PhantomData;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;
use core::sync::atomic::fence;

use kabi::kstat::TraceEventBody;
use kpi_sys as k;

use crate::cx::MaySleep;
use crate::errno::Result;
use crate::mem::KVec;
use crate::misc;
use crate::stats::Counter;

/// How long the trace stays on after it was last read.
pub const LINGER_MS: u32 = 60_000;

/// Events that a CPU keeps; a power of two.
const DEPTH: u64 = 256;

struct Entry {
    /// 2 * (number + 1) when written, that minus 1 while being written, 0 when never.
    stamp: AtomicU64,
    ns: AtomicU64,
    code: AtomicU64,
    args: [AtomicU64; 3],
}

struct Cpu {
    next: AtomicU64,
    entries: KVec<Entry>,
}

/// The rings of a module; `E` names the events.
pub struct Trace<E> {
    on: AtomicBool,
    cpus: KVec<Cpu>,
    _of: PhantomData<fn(E)>,
}

impl<E: Counter> Trace<E> {
    /// Empty rings, off.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MaySleep>(cx: &mut C) -> Result<Self> {
        // SAFETY: no conditions.
        let n = unsafe { k::kpi_ncpu() }.clamp(1, 64).next_power_of_two();
        let mut cpus = KVec::with_capacity(cx, n as usize)?;
        for _ in 0..n {
            let entries = KVec::from_fn(cx, DEPTH as usize, |_| Entry {
                stamp: AtomicU64::new(0),
                ns: AtomicU64::new(0),
                code: AtomicU64::new(0),
                args: [const { AtomicU64::new(0) }; 3],
            })?;
            cpus.push(
                cx,
                Cpu {
                    next: AtomicU64::new(0),
                    entries,
                },
            )?;
        }
        Ok(Trace {
            on: AtomicBool::new(false),
            cpus,
            _of: PhantomData,
        })
    }

    /// Turns recording on or off.
    pub fn set_on(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// Records an event, when the trace is on.
    #[inline]
    pub fn event(&self, what: E, args: [u64; 3]) {
        if self.on.load(Ordering::Relaxed) {
            self.record(what.index(), args);
        }
    }

    #[cold]
    fn record(&self, code: usize, args: [u64; 3]) {
        // SAFETY: no conditions.
        let cpu = unsafe { k::kpi_cpu_index() } as usize & self.cpus.len().wrapping_sub(1);
        let Some(ring) = self.cpus.get(cpu) else {
            return;
        };
        let n = ring.next.fetch_add(1, Ordering::Relaxed);
        let Some(e) = ring.entries.get((n & (DEPTH - 1)) as usize) else {
            return;
        };
        let done = n.wrapping_add(1).wrapping_mul(2);
        let writing = done.wrapping_sub(1);
        // Who was interrupted for a whole round finds a later event here, or one being written;
        // then his own is lost, which is better than a mixture of the two.
        let before = e.stamp.load(Ordering::Relaxed);
        let claim = |before| {
            e.stamp
                .compare_exchange(before, writing, Ordering::Relaxed, Ordering::Relaxed)
        };
        if before % 2 != 0 || before > writing || claim(before).is_err() {
            return;
        }
        fence(Ordering::Release);
        e.ns.store(misc::uptime_ns(), Ordering::Relaxed);
        e.code.store(code as u64, Ordering::Relaxed);
        for (to, arg) in e.args.iter().zip(args) {
            to.store(arg, Ordering::Relaxed);
        }
        e.stamp.store(done, Ordering::Release);
    }

    /// The places where an event can stand, over all CPUs.
    pub(crate) fn places(&self) -> usize {
        self.cpus.len().saturating_mul(DEPTH as usize)
    }

    /// The event at a place, the oldest of a CPU first; None where there is none.
    pub(crate) fn at(&self, place: usize) -> Option<TraceEventBody> {
        let cpu = place / DEPTH as usize;
        let ring = self.cpus.get(cpu)?;
        let oldest = ring.next.load(Ordering::Relaxed).saturating_sub(DEPTH);
        let n = oldest.wrapping_add((place % DEPTH as usize) as u64);
        let e = ring.entries.get((n & (DEPTH - 1)) as usize)?;
        let stamp = e.stamp.load(Ordering::Acquire);
        let mut args = [0; 3];
        for (arg, from) in args.iter_mut().zip(&e.args) {
            *arg = from.load(Ordering::Relaxed);
        }
        let (ns, code) = (e.ns.load(Ordering::Relaxed), e.code.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let same = e.stamp.load(Ordering::Relaxed) == stamp;
        (same && stamp == n.wrapping_add(1).wrapping_mul(2)).then_some(TraceEventBody {
            seq: n,
            ns,
            cpu: cpu as u16,
            code: code as u16,
            pad: 0,
            args,
        })
    }
}
