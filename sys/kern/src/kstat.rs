// SPDX-License-Identifier: BSD-2-Clause
//! What kstat(8) reads: a module's counters, instance by instance, and its trace.
//!
//! *Contexts*: thread. A read goes on where the last one stopped: the cursor is the number of the
//! instance and of the record in it, so a dump of 65,535 interfaces needs one small buffer.

use core::ffi::c_void;
use core::ptr::NonNull;
use core::slice;

use kabi::kstat::Writer;
use kpi_sys as k;

use crate::cx::MayDrain;
use crate::cx::Thread;
use crate::errno::Errno;
use crate::errno::Result;
use crate::mem::KArc;
use crate::stats::Class;
use crate::stats::Counter;
use crate::stats::Counters;
use crate::trace::Trace;

/// Writes the records of one instance, without those that were written before.
pub struct Emitter<'a, 'b> {
    out: &'a mut Writer<'b>,
    /// Records to leave out.
    skip: u64,
    /// Records seen, left out ones included.
    seen: u64,
    full: bool,
}

impl Emitter<'_, '_> {
    fn record(&mut self, write: impl FnOnce(&mut Writer<'_>) -> bool) {
        if self.full {
            return;
        }
        if self.seen >= self.skip && !write(self.out) {
            self.full = true;
            return;
        }
        self.seen = self.seen.wrapping_add(1);
    }

    /// Whose the records are that follow; "" for the module itself. Comes first.
    pub fn instance(&mut self, name: &str) {
        // Repeated in each buffer, so that a buffer can be read by itself.
        if !self.out.instance(name) {
            self.full = true;
        }
    }

    /// A whole set of counters.
    pub fn counters<E: Counter>(&mut self, set: &Counters<E>) {
        for (i, info) in E::INFO.iter().enumerate() {
            self.record(|w| w.counter(info.name, info.desc, info.class, set.sum_at(i)));
        }
    }

    /// One value that is kept elsewhere.
    pub fn gauge(&mut self, name: &str, desc: &str, value: u64) {
        self.record(|w| w.counter(name, desc, Class::Gauge, value));
    }

    /// The trace: the names of its events, then the events.
    pub fn trace<E: Counter>(&mut self, trace: &Trace<E>) {
        for (code, info) in E::INFO.iter().enumerate() {
            self.record(|w| w.trace_name(code as u16, info.name));
        }
        for place in 0..trace.places() {
            self.record(|w| trace.at(place).is_none_or(|e| w.trace_event(&e)));
        }
    }
}

/// What a module shows.
pub trait Source: Send + Sync + Sized + 'static {
    /// Emits instance `n`, 0 being the module itself; false when there is none.
    fn emit(&self, cx: &mut Thread, n: u64, out: &mut Emitter<'_, '_>) -> bool;

    /// Emits the trace.
    fn emit_trace(&self, cx: &mut Thread, out: &mut Emitter<'_, '_>);
}

/// A module's sources, published as `NAME` and `NAME_trace`.
pub struct Kstat<T: Source> {
    counters: NonNull<k::kpi_kstat>,
    trace: NonNull<k::kpi_kstat>,
    owner: *const T,
}

// SAFETY: the registrations are usable from every thread; `owner` is a count of a KArc.
unsafe impl<T: Source> Send for Kstat<T> {}
// SAFETY: nothing is reachable through a shared Kstat.
unsafe impl<T: Source> Sync for Kstat<T> {}

