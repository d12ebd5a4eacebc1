// SPDX-License-Identifier: BSD-2-Clause
//! Packed rings: the same records by the same numbers as were pushed, the newest that fit, every
//! other one counted; and what is left of them after a crash between any two steps.

use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::ring::Cursor;
use liblog::ring::Log;
use liblog::ring::MIN_PACKED;
use liblog::ring::NotResized;
use liblog::ring::Ring;
use liblog::ring::Split;
use liblog::ring::Step;
use testkit::Noise;

type Packed = Log<Vec<u8>>;

fn packed(size: usize) -> Packed {
    let split = Split::of(size).expect("large enough");
    assert_eq!(split.total(), size);
    let ring = |size| Ring::format(vec![0; size], 7).expect("a ring");
    Log::packed(ring(split.hot), ring(split.cold))
}

/// What process crashes leave: the bytes as they are.
fn recovered(log: &Packed) -> Packed {
    let mut regions = log.regions().cloned();
    let mut ring = || {
        Ring::recover(regions.next().expect("a region"))
            .expect("a ring")
            .0
    };
    Log::packed(ring(), ring())
}

/// The text of a record, known by its number: most like those before it, some long, some noise.
fn text(seq: u64) -> Vec<u8> {
    let mut noise = Noise::new(seq + 1);
    let mut text = format!(
        "interface em{} is up, {seq} packets, {}",
        seq % 4,
        seq * 977
    )
    .into_bytes();
    match seq % 1999 {
        13 => text.resize(20_000 + noise.below(20_000), b'.'),
        29 => text.extend((0..noise.below(3000)).map(|_| noise.below(256) as u8)),
        31 => text.extend((0..30_000).map(|_| noise.below(256) as u8)),
        _ => {}
    }
    text
}

fn at(seq: u64) -> Clocks {
    Clocks {
        wall: seq as i64 * 1_000,
        mono: seq * 1_000,
    }
}

fn push(log: &mut Packed) -> u64 {
    let seq = log.next();
    let pushed = log.push(&Msg::bare(Pri::DEFAULT, &text(seq)), at(seq));
    assert_eq!((pushed.seq, pushed.cut), (seq, false));
    seq
}

/// Reads a step, and compares; `None` at the end.
fn step(log: &mut Packed, cursor: &mut Cursor) -> Option<u64> {
    let seq = cursor.seq();
    match log.read(cursor) {
        Step::Record(record) => {
            assert_eq!(record.seq, seq);
            assert_eq!(
                record.msg,
                Msg::bare(Pri::DEFAULT, &text(seq)),
                "record {seq}"
            );
            assert_eq!(record.at, at(seq));
        }
        Step::Lost { n, next } => {
            assert!(n > 0 && seq + n == next, "{n} lost at {seq}, then {next}");
        }
        Step::End => return None,
    }
    Some(cursor.seq())
}

/// All of it, from the oldest on; every one is there.
fn check(log: &mut Packed) {
    let (first, stats) = (log.first(), log.stats());
    assert_eq!(stats.pushed, stats.dropped + stats.cleared + stats.records);
    assert_eq!(stats.records, log.next() - first);
    assert!(stats.used <= stats.total);
    let mut cursor = log.cursor(0);
    if first > 0 {
        assert_eq!(step(log, &mut cursor), Some(first), "those before are lost");
    }
    for seq in first..log.next() {
        assert_eq!(step(log, &mut cursor), Some(seq + 1));
    }
    assert_eq!(step(log, &mut cursor), None);
}

#[test]
fn everything_by_its_number() {
    let mut log = packed(1 << 20);
    let mut follower = log.cursor(1);
    let mut followed = 1;
    for round in 0..40_000 {
        push(&mut log);
        if round % 40 == 0 {
            while let Some(next) = step(&mut log, &mut follower) {
                assert_eq!(next, followed + 1, "who reads in time loses nothing");
                followed = next;
            }
        }
        if round % 5000 == 0 {
            check(&mut log);
        }
    }
    check(&mut log);
    let plain = {
        let mut ring = Ring::format(vec![0; 1 << 20], 1).unwrap();
        for seq in 1..log.next() {
            ring.push(&Msg::bare(Pri::DEFAULT, &text(seq)), at(seq));
        }
        ring.stats().records
    };
    // Some of these texts are noise: of the others it would be more.
    let records = log.stats().records;
    assert!(records * 2 > plain * 3, "{records} are more than {plain}");
}

#[test]
fn readers_anywhere() {
    let mut log = packed(MIN_PACKED);
    let mut noise = Noise::new(3);
    for _ in 0..5000 {
        push(&mut log);
    }
    let mut cursors: Vec<Cursor> = (0..20)
        .map(|_| log.cursor(noise.below(5100) as u64))
        .collect();
    for _ in 0..20_000 {
        if noise.below(10) == 0 {
            push(&mut log);
        }
        let which = noise.below(20);
        if step(&mut log, &mut cursors[which]).is_none() {
            cursors[which] = log.cursor(noise.below(6000) as u64);
        }
    }
    for seq in [
        log.first(),
        log.first() + 1,
        log.next() - 1,
        log.first() + 700,
    ] {
        assert_eq!(log.seek_time(at(seq).wall), seq);
        assert_eq!(log.seek_time(at(seq).wall - 999), seq);
    }
    assert_eq!(log.seek_time(0), log.first());
    assert_eq!(log.seek_time(i64::MAX), log.next());
}

