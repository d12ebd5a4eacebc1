// SPDX-License-Identifier: BSD-2-Clause
//! The few system calls that doors need, with lengths and lifetimes checked.
//!
//! *Contexts*: as the callers say. *Locking*: none.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Not in the libc crate (linux/in.h).
const IP_MTU: libc::c_int = 14;

/// 0 or more: fine. -1: what errno says.
pub fn check(ret: libc::c_int) -> io::Result<libc::c_int> {
    if ret < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(ret)
    }
}

/// 0 or more: so many bytes. -1: what errno says.
pub fn check_len(ret: isize) -> io::Result<usize> {
    usize::try_from(ret).map_err(|_| io::Error::last_os_error())
}

/// socket(2), closed on exec.
pub fn socket(family: i32, kind: i32, proto: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, proto) })?;
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// setsockopt(2) with a value that has no padding and no pointers.
pub fn set_option<T: Copy>(fd: BorrowedFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let value_at = std::ptr::from_ref(value).cast();
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: value has len bytes and outlives the call.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value_at, len) }).map(drop)
}

/// ioctl(2) whose argument is a struct that is read, written, or both.
///
/// # Safety
///
/// `request` takes a pointer to a `T`.
pub unsafe fn ioctl<T>(fd: BorrowedFd, request: libc::c_ulong, arg: &mut T) -> io::Result<i32> {
    // SAFETY: by the caller's word; arg is ours for the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request as _, std::ptr::from_mut(arg)) })
}

/// ioctl(2) whose argument is a number.
///
/// # Safety
///
/// `request` takes a number, not a pointer.
pub unsafe fn ioctl_value(fd: BorrowedFd, request: libc::c_ulong, arg: u32) -> io::Result<i32> {
    // SAFETY: by the caller's word.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request as _, libc::c_ulong::from(arg)) })
}

/// An IPv4 or IPv6 address with its port as the OS takes it.
#[derive(Clone, Copy)]
pub struct SockAddr {
    storage: libc::sockaddr_in6,
    len: libc::socklen_t,
}

impl SockAddr {
    /// From a family of the kpi, an address in network order and a port in host order; `None`
    /// for another family.
    pub fn new(af: u32, addr: &[u8; 16], port: u16) -> Option<SockAddr> {
        let mut storage = empty_name();
        let len = match af {
            kpi_sys::KPI_AF_INET => {
                // SAFETY: zeros are a valid sockaddr_in.
                let mut v4: libc::sockaddr_in = unsafe { std::mem::zeroed() };
                v4.sin_family = libc::AF_INET as _;
                v4.sin_port = port.to_be();
                let [a, b, c, d, ..] = *addr;
                v4.sin_addr.s_addr = u32::from_ne_bytes([a, b, c, d]);
                // SAFETY: a sockaddr_in6 is larger than a sockaddr_in and at least as aligned.
                unsafe {
                    std::ptr::from_mut(&mut storage)
                        .cast::<libc::sockaddr_in>()
                        .write(v4)
                };
                size_of::<libc::sockaddr_in>()
            }
            kpi_sys::KPI_AF_INET6 => {
                storage.sin6_family = libc::AF_INET6 as _;
                storage.sin6_port = port.to_be();
                storage.sin6_addr.s6_addr = *addr;
                size_of::<libc::sockaddr_in6>()
            }
            _ => return None,
        };
        Some(SockAddr {
            storage,
            len: len as libc::socklen_t,
        })
    }

    /// Itself with a port where it has none: connect(2) of a datagram socket wants one.
    pub fn with_port(mut self) -> SockAddr {
        if self.storage.sin6_port == 0 {
            // At the same place in a sockaddr_in.
            self.storage.sin6_port = 9u16.to_be();
        }
        self
    }

    /// For calls that take an address.
    pub fn as_ptr(&self) -> *const libc::sockaddr {
        std::ptr::from_ref(&self.storage).cast()
    }

    /// Its length.
    pub fn len(&self) -> libc::socklen_t {
        self.len
    }
}

impl std::fmt::Debug for SockAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", name_of(&self.storage))
    }
}

/// Room for the sender's address in recvmsg(2).
pub fn empty_name() -> libc::sockaddr_in6 {
    // SAFETY: zeros are a valid sockaddr_in6.
    unsafe { std::mem::zeroed() }
}

/// Address in network order and port in host order of what recvmsg(2) put there.
pub fn name_of(name: &libc::sockaddr_in6) -> ([u8; 16], u16) {
    if i32::from(name.sin6_family) == libc::AF_INET6 {
        return (name.sin6_addr.s6_addr, u16::from_be(name.sin6_port));
    }
    // SAFETY: smaller, no more aligned, and any bytes are a valid sockaddr_in.
    let v4 = unsafe { std::ptr::from_ref(name).cast::<libc::sockaddr_in>().read() };
    let mut addr = [0; 16];
    addr[..4].copy_from_slice(&v4.sin_addr.s_addr.to_ne_bytes());
    (addr, u16::from_be(v4.sin_port))
}

