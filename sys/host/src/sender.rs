// SPDX-License-Identifier: BSD-2-Clause
//! Many packets to one peer in few system calls: `sendmmsg`, and `UDP_SEGMENT` where sizes agree.
//!
//! *Contexts*: softint. *Locking*: none; each thread has a sender of its own.
//!
//! When the socket's buffer is full we wait [`PATIENCE`] once, so that the queue of the device
//! that feeds us fills instead; what still does not fit is dropped and counted (`ENOBUFS`).

use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

use crate::errno::Errno;
use crate::mbuf::Mbuf;
use crate::os::{self, Control, check};
use crate::rawsock::RawPath;

/// Milliseconds to wait for room in the socket's buffer.
const PATIENCE: i32 = 2;
/// Most packets in one `UDP_SEGMENT` send.
const SEGMENTS_MOST: usize = 64;
/// Most bytes in one `UDP_SEGMENT` send, with room for the headers of either family.
const BYTES_MOST: usize = 65_000;
/// Most pieces of one message; Linux takes 1,024.
const PIECES_MOST: usize = 1000;
/// A packet in more pieces than this is copied into one first.
const PIECES_WORTH: usize = 15;
const UDP_SEGMENT: i32 = 103;

/// One message: packets `packets`, pieces `pieces`.
#[derive(Clone, Copy, Debug)]
struct Message {
    packet: usize,
    packets: usize,
    piece: usize,
    pieces: usize,
    /// Bytes of each packet but the last.
    size: usize,
    bytes: usize,
}

/// See the module's text.
#[derive(Default)]
pub struct Sender {
    pieces: Vec<libc::iovec>,
    messages: Vec<Message>,
    controls: Vec<Control>,
    headers: Vec<libc::mmsghdr>,
}

impl Sender {
    /// Send all of `packets` on `path`, in order; the last error, if any packet was dropped.
    pub fn send(&mut self, path: &RawPath, packets: &mut [Mbuf]) -> Result<(), Errno> {
        for m in packets.iter_mut() {
            if m.segments().nth(PIECES_WORTH).is_some()
                && let Some(whole) = Mbuf::from_bytes(&m.to_vec())
            {
                *m = whole;
            }
        }
        self.send_with(path, packets, path.segment_most())
    }

