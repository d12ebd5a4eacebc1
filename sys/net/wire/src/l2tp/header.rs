// SPDX-License-Identifier: BSD-2-Clause
//! What stands before the payload of a data message, read and written.

use super::cookie::{Cookie, CookieLen};
use crate::error::{Error, Short};
use core::fmt;
use core::num::NonZeroU32;

/// Bytes that [`Message::parse`] looks at, at most: see [`Encap::base_len`].
pub const BASE_MAX: usize = 8;
/// Bytes in the longest header: over UDP, with a cookie of 8 bytes and a sublayer.
pub const MAX_HEADER: usize = 20;
/// The sequence number of the Default L2-Specific Sublayer has 24 bits.
pub const SEQUENCE_MASK: u32 = 0x00ff_ffff;

/// T: the message is a control message (3.2.1).
const FLAG_CONTROL: u16 = 0x8000;
const VERSION_MASK: u16 = 0x000f;
const VERSION: u16 = 3;
/// S, of the Default L2-Specific Sublayer: the sequence number counts (4.6).
const FLAG_SEQUENCE: u32 = 0x4000_0000;
const SUBLAYER_LEN: usize = 4;

/// Names a session at the end that receives it. 0 is reserved for control messages (4.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(NonZeroU32);

impl SessionId {
    /// The session with this number, `None` for 0.
    pub const fn new(id: u32) -> Option<SessionId> {
        match NonZeroU32::new(id) {
            Some(id) => Some(SessionId(id)),
            None => None,
        }
    }

    /// The number, in host order.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What carries the messages of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encap {
    /// IP protocol 115 (4.1.1).
    Ip,
    /// UDP (4.1.2).
    Udp,
}

impl Encap {
    /// Bytes up to and with the session id: what [`Message::parse`] needs contiguous.
    pub const fn base_len(self) -> usize {
        match self {
            Encap::Ip => 4,
            Encap::Udp => 8,
        }
    }
}

/// Whether a Default L2-Specific Sublayer stands before the payload (4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sublayer {
    /// None.
    #[default]
    None,
    /// The default one, 4 bytes.
    Default,
}

impl Sublayer {
    /// Bytes on the wire.
    pub const fn bytes(self) -> usize {
        match self {
            Sublayer::None => 0,
            Sublayer::Default => SUBLAYER_LEN,
        }
    }
}

/// A message as far as it can be read without knowing its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A control message, which is for a daemon.
    Control {
        /// Where the control message header (3.2.1), with its T bit, starts.
        at: usize,
    },
    /// A data message.
    Data {
        /// Our name for the session.
        session: SessionId,
        /// Where the cookie starts if the session has one, and so on: give [`Layout::open`]
        /// what is from here on.
        at: usize,
    },
}

impl Message {
    /// Reads what is behind the outer IP or UDP header, up to and with the session id.
    ///
    /// Over UDP the version must be 3, also of a control message; the other flags and the
    /// reserved bytes are ignored, as 4.1.2.1 wants it. The session id 0 makes a control message
    /// over IP; over UDP the T bit does, and a session id 0 is [`Error::BadSession`].
    #[inline]
    pub fn parse(b: &[u8], encap: Encap) -> Result<Message, Error> {
        let rest = match encap {
            Encap::Ip => b,
            Encap::Udp => {
                let (&[high, low, _, _], rest) = b.split_first_chunk().ok_or(Error::Short)?;
                let word = u16::from_be_bytes([high, low]);
                if word & VERSION_MASK != VERSION {
                    return Err(Error::BadVersion);
                }
                if word & FLAG_CONTROL != 0 {
                    return Ok(Message::Control { at: 0 });
                }
                rest
            }
        };
        let id = u32::from_be_bytes(*rest.first_chunk().ok_or(Error::Short)?);
        let at = encap.base_len();
        match (SessionId::new(id), encap) {
            (Some(session), _) => Ok(Message::Data { session, at }),
            (None, Encap::Ip) => Ok(Message::Control { at }),
            (None, Encap::Udp) => Err(Error::BadSession),
        }
    }
}

