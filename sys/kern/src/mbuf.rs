// SPDX-License-Identifier: BSD-2-Clause
//! Packets: `Mbuf` owns one, `MbufQueue` a list of them.
//!
//! What frees the packet on failure takes `self`, so use after failure does not compile. Bytes of
//! a cluster that another packet shares are read-only: `head_mut` says so with `None`.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr;
use core::ptr::NonNull;
use core::slice;

use kpi_sys as k;

use crate::errno::Errno;

/// No memory for the packet; it has been freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBufs;

impl From<NoBufs> for Errno {
    fn from(_: NoBufs) -> Errno {
        Errno::ENOBUFS
    }
}

/// The most that `pullup` and `prepend` make contiguous.
pub const MAX_CONTIGUOUS: u32 = 128;

/// One packet, owned; dropping it frees it.
#[repr(transparent)]
pub struct Mbuf {
    raw: NonNull<k::kpi_mbuf>,
    _own: PhantomData<k::kpi_mbuf>,
}

// SAFETY: a packet belongs to whoever holds it, on any thread.
unsafe impl Send for Mbuf {}

impl Mbuf {
    /// An empty packet with room for `len` bytes behind `headroom` free ones.
    ///
    /// # Errors
    /// NoBufs.
    pub fn get(len: u32, headroom: u32) -> Result<Self, NoBufs> {
        // SAFETY: no conditions.
        let raw = unsafe { k::kpi_mbuf_get(len, headroom) };
        Self::from_nullable(raw)
    }

    /// Takes over the packet that the kernel hands us.
    ///
    /// # Safety
    /// `raw` is a packet that the caller owns.
    pub(crate) unsafe fn from_raw(raw: NonNull<k::kpi_mbuf>) -> Self {
        Mbuf {
            raw,
            _own: PhantomData,
        }
    }

    /// Hands the packet to the kernel.
    pub(crate) fn into_raw(self) -> *mut k::kpi_mbuf {
        ManuallyDrop::new(self).raw.as_ptr()
    }

    pub(crate) fn as_ptr(&self) -> *mut k::kpi_mbuf {
        self.raw.as_ptr()
    }

    fn from_nullable(raw: *mut k::kpi_mbuf) -> Result<Self, NoBufs> {
        NonNull::new(raw)
            .map(|raw| Mbuf {
                raw,
                _own: PhantomData,
            })
            .ok_or(NoBufs)
    }

