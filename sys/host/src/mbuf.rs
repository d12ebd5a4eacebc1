// SPDX-License-Identifier: BSD-2-Clause
//! Packets: chains of segments over shared clusters, what `struct kpi_mbuf` points to.
//!
//! *Contexts*: any. *Locking*: none; a packet has one owner.
//!
//! As on the BSDs the first segment may be empty while later ones are not (after a trim), and a
//! segment whose cluster is shared, be it with another segment of the same packet, is read-only.
//! Headers and small clusters come from [`crate::pool`]: a warm path does not call the allocator.

use std::fmt;
use std::io::IoSlice;
use std::ptr::NonNull;

use kpi_sys::kpi_mbuf;

use crate::cluster::Cluster;
use crate::die::die;
use crate::ledger::{Fault, Ledger, Split};
use crate::link::{LinkHeader, VNET_HDR};
use crate::pool;
pub use crate::seg::PULLUP_MOST;
use crate::seg::Seg;

/// Free bytes that doors leave before a frame: outer headers of a tunnel find room there.
pub const HEADROOM: usize = 192;
/// Longest packet.
const LONGEST: usize = 1 << 20;

const LIVE: u32 = 0x6d62_7566;
const FREED: u32 = 0xdfdf_dfdf;

/// The packet header.
struct Packet {
    magic: u32,
    flags: u32,
    len: u32,
    /// Never empty while the packet lives.
    segs: Vec<Seg>,
    /// Interfaces that it has passed, see [`Mbuf::check_nesting`].
    passed: Vec<u64>,
    next: *mut kpi_mbuf,
    ledger: &'static Ledger,
    about: About,
}

/// What hooks and the doors beside them keep with a packet.
#[derive(Clone, Copy, Default)]
struct About {
    /// What a module left, see [`Mbuf::set_mark`].
    mark: u32,
    /// What stood before the IP header.
    link: LinkHeader,
    /// What the OS said about checksums and segments, as it said it.
    vnet: Option<[u8; VNET_HDR]>,
}

/// One owned packet; dropping it frees it.
pub struct Mbuf(NonNull<Packet>);

// SAFETY: a packet has one owner; clusters, which it may share, are Send and Sync.
unsafe impl Send for Mbuf {}

impl Mbuf {
    fn new(first: Seg) -> Mbuf {
        let ledger = Ledger::current();
        ledger.mbuf_born();
        let len = first.len;
        let packet = match pool::take(pool::PACKETS) {
            Some(free) => free.cast::<Packet>(),
            None => NonNull::from(Box::leak(Box::new(Packet {
                magic: FREED,
                flags: 0,
                len: 0,
                segs: Vec::with_capacity(4),
                passed: Vec::with_capacity(4),
                next: std::ptr::null_mut(),
                ledger,
                about: About::default(),
            }))),
        };
        let mut m = Mbuf(packet);
        let p = m.packet_mut();
        if p.magic != FREED {
            die("mbuf: a packet was written after it was freed");
        }
        p.magic = LIVE;
        p.flags = 0;
        p.len = len;
        p.next = std::ptr::null_mut();
        p.ledger = ledger;
        p.about = About::default();
        p.segs.push(first);
        m
    }

    fn packet(&self) -> &Packet {
        // SAFETY: an Mbuf owns a live packet.
        unsafe { self.0.as_ref() }
    }

    fn packet_mut(&mut self) -> &mut Packet {
        // SAFETY: as above, and we are borrowed mutably.
        unsafe { self.0.as_mut() }
    }

    /// An empty packet with room for `len` bytes behind `headroom` free ones; `None` without
    /// memory.
    pub fn get(len: usize, headroom: usize) -> Option<Mbuf> {
        if len > LONGEST || headroom > LONGEST || Ledger::current().strike(Fault::Mbuf) {
            return None;
        }
        Seg::with_room(headroom, len).map(Mbuf::new)
    }

    /// A packet with these bytes, for doors: leaves [`HEADROOM`], and no injected fault hits it.
    pub fn from_bytes(bytes: &[u8]) -> Option<Mbuf> {
        let mut seg = Seg::with_room(HEADROOM, bytes.len())?;
        seg.extend(bytes);
        Some(Mbuf::new(seg))
    }

    /// A packet over `len` bytes at `off` of `cluster`, for doors that read into clusters; the
    /// bytes were written. `None` when out of range.
    ///
    /// # Safety
    ///
    /// The bytes from `off` to `off + len` of `cluster` have been initialized.
    pub unsafe fn from_cluster(cluster: &Cluster, off: usize, len: usize) -> Option<Mbuf> {
        let end = off.checked_add(len)?;
        let seg = Seg {
            cluster: cluster.clone(),
            off: off as u32,
            len: len as u32,
        };
        (end <= cluster.room()).then(|| Mbuf::new(seg))
    }

