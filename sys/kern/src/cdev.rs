// SPDX-License-Identifier: BSD-2-Clause
//! Devices: `/dev/NAME`, through which a module without interfaces is configured.
//!
//! *Contexts*: thread, one call at a time a device. The kernel checks the privilege and copies the
//! bytes in and out, as for [`crate::ifnet::Driver::ioctl`].

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
pub use crate::ifnet::Cmd;
use crate::mem::KArc;

/// What a device does.
pub trait Device: Send + Sync + Sized + 'static {
    /// Its name below `/dev`: 1 to 31 of a-z and 0-9.
    const NAME: &'static str;

    /// Its commands.
    const CMDS: &'static [Cmd];

    /// A command from `CMDS`; `data` has the size listed there.
    ///
    /// # Errors
    /// What ioctl(2) is to say; nothing is copied out.
    fn ioctl(this: &KArc<Self>, cx: &mut Thread, cmd: u32, data: &mut [u8]) -> Result;
}

/// A device that the system knows.
pub struct Cdev<D: Device> {
    raw: NonNull<k::kpi_cdev>,
    owner: *const D,
}

// SAFETY: the registration is usable from every thread; `owner` is a count of a KArc.
unsafe impl<D: Device> Send for Cdev<D> {}
// SAFETY: nothing is reachable through a shared Cdev.
unsafe impl<D: Device> Sync for Cdev<D> {}

impl<D: Device> Cdev<D> {
    /// Makes the device. It keeps `owner` alive: detach to break the circle.
    ///
    /// # Errors
    /// EEXIST when the name is taken, EINVAL, ENOMEM.
    pub fn attach<C: MayDrain>(_cx: &mut C, owner: KArc<D>) -> Result<Self> {
        let ops: &'static k::kpi_cdevops = &Thunks::<D>::OPS;
        let owner = owner.into_raw();
        let arg = owner.cast_mut().cast();
        let mut error = 0;
        // SAFETY: name and ops are static, arg's count is kept until detach.
        let raw = unsafe {
            k::kpi_cdev_attach(
                D::NAME.as_ptr().cast(),
                D::NAME.len() as u32,
                ops,
                arg,
                &raw mut error,
            )
        };
        match NonNull::new(raw) {
            Some(raw) => Ok(Cdev { raw, owner }),
            None => {
                // SAFETY: not registered, so the count is ours again.
                drop(unsafe { KArc::from_raw(owner) });
                Err(Errno::stored(error))
            }
        }
    }

    /// Takes the device away; waits for a call that runs.
    pub fn detach<C: MayDrain>(self, _cx: &mut C) {
        // SAFETY: consumes the registration, in thread context.
        unsafe { k::kpi_cdev_detach(self.raw.as_ptr()) };
        // SAFETY: no upcall runs any more: the count is ours again.
        drop(unsafe { KArc::from_raw(self.owner) });
    }
}

struct Thunks<D>(PhantomData<D>);

impl<D: Device> Thunks<D> {
    const OPS: k::kpi_cdevops = k::kpi_cdevops {
        co_ioctl: Some(Self::ioctl),
        co_cmds: D::CMDS.as_ptr(),
        co_ncmds: D::CMDS.len() as u32,
        co_pad: 0,
    };

    unsafe extern "C" fn ioctl(arg: *mut c_void, cmd: u32, data: *mut u8, len: u32) -> i32 {
        let data = if len == 0 || data.is_null() {
            &mut []
        } else {
            // SAFETY: the kernel's copy of the bytes, ours for the call.
            unsafe { slice::from_raw_parts_mut(data, len as usize) }
        };
        // SAFETY: arg stands for a count that is kept until detach.
        let this = unsafe { KArc::<D>::clone_raw(arg.cast_const().cast()) };
        // SAFETY: kpi_cdev.h: thread context.
        let mut cx = unsafe { Thread::assume() };
        to_raw(D::ioctl(&this, &mut cx, cmd, data))
    }
}
