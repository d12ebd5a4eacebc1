// SPDX-License-Identifier: BSD-2-Clause
//! `kpi_alloc` and `kpi_free`: memory that is counted, fenced and poisoned.
//!
//! *Contexts*: any. *Locking*: none.
//!
//! A tag of 16 bytes stands before each piece: the ledger that counts it, and its size. Under
//! checks a red zone of 16 bytes stands behind it, new memory is filled with [`FRESH`] unless it
//! is to be zeroed, and freed memory with `0xdf`.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ffi::c_void;
use std::ptr;

use kpi_sys::{KPI_M_SLEEP, KPI_M_ZERO};

use crate::cluster::POISON;
use crate::die::die;
use crate::ledger::{Fault, Ledger};
use crate::spin;

/// Bytes that fresh memory is filled with under checks.
pub const FRESH: u8 = 0xa5;
const ZONE: usize = 16;
const ZONE_BYTE: u8 = 0xbd;

/// Larger requests are absurd.
const MOST: usize = 1 << 40;

const LIVE: u16 = 0x11fe;
const LIVE_CHECKED: u16 = 0x11fc;
const DEAD: u16 = 0xdead;

/// Stands right before the bytes handed out.
#[repr(C)]
#[derive(Clone, Copy)]
struct Tag {
    ledger: &'static Ledger,
    /// The size in the low 48 bits, [`LIVE`] and its like above.
    word: u64,
}

const _: () = assert!(size_of::<Tag>() == 16);

impl Tag {
    fn new(ledger: &'static Ledger, size: usize, state: u16) -> Tag {
        Tag {
            ledger,
            word: size as u64 | u64::from(state) << 48,
        }
    }

    fn state(self) -> u16 {
        (self.word >> 48) as u16
    }

    fn size(self) -> usize {
        (self.word & ((1 << 48) - 1)) as usize
    }
}

/// Alignment of a piece of `n` bytes; also the room before it, whose last 16 bytes are the tag.
fn align(n: usize) -> usize {
    if n >= 64 { 64 } else { 16 }
}

fn layout(n: usize, checked: bool) -> Option<Layout> {
    let size = align(n)
        .checked_add(n)?
        .checked_add(if checked { ZONE } else { 0 })?;
    Layout::from_size_align(size, align(n)).ok()
}

/// `kpi_alloc`: see `kpi_mem.h`.
///
/// # Safety
///
/// None beyond the contract: `n` is at least 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_alloc(n: usize, flags: u32) -> *mut c_void {
    if n == 0 {
        die("kpi_alloc: 0 bytes asked for; ask for at least 1");
    }
    let ledger = Ledger::current();
    if n > MOST || ledger.strike(Fault::Memory) {
        return ptr::null_mut();
    }
    if flags & KPI_M_SLEEP != 0 {
        spin::must_not_be_held("an allocation that may sleep");
    }
    let checked = ledger.checks();
    let Some(layout) = layout(n, checked) else {
        return ptr::null_mut();
    };
    let zero = flags & KPI_M_ZERO != 0;
    let base = if zero {
        // SAFETY: the layout's size is not zero.
        unsafe { alloc_zeroed(layout) }
    } else {
        // SAFETY: as above.
        unsafe { alloc(layout) }
    };
    if base.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the layout has room for this before the bytes.
    let bytes = unsafe { base.add(align(n)) };
    // SAFETY: the room before the bytes is 16 at least.
    let tag = unsafe { bytes.sub(size_of::<Tag>()) }.cast::<Tag>();
    let state = if checked { LIVE_CHECKED } else { LIVE };
    // SAFETY: within the layout, and aligned to 16.
    unsafe { tag.write(Tag::new(ledger, n, state)) };
    if checked {
        if !zero {
            // SAFETY: n bytes of the layout.
            unsafe { bytes.write_bytes(FRESH, n) };
        }
        // SAFETY: behind the n bytes, where the layout has ZONE more.
        let zone = unsafe { bytes.add(n) };
        // SAFETY: ZONE bytes of the layout.
        unsafe { zone.write_bytes(ZONE_BYTE, ZONE) };
    }
    ledger.memory_taken(n);
    bytes.cast()
}

/// `kpi_free`: see `kpi_mem.h`.
///
/// # Safety
///
/// `p` is from [`kpi_alloc`] with the same `n`, and freed once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_free(p: *mut c_void, n: usize) {
    if p.is_null() {
        die("kpi_free: NULL");
    }
    let bytes = p.cast::<u8>();
    // SAFETY: the tag stands before the bytes.
    let tag_at = unsafe { bytes.sub(size_of::<Tag>()) }.cast::<Tag>();
    // SAFETY: kpi_alloc wrote it.
    let tag = unsafe { tag_at.read() };
    if let Some(what) = unsound(tag, n) {
        die(&what);
    }
    let checked = tag.state() == LIVE_CHECKED;
    if checked {
        // SAFETY: kpi_alloc put a red zone behind the n bytes.
        if let Some(at) = unsafe { overrun(bytes, n) } {
            die(&format!(
                "kpi_free: byte {at} behind a piece of {n} bytes was written"
            ));
        }
        // SAFETY: n bytes that the caller no longer uses.
        unsafe { bytes.write_bytes(POISON, n) };
    }
    tag.ledger.memory_given(n);
    // SAFETY: still ours.
    unsafe { tag_at.write(Tag::new(tag.ledger, n, DEAD)) };
    // SAFETY: where the allocation begins, see kpi_alloc.
    let base = unsafe { bytes.sub(align(n)) };
    let layout = layout(n, checked).expect("kpi_alloc built the same layout");
    // SAFETY: allocated with this layout.
    unsafe { dealloc(base, layout) };
}

