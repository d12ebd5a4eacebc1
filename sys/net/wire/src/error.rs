// SPDX-License-Identifier: BSD-2-Clause
//! Why bytes were not taken for a header, or found no room.

use core::fmt;

/// The slice has fewer bytes than the header needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

/// Why a parser refused its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The slice ends before the header does.
    Short,
    /// The version field names a protocol that this parser does not speak.
    BadVersion,
    /// A length field contradicts itself: it is smaller than the header that holds it.
    BadLength,
    /// An L2TP data message with the reserved session id 0 (RFC 3931, 4.1).
    BadSession,
}

impl From<Short> for Error {
    fn from(Short: Short) -> Self {
        Error::Short
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too few bytes for the header")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Short => "too few bytes for the header",
            Error::BadVersion => "version of another protocol",
            Error::BadLength => "length field smaller than its header",
            Error::BadSession => "session id 0 in a data message",
        })
    }
}

impl core::error::Error for Short {}
impl core::error::Error for Error {}
