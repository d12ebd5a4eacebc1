// SPDX-License-Identifier: BSD-2-Clause
//! Fallible kernel memory: `KBox`, `KArc`, `KVec`.
//!
//! There is no global allocator in a module. Where the context may sleep an allocation waits,
//! where it may not it fails with ENOMEM; the token decides, nobody passes flags.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ops::DerefMut;
use core::ptr;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering;
use core::sync::atomic::fence;

use kpi_sys::kpi_alloc;
use kpi_sys::kpi_free;

use crate::cx::Cx;
use crate::errno::Errno;
use crate::errno::Result;

/// What kpi_alloc promises for a size: 64 from 64 bytes on, else 16.
const fn aligned_enough<T>() -> bool {
    align_of::<T>() <= 16 || (align_of::<T>() <= 64 && size_of::<T>() >= 64)
}

fn alloc<T>(n: usize, flags: u32) -> Result<NonNull<T>> {
    const { assert!(aligned_enough::<T>(), "kpi_alloc does not align this type") };
    let bytes = n.checked_mul(size_of::<T>()).ok_or(Errno::ENOMEM)?;
    // SAFETY: kpi_alloc takes any size from 1 on.
    let p = unsafe { kpi_alloc(bytes.max(1), flags) };
    NonNull::new(p.cast()).ok_or(Errno::ENOMEM)
}

/// # Safety
/// `p` came from `alloc::<T>(n, _)` and is not used afterwards.
unsafe fn free<T>(p: NonNull<T>, n: usize) {
    let bytes = n.wrapping_mul(size_of::<T>()).max(1);
    // SAFETY: the caller owns p, and this is the size that alloc asked for.
    unsafe { kpi_free(p.as_ptr().cast(), bytes) };
}

/// One owned value in kernel memory.
pub struct KBox<T> {
    ptr: NonNull<T>,
    _own: PhantomData<T>,
}

// SAFETY: a KBox owns its value alone, so it goes wherever the value may go.
unsafe impl<T: Send> Send for KBox<T> {}
// SAFETY: a shared KBox gives out shared references to the value only.
unsafe impl<T: Sync> Sync for KBox<T> {}

impl<T> KBox<T> {
    /// Moves `value` into kernel memory.
    ///
    /// # Errors
    /// ENOMEM; the value is dropped.
    pub fn new<C: Cx>(_cx: &mut C, value: T) -> Result<Self> {
        let ptr = alloc::<T>(1, C::ALLOC)?;
        // SAFETY: ptr is fresh, aligned and large enough.
        unsafe { ptr.as_ptr().write(value) };
        Ok(KBox {
            ptr,
            _own: PhantomData,
        })
    }

    /// Moves the value out and frees the memory.
    pub fn into_inner(self) -> T {
        let this = ManuallyDrop::new(self);
        // SAFETY: this owns an initialised value, and does not drop it any more.
        let value = unsafe { this.ptr.as_ptr().read() };
        // SAFETY: ptr came from alloc(1); the value has moved out.
        unsafe { free(this.ptr, 1) };
        value
    }

    pub(crate) fn into_raw(self) -> *mut T {
        ManuallyDrop::new(self).ptr.as_ptr()
    }

    /// # Safety
    /// `p` came from `into_raw` and is owned by the caller.
    pub(crate) unsafe fn from_raw(p: NonNull<T>) -> Self {
        KBox {
            ptr: p,
            _own: PhantomData,
        }
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: ptr is valid and initialised as long as self lives.
        unsafe { self.ptr.as_ref() }
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in deref, and self is borrowed exclusively.
        unsafe { self.ptr.as_mut() }
    }
}

impl<T> Drop for KBox<T> {
    fn drop(&mut self) {
        // SAFETY: self owns an initialised value and is going away.
        unsafe { ptr::drop_in_place(self.ptr.as_ptr()) };
        // SAFETY: ptr came from alloc(1).
        unsafe { free(self.ptr, 1) };
    }
}

struct ArcInner<T> {
    strong: AtomicUsize,
    value: T,
}

/// A shared value in kernel memory, counted. For the control path: the packet path borrows.
pub struct KArc<T> {
    ptr: NonNull<ArcInner<T>>,
    _own: PhantomData<ArcInner<T>>,
}