/// The first byte of the red zone behind the `n` bytes at `bytes` that was written.
///
/// # Safety
///
/// [`ZONE`] readable bytes stand behind the `n`.
unsafe fn overrun(bytes: *const u8, n: usize) -> Option<usize> {
    // SAFETY: in the same allocation, by the caller's word.
    let zone = unsafe { bytes.add(n) };
    // SAFETY: as above.
    let zone = unsafe { std::slice::from_raw_parts(zone, ZONE) };
    zone.iter().position(|b| *b != ZONE_BYTE)
}

/// What is wrong with freeing `n` bytes that have this tag.
fn unsound(tag: Tag, n: usize) -> Option<String> {
    match tag.state() {
        LIVE | LIVE_CHECKED if tag.size() == n => None,
        LIVE | LIVE_CHECKED => Some(format!(
            "kpi_free: freed as {n} bytes what was allocated as {}",
            tag.size()
        )),
        DEAD => Some(format!("kpi_free: {n} bytes freed twice")),
        _ => Some(format!(
            "kpi_free: {n} bytes that kpi_alloc never gave, or overwritten before"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Faults;

    /// Run `f` under a ledger of its own; it must balance afterwards.
    fn counted(faults: &Faults, f: impl FnOnce(&'static Ledger)) {
        let ledger = Ledger::open(faults);
        let before = Ledger::set_current(ledger);
        f(ledger);
        Ledger::set_current(before);
        assert!(ledger.leaks().is_empty(), "{}", ledger.leaks());
        ledger.close();
    }

    fn take(n: usize, flags: u32) -> *mut u8 {
        // SAFETY: n is not 0.
        unsafe { kpi_alloc(n, flags) }.cast()
    }

    fn give(p: *mut u8, n: usize) {
        // SAFETY: tests pass what take gave.
        unsafe { kpi_free(p.cast(), n) };
    }

    #[test]
    fn aligned_zeroed_and_counted_with_and_without_checks() {
        for faults in [Faults::none(), Faults::default()] {
            counted(&faults, |ledger| {
                for n in [1, 15, 16, 63, 64, 65, 4096] {
                    let p = take(n, KPI_M_ZERO);
                    assert_eq!(p as usize % if n < 64 { 16 } else { 64 }, 0);
                    // SAFETY: n bytes, zeroed.
                    let bytes = unsafe { std::slice::from_raw_parts(p, n) };
                    assert!(bytes.iter().all(|b| *b == 0));
                    assert_eq!(ledger.memory(), (1, n as i64));
                    give(p, n);
                }
            });
        }
    }

    #[test]
    fn fresh_memory_is_not_zero_under_checks() {
        counted(&Faults::default(), |_| {
            let p = take(8, 0);
            // SAFETY: one byte of eight, filled by kpi_alloc.
            assert_eq!(unsafe { p.read() }, FRESH);
            give(p, 8);
        });
    }

    #[test]
    fn the_nth_fails_and_absurd_sizes_do() {
        counted(
            &Faults {
                fail_memory: 2,
                ..Faults::default()
            },
            |_| {
                let first = take(8, 0);
                assert!(!first.is_null());
                assert!(take(8, 0).is_null());
                let third = take(8, 0);
                assert!(!third.is_null());
                give(first, 8);
                give(third, 8);
                assert!(take(usize::MAX - 8, kpi_sys::KPI_M_SLEEP).is_null());
            },
        );
    }

    #[test]
    fn misuse_is_named() {
        static LEDGER: std::sync::OnceLock<&'static Ledger> = std::sync::OnceLock::new();
        let ledger = LEDGER.get_or_init(|| Ledger::open(&Faults::default()));
        let say = |state, n| unsound(Tag::new(ledger, 10, state), n).unwrap_or_default();
        assert_eq!(say(LIVE, 10), "");
        assert!(say(LIVE_CHECKED, 11).contains("11 bytes what was allocated as 10"));
        assert!(say(DEAD, 10).contains("twice"));
        assert!(say(0x1234, 10).contains("never gave"));
    }

    #[test]
    fn an_overrun_is_found() {
        counted(&Faults::default(), |_| {
            let p = take(5, 0);
            // SAFETY: a checked piece.
            assert_eq!(unsafe { overrun(p, 5) }, None);
            // SAFETY: in the red zone, which is part of the allocation.
            let behind = unsafe { p.add(7) };
            // SAFETY: as above.
            unsafe { behind.write(1) };
            // SAFETY: a checked piece.
            assert_eq!(unsafe { overrun(p, 5) }, Some(2));
            // SAFETY: as above; repaired, so that it can be freed.
            unsafe { behind.write(ZONE_BYTE) };
            give(p, 5);
        });
    }
}
