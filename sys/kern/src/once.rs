// SPDX-License-Identifier: BSD-2-Clause
//! `OnceArray`: an array that is made while others look; it never moves and never goes.
//!
//! For tables that grow a piece at a time: to find a value is one load of a pointer, no section.
//!
//! *Locking*: readers any; of several who set it the first one wins.

use core::marker::PhantomData;
use core::ptr;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering;

use crate::mem::KVec;

/// No values, or `LEN` of them.
pub struct OnceArray<T, const LEN: usize> {
    /// The first of `LEN` values of an exact `KVec`, or null.
    ptr: AtomicPtr<T>,
    _own: PhantomData<KVec<T>>,
}

// SAFETY: it owns its values alone, as the KVec did.
unsafe impl<T: Send, const LEN: usize> Send for OnceArray<T, LEN> {}
// SAFETY: shared references to the values are given out, and values of other threads are moved in.
unsafe impl<T: Send + Sync, const LEN: usize> Sync for OnceArray<T, LEN> {}

impl<T, const LEN: usize> OnceArray<T, LEN> {
    /// No values.
    pub const fn new() -> Self {
        OnceArray {
            ptr: AtomicPtr::new(ptr::null_mut()),
            _own: PhantomData,
        }
    }

    /// The values; an empty slice until they are set.
    #[inline]
    pub fn get(&self) -> &[T] {
        let p = self.ptr.load(Ordering::Acquire);
        if p.is_null() {
            return &[];
        }
        // SAFETY: what was set has LEN values, which stay until self is dropped.
        unsafe { slice::from_raw_parts(p, LEN) }
    }

    /// Sets the values, for good.
    ///
    /// # Errors
    /// Gives them back when there are some already, or when these are not exactly `LEN` values in
    /// room for as many.
    pub fn set(&self, values: KVec<T>) -> Result<(), KVec<T>> {
        let p = values.into_exact(LEN)?;
        let orders = (Ordering::AcqRel, Ordering::Relaxed);
        match self
            .ptr
            .compare_exchange(ptr::null_mut(), p.as_ptr(), orders.0, orders.1)
        {
            Ok(_) => Ok(()),
            // SAFETY: p came from into_exact, and was not published.
            Err(_) => Err(unsafe { KVec::from_exact(p, LEN) }),
        }
    }
}

impl<T, const LEN: usize> Default for OnceArray<T, LEN> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const LEN: usize> Drop for OnceArray<T, LEN> {
    fn drop(&mut self) {
        if let Some(p) = NonNull::new(*self.ptr.get_mut()) {
            // SAFETY: p came from into_exact, and exclusive access says that nobody looks.
            drop(unsafe { KVec::from_exact(p, LEN) });
        }
    }
}
