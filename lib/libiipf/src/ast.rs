// SPDX-License-Identifier: BSD-2-Clause
//! A ruleset as it is meant: lists expanded, macros and includes gone, every rule for itself.

use crate::pos::{Fault, Pos};
use iipf_abi::{IIPF_LIMITS, TimeoutsRec};
use std::net::IpAddr;

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// Of an address.
    #[must_use]
    pub fn of(addr: IpAddr) -> Family {
        if addr.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        }
    }

    /// Bits of an address.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }

    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Family::V4 => "inet",
            Family::V6 => "inet6",
        }
    }
}

/// Direction, as the system sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dir {
    /// Coming in.
    In,
    /// Going out.
    Out,
}

/// `on`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct On {
    /// All others.
    pub neg: bool,
    /// An interface, or without a number at its end all with one.
    pub name: String,
}

/// Whether a name means all interfaces of it.
#[must_use]
pub fn is_group(name: &str) -> bool {
    !name.ends_with(|c: char| c.is_ascii_digit())
}

/// What of an interface is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Its addresses.
    Addr,
    /// `:network`
    Network,
    /// `:broadcast`
    Broadcast,
    /// `:0`
    First,
}

impl Part {
    /// As it is written behind the name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Part::Addr => "",
            Part::Network => ":network",
            Part::Broadcast => ":broadcast",
            Part::First => ":0",
        }
    }
}

/// Addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Addr {
    /// Every one.
    Any,
    /// From one to another, of one family; a prefix is one.
    Range(IpAddr, IpAddr),
    /// What is in a table.
    Table(String),
    /// What an interface has.
    If(String, Part),
    /// What this system has.
    Own,
}

/// Addresses, or all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// All others.
    pub neg: bool,
    /// Which.
    pub addr: Addr,
}

impl Host {
    /// Every address.
    pub const ANY: Host = Host {
        neg: false,
        addr: Addr::Any,
    };
}

/// Ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ports {
    /// Every one, and none.
    Any,
    /// From one to another.
    In(u16, u16),
    /// All but these.
    Out(u16, u16),
}

/// What a packet must have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Match {
    /// Direction.
    pub dir: Option<Dir>,
    /// Interface.
    pub on: Option<On>,
    /// Family.
    pub af: Option<Family>,
    /// Protocol.
    pub proto: Option<u8>,
    /// Source.
    pub src: Host,
    /// Its port.
    pub sport: Ports,
    /// Destination.
    pub dst: Host,
    /// Its port.
    pub dport: Ports,
    /// TCP: flags, of which.
    pub flags: Option<(u8, u8)>,
    /// ICMP: type and code.
    pub icmp: Option<(u8, Option<u8>)>,
    /// DSCP.
    pub dscp: Option<u8>,
    /// Only fragments.
    pub fragment: bool,
    /// Not this tag, or this.
    pub tagged: Option<(bool, String)>,
    /// Parts in 2^32.
    pub probability: Option<u32>,
}

impl Match {
    /// Every packet.
    pub const ANY: Match = Match {
        dir: None,
        on: None,
        af: None,
        proto: None,
        src: Host::ANY,
        sport: Ports::Any,
        dst: Host::ANY,
        dport: Ports::Any,
        flags: None,
        icmp: None,
        dscp: None,
        fragment: false,
        tagged: None,
        probability: None,
    };
}

/// What becomes of who is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// Nothing.
    Drop,
    /// TCP a reset, others an ICMP unreachable with these codes, of ICMP and ICMPv6.
    Return(u8, u8),
    /// TCP a reset.
    Reset,
    /// An ICMP unreachable.
    Icmp(u8, u8),
}

/// What is said about states in brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// The handshake is done for the server.
    pub synproxy: bool,
    /// States by this rule; 0: no limit, and so below.
    pub max: u32,
    /// Sources.
    pub max_src_nodes: u32,
    /// States of a source.
    pub max_src_states: u32,
    /// Connections of a source.
    pub max_src_conn: u32,
    /// New ones, in so many seconds.
    pub max_src_rate: (u32, u32),
    /// Sources are counted over all rules.
    pub src_global: bool,
    /// Where a source goes that has too many.
    pub overload: Option<String>,
    /// It loses its states by this rule; or all.
    pub flush: Option<bool>,
    /// On its interface only.
    pub if_bound: bool,
    /// Without window checks.
    pub sloppy: bool,
    /// Timeouts.
    pub timeouts: TimeoutsRec,
}

/// One place to translate to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A prefix; one address has all bits.
    Prefix(IpAddr, u8),
    /// From one to another.
    Range(IpAddr, IpAddr),
    /// What an interface has.
    If(String, Part),
    /// What is in a table.
    Table(String),
}

/// How one of several is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// One after another.
    RoundRobin,
    /// By chance.
    Random,
    /// By the source; the key, or one that the kernel draws.
    Hash(Option<[u64; 2]>),
    /// Host bits stay.
    Bitmask,
}

/// Ports of a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NatPorts {
    /// As they are, if they can be.
    Keep,
    /// nat: as they are, or not at all.
    Static,
    /// One of these.
    Range(u16, u16),
    /// nat: blocks of this size, of these.
    Block(u16, u16, u16),
    /// rdr: the first of the range becomes this, the next the next.
    Shift(u16),
}

