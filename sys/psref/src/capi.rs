// SPDX-License-Identifier: BSD-2-Clause
//! The `kpi_psref_*` functions over the one static table.
//!
//! *Contexts*: as the contract blocks of `sys/kpi/kpi_sync.h` say.
//! *Locking*: none.
//!
//! A reference dropped twice, dropped as another target's, or a target destroyed twice stops the
//! kernel through `kpi_panic`: going on would free memory that is in use.

use core::mem::{align_of, size_of};
use core::ptr;

use kpi_sys::{kpi_cpu_index, kpi_panic, kpi_pause, kpi_psref, kpi_psref_target};

use crate::table::{Place, Table, Target};

/// 64 slots of 16: 8 KiB, one slot a CPU up to 64 of them; nested references rarely pass four.
static TABLE: Table<64, 16> = Table::new();

/// What lies in the room of `struct kpi_psref`.
#[repr(C)]
struct Hold {
    /// Null when the reference is not held.
    target: *const Target,
    place: Place,
}

const _: () = {
    assert!(size_of::<Target>() <= size_of::<kpi_psref_target>());
    assert!(align_of::<Target>() <= align_of::<kpi_psref_target>());
    assert!(size_of::<Hold>() <= size_of::<kpi_psref>());
    assert!(align_of::<Hold>() <= align_of::<kpi_psref>());
};

/// How many references are held now, by all host kernels of the process; for leak checks.
pub fn held() -> usize {
    TABLE.held()
}

/// `kpi_psref_target_init`: make `t` referable.
///
/// # Safety
///
/// `t` points to room for a `kpi_psref_target` that nobody uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_psref_target_init(t: *mut kpi_psref_target) {
    // SAFETY: the caller gives us the room; size and alignment are asserted above.
    unsafe { t.cast::<Target>().write(Target::new()) };
}

/// `kpi_psref_target_destroy`: return when nobody references `t`.
///
/// # Safety
///
/// `t` was initialised, is unpublished, and `kpi_epoch_wait` has returned since; thread context,
/// outside read sections.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_psref_target_destroy(t: *mut kpi_psref_target) {
    // SAFETY: initialised, and ours alone to end.
    let target = unsafe { &*t.cast::<Target>() };
    if !target.is_live() {
        die("psref: target destroyed that is not alive");
    }
    TABLE.drain(target, |us| {
        // SAFETY: thread context outside read sections, as the caller promises.
        unsafe { kpi_pause(us) };
    });
}

/// `kpi_psref_acquire`: reference `t` with `r`.
///
/// # Safety
///
/// Within a read section that saw `t` published; `r` points to room that stays until
/// `kpi_psref_release`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_psref_acquire(r: *mut kpi_psref, t: *mut kpi_psref_target) {
    // SAFETY: the section keeps the target alive.
    let target = unsafe { &*t.cast::<Target>() };
    if cfg!(debug_assertions) && !target.is_live() {
        die("psref: reference to a target that is not alive");
    }
    // SAFETY: no precondition.
    let cpu = unsafe { kpi_cpu_index() };
    let place = TABLE.acquire(cpu as usize, target);
    // SAFETY: the caller gives us the room; size and alignment are asserted above.
    unsafe { r.cast::<Hold>().write(Hold { target, place }) };
}

/// `kpi_psref_release`: drop the reference `r` to `t`.
///
/// # Safety
///
/// `r` was filled by `kpi_psref_acquire` for `t`, and is dropped once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kpi_psref_release(r: *mut kpi_psref, t: *mut kpi_psref_target) {
    // SAFETY: filled by kpi_psref_acquire, and this thread's alone.
    let hold = unsafe { &mut *r.cast::<Hold>() };
    if !ptr::eq(hold.target, t.cast::<Target>()) {
        die("psref: reference dropped that is not held");
    }
    hold.target = ptr::null();
    // SAFETY: the reference keeps the target alive until TABLE.release lets it go.
    let target = unsafe { &*t.cast::<Target>() };
    TABLE.release(hold.place, target);
}

#[cold]
fn die(msg: &str) -> ! {
    // SAFETY: the bytes of a str.
    unsafe { kpi_panic(msg.as_ptr().cast(), msg.len() as u32) }
}
