// SPDX-License-Identifier: BSD-2-Clause
//! Old records in blocks, compressed: each block is a record of a ring of blocks, so what is true of
//! rings (budget, sums, recovery) is of these.
//!
//! The bytes of a block are those of its records as they were in the ring that they came from. A
//! record that is longer than a block, and what does not become shorter, is stored as it is.

use std::fmt;

use lz4_flex::block::CompressTable;
use lz4_flex::block::compress_into_with_table;
use lz4_flex::block::decompress_into;
use lz4_flex::block::get_maximum_output_size;
use zerocopy::FromBytes;
use zerocopy::Immutable;
use zerocopy::IntoBytes;
use zerocopy::KnownLayout;
use zerocopy::Unaligned;
use zerocopy::little_endian::U32;
use zerocopy::little_endian::U64;

use super::Ring;
use super::layout;
use super::types::Cursor;
use super::types::Record;
use super::types::Region;
use super::types::Step;
use crate::msg::Clocks;
use crate::msg::Msg;
use crate::pri::Pri;

/// Bytes of a block: more make it hardly smaller, and each record that is read costs one.
pub(super) const BLOCK: usize = 16 * 1024;
/// Two buffers and the compressor's table: of the budget, too.
const WORK: usize = BLOCK + OUT + 8 * 1024;
/// The most that a block is compressed: what the library wants to have room for.
const OUT: usize = get_maximum_output_size(BLOCK);
/// The smallest ring that is packed, in bytes.
pub const MIN_PACKED: usize = 256 * 1024;

const LZ4: u8 = 1;

/// How the bytes of a packed ring are shared: the newest records, the blocks; the rest is what the
/// work needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Bytes of the ring of the newest records.
    pub hot: usize,
    /// Bytes of the ring of blocks.
    pub cold: usize,
}

impl Split {
    /// Of a ring of `size` bytes; `None` if that is less than [`MIN_PACKED`].
    #[must_use]
    pub const fn of(size: usize) -> Option<Split> {
        if size < MIN_PACKED {
            return None;
        }
        let eighth = (size / 8) & !0xffff;
        let hot = if eighth > 0 { eighth } else { 0x10000 };
        let cold = size - hot - WORK;
        Some(Split { hot, cold })
    }

    /// All of it.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.hot + self.cold + WORK
    }
}

/// What stands before a block.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Head {
    first: U64,
    last: U64,
    raw: U32,
    kind: u8,
}

/// Records that follow each other, and their bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub first: u64,
    pub last: u64,
    /// The latest time among them.
    pub wall: i64,
    pub count: u64,
    pub at: u64,
    pub len: u64,
}

/// The block that is being read.
struct Open {
    first: u64,
    last: u64,
    /// Where it is, and where the next one is.
    here: Cursor,
    behind: Cursor,
    /// Its bytes in the buffer; `None`: they are in the ring as they are.
    len: Option<usize>,
    /// A record in it and its offset.
    place: (u64, u64),
}

/// The blocks.
pub(super) struct Pack<R: Region> {
    pub cold: Ring<R>,
    raw: Vec<u8>,
    out: Vec<u8>,
    table: CompressTable,
    /// The numbers of the records in it, from the first to the last.
    range: Option<(u64, u64)>,
    open: Option<Open>,
}

impl<R: Region> fmt::Debug for Pack<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Pack");
        debug.field("range", &self.range).finish_non_exhaustive()
    }
}

fn head(record: &Record<'_>) -> Option<Head> {
    let head = Head::read_from_bytes(record.msg.msgid).ok()?;
    (head.first.get() <= head.last.get()).then_some(head)
}

impl<R: Region> Pack<R> {
    pub fn new(cold: Ring<R>) -> Self {
        let mut pack = Pack {
            cold,
            raw: vec![0; BLOCK],
            out: vec![0; OUT],
            table: CompressTable::small(),
            range: None,
            open: None,
        };
        pack.look();
        pack
    }

    /// What records are there.
    pub const fn range(&self) -> Option<(u64, u64)> {
        self.range
    }

    /// Looks at all blocks.
    pub fn look(&mut self) {
        self.open = None;
        self.range = None;
        let mut cursor = self.cold.cursor(self.cold.first());
        loop {
            match self.cold.read(&mut cursor) {
                Step::Record(record) => {
                    if let Some(head) = head(&record) {
                        let first = self.range.map_or(head.first.get(), |(first, _)| first);
                        self.range = Some((first, head.last.get()));
                    }
                }
                Step::Lost { .. } => {}
                Step::End => break,
            }
        }
    }

    /// The number of the oldest record.
    fn oldest(&self) -> Option<u64> {
        let mut cursor = self.cold.cursor(self.cold.first());
        match self.cold.read(&mut cursor) {
            Step::Record(record) => head(&record).map(|head| head.first.get()),
            _ => None,
        }
    }

