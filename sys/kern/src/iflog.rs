// SPDX-License-Identifier: BSD-2-Clause
//! An interface that carries nothing: packets with a header of ours in front, for bpf.

use core::ptr::NonNull;

use kpi_sys as k;

use crate::cx::MayDrain;
use crate::errno::Errno;
use crate::errno::Result;
use crate::mbuf::Mbuf;

/// Link type of pf's logs.
pub const DLT_PFLOG: u32 = 117;

/// The most bytes of a header.
pub const MAX_HEADER: usize = 128;

/// A log that the system knows as an interface.
pub struct IfLog {
    raw: NonNull<k::kpi_iflog>,
}

// SAFETY: the log is usable from every thread.
unsafe impl Send for IfLog {}
// SAFETY: as above; kpi_iflog_* lock for themselves.
unsafe impl Sync for IfLog {}

impl IfLog {
    /// Makes the interface `name`, whose records are of link type `dlt`.
    ///
    /// # Errors
    /// EEXIST when the name is taken, EINVAL, ENOMEM.
    pub fn attach<C: MayDrain>(_cx: &mut C, name: &'static str, dlt: u32) -> Result<Self> {
        let len = u32::try_from(name.len()).map_err(|_| Errno::EINVAL)?;
        let mut error = 0;
        // SAFETY: name is valid for len bytes, error is writable.
        let raw = unsafe { k::kpi_iflog_attach(name.as_ptr().cast(), len, dlt, &raw mut error) };
        let raw = NonNull::new(raw).ok_or(Errno::stored(error))?;
        Ok(IfLog { raw })
    }

    /// Takes it away; that this is the only handle proves that nobody taps.
    pub fn detach<C: MayDrain>(self, _cx: &mut C) {
        // SAFETY: consumes the log, in thread context outside any section.
        unsafe { k::kpi_iflog_detach(self.raw.as_ptr()) };
    }

    /// Whether somebody listens: ask before making a header.
    #[inline]
    pub fn active(&self) -> bool {
        // SAFETY: live as long as self.
        unsafe { k::kpi_iflog_active(self.raw.as_ptr()) != 0 }
    }

    /// Shows `m` behind `header`, of which at most [`MAX_HEADER`] bytes count.
    pub fn tap(&self, header: &[u8], m: &Mbuf) {
        let len = header.len().min(MAX_HEADER) as u32;
        // SAFETY: header is valid for len bytes, m lives through the call.
        unsafe { k::kpi_iflog_tap(self.raw.as_ptr(), header.as_ptr(), len, m.as_ptr()) };
    }
}
