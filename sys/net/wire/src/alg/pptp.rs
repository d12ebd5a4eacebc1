// SPDX-License-Identifier: BSD-2-Clause
//! PPTP's control connection (RFC 2637, 2): messages, and the call ids in them.

use crate::bytes::{get16, get32};

/// The port of the control connection.
pub const PORT: u16 = 1723;
/// Bytes in the header of a control message.
pub const HEADER_LEN: usize = 12;
/// The longest control message.
pub const MAX_LEN: usize = 220;

const COOKIE: u32 = 0x1a2b_3c4d;
const TYPE_CONTROL: u16 = 1;
/// Where the first id stands, and the second if there is one.
const FIRST_AT: usize = 12;
const SECOND_AT: usize = 14;
/// Where the result code of a call's reply stands.
const RESULT_AT: usize = 16;

/// The types of control messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// Start-Control-Connection-Request.
    StartRequest = 1,
    /// Start-Control-Connection-Reply.
    StartReply = 2,
    /// Stop-Control-Connection-Request.
    StopRequest = 3,
    /// Stop-Control-Connection-Reply.
    StopReply = 4,
    /// Echo-Request.
    EchoRequest = 5,
    /// Echo-Reply.
    EchoReply = 6,
    /// Outgoing-Call-Request: the network server (client) calls.
    OutRequest = 7,
    /// Outgoing-Call-Reply.
    OutReply = 8,
    /// Incoming-Call-Request.
    InRequest = 9,
    /// Incoming-Call-Reply.
    InReply = 10,
    /// Incoming-Call-Connected.
    InConnected = 11,
    /// Call-Clear-Request.
    Clear = 12,
    /// Call-Disconnect-Notify.
    Disconnect = 13,
    /// WAN-Error-Notify.
    WanError = 14,
    /// Set-Link-Info.
    SetLink = 15,
}

/// A call id, and where it stands from the front of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    /// Offset of its two bytes.
    pub at: usize,
    /// The id.
    pub id: u16,
}

/// A control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type.
    pub kind: Kind,
    /// Bytes in it.
    pub len: usize,
    /// The id that its sender has given to the call: GRE packets to the sender carry it.
    pub own: Option<Id>,
    /// The id that its receiver has given: GRE packets to the receiver carry it.
    pub peer: Option<Id>,
    /// The result code of a call's reply: 1 means connected.
    pub result: Option<u8>,
}

/// What stands at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A message.
    Message(Message),
    /// A message whose end has not come.
    NeedMore,
    /// Not a control message: the stream cannot be followed from here.
    Bad,
}

impl Kind {
    const fn from_number(n: u16) -> Option<Kind> {
        Some(match n {
            1 => Kind::StartRequest,
            2 => Kind::StartReply,
            3 => Kind::StopRequest,
            4 => Kind::StopReply,
            5 => Kind::EchoRequest,
            6 => Kind::EchoReply,
            7 => Kind::OutRequest,
            8 => Kind::OutReply,
            9 => Kind::InRequest,
            10 => Kind::InReply,
            11 => Kind::InConnected,
            12 => Kind::Clear,
            13 => Kind::Disconnect,
            14 => Kind::WanError,
            15 => Kind::SetLink,
            _ => return None,
        })
    }

    /// Where the sender's own id stands, and where the receiver's.
    const fn ids(self) -> (Option<usize>, Option<usize>) {
        match self {
            Kind::OutReply | Kind::InReply => (Some(FIRST_AT), Some(SECOND_AT)),
            Kind::OutRequest | Kind::InRequest | Kind::Clear | Kind::Disconnect => {
                (Some(FIRST_AT), None)
            }
            Kind::InConnected | Kind::WanError | Kind::SetLink => (None, Some(FIRST_AT)),
            _ => (None, None),
        }
    }

    /// Bytes up to the last field that is read here.
    const fn least(self) -> usize {
        match self {
            Kind::OutReply | Kind::InReply => RESULT_AT + 1,
            _ => match self.ids() {
                (None, None) => HEADER_LEN,
                _ => FIRST_AT + 2,
            },
        }
    }
}

/// The message at the front of `b`; the next one is [`Message::len`] further.
pub fn parse(b: &[u8]) -> Next {
    // What is there is checked even if the rest has not come: a stream of something else must not
    // be waited for.
    let len = get16(b, 0).map(usize::from);
    if len.is_some_and(|n| !(HEADER_LEN..=MAX_LEN).contains(&n))
        || get16(b, 2).is_some_and(|t| t != TYPE_CONTROL)
        || get32(b, 4).is_some_and(|c| c != COOKIE)
    {
        return Next::Bad;
    }
    let (Some(len), Some(number)) = (len, get16(b, 8)) else {
        return Next::NeedMore;
    };
    let kind = match Kind::from_number(number) {
        Some(kind) if len >= kind.least() => kind,
        _ => return Next::Bad,
    };
    let Some(message) = b.get(..len) else {
        return Next::NeedMore;
    };
    let id = |at: Option<usize>| {
        let at = at?;
        let id = get16(message, at)?;
        Some(Id { at, id })
    };
    let (own, peer) = kind.ids();
    let result = match kind {
        Kind::OutReply | Kind::InReply => message.get(RESULT_AT).copied(),
        _ => None,
    };
    Next::Message(Message {
        kind,
        len,
        own: id(own),
        peer: id(peer),
        result,
    })
}
