// SPDX-License-Identifier: BSD-2-Clause
//! Context tokens: what the running code may do, as types.
//!
//! The thunks through which the kernel calls a module make the token of their context and lend it
//! out as `&mut`. A function that sleeps asks for `C: MaySleep`, one that waits for readers for
//! `C: MayDrain`; code that holds no such token cannot call it. While a section or a reference is
//! held the token is borrowed, so what must not happen meanwhile does not compile.
//!
//! C counterpart: `cpu_intr_p()`, `ASSERT_SLEEPABLE()`, `NET_EPOCH_ASSERT()`: checks at run time.

use core::marker::PhantomData;

/// Tokens stay on the thread that they were made for.
type NotSend = PhantomData<*mut ()>;

mod sealed {
    pub trait Sealed {}
}

/// Some context: the packet path or a thread.
pub trait Cx: sealed::Sealed {
    /// How memory is asked for here: `KPI_M_SLEEP` or `KPI_M_NOWAIT`.
    const ALLOC: u32;
}

/// A context that may sleep: ioctl, attach, detach, worker.
pub trait MaySleep: Cx {}

/// A context that may wait for readers: it sleeps, and it is no reader itself.
pub trait MayDrain: MaySleep {}

/// Thread context: may sleep and drain.
pub struct Thread(NotSend);

/// Softint context: the packet path and callouts; may do neither.
pub struct Softint(NotSend);

/// The context `C` while it holds a passive reference: may do what `C` may, but never drain.
pub struct Bound<'c, C: Cx>(PhantomData<&'c mut C>);

impl<'c, C: Cx> Bound<'c, C> {
    /// Borrows `_cx` for as long as the reference is held.
    pub(crate) fn hold(_cx: &'c mut C) -> Self {
        Bound(PhantomData)
    }
}

impl Thread {
    /// Asserts that this is thread context.
    ///
    /// # Safety
    /// The caller may sleep, holds no spin lock, is in no read section, holds no passive
    /// reference, and no other token of this thread is in use.
    pub unsafe fn assume() -> Self {
        Thread(PhantomData)
    }
}

impl Softint {
    /// Asserts that this is the packet path or a callout.
    ///
    /// # Safety
    /// The caller is in no read section, and no other token of this thread is in use.
    pub unsafe fn assume() -> Self {
        Softint(PhantomData)
    }
}

impl sealed::Sealed for Thread {}
impl sealed::Sealed for Softint {}
impl<C: Cx> sealed::Sealed for Bound<'_, C> {}

impl Cx for Thread {
    const ALLOC: u32 = kpi_sys::KPI_M_SLEEP;
}
impl Cx for Softint {
    const ALLOC: u32 = kpi_sys::KPI_M_NOWAIT;
}
impl<C: Cx> Cx for Bound<'_, C> {
    const ALLOC: u32 = C::ALLOC;
}

impl MaySleep for Thread {}
impl<C: MaySleep> MaySleep for Bound<'_, C> {}
impl MayDrain for Thread {}
