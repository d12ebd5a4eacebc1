// SPDX-License-Identifier: BSD-2-Clause
//! Mutexes, spins, read sections, pauses and CPUs: see `kpi_sync.h`; `kpi_psref_*` is in sys/psref.
//!
//! *Contexts*, *locking*: the contracts.

use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use kpi_sys::{kpi_epoch, kpi_mutex, kpi_spin};

use super::{borrow, consume, handle};
use crate::die::{die, string};
use crate::epoch::{self, Record};
use crate::errno::Errno;
use crate::ledger::{Fault, Ledger};
use crate::spin::{self, Spin};
use crate::sync::Mutex;
use crate::thread;

/// `kpi_mutex_create`: see `kpi_sync.h`.
///
/// # Safety
///
/// `name` has `namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mutex_create(name: *const c_char, namelen: u32) -> *mut kpi_mutex {
    // SAFETY: by the contract.
    let name = unsafe { string(name, namelen) };
    let failed = Ledger::current().strike(Fault::Memory);
    let result = if failed {
        Err(Errno::ENOMEM)
    } else {
        Ok(Arc::new(Mutex::new(name)))
    };
    // SAFETY: no place for the error.
    unsafe { handle(result, ptr::null_mut()) }
}

/// `kpi_mutex_destroy`: see `kpi_sync.h`.
///
/// # Safety
///
/// `mtx` is live, and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mutex_destroy(mtx: *mut kpi_mutex) {
    // SAFETY: by the contract.
    drop(unsafe { consume::<Mutex, _>(mtx) });
}

/// `kpi_mutex_enter`: see `kpi_sync.h`.
///
/// # Safety
///
/// `mtx` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mutex_enter(mtx: *mut kpi_mutex) {
    // SAFETY: by the contract.
    unsafe { borrow::<Mutex, _>(mtx) }.enter();
}

/// `kpi_mutex_exit`: see `kpi_sync.h`.
///
/// # Safety
///
/// `mtx` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mutex_exit(mtx: *mut kpi_mutex) {
    // SAFETY: by the contract.
    unsafe { borrow::<Mutex, _>(mtx) }.exit();
}

/// `kpi_spin_init`: see `kpi_sync.h`.
///
/// # Safety
///
/// `s` is writable, and not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_spin_init(s: *mut kpi_spin) {
    // SAFETY: by the contract; size and alignment are asserted in spin.rs.
    unsafe { s.cast::<Spin>().write(Spin::new()) };
}

/// `kpi_spin_destroy`: see `kpi_sync.h`.
///
/// # Safety
///
/// `s` is in use, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_spin_destroy(s: *mut kpi_spin) {
    // SAFETY: kpi_spin_init wrote it.
    drop(unsafe { s.cast::<Spin>().read() });
}

/// `kpi_spin_enter`: see `kpi_sync.h`.
///
/// # Safety
///
/// `s` is in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_spin_enter(s: *mut kpi_spin) {
    // SAFETY: kpi_spin_init wrote it.
    let spin = unsafe { borrow::<Spin, _>(s) };
    // SAFETY: by the contract it does not move.
    unsafe { spin.enter() };
}

/// `kpi_spin_exit`: see `kpi_sync.h`.
///
/// # Safety
///
/// `s` is in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_spin_exit(s: *mut kpi_spin) {
    // SAFETY: kpi_spin_init wrote it.
    unsafe { borrow::<Spin, _>(s) }.exit();
}

/// What stands in the room of `struct kpi_epoch`.
#[repr(C)]
struct Open {
    record: &'static Record,
    depth: u32,
}

const _: () = assert!(size_of::<Open>() <= size_of::<kpi_epoch>());
const _: () = assert!(align_of::<Open>() <= align_of::<kpi_epoch>());

/// `kpi_epoch_enter`: see `kpi_sync.h`.
///
/// # Safety
///
/// `e` is writable, and not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_epoch_enter(e: *mut kpi_epoch) {
    let (record, depth) = epoch::READ.begin();
    // SAFETY: by the contract; size and alignment are asserted above.
    unsafe { e.cast::<Open>().write(Open { record, depth }) };
}

/// `kpi_epoch_exit`: see `kpi_sync.h`.
///
/// # Safety
///
/// `e` is in use, by this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_epoch_exit(e: *mut kpi_epoch) {
    // SAFETY: kpi_epoch_enter wrote it.
    let open = unsafe { e.cast::<Open>().read() };
    if epoch::READ.depth() != open.depth {
        die("epoch: read sections must end on their thread, the last one first");
    }
    epoch::READ.leave(open.record);
}

/// `kpi_epoch_wait`: see `kpi_sync.h`.
///
/// # Safety
///
/// None beyond the contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_epoch_wait() {
    spin::must_not_be_held("waiting for read sections");
    epoch::READ.wait();
}

/// `kpi_pause`: see `kpi_sync.h`.
///
/// # Safety
///
/// None beyond the contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_pause(us: u32) {
    if epoch::READ.depth() != 0 {
        die("pause: within a read section");
    }
    spin::must_not_be_held("pause");
    std::thread::sleep(Duration::from_micros(u64::from(us)));
}

/// `kpi_ncpu`: see `kpi_sync.h`.
///
/// # Safety
///
/// None beyond the contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_ncpu() -> u32 {
    thread::NCPU as u32
}

/// `kpi_cpu_index`: see `kpi_sync.h`.
///
/// # Safety
///
/// None beyond the contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_cpu_index() -> u32 {
    thread::cpu()
}
