// SPDX-License-Identifier: BSD-2-Clause
//! A header made once per configuration and copied before each packet.

use super::cookie::Cookie;
use super::header::{Layout, MAX_HEADER, SessionId};
use crate::error::Short;
use core::fmt;
use core::hint::black_box;
use zerocopy::IntoBytes;

/// The header of every packet that a session sends, ready to copy. Holds the peer's cookie.
#[derive(Clone)]
pub struct Template {
    bytes: [u8; MAX_HEADER],
    /// At most `MAX_HEADER`.
    len: u8,
}

impl Template {
    /// The header for a session; a sublayer is sent without a sequence number.
    ///
    /// `session` and `cookie` are those that the peer expects.
    pub fn new(layout: Layout, session: SessionId, cookie: &Cookie) -> Template {
        let mut bytes = [0; MAX_HEADER];
        // Room for the longest header: this cannot fail, and if it did nothing would be sent.
        let len = match layout.emit(session, cookie, None, &mut bytes) {
            Ok(()) => layout.header_len(cookie.len()) as u8,
            Err(Short) => 0,
        };
        Template { bytes, len }
    }

    /// Bytes in the header.
    pub const fn header_len(&self) -> usize {
        self.len as usize
    }

    /// The header.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.header_len()).unwrap_or(&[])
    }

    /// Copies the header to the front of `out`.
    #[inline]
    pub fn write(&self, out: &mut [u8]) -> Result<(), Short> {
        self.as_bytes().write_to_prefix(out).map_err(|_| Short)
    }

    /// Overwrites the header with zero, for the cookie's sake; within the limits that
    /// [`Cookie::clear`] states. The template has no length afterwards.
    pub fn clear(&mut self) {
        self.bytes = [0; MAX_HEADER];
        self.len = 0;
        black_box(&mut self.bytes);
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({} bytes)", self.len)
    }
}
