// SPDX-License-Identifier: BSD-2-Clause
//! A packet socket on an interface of the OS: whole frames, many at once, large ones uncut.
//!
//! *Contexts*: opening thread; the rest softint. *Locking*: none; the kernel below serializes, and
//! each thread has buffers of its own.
//!
//! Each frame has a `struct virtio_net_hdr` in front in both directions, as with a tap. A ring of
//! the OS (`PACKET_RX_RING`) was not used: its frames would have to be copied once more, since a
//! module may keep a packet, and large frames need slots of 64 KB all the same.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::frame::{Hint, Tag};
use crate::cluster::Cluster;
use crate::link::LINK_MOST;
use crate::mbuf::{HEADROOM, Mbuf};
use crate::offload::vnet::VNET_HDR;
use crate::os::{self, check, check_len, set_option};

/// Longest frame: an IP packet with Ethernet header and tags.
pub const FRAME_MOST: usize = 65_535 + LINK_MOST;
/// Where a frame begins in its cluster, and its `virtio_net_hdr` before that.
pub const FRAME_AT: usize = HEADROOM;
/// As above.
pub const VNET_AT: usize = FRAME_AT - VNET_HDR;
/// Frames that are received at once.
const BATCH: usize = 32;
/// Bytes that wait for us: 50 ms at 5 Gb/s.
const RECEIVE_ROOM: libc::c_int = 32 << 20;
/// Bytes that wait for the device.
const SEND_ROOM: libc::c_int = 8 << 20;
/// Milliseconds to wait for room there.
const PATIENCE: i32 = 2;
/// A packet in more pieces than this is copied into one first.
const PIECES_WORTH: usize = 15;
const TP_STATUS_VLAN_VALID: u32 = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
const TPID: u16 = 0x8100;
/// Room for a `struct tpacket_auxdata` with its header, in words.
const CONTROL: usize = 6;

/// See the module's text.
#[derive(Debug)]
pub struct Ether(OwnedFd);

fn address(index: u32) -> libc::sockaddr_ll {
    // SAFETY: zeros are a valid sockaddr_ll.
    let mut addr: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    addr.sll_family = libc::AF_PACKET as u16;
    addr.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    addr.sll_ifindex = index as i32;
    addr
}

impl Ether {
    /// All frames that come in at the interface `index`, to whomever they are: `EPERM` without
    /// CAP_NET_RAW.
    pub fn open(index: u32) -> io::Result<Ether> {
        // Of no protocol: it receives nothing before it is bound.
        let fd = os::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, 0)?;
        let (sock, on) = (fd.as_fd(), 1i32);
        for option in [
            libc::PACKET_VNET_HDR,
            libc::PACKET_AUXDATA,
            libc::PACKET_IGNORE_OUTGOING,
        ] {
            set_option(sock, libc::SOL_PACKET, option, &on)?;
        }
        for (force, plain, room) in [
            (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_ROOM),
            (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_ROOM),
        ] {
            set_option(sock, libc::SOL_SOCKET, force, &room)
                .or_else(|_| set_option(sock, libc::SOL_SOCKET, plain, &room))?;
        }
        let all = libc::packet_mreq {
            mr_ifindex: index as i32,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        // Ends with the socket, whatever becomes of us.
        set_option(sock, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &all)?;
        let addr = address(index);
        let (at, len) = (std::ptr::from_ref(&addr).cast(), size_of_val(&addr) as u32);
        // SAFETY: an address of that length, which outlives the call.
        check(unsafe { libc::bind(fd.as_raw_fd(), at, len) })?;
        Ok(Ether(fd))
    }

    /// Readable when a frame waits.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Frames that the OS had no room for since the last call.
    pub fn missed(&self) -> u64 {
        let mut counts = [0u32; 2];
        let mut len = size_of_val(&counts) as libc::socklen_t;
        let (level, name) = (libc::SOL_PACKET, libc::PACKET_STATISTICS);
        let (fd, at) = (self.0.as_raw_fd(), counts.as_mut_ptr().cast());
        // SAFETY: counts and len outlive the call.
        let got = check(unsafe { libc::getsockopt(fd, level, name, at, &mut len) });
        if got.is_ok() { counts[1].into() } else { 0 }
    }

