// SPDX-License-Identifier: BSD-2-Clause
//! Datagrams in batches, into buffers that are there from the start: recvmmsg(2).

use std::io;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::SocketAddrV6;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::ptr;

/// Room for a `sockaddr_storage`, aligned as one.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Name([u8; 128]);

/// Room for one SCM_CREDENTIALS of Linux and not a byte more: for descriptors that somebody sends
/// along there is none left, so they are not received.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 32]);

/// Buffers for a number of datagrams.
pub struct Batch {
    size: usize,
    bytes: Vec<u8>,
    names: Vec<Name>,
    controls: Vec<Control>,
    slices: Vec<libc::iovec>,
    heads: Vec<libc::mmsghdr>,
    got: usize,
}

/// The process that sent a datagram over a Unix socket, as its kernel says (Linux only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Process id; 0 if it is of another pid namespace.
    pub pid: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// One datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// It was longer than the buffer; the rest is lost.
    pub cut: bool,
    /// Where it came from, if that was an internet socket.
    pub from: Option<SocketAddr>,
    /// Which process it came from, if the socket was asked to say so ([`pass_senders`]).
    pub sender: Option<Sender>,
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// An address as the kernel wrote it; the offsets are the same on the three systems.
fn address(name: &[u8]) -> Option<SocketAddr> {
    // Linux has two bytes of family there, the BSDs the length and the family.
    let family = if cfg!(target_os = "linux") {
        i32::from(u16::from_ne_bytes(part(name, 0)?))
    } else {
        i32::from(*name.get(1)?)
    };
    let port = u16::from_be_bytes(part(name, 2)?);
    match family {
        libc::AF_INET => {
            let ip = Ipv4Addr::from(part::<4>(name, 4)?);
            Some(SocketAddr::from((ip, port)))
        }
        libc::AF_INET6 => {
            let flow = u32::from_be_bytes(part(name, 4)?);
            let ip = Ipv6Addr::from(part::<16>(name, 8)?);
            let scope = u32::from_ne_bytes(part(name, 24)?);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope)))
        }
        _ => None,
    }
}

/// What SCM_CREDENTIALS says; a sender that is not ours to see has none.
#[cfg(target_os = "linux")]
fn sender(control: &[u8]) -> Option<Sender> {
    let at = size_of::<usize>();
    let level = i32::from_ne_bytes(part(control, at)?);
    let kind = i32::from_ne_bytes(part(control, at + 4)?);
    if level != libc::SOL_SOCKET || kind != libc::SCM_CREDENTIALS {
        return None;
    }
    let word = |n: usize| part(control, at + 8 + 4 * n).map(u32::from_ne_bytes);
    Some(Sender {
        pid: word(0)?,
        uid: word(1)?,
        gid: word(2)?,
    })
}

#[cfg(not(target_os = "linux"))]
fn sender(_control: &[u8]) -> Option<Sender> {
    None
}

/// Asks the kernel to say with each datagram of a Unix socket which process sent it. Only Linux
/// does; elsewhere nothing happens.
///
/// # Errors
/// As setsockopt(2).
pub fn pass_senders(socket: BorrowedFd<'_>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::PassCred, &true)?;
    let _ = socket;
    Ok(())
}

impl Batch {
    /// For `count` datagrams of `size` bytes. Memory that no datagram touched takes no room.
    #[must_use]
    pub fn new(count: usize, size: usize) -> Batch {
        let count = count.clamp(1, 1024);
        let size = size.clamp(1, 1 << 20);
        // SAFETY: these are numbers and null pointers, for which zero bytes are values.
        let head: libc::mmsghdr = unsafe { std::mem::zeroed() };
        let empty = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        Batch {
            size,
            bytes: vec![0; count * size],
            names: vec![Name([0; 128]); count],
            controls: vec![Control([0; 32]); count],
            slices: vec![empty; count],
            heads: vec![head; count],
            got: 0,
        }
    }

    /// How many datagrams it has room for.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// How long each may be.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Points the headers to the buffers, which may have moved with the rest since.
    fn prepare(&mut self) {
        let buffers = self.bytes.chunks_exact_mut(self.size);
        let rooms = self.names.iter_mut().zip(self.controls.iter_mut());
        let heads = self.heads.iter_mut().zip(self.slices.iter_mut());
        for (((head, slice), (name, control)), buffer) in heads.zip(rooms).zip(buffers) {
            slice.iov_base = buffer.as_mut_ptr().cast();
            slice.iov_len = buffer.len();
            let h = &mut head.msg_hdr;
            h.msg_iov = ptr::from_mut(slice);
            h.msg_iovlen = 1;
            // A Unix socket without a name leaves it as it is.
            name.0[..2].fill(0);
            h.msg_name = name.0.as_mut_ptr().cast();
            h.msg_namelen = 128;
            h.msg_flags = 0;
            if cfg!(target_os = "linux") {
                h.msg_control = control.0.as_mut_ptr().cast();
                h.msg_controllen = 32;
            } else {
                h.msg_control = ptr::null_mut();
                h.msg_controllen = 0;
            }
            head.msg_len = 0;
        }
    }

    /// Receives what has come, as many datagrams as there are buffers at most; how many. Those of
    /// before are gone.
    ///
    /// # Errors
    /// As recvmmsg(2): `WouldBlock` when there is none.
    #[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)]
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.got = 0;
        self.prepare();
        let count = self.heads.len();
        loop {
            // The types of the arguments and of the result differ between the systems.
            // SAFETY: the headers point to buffers of this value, of the lengths that they say,
            // and nobody else has a reference to those during the call.
            let n = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    self.heads.as_mut_ptr(),
                    count as _,
                    libc::MSG_DONTWAIT as _,
                    ptr::null_mut(),
                )
            };
            if let Ok(n) = usize::try_from(n as isize) {
                self.got = n.min(count);
                return Ok(self.got);
            }
            let e = io::Error::last_os_error();
            if e.kind() != io::ErrorKind::Interrupted {
                return Err(e);
            }
        }
    }

    /// One of those that the last call received.
    #[must_use]
    pub fn get(&self, n: usize) -> Option<Datagram<'_>> {
        if n >= self.got {
            return None;
        }
        let head = self.heads.get(n)?;
        let buffer = self.bytes.get(n * self.size..(n + 1) * self.size)?;
        let len = (head.msg_len as usize).min(buffer.len());
        let name = &self.names.get(n)?.0;
        let has_name = head.msg_hdr.msg_namelen >= 16;
        let control = &self.controls.get(n)?.0;
        // Its type differs between the systems.
        #[allow(clippy::unnecessary_cast)]
        let has_control = head.msg_hdr.msg_controllen as usize >= 28;
        Some(Datagram {
            bytes: buffer.get(..len)?,
            cut: head.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            from: if has_name { address(name) } else { None },
            sender: if has_control { sender(control) } else { None },
        })
    }
}

/// How many packets the kernel threw away because this socket's buffer was full; `None` where it
/// does not say (only Linux does).
#[must_use]
pub fn dropped(socket: BorrowedFd<'_>) -> Option<u32> {
    #[cfg(target_os = "linux")]
    {
        /// SK_MEMINFO_DROPS, the ninth word of SO_MEMINFO.
        const WORDS: usize = 9;
        let mut words = [0u32; WORDS];
        let mut len = libc::socklen_t::try_from(size_of_val(&words)).ok()?;
        // SAFETY: the array is as long as `len` says.
        let done = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                words.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        if done == 0 && len as usize == size_of_val(&words) {
            return words.last().copied();
        }
    }
    let _ = socket;
    None
}
