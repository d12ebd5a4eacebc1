// SPDX-License-Identifier: BSD-2-Clause
//! Reads records out of bytes that may be anything.

use super::{
    Class, CounterBody, InstanceBody, KIND_COUNTER, KIND_INSTANCE, KIND_TRACE_EVENT,
    KIND_TRACE_NAME, RecordHeader, TraceEventBody, TraceNameBody,
};
use crate::{Name, read_pod};
use core::fmt;

/// One record, borrowed from the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// Whose the records are that follow; empty: the module's own.
    Instance(Name<16>),
    /// A counter.
    Counter {
        /// Its name.
        name: &'a str,
        /// One line about it.
        desc: &'a str,
        /// What it counts.
        class: Class,
        /// Its value.
        value: u64,
    },
    /// The name of a trace code.
    TraceName {
        /// The code.
        code: u16,
        /// Its name.
        name: &'a str,
    },
    /// A trace event.
    TraceEvent(TraceEventBody),
    /// A kind that this reader does not know.
    Unknown {
        /// The kind.
        kind: u16,
        /// All after the header.
        body: &'a [u8],
    },
}

/// Bytes that are no record; `at` is how far into the buffer they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Offset of the bad record (bytes).
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed kstat record at byte {}", self.at)
    }
}

impl core::error::Error for Malformed {}

/// Iterates over the records of a buffer; ends after the first malformed one.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    /// The records of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Records<'a> {
        Records { rest: bytes, at: 0 }
    }

    /// Splits one record off; `None` when there is none to split off.
    fn split(&mut self) -> Option<(RecordHeader, &'a [u8])> {
        let header: RecordHeader = read_pod(self.rest)?;
        let len = usize::try_from(header.len).ok()?;
        if !len.is_multiple_of(8) {
            return None;
        }
        let (record, rest) = self.rest.split_at_checked(len)?;
        let body = record.get(size_of::<RecordHeader>()..)?;
        self.rest = rest;
        self.at = self.at.saturating_add(len);
        Some((header, body))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.at;
        let record = self
            .split()
            .and_then(|(header, body)| parse(header.kind, body));
        if record.is_none() {
            self.rest = &[];
        }
        Some(record.ok_or(Malformed { at }))
    }
}

fn parse(kind: u16, body: &[u8]) -> Option<Record<'_>> {
    Some(match kind {
        KIND_INSTANCE => {
            let b: InstanceBody = read_pod(body)?;
            b.name.as_str()?;
            Record::Instance(b.name)
        }
        KIND_COUNTER => {
            let b: CounterBody = read_pod(body)?;
            let (name, rest) = text(body.get(size_of::<CounterBody>()..)?, b.namelen)?;
            let (desc, _) = text(rest, b.desclen)?;
            Record::Counter {
                name,
                desc,
                class: Class::from_raw(b.class),
                value: b.value,
            }
        }
        KIND_TRACE_NAME => {
            let b: TraceNameBody = read_pod(body)?;
            let (name, _) = text(body.get(size_of::<TraceNameBody>()..)?, b.namelen)?;
            Record::TraceName { code: b.code, name }
        }
        KIND_TRACE_EVENT => Record::TraceEvent(read_pod(body)?),
        kind => Record::Unknown { kind, body },
    })
}

fn text(bytes: &[u8], len: u16) -> Option<(&str, &[u8])> {
    let (text, rest) = bytes.split_at_checked(usize::from(len))?;
    Some((core::str::from_utf8(text).ok()?, rest))
}
