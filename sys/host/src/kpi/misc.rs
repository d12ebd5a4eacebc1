// SPDX-License-Identifier: BSD-2-Clause
//! `kpi_uptime_ns`, `kpi_random`, `kpi_log`, `kpi_panic`, `kpi_kstat_*`: see `kpi_misc.h`.
//!
//! *Contexts*, *locking*: the contracts.

use std::ffi::{c_char, c_void};
use std::ptr;

use kpi_sys::kpi_kstat;

use super::{consume, handle, kernel};
use crate::clock;
use crate::die::{bytes, die, string};
use crate::errno::Errno;
use crate::home::Home;
use crate::kstat::{Kstat, Read};
use crate::misc;

/// `kpi_uptime_ns`: see `kpi_misc.h`.
///
/// # Safety
///
/// None beyond the contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_uptime_ns() -> u64 {
    Home::with_current(|home| home.map_or_else(clock::real_ns, |home| home.clock.now()))
}

/// `kpi_random`: see `kpi_misc.h`.
///
/// # Safety
///
/// `buf` has room for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_random(buf: *mut u8, len: u32) {
    if len == 0 {
        return;
    }
    // The room may be uninitialized, so it does not become a slice before it is filled.
    // SAFETY: by the contract.
    unsafe { buf.write_bytes(0, len as usize) };
    // SAFETY: by the contract, and just initialized.
    let buf = unsafe { std::slice::from_raw_parts_mut(buf, len as usize) };
    Home::with_current(|home| match home {
        Some(home) => home.random.fill(buf),
        None => misc::strong(buf),
    });
}

/// `kpi_log`: see `kpi_misc.h`.
///
/// # Safety
///
/// `msg` has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_log(level: u32, msg: *const c_char, len: u32) {
    // SAFETY: by the contract.
    let text = unsafe { bytes(msg.cast(), len) };
    Home::with_current(|home| match home {
        Some(home) => home.log.put(level, text),
        None => eprintln!("<{level}> {}", String::from_utf8_lossy(text)),
    });
}

/// `kpi_panic`: see `kpi_misc.h`.
///
/// # Safety
///
/// `msg` has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_panic(msg: *const c_char, len: u32) -> ! {
    // SAFETY: by the contract.
    let text = unsafe { string(msg, len) };
    let name = Home::with_current(|home| home.map_or(String::new(), |h| format!("{}: ", h.name)));
    die(&format!("{name}{text}"))
}

/// `kpi_kstat_attach`: see `kpi_misc.h`.
///
/// # Safety
///
/// `name` has `namelen` bytes; `read` and `arg` stay valid until detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_kstat_attach(
    name: *const c_char,
    namelen: u32,
    read: Option<Read>,
    arg: *mut c_void,
) -> *mut kpi_kstat {
    // SAFETY: by the contract.
    let name = unsafe { string(name, namelen) };
    let attach = |read| kernel().0.kstats.attach(&name, read, arg);
    // SAFETY: no place for the error.
    unsafe { handle(read.ok_or(Errno::EINVAL).and_then(attach), ptr::null_mut()) }
}

/// `kpi_kstat_detach`: see `kpi_misc.h`.
///
/// # Safety
///
/// `k` is live, and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_kstat_detach(k: *mut kpi_kstat) {
    // SAFETY: by the contract.
    unsafe { consume::<Kstat, _>(k) }.detach();
}
