// SPDX-License-Identifier: BSD-2-Clause
//! A rule as it is written, with its lists; `expand` makes rules of it.

use crate::ast::{
    Choice, Dir, Family, Filtering, Host, How, Log, NatPorts, On, Ports, Sets, State, Target,
};
use crate::pos::Pos;

/// A value and where it stands.
pub(crate) type At<T> = (T, Pos);

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Pass,
    Block(Option<How>),
    Match,
    Anchor,
    Nat,
    NoNat,
    Rdr,
    NoRdr,
    Binat,
    NoBinat,
    Nptv6,
}

impl Act {
    pub fn word(&self) -> &'static str {
        match self {
            Act::Pass => "pass",
            Act::Block(_) => "block",
            Act::Match => "match",
            Act::Anchor => "anchor",
            Act::Nat => "nat",
            Act::NoNat => "no nat",
            Act::Rdr => "rdr",
            Act::NoRdr => "no rdr",
            Act::Binat => "binat",
            Act::NoBinat => "no binat",
            Act::Nptv6 => "nptv6",
        }
    }

    pub fn is_filter(&self) -> bool {
        matches!(self, Act::Pass | Act::Block(_) | Act::Match)
    }

    pub fn translates(&self) -> bool {
        matches!(self, Act::Nat | Act::Rdr | Act::Binat | Act::Nptv6)
    }
}

/// `keep state` and its like.
#[derive(Clone, Debug, Default)]
pub(crate) enum Keep {
    /// Not said.
    #[default]
    Default,
    No,
    Yes(State),
}

/// A translation as it is written.
#[derive(Clone, Debug)]
pub(crate) struct NatSpec {
    pub pool: Vec<At<Target>>,
    pub choice: Option<Choice>,
    pub ports: NatPorts,
    /// `port P:*`
    pub shift: bool,
    pub filtering: Option<Filtering>,
    pub paired: bool,
    pub hairpin: bool,
    pub pass: bool,
    pub max_per_host: u32,
    pub pos: Pos,
}

/// A rule as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub pos: Pos,
    pub act: Act,
    pub dir: Option<Dir>,
    pub on: Vec<At<On>>,
    pub log: Log,
    pub quick: bool,
    pub af: Option<At<Family>>,
    pub proto: Vec<At<u8>>,
    pub src: Vec<At<Host>>,
    pub sport: Vec<At<Ports>>,
    pub dst: Vec<At<Host>>,
    pub dport: Vec<At<Ports>>,
    /// `None`: not said; `Some(None)`: any.
    pub flags: Option<At<Option<(u8, u8)>>>,
    pub icmp: Vec<At<(Family, u8, Option<u8>)>>,
    pub dscp: Vec<u8>,
    pub fragment: bool,
    pub allow_opts: bool,
    pub keep: Keep,
    pub keep_pos: Option<Pos>,
    pub label: Option<String>,
    pub tagged: Option<(bool, String)>,
    pub probability: Option<u32>,
    pub sets: Sets,
    pub nat: Option<NatSpec>,
}

impl Spec {
    pub fn new(pos: Pos, act: Act) -> Spec {
        Spec {
            pos,
            act,
            dir: None,
            on: Vec::new(),
            log: Log::No,
            quick: false,
            af: None,
            proto: Vec::new(),
            src: Vec::new(),
            sport: Vec::new(),
            dst: Vec::new(),
            dport: Vec::new(),
            flags: None,
            icmp: Vec::new(),
            dscp: Vec::new(),
            fragment: false,
            allow_opts: false,
            keep: Keep::Default,
            keep_pos: None,
            label: None,
            tagged: None,
            probability: None,
            sets: Sets::default(),
            nat: None,
        }
    }
}

/// Policies that rules are made with.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub block: How,
    pub if_bound: bool,
    pub filtering: Filtering,
}

/// RFC 792 port unreachable, RFC 4443 port unreachable.
pub(crate) const UNREACH: (u8, u8) = (3, 4);

impl Default for Policy {
    fn default() -> Self {
        Policy {
            block: How::Drop,
            if_bound: false,
            filtering: Filtering::AddressPort,
        }
    }
}
