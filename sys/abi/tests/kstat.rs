// SPDX-License-Identifier: BSD-2-Clause
//! Records survive the way through a buffer, and the reader survives any bytes.

#![forbid(unsafe_code)]

use kabi::kstat::{Class, KIND_COUNTER, Malformed, Record, Records, TraceEventBody, Writer};

const EVENT: TraceEventBody = TraceEventBody {
    seq: 9,
    ns: 1_000_000_007,
    cpu: 1,
    code: 3,
    pad: 0,
    args: [1, 2, u64::MAX],
};

fn fill(buf: &mut [u8]) -> usize {
    let mut w = Writer::new(buf);
    let _ = w.instance("")
        && w.trace_name(3, "rx")
        && w.instance("l2tp0")
        && w.counter("ipackets", "packets received", Class::Counter, 7)
        && w.counter("no_session", "", Class::Drop, u64::MAX)
        && w.trace_event(&EVENT);
    w.len()
}

#[test]
fn round_trip() {
    let mut buf = [0xa5; 512];
    let n = fill(&mut buf);
    let got: Vec<_> = Records::new(&buf[..n])
        .collect::<Result<_, _>>()
        .expect("well-formed");
    assert_eq!(got.len(), 6);
    assert!(matches!(got[0], Record::Instance(name) if name.is_empty()));
    assert_eq!(
        got[1],
        Record::TraceName {
            code: 3,
            name: "rx"
        }
    );
    assert!(matches!(got[2], Record::Instance(name) if name.as_str() == Some("l2tp0")));
    let counter = Record::Counter {
        name: "ipackets",
        desc: "packets received",
        class: Class::Counter,
        value: 7,
    };
    assert_eq!(got[3], counter);
    assert!(matches!(
        got[4],
        Record::Counter {
            class: Class::Drop,
            value: u64::MAX,
            ..
        }
    ));
    assert_eq!(got[5], Record::TraceEvent(EVENT));
}

#[test]
fn only_whole_records_are_written() {
    let mut whole = [0; 512];
    let total = fill(&mut whole);
    for size in 0..=total {
        let mut buf = vec![0x5a; size + 8];
        let n = fill(&mut buf[..size]);
        assert!(n <= size);
        assert_eq!(buf[..n], whole[..n]);
        assert!(buf[size..].iter().all(|&b| b == 0x5a), "wrote past the end");
        assert!(Records::new(&buf[..n]).all(|r| r.is_ok()));
    }
}

#[test]
fn too_long_a_record_does_not_exist() {
    let mut buf = vec![0; 16384];
    let mut w = Writer::new(&mut buf);
    assert!(!w.counter(&"n".repeat(5000), "", Class::Counter, 1));
    assert!(!w.counter(&"n".repeat(70000), "", Class::Counter, 1));
    assert!(!w.instance("a_name_of_16_bytes_or_more"));
    assert!(w.is_empty());
}

#[test]
fn cut_anywhere_gives_an_error_or_an_end() {
    let mut buf = [0; 512];
    let total = fill(&mut buf);
    for cut in 1..total {
        let bad = Records::new(&buf[..cut]).filter(Result::is_err).count();
        let whole = Records::new(&buf[..cut]).filter(Result::is_ok).count();
        assert!(bad <= 1 && whole < 6, "cut at {cut}");
    }
}

#[test]
fn a_length_of_nothing_ends_the_walk() {
    // len 0, len below the header, len that is no multiple of 8, len past the end.
    for len in [0u32, 4, 9, 64, u32::MAX] {
        let mut buf = [0; 16];
        buf[..4].copy_from_slice(&len.to_ne_bytes());
        let got: Vec<_> = Records::new(&buf).collect();
        assert_eq!(got, [Err(Malformed { at: 0 })], "len {len}");
    }
}

#[test]
fn unknown_kinds_are_stepped_over() {
    let mut buf = [0; 512];
    let n = fill(&mut buf);
    buf[4..6].copy_from_slice(&999u16.to_ne_bytes());
    let got: Vec<_> = Records::new(&buf[..n]).collect();
    assert!(matches!(got[0], Ok(Record::Unknown { kind: 999, .. })));
    assert_eq!(got.len(), 6);
}

#[test]
fn names_longer_than_their_record_are_refused() {
    let mut buf = [0; 64];
    let mut w = Writer::new(&mut buf);
    assert!(w.counter("n", "d", Class::Gauge, 1));
    let n = w.len();
    assert_eq!(buf[4..6], KIND_COUNTER.to_ne_bytes());
    buf[18..20].copy_from_slice(&u16::MAX.to_ne_bytes());
    assert_eq!(
        Records::new(&buf[..n]).next(),
        Some(Err(Malformed { at: 0 }))
    );
}

#[test]
fn any_bytes_are_survived() {
    let mut buf = [0; 512];
    let total = fill(&mut buf);
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..20_000 {
        let mut bytes = buf;
        for _ in 0..=random() % 4 {
            let at = (random() % total as u64) as usize;
            bytes[at] = random() as u8;
        }
        let n = (random() % (total as u64 + 1)) as usize;
        // It ends, at the latest after one step a header.
        assert!(Records::new(&bytes[..n]).count() <= n / 8 + 1);
    }
}
