// SPDX-License-Identifier: BSD-2-Clause
//! Rings against a queue with the same accounting of bytes, and recovery of what crashes and
//! damage leave.

use std::collections::VecDeque;

use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::ring::Bad;
use liblog::ring::Cursor;
use liblog::ring::HEADER;
use liblog::ring::MIN_SIZE;
use liblog::ring::NotResized;
use liblog::ring::Resizable;
use liblog::ring::Ring;
use liblog::ring::Step;
use liblog::ring::TooSmall;
use proptest::prelude::*;

/// A record's fixed part.
const HEAD: usize = 48;

/// A message's strings as they were pushed.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    seq: u64,
    at: Clocks,
    sent: Option<i64>,
    pri: u16,
    strings: [Vec<u8>; 6],
    cut: bool,
    place: usize,
    size: usize,
}

impl Entry {
    fn msg(&self) -> Msg<'_> {
        let [host, app, procid, msgid, sd, text] = &self.strings;
        Msg {
            pri: Pri::from_value(self.pri).unwrap(),
            sent: self.sent,
            host,
            app,
            procid,
            msgid,
            sd,
            text,
        }
    }
}

/// What a ring should do.
struct Model {
    area: usize,
    queue: VecDeque<Entry>,
    next: u64,
    dropped: u64,
    cleared: u64,
    tail: usize,
    /// Everything that was ever pushed, by number from 1 on.
    all: Vec<Entry>,
}

impl Model {
    fn new(size: usize) -> Self {
        Model {
            area: (size & !7) - HEADER,
            queue: VecDeque::new(),
            next: 1,
            dropped: 0,
            cleared: 0,
            tail: 0,
            all: vec![],
        }
    }

    fn used(&self) -> usize {
        self.queue.iter().map(|e| e.size).sum()
    }

    fn push(&mut self, mut e: Entry) -> u64 {
        for s in &mut e.strings[..4] {
            e.cut |= s.len() > 255;
            s.truncate(255);
        }
        let fields = HEAD + e.strings[..4].iter().map(Vec::len).sum::<usize>();
        if fields + e.strings[4].len() > self.area || e.strings[4].len() > 65_535 {
            e.strings[4].clear();
            e.cut = true;
        }
        let room = self.area - fields - e.strings[4].len();
        e.cut |= e.strings[5].len() > room;
        e.strings[5].truncate(room);
        e.size = (fields + e.strings[4].len() + e.strings[5].len()).next_multiple_of(8);
        e.seq = self.next;
        let mut gone = 0;
        // A place where nothing is: at the tail, or at the start if the end is too near.
        e.place = loop {
            let Some(oldest) = self.queue.front() else {
                break 0;
            };
            let place = if self.area - self.tail >= e.size {
                self.tail
            } else {
                0
            };
            let wrapped = oldest.place >= self.tail;
            let free = match (place == self.tail, wrapped) {
                (true, true) => oldest.place - self.tail >= e.size,
                (true, false) => true,
                // Behind the wrap already: the start is taken.
                (false, true) => false,
                (false, false) => oldest.place >= e.size,
            };
            if free {
                break place;
            }
            self.queue.pop_front();
            gone += 1;
        };
        self.tail = e.place + e.size;
        self.next += 1;
        self.dropped += gone;
        self.queue.push_back(e.clone());
        self.all.push(e);
        gone
    }

    fn resize(&mut self, size: usize) -> u64 {
        self.area = (size & !7) - HEADER;
        let mut lost = 0;
        while self.used() > self.area {
            self.queue.pop_front();
            lost += 1;
        }
        self.dropped += lost;
        self.tail = 0;
        for e in &mut self.queue {
            e.place = self.tail;
            self.tail += e.size;
        }
        lost
    }

    fn clear(&mut self) {
        self.cleared += self.queue.len() as u64;
        self.queue.clear();
        self.tail = 0;
    }
}

