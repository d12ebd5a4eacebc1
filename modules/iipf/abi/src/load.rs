// SPDX-License-Identifier: BSD-2-Clause
//! How a ruleset is loaded: begin, add chunks of records, commit; and the records that rules refer
//! to. The running one is read back in the same chunks.

use kabi::{FromBytes, Immutable, IntoBytes, KnownLayout, Name};

/// What the format of records is called here; another number is refused with `IIPF_LE_VERSION`.
pub const IIPF_VERSION: u32 = 1;
/// Bytes of records in one chunk.
pub const IIPF_CHUNK: usize = 3584;

/// Sorts of records in a ruleset, in the order in which they are loaded. Each sort is complete
/// before the next begins, so that a reference can be checked as it comes in.
pub const IIPF_KIND_NAME: u32 = 0;
/// [`IfaceRec`]
pub const IIPF_KIND_IFACE: u32 = 1;
/// [`TableRec`]
pub const IIPF_KIND_TABLE: u32 = 2;
/// [`TableAddrRec`], in order of their table.
pub const IIPF_KIND_TABLE_ADDR: u32 = 3;
/// [`crate::OptionsRec`], exactly one.
pub const IIPF_KIND_OPTIONS: u32 = 4;
/// [`crate::TimeoutsRec`]
pub const IIPF_KIND_TIMEOUTS: u32 = 5;
/// [`PoolRec`]
pub const IIPF_KIND_POOL: u32 = 6;
/// [`AnchorRec`]; a parent before its children.
pub const IIPF_KIND_ANCHOR: u32 = 7;
/// [`crate::RuleRec`], in order of their text.
pub const IIPF_KIND_RULE: u32 = 8;
/// How many sorts there are.
pub const IIPF_KINDS: usize = 9;

/// Begins a load. An older one that was not committed is forgotten.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct BeginReq {
    /// [`IIPF_VERSION`]
    pub version: u32,
    /// How many records of each sort there will be, by `IIPF_KIND_*`.
    pub counts: [u32; IIPF_KINDS],
}

/// What a load is called.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Ticket {
    /// Not 0.
    pub ticket: u64,
}

/// Some records of one sort.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Chunk {
    /// The load's; in `IIPFGETRULES` 0.
    pub ticket: u64,
    /// `IIPF_KIND_*`
    pub kind: u32,
    /// Records in `data`.
    pub count: u32,
    /// `IIPFGETRULES`: index of the first, from 0. `IIPFADD`: the same, and it must be the number of
    /// those already added.
    pub first: u32,
    /// Zero; from `IIPFGETRULES` how many of this sort there are.
    pub total: u32,
    /// Generation of the ruleset that this is from; with `IIPFADD` 0.
    pub generation: u64,
    /// The records, one after another, the rest zero.
    pub data: [u8; IIPF_CHUNK],
}

/// Which records of the running ruleset are wanted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ChunkReq {
    /// `IIPF_KIND_*`; not `IIPF_KIND_TABLE_ADDR`, tables have their own commands.
    pub kind: u32,
    /// Index of the first, from 0.
    pub first: u32,
}

/// What became of records or of a commit.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct LoadReply {
    /// `IIPF_LE_*`; 0: all is well. Else the load is over and what ran runs on.
    pub error: u32,
    /// What it is about: `IIPF_KIND_*`.
    pub kind: u32,
    /// Which of them, from 0.
    pub index: u32,
    /// Zero.
    pub pad: u32,
    /// Of a commit: generation of the ruleset that runs now.
    pub generation: u64,
    /// Of a commit: states that the new rules would refuse; 0 as well when nobody counted.
    pub stale: u64,
}

/// Makes what was added the running ruleset, at once and whole.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct CommitReq {
    /// The load's.
    pub ticket: u64,
    /// `IIPF_COMMIT_*`
    pub flags: u32,
    /// Zero.
    pub pad: u32,
    /// Only when this is the generation that runs, else `IIPF_LE_GENERATION`; 0: whatever runs.
    pub generation: u64,
}

/// [`CommitReq::flags`]: all checks and the compilation, but nothing is replaced.
pub const IIPF_COMMIT_CHECK: u32 = 0x1;
/// [`CommitReq::flags`]: counts the states that the new rules would refuse, and marks them.
pub const IIPF_COMMIT_COUNT_STALE: u32 = 0x2;
/// [`CommitReq::flags`]: ends them. With `IIPF_COMMIT_COUNT_STALE`.
pub const IIPF_COMMIT_KILL_STALE: u32 = 0x4;

/// [`LoadReply::error`]: another load began, or this one is over.
pub const IIPF_LE_TICKET: u32 = 1;
/// [`LoadReply::error`]: records of another format.
pub const IIPF_LE_VERSION: u32 = 2;
/// [`LoadReply::error`]: an unknown sort, out of order, or more than were announced.
pub const IIPF_LE_KIND: u32 = 3;
/// [`LoadReply::error`]: fewer records than were announced.
pub const IIPF_LE_MISSING: u32 = 4;
/// [`LoadReply::error`]: a value that its member cannot have.
pub const IIPF_LE_VALUE: u32 = 5;
/// [`LoadReply::error`]: a reference to a record that is not there.
pub const IIPF_LE_REFERENCE: u32 = 6;
/// [`LoadReply::error`]: members that contradict each other.
pub const IIPF_LE_CONFLICT: u32 = 7;
/// [`LoadReply::error`]: the classifier does not take that many or such rules.
pub const IIPF_LE_COMPLEX: u32 = 8;
/// [`LoadReply::error`]: more than a limit allows.
pub const IIPF_LE_LIMIT: u32 = 9;
/// [`LoadReply::error`]: no memory.
pub const IIPF_LE_MEMORY: u32 = 10;
/// [`LoadReply::error`]: the same name, id or priority twice.
pub const IIPF_LE_DUPLICATE: u32 = 11;
/// [`LoadReply::error`]: what runs is not what the caller took it for.
pub const IIPF_LE_GENERATION: u32 = 12;
/// [`LoadReply::error`]: what this kernel does not do.
pub const IIPF_LE_UNSUPPORTED: u32 = 13;