    /// Receive what waits, at most [`BATCH`] frames: how many; `WouldBlock` when none waits.
    pub fn receive(&self, slots: &mut Slots) -> io::Result<usize> {
        let ready = slots.prepare();
        let (fd, at) = (self.0.as_raw_fd(), slots.headers.as_mut_ptr());
        let (flags, none) = (libc::MSG_DONTWAIT, std::ptr::null_mut());
        // SAFETY: prepare has made `ready` headers point to room that outlives the call.
        check(unsafe { libc::recvmmsg(fd, at, ready as u32, flags, none) }).map(|n| n as usize)
    }

    /// Send one frame, its `virtio_net_hdr` first; at most 1,024 pieces.
    pub fn write_pieces(&self, pieces: &[io::IoSlice]) -> io::Result<()> {
        let at = pieces.as_ptr().cast();
        // SAFETY: IoSlice is an iovec by its documentation, and all outlive the call.
        check_len(unsafe { libc::writev(self.0.as_raw_fd(), at, pieces.len() as i32) }).map(drop)
    }

    /// Send all of `out`: how many the OS did not take.
    pub fn send_all(&self, out: &mut Outgoing) -> usize {
        out.fill();
        let (mut at, mut lost, mut waited) = (0, 0, false);
        while let Some(rest) = out.headers.get_mut(at..).filter(|rest| !rest.is_empty()) {
            let (fd, left) = (self.0.as_raw_fd(), rest.len());
            // SAFETY: fill has made them point to heads and packets, which outlive the call.
            let sent =
                unsafe { libc::sendmmsg(fd, rest.as_mut_ptr(), left as u32, libc::MSG_DONTWAIT) };
            match check(sent) {
                Ok(n) => at += n.max(1) as usize,
                Err(e) => match e.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::EAGAIN) if !waited => {
                        waited = true;
                        os::wait_writable(self.fd(), PATIENCE);
                    }
                    // The device is down, gone, or does not come along.
                    Some(libc::EAGAIN | libc::ENETDOWN | libc::ENXIO | libc::ENODEV) => {
                        lost += left;
                        break;
                    }
                    // About this one: too long for the device, or its queue is full.
                    _ => {
                        lost += 1;
                        at += 1;
                    }
                },
            }
        }
        out.clear();
        lost
    }
}

/// Where frames are received to, and what the OS takes to do so.
pub struct Slots {
    clusters: Vec<Cluster>,
    /// Empty between calls.
    spare: Vec<Cluster>,
    controls: Vec<[u64; CONTROL]>,
    pieces: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots {
            clusters: Vec::with_capacity(BATCH),
            spare: Vec::with_capacity(BATCH),
            controls: vec![[0; CONTROL]; BATCH],
            pieces: Vec::with_capacity(BATCH),
            headers: Vec::with_capacity(BATCH),
        }
    }
}

impl Slots {
    /// How many frames there is room for.
    fn prepare(&mut self) -> usize {
        while self.clusters.len() < BATCH {
            match Cluster::alloc(FRAME_AT + FRAME_MOST) {
                Some(cluster) => self.clusters.push(cluster),
                None => break,
            }
        }
        self.clusters.retain_mut(|c| c.bytes_mut().is_some());
        self.pieces.clear();
        for cluster in &mut self.clusters {
            let room = cluster.bytes_mut().and_then(|room| room.get_mut(VNET_AT..));
            let room = room.unwrap_or_default();
            self.pieces.push(libc::iovec {
                iov_base: room.as_mut_ptr().cast(),
                iov_len: room.len().min(VNET_HDR + FRAME_MOST),
            });
        }
        self.headers.clear();
        for (piece, control) in self.pieces.iter_mut().zip(&mut self.controls) {
            // SAFETY: zeros are a valid mmsghdr.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = piece;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = size_of_val(control) as _;
            self.headers.push(header);
        }
        self.headers.len()
    }

