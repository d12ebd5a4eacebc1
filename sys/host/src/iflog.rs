// SPDX-License-Identifier: BSD-2-Clause
//! Logged packets: a ring of records for each log, read as a pcap stream.
//!
//! *Contexts*: tap any, the rest thread. *Locking*: each ring has a mutex, held while one record
//! goes in or some come out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::errno::Errno;
use crate::home::Home;
use crate::ifreg::valid_name;
use crate::ledger::{Fault, Kind};
use crate::mbuf::Mbuf;
use crate::sync::lock;

/// Bytes of a packet that a record keeps; the header before it is kept whole.
const SNAP: usize = 2048;
/// Bytes of records that a ring keeps.
const KEPT: usize = 1 << 20;
/// For so long after it was last read somebody listens (nanoseconds).
const LISTENING: u64 = 10_000_000_000;
/// A pcap file's header with times in nanoseconds: magic, version 2.4, zone, accuracy, snapshot
/// length, and the link type behind.
const MAGIC: u32 = 0xa1b2_3c4d;
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

#[derive(Debug, Default)]
struct Ring {
    /// Whole pcap records.
    records: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The number of the first one in it, from 0.
    first: u64,
}

/// What `struct kpi_iflog` is on the host.
#[derive(Debug)]
pub struct Iflog {
    name: String,
    dlt: u32,
    ring: Mutex<Ring>,
    /// Somebody listens until then; 0: nobody has yet.
    until: AtomicU64,
    table: Arc<Iflogs>,
}

/// All logs of a kernel.
#[derive(Debug)]
pub struct Iflogs {
    home: Arc<Home>,
    map: Mutex<BTreeMap<String, Arc<Iflog>>>,
}

/// What a read gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPart {
    /// Bytes written: whole records, before the first of them the file's header.
    pub bytes: usize,
    /// Records that the reader missed since its cursor.
    pub lost: u64,
}

impl Iflogs {
    /// No logs yet.
    pub fn new(home: Arc<Home>) -> Arc<Iflogs> {
        Arc::new(Iflogs {
            home,
            map: Mutex::default(),
        })
    }

    /// Make a log whose records are of link type `dlt`: `EINVAL` for a bad name, `EEXIST`.
    pub fn attach(self: &Arc<Self>, name: &str, dlt: u32) -> Result<Arc<Iflog>, Errno> {
        if !valid_name(name) {
            return Err(Errno::EINVAL);
        }
        if self.home.ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        let mut map = lock(&self.map);
        if map.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let log = Arc::new(Iflog {
            name: name.to_owned(),
            dlt,
            ring: Mutex::default(),
            until: AtomicU64::new(0),
            table: Arc::clone(self),
        });
        map.insert(name.to_owned(), Arc::clone(&log));
        self.home.ledger.born(Kind::Iflog);
        Ok(log)
    }

    /// The names of the logs.
    pub fn names(&self) -> Vec<String> {
        lock(&self.map).keys().cloned().collect()
    }

    /// Records of `name` from `cursor` on: `ENXIO` when there is no such log, `EINVAL` when not even
    /// one fits. Cursor 0 is a new reader, who gets the file's header and what is logged from now on.
    pub fn read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<LogPart, Errno> {
        let log = lock(&self.map).get(name).cloned().ok_or(Errno::ENXIO)?;
        log.read(cursor, buf)
    }
}

impl Iflog {
    /// Whether somebody listens.
    pub fn active(&self) -> bool {
        self.until.load(Ordering::Relaxed) > self.table.home.clock.now()
    }

    /// Nanoseconds for people: of the day where the clock is real.
    fn time(&self) -> u64 {
        let clock = &self.table.home.clock;
        let real = SystemTime::now().duration_since(UNIX_EPOCH);
        match real {
            Ok(since) if !clock.is_virtual() => since.as_nanos() as u64,
            _ => clock.now(),
        }
    }

    /// Keep `header` and the beginning of `m`, if somebody listens.
    pub fn tap(&self, header: &[u8], m: &Mbuf) {
        if !self.active() {
            return;
        }
        let kept = m.len().min(SNAP);
        let now = self.time();
        let words = [
            (now / 1_000_000_000) as u32,
            (now % 1_000_000_000) as u32,
            (header.len() + kept) as u32,
            (header.len() + m.len()) as u32,
        ];
        let mut record = Vec::with_capacity(RECORD_HEADER + header.len() + kept);
        words
            .iter()
            .for_each(|w| record.extend_from_slice(&w.to_ne_bytes()));
        record.extend_from_slice(header);
        let at = record.len();
        record.resize(at + kept, 0);
        m.copydata(0, &mut record[at..]);
        let mut ring = lock(&self.ring);
        ring.bytes += record.len();
        ring.records.push_back(record);
        while ring.bytes > KEPT {
            let gone = ring.records.pop_front().map_or(0, |r| r.len());
            ring.bytes -= gone;
            ring.first += 1;
        }
    }