    fn send_with(&mut self, path: &RawPath, packets: &[Mbuf], most: usize) -> Result<(), Errno> {
        self.group(packets, most);
        self.fill(path);
        let mut at = 0;
        let mut result = Ok(());
        let mut waited = false;
        // Messages that the OS did not take as a whole, their packets to be sent one by one.
        let mut apart: Option<Message> = None;
        while let Some(rest) = self.headers.get_mut(at..).filter(|rest| !rest.is_empty()) {
            let fd = path.end.fd().as_raw_fd();
            let (first, len) = (rest.as_mut_ptr(), rest.len() as u32);
            // SAFETY: fill has made them point to pieces, controls and the path's address, all of
            // which outlive the call, unmoved.
            match check(unsafe { libc::sendmmsg(fd, first, len, libc::MSG_DONTWAIT) }) {
                Ok(n) => at += n.max(1) as usize,
                Err(e) => match e.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::EAGAIN) if !waited => {
                        waited = true;
                        os::wait_writable(path.end.fd(), PATIENCE);
                    }
                    Some(libc::EAGAIN | libc::ENOBUFS) => {
                        let lost: usize = self.messages[at..].iter().map(|m| m.packets).sum();
                        path.end
                            .stats
                            .full
                            .fetch_add(lost as u64, Ordering::Relaxed);
                        result = Err(Errno::ENOBUFS);
                        break;
                    }
                    // A peer's ICMP error about an earlier packet: it says nothing about this one.
                    Some(libc::ECONNREFUSED) => {
                        path.end.stats.icmp.fetch_add(1, Ordering::Relaxed);
                    }
                    Some(libc::EMSGSIZE | libc::EINVAL | libc::EIO)
                        if self.messages[at].packets > 1 =>
                    {
                        path.segment_failed(self.messages[at].size, &e);
                        apart = Some(self.messages[at]);
                        break;
                    }
                    _ => {
                        path.end.stats.refused.fetch_add(1, Ordering::Relaxed);
                        result = Err(Errno::from(e));
                        at += 1;
                    }
                },
            }
        }
        match apart {
            // Sizes that did not go together are not tried together again.
            Some(from) => {
                let rest = packets.get(from.packet..).unwrap_or_default();
                let most = path.segment_most().min(from.size.saturating_sub(1));
                self.send_with(path, rest, most).and(result)
            }
            None => result,
        }
    }

    /// Decide which packets share a message: those of one size, and a shorter one at the end.
    fn group(&mut self, packets: &[Mbuf], most: usize) {
        self.pieces.clear();
        self.messages.clear();
        let mut open = false;
        for (n, m) in packets.iter().enumerate() {
            let piece = self.pieces.len();
            for bytes in m.segments().filter(|bytes| !bytes.is_empty()) {
                let base = bytes.as_ptr().cast_mut().cast();
                self.pieces.push(libc::iovec {
                    iov_base: base,
                    iov_len: bytes.len(),
                });
            }
            let (pieces, len) = (self.pieces.len() - piece, m.len());
            if open
                && let Some(last) = self.messages.last_mut()
                && len <= last.size
                && len != 0
                && last.packets < SEGMENTS_MOST
                && last.bytes + len <= BYTES_MOST
                && last.pieces + pieces <= PIECES_MOST
            {
                last.packets += 1;
                last.pieces += pieces;
                last.bytes += len;
                open = len == last.size;
                continue;
            }
            self.messages.push(Message {
                packet: n,
                packets: 1,
                piece,
                pieces,
                size: len,
                bytes: len,
            });
            open = len <= most && len != 0;
        }
    }

    /// Make the headers that the OS takes.
    fn fill(&mut self, path: &RawPath) {
        self.headers.clear();
        self.controls.clear();
        self.controls.resize(self.messages.len(), Control::new());
        for (message, control) in self.messages.iter().zip(&mut self.controls) {
            if message.packets > 1 {
                let size = (message.size as u16).to_ne_bytes();
                control.push(libc::SOL_UDP, UDP_SEGMENT, &size);
            }
            if path.ttl != 0 {
                let (level, kind) = if path.end.is_v6() {
                    (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT)
                } else {
                    (libc::IPPROTO_IP, libc::IP_TTL)
                };
                control.push(level, kind, &i32::from(path.ttl).to_ne_bytes());
            }
            // SAFETY: zeros are a valid mmsghdr.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_name = path.dst.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = path.dst.len();
            if let Some(pieces) = self.pieces.get_mut(message.piece..) {
                header.msg_hdr.msg_iov = pieces.as_mut_ptr();
            }
            header.msg_hdr.msg_iovlen = message.pieces as _;
            if control.len() != 0 {
                header.msg_hdr.msg_control = control.as_mut_ptr();
                header.msg_hdr.msg_controllen = control.len() as _;
            }
            self.headers.push(header);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(sizes: &[usize], most: usize) -> Vec<usize> {
        let packets: Vec<_> = sizes
            .iter()
            .map(|n| Mbuf::from_bytes(&vec![1; *n]).expect("memory"))
            .collect();
        let mut sender = Sender::default();
        sender.group(&packets, most);
        let bytes: usize = sender.messages.iter().map(|m| m.bytes).sum();
        assert_eq!(bytes, sizes.iter().sum::<usize>());
        sender.messages.iter().map(|m| m.packets).collect()
    }

    #[test]
    fn equal_sizes_share_a_message_and_a_short_one_ends_it() {
        assert_eq!(
            grouped(&[100, 100, 100, 40, 40, 100], usize::MAX),
            [4, 1, 1]
        );
        assert_eq!(grouped(&[100, 101], usize::MAX), [1, 1]);
        assert_eq!(grouped(&[100, 100], 0), [1, 1]);
        assert_eq!(grouped(&[1480, 1480, 90, 90], 1400), [1, 1, 2]);
        assert_eq!(grouped(&[64; 130], usize::MAX), [64, 64, 2]);
        assert_eq!(grouped(&[1450; 46], usize::MAX), [44, 2]);
        assert_eq!(grouped(&[0, 0, 5], usize::MAX), [1, 1, 1]);
    }
}
