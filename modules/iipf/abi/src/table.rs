// SPDX-License-Identifier: BSD-2-Clause
//! Tables while they are in use.

use crate::TableAddrRec;
use kabi::{FromBytes, Immutable, IntoBytes, KnownLayout, Name};

/// Entries in one change.
pub const IIPF_TABLE_CHUNK: usize = 144;
/// Entries in one list.
pub const IIPF_TABLE_LIST: usize = 50;
/// Tables in one list.
pub const IIPF_TABLES_LIST: usize = 40;

/// Changes a table, or asks it.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TableReq {
    /// Its name.
    pub name: Name<32>,
    /// `IIPF_TOP_*`
    pub op: u32,
    /// Addresses below.
    pub count: u32,
    /// With `IIPF_TOP_ADD`: they go after so many seconds; 0: never. With `IIPF_TOP_EXPIRE`: entries
    /// of that age.
    pub seconds: u32,
    /// Zero.
    pub pad: u32,
    /// The addresses; `table` is 0. `neg` is set in replies to what was asked for only by
    /// `IIPF_TOP_TEST`.
    pub addrs: [TableAddrRec; IIPF_TABLE_CHUNK],
}

/// [`TableReq::op`]: adds; what is there already is no error, but `seconds` counts anew. Makes the
/// table, if there is none.
pub const IIPF_TOP_ADD: u32 = 1;
/// [`TableReq::op`]: deletes; what is not there is no error.
pub const IIPF_TOP_DELETE: u32 = 2;
/// [`TableReq::op`]: all entries are marked as old; added ones no longer are.
pub const IIPF_TOP_MARK: u32 = 3;
/// [`TableReq::op`]: what is still marked is deleted. `MARK`, `ADD` as often as needed and `SWEEP`
/// are a replacement during which what stays is there all the time.
pub const IIPF_TOP_SWEEP: u32 = 4;
/// [`TableReq::op`]: deletes all.
pub const IIPF_TOP_FLUSH: u32 = 5;
/// [`TableReq::op`]: counters to 0: of these entries, of all if `count` is 0.
pub const IIPF_TOP_ZERO: u32 = 6;
/// [`TableReq::op`]: deletes entries that were added, or their counters cleared, `seconds` ago or
/// earlier.
pub const IIPF_TOP_EXPIRE: u32 = 7;
/// [`TableReq::op`]: which of the addresses (whole ones, not prefixes) match; `matched` has a bit for
/// each.
pub const IIPF_TOP_TEST: u32 = 8;
/// [`TableReq::op`]: takes the table away: EBUSY while a ruleset names it.
pub const IIPF_TOP_DESTROY: u32 = 9;

/// What became of it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TableReply {
    /// Entries added.
    pub added: u32,
    /// Entries deleted.
    pub deleted: u32,
    /// Entries whose counters were cleared or whose time counts anew.
    pub changed: u32,
    /// Of `IIPF_TOP_TEST`: how many match.
    pub matches: u32,
    /// Which, the first in the lowest bit of the first.
    pub matched: [u64; 3],
}

/// Which entries of a table, or tables, are wanted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TableListReq {
    /// The table; "" in the list of tables.
    pub name: Name<32>,
    /// 0, or what the last reply said.
    pub cursor: u64,
}

/// Some entries.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TableListReply {
    /// Where to go on; 0: these were the last.
    pub cursor: u64,
    /// How many.
    pub count: u32,
    /// Zero.
    pub pad: u32,
    /// The entries.
    pub entries: [TableEntry; IIPF_TABLE_LIST],
}

/// An entry as it is now.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TableEntry {
    /// What it is; `table` is 0.
    pub addr: TableAddrRec,
    /// Seconds since it was added or its counters cleared.
    pub age: u32,
    /// Seconds until it goes; 0: never.
    pub expires: u32,
    /// Packets of rules that decided by it, both directions; 0 without `IIPF_TABLE_COUNTERS`.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Seconds since the last of them; `u32::MAX`: never, or not known.
    pub idle: u32,
    /// Zero.
    pub pad: u32,
    /// Zero.
    pub reserved: u64,
}

/// Some tables.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TablesReply {
    /// Where to go on; 0: these were the last.
    pub cursor: u64,
    /// How many.
    pub count: u32,
    /// Zero.
    pub pad: u32,
    /// The tables.
    pub tables: [TableInfo; IIPF_TABLES_LIST],
}

/// A table as it is now.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TableInfo {
    /// Name, `IIPF_TABLE_*`, entries.
    pub table: crate::TableRec,
    /// Rules that name it.
    pub rules: u32,
    /// Zero.
    pub pad: u32,
    /// Look-ups that matched.
    pub matched: u64,
    /// Look-ups that did not.
    pub missed: u64,
    /// Bytes of memory.
    pub memory: u64,
}