/// A text that rules refer to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct NameRec {
    /// `IIPF_NAME_*`
    pub kind: u32,
    /// With `IIPF_NAME_TAG`: the mark that this tag is.
    pub mark: u32,
    /// The text.
    pub name: Name<56>,
}

/// [`NameRec::kind`]: a label.
pub const IIPF_NAME_LABEL: u32 = 1;
/// [`NameRec::kind`]: a tag. The kernel only keeps it for those who ask.
pub const IIPF_NAME_TAG: u32 = 2;
/// [`NameRec::kind`]: a file; of a long path its end.
pub const IIPF_NAME_FILE: u32 = 3;

/// Interfaces that rules refer to. At most [`IIPF_IFACES_MAX`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct IfaceRec {
    /// The name, or the beginning of names. It need not exist yet.
    pub name: Name<16>,
    /// `IIPF_IFACE_*`
    pub flags: u32,
    /// Zero.
    pub pad: u32,
}

/// Interfaces and groups in one ruleset.
pub const IIPF_IFACES_MAX: usize = 255;
/// [`IfaceRec::flags`]: all whose name is this and a number ("wan": wan0, wan1).
pub const IIPF_IFACE_GROUP: u32 = 0x1;
/// [`IfaceRec::flags`]: packets on it are not looked at ("set skip on").
pub const IIPF_IFACE_SKIP: u32 = 0x2;

/// A table.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TableRec {
    /// The name.
    pub name: Name<32>,
    /// `IIPF_TABLE_*`
    pub flags: u32,
    /// How many addresses come with the load.
    pub count: u32,
}

/// [`TableRec::flags`]: stays when no ruleset names it any more.
pub const IIPF_TABLE_PERSIST: u32 = 0x1;
/// [`TableRec::flags`]: only a load changes it.
pub const IIPF_TABLE_CONST: u32 = 0x2;
/// [`TableRec::flags`]: packets and bytes are counted for each entry.
pub const IIPF_TABLE_COUNTERS: u32 = 0x4;
/// [`TableRec::flags`]: the load says what is in it. Without, a table of this name that is there
/// already keeps its entries.
pub const IIPF_TABLE_REPLACE: u32 = 0x8;
/// [`TableRec::flags`]: the running ruleset names it; only in replies.
pub const IIPF_TABLE_REFERENCED: u32 = 0x10;

/// An address or a network in a table.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TableAddrRec {
    /// The table, index from 1.
    pub table: u32,
    /// `AF_INET` or `AF_INET6`.
    pub af: u8,
    /// Bits, 0 to 32 or 128.
    pub prefixlen: u8,
    /// 1: what it covers is not in the table, unless a longer prefix says so.
    pub neg: u8,
    /// Zero.
    pub pad: u8,
    /// Network order, host bits zero; IPv4 in the first four bytes.
    pub addr: [u8; 16],
}

/// One of a translation's new addresses.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct PoolRec {
    /// `IIPF_POOLADDR_*`
    pub kind: u8,
    /// `AF_INET` or `AF_INET6`, the family of what is translated.
    pub af: u8,
    /// With `IIPF_POOLADDR_PREFIX`: bits.
    pub prefixlen: u8,
    /// With `IIPF_POOLADDR_IF`: `IIPF_IFPART_*`.
    pub part: u8,
    /// With `IIPF_POOLADDR_IF` the interface, with `IIPF_POOLADDR_TABLE` the table; from 1.
    pub index: u32,
    /// With `IIPF_POOLADDR_PREFIX`: the network; with `_RANGE` the lowest address.
    pub lo: [u8; 16],
    /// With `IIPF_POOLADDR_RANGE`: the highest address; with `_PREFIX` the last one it covers.
    pub hi: [u8; 16],
}

/// [`PoolRec::kind`]: a prefix; one address is a prefix of all bits.
pub const IIPF_POOLADDR_PREFIX: u8 = 1;
/// [`PoolRec::kind`]: from `lo` to `hi`.
pub const IIPF_POOLADDR_RANGE: u8 = 2;
/// [`PoolRec::kind`]: the addresses of an interface, at the time of the packet.
pub const IIPF_POOLADDR_IF: u8 = 3;
/// [`PoolRec::kind`]: the addresses in a table.
pub const IIPF_POOLADDR_TABLE: u8 = 4;

/// An anchor, for those who ask; it is flattened into its rules.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct AnchorRec {
    /// Its own name, or of one without a name "" .
    pub name: Name<56>,
    /// The anchor around it, index from 1; 0: none.
    pub parent: u32,
    /// 1: written with `quick`.
    pub quick: u32,
}
