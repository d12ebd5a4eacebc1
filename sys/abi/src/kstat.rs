// SPDX-License-Identifier: BSD-2-Clause
//! The records that kstat(8) reads: what a module's `kpi_kstat_read` fills a buffer with.
//!
//! Each record starts with a [`RecordHeader`] and is a multiple of eight bytes long. An
//! [`Record::Instance`] says whose the counters and events after it are, until the next one; before
//! the first, and after one with an empty name, they are the module's own. Readers step over kinds
//! that they do not know.

mod reader;
mod writer;

pub use reader::{Malformed, Record, Records};
pub use writer::Writer;

use crate::Name;
use crate::golden::{Abi, Layout};
use crate::layout;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The version of the records described here.
pub const VERSION: u16 = 1;
/// No record is longer (bytes): a buffer of that size always gets on.
pub const RECORD_MAX: usize = 4096;

/// Kind of an [`InstanceBody`].
pub const KIND_INSTANCE: u16 = 1;
/// Kind of a [`CounterBody`].
pub const KIND_COUNTER: u16 = 2;
/// Kind of a [`TraceNameBody`].
pub const KIND_TRACE_NAME: u16 = 3;
/// Kind of a [`TraceEventBody`].
pub const KIND_TRACE_EVENT: u16 = 4;

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Class {
    /// Things that happened; only grows.
    Counter = 0,
    /// Packets dropped for one reason; only grows.
    Drop = 1,
    /// How much of something there is now.
    Gauge = 2,
}

impl Class {
    /// From the number in a record; what is unknown counts as a plain counter.
    #[must_use]
    pub const fn from_raw(raw: u16) -> Class {
        match raw {
            1 => Class::Drop,
            2 => Class::Gauge,
            _ => Class::Counter,
        }
    }

    /// "counter", "drop" or "gauge".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Class::Counter => "counter",
            Class::Drop => "drop",
            Class::Gauge => "gauge",
        }
    }
}

/// How every record starts.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecordHeader {
    /// Bytes of the whole record, this header and the padding included; a multiple of 8.
    pub len: u32,
    /// `KIND_*`
    pub kind: u16,
    /// [`VERSION`]
    pub version: u16,
}

/// Whose the records are that follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InstanceBody {
    /// An interface's name; empty: the module as a whole.
    pub name: Name<16>,
}

/// One counter; `namelen` bytes of name and `desclen` bytes of description follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CounterBody {
    /// The value now.
    pub value: u64,
    /// [`Class`]
    pub class: u16,
    /// Bytes of name.
    pub namelen: u16,
    /// Bytes of description.
    pub desclen: u16,
    /// Zero.
    pub pad: u16,
}

/// What events of one code are called; `namelen` bytes of name follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TraceNameBody {
    /// As in [`TraceEventBody::code`].
    pub code: u16,
    /// Bytes of name.
    pub namelen: u16,
    /// Zero.
    pub pad: u32,
}

/// One event of the trace ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TraceEventBody {
    /// Counts the events of one CPU; a gap shows what was overwritten.
    pub seq: u64,
    /// Nanoseconds of uptime.
    pub ns: u64,
    /// On which CPU.
    pub cpu: u16,
    /// What happened; see the records of kind [`KIND_TRACE_NAME`].
    pub code: u16,
    /// Zero.
    pub pad: u32,
    /// What the code says.
    pub args: [u64; 3],
}

const STRUCTS: &[Layout] = &[
    layout!(RecordHeader { len, kind, version }),
    layout!(InstanceBody { name }),
    layout!(CounterBody {
        value,
        class,
        namelen,
        desclen,
        pad
    }),
    layout!(TraceNameBody { code, namelen, pad }),
    layout!(TraceEventBody {
        seq,
        ns,
        cpu,
        code,
        pad,
        args
    }),
];

/// For the golden file.
pub const ABI: Abi = Abi {
    name: "kstat",
    commands: &[],
    structs: STRUCTS,
    numbers: &[
        ("VERSION", VERSION as u64),
        ("RECORD_MAX", RECORD_MAX as u64),
        ("KIND_INSTANCE", KIND_INSTANCE as u64),
        ("KIND_COUNTER", KIND_COUNTER as u64),
        ("KIND_TRACE_NAME", KIND_TRACE_NAME as u64),
        ("KIND_TRACE_EVENT", KIND_TRACE_EVENT as u64),
        ("CLASS_COUNTER", Class::Counter as u64),
        ("CLASS_DROP", Class::Drop as u64),
        ("CLASS_GAUGE", Class::Gauge as u64),
    ],
};