/// Who may send to a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filtering {
    /// Everybody.
    Endpoint,
    /// Whom the inside has sent to.
    Address,
    /// Whom the inside has sent to, from that port.
    AddressPort,
}

/// A translation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nat {
    /// To where; not empty.
    pub pool: Vec<Target>,
    /// Which of them.
    pub choice: Choice,
    /// Ports.
    pub ports: NatPorts,
    /// Who may send back.
    pub filtering: Filtering,
    /// One inside address, one outside address.
    pub paired: bool,
    /// Inside hosts by their outside address.
    pub hairpin: bool,
    /// The filter is not asked.
    pub pass: bool,
    /// Mappings of an inside address; 0: no limit.
    pub max_per_host: u32,
}

/// What a rule does. Of translations `None` is `no`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Pass, with state or without.
    Pass(Option<State>),
    /// Block.
    Block(How),
    /// Neither.
    Match,
    /// Source of what goes out.
    Nat(Option<Nat>),
    /// Destination of what comes in.
    Rdr(Option<Nat>),
    /// Both ways.
    Binat(Option<Nat>),
    /// Prefix to prefix.
    Nptv6(Nat),
}

impl Action {
    /// Whether the filter looks at it.
    #[must_use]
    pub fn is_filter(&self) -> bool {
        matches!(self, Action::Pass(_) | Action::Block(_) | Action::Match)
    }
}

/// What is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sets {
    /// Tag.
    pub tag: Option<String>,
    /// DSCP.
    pub dscp: Option<u8>,
    /// MSS, at most; 0: as it is.
    pub max_mss: u16,
    /// TTL, at least; 0: as it is.
    pub min_ttl: u8,
    /// DF is cleared.
    pub no_df: bool,
    /// The identification is random.
    pub random_id: bool,
    /// `IIPF_ALG_*`
    pub alg: u32,
}

/// Logging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Log {
    /// None.
    No,
    /// The packet that a rule decides.
    First,
    /// All of its state.
    All,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where it stands.
    pub pos: Pos,
    /// What it does.
    pub action: Action,
    /// What it matches.
    pub m: Match,
    /// Nothing behind it is looked at.
    pub quick: bool,
    /// Log.
    pub log: Log,
    /// IP options may pass.
    pub allow_opts: bool,
    /// What it changes.
    pub sets: Sets,
    /// Label.
    pub label: Option<String>,
}

impl PartialEq for Rule {
    /// Wherever they stand.
    fn eq(&self, o: &Rule) -> bool {
        self.action == o.action
            && self.m == o.m
            && self.quick == o.quick
            && self.log == o.log
            && self.allow_opts == o.allow_opts
            && self.sets == o.sets
            && self.label == o.label
    }
}

/// An anchor.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// Where it stands.
    pub pos: Pos,
    /// "" if it has none.
    pub name: String,
    /// Once something in it matched, nothing behind it is looked at.
    pub quick: bool,
    /// What a packet must have.
    pub m: Match,
    /// What is in it.
    pub items: Vec<Item>,
}

impl PartialEq for Anchor {
    /// Wherever they stand.
    fn eq(&self, o: &Anchor) -> bool {
        self.name == o.name && self.quick == o.quick && self.m == o.m && self.items == o.items
    }
}

/// A rule or an anchor.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A rule.
    Rule(Box<Rule>),
    /// An anchor.
    Anchor(Box<Anchor>),
}

/// An entry of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The network, host bits zero.
    pub addr: IpAddr,
    /// Bits.
    pub len: u8,
    /// Not in the table.
    pub neg: bool,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Where it stands.
    pub pos: Pos,
    /// Name.
    pub name: String,
    /// `IIPF_TABLE_*`, as said.
    pub flags: u32,
    /// Entries in order; `None`: what is there stays.
    pub entries: Option<Vec<Entry>>,
}

impl PartialEq for Table {
    /// Wherever they stand.
    fn eq(&self, o: &Table) -> bool {
        self.name == o.name && self.flags == o.flags && self.entries == o.entries
    }
}

/// Options; what is not said is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// By `IIPF_LIMIT_*`; 0: not said.
    pub limits: [u32; IIPF_LIMITS],
    /// Timeouts.
    pub timeouts: TimeoutsRec,
    /// `set reassemble no`, or with DF.
    pub no_reassemble: bool,
    /// `set reassemble yes no-df`
    pub reassemble_no_df: bool,
    /// `set default block`
    pub default_block: bool,
    /// `set state-full evict`
    pub evict: bool,
    /// 0 to 3.
    pub debug: Option<u32>,
    /// Interfaces that are not looked at.
    pub skip: Vec<String>,
}

/// A whole ruleset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Options.
    pub options: Options,
    /// Tables.
    pub tables: Vec<Table>,
    /// Rules and anchors.
    pub items: Vec<Item>,
    /// What is not right but does no harm; no part of what is compared.
    pub warnings: Warnings,
}

/// What is not right but does no harm; all are equal.
#[derive(Clone, Debug, Default)]
pub struct Warnings(pub Vec<Fault>);

impl PartialEq for Warnings {
    fn eq(&self, _: &Warnings) -> bool {
        true
    }
}
