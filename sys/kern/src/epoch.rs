// SPDX-License-Identifier: BSD-2-Clause
//! Short read sections: pserialize(9) on NetBSD, net epoch on FreeBSD, the host kernel's own.
//!
//! A section is a closure, not a guard value: sections then end in LIFO order, which the kernels'
//! trackers need, and cannot be forgotten. It borrows the context token, so nothing in it sleeps.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use kpi_sys as k;

use crate::cx::Cx;
use crate::cx::MayDrain;

/// Proof that a read section is open.
pub struct Section<'c> {
    _cx: PhantomData<(&'c (), *mut ())>,
}

/// The OS's record of the section; ends it on every way out.
struct Open(MaybeUninit<k::kpi_epoch>);

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: kpi_epoch_enter filled it, on this thread, and it has not moved since.
        unsafe { k::kpi_epoch_exit(self.0.as_mut_ptr()) };
    }
}

/// Runs `f` in a read section: what it sees published stays allocated until it returns.
#[inline]
pub fn read<C: Cx, R>(_cx: &mut C, f: impl for<'s> FnOnce(&'s Section<'s>) -> R) -> R {
    let mut open = Open(MaybeUninit::uninit());
    // SAFETY: open stays in this frame until its drop.
    unsafe { k::kpi_epoch_enter(open.0.as_mut_ptr()) };
    f(&Section { _cx: PhantomData })
}

/// Returns when every section that was open has ended.
pub fn wait<C: MayDrain>(_cx: &mut C) {
    // SAFETY: the token says that this is thread context outside any section.
    unsafe { k::kpi_epoch_wait() };
}
