// SPDX-License-Identifier: BSD-2-Clause
//! Streams are the same messages however they are cut.

use liblog::Buf;
use liblog::frame::Framer;
use liblog::frame::write_counted;
use liblog::frame::write_line;
use proptest::prelude::*;

/// A message, whether it was cut, whether it was counted.
type Got = (Vec<u8>, bool, bool);

/// The messages of a stream that comes in pieces, and the bytes passed over.
fn frames<'a>(max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Got>, u64) {
    let mut framer = Framer::new(max);
    let mut all = vec![];
    for mut piece in pieces {
        while !piece.is_empty() {
            let space = framer.space();
            assert!(!space.is_empty());
            let n = piece.len().min(space.len());
            space[..n].copy_from_slice(&piece[..n]);
            framer.filled(n);
            piece = &piece[n..];
            while let Some(f) = framer.next() {
                assert!(!f.bytes.is_empty() && f.bytes.len() <= max);
                all.push((f.bytes.to_vec(), f.cut, f.counted));
            }
        }
    }
    all.extend(
        framer
            .finish()
            .map(|f| (f.bytes.to_vec(), f.cut, f.counted)),
    );
    assert_eq!(framer.pending(), 0);
    (all, framer.skipped())
}

fn whole(max: usize, stream: &[u8]) -> (Vec<Got>, u64) {
    frames(max, [stream])
}

fn got(text: &str, cut: bool, counted: bool) -> Got {
    (text.into(), cut, counted)
}

#[test]
fn both_kinds_in_one_stream() {
    let stream = b"<13>one\n8 <13>two\n<13>three\r\n\n\0<13>four\09 <14>fiv\ne<15>six";
    let want = vec![
        got("<13>one", false, false),
        got("<13>two\n", false, true),
        got("<13>three", false, false),
        got("<13>four", false, false),
        got("<14>fiv\ne", false, true),
        got("<15>six", false, false),
    ];
    assert_eq!(whole(100, stream), (want, 0));
}

#[test]
fn too_long_ones_are_cut_and_the_rest_is_counted() {
    let want = vec![
        got("12345678", true, true),
        got("<1>", false, false),
        got("abcdefgh", true, false),
        got("abcdefgh", false, false),
        got("87654321", false, true),
    ];
    let stream = b"10 1234567890<1>\nabcdefghijk\nabcdefgh\n8 87654321";
    assert_eq!(whole(8, stream), (want, 2 + 3));
}

#[test]
fn numbers_that_are_no_counts() {
    for line in ["1234567890 x", "0 x", "12", "7x", "1:30 in the morning"] {
        let stream = format!("{line}\n");
        assert_eq!(
            whole(99, stream.as_bytes()).0,
            vec![got(line, false, false)]
        );
    }
    // The end of a stream in a counted one.
    assert_eq!(whole(99, b"5 abc").0, vec![got("abc", true, true)]);
    assert_eq!(whole(99, b"5 ").0, vec![]);
    assert_eq!(whole(99, b"999999999 abc").0, vec![got("abc", true, true)]);
    assert_eq!(whole(2, b"999999999 abc"), (vec![got("ab", true, true)], 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cut_anyhow(
        parts in prop::collection::vec(
            prop_oneof!["[1-9][0-9]{0,2} ", "[a-c<>0-9]{1,30}", Just("\n".to_owned()), Just("\0".to_owned())],
            0..40,
        ),
        cuts in prop::collection::vec(1..40usize, 1..50),
        max in 1..60usize,
    ) {
        let stream = parts.concat().into_bytes();
        let mut pieces = vec![];
        let mut rest = &stream[..];
        for n in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*n).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(frames(max, pieces), whole(max, &stream));
    }

    #[test]
    fn what_is_written_is_read(
        messages in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..60), any::<bool>()), 1..20),
    ) {
        let mut out = Buf::new(4096);
        let mut want = vec![];
        for (message, counted) in messages {
            if counted {
                prop_assert!(write_counted(&message, &mut out));
                want.push((message, false, true));
            } else {
                let mut message = [b"<13>", &message[..], b"."].concat();
                prop_assert!(write_line(&message, &mut out));
                message.iter_mut().filter(|b| matches!(b, b'\n' | 0)).for_each(|b| *b = b' ');
                want.push((message, false, false));
            }
        }
        prop_assert_eq!(whole(100, out.as_bytes()), (want, 0));
    }
}

#[test]
fn no_room_writes_nothing() {
    let mut out = Buf::new(6);
    assert!(!write_counted(b"12345", &mut out) && out.is_empty());
    assert!(!write_line(b"123456", &mut out) && out.is_empty());
    assert!(write_line(b"12345", &mut out));
    assert!(!write_counted(b"", &mut out));
    assert_eq!(out.as_bytes(), b"12345\n");
}
