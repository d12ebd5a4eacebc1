// SPDX-License-Identifier: BSD-2-Clause
//! A mutex for writers, in thread context. Readers on the packet path take no lock.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ops::DerefMut;
use core::ptr::NonNull;

use kpi_sys as k;

use crate::cx::MaySleep;
use crate::errno::Errno;
use crate::errno::Result;

/// A value that one thread at a time may touch.
///
/// Do not hold it over a wait for readers who themselves take it; lock order is stated where the
/// mutex is a member.
pub struct Mutex<T> {
    raw: NonNull<k::kpi_mutex>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value from thread to thread.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: only the holder of the lock touches the value.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A mutex around `value`; the name shows up in the kernel's lock checkers.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MaySleep>(_cx: &mut C, name: &'static str, value: T) -> Result<Self> {
        let len = u32::try_from(name.len()).unwrap_or(0);
        // SAFETY: name is valid for len bytes.
        let raw = unsafe { k::kpi_mutex_create(name.as_ptr().cast(), len) };
        let raw = NonNull::new(raw).ok_or(Errno::ENOMEM)?;
        Ok(Mutex {
            raw,
            value: UnsafeCell::new(value),
        })
    }

    /// Waits for the lock and takes it.
    pub fn lock<C: MaySleep>(&self, _cx: &mut C) -> Guard<'_, T> {
        // SAFETY: raw is live as long as self; the context may sleep.
        unsafe { k::kpi_mutex_enter(self.raw.as_ptr()) };
        Guard {
            mutex: self,
            _stay: PhantomData,
        }
    }

    /// The value, of a mutex that nobody else can reach.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        // SAFETY: exclusive access proves that nobody holds it.
        unsafe { k::kpi_mutex_destroy(self.raw.as_ptr()) };
    }
}

/// The lock, held; dropping it unlocks.
pub struct Guard<'m, T> {
    mutex: &'m Mutex<T>,
    /// The thread that locked is the one that unlocks.
    _stay: PhantomData<*mut ()>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and the guard is borrowed exclusively.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this thread holds the lock.
        unsafe { k::kpi_mutex_exit(self.mutex.raw.as_ptr()) };
    }
}
