// SPDX-License-Identifier: BSD-2-Clause
//! Passive references: the softc/variant idiom of psref(9), as types.
//!
//! A [`Passive`] is one published value. A reader takes a reference that costs no shared write and
//! may be held while sleeping; a writer swaps the value whole and gets the old one back when
//! nobody reads it any more: having it is the proof.
//!
//! *Locking*: any number of readers. Writers need no lock for one `replace`, but a
//! read-modify-replace of the owner wants the owner's mutex around it.
//!
//! What the types do not catch, and debug kernels do: two threads that drain each other's targets.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr;
use core::ptr::NonNull;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering;

use kpi_sys as k;

use crate::cx::Bound;
use crate::cx::Cx;
use crate::cx::MayDrain;
use crate::epoch;
use crate::epoch::Section;
use crate::errno::Result;
use crate::mem::KArc;
use crate::mem::KBox;

struct Node<T> {
    target: UnsafeCell<k::kpi_psref_target>,
    value: T,
}

// SAFETY: the target is only touched through kpi_psref_*, which synchronise.
unsafe impl<T: Sync> Sync for Node<T> {}

/// A value ready to be published, or retired and read by nobody.
pub struct Value<T>(KBox<Node<T>>);

impl<T> Value<T> {
    /// Moves `value` into memory that can be referenced.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: Cx>(cx: &mut C, value: T) -> Result<Self> {
        let target = UnsafeCell::new(k::kpi_psref_target { kt_opaque: [0; 2] });
        let node = KBox::new(cx, Node { target, value })?;
        // SAFETY: the target is ours alone, and its address is final.
        unsafe { k::kpi_psref_target_init(node.target.get()) };
        Ok(Value(node))
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.0.into_inner().value
    }
}

impl<T> Deref for Value<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

/// A passive reference; lives in the frame that took it.
struct Held<T> {
    psref: MaybeUninit<k::kpi_psref>,
    node: *const Node<T>,
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        // SAFETY: the reference keeps the node alive up to here.
        let target = unsafe { (*self.node).target.get() };
        // SAFETY: acquired in `with_node`, on this thread, and not moved since.
        unsafe { k::kpi_psref_release(self.psref.as_mut_ptr(), target) };
    }
}

/// One published value, or none.
pub struct Passive<T> {
    slot: AtomicPtr<Node<T>>,
    _own: PhantomData<KBox<Node<T>>>,
}

// SAFETY: readers on any thread share the value (Sync); a writer on any thread gets it (Send).
unsafe impl<T: Send + Sync> Sync for Passive<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for Passive<T> {}

impl<T: Send + Sync> Passive<T> {
    /// Nothing published.
    pub const fn empty() -> Self {
        Passive {
            slot: AtomicPtr::new(ptr::null_mut()),
            _own: PhantomData,
        }
    }

    /// `value` published.
    pub fn new(value: Value<T>) -> Self {
        Passive {
            slot: AtomicPtr::new(value.0.into_raw()),
            _own: PhantomData,
        }
    }

