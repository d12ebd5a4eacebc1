// SPDX-License-Identifier: BSD-2-Clause
//! rtnetlink(7): requests, dumps and news, their bytes as the OS gives and takes them.
//!
//! *Contexts*: thread. *Locking*: none; a socket has one user at a time.
//!
//! Messages are kept as bytes: what moves from one interface to another must arrive with all that
//! the OS knows of it, also what we have no name for.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::os::{self, check, check_len, set_option};

/// Bytes of a message's header.
const HEADER: usize = 16;
const ALIGN: usize = 4;
/// A dump's answers come in pieces of at most this size.
const ROOM: usize = 64 << 10;
/// Room for news that nobody has read yet.
const NEWS_ROOM: libc::c_int = 4 << 20;
/// A dump that something changed under is asked for again so often.
const DUMP_TRIES: u32 = 10;
const NLM_F_DUMP_INTR: u16 = 0x10;
/// Marks an attribute that holds attributes.
const NLA_F_NESTED: u16 = 0x8000;
/// Of an attribute's type, the part that is its number.
const NLA_TYPE: u16 = 0x3fff;

/// A message of the OS: its type, and what stands behind its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `RTM_*`
    pub kind: u16,
    /// A struct of that type, then attributes.
    pub body: Vec<u8>,
}

/// A request being built.
#[derive(Clone, Debug)]
pub struct Request(Vec<u8>);

impl Request {
    /// With the struct that its type begins with.
    pub fn new(kind: u16, flags: i32, body: &[u8]) -> Request {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        let flags = flags as u16 | libc::NLM_F_REQUEST as u16;
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(body);
        pad(&mut bytes);
        Request(bytes)
    }

    /// With one more attribute.
    pub fn attr(mut self, kind: u16, value: &[u8]) -> Request {
        push_attr(&mut self.0, kind, value);
        self
    }

    /// With one more attribute, which holds others.
    pub fn nested(self, kind: u16, value: &[u8]) -> Request {
        self.attr(kind | NLA_F_NESTED, value)
    }

    /// Its bytes with length and number.
    fn finish(mut self, seq: u32) -> Vec<u8> {
        let len = (self.0.len() as u32).to_ne_bytes();
        self.0[..4].copy_from_slice(&len);
        self.0[8..12].copy_from_slice(&seq.to_ne_bytes());
        self.0
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
}

/// Add an attribute to `bytes`.
pub fn push_attr(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    pad(bytes);
}

/// The attributes in `bytes`, as number and value; ends where they make no sense.
pub fn attrs(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]));
        let kind = u16::from_ne_bytes([*bytes.get(2)?, *bytes.get(3)?]) & NLA_TYPE;
        let value = bytes.get(4..len)?;
        bytes = bytes.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the attribute of that number.
pub fn attr(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attrs(bytes).find_map(|(kind, value)| (kind == wanted).then_some(value))
}

/// Four bytes as a number.
pub fn word(value: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*value.first_chunk()?))
}

/// A socket.
#[derive(Debug)]
pub struct Netlink {
    fd: OwnedFd,
    seq: u32,
}

impl Netlink {
    /// For requests.
    pub fn open() -> io::Result<Netlink> {
        let fd = os::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
        Ok(Netlink { fd, seq: 0 })
    }