    /// The `n` frames that were received last, in order: cluster, bytes from [`VNET_AT`] on, tag.
    /// A cluster that `f` gives back is used again.
    pub fn each(
        &mut self,
        n: usize,
        mut f: impl FnMut(Cluster, usize, Option<Tag>) -> Option<Cluster>,
    ) {
        std::mem::swap(&mut self.spare, &mut self.clusters);
        for (at, cluster) in self.spare.drain(..).enumerate() {
            let header = self.headers.get(at).filter(|_| at < n);
            let Some(header) = header else {
                self.clusters.push(cluster);
                continue;
            };
            let used: usize = header.msg_hdr.msg_controllen as _;
            let tag = self.controls.get(at).and_then(|words| tag(words, used));
            self.clusters
                .extend(f(cluster, header.msg_len as usize, tag));
        }
    }
}

/// The tag in a control message: a header of 16 bytes, then a `struct tpacket_auxdata`.
fn tag(words: &[u64; CONTROL], used: usize) -> Option<Tag> {
    let byte = |at: usize| words[at / 8].to_ne_bytes()[at % 8];
    let half = |at: usize| u16::from_ne_bytes([byte(at), byte(at + 1)]);
    let word = |at: usize| u32::from_ne_bytes([byte(at), byte(at + 1), byte(at + 2), byte(at + 3)]);
    let ours =
        used >= 36 && word(8) == libc::SOL_PACKET as u32 && word(12) == libc::PACKET_AUXDATA as u32;
    let status = word(16);
    (ours && status & TP_STATUS_VLAN_VALID != 0).then(|| Tag {
        tci: half(32),
        tpid: if status & TP_STATUS_VLAN_TPID_VALID != 0 {
            half(34)
        } else {
            TPID
        },
    })
}

/// What stands before a packet: a hint and a link header, in one piece.
#[derive(Clone, Copy)]
struct Head {
    bytes: [u8; VNET_HDR + LINK_MOST],
    len: usize,
}

/// Frames that are sent together.
#[derive(Default)]
pub struct Outgoing {
    heads: Vec<Head>,
    packets: Vec<Mbuf>,
    bytes: usize,
    pieces: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl Outgoing {
    /// Add a frame: `link`, at most [`LINK_MOST`] bytes, and then `m`.
    pub fn push(&mut self, hint: &Hint, link: &[u8], m: Mbuf) {
        let mut head = Head {
            bytes: [0; VNET_HDR + LINK_MOST],
            len: VNET_HDR + link.len().min(LINK_MOST),
        };
        let (vnet, room) = head.bytes.split_at_mut(VNET_HDR);
        vnet.copy_from_slice(&hint.0);
        room.iter_mut().zip(link).for_each(|(to, from)| *to = *from);
        self.heads.push(head);
        self.bytes += m.len();
        let whole = m.segments().nth(PIECES_WORTH).is_some();
        let whole = if whole {
            Mbuf::from_bytes(&m.to_vec())
        } else {
            None
        };
        self.packets.push(whole.unwrap_or(m));
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    fn clear(&mut self) {
        self.bytes = 0;
        self.headers.clear();
        self.pieces.clear();
        self.heads.clear();
        self.packets.clear();
    }

    fn fill(&mut self) {
        self.pieces.clear();
        self.headers.clear();
        let piece = |bytes: &[u8]| libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        for (head, m) in self.heads.iter().zip(&self.packets) {
            let from = self.pieces.len();
            self.pieces
                .push(piece(head.bytes.get(..head.len).unwrap_or_default()));
            let filled = m.segments().filter(|bytes| !bytes.is_empty());
            self.pieces.extend(filled.map(piece));
            // SAFETY: zeros are a valid mmsghdr.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iovlen = (self.pieces.len() - from) as _;
            self.headers.push(header);
        }
        // Only now they stay where they are.
        let mut rest = self.pieces.as_mut_slice();
        for header in &mut self.headers {
            let n: usize = header.msg_hdr.msg_iovlen as _;
            let Some((now, later)) = rest.split_at_mut_checked(n) else {
                return;
            };
            header.msg_hdr.msg_iov = now.as_mut_ptr();
            rest = later;
        }
    }
}
