// SPDX-License-Identifier: BSD-2-Clause
//! L2TPv3 data messages (RFC 3931), over IP protocol 115 and over UDP.
//!
//! ```text
//!            IP (4.1.1.1)             UDP (4.1.2.1)
//!                                     flags and version, reserved    4
//!            session id               session id                     4
//!            cookie                   cookie                         0, 4 or 8
//!            sublayer (4.6)           sublayer                       0 or 4
//!            payload: an Ethernet frame (RFC 4719)
//! ```
//!
//! How long the cookie is and whether there is a sublayer is not on the wire: both ends have
//! agreed on it for the session. So a message is read in two steps: [`Message::parse`] finds the
//! session id, and, once the session has been looked up, its [`Layout::open`] checks the cookie and
//! finds the payload.

mod cookie;
mod header;
mod template;

pub use cookie::{Cookie, CookieLen};
pub use header::{
    BASE_MAX, Encap, Layout, MAX_HEADER, Message, Opened, Refused, SEQUENCE_MASK, SessionId,
    Sublayer,
};
pub use template::Template;

/// The IP protocol number of L2TPv3.
pub const IPPROTO_L2TP: u8 = 115;
/// The registered UDP port of L2TP.
pub const UDP_PORT: u16 = 1701;