    /// Looks at the value for as long as the section lasts.
    pub fn peek<'s>(&'s self, _s: &'s Section<'_>) -> Option<&'s T> {
        // SAFETY: what is published stays allocated until every section that saw it has ended.
        unsafe { self.slot.load(Ordering::Acquire).as_ref() }.map(|node| &node.value)
    }

    /// Runs `f` on the value under a passive reference; `None` when nothing is published.
    ///
    /// `f` may sleep if the context may; it cannot drain.
    #[inline]
    pub fn with<C: Cx, R>(
        &self,
        cx: &mut C,
        f: impl FnOnce(&T, &mut Bound<'_, C>) -> R,
    ) -> Option<R> {
        self.with_or(cx, (), |(), value, cx| f(value, cx)).ok()
    }

    /// As [`with`](Self::with) for a function that consumes `arg`, a packet say; when nothing is
    /// published `arg` comes back.
    #[inline]
    pub fn with_or<C: Cx, A, R>(
        &self,
        cx: &mut C,
        arg: A,
        f: impl FnOnce(A, &T, &mut Bound<'_, C>) -> R,
    ) -> Result<R, A> {
        reference(cx, arg, |_s| ptr::from_ref(self), f)
    }

    /// Publishes `new`, waits for every reader of the old value, and hands the old value back.
    pub fn replace<C: MayDrain>(&self, cx: &mut C, new: Option<Value<T>>) -> Option<Value<T>> {
        let new = new.map_or(ptr::null_mut(), |v| v.0.into_raw());
        let old = NonNull::new(self.slot.swap(new, Ordering::AcqRel))?;
        epoch::wait(cx);
        // SAFETY: unpublished, and the sections that saw it have ended; the token says that this
        // thread holds no reference.
        Some(unsafe { retire(old) })
    }
}

/// Waits for the references to a node that nobody can find any more.
///
/// # Safety
/// `node` was unpublished before all open sections ended, and the caller holds no reference.
unsafe fn retire<T>(node: NonNull<Node<T>>) -> Value<T> {
    // SAFETY: the node is allocated until we free it.
    let target = unsafe { node.as_ref() }.target.get();
    // SAFETY: as the caller promises.
    unsafe { k::kpi_psref_target_destroy(target) };
    // A dead target takes no references; the value may be published once more.
    // SAFETY: nobody refers to the target.
    unsafe { k::kpi_psref_target_init(target) };
    // SAFETY: nobody refers to the node: it is ours.
    Value(unsafe { KBox::from_raw(node) })
}

/// Finds a `Passive` within a section, takes a reference to its value, leaves the section.
///
/// `find` gives null, or a pointer that is valid as long as the section lasts.
#[inline]
fn reference<C: Cx, A, T, R>(
    cx: &mut C,
    arg: A,
    find: impl for<'s> FnOnce(&'s Section<'s>) -> *const Passive<T>,
    f: impl FnOnce(A, &T, &mut Bound<'_, C>) -> R,
) -> Result<R, A>
where
    T: Send + Sync,
{
    let mut held = Held {
        psref: MaybeUninit::uninit(),
        node: ptr::null(),
    };
    let psref = held.psref.as_mut_ptr();
    let found = epoch::read(cx, |s| {
        // SAFETY: valid within the section, as the callers in this file see to.
        let passive = unsafe { find(s).as_ref() };
        let node = passive.map_or(ptr::null_mut(), |p| p.slot.load(Ordering::Acquire));
        // SAFETY: published within this section, so allocated.
        if let Some(node) = unsafe { node.as_ref() } {
            // SAFETY: psref stays in the frame of `reference` until it is released there.
            unsafe { k::kpi_psref_acquire(psref, node.target.get()) };
        }
        node.cast_const()
    });
    // SAFETY: the reference, if there is one, keeps the node allocated until `held` drops.
    let Some(node) = (unsafe { found.as_ref() }) else {
        core::mem::forget(held);
        return Err(arg);
    };
    held.node = found;
    // `held` is dropped where it stands: kernels link it into lists, so it must not move.
    Ok(f(arg, &node.value, &mut Bound::hold(cx)))
}

/// Takes a reference to the value of the `Passive` that `find` picks from `root` within a section.
///
/// The way from a table to a variant: the table entry is only looked at within the section, the
/// value is held beyond it.
///
/// # Errors
/// Gives `arg` back when `find` finds nothing or nothing is published there.
#[inline]
pub fn with_found<C: Cx, K, A, T: Send + Sync, R>(
    cx: &mut C,
    root: &K,
    arg: A,
    find: impl for<'s> FnOnce(&'s K, &'s Section<'s>) -> Option<&'s Passive<T>>,
    f: impl FnOnce(A, &T, &mut Bound<'_, C>) -> R,
) -> Result<R, A> {
    reference(
        cx,
        arg,
        |s| find(root, s).map_or(ptr::null(), ptr::from_ref),
        f,
    )
}

impl<T> Drop for Passive<T> {
    /// Waits like `replace`: an owner that was found through a table may still be read. Thread
    /// context, as for everything that owns a `Passive`.
    fn drop(&mut self) {
        if let Some(old) = NonNull::new(*self.slot.get_mut()) {
            // SAFETY: whoever owns a Passive drops it in thread context outside any section.
            unsafe { k::kpi_epoch_wait() };
            // SAFETY: exclusive access unpublished it, and the sections have ended.
            drop(unsafe { retire(old) });
        }
    }
}

/// A value whose handles may go to other threads and contexts, and which can be waited for.
///
/// A passive reference belongs to the thread that took it; what hands a packet to a worker keeps a
/// [`Retained`] instead. Each handle writes a shared count: use rarely.
pub struct Counted<T>(KArc<T>);

/// A handle of a [`Counted`].
pub struct Retained<T>(KArc<T>);

impl<T: Send + Sync> Counted<T> {
    /// Moves `value` into counted memory.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: Cx>(cx: &mut C, value: T) -> Result<Self> {
        KArc::new(cx, value).map(Counted)
    }

    /// A handle for elsewhere.
    pub fn retain(&self) -> Retained<T> {
        Retained(self.0.clone())
    }

    /// Waits until every handle is gone, then drops the value.
    ///
    /// Polls, from 50 microseconds up to 10 milliseconds: retiring is rare, releasing is not.
    pub fn drain<C: MayDrain>(self, _cx: &mut C) {
        let mut us = 50;
        while !KArc::is_unique(&self.0) {
            // SAFETY: the token says that this is thread context outside any section.
            unsafe { k::kpi_pause(us) };
            us = (us * 2).min(10_000);
        }
    }
}

impl<T> Deref for Counted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for Retained<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
