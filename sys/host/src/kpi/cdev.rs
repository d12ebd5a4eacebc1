// SPDX-License-Identifier: BSD-2-Clause
//! `kpi_cdev_*`: see `kpi_cdev.h`.
//!
//! *Contexts*, *locking*: the contracts.

use std::ffi::{c_char, c_void};

use kpi_sys::{kpi_cdev, kpi_cdevops};

use super::{consume, handle, kernel};
use crate::cdev::Cdev;
use crate::die::string;

/// `kpi_cdev_attach`: see `kpi_cdev.h`.
///
/// # Safety
///
/// `name` has `namelen` bytes, `error` is writable; `ops` and `arg` stay valid until detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_cdev_attach(
    name: *const c_char,
    namelen: u32,
    ops: *const kpi_cdevops,
    arg: *mut c_void,
    error: *mut i32,
) -> *mut kpi_cdev {
    // SAFETY: by the contract.
    let name = unsafe { string(name, namelen) };
    // SAFETY: by the contract.
    let result = unsafe { kernel().0.cdevs.attach(&name, ops, arg) };
    // SAFETY: by the contract.
    unsafe { handle(result, error) }
}

/// `kpi_cdev_detach`: see `kpi_cdev.h`.
///
/// # Safety
///
/// `c` is live, and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_cdev_detach(c: *mut kpi_cdev) {
    // SAFETY: by the contract.
    unsafe { consume::<Cdev, _>(c) }.detach();
}
