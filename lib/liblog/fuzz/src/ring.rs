// SPDX-License-Identifier: BSD-2-Clause
//! Rings: whatever is done to one, readers get each record as it was pushed, once and in order, or
//! are told how many are gone; whatever is done to its bytes, no record comes that was not pushed.

use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::ring::Cursor;
use liblog::ring::MIN_SIZE;
use liblog::ring::Ring;
use liblog::ring::Step;

type Memory = Ring<Vec<u8>>;

/// What is done, a byte for each deed and some for how.
struct Deeds<'a>(&'a [u8]);

impl Deeds<'_> {
    fn byte(&mut self) -> Option<usize> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte.into())
    }

    fn word(&mut self) -> Option<usize> {
        Some(self.byte()? << 8 | self.byte()?)
    }
}

/// The text of record `seq`: known by its number and length alone.
fn text(seq: u64, len: usize) -> Vec<u8> {
    (0..len)
        .map(|n| (seq as usize * 31 + n * 7) as u8)
        .collect()
}

fn msg<'a>(text: &'a [u8], name: &'a [u8]) -> Msg<'a> {
    Msg {
        pri: Pri::DEFAULT,
        sent: (name.len() & 1 != 0).then_some(5),
        host: name,
        app: name,
        procid: b"1",
        msgid: b"",
        sd: b"",
        text,
    }
}

/// Lengths of the texts and of the names that were pushed, by number from 1 on.
#[derive(Default)]
struct Pushed(Vec<(usize, usize)>);

impl Pushed {
    fn push(&mut self, ring: &mut Memory, len: usize, name: usize) {
        let (next, before) = (ring.next(), ring.stats());
        assert_eq!(next, self.0.len() as u64 + 1);
        let pushed = ring.push(&msg(&text(next, len), &vec![b'n'; name]), Clocks::default());
        let stats = ring.stats();
        assert_eq!((pushed.seq, ring.next()), (next, next + 1));
        assert_eq!(stats.dropped - before.dropped, pushed.dropped);
        assert!(stats.used <= stats.total);
        self.0.push((len, name));
    }

    /// Reads a step, and compares it with what was pushed. `false` at the end.
    fn step(&self, ring: &Memory, cursor: &mut Cursor) -> bool {
        let at = cursor.seq();
        match ring.read(cursor) {
            Step::End => return false,
            Step::Lost { n, next } => assert!(n > 0 && at + n == next && cursor.seq() == next),
            Step::Record(r) => {
                let (len, name) = self.0[r.seq as usize - 1];
                assert_eq!((r.seq, cursor.seq()), (at, at + 1));
                let text = text(r.seq, len);
                assert!(r.msg.text.len() == len || r.cut);
                assert_eq!(r.msg, msg(&text[..r.msg.text.len()], &vec![b'n'; name]));
            }
        }
        true
    }

    fn all(&self, ring: &Memory) -> u64 {
        let mut cursor = ring.cursor(0);
        let mut steps = 0;
        while self.step(ring, &mut cursor) {
            steps += 1;
        }
        steps
    }
}

/// How large, then deeds.
pub fn ring(data: &[u8]) {
    let mut deeds = Deeds(data);
    let Some(size) = deeds.byte() else {
        return;
    };
    let mut ring = Ring::format(vec![0; MIN_SIZE + size * 9], 1).expect("large enough");
    let mut pushed = Pushed::default();
    let mut cursor = ring.cursor(0);
    while let Some(deed) = deeds.byte() {
        if deed < 128 {
            pushed.push(&mut ring, deed * 5, deed & 63);
        } else if run(deed, &mut deeds, &mut ring, &mut cursor, &pushed).is_none() {
            break;
        }
        let stats = ring.stats();
        assert_eq!(stats.pushed, stats.dropped + stats.cleared + stats.records);
        assert_eq!(stats.pushed, pushed.0.len() as u64);
        assert_eq!(ring.next() - ring.first(), stats.records);
        if deed == 255 {
            large(&mut ring, &mut pushed, &mut deeds);
        }
    }
    let records = ring.stats().records;
    assert!((records..=records + 1).contains(&pushed.all(&ring)));
}

fn large(ring: &mut Memory, pushed: &mut Pushed, deeds: &mut Deeds<'_>) {
    pushed.push(ring, deeds.word().unwrap_or(9999), 3);
}

fn run(
    deed: usize,
    deeds: &mut Deeds<'_>,
    ring: &mut Memory,
    cursor: &mut Cursor,
    pushed: &Pushed,
) -> Option<()> {
    match deed & 7 {
        0 | 1 => {
            (0..deed >> 3 & 15).for_each(|_| {
                pushed.step(ring, cursor);
            });
        }
        2 => *cursor = ring.cursor(deeds.byte()? as u64),
        3 => ring.clear(),
        4 => {
            let size = MIN_SIZE + deeds.word()? % 5000;
            let before = ring.stats().dropped;
            if deed & 8 != 0 {
                let lost = ring.resize(size).expect("large enough");
                assert_eq!(ring.stats().dropped - before, lost);
                return Some(());
            }
            let (moved, lost) = ring.moved(vec![0xee; size]).expect("large enough");
            assert_eq!(moved.stats().dropped - before, lost);
            *ring = moved;
        }
        5 => {
            let (again, found) = Ring::recover(ring.region().clone()).expect("whole");
            assert_eq!((found.lost, found.state_lost), (0, false));
            assert_eq!((again.stats(), again.first()), (ring.stats(), ring.first()));
            *cursor = again.cursor(cursor.seq());
            *ring = again;
        }
        _ => damage(deed, deeds, ring, pushed)?,
    }
    Some(())
}

/// Recovers a damaged copy, reads it, and goes on with it.
fn damage(deed: usize, deeds: &mut Deeds<'_>, ring: &Memory, pushed: &Pushed) -> Option<()> {
    let mut region = ring.region().clone();
    for _ in 0..1 + (deed >> 3 & 7) {
        let at = deeds.word()? % region.len();
        let (byte, len) = (deeds.byte()?, 1 + deeds.byte()?);
        region
            .iter_mut()
            .skip(at)
            .take(len)
            .for_each(|b| *b = byte as u8);
    }
    if let Ok((mut found, report)) = Ring::recover(region) {
        assert_eq!(report.records, found.stats().records);
        pushed.all(&found);
        for len in [0, 100, 2000, 9000] {
            let text = text(found.next(), len);
            let next = found.next();
            assert_eq!(found.push(&msg(&text, b"n"), Clocks::default()).seq, next);
            let stats = found.stats();
            assert!(stats.used <= stats.total && stats.records > 0);
        }
    }
    Some(())
}
