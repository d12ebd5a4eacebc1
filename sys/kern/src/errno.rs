// SPDX-License-Identifier: BSD-2-Clause
//! Error numbers of the control path, as kpi.h numbers them; the shims translate.

use core::fmt;

use kpi_sys as k;

/// A kernel error number, never 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(i32);

/// What a control-path function gives back.
pub type Result<T = (), E = Errno> = core::result::Result<T, E>;

macro_rules! errnos {
    ($($name:ident = $raw:ident;)+) => {
        impl Errno {
            $(#[doc = concat!("errno(2) `", stringify!($name), "`")]
            pub const $name: Errno = Errno(k::$raw as i32);)+

            /// The symbol, e.g. `"EINVAL"`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ _ => "E?" }
            }
        }
    };
}

errnos! {
    EPERM = KPI_EPERM;
    ENOENT = KPI_ENOENT;
    EINTR = KPI_EINTR;
    EIO = KPI_EIO;
    ENXIO = KPI_ENXIO;
    ENOMEM = KPI_ENOMEM;
    EACCES = KPI_EACCES;
    EFAULT = KPI_EFAULT;
    EBUSY = KPI_EBUSY;
    EEXIST = KPI_EEXIST;
    ENODEV = KPI_ENODEV;
    EINVAL = KPI_EINVAL;
    ENOTTY = KPI_ENOTTY;
    ENOSPC = KPI_ENOSPC;
    ERANGE = KPI_ERANGE;
    EAGAIN = KPI_EAGAIN;
    EMSGSIZE = KPI_EMSGSIZE;
    EPROTONOSUPPORT = KPI_EPROTONOSUPPORT;
    EOPNOTSUPP = KPI_EOPNOTSUPP;
    EAFNOSUPPORT = KPI_EAFNOSUPPORT;
    EADDRINUSE = KPI_EADDRINUSE;
    EADDRNOTAVAIL = KPI_EADDRNOTAVAIL;
    ENETDOWN = KPI_ENETDOWN;
    ENETUNREACH = KPI_ENETUNREACH;
    ENOBUFS = KPI_ENOBUFS;
    EISCONN = KPI_EISCONN;
    ENOTCONN = KPI_ENOTCONN;
    ETIMEDOUT = KPI_ETIMEDOUT;
    ELOOP = KPI_ELOOP;
    EHOSTUNREACH = KPI_EHOSTUNREACH;
}

impl Errno {
    /// The number that crosses the kpi.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// What a kpi function returned: 0 is success.
    pub const fn check(raw: i32) -> Result {
        if raw == 0 { Ok(()) } else { Err(Errno(raw)) }
    }

    /// An error that a kpi function stored; a 0 there would be a bug of the shim, seen as EIO.
    pub(crate) const fn stored(raw: i32) -> Errno {
        if raw == 0 { Errno::EIO } else { Errno(raw) }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

/// The value of an upcall that may fail, as the kpi wants it.
pub(crate) fn to_raw(r: Result) -> i32 {
    match r {
        Ok(()) => 0,
        Err(e) => e.0,
    }
}
