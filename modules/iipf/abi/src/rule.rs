// SPDX-License-Identifier: BSD-2-Clause
//! One rule, flattened: what it matches, where it stands, what it does.

use kabi::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An address operand. All zero: any.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct AddrRec {
    /// `IIPF_ADDR_*`
    pub kind: u8,
    /// Family of a range or of what is taken from an interface: 0 (any), `AF_INET` or `AF_INET6`.
    pub af: u8,
    /// 1: matches what is not in it. Never with `IIPF_ADDR_ANY`.
    pub neg: u8,
    /// With `IIPF_ADDR_IF`: `IIPF_IFPART_*`.
    pub part: u8,
    /// With `IIPF_ADDR_TABLE` the table, with `IIPF_ADDR_IF` the interface: index from 1 into what
    /// was loaded. Else 0.
    pub index: u32,
    /// With `IIPF_ADDR_RANGE`: lowest address, network order; IPv4 in the first four bytes, the
    /// rest zero.
    pub lo: [u8; 16],
    /// Highest address, the same way; not below `lo`. A prefix is the range it covers.
    pub hi: [u8; 16],
}

/// [`AddrRec::kind`]: every address.
pub const IIPF_ADDR_ANY: u8 = 0;
/// [`AddrRec::kind`]: from `lo` to `hi`, both in it.
pub const IIPF_ADDR_RANGE: u8 = 1;
/// [`AddrRec::kind`]: what is in a table, at the time of the packet.
pub const IIPF_ADDR_TABLE: u8 = 2;
/// [`AddrRec::kind`]: addresses of an interface, at the time of the packet.
pub const IIPF_ADDR_IF: u8 = 3;
/// [`AddrRec::kind`]: any address of this system, on any interface.
pub const IIPF_ADDR_SELF: u8 = 4;

/// [`AddrRec::part`]: its addresses.
pub const IIPF_IFPART_ADDR: u8 = 0;
/// [`AddrRec::part`]: the networks on it (each address with its prefix length).
pub const IIPF_IFPART_NETWORK: u8 = 1;
/// [`AddrRec::part`]: the IPv4 broadcast addresses of these networks.
pub const IIPF_IFPART_BROADCAST: u8 = 2;
/// [`AddrRec::part`]: only its first address of the family that is not link-local.
pub const IIPF_IFPART_FIRST: u8 = 3;

/// A port operand. All zero: any, packets without ports too.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct PortRec {
    /// 0: any. 1: from `lo` to `hi`. 2: none of these, but a packet that has ports.
    pub op: u16,
    /// Lowest, host order.
    pub lo: u16,
    /// Highest, host order, not below `lo`.
    pub hi: u16,
    /// Zero.
    pub pad: u16,
}

/// [`PortRec::op`]: any.
pub const IIPF_PORT_ANY: u16 = 0;
/// [`PortRec::op`]: in the range.
pub const IIPF_PORT_IN: u16 = 1;
/// [`PortRec::op`]: outside of it.
pub const IIPF_PORT_OUT: u16 = 2;

/// What a packet must have to match. Everything counts at once; zero members ask for nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct MatchRec {
    /// `IIPF_M_*`
    pub flags: u32,
    /// The interface, index from 1 into the [`crate::IfaceRec`]s loaded; 0: any.
    pub iface: u32,
    /// With `IIPF_M_MARK`: `mark & mark_mask` of the packet must be this.
    pub mark: u32,
    /// Mask of the mark.
    pub mark_mask: u32,
    /// 0: always; else matches this often in 2^32, by chance.
    pub probability: u32,
    /// 0 (both), `KPI_PFIL_IN` 1 or `KPI_PFIL_OUT` 2.
    pub dir: u8,
    /// 0 (both), `AF_INET` 2 or `AF_INET6` 10.
    pub af: u8,
    /// With `IIPF_M_PROTO`: the IP protocol after extension headers.
    pub proto: u8,
    /// Zero.
    pub pad: u8,
    /// `tcp_mask & flags` of a TCP segment must be this, bits as in its header. Other protocols match
    /// nevertheless, unless `proto` says otherwise, and so do fragments but the first.
    pub tcp_flags: u8,
    /// 0: not looked at.
    pub tcp_mask: u8,
    /// With `IIPF_M_ICMP_TYPE`: ICMP or ICMPv6 type.
    pub icmp_type: u8,
    /// With `IIPF_M_ICMP_CODE`: ICMP or ICMPv6 code.
    pub icmp_code: u8,
    /// With `IIPF_M_DSCP`: the six bits, 0 to 63.
    pub dscp: u8,
    /// Zero.
    pub pad2: [u8; 3],
    /// Source port. With ports, `proto` is 6 or 17, and fragments but the first do not match.
    pub sport: PortRec,
    /// Destination port.
    pub dport: PortRec,
    /// Source address. After translation for filter rules, before it for translation rules.
    pub src: AddrRec,
    /// Destination address.
    pub dst: AddrRec,
}

