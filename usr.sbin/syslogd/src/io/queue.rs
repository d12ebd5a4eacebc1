// SPDX-License-Identifier: BSD-2-Clause
//! What is to be sent to another host, kept until it has been: a ring with one reader. Its size
//! does not change, the oldest are lost first, and each that is lost is counted.

use crate::io::region::Memory;
use crate::io::region::recover_or_format;
use liblog::Clocks;
use liblog::Msg;
use liblog::ring::Cursor;
use liblog::ring::Record;
use liblog::ring::Ring;
use liblog::ring::Step;
use liblog::ring::TooSmall;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A queue.
#[derive(Debug)]
pub struct Queue {
    ring: Ring<Memory>,
    /// The next record to be written.
    cursor: Cursor,
    /// The first that is not known to have been sent.
    unsent: u64,
    most: Option<u64>,
    lost: u64,
    /// Where the number of the next record to be sent is kept.
    place: Option<File>,
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |word| u64::from_le_bytes(*word))
}

impl Queue {
    /// An empty one, or what a file has from before. `boot` is a number that no ring had; `most`
    /// bounds the number of messages; `place` is the file that is mapped, if one is.
    ///
    /// # Errors
    /// If the memory is too small for a ring.
    pub fn new(
        memory: Memory,
        boot: u64,
        most: Option<u64>,
        place: Option<File>,
    ) -> Result<Queue, TooSmall> {
        let kept = match &memory {
            Memory::Placed(map) => Some((word(map.as_ref(), 0), word(map.as_ref(), 8))),
            _ => None,
        };
        let ring = match memory {
            Memory::Plain(_) => Ring::format(memory, boot)?,
            mapped => recover_or_format(mapped, boot)?.0,
        };
        let from = match kept {
            Some((seq, of)) if of == ring.boot() => seq.max(ring.first()),
            _ => ring.first(),
        };
        let cursor = ring.cursor(from);
        Ok(Queue {
            unsent: cursor.seq(),
            ring,
            cursor,
            most,
            lost: 0,
            place,
        })
    }

    /// Takes a message in. The oldest goes if there is no room.
    pub fn push(&mut self, msg: &Msg<'_>, at: Clocks) {
        self.ring.push(msg, at);
        if let Some(most) = self.most
            && self.ring.next().saturating_sub(self.unsent) > most.max(1)
        {
            // One more than may be: the oldest counts as lost.
            self.unsent = self.unsent.saturating_add(1);
            if self.cursor.seq() < self.unsent {
                self.lost += 1;
                self.cursor = self.ring.cursor(self.unsent);
            }
        }
    }

    /// Whether something waits to be written or to be known as sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unsent >= self.ring.next()
    }

    /// Whether there is nothing to be written.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.cursor.seq() >= self.ring.next()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ring.next().saturating_sub(self.unsent)
    }

    /// How many were lost because there was no room.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Bytes of memory.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.ring.stats().total
    }

    /// The next message to be written, once; what was lost before it is counted.
    pub fn take(&mut self) -> Option<Record<'_>> {
        // Twice: a gap, and what is behind it.
        let mut cursor = self.cursor;
        if let Step::Lost { n, next } = self.ring.read(&mut cursor) {
            self.lost += n;
            self.unsent = self.unsent.max(next);
            self.cursor = cursor;
        }
        match self.ring.read(&mut self.cursor) {
            Step::Record(record) => Some(record),
            Step::Lost { .. } | Step::End => None,
        }
    }

    /// The last one that `take` gave was not taken after all.
    pub fn put_back(&mut self, seq: u64) {
        self.cursor = self.ring.cursor(seq);
    }

    /// All before `seq` have been sent.
    pub fn sent(&mut self, seq: u64) {
        self.unsent = self.unsent.max(seq);
        if let Some(file) = &self.place {
            let mut place = [0; 16];
            let (first, second) = place.split_at_mut(8);
            first.copy_from_slice(&self.unsent.to_le_bytes());
            second.copy_from_slice(&self.ring.boot().to_le_bytes());
            // If it cannot be written, some messages are sent twice after a restart.
            let _ = file.write_at(&place, 0);
        }
    }

    /// The connection is lost: what is not known to have been sent is written again.
    pub fn again(&mut self) {
        self.cursor = self.ring.cursor(self.unsent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::region::PLACE;
    use liblog::Pri;
    use libsys::map::Mapped;
    use libsys::map::allocate;

    fn message(text: &[u8]) -> Msg<'_> {
        Msg {
            pri: Pri::DEFAULT,
            sent: None,
            host: b"h",
            app: b"a",
            procid: b"",
            msgid: b"",
            sd: b"",
            text,
        }
    }

    fn push(queue: &mut Queue, n: u64) {
        queue.push(&message(n.to_string().as_bytes()), Clocks::default());
    }

    fn next(queue: &mut Queue) -> Option<u64> {
        let record = queue.take()?;
        std::str::from_utf8(record.msg.text).ok()?.parse().ok()
    }

    #[test]
    fn what_was_not_sent_is_written_again() {
        let mut queue = Queue::new(Memory::plain(8192), 1, None, None).expect("a queue");
        assert!(queue.is_empty() && next(&mut queue).is_none());
        (1..=5).for_each(|n| push(&mut queue, n));
        assert_eq!(next(&mut queue), Some(1));
        assert_eq!(next(&mut queue), Some(2));
        queue.sent(2);
        queue.again();
        assert_eq!(next(&mut queue), Some(2));
        queue.put_back(2);
        assert_eq!(next(&mut queue), Some(2));
        (3..=5).for_each(|n| assert_eq!(next(&mut queue), Some(n)));
        assert!(queue.is_written() && !queue.is_empty());
        queue.sent(6);
        assert!(queue.is_empty());
        assert_eq!((queue.lost(), queue.len()), (0, 0));
    }

    #[test]
    fn the_oldest_are_lost_and_counted() {
        for most in [None, Some(10)] {
            let mut queue = Queue::new(Memory::plain(4096), 1, most, None).expect("a queue");
            (1..=10_000).for_each(|n| push(&mut queue, n));
            assert!(most.is_none_or(|most| queue.len() <= most));
            let mut got = 0;
            let mut last = 0;
            while let Some(n) = next(&mut queue) {
                assert!(n > last);
                (got, last) = (got + 1, n);
            }
            assert_eq!(last, 10_000);
            assert_eq!(got + queue.lost(), 10_000);
        }
    }

    #[test]
    fn on_disk_it_knows_what_was_sent() {
        let file = tempfile::tempfile().expect("a file");
        let size = PLACE + 8192;
        allocate(&file, size as u64).expect("room");
        let open = || {
            let map = Memory::Placed(Mapped::new(&file, size).expect("mapped"));
            let place = file.try_clone().expect("a copy");
            Queue::new(map, 7, None, Some(place)).expect("a queue")
        };
        let mut queue = open();
        (1..=9).for_each(|n| push(&mut queue, n));
        while next(&mut queue) != Some(4) {}
        queue.sent(4);
        // As a killed process leaves it.
        drop(queue);
        let mut queue = open();
        assert_eq!(next(&mut queue), Some(4));
        assert_eq!(queue.len(), 6);
        queue.sent(10);
        drop(queue);
        assert!(open().is_empty());
    }
}
