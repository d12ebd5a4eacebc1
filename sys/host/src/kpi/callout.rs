// SPDX-License-Identifier: BSD-2-Clause
//! `kpi_callout_*`, `kpi_task_*`: see `kpi_callout.h`.
//!
//! *Contexts*, *locking*: the contracts.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use kpi_sys::{kpi_callout, kpi_task};

use super::{borrow, consume, handle, kernel};
use crate::callout::{Callout, Handler, Lane};
use crate::errno::Errno;

/// `kpi_callout_create`: see `kpi_callout.h`.
///
/// # Safety
///
/// `call` and `arg` stay valid until it is destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_callout_create(
    call: Option<unsafe extern "C" fn(arg: *mut c_void)>,
    arg: *mut c_void,
) -> *mut kpi_callout {
    create(Lane::Callout, call, arg)
}

fn create<C>(
    lane: Lane,
    call: Option<unsafe extern "C" fn(arg: *mut c_void)>,
    arg: *mut c_void,
) -> *mut C {
    let create = |call| kernel().0.timers.create(lane, Handler { call, arg });
    let result = call.ok_or(Errno::EINVAL).and_then(create).map(Arc::new);
    // SAFETY: no place for the error.
    unsafe { handle(result, ptr::null_mut()) }
}

/// `kpi_callout_schedule`: see `kpi_callout.h`.
///
/// # Safety
///
/// `c` is a live callout.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_callout_schedule(c: *mut kpi_callout, ms: u32) {
    // SAFETY: by the contract.
    unsafe { borrow::<Callout, _>(c) }.schedule(ms);
}

/// `kpi_callout_destroy`: see `kpi_callout.h`.
///
/// # Safety
///
/// `c` is a live callout that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_callout_destroy(c: *mut kpi_callout) {
    // SAFETY: by the contract.
    drop(unsafe { consume::<Callout, _>(c) });
}

/// `kpi_task_create`: see `kpi_callout.h`.
///
/// # Safety
///
/// `call` and `arg` stay valid until it is destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_task_create(
    call: Option<unsafe extern "C" fn(arg: *mut c_void)>,
    arg: *mut c_void,
) -> *mut kpi_task {
    create(Lane::Task, call, arg)
}

/// `kpi_task_schedule`: see `kpi_callout.h`.
///
/// # Safety
///
/// `t` is a live task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_task_schedule(t: *mut kpi_task, ms: u32) {
    // SAFETY: by the contract.
    unsafe { borrow::<Callout, _>(t) }.schedule(ms);
}

/// `kpi_task_destroy`: see `kpi_callout.h`.
///
/// # Safety
///
/// `t` is a live task that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_task_destroy(t: *mut kpi_task) {
    // SAFETY: by the contract.
    drop(unsafe { consume::<Callout, _>(t) });
}
