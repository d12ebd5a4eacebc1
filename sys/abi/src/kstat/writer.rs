// SPDX-License-Identifier: BSD-2-Clause
//! Writes records into a buffer, whole ones only.

use super::{
    Class, CounterBody, InstanceBody, KIND_COUNTER, KIND_INSTANCE, KIND_TRACE_EVENT,
    KIND_TRACE_NAME, RECORD_MAX, RecordHeader, TraceEventBody, TraceNameBody, VERSION,
};
use crate::{Name, Pod, write_pod};

/// Writes records one after the other into a buffer.
///
/// Each method returns `false`, and has written nothing, when its record does not fit: the caller
/// stops there, keeps its cursor and goes on with the next buffer.
///
/// ```
/// use kabi::kstat::{Class, Writer};
/// let mut buf = [0u8; 128];
/// let mut w = Writer::new(&mut buf);
/// assert!(w.instance("l2tp0"));
/// assert!(w.counter("ipackets", "packets received", Class::Counter, 7));
/// assert_eq!(w.len(), 24 + 48);
/// assert!(!w.counter("opackets", "packets which have been transmitted", Class::Counter, 7));
/// assert_eq!(w.len(), 24 + 48);
/// ```
#[derive(Debug)]
pub struct Writer<'a> {
    buf: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// A writer that starts at the beginning of `buf`.
    #[must_use]
    pub fn new(buf: &'a mut [u8]) -> Writer<'a> {
        Writer { buf, at: 0 }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.at
    }

    /// Whether nothing has been written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// The records that follow are of the instance `name`; "": of the module itself.
    pub fn instance(&mut self, name: &str) -> bool {
        let Some(name) = Name::new(name) else {
            return false;
        };
        self.record(KIND_INSTANCE, &InstanceBody { name }, &[])
    }

    /// The value of one counter, with its name and one line about it.
    pub fn counter(&mut self, name: &str, desc: &str, class: Class, value: u64) -> bool {
        let (Ok(namelen), Ok(desclen)) = (name.len().try_into(), desc.len().try_into()) else {
            return false;
        };
        let body = CounterBody {
            value,
            class: class as u16,
            namelen,
            desclen,
            pad: 0,
        };
        self.record(KIND_COUNTER, &body, &[name.as_bytes(), desc.as_bytes()])
    }

    /// What trace events of `code` are called.
    pub fn trace_name(&mut self, code: u16, name: &str) -> bool {
        let Ok(namelen) = name.len().try_into() else {
            return false;
        };
        let body = TraceNameBody {
            code,
            namelen,
            pad: 0,
        };
        self.record(KIND_TRACE_NAME, &body, &[name.as_bytes()])
    }

    /// One event.
    pub fn trace_event(&mut self, event: &TraceEventBody) -> bool {
        self.record(KIND_TRACE_EVENT, event, &[])
    }

    fn record<T: Pod>(&mut self, kind: u16, body: &T, texts: &[&[u8]]) -> bool {
        self.try_record(kind, body, texts).is_some()
    }

    fn try_record<T: Pod>(&mut self, kind: u16, body: &T, texts: &[&[u8]]) -> Option<()> {
        let head = size_of::<RecordHeader>();
        let mut len = head.checked_add(size_of::<T>())?;
        for text in texts {
            len = len.checked_add(text.len())?;
        }
        len = len.checked_next_multiple_of(8)?;
        if len > RECORD_MAX {
            return None;
        }
        let end = self.at.checked_add(len)?;
        // Nothing is written before it is known that all of it fits.
        let out = self.buf.get_mut(self.at..end)?;
        out.fill(0);
        write_pod(
            &RecordHeader {
                len: u32::try_from(len).ok()?,
                kind,
                version: VERSION,
            },
            out,
        )?;
        let mut rest = out.get_mut(head..)?;
        write_pod(body, rest)?;
        rest = rest.get_mut(size_of::<T>()..)?;
        for text in texts {
            let (to, after) = rest.split_at_mut_checked(text.len())?;
            to.copy_from_slice(text);
            rest = after;
        }
        self.at = end;
        Some(())
    }
}