#[test]
fn a_crash_at_any_time() {
    let mut log = packed(MIN_PACKED);
    for round in 0..4000u32 {
        push(&mut log);
        if round % 61 == 0 {
            let (first, next, stats) = (log.first(), log.next(), log.stats());
            log = recovered(&log);
            assert_eq!((log.first(), log.next()), (first, next));
            assert_eq!(log.stats(), stats);
        }
    }
    check(&mut log);
}

/// The block is stored, its records are not yet released: the bytes of before and after.
#[test]
fn a_crash_between_block_and_release() {
    let mut log = packed(MIN_PACKED);
    let mut seen = 0;
    for _ in 0..3000 {
        let before: Vec<Vec<u8>> = log.regions().cloned().collect();
        let blocks = |log: &Packed| log.regions().nth(1).cloned().expect("blocks");
        let (cold, seq) = (blocks(&log), push(&mut log));
        if blocks(&log) != cold {
            let hot = Ring::recover(before[0].clone()).expect("a ring").0;
            let cold = Ring::recover(blocks(&log)).expect("a ring").0;
            let mut torn = Log::packed(hot, cold);
            assert_eq!(torn.next(), seq, "the last one was not yet pushed");
            check(&mut torn);
            for _ in 0..300 {
                push(&mut torn);
            }
            check(&mut torn);
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} blocks");
}

#[test]
fn blocks_of_another_ring_are_not_taken() {
    let mut log = packed(MIN_PACKED);
    for _ in 0..3000 {
        push(&mut log);
    }
    let cold = log.regions().nth(1).cloned().expect("blocks");
    let split = Split::of(MIN_PACKED).expect("a split");
    let cold = || Ring::recover(cold.clone()).expect("a ring").0;
    // Another boot; the same boot, but its numbers are still to come.
    for boot in [8, 7] {
        let hot = Ring::format(vec![0; split.hot], boot).expect("a ring");
        let mut log = Log::packed(hot, cold());
        assert_eq!(log.first(), 1);
        push(&mut log);
        check(&mut log);
    }
}

#[test]
fn cleared_resized_and_moved() {
    let mut log = packed(1 << 20);
    for _ in 0..9000 {
        push(&mut log);
    }
    check(&mut log);
    for size in [MIN_PACKED, 700_001, 2 << 20, MIN_PACKED + 9, 1 << 20] {
        let (records, next) = (log.stats().records, log.next());
        let lost = log.resize(size).expect("resized");
        assert_eq!(log.stats().total, size as u64);
        assert_eq!((log.stats().records, log.next()), (records - lost, next));
        check(&mut log);
        for _ in 0..2000 {
            push(&mut log);
        }
        check(&mut log);
    }
    assert_eq!(log.resize(MIN_PACKED - 1), Err(NotResized::TooSmall));
    for size in [MIN_PACKED, 1 << 20] {
        let split = Split::of(size).expect("a split");
        let (cold, records) = (vec![0; split.cold], log.stats().records);
        let (moved, lost) = log.moved(vec![0; split.hot], Some(cold)).expect("moved");
        log = moved;
        assert_eq!(log.stats().records, records - lost);
        check(&mut log);
    }
    let records = log.stats().records;
    log.clear();
    assert_eq!(log.stats().cleared, records);
    assert!(
        log.regions()
            .all(|bytes| !bytes.windows(9).any(|w| w == b"interface"))
    );
    check(&mut log);
    for _ in 0..3000 {
        push(&mut log);
    }
    check(&mut log);
    check(&mut recovered(&log));
}

/// Nobody promises that a mapped file is not written to: readers end, and counters hold.
#[test]
fn damage_while_it_runs() {
    let mut noise = Noise::new(11);
    for _ in 0..60 {
        let mut log = packed(MIN_PACKED);
        for _ in 0..1500 {
            push(&mut log);
        }
        let mut regions: Vec<Vec<u8>> = log.regions().cloned().collect();
        for _ in 0..1 + noise.below(60) {
            let region = &mut regions[noise.below(2)];
            let at = 320 + noise.below(region.len() - 320);
            region[at] = noise.below(256) as u8;
        }
        let rings: Vec<Ring<Vec<u8>>> = regions
            .into_iter()
            .map(|region| Ring::recover(region).expect("a ring").0)
            .collect();
        let [hot, cold] = rings.try_into().expect("two");
        let mut log = Log::packed(hot, cold);
        let (mut cursor, mut steps) = (log.cursor(0), 0);
        while log.read(&mut cursor) != Step::End {
            steps += 1;
            assert!(steps < 4000);
        }
        let _ = log.seek_time(5);
        let next = log.next();
        for seq in 0..500 {
            assert_eq!(push(&mut log), next + seq);
        }
        let stats = log.stats();
        assert!(stats.used <= stats.total);
        assert_eq!(stats.pushed, stats.dropped + stats.records);
    }
}