// SAFETY: the count is atomic, and clones on other threads share the value (Sync) and may be the
// one that drops it (Send).
unsafe impl<T: Send + Sync> Send for KArc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for KArc<T> {}

impl<T> KArc<T> {
    /// Moves `value` into shared kernel memory.
    ///
    /// # Errors
    /// ENOMEM; the value is dropped.
    pub fn new<C: Cx>(_cx: &mut C, value: T) -> Result<Self> {
        let ptr = alloc::<ArcInner<T>>(1, C::ALLOC)?;
        let inner = ArcInner {
            strong: AtomicUsize::new(1),
            value,
        };
        // SAFETY: ptr is fresh, aligned and large enough.
        unsafe { ptr.as_ptr().write(inner) };
        Ok(KArc {
            ptr,
            _own: PhantomData,
        })
    }

    /// Whether this is the only handle.
    pub fn is_unique(this: &Self) -> bool {
        this.inner().strong.load(Ordering::Acquire) == 1
    }

    /// Whether both are handles of one value.
    pub fn ptr_eq(a: &Self, b: &Self) -> bool {
        a.ptr == b.ptr
    }

    fn inner(&self) -> &ArcInner<T> {
        // SAFETY: the count is at least 1 while self lives.
        unsafe { self.ptr.as_ref() }
    }

    /// A pointer to the value that stands for one count.
    pub(crate) fn into_raw(self) -> *const T {
        let this = ManuallyDrop::new(self);
        // Not through a reference to the value: `from_raw` goes from it to the count.
        // SAFETY: the pointer is valid; no reference is made.
        unsafe { &raw const (*this.ptr.as_ptr()).value }
    }

    /// # Safety
    /// `p` came from `into_raw`, and its count passes to the result.
    pub(crate) unsafe fn from_raw(p: *const T) -> Self {
        let offset = core::mem::offset_of!(ArcInner<T>, value);
        // SAFETY: p points to the `value` of an ArcInner.
        let inner = unsafe { p.cast::<u8>().sub(offset) };
        // SAFETY: p was derived from a NonNull.
        let ptr = unsafe { NonNull::new_unchecked(inner.cast_mut().cast()) };
        KArc {
            ptr,
            _own: PhantomData,
        }
    }

    /// Another count of the value that `p` stands for.
    ///
    /// # Safety
    /// `p` came from `into_raw`, and that count is alive.
    pub(crate) unsafe fn clone_raw(p: *const T) -> Self {
        // SAFETY: the caller keeps the count of p alive; ManuallyDrop leaves it with p.
        let owner = ManuallyDrop::new(unsafe { Self::from_raw(p) });
        KArc::clone(&owner)
    }
}

impl<T> Clone for KArc<T> {
    fn clone(&self) -> Self {
        // Relaxed: who holds one count already may make another.
        self.inner().strong.fetch_add(1, Ordering::Relaxed);
        KArc {
            ptr: self.ptr,
            _own: PhantomData,
        }
    }
}

impl<T> Deref for KArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Drop for KArc<T> {
    fn drop(&mut self) {
        if self.inner().strong.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // The last one sees what the others did before they let go.
        fence(Ordering::Acquire);
        // SAFETY: nobody else has a handle.
        unsafe { ptr::drop_in_place(self.ptr.as_ptr()) };
        // SAFETY: ptr came from alloc(1).
        unsafe { free(self.ptr, 1) };
    }
}

/// A growable array in kernel memory.
pub struct KVec<T> {
    ptr: NonNull<T>,
    len: usize,
    cap: usize,
    _own: PhantomData<T>,
}

// SAFETY: a KVec owns its values alone.
unsafe impl<T: Send> Send for KVec<T> {}
// SAFETY: a shared KVec gives out shared references only.
unsafe impl<T: Sync> Sync for KVec<T> {}

impl<T> KVec<T> {
    /// No values, no memory.
    pub const fn new() -> Self {
        KVec {
            ptr: NonNull::dangling(),
            len: 0,
            cap: 0,
            _own: PhantomData,
        }
    }