fn same(ring: &Ring<Vec<u8>>, model: &Model) {
    let stats = ring.stats();
    assert_eq!(stats.records, model.queue.len() as u64);
    assert_eq!(stats.used, model.used() as u64);
    assert_eq!(stats.pushed, model.next - 1);
    assert_eq!(
        (stats.dropped, stats.cleared),
        (model.dropped, model.cleared)
    );
    assert_eq!(stats.pushed, stats.dropped + stats.cleared + stats.records);
    assert_eq!(stats.total, ring.region().len() as u64);
    assert_eq!(ring.next(), model.next);
    assert_eq!(ring.first(), model.next - stats.records);
    let mut cursor = ring.cursor(ring.first());
    for e in &model.queue {
        let Step::Record(r) = ring.read(&mut cursor) else {
            panic!("no record {}", e.seq);
        };
        assert_eq!((r.seq, r.at, r.cut), (e.seq, e.at, e.cut));
        assert_eq!(r.msg, e.msg());
    }
    assert_eq!(ring.read(&mut cursor), Step::End);
}

#[derive(Clone, Debug)]
enum Op {
    Push(Vec<Entry>),
    /// A reader takes so many steps.
    Read(usize, usize),
    /// A reader begins somewhere.
    Seek(usize, u64),
    Clear,
    Move(usize),
    Resize(usize),
    Recover,
    /// The last push is torn: what was written up to here, in this direction.
    Crash(Entry, prop::sample::Index, bool),
}

fn entry(max: usize) -> impl Strategy<Value = Entry> {
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..max);
    let name = || prop_oneof![20 => bytes(12), 1 => bytes(300)];
    (
        (any::<i64>(), any::<u64>(), any::<Option<i64>>(), 0..192u16),
        [name(), name(), name(), name()],
        bytes(40),
        prop_oneof![20 => bytes(120), 2 => bytes(max)],
    )
        .prop_map(|((wall, mono, sent, pri), [a, b, c, d], sd, text)| Entry {
            seq: 0,
            at: Clocks { wall, mono },
            sent,
            pri,
            strings: [a, b, c, d, sd, text],
            cut: false,
            place: 0,
            size: 0,
        })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => prop::collection::vec(entry(9000), 1..40).prop_map(Op::Push),
        4 => (0..4usize, 0..50usize).prop_map(|(a, b)| Op::Read(a, b)),
        2 => (0..4usize, 0..300u64).prop_map(|(a, b)| Op::Seek(a, b)),
        1 => Just(Op::Clear),
        2 => (MIN_SIZE..12_000).prop_map(Op::Move),
        3 => (MIN_SIZE - 2..12_000).prop_map(Op::Resize),
        2 => Just(Op::Recover),
        2 => (entry(4000), any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(e, at, up)| Op::Crash(e, at, up)),
    ]
}

