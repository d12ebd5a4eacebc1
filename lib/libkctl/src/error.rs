// SPDX-License-Identifier: BSD-2-Clause
//! What can go wrong on the way into a kernel.

use crate::Errno;
use std::{error, fmt, io};

/// A `Result` of this crate.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a call did not do what it should.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The kernel said no; `text` is its sentence about it, or "".
    Errno {
        /// The number.
        errno: Errno,
        /// What the kernel added.
        text: String,
    },
    /// The kernel could not be reached.
    Open {
        /// As given with -K.
        spec: String,
        /// What went wrong.
        why: io::Error,
    },
    /// The connection broke.
    Io(io::Error),
    /// The other side does not speak as it should.
    Protocol(String),
    /// An argument that no kernel needs to see to refuse it.
    Argument(String),
}

impl Error {
    /// The kernel's error number, when it was the kernel that refused.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Errno { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Errno { errno, text } if text.is_empty() => write!(f, "{errno}"),
            Error::Errno { text, .. } => f.write_str(text),
            Error::Open { spec, why } => {
                write!(f, "{spec}: {why}")?;
                if why.kind() == io::ErrorKind::NotFound
                    || why.kind() == io::ErrorKind::ConnectionRefused
                {
                    f.write_str("; is hostkern running? Name its socket with -K unix:PATH")?;
                }
                Ok(())
            }
            Error::Io(why) => write!(f, "connection to the kernel: {why}"),
            Error::Protocol(what) => write!(f, "connection to the kernel: {what}"),
            Error::Argument(what) => f.write_str(what),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Open { why, .. } | Error::Io(why) => Some(why),
            _ => None,
        }
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Error::Errno {
            errno,
            text: String::new(),
        }
    }
}

impl From<io::Error> for Error {
    fn from(why: io::Error) -> Self {
        Error::Io(why)
    }
}
