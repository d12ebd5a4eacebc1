// SPDX-License-Identifier: BSD-2-Clause
//! How iipf is, and counts of rules and interfaces. Counters and drops are kstat(8)'s.

use kabi::{FromBytes, Immutable, IntoBytes, KnownLayout, Name};

/// Rules in one reply.
pub const IIPF_RULE_STATS: usize = 56;
/// Interfaces in one reply.
pub const IIPF_IFS_LIST: usize = 22;

/// One number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Value {
    /// The number.
    pub value: u32,
    /// Zero.
    pub pad: u32,
}

/// How iipf is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Status {
    /// [`crate::IIPF_VERSION`]
    pub version: u32,
    /// 1: packets are looked at.
    pub enabled: u32,
    /// Of the ruleset; 0: none was loaded yet.
    pub generation: u64,
    /// Seconds since it was loaded.
    pub loaded: u64,
    /// Seconds since packets are looked at, or are not.
    pub since: u64,
    /// In use, by `IIPF_LIMIT_*`.
    pub used: [u32; crate::IIPF_LIMITS],
    /// At most, by `IIPF_LIMIT_*`, defaults put in.
    pub limits: [u32; crate::IIPF_LIMITS],
    /// Timeouts, defaults put in.
    pub timeouts: crate::TimeoutsRec,
    /// States made since the module was loaded.
    pub inserted: u64,
    /// States ended.
    pub removed: u64,
    /// Bytes of memory of the states.
    pub state_memory: u64,
    /// Bytes of memory of the compiled ruleset.
    pub rules_memory: u64,
    /// Bytes of memory of all tables.
    pub table_memory: u64,
    /// Packets that rules or states decided, in and out, of all interfaces.
    pub packets: [u64; 2],
    /// Zero.
    pub pad: [u64; 2],
    /// Packets that passed.
    pub passed: u64,
    /// Packets that did not.
    pub dropped: u64,
    /// Zero.
    pub reserved: [u64; 8],
}

/// Which rules' counts are wanted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct RuleStatsReq {
    /// Index of the first, from 0, in the order of `IIPFGETRULES`.
    pub first: u32,
    /// 1: they are 0 after this.
    pub clear: u32,
}

/// Some rules' counts.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RuleStatsReply {
    /// Generation of the ruleset.
    pub generation: u64,
    /// How many; 0: there are no more.
    pub count: u32,
    /// Zero.
    pub pad: u32,
    /// The counts.
    pub rules: [RuleStats; IIPF_RULE_STATS],
}

/// Counts of a rule.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct RuleStats {
    /// [`crate::RuleRec::id`]
    pub id: u64,
    /// Packets it decided, those of its states counted; in and out.
    pub packets: [u64; 2],
    /// Bytes of them.
    pub bytes: [u64; 2],
    /// States made.
    pub states_made: u64,
    /// States that are there.
    pub states: u32,
    /// Seconds since it last decided something; `u32::MAX`: never.
    pub idle: u32,
    /// Refused for a limit of the rule.
    pub refused: u64,
}

/// Some interfaces.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IfListReply {
    /// Where to go on; 0: these were the last.
    pub cursor: u64,
    /// How many.
    pub count: u32,
    /// Zero.
    pub pad: u32,
    /// The interfaces.
    pub ifs: [IfInfo; IIPF_IFS_LIST],
}

/// An interface as iipf sees it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct IfInfo {
    /// The name.
    pub name: Name<16>,
    /// The system's index.
    pub ifindex: u32,
    /// The classifier's slot.
    pub slot: u32,
    /// `IIPF_IF_*`
    pub flags: u32,
    /// Addresses it has.
    pub addrs: u32,
    /// Packets that rules or states decided: passed in, dropped in, passed out, dropped out; IPv4,
    /// then IPv6.
    pub packets: [u64; 8],
    /// Zero.
    pub reserved: [u64; 8],
}

/// [`IfInfo::flags`]: up.
pub const IIPF_IF_UP: u32 = 0x1;
/// [`IfInfo::flags`]: not looked at.
pub const IIPF_IF_SKIP: u32 = 0x2;
/// [`IfInfo::flags`]: a rule names it or its group.
pub const IIPF_IF_NAMED: u32 = 0x4;
