// SPDX-License-Identifier: BSD-2-Clause
//! `kpi_pfil_*`, `kpi_if_next`, `kpi_if_info`, `kpi_if_addr`: see `kpi_pfil.h`.
//!
//! *Contexts*, *locking*: the contracts.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use kpi_sys::{kpi_ifaddr, kpi_ifinfo, kpi_mbuf, kpi_pfil, kpi_pfil_rx, kpi_pfilops};

use super::{borrow, consume, handle, kernel, share};
use crate::die::die;
use crate::epoch;
use crate::errno::Errno;
use crate::mbuf::Mbuf;
use crate::pfil::Pfil;
use crate::spin;

/// `kpi_pfil_alloc`: see `kpi_pfil.h`.
///
/// # Safety
///
/// `error` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_pfil_alloc(error: *mut i32) -> *mut kpi_pfil {
    // SAFETY: by the contract.
    unsafe { handle(kernel().0.pfils.alloc(), error) }
}

/// `kpi_pfil_attach`: see `kpi_pfil.h`.
///
/// # Safety
///
/// `p` is live; `ops` and `arg` stay valid until it is detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_pfil_attach(
    p: *mut kpi_pfil,
    ops: *const kpi_pfilops,
    arg: *mut c_void,
) -> i32 {
    // SAFETY: by the contract.
    let p: Arc<Pfil> = unsafe { share(p) };
    // SAFETY: by the contract.
    Errno::ret(unsafe { p.attach(ops, arg) })
}

/// `kpi_pfil_detach`: see `kpi_pfil.h`.
///
/// # Safety
///
/// `p` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_pfil_detach(p: *mut kpi_pfil) {
    // SAFETY: by the contract.
    let p: Arc<Pfil> = unsafe { share(p) };
    p.detach();
}

/// `kpi_pfil_free`: see `kpi_pfil.h`.
///
/// # Safety
///
/// `p` is live, detached, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_pfil_free(p: *mut kpi_pfil) {
    // SAFETY: by the contract.
    unsafe { consume::<Pfil, _>(p) }.free();
}

/// What all three ways in ask of their caller.
fn may_put() {
    if epoch::READ.depth() != 0 {
        die("pfil: a packet was put in within a read section");
    }
    spin::must_not_be_held("putting a packet in");
}

/// `kpi_pfil_resume`: see `kpi_pfil.h`.
///
/// # Safety
///
/// `p` is live, `rx` readable; `m` is a packet of the caller's, who gives it up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_pfil_resume(
    p: *mut kpi_pfil,
    rx: *const kpi_pfil_rx,
    m: *mut kpi_mbuf,
) -> i32 {
    may_put();
    // SAFETY: by the contract.
    let m = unsafe { Mbuf::from_raw(m) };
    // SAFETY: by the contract.
    let rx = unsafe { rx.read() };
    // SAFETY: by the contract.
    Errno::ret(unsafe { borrow::<Pfil, _>(p) }.resume(&rx, m))
}

/// `kpi_pfil_reply`: see `kpi_pfil.h`.
///
/// # Safety
///
/// As for [`kpi_pfil_resume`]; `orig` is a live packet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_pfil_reply(
    p: *mut kpi_pfil,
    rx: *const kpi_pfil_rx,
    orig: *const kpi_mbuf,
    m: *mut kpi_mbuf,
) -> i32 {
    may_put();
    // SAFETY: by the contract.
    let m = unsafe { Mbuf::from_raw(m) };
    // SAFETY: by the contract; it stays the caller's.
    let orig = ManuallyDrop::new(unsafe { Mbuf::from_raw(orig.cast_mut()) });
    // SAFETY: by the contract.
    let rx = unsafe { rx.read() };
    // SAFETY: by the contract.
    Errno::ret(unsafe { borrow::<Pfil, _>(p) }.reply(&rx, &orig, m))
}

/// `kpi_pfil_send`: see `kpi_pfil.h`.
///
/// # Safety
///
/// As for [`kpi_pfil_resume`]; `orig` is a live packet or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_pfil_send(
    p: *mut kpi_pfil,
    rx: *const kpi_pfil_rx,
    orig: *const kpi_mbuf,
    m: *mut kpi_mbuf,
) -> i32 {
    may_put();
    // SAFETY: by the contract.
    let m = unsafe { Mbuf::from_raw(m) };
    let orig = (!orig.is_null()).then(|| {
        // SAFETY: by the contract; it stays the caller's.
        ManuallyDrop::new(unsafe { Mbuf::from_raw(orig.cast_mut()) })
    });
    // SAFETY: by the contract.
    let rx = unsafe { rx.read() };
    // SAFETY: by the contract.
    Errno::ret(unsafe { borrow::<Pfil, _>(p) }.send(&rx, orig.as_deref(), m))
}

/// `kpi_if_next`: see `kpi_pfil.h`.
///
/// # Safety
///
/// None beyond the contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_next(after: u32) -> u32 {
    kernel().0.pfils.reg.next(after)
}

/// `kpi_if_info`: see `kpi_pfil.h`.
///
/// # Safety
///
/// `info` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_info(index: u32, info: *mut kpi_ifinfo) -> i32 {
    let found = kernel().0.pfils.reg.info(index);
    // SAFETY: by the contract.
    Errno::ret(found.map(|found| unsafe { info.write(found) }))
}

/// `kpi_if_addr`: see `kpi_pfil.h`.
///
/// # Safety
///
/// `addr` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_addr(index: u32, n: u32, addr: *mut kpi_ifaddr) -> i32 {
    let found = kernel().0.pfils.reg.addr(index, n);
    // SAFETY: by the contract.
    Errno::ret(found.map(|found| unsafe { addr.write(found) }))
}
