// SPDX-License-Identifier: BSD-2-Clause
//! The ioctl ABI of iipf, the filter and NAT: what /dev/iipf takes, or a host kernel's device of
//! that name.
//!
//! A ruleset is loaded as records: [`IIPFBEGIN`] says how many of each sort, [`IIPFADD`] brings
//! them in the order of the sorts, [`IIPFCOMMIT`] replaces the running ruleset at once or not at
//! all. A refusal of what is in the records is no errno, which could not say where: the reply has
//! an `IIPF_LE_*` and the record.
//!
//! Anchors are flattened, lists expanded, names resolved and policies put in before: the kernel
//! gets plain rules with a priority ([`RuleRec::prio`]). References to other records are indices
//! from 1, so that 0 is none.
//!
//! Lists are read in pages: cursor 0 first, then what the last reply said, until that is 0.
//!
//! Addresses are in network order in 16 bytes, IPv4 in the first four and the rest zero; all other
//! numbers, ports too, are in the machine's order. Families are `AF_INET` 2 and `AF_INET6` 10, as
//! [`kabi::ctl::AF_INET`], whatever the system calls them. What is said to be zero is checked:
//! EINVAL, or `IIPF_LE_VALUE` in a record. Texts are UTF-8 without control characters.
//!
//! All commands need superuser privilege.
//!
//! *Contexts*: any; constants and plain data.

#![no_std]
#![forbid(unsafe_code)]

mod golden;
mod load;
mod nat;
mod options;
mod rule;
mod state;
mod status;
mod table;
mod trace;

pub use golden::ABI;
pub use load::*;
pub use nat::*;
pub use options::*;
pub use rule::*;
pub use state::*;
pub use status::*;
pub use table::*;
pub use trace::*;

use kabi::Ioctl;

/// The device.
pub const IIPF_DEVICE: &str = "iipf";

/// Begins a load. EINVAL: another version, or not exactly one of the options.
pub const IIPFBEGIN: Ioctl<BeginReq, Ticket> = Ioctl::iowr(b'F', 1);
/// Adds records to a load.
pub const IIPFADD: Ioctl<Chunk, LoadReply> = Ioctl::iowr(b'F', 2);
/// Makes a load the running ruleset.
pub const IIPFCOMMIT: Ioctl<CommitReq, LoadReply> = Ioctl::iowr(b'F', 3);
/// Forgets a load. ENOENT: it is over.
pub const IIPFABORT: Ioctl<Ticket, ()> = Ioctl::iow(b'F', 4);
/// Reads the running ruleset; `count` 0 behind its end. ENOENT: none was loaded.
pub const IIPFGETRULES: Ioctl<ChunkReq, Chunk> = Ioctl::iowr(b'F', 5);
/// Counts of rules.
pub const IIPFRULESTATS: Ioctl<RuleStatsReq, RuleStatsReply> = Ioctl::iowr(b'F', 6);

/// How iipf is.
pub const IIPFSTATUS: Ioctl<(), Status> = Ioctl::ior(b'F', 10);
/// 1: packets are looked at, 0: they pass untouched.
pub const IIPFENABLE: Ioctl<Value, ()> = Ioctl::iow(b'F', 11);
/// Interfaces.
pub const IIPFLISTIFS: Ioctl<Cursor, IfListReply> = Ioctl::iowr(b'F', 12);

/// States.
pub const IIPFLISTSTATES: Ioctl<StateListReq, StateListReply> = Ioctl::iowr(b'F', 20);
/// Ends states; how many.
pub const IIPFKILLSTATES: Ioctl<StateFilter, Count> = Ioctl::iowr(b'F', 21);
/// States for another kernel. EPROTONOSUPPORT: another version.
pub const IIPFEXPORT: Ioctl<ExportReq, Export> = Ioctl::iowr(b'F', 22);
/// States from another kernel, after its ruleset was loaded. EPROTONOSUPPORT: another version.
pub const IIPFIMPORT: Ioctl<Export, ImportReply> = Ioctl::iowr(b'F', 23);

/// NAT mappings and port blocks.
pub const IIPFLISTMAPS: Ioctl<Cursor, MapListReply> = Ioctl::iowr(b'F', 30);
/// Sources.
pub const IIPFLISTSOURCES: Ioctl<Cursor, SourceListReply> = Ioctl::iowr(b'F', 31);
/// A forward for some time; the reply is what was made. EADDRINUSE: the port is taken; EEXIST: a
/// forward of somebody else; ENOSPC: the limit; ENOENT: no such `id`.
pub const IIPFADDFORWARD: Ioctl<ForwardRec, ForwardRec> = Ioctl::iowr(b'F', 32);
/// Takes forwards away; how many. ENOENT: there is none; EPERM: it is somebody else's.
pub const IIPFDELFORWARD: Ioctl<ForwardDel, Count> = Ioctl::iowr(b'F', 33);
/// Forwards; their nonces are zero.
pub const IIPFLISTFORWARDS: Ioctl<Cursor, ForwardListReply> = Ioctl::iowr(b'F', 34);

/// Changes a table, or asks it. ENOENT: no such table; EPERM: it is const; ENOSPC: the limit.
pub const IIPFTABLE: Ioctl<TableReq, TableReply> = Ioctl::iowr(b'F', 40);
/// Entries of a table. ENOENT: no such table.
pub const IIPFTABLEENTRIES: Ioctl<TableListReq, TableListReply> = Ioctl::iowr(b'F', 41);
/// Tables.
pub const IIPFTABLES: Ioctl<TableListReq, TablesReply> = Ioctl::iowr(b'F', 42);

/// What would become of a packet. ENXIO: no such interface; EINVAL: longer than its room.
pub const IIPFTRACEPACKET: Ioctl<TracePacket, TraceReply> = Ioctl::iowr(b'F', 50);
/// Traces live packets.
pub const IIPFTRACEARM: Ioctl<TraceArm, ()> = Ioctl::iow(b'F', 51);
/// The next live packet that was traced.
pub const IIPFTRACEREAD: Ioctl<(), TraceReply> = Ioctl::ior(b'F', 52);