/// [`MatchRec::flags`]: every interface but this.
pub const IIPF_M_IF_NEG: u32 = 0x1;
/// [`MatchRec::flags`]: `proto` counts.
pub const IIPF_M_PROTO: u32 = 0x2;
/// [`MatchRec::flags`]: `icmp_type` counts; `proto` is 1 or 58.
pub const IIPF_M_ICMP_TYPE: u32 = 0x4;
/// [`MatchRec::flags`]: `icmp_code` counts.
pub const IIPF_M_ICMP_CODE: u32 = 0x8;
/// [`MatchRec::flags`]: `dscp` counts.
pub const IIPF_M_DSCP: u32 = 0x10;
/// [`MatchRec::flags`]: only fragments that were not put together.
pub const IIPF_M_FRAGMENT: u32 = 0x20;
/// [`MatchRec::flags`]: `mark` counts.
pub const IIPF_M_MARK: u32 = 0x40;
/// [`MatchRec::flags`]: every packet without that mark.
pub const IIPF_M_MARK_NEG: u32 = 0x80;

/// How a pass rule keeps state. All zero: none is kept.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct StateRec {
    /// `IIPF_STATE_*`
    pub mode: u8,
    /// Zero.
    pub pad: [u8; 3],
    /// `IIPF_SF_*`
    pub flags: u32,
    /// At most so many states by this rule; 0: as many as the limit allows. So for all below.
    pub max_states: u32,
    /// Source addresses with states by this rule.
    pub max_src_nodes: u32,
    /// States of one source address.
    pub max_src_states: u32,
    /// TCP connections of one source address that completed the handshake.
    pub max_src_conn: u32,
    /// New TCP connections of one source address, in `max_src_seconds`.
    pub max_src_rate: u32,
    /// Seconds; not 0 when `max_src_rate` is not.
    pub max_src_seconds: u32,
    /// Where a source goes that exceeds `max_src_conn` or `max_src_rate`: table, index from 1; 0:
    /// nowhere, its packets are dropped.
    pub overload: u32,
    /// Timeouts of states by this rule: index from 1 into the [`crate::TimeoutsRec`]s; 0: the global
    /// ones.
    pub timeouts: u32,
}

/// [`StateRec::mode`]: none.
pub const IIPF_STATE_NONE: u8 = 0;
/// [`StateRec::mode`]: kept. "modulate" is the same: sequence numbers are not rewritten.
pub const IIPF_STATE_KEEP: u8 = 1;
/// [`StateRec::mode`]: the TCP handshake is done for the server first, then with it.
pub const IIPF_STATE_SYNPROXY: u8 = 2;

/// [`StateRec::flags`]: a state counts on the interface only that it was made on.
pub const IIPF_SF_IF_BOUND: u32 = 0x1;
/// [`StateRec::flags`]: no TCP window checks; takes connections whose beginning was not seen.
pub const IIPF_SF_SLOPPY: u32 = 0x2;
/// [`StateRec::flags`]: sources are counted over all rules, not for this one.
pub const IIPF_SF_SRC_GLOBAL: u32 = 0x4;
/// [`StateRec::flags`]: a source put into `overload` loses its states by this rule.
pub const IIPF_SF_FLUSH: u32 = 0x8;
/// [`StateRec::flags`]: a source put into `overload` loses all its states.
pub const IIPF_SF_FLUSH_GLOBAL: u32 = 0x10;

/// What a translation does. Of the pool's addresses, `pool_count` records from `pool`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct NatRec {
    /// First of the [`crate::PoolRec`]s, index from 1; 0: none (`no nat` and its like).
    pub pool: u32,
    /// How many; they are one after another.
    pub pool_count: u32,
    /// `IIPF_POOL_*`, how one is chosen.
    pub choice: u8,
    /// `IIPF_NATPORT_*`
    pub port_mode: u8,
    /// `IIPF_FILTER_*`: who may send to a mapping from outside.
    pub filtering: u8,
    /// Zero.
    pub pad: u8,
    /// `IIPF_NF_*`
    pub flags: u32,
    /// nat: lowest port that is given out. rdr: (first) port of the new destination; 0: not changed.
    pub port_lo: u16,
    /// nat: highest port that is given out. rdr: last port of the new destination; with
    /// `IIPF_NATPORT_SHIFT` what `dport.hi` becomes.
    pub port_hi: u16,
    /// With `IIPF_NATPORT_BLOCK`: ports of a block, a power of two, 32 to 4,096.
    pub port_block: u16,
    /// Zero.
    pub pad2: u16,
    /// At most so many mappings (with blocks: blocks) of one inside address; 0: no limit.
    pub max_per_host: u32,
    /// Zero.
    pub pad3: u32,
    /// With `IIPF_POOL_HASH`: its key; 0: one that the kernel draws at load.
    pub hash_key: [u64; 2],
}