    /// As [`Mbuf::from_cluster`], and the packet takes the reference: it is writable if it was the
    /// only one.
    ///
    /// # Safety
    ///
    /// As for [`Mbuf::from_cluster`].
    pub unsafe fn with_cluster(cluster: Cluster, off: usize, len: usize) -> Option<Mbuf> {
        let end = off.checked_add(len)?;
        (end <= cluster.room()).then(|| {
            Mbuf::new(Seg {
                cluster,
                off: off as u32,
                len: len as u32,
            })
        })
    }

    /// Give the packet to C; [`Mbuf::from_raw`] takes it back.
    pub fn into_raw(self) -> *mut kpi_mbuf {
        let raw = self.0.as_ptr().cast();
        std::mem::forget(self);
        raw
    }

    /// Take the packet that C gives us.
    ///
    /// # Safety
    ///
    /// `raw` is from [`Mbuf::into_raw`], and its owner gives it up.
    pub unsafe fn from_raw(raw: *mut kpi_mbuf) -> Mbuf {
        let Some(packet) = NonNull::new(raw.cast::<Packet>()) else {
            die("mbuf: NULL")
        };
        let m = Mbuf(packet);
        if m.packet().magic != LIVE {
            std::mem::forget(m);
            die("mbuf: used after it was freed, or freed twice");
        }
        m
    }

    /// Bytes in the packet.
    pub fn len(&self) -> usize {
        self.packet().len as usize
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.packet().len == 0
    }

    /// `KPI_MF_*`.
    pub fn flags(&self) -> u32 {
        self.packet().flags
    }

    /// Set all of `KPI_MF_*`.
    pub fn set_flags(&mut self, flags: u32) {
        self.packet_mut().flags = flags;
    }

    /// Forget what belonged to the old headers; the interfaces passed stay.
    pub fn renew(&mut self) {
        let p = self.packet_mut();
        p.flags = 0;
        p.about = About::default();
    }

    /// The number that [`Mbuf::set_mark`] left; 0: none.
    pub fn mark(&self) -> u32 {
        self.packet().about.mark
    }

    /// Leave a number on the packet; false: no memory (an injected fault), nothing has changed.
    pub fn set_mark(&mut self, mark: u32) -> bool {
        // The BSDs need memory for the first one.
        if self.mark() == 0 && mark != 0 && Ledger::current().strike(Fault::Mbuf) {
            return false;
        }
        self.packet_mut().about.mark = mark;
        true
    }

    /// What stood before the IP header, for doors whose packets pass hooks.
    pub fn link(&self) -> &LinkHeader {
        &self.packet().about.link
    }

    /// Keep with the packet what stood before its IP header.
    pub fn set_link(&mut self, link: LinkHeader) {
        self.packet_mut().about.link = link;
    }

    /// The `struct virtio_net_hdr` that the packet came with, for doors whose packets pass hooks.
    pub fn vnet(&self) -> Option<&[u8; VNET_HDR]> {
        self.packet().about.vnet.as_ref()
    }

    /// Keep that header with the packet.
    pub fn set_vnet(&mut self, vnet: Option<[u8; VNET_HDR]>) {
        self.packet_mut().about.vnet = vnet;
    }

    /// The packet queued behind this one: a link that does not own.
    pub fn next(&self) -> *mut kpi_mbuf {
        self.packet().next
    }

    /// Queue `next` behind this one.
    pub fn set_next(&mut self, next: *mut kpi_mbuf) {
        self.packet_mut().next = next;
    }

