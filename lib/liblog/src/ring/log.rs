// SPDX-License-Identifier: BSD-2-Clause
//! A ring as its readers see it: plain, or packed, the newest records in a ring and those before
//! them in compressed blocks. The numbers, the counters and the budget are those of one ring.
//!
//! A crash between storing a block and releasing its records leaves them in both: they are read
//! from where they still are as they were.

use super::Ring;
use super::layout;
use super::layout::Fit;
use super::pack::BLOCK;
use super::pack::Pack;
use super::pack::Run;
use super::pack::Split;
use super::types::Cursor;
use super::types::MIN_SIZE;
use super::types::NotResized;
use super::types::Pushed;
use super::types::Region;
use super::types::Resizable;
use super::types::Stats;
use super::types::Step;
use super::types::TooSmall;
use crate::msg::Clocks;
use crate::msg::Msg;

/// The offset of a cursor that was in a block: good for no ring.
const NOWHERE: u64 = u64::MAX;

impl<R: Region> Ring<R> {
    /// The oldest records, those that are a block, or one that is longer; never beyond the end.
    fn oldest(&self) -> Option<Run> {
        let state = &self.state;
        let start = state.head;
        let mut run: Option<Run> = None;
        let mut at = start;
        for _ in 0..state.count {
            let Some((record, size)) = layout::record(self.area(), at) else {
                break;
            };
            let len = at - start + size;
            if run.is_some() && len > BLOCK as u64 {
                break;
            }
            let wall = record.at.wall;
            run = Some(Run {
                first: run.map_or(record.seq, |run| run.first),
                last: record.seq,
                wall: run.map_or(wall, |run| run.wall.max(wall)),
                count: run.map_or(0, |run| run.count) + 1,
                at: start,
                len,
            });
            at += size;
            if state.end > 0 && at >= state.end {
                break;
            }
        }
        run
    }
}

/// Records in one ring, or in two of which one has blocks.
#[derive(Debug)]
pub struct Log<R: Region> {
    hot: Ring<R>,
    pack: Option<Pack<R>>,
}

impl<R: Region> Log<R> {
    /// One that is not packed.
    #[must_use]
    pub const fn plain(ring: Ring<R>) -> Self {
        Log {
            hot: ring,
            pack: None,
        }
    }

    /// A packed one, of the newest records and of blocks. Blocks that do not belong to them are
    /// given up.
    #[must_use]
    pub fn packed(hot: Ring<R>, cold: Ring<R>) -> Self {
        let mut pack = Pack::new(cold);
        let strange = pack.range().is_some_and(|(_, last)| last >= hot.next());
        if strange || pack.cold.boot() != hot.boot() {
            pack.clear();
            pack.cold.set_boot(hot.boot());
        }
        Log {
            hot,
            pack: Some(pack),
        }
    }

    /// Whether it is packed.
    #[must_use]
    pub const fn is_packed(&self) -> bool {
        self.pack.is_some()
    }

    /// Moves the oldest records into a block.
    fn pack_oldest(&mut self) {
        let Some(pack) = &mut self.pack else {
            return;
        };
        let Some(run) = self.hot.oldest() else {
            self.hot.drop_oldest();
            return;
        };
        let mut known = pack.range().map_or(0, |(_, last)| last);
        // What is in a block already, from before a crash, is only released.
        if run.first > known {
            let (at, end) = (run.at as usize, (run.at + run.len) as usize);
            pack.put(&run, self.hot.area().get(at..end).unwrap_or_default());
            known = run.last;
        }
        for _ in 0..run.count {
            if self.hot.state.first <= known {
                self.hot.drop_oldest();
            }
        }
        self.hot.store();
    }

    /// Packed before the ring is made smaller, or what has no room in `size` bytes would be lost.
    fn pack_down_to(&mut self, size: usize) {
        let room = ((size & !7) - layout::HEADER) as u64;
        while self.pack.is_some() && self.hot.state.count > 0 && self.hot.state.used > room {
            self.pack_oldest();
        }
    }

    /// Stores a message under the next number, as [`Ring::push`].
    pub fn push(&mut self, msg: &Msg<'_>, at: Clocks) -> Pushed {
        if self.pack.is_none() {
            return self.hot.push(msg, at);
        }
        let size = Fit::new(msg, self.hot.area().len()).size() as u64;
        let mut dropped = 0;
        // Seldom: a block makes room for many.
        if !self.hot.has_room(size) {
            let before = self.stats().dropped;
            while !self.hot.has_room(size) {
                self.pack_oldest();
            }
            dropped = self.stats().dropped.saturating_sub(before);
        }
        Pushed {
            dropped,
            ..self.hot.push(msg, at)
        }
    }

    /// How many records are in blocks and not in the ring.
    fn packed_count(&self) -> u64 {
        let range = self.pack.as_ref().and_then(Pack::range);
        range.map_or(0, |(first, last)| {
            (last + 1).min(self.hot.first()).saturating_sub(first)
        })
    }