fn publish(name: &str, read: k::kpi_kstat_read, arg: *mut c_void) -> Result<NonNull<k::kpi_kstat>> {
    let len = u32::try_from(name.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: name is valid through the call; the caller keeps arg alive until the detach.
    let raw = unsafe { k::kpi_kstat_attach(name.as_ptr().cast(), len, read, arg) };
    NonNull::new(raw).ok_or(Errno::EEXIST)
}

impl<T: Source> Kstat<T> {
    /// Publishes; `trace_name` is `name` with "_trace" behind (a dot would be a level of a sysctl name). It keeps `owner` alive: detach to
    /// break the circle.
    ///
    /// # Errors
    /// EEXIST when a name is taken.
    pub fn attach<C: MayDrain>(
        _cx: &mut C,
        name: &'static str,
        trace_name: &'static str,
        owner: KArc<T>,
    ) -> Result<Self> {
        let owner = owner.into_raw();
        let arg = owner.cast_mut().cast();
        let both = publish(name, Some(read::<T>), arg).and_then(|counters| {
            let trace = publish(trace_name, Some(read_trace::<T>), arg);
            trace.map(|trace| (counters, trace)).inspect_err(|_| {
                // SAFETY: published just now.
                unsafe { k::kpi_kstat_detach(counters.as_ptr()) }
            })
        });
        match both {
            Ok((counters, trace)) => Ok(Kstat {
                counters,
                trace,
                owner,
            }),
            Err(e) => {
                // SAFETY: nothing is published, so the count is ours again.
                drop(unsafe { KArc::from_raw(owner) });
                Err(e)
            }
        }
    }

    /// Withdraws both.
    pub fn detach<C: MayDrain>(self, _cx: &mut C) {
        // SAFETY: consumes the registration, in thread context.
        unsafe { k::kpi_kstat_detach(self.counters.as_ptr()) };
        // SAFETY: as above.
        unsafe { k::kpi_kstat_detach(self.trace.as_ptr()) };
        // SAFETY: no upcall runs any more: the count is ours again.
        drop(unsafe { KArc::from_raw(self.owner) });
    }
}

/// The cursor: records of the instance in the low bits, the instance above.
const RECORD_BITS: u32 = 24;

/// Fills a buffer from `cursor` on; `emit` gives one instance, false when there is none.
///
/// # Safety
/// The arguments are those of a kpi_kstat_read upcall.
unsafe fn fill(
    cursor: *mut u64,
    buf: *mut u8,
    cap: u32,
    mut emit: impl FnMut(&mut Thread, u64, &mut Emitter<'_, '_>) -> bool,
) -> u32 {
    // SAFETY: the caller's variable.
    let mut at = unsafe { *cursor };
    // SAFETY: the caller's buffer, ours for the call.
    let buf = unsafe { slice::from_raw_parts_mut(buf, cap as usize) };
    // SAFETY: kpi_misc.h: thread context.
    let mut cx = unsafe { Thread::assume() };
    let mut out = Writer::new(buf);
    let mut useful = 0;
    loop {
        let skip = at & ((1 << RECORD_BITS) - 1);
        let mut e = Emitter {
            out: &mut out,
            skip,
            seen: 0,
            full: false,
        };
        if !emit(&mut cx, at >> RECORD_BITS, &mut e) {
            useful = out.len();
            break;
        }
        let (full, seen) = (e.full, e.seen);
        if !full {
            at = ((at >> RECORD_BITS) + 1) << RECORD_BITS;
            useful = out.len();
            continue;
        }
        // An instance record with nothing behind it is of no use, and at the start of a buffer
        // would make the reader come back for ever.
        if seen > skip {
            at = (at & !((1 << RECORD_BITS) - 1)) | seen;
            useful = out.len();
        }
        break;
    }
    // SAFETY: the caller's variable.
    unsafe { *cursor = at };
    useful as u32
}

unsafe extern "C" fn read<T: Source>(
    arg: *mut c_void,
    cursor: *mut u64,
    buf: *mut u8,
    cap: u32,
) -> u32 {
    // SAFETY: arg's count is kept until the detach has returned.
    let owner = unsafe { &*arg.cast_const().cast::<T>() };
    // SAFETY: the upcall's own arguments.
    unsafe { fill(cursor, buf, cap, |cx, n, e| owner.emit(cx, n, e)) }
}

unsafe extern "C" fn read_trace<T: Source>(
    arg: *mut c_void,
    cursor: *mut u64,
    buf: *mut u8,
    cap: u32,
) -> u32 {
    // SAFETY: arg's count is kept until the detach has returned.
    let owner = unsafe { &*arg.cast_const().cast::<T>() };
    let emit = |cx: &mut Thread, n: u64, e: &mut Emitter<'_, '_>| {
        if n == 0 {
            owner.emit_trace(cx, e);
        }
        n == 0
    };
    // SAFETY: the upcall's own arguments.
    unsafe { fill(cursor, buf, cap, emit) }
}
