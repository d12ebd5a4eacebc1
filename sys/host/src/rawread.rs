// SPDX-License-Identifier: BSD-2-Clause
//! Packets that come in on endpoints' sockets: read in batches, cut apart, and handed to the module.
//!
//! *Contexts*: the thread that polls the endpoints. *Locking*: none.
//!
//! Most packets are read right into the cluster that their mbuf then owns. What is longer spills
//! over into a buffer of the thread's and is copied. Where the OS joins datagrams (`UDP_GRO`), each
//! read has a cluster of 64 KB, which the datagrams' mbufs share.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::Ordering;

use kpi_sys::kpi_encap_rx;

use crate::batch;
use crate::cluster::Cluster;
use crate::mbuf::{HEADROOM, Mbuf};
use crate::os::{self, Control, check};
use crate::poll::Source;
use crate::rawsock::RawEndpoint;

/// Packets read at once.
const PLAIN: usize = 64;
/// Buffers of joined datagrams read at once.
const JOINED: usize = 8;
/// Room in the cluster that a plain packet is read into, behind the headroom.
const SMALL: usize = 2304 - HEADROOM;
/// Longest packet.
const LARGE: usize = 65_536;
/// Up to this length a lone datagram is copied, so that it does not keep a large cluster.
const COPY_MOST: usize = 2048;
const UDP_GRO: i32 = 104;

/// What the thread keeps between reads.
#[derive(Default)]
pub struct Work {
    plain: Option<Reader>,
    joined: Option<Reader>,
}

/// Buffers for one recvmmsg(2).
struct Reader {
    joined: bool,
    clusters: Vec<Option<Cluster>>,
    /// What does not fit the clusters of plain packets; one after the other.
    spill: Vec<u8>,
    pieces: Vec<[libc::iovec; 2]>,
    names: Vec<libc::sockaddr_in6>,
    controls: Vec<Control>,
    headers: Vec<libc::mmsghdr>,
    /// How many entries the last read has used.
    used: usize,
}

impl Source for RawEndpoint {
    type Work = Work;

    fn fd(&self) -> BorrowedFd<'_> {
        RawEndpoint::fd(self)
    }

    fn ready(&self, work: &mut Work) {
        let reader = if self.joins() {
            work.joined.get_or_insert_with(|| Reader::new(true))
        } else {
            work.plain.get_or_insert_with(|| Reader::new(false))
        };
        batch::run(|| match reader.read(self) {
            Ok(n) => (0..n).for_each(|slot| reader.deliver(self, slot)),
            Err(e) => self.note(&e),
        });
    }
}

