// SPDX-License-Identifier: BSD-2-Clause
//! Error numbers as the kpi has them, and the way to and from the OS's.
//!
//! *Contexts*: any.

use std::fmt;
use std::io;

/// A positive `KPI_E*`; the BSDs' numbers, whatever the OS below says.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident $kpi:ident $text:literal)*) => {
        impl Errno {
            $(#[doc = $text] pub const $name: Errno = Errno(kpi_sys::$kpi as i32);)*

            fn lookup(self) -> Option<(&'static str, &'static str)> {
                match self {
                    $(Errno::$name => Some((stringify!($name), $text)),)*
                    _ => None,
                }
            }

            /// The OS's number for it; `EIO` where the kpi has one that the OS lacks.
            pub fn to_os(self) -> i32 {
                match self {
                    $(Errno::$name => libc::$name,)*
                    _ => libc::EIO,
                }
            }

            /// From the OS's number; what the kpi does not know becomes [`Errno::EIO`].
            pub fn from_os(os: i32) -> Errno {
                match os {
                    $(libc::$name => Errno::$name,)*
                    _ => Errno::EIO,
                }
            }
        }
    };
}

errnos! {
    EPERM KPI_EPERM "operation not permitted"
    ENOENT KPI_ENOENT "no such file or directory"
    EINTR KPI_EINTR "interrupted system call"
    EIO KPI_EIO "input/output error"
    ENXIO KPI_ENXIO "device not configured"
    ENOMEM KPI_ENOMEM "cannot allocate memory"
    EACCES KPI_EACCES "permission denied"
    EFAULT KPI_EFAULT "bad address"
    EBUSY KPI_EBUSY "device busy"
    EEXIST KPI_EEXIST "file exists"
    ENODEV KPI_ENODEV "operation not supported by device"
    EINVAL KPI_EINVAL "invalid argument"
    ENOTTY KPI_ENOTTY "inappropriate ioctl for device"
    ENOSPC KPI_ENOSPC "no space left on device"
    ERANGE KPI_ERANGE "result too large or too small"
    EAGAIN KPI_EAGAIN "resource temporarily unavailable"
    EMSGSIZE KPI_EMSGSIZE "message too long"
    EPROTONOSUPPORT KPI_EPROTONOSUPPORT "protocol not supported"
    EOPNOTSUPP KPI_EOPNOTSUPP "operation not supported"
    EAFNOSUPPORT KPI_EAFNOSUPPORT "address family not supported"
    EADDRINUSE KPI_EADDRINUSE "address already in use"
    EADDRNOTAVAIL KPI_EADDRNOTAVAIL "cannot assign requested address"
    ENETDOWN KPI_ENETDOWN "network is down"
    ENETUNREACH KPI_ENETUNREACH "network is unreachable"
    ENOBUFS KPI_ENOBUFS "no buffer space available"
    EISCONN KPI_EISCONN "already connected"
    ENOTCONN KPI_ENOTCONN "not connected"
    ETIMEDOUT KPI_ETIMEDOUT "timed out"
    ELOOP KPI_ELOOP "too many levels of nesting"
    EHOSTUNREACH KPI_EHOSTUNREACH "no route to host"
}

impl Errno {
    /// What a kpi function returned: 0 or a positive number.
    pub fn check(ret: i32) -> Result<(), Errno> {
        if ret == 0 { Ok(()) } else { Err(Errno(ret)) }
    }

    /// What a kpi function is to return.
    pub fn ret(result: Result<(), Errno>) -> i32 {
        result.map_or_else(|e| e.0, |()| 0)
    }

    /// The name, such as `EINVAL`; `E?` for a number that the kpi does not know.
    pub fn name(self) -> &'static str {
        self.lookup().map_or("E?", |(name, _)| name)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lookup() {
            Some((name, text)) => write!(f, "{name}: {text}"),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl std::error::Error for Errno {}

impl From<io::Error> for Errno {
    fn from(e: io::Error) -> Errno {
        e.raw_os_error().map_or(Errno::EIO, Errno::from_os)
    }
}

impl From<Errno> for io::Error {
    fn from(e: Errno) -> io::Error {
        io::Error::from_raw_os_error(e.to_os())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kpis_and_names_the_oss() {
        assert_eq!(Errno::EADDRINUSE.0, 48);
        assert_eq!(Errno::from_os(libc::EADDRINUSE), Errno::EADDRINUSE);
        assert_eq!(Errno::EADDRINUSE.to_os(), libc::EADDRINUSE);
        assert_eq!(Errno::EINVAL.to_string(), "EINVAL: invalid argument");
        assert_eq!(Errno(999).to_string(), "error 999");
        assert_eq!(Errno::from_os(libc::EXDEV), Errno::EIO);
        assert_eq!(Errno::check(22), Err(Errno::EINVAL));
        assert_eq!(Errno::ret(Err(Errno::ELOOP)), 62);
    }
}
