// SPDX-License-Identifier: BSD-2-Clause
//! FTP's control connection: PORT and the reply to PASV (RFC 959), EPRT and the reply to EPSV
//! (RFC 2428).

mod lines;
mod text;

use crate::packet::Af;

pub use lines::{Lines, Step};
pub use text::{MAX_TEXT, emit, line};

/// The longest line that is looked at; the RFCs need 67.
pub const MAX_LINE: usize = 128;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client: commands.
    Client,
    /// The server: replies.
    Server,
}

/// Which of the four says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `PORT h1,h2,h3,h4,p1,p2`: the client listens.
    Port,
    /// `EPRT |af|address|port|`: the client listens.
    Eprt,
    /// `227 ... (h1,h2,h3,h4,p1,p2)`: the server listens.
    Pasv,
    /// `229 ... (|||port|)`: the server listens, at the address of the control connection.
    Epsv,
}

/// An endpoint that will take the data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What says it.
    pub kind: Kind,
    /// Family and address; `None` of [`Kind::Epsv`].
    pub addr: Option<(Af, u128)>,
    /// Port.
    pub port: u16,
    /// Where the text to replace starts, counted from the line's first byte: what [`emit`] writes
    /// stands in its place.
    pub at: usize,
    /// Its length.
    pub len: usize,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Nothing of interest, whatever follows.
    No,
    /// It may still become one of the four: its end has not come.
    NeedMore,
    /// One of the four.
    Found(Found),
    /// It begins as one of the four, and is malformed.
    Bad,
}