impl RawEndpoint {
    /// An error instead of a packet: what a peer reported by ICMP, or nothing there after all.
    fn note(&self, e: &io::Error) {
        if e.kind() != io::ErrorKind::WouldBlock && e.kind() != io::ErrorKind::Interrupted {
            self.stats.icmp.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lose(&self) {
        self.stats.lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl Reader {
    fn new(joined: bool) -> Reader {
        let n = if joined { JOINED } else { PLAIN };
        let nothing = libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        Reader {
            joined,
            clusters: vec![None; n],
            // Zero pages of the OS until something spills.
            spill: if joined {
                Vec::new()
            } else {
                vec![0; n * LARGE]
            },
            pieces: vec![[nothing; 2]; n],
            names: vec![os::empty_name(); n],
            controls: vec![Control::new(); n],
            // SAFETY: zeros are a valid mmsghdr.
            headers: (0..n).map(|_| unsafe { std::mem::zeroed() }).collect(),
            used: n,
        }
    }

    /// Point entry `slot` at its buffers; false without memory.
    fn prepare(&mut self, slot: usize) -> bool {
        let (room, pieces) = if self.joined { (LARGE, 1) } else { (SMALL, 2) };
        let cluster = &mut self.clusters[slot];
        // A cluster that something still shares is not ours to write.
        if cluster.as_ref().is_none_or(|c| !c.is_sole()) {
            *cluster = Cluster::alloc(HEADROOM + room);
        }
        let Some(bytes) = cluster.as_mut().and_then(Cluster::bytes_mut) else {
            return false;
        };
        let base = bytes[HEADROOM..].as_mut_ptr().cast();
        self.pieces[slot][0] = libc::iovec {
            iov_base: base,
            iov_len: room,
        };
        if let Some(spill) = self.spill.get_mut(slot * LARGE..(slot + 1) * LARGE) {
            let base = spill.as_mut_ptr().cast();
            self.pieces[slot][1] = libc::iovec {
                iov_base: base,
                iov_len: LARGE,
            };
        }
        let header = &mut self.headers[slot].msg_hdr;
        header.msg_name = std::ptr::from_mut(&mut self.names[slot]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in6>() as _;
        header.msg_iov = self.pieces[slot].as_mut_ptr();
        header.msg_iovlen = pieces as _;
        header.msg_control = self.controls[slot].as_mut_ptr();
        header.msg_controllen = Control::ROOM as _;
        header.msg_flags = 0;
        true
    }

    /// Read what waits: how many entries were filled.
    fn read(&mut self, end: &RawEndpoint) -> io::Result<usize> {
        let used = std::mem::take(&mut self.used);
        for slot in 0..used {
            if !self.prepare(slot) {
                self.used = used;
                return Err(io::ErrorKind::OutOfMemory.into());
            }
        }
        let (fd, first, n) = (
            end.fd().as_raw_fd(),
            self.headers.as_mut_ptr(),
            self.headers.len(),
        );
        let no_time = std::ptr::null_mut();
        // SAFETY: each header points to buffers of ours that outlive the call, unmoved.
        let n = unsafe { libc::recvmmsg(fd, first, n as u32, libc::MSG_DONTWAIT, no_time) };
        // A failed read may have written to the first entry.
        self.used = 1;
        let n = check(n)? as usize;
        self.used = n.max(1);
        Ok(n)
    }

    /// Hand entry `slot` to the module.
    fn deliver(&mut self, end: &RawEndpoint, slot: usize) {
        let header = &self.headers[slot];
        let len = header.msg_len as usize;
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return end.lose();
        }
        let ep = &end.port.endpoint;
        let (src, sport) = os::name_of(&self.names[slot]);
        let udp = end.is_udp();
        let rx = kpi_encap_rx {
            kr_af: ep.ke_af,
            kr_proto: ep.ke_proto,
            kr_src: src,
            // The socket is bound to it.
            kr_dst: ep.ke_addr,
            // A raw socket's "port" is its protocol.
            kr_sport: if udp { sport } else { 0 },
            kr_dport: ep.ke_port,
            kr_off: 0,
        };
        if self.joined {
            return self.deliver_joined(end, slot, len, &rx);
        }
        let Some(skip) = self.outer_header(end, slot, len) else {
            return end.lose();
        };
        let m = if len <= SMALL {
            let cluster = self.clusters[slot].take();
            // SAFETY: the OS has written `len` bytes behind the headroom.
            cluster.and_then(|c| unsafe { Mbuf::with_cluster(c, HEADROOM + skip, len - skip) })
        } else {
            self.joined_halves(slot, skip, len)
        };
        match m {
            // What the module does not want is freed.
            Some(m) => drop(end.port.input(m, &rx)),
            None => end.lose(),
        }
    }

    /// Bytes in the entry's cluster.
    fn bytes(&self, slot: usize, len: usize) -> &[u8] {
        let Some(cluster) = &self.clusters[slot] else {
            return &[];
        };
        let len = len.min(cluster.room() - HEADROOM);
        // SAFETY: the headroom is within the cluster.
        let start = unsafe { cluster.data().add(HEADROOM) };
        // SAFETY: the OS has written so many bytes there; nobody else refers to the cluster.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// Length of the IP header that a raw IPv4 socket leaves in front.
    fn outer_header(&self, end: &RawEndpoint, slot: usize, len: usize) -> Option<usize> {
        if end.is_udp() || end.is_v6() {
            return Some(0);
        }
        let ip = usize::from(self.bytes(slot, 1).first()? & 15) * 4;
        (ip >= 20 && ip <= len).then_some(ip)
    }

    /// A packet that has spilled over, in one piece.
    fn joined_halves(&self, slot: usize, skip: usize, len: usize) -> Option<Mbuf> {
        let spilled = self.spill.get(slot * LARGE..)?.get(..len - SMALL)?;
        let first = self.bytes(slot, SMALL).get(skip..)?;
        let mut cluster = Cluster::alloc(HEADROOM + len)?;
        let (to, rest) = cluster
            .bytes_mut()?
            .get_mut(HEADROOM..)?
            .split_at_mut(first.len());
        to.write_copy_of_slice(first);
        rest.get_mut(..spilled.len())?.write_copy_of_slice(spilled);
        // SAFETY: both halves were written above.
        unsafe { Mbuf::with_cluster(cluster, HEADROOM, len - skip) }
    }

    /// One or several datagrams of equal size, but the last, in one buffer.
    fn deliver_joined(&mut self, end: &RawEndpoint, slot: usize, len: usize, rx: &kpi_encap_rx) {
        let control = self.headers[slot].msg_hdr.msg_controllen;
        let size = self.controls[slot].find(control, libc::SOL_UDP, UDP_GRO);
        let size = size
            .and_then(|n| usize::try_from(n).ok())
            .filter(|n| *n != 0)
            .unwrap_or(len);
        if len <= COPY_MOST && size >= len {
            match Mbuf::from_bytes(self.bytes(slot, len)) {
                Some(m) => drop(end.port.input(m, rx)),
                None => end.lose(),
            }
            return;
        }
        let Some(cluster) = self.clusters[slot].take() else {
            return;
        };
        for at in (0..len).step_by(size.max(1)) {
            let size = size.min(len - at);
            // SAFETY: the OS has written `len` bytes behind the headroom.
            match unsafe { Mbuf::from_cluster(&cluster, HEADROOM + at, size) } {
                Some(m) => drop(end.port.input(m, rx)),
                None => end.lose(),
            }
        }
        // What is joined again for a tap still shares it: the next read gets another one.
    }
}
