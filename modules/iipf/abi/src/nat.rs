// SPDX-License-Identifier: BSD-2-Clause
//! Mappings, port blocks, forwards that programs asked for, and sources.

use crate::Peer;
use kabi::{FromBytes, Immutable, IntoBytes, KnownLayout, Name};

/// Mappings in one list.
pub const IIPF_MAP_LIST: usize = 36;
/// Forwards in one list.
pub const IIPF_FORWARD_LIST: usize = 16;
/// Sources in one list.
pub const IIPF_SOURCE_LIST: usize = 48;

/// Where to go on with a list.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Cursor {
    /// 0, or what the last reply said.
    pub cursor: u64,
}

/// Some mappings.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MapListReply {
    /// Where to go on; 0: these were the last.
    pub cursor: u64,
    /// How many.
    pub count: u32,
    /// Zero.
    pub pad: u32,
    /// The mappings.
    pub maps: [MapInfo; IIPF_MAP_LIST],
}

/// A mapping, or a port block: an inside address and port, and what they are outside.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct MapInfo {
    /// [`crate::RuleRec::id`] of the nat rule.
    pub rule: u64,
    /// Inside; a block has port 0.
    pub inside: Peer,
    /// Outside; a block: its first port.
    pub outside: Peer,
    /// States that use it.
    pub states: u32,
    /// Seconds until it ends, once no state uses it.
    pub expires: u32,
    /// Ports: 1, or those of the block.
    pub ports: u16,
    /// Ports of the block that are in use; else 1.
    pub used: u16,
    /// `AF_INET` or `AF_INET6`
    pub af: u8,
    /// IP protocol; a block that is for all: 0.
    pub proto: u8,
    /// `IIPF_MAP_*`
    pub kind: u8,
    /// `IIPF_FILTER_*`
    pub filtering: u8,
    /// Seconds since it was made.
    pub age: u32,
    /// Zero.
    pub pad: u32,
    /// Zero.
    pub reserved: u64,
}

/// [`MapInfo::kind`]: a mapping.
pub const IIPF_MAP_DYNAMIC: u8 = 1;
/// [`MapInfo::kind`]: a block of ports.
pub const IIPF_MAP_BLOCK: u8 = 2;

/// A forward: what comes to an outside port goes to an inside one, for some time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ForwardRec {
    /// Its number. In `IIPFADDFORWARD` 0: a new one; else that one's lifetime counts anew, and
    /// nothing else of it changes.
    pub id: u64,
    /// What came by it, packets.
    pub packets: u64,
    /// Interface it is on; "" counts on every one that has the outside address.
    pub ifname: Name<16>,
    /// Outside address; zero: the interface's first.
    pub outside: [u8; 16],
    /// Inside address.
    pub inside: [u8; 16],
    /// Only from this address; with `remote_prefixlen` 0 from all.
    pub remote: [u8; 16],
    /// Outside port. In `IIPFADDFORWARD` 0: a free one is chosen, if one can be.
    pub outside_port: u16,
    /// Inside port.
    pub inside_port: u16,
    /// Ports from there on, both outside and inside; 0 is 1.
    pub ports: u16,
    /// `AF_INET` or `AF_INET6`; in IPv6 outside and inside may be one address: a hole, no translation.
    pub af: u8,
    /// IP protocol: 6 or 17.
    pub proto: u8,
    /// Seconds that it shall live, or has left; 0: until it is deleted.
    pub lifetime: u32,
    /// Bits of `remote`.
    pub remote_prefixlen: u8,
    /// `IIPF_FWD_*`
    pub flags: u8,
    /// Zero.
    pub pad: u16,
    /// The asker's proof that it is its own (PCP's mapping nonce); others get EEXIST.
    pub nonce: [u8; 16],
    /// Who asked: "pcpd", "iipfctl".
    pub owner: Name<16>,
    /// What for, for people.
    pub description: Name<64>,
}

/// [`ForwardRec::flags`]: if the outside port is taken, another one will do.
pub const IIPF_FWD_ANY_PORT: u8 = 0x1;
/// [`ForwardRec::flags`]: inside hosts may use the outside address too.
pub const IIPF_FWD_HAIRPIN: u8 = 0x2;
/// [`ForwardRec::flags`]: the filter is not asked, as with "rdr pass".
pub const IIPF_FWD_PASS: u8 = 0x4;

/// Which forward goes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ForwardDel {
    /// Its number; 0: all of `owner`.
    pub id: u64,
    /// Must be the forward's; "" is everybody.
    pub owner: Name<16>,
    /// 1: its states end, too.
    pub kill: u32,
    /// Zero.
    pub pad: u32,
}

/// Some forwards.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ForwardListReply {
    /// Where to go on; 0: these were the last.
    pub cursor: u64,
    /// How many.
    pub count: u32,
    /// Zero.
    pub pad: u32,
    /// The forwards.
    pub forwards: [ForwardRec; IIPF_FORWARD_LIST],
}

/// Some sources.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SourceListReply {
    /// Where to go on; 0: these were the last.
    pub cursor: u64,
    /// How many.
    pub count: u32,
    /// Zero.
    pub pad: u32,
    /// The sources.
    pub sources: [SourceInfo; IIPF_SOURCE_LIST],
}

/// A source address that is counted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct SourceInfo {
    /// [`crate::RuleRec::id`] of the rule that counts it; 0: counted over all rules.
    pub rule: u64,
    /// Network order; IPv4 in the first four bytes.
    pub addr: [u8; 16],
    /// Zero.
    pub reserved: [u8; 16],
    /// States.
    pub states: u32,
    /// TCP connections that completed the handshake.
    pub conns: u32,
    /// New ones in the rule's span.
    pub rate: u32,
    /// NAT mappings, or blocks.
    pub mappings: u32,
    /// Connections that were refused it.
    pub refused: u32,
    /// Seconds since it was first seen.
    pub age: u32,
    /// Seconds until it is forgotten; 0 while it has states.
    pub expires: u32,
    /// `AF_INET` or `AF_INET6`
    pub af: u8,
    /// Zero.
    pub pad: [u8; 3],
}
