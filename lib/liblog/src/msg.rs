// SPDX-License-Identifier: BSD-2-Clause
//! A message, as it is between being parsed and being stored.

use crate::pri::Pri;

/// When: both clocks, read once for a batch of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// Nanoseconds since 1970, UTC; jumps when somebody sets the clock.
    pub wall: i64,
    /// Nanoseconds since the system started; never goes back.
    pub mono: u64,
}

/// A message whose strings lie in the packet that it came in. Nothing of it is trusted: any byte
/// may be in any string but in `host`, `app`, `procid` and `msgid`, which have only printable ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msg<'a> {
    /// Facility and severity.
    pub pri: Pri,
    /// What the sender's clock said, in nanoseconds since 1970; `None` if it did not say.
    pub sent: Option<i64>,
    /// The name that the sender has for itself, or its address; empty: this host.
    pub host: &'a [u8],
    /// The program; RFC 3164 calls it the tag.
    pub app: &'a [u8],
    /// Its process id, as it says.
    pub procid: &'a [u8],
    /// What kind of message it is (RFC 5424).
    pub msgid: &'a [u8],
    /// Structured data as it is on the wire (RFC 5424, 6.3), `[id a="b"]...`; empty: none.
    pub sd: &'a [u8],
    /// The message; no new-line at its end.
    pub text: &'a [u8],
}

impl<'a> Msg<'a> {
    /// One that has nothing but a priority and a text.
    #[must_use]
    pub const fn bare(pri: Pri, text: &'a [u8]) -> Self {
        Msg {
            pri,
            sent: None,
            host: b"",
            app: b"",
            procid: b"",
            msgid: b"",
            sd: b"",
            text,
        }
    }
}