    /// The segments' bytes in order.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.packet().segs.iter().map(Seg::bytes)
    }

    /// Fill `slots` with the segments for writev(2) and the like; `None` when there are too few.
    pub fn iovecs<'a>(&'a self, slots: &mut [IoSlice<'a>]) -> Option<usize> {
        let mut used = 0;
        for bytes in self.segments().filter(|bytes| !bytes.is_empty()) {
            *slots.get_mut(used)? = IoSlice::new(bytes);
            used += 1;
        }
        Some(used)
    }

    /// A copy of all bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.copy_to(&mut bytes);
        bytes
    }

    /// Append a copy of all bytes to `buf`.
    pub fn copy_to(&self, buf: &mut Vec<u8>) {
        self.segments()
            .for_each(|segment| buf.extend_from_slice(segment));
    }

    /// The first segment's bytes.
    pub fn head(&self) -> &[u8] {
        self.packet().segs.first().map_or(&[], Seg::bytes)
    }

    /// The first segment's bytes, unless its cluster is shared.
    pub fn head_mut(&mut self) -> Option<&mut [u8]> {
        self.packet_mut().segs.first_mut()?.bytes_mut()
    }

    /// Make the first `n` bytes contiguous. `None`: no memory, or `n` is too large; it is freed.
    pub fn pullup(mut self, n: usize) -> Option<Mbuf> {
        if self.head().len() >= n {
            return Some(self);
        }
        if n > self.len() || n > PULLUP_MOST {
            die(&format!(
                "mbuf: pullup of {n} bytes of {}; at most 128 and all",
                self.len()
            ));
        }
        let ledger = Ledger::current();
        let segs = &mut self.packet_mut().segs;
        // An empty head before a segment that will do is just let go.
        if segs.first().is_some_and(|s| s.len == 0)
            && segs.get(1).is_some_and(|s| s.len as usize >= n)
        {
            segs.remove(0);
            return Some(self);
        }
        let have = segs.first().map_or(0, |s| s.len as usize);
        if segs.first().is_none_or(|s| s.tailroom() < n - have) {
            if ledger.strike(Fault::Mbuf) {
                return None;
            }
            segs.insert(0, Seg::with_room(PULLUP_MOST, n)?);
        }
        let (head, rest) = segs.split_first_mut()?;
        for seg in rest {
            let take = (n - head.len as usize).min(seg.len as usize);
            head.extend(seg.bytes().get(..take)?);
            seg.off += take as u32;
            seg.len -= take as u32;
        }
        self.drop_empty();
        Some(self)
    }

    /// Make the first `n` bytes contiguous and writable. `None`: no memory, or `n` is too large; it
    /// is freed.
    pub fn writable(mut self, n: usize) -> Option<Mbuf> {
        if self.head_mut().is_some_and(|head| head.len() >= n) {
            return Some(self);
        }
        if n > self.len() || n > PULLUP_MOST {
            die(&format!(
                "mbuf: {n} bytes of {} to be writable; at most 128 and all",
                self.len()
            ));
        }
        if Ledger::current().strike(Fault::Mbuf) {
            return None;
        }
        let mut copy = [0; PULLUP_MOST];
        let copy = copy.get_mut(..n)?;
        self.copydata(0, copy);
        let mut head = Seg::with_room(PULLUP_MOST, n)?;
        head.extend(copy);
        self.trim_front(n);
        let packet = self.packet_mut();
        if packet.segs.first().is_some_and(|s| s.len == 0) {
            packet.segs.remove(0);
        }
        packet.segs.insert(0, head);
        packet.len += n as u32;
        Some(self)
    }

    /// `n` writable bytes in front, at most 128, their contents unspecified. `None`: no memory;
    /// the packet is freed.
    pub fn prepend(mut self, n: usize) -> Option<Mbuf> {
        if n > PULLUP_MOST {
            die(&format!("mbuf: prepend of {n} bytes; at most 128"));
        }
        let ledger = Ledger::current();
        let packet = self.packet_mut();
        match packet.segs.first_mut() {
            Some(head) if head.off as usize >= n && head.cluster.is_sole() => {
                head.off -= n as u32;
                head.len += n as u32;
                // Nobody may rely on what was there; and a reader must find initialized bytes.
                let fresh = head.bytes_mut().and_then(|bytes| bytes.get_mut(..n));
                fresh.into_iter().for_each(|bytes| bytes.fill(0));
            }
            _ => {
                if ledger.strike(Fault::Mbuf) {
                    return None;
                }
                let mut head = Seg::with_room(PULLUP_MOST, n)?;
                head.extend(&[0; PULLUP_MOST][..n]);
                if packet.segs.first().is_some_and(|s| s.len == 0) {
                    packet.segs.remove(0);
                }
                packet.segs.insert(0, head);
            }
        }
        packet.len += n as u32;
        Some(self)
    }

    /// Let go of segments without bytes, the first one excepted.
    fn drop_empty(&mut self) {
        let mut first = true;
        self.packet_mut()
            .segs
            .retain(|s| std::mem::take(&mut first) || s.len != 0);
    }

    /// Cut `n` bytes, at most all, off the front. The first segment stays, if need be empty.
    pub fn trim_front(&mut self, n: usize) {
        if n > self.len() {
            die(&format!("mbuf: trim of {n} bytes of {}", self.len()));
        }
        let packet = self.packet_mut();
        packet.len -= n as u32;
        let mut left = n as u32;
        for seg in &mut packet.segs {
            let cut = left.min(seg.len);
            seg.off += cut;
            seg.len -= cut;
            left -= cut;
            if left == 0 {
                break;
            }
        }
        if packet.segs.len() > 1 {
            self.drop_empty();
        }
    }

    /// Cut `n` bytes, at most all, off the end.
    pub fn trim_back(&mut self, n: usize) {
        if n > self.len() {
            die(&format!("mbuf: trim of {n} bytes of {}", self.len()));
        }
        let packet = self.packet_mut();
        packet.len -= n as u32;
        let mut left = n as u32;
        for seg in packet.segs.iter_mut().rev() {
            let cut = left.min(seg.len);
            seg.len -= cut;
            left -= cut;
            if left == 0 {
                break;
            }
        }
        if packet.segs.len() > 1 {
            self.drop_empty();
        }
    }

    /// Copy the bytes from `off` into `buf`; false: out of range.
    pub fn copydata(&self, off: usize, buf: &mut [u8]) -> bool {
        let mut skip = off;
        let mut left = buf;
        for bytes in self.segments() {
            let Some(from) = bytes.get(skip..) else {
                skip -= bytes.len();
                continue;
            };
            skip = 0;
            let n = from.len().min(left.len());
            let (now, later) = left.split_at_mut(n);
            now.copy_from_slice(&from[..n]);
            left = later;
        }
        left.is_empty() && skip == 0
    }

    /// Add `bytes` at the end; false: no memory, nothing has changed.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > LONGEST - self.len().min(LONGEST) {
            return false;
        }
        let ledger = Ledger::current();
        let packet = self.packet_mut();
        let room = packet.segs.last().map_or(0, Seg::tailroom);
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        if !later.is_empty() {
            if ledger.strike(Fault::Mbuf) {
                return false;
            }
            let Some(mut seg) = Seg::with_room(0, later.len()) else {
                return false;
            };
            seg.extend(later);
            packet.segs.push(seg);
        }
        // Only now, when nothing can fail any more.
        let at = packet
            .segs
            .len()
            .saturating_sub(if later.is_empty() { 1 } else { 2 });
        if let Some(seg) = packet.segs.get_mut(at) {
            seg.extend(now);
        }
        packet.len += bytes.len() as u32;
        true
    }

    /// A second packet over the same bytes; `None` without memory.
    pub fn dup(&self) -> Option<Mbuf> {
        if Ledger::current().strike(Fault::Mbuf) {
            return None;
        }
        self.share()
    }

    /// As [`Mbuf::dup`], for doors: no injected fault hits it.
    pub fn share(&self) -> Option<Mbuf> {
        let from = self.packet();
        let (first, rest) = from.segs.split_first()?;
        let mut m = Mbuf::new(first.clone());
        let p = m.packet_mut();
        p.segs.extend(rest.iter().cloned());
        p.passed.extend_from_slice(&from.passed);
        p.len = from.len;
        p.flags = from.flags;
        p.about = from.about;
        Some(m)
    }

    /// Note that the packet passes the interface `id`; false when it has passed it before, or
    /// `limit` interfaces already.
    pub fn check_nesting(&mut self, id: u64, limit: usize) -> bool {
        let passed = &mut self.packet_mut().passed;
        if passed.contains(&id) || passed.len() >= limit {
            return false;
        }
        passed.push(id);
        true
    }

    /// Cut the packet as the kernel's [`Split`] says, with the first `contiguous` bytes (if there
    /// are as many) in one segment: doors do this to all that they deliver. `None` without memory.
    pub fn scatter(self, contiguous: usize) -> Option<Mbuf> {
        let split = Ledger::current().split();
        if split == Split::None {
            return Some(self);
        }
        let bytes = self.to_vec();
        let contiguous = contiguous.min(bytes.len());
        let mut pieces: Vec<&[u8]> = Vec::new();
        match split {
            Split::None => pieces.push(&bytes),
            Split::At(k) => {
                let (head, tail) = bytes.split_at((k as usize).clamp(contiguous, bytes.len()));
                pieces.extend([head, tail]);
            }
            Split::Each => {
                let (head, tail) = bytes.split_at(contiguous);
                pieces.push(head);
                pieces.extend(tail.chunks(1));
            }
        }
        let mut m = Mbuf::from_bytes(pieces.first().copied().unwrap_or_default())?;
        for piece in pieces.into_iter().skip(1).filter(|piece| !piece.is_empty()) {
            let mut seg = Seg::with_room(0, piece.len())?;
            seg.extend(piece);
            m.packet_mut().segs.push(seg);
        }
        let from = self.packet();
        let p = m.packet_mut();
        p.len = from.len;
        p.flags = from.flags;
        p.about = from.about;
        p.passed.extend_from_slice(&from.passed);
        Some(m)
    }
}

impl Drop for Mbuf {
    fn drop(&mut self) {
        let p = self.packet_mut();
        p.segs.clear();
        p.passed.clear();
        p.magic = FREED;
        p.ledger.mbuf_died();
        if !pool::give(pool::PACKETS, self.0.cast()) {
            // SAFETY: made by Box in new, and nobody refers to it any more.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

impl fmt::Debug for Mbuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<_> = self.segments().map(<[u8]>::len).collect();
        write!(
            f,
            "Mbuf {{ flags: {:#x}, segments: {sizes:?} }}",
            self.flags()
        )
    }
}