    /// The oldest record's number; without any, the next one's.
    #[must_use]
    pub fn first(&self) -> u64 {
        let range = self.pack.as_ref().and_then(Pack::range);
        range.map_or(self.hot.first(), |(first, _)| first.min(self.hot.first()))
    }

    /// The number that the next record will have.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.hot.next()
    }

    /// The ring's own number.
    #[must_use]
    pub const fn boot(&self) -> u64 {
        self.hot.boot()
    }

    /// Its figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.hot.stats();
        if let Some(pack) = &self.pack {
            let packed = self.packed_count();
            let cold = pack.cold.stats();
            stats.records += packed;
            // To the ring alone they were dropped.
            stats.dropped = stats.dropped.saturating_sub(packed);
            stats.used += cold.used;
            let (hot, cold) = (stats.total as usize, cold.total as usize);
            stats.total = Split { hot, cold }.total() as u64;
        }
        stats
    }

    /// Its regions.
    pub fn regions(&self) -> impl Iterator<Item = &R> {
        let cold = self.pack.as_ref().map(|pack| pack.cold.region());
        [self.hot.region()].into_iter().chain(cold)
    }

    /// Notes that no record is under way, as [`Ring::finish`].
    pub fn finish(&mut self) {
        self.hot.finish();
        if let Some(pack) = &mut self.pack {
            pack.cold.finish();
        }
    }

    /// A reader that begins with record `from`, or with the next one if that is still to come.
    #[must_use]
    pub fn cursor(&self, from: u64) -> Cursor {
        if from >= self.hot.first() {
            return self.hot.cursor(from);
        }
        Cursor {
            seq: from,
            at: 0,
            layout: NOWHERE,
        }
    }

    /// The number of the first record from `wall` on, nanoseconds since 1970.
    #[must_use]
    pub fn seek_time(&mut self, wall: i64) -> u64 {
        let packed = self.pack.as_mut().and_then(|pack| pack.seek_time(wall));
        let first = self.hot.first();
        packed
            .filter(|&seq| seq < first)
            .unwrap_or_else(|| self.hot.seek_time(wall))
    }

    /// The record at the cursor, which goes on; or how many are gone, once for each gap.
    pub fn read(&mut self, cursor: &mut Cursor) -> Step<'_> {
        let (seq, hot) = (cursor.seq, self.hot.first());
        let range = self.pack.as_ref().and_then(Pack::range);
        let packed = range.is_some_and(|(_, last)| seq <= last) && seq < hot;
        let Some(pack) = self.pack.as_mut().filter(|_| packed) else {
            return self.hot.read(cursor);
        };
        cursor.layout = NOWHERE;
        match pack.read(seq) {
            Ok(record) => {
                cursor.seq = seq + 1;
                Step::Record(record)
            }
            Err(next) => {
                let next = next.min(hot);
                cursor.seq = next;
                Step::Lost {
                    n: next - seq,
                    next,
                }
            }
        }
    }

    /// Removes all records; the numbers go on. Nothing of them is left.
    pub fn clear(&mut self) {
        let packed = self.packed_count();
        if let Some(pack) = &mut self.pack {
            pack.clear();
        }
        let state = &mut self.hot.state;
        state.dropped = state.dropped.saturating_sub(packed);
        state.cleared += packed;
        self.hot.clear();
    }

    /// The same, plain or packed as it was, in other regions, and how many of the oldest records
    /// did not fit there. Without a second region it is not packed.
    ///
    /// # Errors
    /// If a region is too small; then nothing has changed.
    pub fn moved<S: Region>(&mut self, hot: S, cold: Option<S>) -> Result<(Log<S>, u64), TooSmall> {
        let before = self.stats().dropped;
        self.pack_down_to(hot.as_ref().len().max(MIN_SIZE));
        let pack = match (&self.pack, cold) {
            (Some(pack), Some(cold)) => Some(Pack::new(pack.cold.moved(cold)?.0)),
            _ => None,
        };
        let (ring, _) = self.hot.moved(hot)?;
        let log = Log { hot: ring, pack };
        let lost = log.stats().dropped.saturating_sub(before);
        Ok((log, lost))
    }
}

impl<R: Resizable> Log<R> {
    /// Gives it another size where it is, as [`Ring::resize`].
    ///
    /// # Errors
    /// Why it has still the size that it had; then nothing has changed.
    pub fn resize(&mut self, size: usize) -> Result<u64, NotResized> {
        let before = self.stats().dropped;
        let Some(pack) = &mut self.pack else {
            return self.hot.resize(size);
        };
        let split = Split::of(size).ok_or(NotResized::TooSmall)?;
        self.hot.region.reserve(split.hot)?;
        pack.cold.region.reserve(split.cold)?;
        pack.cold.resize(split.cold)?;
        pack.look();
        self.pack_down_to(split.hot);
        self.hot.resize(split.hot)?;
        Ok(self.stats().dropped.saturating_sub(before))
    }
}