/// [`NatRec::choice`]: one after another; what one address says.
pub const IIPF_POOL_ROUND_ROBIN: u8 = 0;
/// [`NatRec::choice`]: by chance.
pub const IIPF_POOL_RANDOM: u8 = 1;
/// [`NatRec::choice`]: by a hash of the source address.
pub const IIPF_POOL_HASH: u8 = 2;
/// [`NatRec::choice`]: host bits stay, network bits are the pool's; one record, equal lengths.
pub const IIPF_POOL_BITMASK: u8 = 3;

/// [`NatRec::port_mode`]: nat: the source port is kept where it is free, else one of the range with
/// the same parity is taken. rdr: the port is not changed.
pub const IIPF_NATPORT_KEEP: u8 = 0;
/// [`NatRec::port_mode`]: nat only: the source port is kept, and where it is taken the packet is
/// dropped ("static-port").
pub const IIPF_NATPORT_STATIC: u8 = 1;
/// [`NatRec::port_mode`]: nat: always one of the range, by chance. rdr: the ports of the range by
/// chance; one where it is `port_lo`.
pub const IIPF_NATPORT_RANGE: u8 = 2;
/// [`NatRec::port_mode`]: nat only: each inside address gets blocks of `port_block` ports of the
/// range; giving out and taking back a block is logged.
pub const IIPF_NATPORT_BLOCK: u8 = 3;
/// [`NatRec::port_mode`]: rdr only: `dport.lo` becomes `port_lo`, the next the next.
pub const IIPF_NATPORT_SHIFT: u8 = 4;

/// [`NatRec::filtering`]: anybody (RFC 4787, endpoint-independent filtering).
pub const IIPF_FILTER_ENDPOINT: u8 = 1;
/// [`NatRec::filtering`]: whom the inside host has sent to, from any port.
pub const IIPF_FILTER_ADDRESS: u8 = 2;
/// [`NatRec::filtering`]: whom the inside host has sent to, from that port.
pub const IIPF_FILTER_ADDRESS_PORT: u8 = 3;

/// [`NatRec::flags`]: an inside address always gets the same outside address (RFC 4787 "paired").
pub const IIPF_NF_PAIRED: u32 = 0x1;
/// [`NatRec::flags`]: inside hosts reach each other by their outside addresses (RFC 4787 REQ-9).
pub const IIPF_NF_HAIRPIN: u32 = 0x2;
/// [`NatRec::flags`]: what is translated passes; the filter is not asked ("nat pass").
pub const IIPF_NF_PASS: u32 = 0x4;

/// What is changed in packets that match, and helpers that look into them. All zero: nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct SetRec {
    /// `IIPF_SET_*`
    pub flags: u32,
    /// `IIPF_ALG_*`: helpers for connections by this rule.
    pub alg: u32,
    /// With `IIPF_SET_MARK`: the packet's mark, for later rules and other modules.
    pub mark: u32,
    /// With `IIPF_SET_MARK`: only these bits of it are changed.
    pub mark_mask: u32,
    /// The MSS of TCP SYNs is cut to this (bytes); 0: not.
    pub max_mss: u16,
    /// A lower TTL or hop limit becomes this; 0: not.
    pub min_ttl: u8,
    /// With `IIPF_SET_DSCP`: the six bits.
    pub dscp: u8,
    /// Zero.
    pub pad: u32,
}

/// [`SetRec::flags`]: `mark`.
pub const IIPF_SET_MARK: u32 = 0x1;
/// [`SetRec::flags`]: `dscp`.
pub const IIPF_SET_DSCP: u32 = 0x2;
/// [`SetRec::flags`]: IPv4's DF bit is cleared.
pub const IIPF_SET_NO_DF: u32 = 0x4;
/// [`SetRec::flags`]: IPv4's identification becomes a random one, if not a fragment.
pub const IIPF_SET_RANDOM_ID: u32 = 0x8;

/// [`SetRec::alg`]: FTP, TCP port 21.
pub const IIPF_ALG_FTP: u32 = 0x1;
/// [`SetRec::alg`]: TFTP, UDP port 69.
pub const IIPF_ALG_TFTP: u32 = 0x2;
/// [`SetRec::alg`]: PPTP, TCP port 1723 and its GRE.
pub const IIPF_ALG_PPTP: u32 = 0x4;

