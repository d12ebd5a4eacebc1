// SPDX-License-Identifier: BSD-2-Clause
//! What an inline pair does all day: frames from the wire to the tap, and from the tap to the wire.
//!
//! *Contexts*: softint; one thread for each direction. *Locking*: none; each thread has buffers of
//! its own.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use kpi_sys::{
    KPI_IFS_IBYTES, KPI_IFS_IERRORS, KPI_IFS_IPACKETS, KPI_IFS_IQDROPS, KPI_IFS_OBYTES,
    KPI_IFS_OERRORS, KPI_IFS_OPACKETS,
};

use super::ends::Ends;
use super::ether::{FRAME_AT, FRAME_MOST, Outgoing, Slots, VNET_AT};
use super::frame::{Frame, Hint, Tag, tag_bytes};
use crate::cluster::Cluster;
use crate::link::LINK_MOST;
use crate::mbuf::Mbuf;
use crate::offload::vnet::VNET_HDR;
use crate::pfil::{Af, Dir, Port};
use crate::poll::Source;

/// Up to this length a packet is copied, so that it does not keep a large cluster.
const COPY_MOST: usize = 2048;
/// Frames read from the tap before they are sent, and bytes of these.
const FRAMES: usize = 64;
const BYTES: usize = 256 << 10;

/// A frame of `len` bytes with its `virtio_net_hdr`, in a cluster from [`VNET_AT`] on.
struct Got {
    cluster: Cluster,
    len: usize,
    hint: Hint,
    frame: Frame,
}

impl Got {
    /// `Err`: not a frame; the cluster can be used again.
    ///
    /// # Safety
    ///
    /// `len` bytes from [`VNET_AT`] on have been written.
    unsafe fn new(mut cluster: Cluster, len: usize, tag: Option<Tag>) -> Result<Got, Cluster> {
        // SAFETY: the caller's word.
        let Some((vnet, frame)) = (unsafe { filled(&mut cluster, VNET_AT, len) })
            .and_then(|bytes| bytes.split_first_chunk::<VNET_HDR>())
        else {
            return Err(cluster);
        };
        let hint = Hint::new(vnet);
        let found = Frame::parse(frame, tag, &hint);
        let hint = if tag.is_some() { hint.shifted(4) } else { hint };
        let len = frame.len();
        Ok(Got {
            cluster,
            len,
            hint,
            frame: found,
        })
    }

    /// Its bytes from `at` on.
    fn bytes(&mut self, at: usize) -> &[u8] {
        // SAFETY: new was given so many bytes that were written.
        let frame = unsafe { filled(&mut self.cluster, FRAME_AT, self.len) };
        frame.and_then(|frame| frame.get(at..)).unwrap_or_default()
    }

    /// Its bytes from `at` to `end` as a packet; and the cluster, unless the packet took it.
    fn packet(mut self, at: usize, end: usize) -> (Option<Mbuf>, Option<Cluster>) {
        if end - at <= COPY_MOST {
            let m = self.bytes(at).get(..end - at).and_then(Mbuf::from_bytes);
            return (m, Some(self.cluster));
        }
        // SAFETY: within the frame, whose bytes were written.
        let m = unsafe { Mbuf::with_cluster(self.cluster, FRAME_AT + at, end - at) };
        (m, None)
    }
}

/// `len` bytes at `at` of a cluster of our own.
///
/// # Safety
///
/// They have been written.
unsafe fn filled(cluster: &mut Cluster, at: usize, len: usize) -> Option<&[u8]> {
    let room = cluster.bytes_mut()?.get(at..)?.get(..len)?;
    // SAFETY: the caller's word.
    Some(unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), len) })
}

fn af(raw: u32) -> Af {
    if raw == kpi_sys::KPI_AF_INET6 {
        Af::V6
    } else {
        Af::V4
    }
}

/// From the wire to the tap.
pub struct Inward {
    /// Both ends.
    pub ends: Arc<Ends>,
    /// Where packets pass the hooks.
    pub hooks: Arc<Port>,
}

impl Source for Inward {
    type Work = Slots;

    fn fd(&self) -> BorrowedFd<'_> {
        self.ends.ether.fd()
    }

    fn ready(&self, slots: &mut Slots) {
        match self.ends.ether.receive(slots) {
            Ok(n) => slots.each(n, |cluster, len, tag| self.take(cluster, len, tag)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            // A frame that has no virtio_net_hdr, or the interface went down: nothing waits.
            Err(_) => self.ends.count(KPI_IFS_IERRORS, 1),
        }
    }
}

