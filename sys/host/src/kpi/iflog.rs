// SPDX-License-Identifier: BSD-2-Clause
//! `kpi_iflog_*`: see `kpi_misc.h`.
//!
//! *Contexts*, *locking*: the contracts.

use std::ffi::c_char;
use std::mem::ManuallyDrop;

use kpi_sys::{kpi_iflog, kpi_mbuf};

use super::{borrow, consume, handle, kernel};
use crate::die::{bytes, string};
use crate::iflog::Iflog;
use crate::mbuf::{Mbuf, PULLUP_MOST};
use crate::spin;

/// `kpi_iflog_attach`: see `kpi_misc.h`.
///
/// # Safety
///
/// `name` has `namelen` bytes, `error` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_iflog_attach(
    name: *const c_char,
    namelen: u32,
    dlt: u32,
    error: *mut i32,
) -> *mut kpi_iflog {
    // SAFETY: by the contract.
    let name = unsafe { string(name, namelen) };
    // SAFETY: by the contract.
    unsafe { handle(kernel().0.iflogs.attach(&name, dlt), error) }
}

/// `kpi_iflog_detach`: see `kpi_misc.h`.
///
/// # Safety
///
/// `l` is live, and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_iflog_detach(l: *mut kpi_iflog) {
    // SAFETY: by the contract.
    unsafe { consume::<Iflog, _>(l) }.detach();
}

/// `kpi_iflog_active`: see `kpi_misc.h`.
///
/// # Safety
///
/// `l` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_iflog_active(l: *const kpi_iflog) -> u32 {
    // SAFETY: by the contract.
    u32::from(unsafe { borrow::<Iflog, _>(l) }.active())
}

/// `kpi_iflog_tap`: see `kpi_misc.h`.
///
/// # Safety
///
/// `l` and `m` are live, `hdr` has `hdrlen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_iflog_tap(
    l: *mut kpi_iflog,
    hdr: *const u8,
    hdrlen: u32,
    m: *const kpi_mbuf,
) {
    spin::must_not_be_held("logging a packet");
    // SAFETY: by the contract; it stays the caller's.
    let m = ManuallyDrop::new(unsafe { Mbuf::from_raw(m.cast_mut()) });
    // SAFETY: by the contract.
    let hdr = unsafe { bytes(hdr, hdrlen.min(PULLUP_MOST as u32)) };
    // SAFETY: by the contract.
    unsafe { borrow::<Iflog, _>(l) }.tap(hdr, &m);
}