/// Why a data message was not let into its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It ends within the cookie or the sublayer.
    Short,
    /// The cookie is not the session's.
    Cookie,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Short => "message ends within cookie or sublayer",
            Refused::Cookie => "cookie is not the session's",
        })
    }
}

impl core::error::Error for Refused {}

/// A data message that its session accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Bytes of cookie and sublayer; the payload starts behind them.
    pub payload_at: usize,
    /// The sequence number, if there is a sublayer and it says that the number counts.
    pub sequence: Option<u32>,
}

/// The shape of the header in one direction of a session. The cookie brings its own length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What carries the messages.
    pub encap: Encap,
    /// Whether there is a sublayer.
    pub sublayer: Sublayer,
}

impl Layout {
    /// Bytes before the payload, with a cookie of length `cookie`: 4 to [`MAX_HEADER`].
    pub const fn header_len(self, cookie: CookieLen) -> usize {
        self.encap
            .base_len()
            .wrapping_add(cookie.bytes())
            .wrapping_add(self.sublayer.bytes())
    }

    /// Checks the cookie of a data message and finds its payload. `after` is what follows the
    /// session id; only the first [`CookieLen::bytes`] + [`Sublayer::bytes`] of it are looked at.
    ///
    /// The cookie is judged first: who does not know it learns nothing about the sublayer. The
    /// reserved bits of the sublayer are ignored, as 4.6 wants it.
    #[inline]
    pub fn open(self, cookie: &Cookie, after: &[u8]) -> Result<Opened, Refused> {
        let cookie_len = cookie.len().bytes();
        let (sent, rest) = after.split_at_checked(cookie_len).ok_or(Refused::Short)?;
        if !cookie.matches(sent) {
            return Err(Refused::Cookie);
        }
        let sequence = match self.sublayer {
            Sublayer::None => None,
            Sublayer::Default => {
                let word = u32::from_be_bytes(*rest.first_chunk().ok_or(Refused::Short)?);
                (word & FLAG_SEQUENCE != 0).then_some(word & SEQUENCE_MASK)
            }
        };
        Ok(Opened {
            payload_at: cookie_len.wrapping_add(self.sublayer.bytes()),
            sequence,
        })
    }

    /// Writes the header to the front of `out`. `session` and `cookie` are those that the peer
    /// expects; `sequence`, of which 24 bits are sent, needs a sublayer and is left out without one.
    /// If `out` is too short its content is not specified.
    pub fn emit(
        self,
        session: SessionId,
        cookie: &Cookie,
        sequence: Option<u32>,
        out: &mut [u8],
    ) -> Result<(), Short> {
        let out = match self.encap {
            Encap::Ip => out,
            Encap::Udp => {
                let (prefix, rest) = out.split_first_chunk_mut().ok_or(Short)?;
                let [high, low] = VERSION.to_be_bytes();
                *prefix = [high, low, 0, 0];
                rest
            }
        };
        let (id, out) = out.split_first_chunk_mut().ok_or(Short)?;
        *id = session.get().to_be_bytes();
        let out = cookie.put(out).ok_or(Short)?;
        if self.sublayer == Sublayer::Default {
            let word = sequence.map_or(0, |n| FLAG_SEQUENCE | (n & SEQUENCE_MASK));
            *out.first_chunk_mut().ok_or(Short)? = word.to_be_bytes();
        }
        Ok(())
    }
}

/// The published limits are those of the longest shape.
const _: () = {
    assert!(Encap::Udp.base_len() == BASE_MAX);
    let longest = Layout {
        encap: Encap::Udp,
        sublayer: Sublayer::Default,
    };
    assert!(longest.header_len(CookieLen::Eight) == MAX_HEADER);
};
