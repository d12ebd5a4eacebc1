// SPDX-License-Identifier: BSD-2-Clause
//! A lock for a few instructions, which the packet path may take: for inserting and removing in
//! shared structures. What the packet path reads takes none, see [`crate::epoch`].
//!
//! While it is held nothing sleeps, sends or waits; of several the one at the lower address comes
//! first. A host kernel with checks reports what breaks the first rule.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ops::DerefMut;

use kpi_sys as k;

use crate::cx::Cx;
use crate::errno::Result;
use crate::mem::KBox;

/// Lock and value stay in one place, since kernels' lock checkers know locks by address.
struct Inner<T> {
    raw: UnsafeCell<k::kpi_spin>,
    value: UnsafeCell<T>,
}

/// A value that one CPU at a time may touch.
pub struct Spin<T>(KBox<Inner<T>>);

// SAFETY: the lock hands the value from thread to thread.
unsafe impl<T: Send> Send for Spin<T> {}
// SAFETY: only the holder of the lock touches the value.
unsafe impl<T: Send> Sync for Spin<T> {}

impl<T> Spin<T> {
    /// A lock around `value`.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: Cx>(cx: &mut C, value: T) -> Result<Self> {
        let inner = KBox::new(
            cx,
            Inner {
                raw: UnsafeCell::new(k::kpi_spin { ks_opaque: [0; 8] }),
                value: UnsafeCell::new(value),
            },
        )?;
        // SAFETY: in the place where it stays until drop.
        unsafe { k::kpi_spin_init(inner.raw.get()) };
        Ok(Spin(inner))
    }

    /// Takes the lock; waits for as long as another one's few instructions take.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        // SAFETY: live as long as self, and it does not move.
        unsafe { k::kpi_spin_enter(self.0.raw.get()) };
        Guard {
            inner: &self.0,
            _stay: PhantomData,
        }
    }

    /// The value, of a lock that nobody else can reach.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.value.get_mut()
    }
}

impl<T> Drop for Spin<T> {
    fn drop(&mut self) {
        // SAFETY: initialised in new, and exclusive access proves that nobody holds it.
        unsafe { k::kpi_spin_destroy(self.0.raw.get()) };
    }
}

/// The lock, held; dropping it unlocks.
pub struct Guard<'s, T> {
    inner: &'s Inner<T>,
    /// Who locked is who unlocks.
    _stay: PhantomData<*mut ()>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.inner.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and the guard is borrowed exclusively.
        unsafe { &mut *self.inner.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this thread holds the lock.
        unsafe { k::kpi_spin_exit(self.inner.raw.get()) };
    }
}
