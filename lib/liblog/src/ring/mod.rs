// SPDX-License-Identifier: BSD-2-Clause
//! A ring of records in a region of bytes: the newest that fit, and a count of all others.
//!
//! Nothing is outside of the region but the reader's cursors and a copy of the state, and nothing
//! allocates. A record never wraps: if it does not fit behind the newest one it goes to the
//! start, and the bytes at the end stay unused for this round.

mod layout;
mod log;
mod pack;
mod recover;
mod resize;
mod types;

use layout::Fit;
use layout::State;

use crate::msg::Clocks;
use crate::msg::Msg;

pub use layout::HEADER;
pub use log::Log;
pub use pack::MIN_PACKED;
pub use pack::Split;
pub use types::Bad;
pub use types::Cursor;
pub use types::MIN_SIZE;
pub use types::NotResized;
pub use types::Pushed;
pub use types::Record;
pub use types::Recovered;
pub use types::Region;
pub use types::Resizable;
pub use types::Stats;
pub use types::Step;
pub use types::TooSmall;

/// Records in a region.
#[derive(Debug)]
pub struct Ring<R: Region> {
    region: R,
    key: u32,
    state: State,
    /// Other with each region: what cursors know of offsets is good for one.
    layout: u64,
}

impl<R: Region> Ring<R> {
    /// Makes an empty ring; `boot` is a number that no ring before it had. Only the header is
    /// written.
    ///
    /// # Errors
    /// If the region is smaller than [`MIN_SIZE`].
    pub fn format(region: R, boot: u64) -> Result<Self, TooSmall> {
        let state = State {
            boot,
            first: 1,
            next: 1,
            ..State::default()
        };
        let key = (boot ^ boot >> 32) as u32;
        Ring::begin(region, key, state, 0)
    }

    fn begin(mut region: R, key: u32, state: State, layout: u64) -> Result<Self, TooSmall> {
        if region.as_ref().len() < MIN_SIZE {
            return Err(TooSmall);
        }
        layout::format(region.as_mut(), key);
        let mut ring = Ring {
            region,
            key,
            state,
            layout,
        };
        ring.store();
        Ok(ring)
    }

    /// Takes over what is left in a region. See [`Recovered`] for when it needs a new number.
    ///
    /// # Errors
    /// Why there is no ring in it.
    pub fn recover(region: R) -> Result<(Self, Recovered), Bad> {
        let (key, state, recovered) = recover::recover(region.as_ref())?;
        let mut ring = Ring {
            region,
            key,
            state,
            layout: 0,
        };
        ring.store();
        Ok((ring, recovered))
    }

    fn store(&mut self) {
        self.state.generation += 1;
        self.state.store(self.region.as_mut(), self.key);
    }

    fn area(&self) -> &[u8] {
        layout::area(self.region.as_ref())
    }

    /// Stores a message under the next number; the oldest records go if there is no room. What is
    /// larger than the ring is cut.
    pub fn push(&mut self, msg: &Msg<'_>, at: Clocks) -> Pushed {
        let fit = Fit::new(msg, self.area().len());
        let size = fit.size() as u64;
        let dropped = self.make_room(size);
        let seq = self.state.next;
        let area = layout::area_mut(self.region.as_mut());
        if let Some(place) = area.get_mut(self.state.tail as usize..) {
            fit.write(place, self.key, seq, at);
        }
        let state = &mut self.state;
        if state.count == 0 {
            state.first = seq;
        }
        state.tail += size;
        state.used += size;
        state.count += 1;
        state.last = seq;
        state.next = seq.wrapping_add(1);
        state.pushed += 1;
        state.cut += u64::from(fit.cut);
        state.clean = 0;
        self.store();
        Pushed {
            seq,
            dropped,
            cut: fit.cut,
        }
    }

    /// Sees to it that `size` bytes at the tail are free, and says how many records went.
    fn make_room(&mut self, size: u64) -> u64 {
        let before = self.state.dropped;
        while !self.has_room(size) {
            self.drop_oldest();
        }
        self.state.dropped - before
    }

    /// Whether `size` bytes are free, and the tail is where.
    fn has_room(&mut self, size: u64) -> bool {
        let area = self.area().len() as u64;
        let state = &mut self.state;
        if state.count == 0 {
            (state.head, state.tail, state.end) = (0, 0, 0);
            return true;
        }
        if state.end > 0 {
            return state.head - state.tail >= size;
        }
        if area - state.tail >= size {
            return true;
        }
        let wraps = state.head >= size;
        if wraps {
            state.end = state.tail;
            state.tail = 0;
        }
        wraps
    }

