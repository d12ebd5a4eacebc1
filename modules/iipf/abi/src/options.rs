// SPDX-License-Identifier: BSD-2-Clause
//! Limits, timeouts and policies.

use kabi::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What holds for the whole ruleset; exactly one is loaded.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct OptionsRec {
    /// `IIPF_O_*`
    pub flags: u32,
    /// How much the kernel's log gets: 0 nothing, 1 what is urgent, 2 misc, 3 noise.
    pub debug: u32,
    /// At most so many, by `IIPF_LIMIT_*`; 0: the kernel's default.
    pub limits: [u32; IIPF_LIMITS],
    /// Timeouts that hold for all rules that do not say otherwise.
    pub timeouts: TimeoutsRec,
}

/// [`OptionsRec::flags`]: fragments are put together before rules look at them ("set reassemble
/// yes", the default). Without, each fragment is judged for itself.
pub const IIPF_O_REASSEMBLE: u32 = 0x1;
/// [`OptionsRec::flags`]: and DF is no reason not to ("no-df").
pub const IIPF_O_REASSEMBLE_NO_DF: u32 = 0x2;
/// [`OptionsRec::flags`]: when no rule matches, the packet is blocked; else it passes, as in pf.
pub const IIPF_O_DEFAULT_BLOCK: u32 = 0x4;
/// [`OptionsRec::flags`]: with a full state table, one that is likely dead makes room; else the new
/// connection is refused.
pub const IIPF_O_EVICT: u32 = 0x8;

/// Numbers of [`OptionsRec::limits`]: states.
pub const IIPF_LIMIT_STATES: usize = 0;
/// Source addresses with counts of their own.
pub const IIPF_LIMIT_SRC_NODES: usize = 1;
/// Fragments that wait for others.
pub const IIPF_LIMIT_FRAGS: usize = 2;
/// Tables.
pub const IIPF_LIMIT_TABLES: usize = 3;
/// Entries of all tables.
pub const IIPF_LIMIT_TABLE_ENTRIES: usize = 4;
/// NAT mappings.
pub const IIPF_LIMIT_MAPPINGS: usize = 5;
/// Forwards that programs asked for.
pub const IIPF_LIMIT_FORWARDS: usize = 6;
/// Rules.
pub const IIPF_LIMIT_RULES: usize = 7;
/// How many numbers there are; some are free.
pub const IIPF_LIMITS: usize = 12;

/// Timeouts in seconds (but the two of adaptive scaling), by `IIPF_TM_*`; [`IIPF_TM_DEFAULT`]: not
/// said, so the more general one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TimeoutsRec {
    /// By `IIPF_TM_*`.
    pub values: [u32; IIPF_TIMEOUTS],
}

impl Default for TimeoutsRec {
    fn default() -> Self {
        TimeoutsRec {
            values: [IIPF_TM_DEFAULT; IIPF_TIMEOUTS],
        }
    }
}

/// A timeout that is not said.
pub const IIPF_TM_DEFAULT: u32 = u32::MAX;
/// The longest timeout: 30 days, in seconds.
pub const IIPF_TM_MAX: u32 = 30 * 86_400;
/// TCP: after the first packet. (RFC 5382 "transitory")
pub const IIPF_TM_TCP_FIRST: usize = 0;
/// TCP: until both ends have answered.
pub const IIPF_TM_TCP_OPENING: usize = 1;
/// TCP: established.
pub const IIPF_TM_TCP_ESTABLISHED: usize = 2;
/// TCP: one end has sent FIN.
pub const IIPF_TM_TCP_CLOSING: usize = 3;
/// TCP: both have.
pub const IIPF_TM_TCP_FINWAIT: usize = 4;
/// TCP: reset.
pub const IIPF_TM_TCP_CLOSED: usize = 5;
/// UDP: after the first packet.
pub const IIPF_TM_UDP_FIRST: usize = 6;
/// UDP: one end has sent several.
pub const IIPF_TM_UDP_SINGLE: usize = 7;
/// UDP: both ends have sent.
pub const IIPF_TM_UDP_MULTIPLE: usize = 8;
/// ICMP: after the first packet.
pub const IIPF_TM_ICMP_FIRST: usize = 9;
/// ICMP: after the answer.
pub const IIPF_TM_ICMP_REPLY: usize = 10;
/// Other protocols, as UDP.
pub const IIPF_TM_OTHER_FIRST: usize = 11;
/// Other protocols.
pub const IIPF_TM_OTHER_SINGLE: usize = 12;
/// Other protocols.
pub const IIPF_TM_OTHER_MULTIPLE: usize = 13;
/// GRE with a call id.
pub const IIPF_TM_GRE: usize = 14;
/// ESP.
pub const IIPF_TM_ESP: usize = 15;
/// A fragment waits for the others.
pub const IIPF_TM_FRAG: usize = 16;
/// A source's counts stay after its last state.
pub const IIPF_TM_SRC_TRACK: usize = 17;
/// A NAT mapping stays after its last state.
pub const IIPF_TM_MAPPING: usize = 18;
/// Not used, and must be [`IIPF_TM_DEFAULT`]: a port block goes with the last mapping in it.
pub const IIPF_TM_BLOCK: usize = 19;
/// From so many states on, timeouts are scaled down; 0: never. No seconds.
pub const IIPF_TM_ADAPTIVE_START: usize = 20;
/// With so many they are 0. No seconds.
pub const IIPF_TM_ADAPTIVE_END: usize = 21;
/// How often what is over is looked for.
pub const IIPF_TM_INTERVAL: usize = 22;
/// How many numbers there are; some are free.
pub const IIPF_TIMEOUTS: usize = 28;
