// SPDX-License-Identifier: BSD-2-Clause
//! `kpi_if_*` and `kpi_ifclone_*`: see `kpi_if.h`.
//!
//! *Contexts*, *locking*: the contracts.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use kpi_sys::{
    KPI_ELOOP, kpi_ifclone, kpi_ifcloneops, kpi_ifnet, kpi_ifops, kpi_ifparams, kpi_mbuf,
};

use super::{borrow, consume, handle, kernel, share};
use crate::clone::Cloner;
use crate::die::{die, string};
use crate::epoch;
use crate::errno::Errno;
use crate::ifnet::Ifnet;
use crate::mbuf::Mbuf;

/// `kpi_if_alloc`: see `kpi_if.h`.
///
/// # Safety
///
/// `p` and its strings are readable, `error` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_alloc(p: *const kpi_ifparams, error: *mut i32) -> *mut kpi_ifnet {
    // SAFETY: by the contract.
    let p = unsafe { p.read() };
    // SAFETY: by the contract.
    let name = unsafe { string(p.kf_name, p.kf_namelen) };
    let result = kernel()
        .0
        .ifs
        .alloc(&name, p.kf_unit, p.kf_mtu, p.kf_lladdr);
    // SAFETY: by the contract.
    unsafe { handle(result, error) }
}

/// `kpi_if_attach`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifp` is live; `ops` and `sc` stay valid until it is detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_attach(
    ifp: *mut kpi_ifnet,
    ops: *const kpi_ifops,
    sc: *mut c_void,
) -> i32 {
    // SAFETY: by the contract.
    let ifp: Arc<Ifnet> = unsafe { share(ifp) };
    // SAFETY: by the contract.
    Errno::ret(unsafe { ifp.attach(ops, sc) })
}

/// `kpi_if_detach`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifp` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_detach(ifp: *mut kpi_ifnet) {
    // SAFETY: by the contract.
    unsafe { borrow::<Ifnet, _>(ifp) }.detach();
}

/// `kpi_if_free`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifp` is live, detached, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_free(ifp: *mut kpi_ifnet) {
    // SAFETY: by the contract.
    unsafe { consume::<Ifnet, _>(ifp) }.free();
}

/// `kpi_if_input`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifp` is live; `m` is a packet of the caller's, who gives it up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_input(ifp: *mut kpi_ifnet, m: *mut kpi_mbuf) {
    if epoch::READ.depth() != 0 {
        die("ifnet: input within a read section");
    }
    // SAFETY: by the contract.
    let m = unsafe { Mbuf::from_raw(m) };
    // SAFETY: by the contract.
    unsafe { borrow::<Ifnet, _>(ifp) }.input(m);
}

/// `kpi_if_tap`: see `kpi_if.h`. The host has no bpf of its own: what listens on the OS's tap
/// device sees its frames there.
///
/// # Safety
///
/// `ifp` and `m` are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_tap(_ifp: *mut kpi_ifnet, _m: *const kpi_mbuf) {}

/// `kpi_if_count`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifp` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_count(ifp: *mut kpi_ifnet, which: u32, n: u64) {
    // SAFETY: by the contract.
    unsafe { borrow::<Ifnet, _>(ifp) }
        .port
        .stats
        .add(which as usize, n);
}

/// `kpi_if_set_running`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifp` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_set_running(ifp: *mut kpi_ifnet, running: u32) {
    // SAFETY: by the contract.
    unsafe { borrow::<Ifnet, _>(ifp) }.set_running(running != 0);
}

/// `kpi_if_set_link`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifp` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_set_link(ifp: *mut kpi_ifnet, up: u32) {
    // SAFETY: by the contract.
    unsafe { borrow::<Ifnet, _>(ifp) }.set_link(up != 0);
}

/// `kpi_if_mtu`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifp` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_mtu(ifp: *const kpi_ifnet) -> u32 {
    // SAFETY: by the contract.
    unsafe { borrow::<Ifnet, _>(ifp) }.port.mtu()
}

/// `kpi_if_check_nesting`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifp` is live; `m` is a packet of the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_if_check_nesting(
    ifp: *mut kpi_ifnet,
    m: *mut kpi_mbuf,
    limit: u32,
) -> i32 {
    // SAFETY: by the contract.
    let id = unsafe { borrow::<Ifnet, _>(ifp) }.port.id;
    // SAFETY: by the contract; it stays the caller's.
    let mut m = std::mem::ManuallyDrop::new(unsafe { Mbuf::from_raw(m) });
    if m.check_nesting(id, limit as usize) {
        0
    } else {
        KPI_ELOOP as i32
    }
}

/// `kpi_ifclone_attach`: see `kpi_if.h`.
///
/// # Safety
///
/// `name` has `namelen` bytes, `error` is writable; `ops` and `arg` stay valid until detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_ifclone_attach(
    name: *const c_char,
    namelen: u32,
    ops: *const kpi_ifcloneops,
    arg: *mut c_void,
    error: *mut i32,
) -> *mut kpi_ifclone {
    // SAFETY: by the contract.
    let name = unsafe { string(name, namelen) };
    // SAFETY: by the contract.
    let result = unsafe { kernel().0.cloners.attach(&name, ops, arg) };
    // SAFETY: by the contract.
    unsafe { handle(result, error) }
}

/// `kpi_ifclone_detach`: see `kpi_if.h`.
///
/// # Safety
///
/// `ifc` is live, and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_ifclone_detach(ifc: *mut kpi_ifclone) {
    // SAFETY: by the contract.
    unsafe { consume::<Cloner, _>(ifc) }.detach();
}