    fn drop_oldest(&mut self) {
        let size = layout::extent(self.area(), self.state.head).map(|(_, size)| size);
        let state = &mut self.state;
        // Somebody else has written into the region: nothing in it can be found any more.
        let Some(size) = size.filter(|&size| size <= state.used) else {
            state.dropped += state.count;
            state.count = 0;
            state.used = 0;
            state.first = state.next;
            return;
        };
        state.head += size;
        state.used -= size;
        state.count -= 1;
        state.dropped += 1;
        if state.end > 0 && state.head >= state.end {
            (state.head, state.end) = (0, 0);
        }
        let (head, count, next) = (state.head, state.count, state.next);
        self.state.first = if count == 0 {
            next
        } else {
            layout::extent(self.area(), head).map_or(next, |(seq, _)| seq.min(next))
        };
    }

    /// The oldest record's number; without any, the next one's.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.state.first
    }

    /// The number that the next record will have.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.state.next
    }

    /// The ring's own number: records with equal numbers of rings with other ones are others.
    #[must_use]
    pub const fn boot(&self) -> u64 {
        self.state.boot
    }

    /// Gives it another number: after a crash of the system, when records that readers had seen may
    /// be gone and their numbers be used again.
    pub fn set_boot(&mut self, boot: u64) {
        self.state.boot = boot;
        self.store();
    }

    /// Notes that no record is under way: recovery of this is [`clean`](Recovered::clean).
    pub fn finish(&mut self) {
        self.state.clean = 1;
        self.store();
    }

    /// Its figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let state = &self.state;
        Stats {
            records: state.count,
            used: state.used,
            total: self.region.as_ref().len() as u64,
            pushed: state.pushed,
            dropped: state.dropped,
            cleared: state.cleared,
            cut: state.cut,
        }
    }

    /// The region.
    #[must_use]
    pub const fn region(&self) -> &R {
        &self.region
    }

    /// The region, the ring given up.
    #[must_use]
    pub fn into_region(self) -> R {
        self.region
    }

    /// A reader that begins with record `from`, or with the next one if that is still to come.
    #[must_use]
    pub fn cursor(&self, from: u64) -> Cursor {
        let seq = from.min(self.state.next);
        Cursor {
            seq,
            at: self.find(|at_seq, _| at_seq >= seq).1,
            layout: self.layout,
        }
    }

    /// The first record that `wanted` takes, by number and offset: its number and offset, or what
    /// the next one's are.
    fn find(&self, wanted: impl Fn(u64, u64) -> bool) -> (u64, u64) {
        let state = &self.state;
        let mut at = state.head;
        for _ in 0..state.count {
            let Some((seq, size)) = layout::extent(self.area(), at) else {
                break;
            };
            if wanted(seq, at) {
                return (seq, at);
            }
            at += size;
            if state.end > 0 && at == state.end {
                at = 0;
            }
        }
        (state.next, state.tail)
    }

    /// The number of the first record from `wall` on, nanoseconds since 1970; it has been looked
    /// for from the oldest on, since clocks are set back at times.
    #[must_use]
    pub fn seek_time(&self, wall: i64) -> u64 {
        let area = self.area();
        self.find(|_, at| layout::record(area, at).is_some_and(|(r, _)| r.at.wall >= wall))
            .0
    }

    /// The record at the cursor, which goes on; or how many are gone, once for each gap.
    pub fn read(&self, cursor: &mut Cursor) -> Step<'_> {
        let state = &self.state;
        if cursor.seq >= state.next {
            return Step::End;
        }
        if state.count == 0 || cursor.seq > state.last {
            return lost(cursor, state.next, state.tail);
        }
        if cursor.seq < state.first {
            return lost(cursor, state.first, state.head);
        }
        if cursor.seq == state.first {
            cursor.at = state.head;
        } else if cursor.layout != self.layout {
            let seq = cursor.seq;
            cursor.at = self.find(|at_seq, _| at_seq >= seq).1;
        } else if state.end > 0 && cursor.at == state.end {
            cursor.at = 0;
        }
        cursor.layout = self.layout;
        match layout::record(self.area(), cursor.at) {
            Some((record, size)) if record.seq == cursor.seq => {
                cursor.seq = record.seq + 1;
                cursor.at += size;
                Step::Record(record)
            }
            Some((record, _)) if record.seq > cursor.seq && record.seq <= state.last => {
                lost(cursor, record.seq, cursor.at)
            }
            _ => lost(cursor, state.next, state.tail),
        }
    }

    /// Removes all records; the numbers go on. Nothing of them is left in the region.
    pub fn clear(&mut self) {
        layout::area_mut(self.region.as_mut()).fill(0);
        let state = &mut self.state;
        state.cleared += state.count;
        state.count = 0;
        state.used = 0;
        state.first = state.next;
        (state.head, state.tail, state.end) = (0, 0, 0);
        self.store();
    }

    /// The same ring in another region, of another size, and how many of the oldest records did not
    /// fit there. Readers go on with it; this one is left as it was.
    ///
    /// # Errors
    /// If the region is smaller than [`MIN_SIZE`].
    pub fn moved<S: Region>(&self, into: S) -> Result<(Ring<S>, u64), TooSmall> {
        let mut state = self.state;
        (state.head, state.tail, state.end) = (0, 0, 0);
        let mut ring = Ring::begin(into, self.key, state, self.layout + 1)?;
        let room = ring.area().len() as u64;
        let mut at = self.state.head;
        let mut lost = 0;
        let step = |at: u64| match layout::extent(self.area(), at) {
            Some((seq, size)) if at + size == self.state.end => Some((seq, size, 0)),
            Some((seq, size)) => Some((seq, size, at + size)),
            None => None,
        };
        while state.used > room
            && let Some((_, size, after)) = step(at)
        {
            at = after;
            state.used = state.used.saturating_sub(size);
            state.count = state.count.saturating_sub(1);
            lost += 1;
        }
        state.dropped += lost;
        state.first = match step(at) {
            Some((seq, ..)) if state.count > 0 => seq,
            _ => state.next,
        };
        for _ in 0..state.count {
            let Some((_, size, after)) = step(at) else {
                break;
            };
            let from = self.area().get(at as usize..(at + size) as usize);
            let tail = state.tail as usize;
            let to = layout::area_mut(ring.region.as_mut()).get_mut(tail..tail + size as usize);
            if let (Some(to), Some(from)) = (to, from) {
                to.copy_from_slice(from);
            }
            state.tail += size;
            at = after;
        }
        state.generation = ring.state.generation;
        ring.state = state;
        ring.store();
        Ok((ring, lost))
    }
}

