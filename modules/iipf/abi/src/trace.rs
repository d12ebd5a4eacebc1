// SPDX-License-Identifier: BSD-2-Clause
//! What happens to a packet and why: for one that is described, and for the next live ones.

use crate::{Peer, StateFilter};
use kabi::{FromBytes, Immutable, IntoBytes, KnownLayout, Name};

/// Bytes of a described packet.
pub const IIPF_TRACE_PACKET: usize = 2048;
/// Steps of one trace.
pub const IIPF_TRACE_STEPS: usize = 28;
/// Bytes of a live packet that are kept.
pub const IIPF_TRACE_HEAD: usize = 128;
/// Live packets in one reply.
pub const IIPF_TRACE_ARM_MAX: u32 = 64;

/// A packet that is described. Nothing is sent and nothing changes: no state is made, no counter
/// counts, no port is taken.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TracePacket {
    /// The interface it comes in on or goes out by.
    pub ifname: Name<16>,
    /// If not "": after it came in, what becomes of it when the system sends it out there.
    pub out_ifname: Name<16>,
    /// `KPI_PFIL_IN` 1, `KPI_PFIL_OUT` 2
    pub dir: u32,
    /// Its mark.
    pub mark: u32,
    /// Bytes of `packet`.
    pub len: u32,
    /// Zero.
    pub pad: u32,
    /// The packet from its IP header on, checksums right.
    pub packet: [u8; IIPF_TRACE_PACKET],
}

/// What happens to it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TraceReply {
    /// Live: how many more are waiting after this one. Else 0.
    pub more: u32,
    /// Live: how many were missed because nobody read.
    pub lost: u32,
    /// `IIPF_VERDICT_*`
    pub verdict: u32,
    /// How many steps; 0 from a live trace: no packet is there yet.
    pub count: u32,
    /// Live: nanoseconds of uptime.
    pub ns: u64,
    /// The interface.
    pub ifname: Name<16>,
    /// `KPI_PFIL_*`
    pub dir: u32,
    /// Bytes of the packet.
    pub len: u32,
    /// Generation of the ruleset that judged it.
    pub generation: u64,
    /// How the packet begins; what is beyond its end is zero.
    pub head: [u8; IIPF_TRACE_HEAD],
    /// The steps, in order.
    pub steps: [TraceStep; IIPF_TRACE_STEPS],
}

/// [`TraceReply::verdict`]: it goes on.
pub const IIPF_VERDICT_PASS: u32 = 1;
/// [`TraceReply::verdict`]: it does not.
pub const IIPF_VERDICT_DROP: u32 = 2;
/// [`TraceReply::verdict`]: it waits for other fragments.
pub const IIPF_VERDICT_KEPT: u32 = 3;

/// One step.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TraceStep {
    /// `IIPF_STEP_*`
    pub step: u16,
    /// `AF_INET`, `AF_INET6`; 0: `src` and `dst` say nothing.
    pub af: u8,
    /// IP protocol.
    pub proto: u8,
    /// A rule: its index from 1 in what `IIPFGETRULES` gives; 0: none.
    pub rule: u32,
    /// A state's id, a mark, bytes or what the step says; else 0.
    pub value: u64,
    /// Source, as it is after the step.
    pub src: Peer,
    /// Destination, as it is after the step.
    pub dst: Peer,
    /// The drop reason as kstat(8) calls it, an interface, a table or a helper; "".
    pub name: Name<32>,
    /// Zero.
    pub reserved: u64,
}

/// [`TraceStep::step`]: the packet was understood; `value`: TCP flags, or ICMP type << 8 | code.
pub const IIPF_STEP_PARSED: u16 = 1;
/// The interface is not looked at.
pub const IIPF_STEP_SKIP: u16 = 2;
/// Fragments; `value`: bytes of what was put together, 0: not yet.
pub const IIPF_STEP_FRAGMENT: u16 = 3;
/// A state is there; `value`: its id.
pub const IIPF_STEP_STATE_FOUND: u16 = 4;
/// None is.
pub const IIPF_STEP_STATE_NONE: u16 = 5;
/// The state does not take the packet; `name`: the reason.
pub const IIPF_STEP_STATE_REFUSED: u16 = 6;
/// An ICMP error about the flow of a state; `value`: its id.
pub const IIPF_STEP_ICMP_ERROR: u16 = 7;
/// A translation rule matched; `rule`. 0: none did.
pub const IIPF_STEP_NAT_RULE: u16 = 8;
/// A forward matched; `value`: its id.
pub const IIPF_STEP_FORWARD: u16 = 9;
/// A mapping is there for the inside or outside address and port.
pub const IIPF_STEP_MAPPING: u16 = 10;
/// A mapping's filtering refuses the sender.
pub const IIPF_STEP_MAPPING_REFUSED: u16 = 11;
/// Addresses or ports were changed; of a described packet the outside port is the one preferred.
pub const IIPF_STEP_TRANSLATED: u16 = 12;
/// It turns round: a hairpin.
pub const IIPF_STEP_HAIRPIN: u16 = 13;
/// A match rule was applied; `rule`.
pub const IIPF_STEP_MATCH_RULE: u16 = 14;
/// A pass or block rule decides; `rule`, 0: none matched, the default.
pub const IIPF_STEP_FILTER_RULE: u16 = 15;
/// A limit; `name`: which.
pub const IIPF_STEP_LIMIT: u16 = 16;
/// A state is, or would be, made; `value`: its id, 0.
pub const IIPF_STEP_STATE_MADE: u16 = 17;
/// A helper looks into it; `name`.
pub const IIPF_STEP_ALG: u16 = 18;
/// The mark is now `value`.
pub const IIPF_STEP_MARK: u16 = 19;
/// A reset or unreachable goes back; `value`: ICMP type << 8 | code, 0: a reset.
pub const IIPF_STEP_REPLY: u16 = 20;
/// It passed and goes on to the system's routing (in), or to the interface `name` (out).
pub const IIPF_STEP_ON: u16 = 21;
/// It is now looked at on its way out by interface `name`.
pub const IIPF_STEP_OUT: u16 = 22;
/// It ends here; `name`: the reason.
pub const IIPF_STEP_DROP: u16 = 23;
/// The MSS became `value`.
pub const IIPF_STEP_MSS: u16 = 24;

/// Traces the next live packets. A later one takes the place of an earlier.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TraceArm {
    /// So many, at most [`IIPF_TRACE_ARM_MAX`]; 0: no longer.
    pub count: u32,
    /// `KPI_PFIL_*`; 0: both.
    pub dir: u32,
    /// Addresses, protocol, ports, interface as of packets; flags about states are EINVAL.
    pub filter: StateFilter,
}
