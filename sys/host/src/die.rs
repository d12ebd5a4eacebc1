// SPDX-License-Identifier: BSD-2-Clause
//! The floor: how a bug ends the process, and strings as C gives them.
//!
//! *Contexts*: any. *Locking*: none.

use std::ffi::c_char;

/// A bug was detected: say what and abort, as a kernel panics.
///
/// In this crate's own unit tests it panics instead, so that they can look at the words.
#[cold]
pub fn die(msg: &str) -> ! {
    if cfg!(test) {
        panic!("{msg}");
    }
    eprintln!("panic: {msg}");
    std::process::abort()
}

/// The bytes that C gives as pointer and length; none where the length is 0.
///
/// # Safety
///
/// `p` has `len` initialized bytes that do not change while the slice is in use.
pub unsafe fn bytes<'a>(p: *const u8, len: u32) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: by the caller's word.
    unsafe { std::slice::from_raw_parts(p, len as usize) }
}

/// A string that C gives as pointer and length; what is not UTF-8 is replaced.
///
/// # Safety
///
/// As for [`bytes`].
pub unsafe fn string(p: *const c_char, len: u32) -> String {
    // SAFETY: by the caller's word.
    String::from_utf8_lossy(unsafe { bytes(p.cast(), len) }).into_owned()
}