    /// Bytes in the packet.
    #[inline]
    pub fn len(&self) -> u32 {
        // SAFETY: self owns a live packet.
        unsafe { k::kpi_mbuf_len(self.as_ptr()) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of the first segment: some of the packet, maybe not all.
    #[inline]
    pub fn head(&self) -> &[u8] {
        let mut len = 0;
        // SAFETY: self owns a live packet.
        let p = unsafe { k::kpi_mbuf_head(self.as_ptr(), &raw mut len) };
        if p.is_null() {
            return &[];
        }
        // SAFETY: valid for len bytes until the packet is passed to the kpi again, which needs
        // self exclusively or by value, or only reads it.
        unsafe { slice::from_raw_parts(p, len as usize) }
    }

    /// The bytes of the first segment to write to; None when another packet shares them.
    #[inline]
    pub fn head_mut(&mut self) -> Option<&mut [u8]> {
        let mut len = 0;
        // SAFETY: self owns a live packet.
        let p = unsafe { k::kpi_mbuf_head_mut(self.as_ptr(), &raw mut len) };
        if p.is_null() {
            return None;
        }
        // SAFETY: valid for len bytes and not shared, while self is borrowed exclusively.
        Some(unsafe { slice::from_raw_parts_mut(p, len as usize) })
    }

    /// Makes the first `n` bytes contiguous; costs nothing when they are.
    ///
    /// # Errors
    /// NoBufs when memory is short, or `n` is more than the packet has or than
    /// [`MAX_CONTIGUOUS`]; the packet is freed.
    #[inline]
    pub fn pullup(self, n: u32) -> Result<Self, NoBufs> {
        if self.head().len() >= n as usize {
            return Ok(self);
        }
        if n > MAX_CONTIGUOUS || n > self.len() {
            return Err(NoBufs);
        }
        // SAFETY: the packet passes to the kpi, which returns it or frees it.
        Self::from_nullable(unsafe { k::kpi_mbuf_pullup(self.into_raw(), n) })
    }

    /// Makes the first `n` bytes contiguous and writable, copying those that another packet
    /// shares; then [`Mbuf::head_mut`] is there for at least as many.
    ///
    /// # Errors
    /// As [`Mbuf::pullup`]; the packet is freed.
    #[inline]
    pub fn writable(mut self, n: u32) -> Result<Self, NoBufs> {
        if self.head_mut().is_some_and(|head| head.len() >= n as usize) {
            return Ok(self);
        }
        if n > MAX_CONTIGUOUS || n > self.len() {
            return Err(NoBufs);
        }
        // SAFETY: the packet passes to the kpi, which returns it or frees it.
        Self::from_nullable(unsafe { k::kpi_mbuf_writable(self.into_raw(), n) })
    }

    /// Puts `header` in front.
    ///
    /// # Errors
    /// NoBufs when memory is short or the header is longer than [`MAX_CONTIGUOUS`]; the packet is
    /// freed.
    #[inline]
    pub fn prepend(self, header: &[u8]) -> Result<Self, NoBufs> {
        let n = u32::try_from(header.len()).map_err(|_| NoBufs)?;
        if n > MAX_CONTIGUOUS {
            return Err(NoBufs);
        }
        if n == 0 {
            return Ok(self);
        }
        // SAFETY: the packet passes to the kpi, which returns it or frees it.
        let mut m = Self::from_nullable(unsafe { k::kpi_mbuf_prepend(self.into_raw(), n) })?;
        // The contract: the new bytes are writable and contiguous.
        let room = m
            .head_mut()
            .and_then(|h| h.get_mut(..header.len()))
            .ok_or(NoBufs)?;
        room.copy_from_slice(header);
        Ok(m)
    }

    /// Cuts `n` bytes off the front, at most all.
    #[inline]
    pub fn trim_front(&mut self, n: u32) {
        // SAFETY: n is at most the length.
        unsafe { k::kpi_mbuf_trim_front(self.as_ptr(), n.min(self.len())) };
    }

    /// Cuts `n` bytes off the end, at most all.
    pub fn trim_back(&mut self, n: u32) {
        // SAFETY: n is at most the length.
        unsafe { k::kpi_mbuf_trim_back(self.as_ptr(), n.min(self.len())) };
    }

    /// Copies from `off` on into `buf`; whether the packet has that many bytes.
    #[must_use]
    pub fn copy_to(&self, off: u32, buf: &mut [u8]) -> bool {
        let Ok(len) = u32::try_from(buf.len()) else {
            return false;
        };
        // SAFETY: buf is writable for len bytes.
        unsafe { k::kpi_mbuf_copydata(self.as_ptr(), off, len, buf.as_mut_ptr()) == 0 }
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// NoBufs; the packet is as it was.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), NoBufs> {
        let len = u32::try_from(bytes.len()).map_err(|_| NoBufs)?;
        // SAFETY: bytes is readable for len bytes.
        match unsafe { k::kpi_mbuf_append(self.as_ptr(), bytes.as_ptr(), len) } {
            0 => Ok(()),
            _ => Err(NoBufs),
        }
    }

    /// A second packet over the same bytes.
    ///
    /// # Errors
    /// NoBufs.
    pub fn dup(&self) -> Result<Self, NoBufs> {
        // SAFETY: self owns a live packet.
        Self::from_nullable(unsafe { k::kpi_mbuf_dup(self.as_ptr()) })
    }

    /// Whether the link layer marked it as broadcast or multicast.
    pub fn is_multicast(&self) -> bool {
        // SAFETY: self owns a live packet.
        let flags = unsafe { k::kpi_mbuf_flags(self.as_ptr()) };
        flags & (k::KPI_MF_BCAST | k::KPI_MF_MCAST) != 0
    }

    /// The number that [`Mbuf::set_mark`] left on the packet; 0: none.
    #[inline]
    pub fn mark(&self) -> u32 {
        // SAFETY: self owns a live packet.
        unsafe { k::kpi_mbuf_mark(self.as_ptr()) }
    }

    /// Leaves a number on the packet, which stays with it between hooks.
    ///
    /// # Errors
    /// NoBufs; the mark is as it was.
    #[inline]
    pub fn set_mark(&mut self, mark: u32) -> Result<(), NoBufs> {
        // SAFETY: self owns a live packet.
        match unsafe { k::kpi_mbuf_set_mark(self.as_ptr(), mark) } {
            0 => Ok(()),
            _ => Err(NoBufs),
        }
    }

    /// Forgets what belonged to the old headers: flags, checksum and offload state, mark, filter
    /// tags.
    #[inline]
    pub fn renew(&mut self) {
        // SAFETY: self owns a live packet.
        unsafe { k::kpi_mbuf_renew(self.as_ptr()) };
    }
}

impl Drop for Mbuf {
    fn drop(&mut self) {
        // SAFETY: self owns a live packet, and is going away.
        unsafe { k::kpi_mbuf_free(self.as_ptr()) };
    }
}

/// Packets in order, linked through themselves.
pub struct MbufQueue {
    ends: Option<(NonNull<k::kpi_mbuf>, NonNull<k::kpi_mbuf>)>,
    len: usize,
    _own: PhantomData<Mbuf>,
}

// SAFETY: the queue owns its packets.
unsafe impl Send for MbufQueue {}

impl MbufQueue {
    /// No packets.
    pub const fn new() -> Self {
        MbufQueue {
            ends: None,
            len: 0,
            _own: PhantomData,
        }
    }

    /// The number of packets.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// Adds one at the end.
    pub fn push(&mut self, m: Mbuf) {
        let raw = ManuallyDrop::new(m).raw;
        // SAFETY: we own the packet; a stale link must not be followed.
        unsafe { k::kpi_mbuf_set_next(raw.as_ptr(), ptr::null_mut()) };
        self.ends = match self.ends {
            None => Some((raw, raw)),
            Some((head, tail)) => {
                // SAFETY: the queue owns tail.
                unsafe { k::kpi_mbuf_set_next(tail.as_ptr(), raw.as_ptr()) };
                Some((head, raw))
            }
        };
        self.len = self.len.wrapping_add(1);
    }

    /// Takes the first one out.
    pub fn pop(&mut self) -> Option<Mbuf> {
        let (head, tail) = self.ends?;
        // SAFETY: the queue owns head.
        let next = unsafe { k::kpi_mbuf_next(head.as_ptr()) };
        self.ends = NonNull::new(next).map(|next| (next, tail));
        self.len = self.len.wrapping_sub(1);
        // SAFETY: the packet has left the queue; its link must not be followed.
        unsafe { k::kpi_mbuf_set_next(head.as_ptr(), ptr::null_mut()) };
        // SAFETY: the packet is ours.
        Some(unsafe { Mbuf::from_raw(head) })
    }
}

impl Default for MbufQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MbufQueue {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}