    /// Stores a block; the oldest ones go if there is no room.
    pub fn put(&mut self, run: &Run, bytes: &[u8]) {
        let short = (bytes.len() <= BLOCK)
            .then(|| compress_into_with_table(bytes, &mut self.out, &mut self.table).ok())
            .flatten()
            .filter(|&n| n < bytes.len())
            .and_then(|n| self.out.get(..n));
        let head = Head {
            first: run.first.into(),
            last: run.last.into(),
            raw: u32::try_from(bytes.len()).unwrap_or(u32::MAX).into(),
            kind: if short.is_some() { LZ4 } else { 0 },
        };
        let mut block = Msg::bare(Pri::DEFAULT, short.unwrap_or(bytes));
        block.msgid = head.as_bytes();
        let at = Clocks {
            wall: run.wall,
            mono: 0,
        };
        let pushed = self.cold.push(&block, at);
        let first = match self.range {
            Some((first, _)) if pushed.dropped == 0 => first,
            _ => self.oldest().unwrap_or(run.first),
        };
        self.range = Some((first, run.last));
    }

    pub fn clear(&mut self) {
        self.cold.clear();
        self.open = None;
        self.range = None;
        self.raw.fill(0);
        self.out.fill(0);
    }

    /// Opens the block with that record, or the next one that can be read; whether there is one.
    fn open(&mut self, seq: u64) -> bool {
        let mut behind = match &self.open {
            // The next one, mostly.
            Some(open) if open.last < seq => open.behind,
            _ => self.cold.cursor(self.cold.first()),
        };
        self.open = None;
        loop {
            let here = behind;
            let record = match self.cold.read(&mut behind) {
                Step::Record(record) => record,
                Step::Lost { .. } => continue,
                Step::End => return false,
            };
            let Some(head) = head(&record).filter(|head| head.last.get() >= seq) else {
                continue;
            };
            let len = if head.kind == LZ4 {
                let n = decompress_into(record.msg.text, &mut self.raw).ok();
                let Some(n) = n.filter(|&n| n as u64 == u64::from(head.raw.get())) else {
                    continue;
                };
                Some(n)
            } else {
                None
            };
            let first = head.first.get();
            self.open = Some(Open {
                first,
                last: head.last.get(),
                here,
                behind,
                len,
                place: (first, 0),
            });
            return true;
        }
    }

    /// The bytes of the open block.
    fn bytes(&self) -> &[u8] {
        let Some(open) = &self.open else {
            return &[];
        };
        let mut here = open.here;
        match open.len {
            Some(len) => self.raw.get(..len).unwrap_or_default(),
            None => match self.cold.read(&mut here) {
                Step::Record(record) => record.msg.text,
                _ => &[],
            },
        }
    }

    /// A record by its number; if it is gone, the number of the next one there may be.
    pub fn read(&mut self, seq: u64) -> Result<Record<'_>, u64> {
        let Some((oldest, newest)) = self.range else {
            return Err(seq.saturating_add(1));
        };
        if seq < oldest {
            return Err(oldest);
        }
        let covers = |open: &Open| open.first <= seq && seq <= open.last;
        if !self.open.as_ref().is_some_and(covers) && !self.open(seq) {
            return Err(newest.saturating_add(1));
        }
        let Some(open) = &self.open else {
            return Err(newest.saturating_add(1));
        };
        if seq < open.first {
            return Err(open.first);
        }
        let (behind, start) = (open.last.saturating_add(1), open.place);
        let mut at = if start.0 <= seq { start.1 } else { 0 };
        loop {
            match layout::extent(self.bytes(), at) {
                Some((found, _)) if found == seq => break,
                Some((found, size)) if found < seq => at += size,
                // A block that is not what it was.
                _ => return Err(behind),
            }
        }
        if let Some(open) = &mut self.open {
            open.place = (seq, at);
        }
        match layout::record(self.bytes(), at) {
            Some((record, _)) => Ok(record),
            None => Err(behind),
        }
    }

    /// The first record from `wall` on, by the clock.
    pub fn seek_time(&mut self, wall: i64) -> Option<u64> {
        let mut cursor = self.cold.cursor(self.cold.first());
        loop {
            let (first, last) = match self.cold.read(&mut cursor) {
                Step::Record(record) if record.at.wall >= wall => match head(&record) {
                    Some(head) => (head.first.get(), head.last.get()),
                    None => continue,
                },
                Step::Record(_) | Step::Lost { .. } => continue,
                Step::End => return None,
            };
            let mut seq = first;
            while seq <= last {
                match self.read(seq) {
                    Ok(record) if record.at.wall >= wall => return Some(seq),
                    Ok(_) => seq += 1,
                    Err(next) => seq = next.max(seq.saturating_add(1)),
                }
            }
        }
    }
}