/// A reader's own idea of what it is owed.
fn step(ring: &Ring<Vec<u8>>, model: &Model, cursor: &mut Cursor) {
    let at = cursor.seq();
    let oldest = model.queue.front().map_or(model.next, |e| e.seq);
    match ring.read(cursor) {
        Step::End => assert_eq!(at, model.next),
        Step::Lost { n, next } => {
            assert!(at < oldest);
            assert_eq!((n, next), (oldest - at, oldest));
        }
        Step::Record(r) => {
            assert_eq!(r.seq, at);
            assert_eq!(r.msg, model.all[at as usize - 1].msg());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn like_a_queue(size in MIN_SIZE..9000, ops in prop::collection::vec(op(), 1..30)) {
        let mut ring = Ring::format(vec![0xa5; size], 7).unwrap();
        let mut model = Model::new(size);
        let mut readers = [ring.cursor(1); 4];
        for op in ops {
            match op {
                Op::Push(entries) => for e in entries {
                    let cut = ring.stats().cut;
                    let pushed = ring.push(&e.msg(), e.at);
                    let gone = model.push(e);
                    let e = model.all.last().unwrap();
                    prop_assert_eq!(pushed.seq, e.seq);
                    prop_assert_eq!(pushed.dropped, gone);
                    prop_assert_eq!(pushed.cut, e.cut);
                    prop_assert_eq!(ring.stats().cut - cut, u64::from(e.cut));
                },
                Op::Read(who, n) => (0..n).for_each(|_| step(&ring, &model, &mut readers[who])),
                Op::Seek(who, from) => {
                    readers[who] = ring.cursor(from);
                    prop_assert_eq!(readers[who].seq(), from.min(model.next));
                }
                Op::Clear => {
                    ring.clear();
                    model.clear();
                }
                Op::Move(size) => {
                    let (moved, lost) = ring.moved(vec![0x5a; size]).unwrap();
                    prop_assert_eq!(lost, model.resize(size));
                    ring = moved;
                }
                Op::Resize(size) if size < MIN_SIZE => {
                    prop_assert_eq!(ring.resize(size), Err(NotResized::TooSmall));
                }
                Op::Resize(size) => {
                    prop_assert_eq!(ring.resize(size), Ok(model.resize(size)));
                    prop_assert_eq!(ring.region().capacity(), size);
                }
                Op::Recover => {
                    ring.finish();
                    let (again, found) = Ring::recover(ring.region().clone()).unwrap();
                    prop_assert_eq!(again.stats(), ring.stats());
                    prop_assert_eq!((found.lost, found.records), (0, ring.stats().records));
                    prop_assert!(found.clean && !found.state_lost);
                    ring = again;
                    readers = readers.map(|r| ring.cursor(r.seq()));
                }
                Op::Crash(e, at, up) => {
                    let before = ring.region().clone();
                    let mut torn = Ring::recover(before.clone()).unwrap().0;
                    torn.push(&e.msg(), e.at);
                    let mut mixed = torn.region().clone();
                    let at = at.index(mixed.len());
                    if up {
                        mixed[at..].copy_from_slice(&before[at..]);
                    } else {
                        mixed[..at].copy_from_slice(&before[..at]);
                    }
                    let Ok((found, _)) = Ring::recover(mixed) else {
                        panic!("one of two states is good");
                    };
                    // All of the old records but those that went for the new one.
                    let mut cursor = found.cursor(0);
                    let mut want = torn.first().min(model.next);
                    loop {
                        let r = match found.read(&mut cursor) {
                            Step::Record(r) => r,
                            Step::Lost { next, .. } => {
                                // Or the new one, if its state came before it.
                                prop_assert!(next <= want || want == model.next);
                                continue;
                            }
                            Step::End => break,
                        };
                        if r.seq < model.next {
                            prop_assert_eq!(r.msg, model.all[r.seq as usize - 1].msg());
                        }
                        if r.seq >= want {
                            prop_assert_eq!(r.seq, want);
                            want += 1;
                        }
                    }
                    prop_assert!(want >= model.next);
                }
            }
            same(&ring, &model);
        }
    }

    #[test]
    fn damage(
        entries in prop::collection::vec(entry(600), 1..80),
        scratches in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 8]>(), 1..300usize), 1..6),
    ) {
        let mut ring = Ring::format(vec![0; 6000], 99).unwrap();
        for (n, e) in entries.iter().enumerate() {
            let pushed = ring.push(&e.msg(), e.at);
            prop_assert_eq!(pushed.seq, n as u64 + 1);
        }
        let mut region = ring.region().clone();
        for (at, bytes, len) in scratches {
            let at = at.index(region.len());
            for (to, from) in region[at..].iter_mut().zip(bytes.iter().cycle().take(len)) {
                *to = *from;
            }
        }
        // A ring with damage that is not looked at never gives more than it has.
        if let Ok((mut ring, found)) = Ring::recover(region) {
            let mut cursor = ring.cursor(0);
            let mut records = 0;
            let mut last = 0;
            loop {
                match ring.read(&mut cursor) {
                    Step::End => break,
                    Step::Lost { next, .. } => prop_assert!(next > last),
                    Step::Record(r) => {
                        let e = &entries[r.seq as usize - 1];
                        prop_assert!(r.seq > last);
                        let mut model = Model::new(6000);
                        model.push(e.clone());
                        prop_assert_eq!(r.msg, model.all[0].msg());
                        prop_assert_eq!((r.at, r.cut), (e.at, model.all[0].cut));
                        last = r.seq;
                        records += 1;
                    }
                }
            }
            prop_assert_eq!(records, found.records);
            for e in &entries {
                ring.push(&e.msg(), e.at);
            }
            let stats = ring.stats();
            if !found.state_lost {
                prop_assert_eq!(stats.pushed, stats.dropped + stats.records);
                // A torn state and a torn record may be one that was never there.
                let all = 2 * entries.len() as u64;
                prop_assert!(stats.pushed == all || stats.pushed == all - 1);
            }
        }
    }
}

