// SPDX-License-Identifier: BSD-2-Clause
//! Frames that the OS sends on a tap device: read, cut to size, and handed to the module.
//!
//! *Contexts*: the thread that polls the taps. *Locking*: none.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering;

use kpi_sys::KPI_IFS_OERRORS;

use crate::batch;
use crate::cluster::Cluster;
use crate::mbuf::{HEADROOM, Mbuf, PULLUP_MOST};
use crate::offload::gso::{HEADERS_MOST, Plan};
use crate::offload::vnet::{VNET_HDR, Vnet, complete};
use crate::poll::Source;
use crate::tap::Tap;

/// Longest frame: an IP packet with Ethernet header and tags.
const FRAME_MOST: usize = 65_535 + 22;
/// Up to this length a frame is copied, so that it does not keep a large cluster.
const COPY_MOST: usize = 2048;
/// Frames read before what they brought forth is sent.
const BATCH: usize = 64;
/// Where a frame begins in its cluster, and its `virtio_net_hdr` before that.
const FRAME_AT: usize = HEADROOM;
const VNET_AT: usize = FRAME_AT - VNET_HDR;

/// What the thread keeps between reads.
#[derive(Default)]
pub struct Work {
    /// Ours alone between frames.
    cluster: Option<Cluster>,
}

impl Source for Tap {
    type Work = Work;

    fn fd(&self) -> BorrowedFd<'_> {
        Tap::fd(self)
    }

    fn ready(&self, work: &mut Work) {
        batch::run(|| {
            for _ in 0..BATCH {
                match self.take(work) {
                    Ok(()) => {}
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        });
    }
}

impl Tap {
    /// Read one frame and hand it to the module.
    fn take(&self, work: &mut Work) -> io::Result<()> {
        let fresh = || Cluster::alloc(FRAME_AT + FRAME_MOST);
        let mut cluster = work
            .cluster
            .take()
            .or_else(fresh)
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let Some(room) = cluster.bytes_mut() else {
            return Ok(());
        };
        let read = self.read(&mut room[VNET_AT..]);
        let len = match read {
            Ok(n) => n,
            Err(e) => {
                work.cluster = Some(cluster);
                return Err(e);
            }
        };
        let start = room[VNET_AT..].as_mut_ptr().cast::<u8>();
        // SAFETY: read has filled so many bytes from there on.
        let bytes = unsafe { std::slice::from_raw_parts_mut(start, len) };
        let Some((vnet, frame)) = bytes.split_first_chunk_mut::<VNET_HDR>() else {
            work.cluster = Some(cluster);
            return Ok(());
        };
        let Some(vnet) = Vnet::parse(vnet) else {
            self.refuse();
            work.cluster = Some(cluster);
            return Ok(());
        };
        if let Some(gso) = vnet.gso {
            match Plan::new(frame, gso) {
                Some(mut plan) => {
                    match self.fits.load(Ordering::Relaxed) {
                        0 => {}
                        most => plan.fit(most),
                    }
                    self.cut(&plan, &cluster, frame);
                }
                None => self.refuse(),
            }
            // The pieces may still share it.
            work.cluster = cluster.is_sole().then_some(cluster);
            return Ok(());
        }
        if let Some((start, offset)) = vnet.partial
            && !complete(frame, start, offset)
        {
            self.refuse();
            work.cluster = Some(cluster);
            return Ok(());
        }
        let len = frame.len();
        let m = if len <= COPY_MOST {
            let m = Mbuf::from_bytes(frame);
            work.cluster = Some(cluster);
            m
        } else {
            // SAFETY: the bytes are those read above.
            unsafe { Mbuf::with_cluster(cluster, FRAME_AT, len) }
        };
        match m {
            Some(m) => self.transmit(m),
            None => self.refuse(),
        }
        Ok(())
    }

    /// Hand over a large frame piece by piece; the pieces share its cluster.
    fn cut(&self, plan: &Plan, cluster: &Cluster, frame: &[u8]) {
        let mut room = [0; HEADERS_MOST];
        let hdr = plan.headers();
        for n in 0..plan.pieces() {
            let range = plan.range(n);
            let headers = &mut room[..hdr];
            let payload = frame.get(range.clone()).unwrap_or_default();
            if !plan.write(n, frame, payload, headers) {
                return self.refuse();
            }
            let m = if hdr <= PULLUP_MOST {
                // SAFETY: the range lies within the frame, which was read into this cluster.
                let shared =
                    unsafe { Mbuf::from_cluster(cluster, FRAME_AT + range.start, range.len()) };
                shared.and_then(|m| m.prepend(hdr)).and_then(|mut m| {
                    m.head_mut()?.get_mut(..hdr)?.copy_from_slice(headers);
                    Some(m)
                })
            } else {
                Mbuf::from_bytes(headers).and_then(|mut m| m.append(payload).then_some(m))
            };
            let Some(m) = m else { return self.refuse() };
            if n != 0 {
                self.transmit(m);
                continue;
            }
            // The first one tells how large the next frame's may be.
            let len = m.len();
            if let Some(slack) = batch::fitting(|| self.transmit(m)) {
                self.fits
                    .store(len.saturating_add_signed(slack), Ordering::Relaxed);
            }
        }
    }

    /// The module counts what it drops.
    fn transmit(&self, m: Mbuf) {
        let _ = self.port.transmit(m);
    }

    /// A frame that the module does not get to see.
    fn refuse(&self) {
        self.port.stats.add(KPI_IFS_OERRORS as usize, 1);
    }
}