/// bind(2).
pub fn bind(fd: BorrowedFd, addr: &SockAddr) -> io::Result<()> {
    // SAFETY: the address has that length and outlives the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), addr.as_ptr(), addr.len()) }).map(drop)
}

/// getsockopt(2) of a number.
pub fn option(fd: BorrowedFd, level: i32, name: i32) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    let (fd, at) = (fd.as_raw_fd(), std::ptr::from_mut(&mut value).cast());
    // SAFETY: value and len outlive the call.
    check(unsafe { libc::getsockopt(fd, level, name, at, &mut len) })?;
    Ok(value)
}

/// The MTU of the route from `src` to `dst`, both with any port: what the system knows now.
pub fn path_mtu(src: &SockAddr, dst: &SockAddr) -> io::Result<usize> {
    let family = i32::from(src.storage.sin6_family);
    let fd = socket(family, libc::SOCK_DGRAM, 0)?;
    bind(fd.as_fd(), src)?;
    let (raw, at, len) = (fd.as_raw_fd(), dst.as_ptr(), dst.len());
    // SAFETY: the address has that length and outlives the call.
    check(unsafe { libc::connect(raw, at, len) })?;
    let (level, name) = if family == libc::AF_INET6 {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU)
    } else {
        (libc::IPPROTO_IP, IP_MTU)
    };
    option(fd.as_fd(), level, name).map(|mtu| mtu.max(0) as usize)
}

/// Wait until `fd` takes output again, `ms` milliseconds at most; false: it does not.
pub fn wait_writable(fd: BorrowedFd, ms: i32) -> bool {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one entry, which outlives the call.
    matches!(check(unsafe { libc::poll(&mut poll, 1, ms) }), Ok(n) if n > 0)
}

/// Room for control messages, aligned as they need it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Control {
    bytes: [u8; Control::ROOM],
    used: usize,
}

impl Control {
    /// Bytes of room: two small messages in either direction.
    pub const ROOM: usize = 64;

    /// Nothing in it.
    pub const fn new() -> Control {
        Control {
            bytes: [0; Control::ROOM],
            used: 0,
        }
    }

    /// Bytes in use.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Forget all messages.
    /// For a msghdr.
    pub fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.bytes.as_mut_ptr().cast()
    }

    /// Add a message; what does not fit is a bug, and left out.
    pub fn push(&mut self, level: i32, kind: i32, value: &[u8]) {
        const HEAD: usize = size_of::<libc::cmsghdr>();
        let len = HEAD + value.len();
        let space = len.next_multiple_of(size_of::<usize>());
        let Some(room) = self.bytes.get_mut(self.used..self.used + space) else {
            return;
        };
        let (word, rest) = room.split_at_mut(size_of::<usize>());
        word.copy_from_slice(&len.to_ne_bytes());
        rest[..4].copy_from_slice(&level.to_ne_bytes());
        rest[4..8].copy_from_slice(&kind.to_ne_bytes());
        rest[8..8 + value.len()].copy_from_slice(value);
        self.used += space;
    }

    /// The 32-bit value of the message of this kind among the first `len` bytes.
    pub fn find(&self, len: usize, level: i32, kind: i32) -> Option<i32> {
        let mut rest = self.bytes.get(..len)?;
        loop {
            let size = usize::from_ne_bytes(rest.get(..8)?.try_into().ok()?);
            let word = |at: usize| Some(i32::from_ne_bytes(rest.get(at..at + 4)?.try_into().ok()?));
            if word(8)? == level && word(12)? == kind && size >= 20 {
                return word(16);
            }
            rest = rest.get(size.max(16).next_multiple_of(8)..)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_messages_are_found_again() {
        let mut control = Control::new();
        control.push(17, 103, &1448u16.to_ne_bytes());
        control.push(0, 2, &64i32.to_ne_bytes());
        assert_eq!(control.len(), 48);
        assert_eq!(control.find(48, 0, 2), Some(64));
        assert_eq!(control.find(48, 0, 3), None);
        // A value of two bytes is no 32-bit value.
        assert_eq!(control.find(48, 17, 103), None);
        assert_eq!(control.find(24, 0, 2), None);
    }

    #[test]
    fn addresses_survive() {
        let v4 = SockAddr::new(
            kpi_sys::KPI_AF_INET,
            &[10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            1701,
        );
        let v4 = v4.expect("IPv4");
        assert_eq!(
            (name_of(&v4.storage).0[..4].to_vec(), v4.len()),
            (vec![10, 1, 2, 3], 16)
        );
        let v6 = SockAddr::new(kpi_sys::KPI_AF_INET6, &[7; 16], 1701).expect("IPv6");
        assert_eq!((name_of(&v6.storage), v6.len()), (([7; 16], 1701), 28));
        assert!(SockAddr::new(99, &[0; 16], 0).is_none());
    }
}