    /// See [`Iflogs::read`]. The cursor is the number of the next record, plus one.
    fn read(&self, cursor: &mut u64, buf: &mut [u8]) -> Result<LogPart, Errno> {
        let mut part = LogPart::default();
        let mut ring = lock(&self.ring);
        let now = self.table.home.clock.now();
        if self.until.swap(now + LISTENING, Ordering::Relaxed) <= now {
            // Nobody listened: what is left is old.
            ring.first += ring.records.len() as u64;
            ring.records.clear();
            ring.bytes = 0;
        }
        let end = ring.first + ring.records.len() as u64;
        if *cursor == 0 {
            let snap = (SNAP + crate::mbuf::PULLUP_MOST) as u32;
            let words = [MAGIC, u32::from_ne_bytes(version()), 0, 0, snap, self.dlt];
            let room = buf.get_mut(..FILE_HEADER).ok_or(Errno::EINVAL)?;
            for (to, word) in room.chunks_exact_mut(4).zip(words) {
                to.copy_from_slice(&word.to_ne_bytes());
            }
            part.bytes = FILE_HEADER;
            *cursor = end + 1;
            return Ok(part);
        }
        let from = (*cursor - 1).min(end);
        part.lost = ring.first.saturating_sub(from);
        let from = from.max(ring.first);
        let mut next = from;
        for record in ring.records.range((from - ring.first) as usize..) {
            let Some(room) = buf.get_mut(part.bytes..part.bytes + record.len()) else {
                break;
            };
            room.copy_from_slice(record);
            part.bytes += record.len();
            next += 1;
        }
        if next == from && from != end {
            return Err(Errno::EINVAL);
        }
        *cursor = next + 1;
        Ok(part)
    }

    /// Take it away.
    pub fn detach(&self) {
        if lock(&self.table.map).remove(&self.name).is_some() {
            self.table.home.ledger.died(Kind::Iflog);
        }
    }
}

/// Two numbers of 16 bits each: 2 and 4.
fn version() -> [u8; 4] {
    let [[a, b], [c, d]] = [2u16.to_ne_bytes(), 4u16.to_ne_bytes()];
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockKind;
    use crate::home;

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four"))
    }

    fn packet(n: usize) -> Mbuf {
        Mbuf::from_bytes(&vec![7; n]).expect("there is memory")
    }

    #[test]
    fn a_reader_gets_a_file_and_what_was_logged_since() {
        let home = home::for_test(ClockKind::Virtual);
        let logs = Iflogs::new(Arc::clone(&home));
        home.enter(|| {
            let log = logs.attach("log0", 117).expect("free");
            assert_eq!(logs.attach("log0", 117).err(), Some(Errno::EEXIST));
            log.tap(b"nobody", &packet(9));
            let (mut cursor, mut buf) = (0, vec![0; 4096]);
            let part = logs.read("log0", &mut cursor, &mut buf).expect("is there");
            assert_eq!((part.bytes, part.lost), (24, 0));
            assert_eq!((word(&buf, 0), word(&buf, 20)), (MAGIC, 117));
            log.tap(b"head", &packet(3000));
            let part = logs.read("log0", &mut cursor, &mut buf).expect("is there");
            assert_eq!(part.bytes, 16 + 4 + SNAP);
            assert_eq!((word(&buf, 8), word(&buf, 12)), (4 + SNAP as u32, 3004));
            assert_eq!(&buf[16..21], b"head\x07");
            let part = logs.read("log0", &mut cursor, &mut buf).expect("is there");
            assert_eq!(part, LogPart::default());
            log.detach();
            assert_eq!(logs.read("log0", &mut cursor, &mut buf), Err(Errno::ENXIO));
        });
        assert!(home.ledger.leaks().is_empty());
    }

    #[test]
    fn a_slow_reader_is_told_what_it_lost_and_none_costs_nothing() {
        let home = home::for_test(ClockKind::Virtual);
        let logs = Iflogs::new(Arc::clone(&home));
        home.enter(|| {
            let log = logs.attach("log0", 117).expect("free");
            let (mut cursor, mut buf) = (0, vec![0; 65536]);
            logs.read("log0", &mut cursor, &mut buf).expect("is there");
            (0..2000).for_each(|_| log.tap(&[], &packet(1008)));
            let part = logs.read("log0", &mut cursor, &mut buf).expect("is there");
            assert_eq!((part.lost, part.bytes), (2000 - 1024, 64 * 1024));
            let mut seen = 64;
            while logs
                .read("log0", &mut cursor, &mut buf)
                .expect("more")
                .bytes
                != 0
            {
                seen += 64;
            }
            assert_eq!(seen, 1024);
            assert_eq!(logs.read("log0", &mut 5, &mut [0; 99]), Err(Errno::EINVAL));
            assert!(log.active());
            home.clock.set(home.clock.now() + LISTENING);
            assert!(!log.active());
            log.detach();
        });
    }
}
