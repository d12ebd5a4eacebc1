// SPDX-License-Identifier: BSD-2-Clause
//! The `kpi_*` functions: thin, one file for each header, above everything else.
//!
//! *Contexts* and *locking* are the contracts' in `sys/kpi`. Panics do not unwind into C: these
//! are `extern "C"`, so a panic aborts.

pub mod callout;
pub mod cdev;
pub mod encap;
pub mod iflog;
pub mod ifnet;
pub mod mbuf;
pub mod misc;
pub mod pfil;
pub mod sync;

use std::ptr;
use std::sync::Arc;

use crate::die::die;
use crate::errno::Errno;
use crate::kernel::Kernel;

/// The kernel that called us.
fn kernel() -> Kernel {
    match Kernel::current() {
        Some(kernel) => kernel,
        None => die("kpi: called by a thread that is in no kernel; use Kernel::enter"),
    }
}

/// A handle for C, or NULL and why in `*error`.
///
/// # Safety
///
/// `error` is null or writable.
unsafe fn handle<T, C>(result: Result<Arc<T>, Errno>, error: *mut i32) -> *mut C {
    match result {
        Ok(arc) => Arc::into_raw(arc).cast_mut().cast(),
        Err(e) => {
            if !error.is_null() {
                // SAFETY: by the caller's word.
                unsafe { error.write(e.0) };
            }
            ptr::null_mut()
        }
    }
}

/// Look at what a handle stands for.
///
/// # Safety
///
/// `raw` is from [`handle`] for a `T`, and not yet given to [`consume`].
unsafe fn borrow<'a, T, C>(raw: *const C) -> &'a T {
    // SAFETY: by the caller's word.
    match unsafe { raw.cast::<T>().as_ref() } {
        Some(object) => object,
        None => die("kpi: NULL handle"),
    }
}

/// A reference of our own to what a handle stands for.
///
/// # Safety
///
/// As for [`borrow`].
unsafe fn share<T, C>(raw: *const C) -> Arc<T> {
    // SAFETY: by the caller's word: the count is at least one.
    unsafe { Arc::increment_strong_count(raw.cast::<T>()) };
    // SAFETY: takes the count just added.
    unsafe { Arc::from_raw(raw.cast::<T>()) }
}

/// Take a handle back.
///
/// # Safety
///
/// As for [`borrow`], and the handle is not used again.
unsafe fn consume<T, C>(raw: *mut C) -> Arc<T> {
    if raw.is_null() {
        die("kpi: NULL handle");
    }
    // SAFETY: by the caller's word.
    unsafe { Arc::from_raw(raw.cast::<T>().cast_const()) }
}
