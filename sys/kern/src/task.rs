// SPDX-License-Identifier: BSD-2-Clause
//! Work in thread context, now or later: what a [`crate::callout`] may not do, since it may neither
//! sleep nor wait for readers.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::NonNull;

use kpi_sys as k;

use crate::cx::MayDrain;
use crate::cx::Thread;
use crate::errno::Errno;
use crate::errno::Result;
use crate::mem::KArc;

/// What a task does; a type of its own a task, so that the call is direct.
pub trait Runner: Send + Sync + Sized + 'static {
    /// One run; there are never two at once. May schedule the task again.
    fn run(&self, cx: &mut Thread);
}

/// Work of `T`.
pub struct Task<T: Runner> {
    raw: NonNull<k::kpi_task>,
    owner: *const T,
    _own: PhantomData<KArc<T>>,
}

// SAFETY: the task may be scheduled from every context; `owner` is a count of a KArc.
unsafe impl<T: Runner> Send for Task<T> {}
// SAFETY: as above.
unsafe impl<T: Runner> Sync for Task<T> {}

impl<T: Runner> Task<T> {
    /// A task that is not scheduled. It keeps `owner` alive: destroy it to break the circle.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MayDrain>(_cx: &mut C, owner: KArc<T>) -> Result<Self> {
        let owner = owner.into_raw();
        // SAFETY: the thunk and the count of owner stay until destroy.
        let raw = unsafe { k::kpi_task_create(Some(thunk::<T>), owner.cast_mut().cast()) };
        match NonNull::new(raw) {
            Some(raw) => Ok(Task {
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

    /// Runs once, `ms` milliseconds from now, whatever was scheduled before; during a run: once
    /// more afterwards.
    pub fn schedule(&self, ms: u32) {
        // SAFETY: the task is live.
        unsafe { k::kpi_task_schedule(self.raw.as_ptr(), ms) };
    }

    /// Forgets what is scheduled and waits for a run. Not from the run.
    pub fn destroy<C: MayDrain>(self, _cx: &mut C) {
        // SAFETY: consumes the task, in thread context.
        unsafe { k::kpi_task_destroy(self.raw.as_ptr()) };
        // SAFETY: it runs no more: the count is ours again.
        drop(unsafe { KArc::from_raw(self.owner) });
    }
}

unsafe extern "C" fn thunk<T: Runner>(arg: *mut c_void) {
    // SAFETY: arg's count is kept until kpi_task_destroy has returned.
    let owner = unsafe { &*arg.cast_const().cast::<T>() };
    // SAFETY: kpi_callout.h: thread context.
    let mut cx = unsafe { Thread::assume() };
    owner.run(&mut cx);
}