/// One rule. Anchors are flattened: their conditions are in `m`, their order in `prio`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct RuleRec {
    /// Names the rule over loads: a hash of its text, its anchor and which of equal ones it is.
    /// Unique in a ruleset, not 0. States and counters of a rule that the next ruleset has too
    /// stay its own.
    pub id: u64,
    /// `IIPF_ACT_*`; says the section too.
    pub action: u8,
    /// With `IIPF_ACT_BLOCK`: `IIPF_BLOCK_*`.
    pub block: u8,
    /// With `IIPF_BLOCK_ICMP` and `_RETURN`: code of the ICMP unreachable (type 3).
    pub icmp_code: u8,
    /// The same for ICMPv6 (type 1).
    pub icmp6_code: u8,
    /// `IIPF_R_*`
    pub flags: u32,
    /// Where it stands in its section, from 0, anchors counted in place. Match rules are applied in
    /// this order, translation rules tried in it.
    pub order: u32,
    /// Pass and block rules: of those that match, the one with the lowest `prio` decides. Unique
    /// among them, not in order of `order`. Else equal to `order`.
    pub prio: u32,
    /// Pass and block rules: match rules whose `order` is not above this are applied when it decides:
    /// behind a `quick` nothing is looked at. When no rule decides, all are.
    pub stop: u32,
    /// Label: a [`crate::NameRec`], index from 1; 0: none.
    pub label: u32,
    /// The anchor it stands in: an [`crate::AnchorRec`], index from 1; 0: none.
    pub anchor: u32,
    /// The file it was read from: a [`crate::NameRec`], index from 1; 0: not known.
    pub file: u32,
    /// Its line there, from 1; 0: not known.
    pub line: u32,
    /// Zero.
    pub pad: u32,
    /// What it matches.
    pub m: MatchRec,
    /// Pass rules: the state.
    pub state: StateRec,
    /// Translation rules: how.
    pub nat: NatRec,
    /// What it changes.
    pub set: SetRec,
}

/// [`RuleRec::action`]: filter: the packet passes.
pub const IIPF_ACT_PASS: u8 = 1;
/// [`RuleRec::action`]: filter: it does not.
pub const IIPF_ACT_BLOCK: u8 = 2;
/// [`RuleRec::action`]: filter: `set`, `label` and log only; another rule decides.
pub const IIPF_ACT_MATCH: u8 = 3;
/// [`RuleRec::action`]: the source of outbound packets is translated.
pub const IIPF_ACT_NAT: u8 = 4;
/// [`RuleRec::action`]: it is not, and no later nat rule is tried.
pub const IIPF_ACT_NO_NAT: u8 = 5;
/// [`RuleRec::action`]: the destination of inbound packets is translated.
pub const IIPF_ACT_RDR: u8 = 6;
/// [`RuleRec::action`]: it is not, and no later rdr rule is tried.
pub const IIPF_ACT_NO_RDR: u8 = 7;
/// [`RuleRec::action`]: `m.src` (a prefix) and the pool's prefix stand for each other, both ways.
/// The rule is written for outbound packets; inbound ones have source and destination, addresses
/// and ports, the other way round.
pub const IIPF_ACT_BINAT: u8 = 8;
/// [`RuleRec::action`]: they do not, and no later binat rule is tried.
pub const IIPF_ACT_NO_BINAT: u8 = 9;
/// [`RuleRec::action`]: as binat, without state and by RFC 6296: checksums stay right by themselves.
pub const IIPF_ACT_NPTV6: u8 = 10;

/// [`RuleRec::block`]: nobody is told.
pub const IIPF_BLOCK_DROP: u8 = 0;
/// [`RuleRec::block`]: TCP gets a reset, others an ICMP unreachable, ICMP nothing.
pub const IIPF_BLOCK_RETURN: u8 = 1;
/// [`RuleRec::block`]: TCP gets a reset, others nothing.
pub const IIPF_BLOCK_RST: u8 = 2;
/// [`RuleRec::block`]: all but ICMP get an ICMP unreachable.
pub const IIPF_BLOCK_ICMP: u8 = 3;

/// [`RuleRec::flags`]: written with `quick`; what it means is in `prio` and `stop`.
pub const IIPF_R_QUICK: u32 = 0x1;
/// [`RuleRec::flags`]: the packet that the rule decides (of a state: the first) is logged.
pub const IIPF_R_LOG: u32 = 0x2;
/// [`RuleRec::flags`]: all packets of the state are; with `IIPF_R_LOG`.
pub const IIPF_R_LOG_ALL: u32 = 0x4;
/// [`RuleRec::flags`]: packets with IP options or routing headers may pass by this rule.
pub const IIPF_R_ALLOW_OPTS: u32 = 0x8;
