// SPDX-License-Identifier: BSD-2-Clause
//! What a line of ifconfig(8) asks for, after it was parsed: nothing in here can be out of range.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

/// One line: an interface and what to do with it, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// "l2tp0"; with [`Action::Create`] also "l2tp".
    pub target: String,
    /// In the order given.
    pub actions: Vec<Action>,
}

/// One end of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Outer address.
    pub addr: IpAddr,
    /// UDP port, where one was given.
    pub port: Option<u16>,
}

/// What carries the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encap {
    /// Directly over IP.
    Ip,
    /// Over UDP.
    Udp,
}

/// One verb with its arguments.
#[derive(Clone, PartialEq, Eq)]
pub enum Action {
    /// `create`
    Create,
    /// `destroy`
    Destroy,
    /// `tunnel`; both of one family, both with a port or neither.
    Tunnel {
        /// This end.
        src: Endpoint,
        /// The other end.
        dst: Endpoint,
    },
    /// `deletetunnel`
    DeleteTunnel,
    /// `session`
    Session {
        /// In packets that come in.
        my: NonZeroU32,
        /// In packets that go out.
        peer: NonZeroU32,
    },
    /// `deletesession`
    DeleteSession,
    /// `cookie`; lengths are 0, 4 or 8, and the numbers fit them.
    Cookie {
        /// Bytes.
        my_len: u32,
        /// In packets that come in.
        my: u64,
        /// Bytes.
        peer_len: u32,
        /// In packets that go out.
        peer: u64,
    },
    /// `deletecookie`
    DeleteCookie,
    /// `encap`
    Encap(Encap),
    /// `sublayer`: the default one, or none.
    Sublayer(bool),
    /// `mtu`, in bytes
    Mtu(u32),
    /// `up` and `down`
    Up(bool),
    /// `name`
    Name(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{},{port}", self.addr),
            None => write!(f, "{}", self.addr),
        }
    }
}

impl Encap {
    /// "ip" or "udp"
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Encap::Ip => "ip",
            Encap::Udp => "udp",
        }
    }
}

/// As it was written, but for cookies, which are nobody else's business.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Create => f.write_str("create"),
            Action::Destroy => f.write_str("destroy"),
            Action::Tunnel { src, dst } => write!(f, "tunnel {src} {dst}"),
            Action::DeleteTunnel => f.write_str("deletetunnel"),
            Action::Session { my, peer } => write!(f, "session {my} {peer}"),
            Action::DeleteSession => f.write_str("deletesession"),
            Action::Cookie {
                my_len, peer_len, ..
            } => write!(f, "cookie {my_len} ... {peer_len} ..."),
            Action::DeleteCookie => f.write_str("deletecookie"),
            Action::Encap(encap) => write!(f, "encap {}", encap.name()),
            Action::Sublayer(true) => f.write_str("sublayer default"),
            Action::Sublayer(false) => f.write_str("sublayer none"),
            Action::Mtu(mtu) => write!(f, "mtu {mtu}"),
            Action::Up(true) => f.write_str("up"),
            Action::Up(false) => f.write_str("down"),
            Action::Name(name) => write!(f, "name {name}"),
        }
    }
}

/// As [`Display`](fmt::Display), so that no log gets cookies by accident.
impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