const fn lost<'a>(cursor: &mut Cursor, next: u64, at: u64) -> Step<'a> {
    let n = next - cursor.seq;
    cursor.seq = next;
    cursor.at = at;
    Step::Lost { n, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pri::Pri;
    use testkit::Noise;

    /// Nobody promises that a mapped file is not written to: readers end, and counters hold.
    #[test]
    fn damage_while_it_runs() {
        let mut noise = Noise::new(5);
        for _ in 0..2000 {
            let mut ring = Ring::format(vec![0; 6000], 1).unwrap();
            let text = [b'x'; 400];
            let push = |ring: &mut Ring<Vec<u8>>, len| {
                let msg = Msg {
                    pri: Pri::DEFAULT,
                    sent: None,
                    host: b"h",
                    app: b"",
                    procid: b"",
                    msgid: b"",
                    sd: b"",
                    text: &text[..len],
                };
                ring.push(&msg, Clocks::default());
            };
            (0..30).for_each(|_| push(&mut ring, noise.below(400)));
            let mut cursor = ring.cursor(ring.first() + 3);
            for _ in 0..1 + noise.below(20) {
                let at = HEADER + noise.below(6000 - HEADER);
                ring.region[at] = noise.below(256) as u8;
            }
            let mut steps = 0;
            while ring.read(&mut cursor) != Step::End {
                steps += 1;
                assert!(steps < 200);
            }
            for _ in 0..60 {
                push(&mut ring, noise.below(400));
                let stats = ring.stats();
                assert!(stats.used <= stats.total);
                assert_eq!(stats.pushed, stats.dropped + stats.records);
            }
            assert_eq!(ring.next(), 91);
            let (moved, _) = ring.moved(vec![0; 5000]).unwrap();
            assert_eq!(moved.next(), 91);
            for _ in 0..1 + noise.below(20) {
                let at = HEADER + noise.below(6000 - HEADER);
                ring.region[at] = noise.below(256) as u8;
            }
            for size in [4500 + noise.below(1000), 5000] {
                ring.resize(size).unwrap();
                (0..10).for_each(|_| push(&mut ring, noise.below(400)));
                let stats = ring.stats();
                assert!(stats.used <= stats.total);
                assert_eq!(stats.pushed, stats.dropped + stats.records);
            }
            assert_eq!(ring.next(), 111);
        }
    }
}
