// SPDX-License-Identifier: BSD-2-Clause
//! `kpi_mbuf_*`: packets as the modules see them.
//!
//! *Contexts*: any. *Locking*: none; the contracts are in `kpi_mbuf.h`.

use std::mem::ManuallyDrop;
use std::ptr;

use kpi_sys::{KPI_EINVAL, KPI_ENOBUFS, kpi_mbuf};

use crate::die::bytes;
use crate::mbuf::Mbuf;

/// Look at a packet that C keeps.
///
/// # Safety
///
/// `m` is a live packet, and nobody else uses it during the borrow.
unsafe fn borrow(m: *const kpi_mbuf) -> ManuallyDrop<Mbuf> {
    // SAFETY: by the caller's word; ManuallyDrop leaves it to its owner.
    ManuallyDrop::new(unsafe { Mbuf::from_raw(m.cast_mut()) })
}

fn raw(m: Option<Mbuf>) -> *mut kpi_mbuf {
    m.map_or(ptr::null_mut(), Mbuf::into_raw)
}

/// `kpi_mbuf_get`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// None beyond the contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_get(len: u32, headroom: u32) -> *mut kpi_mbuf {
    raw(Mbuf::get(len as usize, headroom as usize))
}

/// `kpi_mbuf_free`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's, who gives it up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_free(m: *mut kpi_mbuf) {
    // SAFETY: by the contract.
    drop(unsafe { Mbuf::from_raw(m) });
}

/// `kpi_mbuf_len`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a live packet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_len(m: *const kpi_mbuf) -> u32 {
    // SAFETY: by the contract.
    unsafe { borrow(m) }.len() as u32
}

/// `kpi_mbuf_head`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a live packet, `len` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_head(m: *const kpi_mbuf, len: *mut u32) -> *const u8 {
    // SAFETY: by the contract.
    let m = unsafe { borrow(m) };
    // SAFETY: by the contract.
    unsafe { len.write(m.head().len() as u32) };
    m.head().as_ptr()
}

/// `kpi_mbuf_head_mut`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's, `len` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_head_mut(m: *mut kpi_mbuf, len: *mut u32) -> *mut u8 {
    // SAFETY: by the contract.
    let mut m = unsafe { borrow(m) };
    let Some(head) = m.head_mut() else {
        return ptr::null_mut();
    };
    // SAFETY: by the contract.
    unsafe { len.write(head.len() as u32) };
    head.as_mut_ptr()
}

/// `kpi_mbuf_pullup`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's, who gives it up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_pullup(m: *mut kpi_mbuf, n: u32) -> *mut kpi_mbuf {
    // SAFETY: by the contract.
    raw(unsafe { Mbuf::from_raw(m) }.pullup(n as usize))
}

/// `kpi_mbuf_writable`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's, who gives it up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_writable(m: *mut kpi_mbuf, n: u32) -> *mut kpi_mbuf {
    // SAFETY: by the contract.
    raw(unsafe { Mbuf::from_raw(m) }.writable(n as usize))
}

/// `kpi_mbuf_prepend`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's, who gives it up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_prepend(m: *mut kpi_mbuf, n: u32) -> *mut kpi_mbuf {
    // SAFETY: by the contract.
    raw(unsafe { Mbuf::from_raw(m) }.prepend(n as usize))
}

/// `kpi_mbuf_trim_front`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_trim_front(m: *mut kpi_mbuf, n: u32) {
    // SAFETY: by the contract.
    unsafe { borrow(m) }.trim_front(n as usize);
}

/// `kpi_mbuf_trim_back`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_trim_back(m: *mut kpi_mbuf, n: u32) {
    // SAFETY: by the contract.
    unsafe { borrow(m) }.trim_back(n as usize);
}

/// `kpi_mbuf_copydata`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a live packet, `buf` has room for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_copydata(
    m: *const kpi_mbuf,
    off: u32,
    len: u32,
    buf: *mut u8,
) -> i32 {
    // SAFETY: by the contract.
    let m = unsafe { borrow(m) };
    let in_range = off
        .checked_add(len)
        .is_some_and(|end| end as usize <= m.len());
    if !in_range {
        return KPI_EINVAL as i32;
    }
    if len != 0 {
        // The room may be uninitialized, so it does not become a slice before it is filled.
        // SAFETY: by the contract.
        unsafe { buf.write_bytes(0, len as usize) };
        // SAFETY: by the contract, and just initialized.
        let buf = unsafe { std::slice::from_raw_parts_mut(buf, len as usize) };
        m.copydata(off as usize, buf);
    }
    0
}

/// `kpi_mbuf_append`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's, `buf` has `len` bytes that are not part of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_append(m: *mut kpi_mbuf, buf: *const u8, len: u32) -> i32 {
    // SAFETY: by the contract.
    let mut m = unsafe { borrow(m) };
    // SAFETY: by the contract.
    let buf = unsafe { bytes(buf, len) };
    if m.append(buf) { 0 } else { KPI_ENOBUFS as i32 }
}

/// `kpi_mbuf_dup`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a live packet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_dup(m: *const kpi_mbuf) -> *mut kpi_mbuf {
    // SAFETY: by the contract.
    raw(unsafe { borrow(m) }.dup())
}

/// `kpi_mbuf_next`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a live packet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_next(m: *const kpi_mbuf) -> *mut kpi_mbuf {
    // SAFETY: by the contract.
    unsafe { borrow(m) }.next()
}

/// `kpi_mbuf_set_next`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_set_next(m: *mut kpi_mbuf, next: *mut kpi_mbuf) {
    // SAFETY: by the contract.
    unsafe { borrow(m) }.set_next(next);
}

/// `kpi_mbuf_flags`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a live packet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_flags(m: *const kpi_mbuf) -> u32 {
    // SAFETY: by the contract.
    unsafe { borrow(m) }.flags()
}

/// `kpi_mbuf_mark`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a live packet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_mark(m: *const kpi_mbuf) -> u32 {
    // SAFETY: by the contract.
    unsafe { borrow(m) }.mark()
}

/// `kpi_mbuf_set_mark`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_set_mark(m: *mut kpi_mbuf, mark: u32) -> i32 {
    // SAFETY: by the contract.
    if unsafe { borrow(m) }.set_mark(mark) {
        0
    } else {
        KPI_ENOBUFS as i32
    }
}

/// `kpi_mbuf_renew`: see `kpi_mbuf.h`.
///
/// # Safety
///
/// `m` is a packet of the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_mbuf_renew(m: *mut kpi_mbuf) {
    // SAFETY: by the contract.
    unsafe { borrow(m) }.renew();
}
