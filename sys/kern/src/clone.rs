// SPDX-License-Identifier: BSD-2-Clause
//! if_clone: `ifconfig l2tp0 create` and `destroy`.
//!
//! *Contexts*: thread. The kernel serialises create and destroy of one cloner.

use core::ffi::c_char;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::slice;

use kpi_sys as k;

use crate::cx::MayDrain;
use crate::cx::Thread;
use crate::errno::Errno;
use crate::errno::Result;
use crate::errno::to_raw;
use crate::ifnet::Driver;
use crate::ifnet::IfName;
use crate::mem::KArc;

/// Makes and unmakes the interfaces of one name.
pub trait Cloner: Send + Sync + Sized + 'static {
    /// The driver of each.
    type Driver: Driver;

    /// The name without a number.
    const NAME: &'static str;

    /// Makes the softc of a new interface; it is attached next.
    ///
    /// # Errors
    /// What `ifconfig create` is to say; nothing is left behind.
    fn create(
        this: &KArc<Self>,
        cx: &mut Thread,
        name: IfName,
        unit: u32,
    ) -> Result<KArc<Self::Driver>>;

    /// Undoes `create` and all that was configured since: afterwards no packet finds the softc but
    /// through the interface, which is detached next.
    fn destroy(this: &KArc<Self>, cx: &mut Thread, sc: &KArc<Self::Driver>);
}

/// A cloner that the system knows.
pub struct IfClone<T: Cloner> {
    raw: NonNull<k::kpi_ifclone>,
    owner: *const T,
}

// SAFETY: the registration is usable from every thread; `owner` is a count of a KArc.
unsafe impl<T: Cloner> Send for IfClone<T> {}
// SAFETY: nothing is reachable through a shared IfClone.
unsafe impl<T: Cloner> Sync for IfClone<T> {}

impl<T: Cloner> IfClone<T> {
    /// Registers the name.
    ///
    /// # Errors
    /// EEXIST when another driver has it, ENOMEM.
    pub fn attach<C: MayDrain>(_cx: &mut C, owner: KArc<T>) -> Result<Self> {
        let ops: &'static k::kpi_ifcloneops = &Thunks::<T>::OPS;
        let owner = owner.into_raw();
        let arg = owner.cast_mut().cast();
        let mut error = 0;
        // SAFETY: name and ops are static, arg's count is kept until detach.
        let raw = unsafe {
            k::kpi_ifclone_attach(
                T::NAME.as_ptr().cast(),
                T::NAME.len() as u32,
                ops,
                arg,
                &raw mut error,
            )
        };
        match NonNull::new(raw) {
            Some(raw) => Ok(IfClone { raw, owner }),
            None => {
                // SAFETY: not registered, so the count is ours again.
                drop(unsafe { KArc::from_raw(owner) });
                Err(Errno::stored(error))
            }
        }
    }

    /// Takes the name back; interfaces that exist are destroyed.
    pub fn detach<C: MayDrain>(self, _cx: &mut C) {
        // SAFETY: consumes the registration, in thread context.
        unsafe { k::kpi_ifclone_detach(self.raw.as_ptr()) };
        // SAFETY: no upcall runs any more: the count is ours again.
        drop(unsafe { KArc::from_raw(self.owner) });
    }
}

struct Thunks<T>(PhantomData<T>);

impl<T: Cloner> Thunks<T> {
    const OPS: k::kpi_ifcloneops = k::kpi_ifcloneops {
        ico_create: Some(Self::create),
        ico_destroy: Some(Self::destroy),
    };

    unsafe extern "C" fn create(
        arg: *mut c_void,
        name: *const c_char,
        namelen: u32,
        unit: u32,
    ) -> i32 {
        // SAFETY: the name is valid for namelen bytes during the call.
        let name = unsafe { slice::from_raw_parts(name.cast::<u8>(), namelen as usize) };
        // SAFETY: arg stands for a count that is kept until detach.
        let this = unsafe { KArc::<T>::clone_raw(arg.cast_const().cast()) };
        // SAFETY: kpi_if.h: thread context.
        let mut cx = unsafe { Thread::assume() };
        let Some(name) = IfName::new(name) else {
            return Errno::EINVAL.raw();
        };
        let attached = T::create(&this, &mut cx, name, unit).and_then(|sc| {
            let ifnet = sc.ifnet().clone();
            ifnet
                .attach(&mut cx, sc.clone())
                .inspect_err(|_| T::destroy(&this, &mut cx, &sc))
        });
        to_raw(attached)
    }

    unsafe extern "C" fn destroy(arg: *mut c_void, sc: *mut c_void) -> i32 {
        // SAFETY: arg stands for a count that is kept until detach.
        let this = unsafe { KArc::<T>::clone_raw(arg.cast_const().cast()) };
        // SAFETY: sc is what attach gave the kernel, with its count, which passes to us: this
        // interface is destroyed once.
        let sc = unsafe { KArc::<T::Driver>::from_raw(sc.cast_const().cast()) };
        // SAFETY: kpi_if.h: thread context.
        let mut cx = unsafe { Thread::assume() };
        T::destroy(&this, &mut cx, &sc);
        sc.ifnet().detach(&mut cx);
        0
    }
}
