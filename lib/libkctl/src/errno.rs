// SPDX-License-Identifier: BSD-2-Clause
//! Error numbers as kpi.h has them, with their symbol and a text.

use std::fmt;

/// A kernel's error number, in the kpi's (and the BSDs') numbering.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub u32);

macro_rules! errnos {
    ($($name:ident = $raw:literal, $text:literal;)+) => {
        impl Errno {
            $(#[doc = concat!("`", stringify!($name), "`: ", $text)]
            pub const $name: Errno = Errno($raw);)+

            /// Its symbol, as in "EINVAL"; "" when it has none here.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name),)+ _ => "" }
            }

            /// Its text, as in "invalid argument"; "" when it has none here.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Errno::$name => $text,)+ _ => "" }
            }
        }
    };
}

errnos! {
    EPERM = 1, "operation not permitted";
    ENOENT = 2, "no such file or directory";
    EINTR = 4, "interrupted system call";
    EIO = 5, "input/output error";
    ENXIO = 6, "device not configured";
    ENOMEM = 12, "cannot allocate memory";
    EACCES = 13, "permission denied";
    EFAULT = 14, "bad address";
    EBUSY = 16, "device busy";
    EEXIST = 17, "already exists";
    ENODEV = 19, "operation not supported by device";
    EINVAL = 22, "invalid argument";
    ENOTTY = 25, "the interface has no such command";
    ENOSPC = 28, "no space left";
    ERANGE = 34, "result too large";
    EAGAIN = 35, "resource temporarily unavailable";
    EMSGSIZE = 40, "message too long";
    EPROTONOSUPPORT = 43, "protocol not supported";
    EOPNOTSUPP = 45, "operation not supported";
    EAFNOSUPPORT = 47, "address family not supported";
    EADDRINUSE = 48, "address already in use";
    EADDRNOTAVAIL = 49, "cannot assign requested address";
    ENETDOWN = 50, "network is down";
    ENETUNREACH = 51, "network is unreachable";
    ENOBUFS = 55, "no buffer space available";
    EISCONN = 56, "already connected";
    ENOTCONN = 57, "not connected";
    ETIMEDOUT = 60, "operation timed out";
    ELOOP = 62, "too many levels of nesting";
    EHOSTUNREACH = 65, "no route to host";
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "" => write!(f, "error {}", self.0),
            name => write!(f, "{} ({name})", self.text()),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_numbers_have_a_text() {
        assert_eq!(Errno::EEXIST.to_string(), "already exists (EEXIST)");
        assert_eq!(Errno(4242).to_string(), "error 4242");
    }
}