    /// Room for `cap` values.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn with_capacity<C: Cx>(_cx: &mut C, cap: usize) -> Result<Self> {
        const { assert!(size_of::<T>() != 0, "KVec is not for zero-sized types") };
        if cap == 0 {
            return Ok(Self::new());
        }
        Ok(KVec {
            ptr: alloc(cap, C::ALLOC)?,
            len: 0,
            cap,
            _own: PhantomData,
        })
    }

    fn slot(&self, i: usize) -> *mut T {
        self.ptr.as_ptr().wrapping_add(i)
    }

    /// `n` values, each made by `f` from its index.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn from_fn<C: Cx>(cx: &mut C, n: usize, mut f: impl FnMut(usize) -> T) -> Result<Self> {
        let mut v = Self::with_capacity(cx, n)?;
        while v.len < n {
            let value = f(v.len);
            // SAFETY: len is below cap, so the slot is ours and empty.
            unsafe { v.slot(v.len).write(value) };
            v.len = v.len.wrapping_add(1);
        }
        Ok(v)
    }

    /// Appends, growing by doubling.
    ///
    /// # Errors
    /// ENOMEM; the array is as it was and the value is dropped.
    pub fn push<C: Cx>(&mut self, cx: &mut C, value: T) -> Result {
        if self.len == self.cap {
            let cap = self.cap.checked_mul(2).ok_or(Errno::ENOMEM)?.max(4);
            let mut grown = Self::with_capacity(cx, cap)?;
            // SAFETY: both are valid for len values and do not overlap; the values move, since
            // self.len becomes 0 below.
            unsafe { ptr::copy_nonoverlapping(self.ptr.as_ptr(), grown.ptr.as_ptr(), self.len) };
            grown.len = core::mem::take(&mut self.len);
            *self = grown;
        }
        // SAFETY: len is below cap, so the slot is ours and empty.
        unsafe { self.slot(self.len).write(value) };
        self.len = self.len.wrapping_add(1);
        Ok(())
    }

    /// Takes value `i` out, filling its place with the last one; None when there is none.
    pub fn swap_remove(&mut self, i: usize) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        if i > last {
            return None;
        }
        self.swap(i, last);
        self.len = last;
        // SAFETY: the slot at the old end is initialised and no longer counted.
        Some(unsafe { self.slot(last).read() })
    }

    /// A pointer to `n` values in room for just as many, which owns them.
    ///
    /// # Errors
    /// Gives the array back when it holds another number, or has room for more, or is empty.
    pub(crate) fn into_exact(self, n: usize) -> core::result::Result<NonNull<T>, Self> {
        if self.len != n || self.cap != n || n == 0 {
            return Err(self);
        }
        Ok(ManuallyDrop::new(self).ptr)
    }

    /// # Safety
    /// `ptr` came from `into_exact(n)` and is owned by the caller.
    pub(crate) unsafe fn from_exact(ptr: NonNull<T>, n: usize) -> Self {
        KVec {
            ptr,
            len: n,
            cap: n,
            _own: PhantomData,
        }
    }

    /// Appends without growing; gives the value back when there is no room.
    pub fn push_within(&mut self, value: T) -> core::result::Result<(), T> {
        if self.len == self.cap {
            return Err(value);
        }
        // SAFETY: len is below cap, so the slot is ours and empty.
        unsafe { self.slot(self.len).write(value) };
        self.len = self.len.wrapping_add(1);
        Ok(())
    }

    /// Drops all values from number `len` on; keeps the memory.
    pub fn truncate(&mut self, len: usize) {
        while self.len > len {
            drop(self.pop());
        }
    }

    /// Takes the last value out.
    pub fn pop(&mut self) -> Option<T> {
        self.swap_remove(self.len.checked_sub(1)?)
    }
}

impl<T> Default for KVec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for KVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the first len slots are initialised; with cap 0 ptr dangles but is aligned.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for KVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in deref, and self is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl<T> Drop for KVec<T> {
    fn drop(&mut self) {
        let all: *mut [T] = ptr::slice_from_raw_parts_mut(self.ptr.as_ptr(), self.len);
        // SAFETY: the first len slots are initialised and owned.
        unsafe { ptr::drop_in_place(all) };
        if self.cap != 0 {
            // SAFETY: ptr came from alloc(cap).
            unsafe { free(self.ptr, self.cap) };
        }
    }
}