/// Memory that the system has no more of.
struct Scarce(Vec<u8>);

impl AsRef<[u8]> for Scarce {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Scarce {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Resizable for Scarce {
    fn reserve(&mut self, _: usize) -> Result<(), NotResized> {
        Err(NotResized::NoMemory)
    }

    fn set_size(&mut self, _: usize) {
        panic!("it was not reserved");
    }
}

#[test]
fn without_memory_a_ring_stays_as_it_is() {
    let mut ring = Ring::format(Scarce(vec![0; 5000]), 1).unwrap();
    let msg = Msg::bare(Pri::DEFAULT, &[b'x'; 200]);
    for _ in 0..50 {
        ring.push(&msg, Clocks::default());
    }
    let (before, stats) = (ring.region().0.clone(), ring.stats());
    for size in [MIN_SIZE, 100_000] {
        assert_eq!(ring.resize(size), Err(NotResized::NoMemory));
        assert_eq!((&ring.region().0, ring.stats()), (&before, stats));
    }
    // Nor is there so much of it.
    let mut ring = Ring::format(before, 1).unwrap();
    assert_eq!(ring.resize(isize::MAX as usize), Err(NotResized::NoMemory));
    assert_eq!(ring.region().len(), 5000);
}

#[test]
fn regions_that_are_no_rings() {
    let small = vec![0; MIN_SIZE - 1];
    assert_eq!(Ring::format(small.clone(), 1).unwrap_err(), TooSmall);
    assert_eq!(Ring::recover(small).unwrap_err(), Bad::TooSmall);
    let recovered = |region| Ring::recover(region).unwrap_err();
    assert_eq!(recovered(vec![0; 5000]), Bad::NotARing);
    let region = Ring::format(vec![0; 5000], 1).unwrap().into_region();
    assert_eq!(recovered(region[..4999].to_vec()), Bad::Size(5000));
    let mut other = region.clone();
    other[17] ^= 1;
    assert_eq!(recovered(other), Bad::NotARing);
    let mut other = region;
    other[64..320].fill(0xff);
    assert_eq!(recovered(other), Bad::State);
}

/// Bytes of records in the text of a message, where an old record was overwritten.
#[test]
fn texts_that_look_like_records() {
    let mut forger = Ring::format(vec![0; MIN_SIZE], 1).unwrap();
    let text = |text| Msg::bare(Pri::DEFAULT, text);
    for _ in 0..60 {
        forger.push(&text(b"forged"), Clocks::default());
    }
    let forged = &forger.region()[HEADER..];
    let mut ring = Ring::format(vec![0; 16_384], 2).unwrap();
    ring.push(&text(b"one"), Clocks::default());
    ring.push(&text(forged), Clocks::default());
    ring.push(&text(b"three"), Clocks::default());
    let mut region = ring.into_region();
    // The second record's own head is gone.
    region[HEADER + 56..HEADER + 104].fill(0);
    let (ring, found) = Ring::recover(region).unwrap();
    assert_eq!((found.records, found.lost), (1, 2));
    let mut cursor = ring.cursor(0);
    assert_eq!(ring.read(&mut cursor), Step::Lost { n: 3, next: 3 });
    assert!(matches!(ring.read(&mut cursor), Step::Record(r) if r.msg.text == b"three"));
}

#[test]
fn a_time_is_looked_for_from_the_oldest_on() {
    let mut ring = Ring::format(vec![0; MIN_SIZE], 1).unwrap();
    assert_eq!(ring.seek_time(0), 1);
    for wall in [10, 20, 15, 30] {
        let msg = Msg::bare(Pri::DEFAULT, b"t");
        ring.push(&msg, Clocks { wall, mono: 0 });
    }
    assert_eq!(
        [0, 11, 20, 21, 31].map(|t| ring.seek_time(t)),
        [1, 2, 2, 4, 5]
    );
}
