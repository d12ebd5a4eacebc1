// SPDX-License-Identifier: BSD-2-Clause
//! What goes in and out of the tracker.

/// TCP's flags.
pub mod flag {
    /// No more data.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgment number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
}

/// Which end of a flow sent: the one whose packet made the entry, or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum End {
    /// Who sent the first packet.
    First = 0,
    /// The other.
    Second = 1,
}

/// What of a segment matters. Where an ALG has changed lengths, the numbers are those that the
/// sender of the segment used for its own data, and its peer for the peer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seg {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number; counts with ACK.
    pub ack: u32,
    /// Bytes of payload.
    pub len: u32,
    /// The window field, not scaled.
    pub win: u16,
    /// See [`flag`].
    pub flags: u8,
    /// The shift of the window scale option; counts with SYN.
    pub wscale: Option<u8>,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// One end was heard.
    First,
    /// Both were, and the handshake is not over.
    Opening,
    /// Open.
    Established,
    /// One end sent FIN.
    Closing,
    /// Both did, and not all is acknowledged.
    FinWait,
    /// Both FINs are acknowledged, or it was reset.
    Closed,
}

/// Why a segment does not belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Flags that no segment here may have: none, SYN with FIN or RST, no ACK where there must be.
    Flags,
    /// No SYN, and nothing known to compare with.
    NotSyn,
    /// Beyond the receiver's window, or far before it, or after a FIN.
    Seq,
    /// Acknowledges what was not sent, or what is long past.
    Ack,
    /// A reset whose number is not the expected one (RFC 5961, section 3).
    Reset,
    /// A SYN in a connection that lives (RFC 5961, section 4).
    Syn,
}

/// What came of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It belongs.
    Ok {
        /// Where the connection is now.
        phase: Phase,
        /// Whether this segment took it there.
        changed: bool,
    },
    /// A SYN of a new connection between the same ends; this one is over, or never began: unlink
    /// the entry and make a new one.
    Reopen,
    /// It does not belong; nothing changed.
    Bad(Why),
}
