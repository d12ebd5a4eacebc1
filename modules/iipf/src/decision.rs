// SPDX-License-Identifier: BSD-2-Clause
//! What is decided about a packet.

use flow::slab::Id;
use flow::slab::Side;
use wire::rewrite::Ends;
use wire::rewrite::Npt;

use crate::stats::Drop;

/// How a block answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Answer {
    /// Not at all.
    #[default]
    None,
    /// A reset.
    Reset,
    /// An ICMP unreachable of this code.
    Unreachable(u8),
    /// That it is larger than this many bytes, which is what its way out takes.
    TooBig(u32),
    /// A proxy of SYNs: with this number, and segment size.
    Cookie(u32, u16),
    /// And with a SYN to the server;
    Syn(Id),
    /// when that has answered, with an ACK to it, and a window to the client;
    Opened(Id),
    /// or with a reset to the client.
    Refused(Id),
}

/// A helper that is to look into the packet.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    /// `IIPF_ALG_*`
    pub alg: u32,
    pub id: Id,
    pub side: Side,
}

/// What is to be changed in the packet.
#[derive(Clone, Copy, Default)]
pub(crate) struct Change {
    /// Other addresses and ports.
    pub to: Option<Ends>,
    /// Of an ICMP error: the addresses outside, the ends inside.
    pub error: Option<((u128, u128), Ends)>,
    pub npt: Option<(Npt, bool)>,
    /// SYNs: at most this MSS; 0: as it is.
    pub mss: u16,
    pub min_ttl: u8,
    /// `IIPF_SET_*`
    pub set: u32,
    pub dscp: u8,
    /// What is added to the sequence number, and to what is acknowledged.
    pub seq: Option<(u32, u32)>,
    /// And to the sequence number in an ICMP error.
    pub inner_seq: u32,
    pub look: Option<Look>,
}

/// What is to be logged.
#[derive(Clone, Copy)]
pub(crate) struct LogLine {
    /// Index of the rule, or NONE.
    pub rule: u32,
}

/// What became of the packet.
#[derive(Clone, Copy)]
pub(crate) struct Decision {
    /// None: it passes.
    pub drop: Option<Drop>,
    pub answer: Answer,
    pub change: Change,
    pub log: Option<LogLine>,
    pub mark: u32,
    /// The worker has work.
    pub kick: bool,
}

impl Decision {
    /// It goes on as it is.
    pub fn pass(mark: u32) -> Decision {
        Decision {
            drop: None,
            answer: Answer::None,
            change: Change::default(),
            log: None,
            mark,
            kick: false,
        }
    }

    /// It ends here.
    pub fn drop(why: Drop, mark: u32) -> Decision {
        Decision {
            drop: Some(why),
            ..Decision::pass(mark)
        }
    }
}
