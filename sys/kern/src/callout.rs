// SPDX-License-Identifier: BSD-2-Clause
//! Timers: a function of a shared value, run in softint context.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::NonNull;

use kpi_sys as k;

use crate::cx::MayDrain;
use crate::cx::Softint;
use crate::errno::Errno;
use crate::errno::Result;
use crate::mem::KArc;

/// What a callout calls; a type of its own a timer, so that the call is direct.
pub trait Handler: Send + Sync + Sized + 'static {
    /// The time has come. May schedule the callout again.
    fn expired(&self, cx: &mut Softint);
}

/// A timer of `T`.
pub struct Callout<T: Handler> {
    raw: NonNull<k::kpi_callout>,
    owner: *const T,
    _own: PhantomData<KArc<T>>,
}

// SAFETY: the timer may be scheduled from every context; `owner` is a count of a KArc.
unsafe impl<T: Handler> Send for Callout<T> {}
// SAFETY: as above.
unsafe impl<T: Handler> Sync for Callout<T> {}

impl<T: Handler> Callout<T> {
    /// A timer that is not running. It keeps `owner` alive: destroy it to break the circle.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MayDrain>(_cx: &mut C, owner: KArc<T>) -> Result<Self> {
        let owner = owner.into_raw();
        // SAFETY: the thunk and the count of owner stay until destroy.
        let raw = unsafe { k::kpi_callout_create(Some(thunk::<T>), owner.cast_mut().cast()) };
        match NonNull::new(raw) {
            Some(raw) => Ok(Callout {
                raw,
                owner,
                _own: PhantomData,
            }),
            None => {
                // SAFETY: not created, so the count is ours again.
                drop(unsafe { KArc::from_raw(owner) });
                Err(Errno::ENOMEM)
            }
        }
    }

    /// Fires once, `ms` milliseconds from now, whatever was scheduled before.
    pub fn schedule(&self, ms: u32) {
        // SAFETY: the callout is live.
        unsafe { k::kpi_callout_schedule(self.raw.as_ptr(), ms) };
    }

    /// Stops the timer and waits for a handler that is running.
    pub fn destroy<C: MayDrain>(self, _cx: &mut C) {
        // SAFETY: consumes the callout, in thread context and not from the handler.
        unsafe { k::kpi_callout_destroy(self.raw.as_ptr()) };
        // SAFETY: the handler runs no more: the count is ours again.
        drop(unsafe { KArc::from_raw(self.owner) });
    }
}

unsafe extern "C" fn thunk<T: Handler>(arg: *mut c_void) {
    // SAFETY: arg's count is kept until kpi_callout_destroy has returned.
    let owner = unsafe { &*arg.cast_const().cast::<T>() };
    // SAFETY: kpi_callout.h: softint context.
    let mut cx = unsafe { Softint::assume() };
    owner.expired(&mut cx);
}