impl Inward {
    fn take(&self, cluster: Cluster, len: usize, tag: Option<Tag>) -> Option<Cluster> {
        let ends = &*self.ends;
        // SAFETY: receive has filled so many bytes from there on.
        let mut got = match unsafe { Got::new(cluster, len, tag) } {
            Ok(got) => got,
            Err(cluster) => {
                ends.count(KPI_IFS_IERRORS, 1);
                return Some(cluster);
            }
        };
        if !ends.is_up() {
            ends.count(KPI_IFS_IQDROPS, 1);
            return Some(got.cluster);
        }
        let hint = got.hint;
        match got.frame {
            Frame::Ip {
                af: raw,
                link,
                at,
                end,
            } => {
                let (m, cluster) = got.packet(at, end);
                let Some(mut m) = m else {
                    ends.count(KPI_IFS_IQDROPS, 1);
                    return cluster;
                };
                m.set_link(link);
                m.set_vnet(Some(hint.0));
                if let Some(m) = self.hooks.run(af(raw), Dir::In, m, hint.flags()) {
                    let len = link.bytes().len() + m.len();
                    let fits = hint.fits(len);
                    let sent = fits && ends.to_tap(&hint, m.link().bytes(), &m).is_ok();
                    self.passed(sent, len);
                }
                cluster
            }
            Frame::Other { at } => {
                let tag = tag.map(tag_bytes);
                let tag = tag.as_ref().map_or(&[][..], |tag| tag);
                let len = got.len + tag.len();
                let whole = got.bytes(0);
                let (addrs, rest) = whole.split_at_checked(at).unwrap_or((&[], whole));
                let pieces = [&hint.0[..], addrs, tag, rest].map(IoSlice::new);
                let sent = ends.tap.write_pieces(&pieces).is_ok();
                self.passed(sent, len);
                Some(got.cluster)
            }
            Frame::Bad => {
                ends.count(KPI_IFS_IERRORS, 1);
                Some(got.cluster)
            }
        }
    }

    fn passed(&self, sent: bool, len: usize) {
        if sent {
            self.ends.count(KPI_IFS_IPACKETS, 1);
            self.ends.count(KPI_IFS_IBYTES, len);
        } else {
            self.ends.count(KPI_IFS_IQDROPS, 1);
        }
    }
}

/// From the tap to the wire.
pub struct Outward {
    /// Both ends.
    pub ends: Arc<Ends>,
    /// Where packets pass the hooks.
    pub hooks: Arc<Port>,
}

/// What the thread keeps between reads.
#[derive(Default)]
pub struct Work {
    cluster: Option<Cluster>,
    out: Outgoing,
}

impl Source for Outward {
    type Work = Work;

    fn fd(&self) -> BorrowedFd<'_> {
        self.ends.tap.fd()
    }

    fn ready(&self, work: &mut Work) {
        for _ in 0..FRAMES {
            match self.take(work) {
                Ok(()) if work.out.bytes() > BYTES => self.flush(work),
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.flush(work);
    }
}

impl Outward {
    fn flush(&self, work: &mut Work) {
        if !work.out.is_empty() {
            let lost = self.ends.ether.send_all(&mut work.out);
            self.ends.count(KPI_IFS_OERRORS, lost);
        }
    }

    /// Read one frame, and put what becomes of it with those that are to be sent.
    fn take(&self, work: &mut Work) -> io::Result<()> {
        let ends = &*self.ends;
        let fresh = || Cluster::alloc(FRAME_AT + FRAME_MOST);
        let cluster = work.cluster.take().filter(Cluster::is_sole).or_else(fresh);
        let mut cluster = cluster.ok_or(io::ErrorKind::OutOfMemory)?;
        let room = cluster.bytes_mut().and_then(|room| room.get_mut(VNET_AT..));
        let len = match ends.tap.read(room.unwrap_or_default()) {
            Ok(len) => len,
            Err(e) => {
                work.cluster = Some(cluster);
                return Err(e);
            }
        };
        // SAFETY: read has filled so many bytes from there on.
        let got = match unsafe { Got::new(cluster, len, None) } {
            Ok(got) => got,
            Err(cluster) => {
                work.cluster = Some(cluster);
                return Ok(());
            }
        };
        let (hint, frame) = (got.hint, got.frame);
        let (at, end) = match frame {
            Frame::Ip { at, end, .. } => (at, end),
            Frame::Other { .. } => (0, got.len),
            Frame::Bad => {
                ends.count(KPI_IFS_OERRORS, 1);
                work.cluster = Some(got.cluster);
                return Ok(());
            }
        };
        let (m, cluster) = got.packet(at, end);
        work.cluster = cluster;
        let Some(mut m) = m else {
            ends.count(KPI_IFS_OERRORS, 1);
            return Ok(());
        };
        let mut head = [0; LINK_MOST];
        let mut link = &head[..0];
        if let Frame::Ip {
            af: raw,
            link: found,
            ..
        } = frame
        {
            m.set_link(found);
            m.set_vnet(Some(hint.0));
            match self.hooks.run(af(raw), Dir::Out, m, hint.flags()) {
                Some(shown) => m = shown,
                None => return Ok(()),
            }
            let n = m.link().bytes().len();
            head[..n].copy_from_slice(m.link().bytes());
            link = &head[..n];
        }
        let len = link.len() + m.len();
        if hint.fits(len) {
            ends.count(KPI_IFS_OPACKETS, 1);
            ends.count(KPI_IFS_OBYTES, len);
            work.out.push(&hint, link, m);
        } else {
            ends.count(KPI_IFS_OERRORS, 1);
        }
        Ok(())
    }
}
