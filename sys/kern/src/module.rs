// SPDX-License-Identifier: BSD-2-Clause
//! Loadable modules: state made at load, given back at unload. No statics: several host kernels
//! live in one process, each with its own state.

use core::ffi::c_void;
use core::ptr;

use kpi_sys as k;

use crate::cx::Thread;
use crate::errno::Errno;
use crate::errno::Result;
use crate::errno::to_raw;
use crate::mem::KArc;

/// A module's state.
pub trait Module: Send + Sync + Sized + 'static {
    /// Load: make the state and register what the module offers.
    ///
    /// # Errors
    /// The load fails and leaves nothing behind.
    fn init(cx: &mut Thread) -> Result<KArc<Self>>;

    /// Unload: withdraw all, so that the last handle of the state is the one that goes.
    ///
    /// # Errors
    /// EBUSY: still in use, and everything is as it was.
    fn fini(this: &KArc<Self>, cx: &mut Thread) -> Result;
}

/// A module in the form that kernels load.
#[repr(transparent)]
pub struct Descriptor(k::kpi_module);

// SAFETY: the descriptor is constant data and function pointers.
unsafe impl Sync for Descriptor {}

impl Descriptor {
    /// Describes module `M`; use [`module!`](macro@crate::module).
    pub const fn new<M: Module>(name: &'static str) -> Self {
        Descriptor(k::kpi_module {
            km_version: k::KPI_VERSION,
            km_size: size_of::<k::kpi_module>() as u32,
            km_name: name.as_ptr().cast(),
            km_namelen: name.len() as u32,
            km_pad: 0,
            km_init: Some(init::<M>),
            km_fini: Some(fini::<M>),
        })
    }

    /// What a loader takes.
    pub const fn raw(&'static self) -> &'static k::kpi_module {
        &self.0
    }
}

unsafe extern "C" fn init<M: Module>(statep: *mut *mut c_void) -> i32 {
    // SAFETY: kpi.h: thread context.
    let mut cx = unsafe { Thread::assume() };
    to_raw(M::init(&mut cx).map(|state| {
        // SAFETY: the loader's variable.
        unsafe { ptr::write(statep, state.into_raw().cast_mut().cast()) };
    }))
}

unsafe extern "C" fn fini<M: Module>(state: *mut c_void) -> i32 {
    if state.is_null() {
        return Errno::EINVAL.raw();
    }
    let state = state.cast_const().cast();
    // SAFETY: what init gave the loader, with its count.
    let this = unsafe { KArc::<M>::clone_raw(state) };
    // SAFETY: kpi.h: thread context.
    let mut cx = unsafe { Thread::assume() };
    to_raw(M::fini(&this, &mut cx).map(|()| {
        // SAFETY: the loader gives its count back.
        drop(unsafe { KArc::<M>::from_raw(state) });
    }))
}

/// Declares a module: `kern::module! { name: "if_l2tp", state: L2tp }` makes `pub static MODULE`.
#[macro_export]
macro_rules! module {
    (name: $name:literal, state: $State:ty $(,)?) => {
        /// The module, for a kernel object.
        pub const DESCRIPTOR: $crate::module::Descriptor =
            $crate::module::Descriptor::new::<$State>($name);

        /// The module, for a host kernel's registry.
        pub static MODULE: $crate::module::Descriptor = DESCRIPTOR;
    };
}

/// Makes a kernel object of a module's crate: its one exported symbol and the panic handler.
#[macro_export]
macro_rules! kmod {
    ($module:ident) => {
        /// What the C glue hands to the kernel.
        #[expect(non_upper_case_globals, reason = "the name in kpi.h")]
        #[unsafe(no_mangle)]
        pub static kpi_module: $crate::module::Descriptor = $module::DESCRIPTOR;

        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::module::panic(info)
        }
    };
}

/// The end: formats where and why, and panics the kernel.
#[cold]
pub fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("?", 0), |l| (l.file(), l.line()));
    crate::log!(crate::log::Level::Err, "rust panic at {file}:{line}");
    // SAFETY: the file name is valid; does not return.
    unsafe { k::kpi_panic(file.as_ptr().cast(), file.len() as u32) }
}
