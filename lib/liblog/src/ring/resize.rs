// SPDX-License-Identifier: BSD-2-Clause
//! A ring gets another size where it is: at no time is there a second one.

use super::Ring;
use super::layout;
use super::types::MIN_SIZE;
use super::types::NotResized;
use super::types::Resizable;

impl<R: Resizable> Ring<R> {
    /// Gives the ring another size, and says how many of the oldest records do not fit into it.
    /// Readers go on with it. Not for a region that outlives the process: a crash in the middle of
    /// this costs all records.
    ///
    /// # Errors
    /// Why it has still the size that it had; then nothing has changed.
    pub fn resize(&mut self, size: usize) -> Result<u64, NotResized> {
        if size < MIN_SIZE {
            return Err(NotResized::TooSmall);
        }
        self.region.reserve(size)?;
        let room = ((size & !7) - layout::HEADER) as u64;
        let before = self.state.dropped;
        while self.state.count > 0 && self.state.used > room {
            self.drop_oldest();
        }
        let lost = self.state.dropped - before;
        self.compact(room as usize);
        self.region.set_size(size);
        layout::format(self.region.as_mut(), self.key);
        // What cursors know of offsets is good no more.
        self.layout += 1;
        self.store();
        Ok(lost)
    }

    /// Brings all records to the start, in their order, and leaves nothing else. They have room
    /// there, if nobody else has written into the region.
    fn compact(&mut self, room: usize) {
        let state = &mut self.state;
        let area = layout::area_mut(self.region.as_mut());
        let (head, tail, end) = (state.head as usize, state.tail as usize, state.end as usize);
        // Without a wrap they end at the tail, else at the end, and go on at the start.
        let (stop, newer) = if end > 0 { (end, tail) } else { (tail, 0) };
        let sound = newer <= head && head <= stop && stop <= area.len();
        let used = match newer.checked_add(stop.saturating_sub(head)) {
            Some(used) if sound && state.count > 0 && used <= room => used,
            _ => 0,
        };
        if used > 0 {
            area.copy_within(head..stop, newer);
        }
        if let Some((records, rest)) = area.split_at_mut_checked(used) {
            records.rotate_left(newer.min(used));
            // Recovery would look there.
            rest.fill(0);
        }
        if used == 0 {
            state.dropped += state.count;
            (state.count, state.first) = (0, state.next);
        }
        state.used = used as u64;
        (state.head, state.tail, state.end) = (0, used as u64, 0);
    }
}
