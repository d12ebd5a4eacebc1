// SPDX-License-Identifier: BSD-2-Clause
//! `kpi_encap_*` and `kpi_path_*`: see `kpi_encap.h`.
//!
//! *Contexts*, *locking*: the contracts.

use std::ffi::c_void;
use std::sync::Arc;

use kpi_sys::{kpi_encap, kpi_encapops, kpi_endpoint, kpi_mbuf, kpi_path};

use super::{borrow, consume, handle, kernel, share};
use crate::die::die;
use crate::encap::{Encap, Path};
use crate::epoch;
use crate::errno::Errno;
use crate::mbuf::Mbuf;

/// `kpi_encap_open`: see `kpi_encap.h`.
///
/// # Safety
///
/// `ep` is readable, `error` writable; `ops` and `arg` stay valid until it is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_encap_open(
    ep: *const kpi_endpoint,
    ops: *const kpi_encapops,
    arg: *mut c_void,
    error: *mut i32,
) -> *mut kpi_encap {
    let kernel = kernel();
    // SAFETY: by the contract.
    let ep = unsafe { ep.read() };
    let inner = &kernel.0;
    // SAFETY: by the contract.
    let result = unsafe { Encap::open(&inner.home, &inner.doors, &ep, ops, arg) };
    // SAFETY: by the contract.
    unsafe { handle(result, error) }
}

/// `kpi_encap_close`: see `kpi_encap.h`.
///
/// # Safety
///
/// `e` is a live endpoint without paths that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_encap_close(e: *mut kpi_encap) {
    // SAFETY: by the contract.
    unsafe { consume::<Encap, _>(e) }.close();
}

/// `kpi_path_open`: see `kpi_encap.h`.
///
/// # Safety
///
/// `e` is a live endpoint, `dst` has 16 bytes, `error` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_path_open(
    e: *mut kpi_encap,
    dst: *const u8,
    dport: u16,
    ttl: u32,
    error: *mut i32,
) -> *mut kpi_path {
    // SAFETY: by the contract.
    let encap: Arc<Encap> = unsafe { share(e) };
    // SAFETY: by the contract; bytes have no alignment.
    let dst = unsafe { dst.cast::<[u8; 16]>().read() };
    let result = encap.path(&dst, dport, ttl).map(Arc::new);
    // SAFETY: by the contract.
    unsafe { handle(result, error) }
}

/// `kpi_path_close`: see `kpi_encap.h`.
///
/// # Safety
///
/// `p` is a live path that nobody sends on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_path_close(p: *mut kpi_path) {
    // SAFETY: by the contract.
    match Arc::into_inner(unsafe { consume::<Path, _>(p) }) {
        Some(path) => path.close(),
        None => die("path: closed while somebody sends on it"),
    }
}

/// `kpi_path_output`: see `kpi_encap.h`.
///
/// # Safety
///
/// `p` is a live path; `m` is a packet of the caller's, who gives it up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_path_output(p: *mut kpi_path, m: *mut kpi_mbuf) -> i32 {
    if epoch::READ.depth() != 0 {
        die("path: output within a read section");
    }
    // SAFETY: by the contract.
    let m = unsafe { Mbuf::from_raw(m) };
    // SAFETY: by the contract.
    Errno::ret(unsafe { borrow::<Path, _>(p) }.output(m))
}