    /// For news of these groups (`RTNLGRP_*`), without waiting.
    pub fn listen(groups: &[libc::c_uint]) -> io::Result<Netlink> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK;
        let fd = os::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE)?;
        // Without a number of its own it would pass for the kernel, who does not hear itself.
        // SAFETY: zeros are a valid sockaddr_nl: the kernel picks the number.
        let mut name: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        name.nl_family = libc::AF_NETLINK as u16;
        let (at, len) = (std::ptr::from_ref(&name).cast(), size_of_val(&name) as u32);
        // SAFETY: an address of that length, which outlives the call.
        check(unsafe { libc::bind(fd.as_raw_fd(), at, len) })?;
        let sol = libc::SOL_NETLINK;
        for group in groups {
            set_option(fd.as_fd(), sol, libc::NETLINK_ADD_MEMBERSHIP, group)?;
        }
        // More room, as far as we may.
        let _ = set_option(
            fd.as_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            &NEWS_ROOM,
        );
        Ok(Netlink { fd, seq: 0 })
    }

    /// Readable when there is news.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn send(&mut self, request: Request) -> io::Result<u32> {
        self.seq += 1;
        let bytes = request.finish(self.seq);
        let (fd, at) = (self.fd.as_raw_fd(), bytes.as_ptr().cast());
        // SAFETY: so many bytes that outlive the call.
        check_len(unsafe { libc::send(fd, at, bytes.len(), 0) })?;
        Ok(self.seq)
    }

    fn receive(&self, room: &mut Vec<u8>) -> io::Result<()> {
        room.resize(ROOM, 0);
        let (fd, at) = (self.fd.as_raw_fd(), room.as_mut_ptr().cast());
        loop {
            // SAFETY: room for so many bytes that outlives the call.
            match check_len(unsafe { libc::recv(fd, at, ROOM, 0) }) {
                Ok(n) => {
                    room.truncate(n);
                    return Ok(());
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Ask for a change: what the OS says to it.
    pub fn change(&mut self, mut request: Request) -> io::Result<()> {
        let flags = request.0[6] | libc::NLM_F_ACK as u8;
        request.0[6] = flags;
        let seq = self.send(request)?;
        let mut room = Vec::new();
        loop {
            self.receive(&mut room)?;
            for (head, body) in messages(&room) {
                if head.seq == seq && head.kind == libc::NLMSG_ERROR as u16 {
                    return error(body);
                }
            }
        }
    }

    /// All that the OS has of a sort.
    pub fn dump(&mut self, kind: u16, body: &[u8]) -> io::Result<Vec<Record>> {
        for _ in 0..DUMP_TRIES {
            let request = Request::new(kind, libc::NLM_F_DUMP, body);
            if let Some(records) = self.dump_once(request)? {
                return Ok(records);
            }
        }
        Err(io::Error::other("the system's tables change all the time"))
    }

    fn dump_once(&mut self, request: Request) -> io::Result<Option<Vec<Record>>> {
        let seq = self.send(request)?;
        let (mut room, mut records, mut whole) = (Vec::new(), Vec::new(), true);
        loop {
            self.receive(&mut room)?;
            for (head, body) in messages(&room).filter(|(head, _)| head.seq == seq) {
                whole &= head.flags & NLM_F_DUMP_INTR == 0;
                match i32::from(head.kind) {
                    libc::NLMSG_DONE => return Ok(whole.then_some(records)),
                    libc::NLMSG_ERROR => error(body)?,
                    _ => records.push(Record {
                        kind: head.kind,
                        body: body.to_vec(),
                    }),
                }
            }
        }
    }

    /// The news that waits; `WouldBlock`: none does; another error: some was lost.
    pub fn news(&self) -> io::Result<Vec<Record>> {
        let mut room = Vec::new();
        self.receive(&mut room)?;
        let all = messages(&room).map(|(head, body)| Record {
            kind: head.kind,
            body: body.to_vec(),
        });
        Ok(all.collect())
    }
}

struct Head {
    kind: u16,
    flags: u16,
    seq: u32,
}

fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (Head, &[u8])> {
    std::iter::from_fn(move || {
        let len = word(bytes)? as usize;
        let half = |at: usize| Some(u16::from_ne_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let head = Head {
            kind: half(4)?,
            flags: half(6)?,
            seq: word(bytes.get(8..)?)?,
        };
        let body = bytes.get(HEADER..len)?;
        bytes = bytes.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((head, body))
    })
}

fn error(body: &[u8]) -> io::Result<()> {
    let code = word(body).unwrap_or(0) as i32;
    check(code).map_or_else(|_| Err(io::Error::from_raw_os_error(-code)), |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_again() {
        let bytes = Request::new(20, 0, &[2, 24, 0, 0, 1, 0, 0, 0])
            .attr(1, &[10, 0, 0, 1])
            .attr(3, b"v0\0")
            .nested(8, &[8, 0, 1, 0, 7, 0, 0, 0])
            .finish(5);
        assert_eq!(bytes.len() % 4, 0);
        let (head, body) = messages(&bytes).next().expect("one");
        assert_eq!((head.kind, head.seq), (20, 5));
        let body = &body[8..];
        assert_eq!(attr(body, 3), Some(&b"v0\0"[..]));
        let inner = attr(body, 8).expect("nested");
        assert_eq!(attr(inner, 1).and_then(word), Some(7));
        assert_eq!(attr(body, 9), None);
        // Cut anywhere, nothing breaks.
        for len in 0..bytes.len() {
            messages(&bytes[..len]).for_each(|(_, body)| attrs(body).for_each(drop));
            attrs(&bytes[..len]).for_each(drop);
        }
    }

    #[test]
    fn the_loopback_is_found() {
        let mut netlink = Netlink::open().expect("a socket");
        let links = netlink.dump(libc::RTM_GETLINK, &[0; 16]).expect("links");
        let name = |r: &Record| attr(r.body.get(16..)?, libc::IFLA_IFNAME).map(<[u8]>::to_vec);
        assert!(links.iter().any(|r| name(r).as_deref() == Some(b"lo\0")));
        let e = netlink.change(Request::new(libc::RTM_DELLINK, 0, &[0; 16]));
        assert!(e.expect_err("no such link").raw_os_error().is_some());
    }
}
