// SPDX-License-Identifier: BSD-2-Clause
//! Payload parsers: total, and the same for a stream however it is cut.

use wire::alg::ftp::{self, Found, Lines, MAX_TEXT, Match, Side, Step};
use wire::alg::pptp::{self, Next};
use wire::alg::tftp;
use wire::packet::Af;

/// One byte says where streams are cut; the payload.
pub fn alg(data: &[u8]) {
    let Some((&cut, payload)) = data.split_first() else {
        return;
    };
    for side in [Side::Client, Side::Server] {
        if let Match::Found(found) = ftp::line(side, payload) {
            said(side, payload, &found);
        }
        let whole = stream(side, &[payload]);
        let (a, b) = payload.split_at(payload.len().min(cut.into()));
        assert_eq!(stream(side, &[a, b]), whole);
        let pieces: Vec<_> = payload.chunks(1 + usize::from(cut & 15)).collect();
        assert_eq!(stream(side, &pieces), whole);
    }
    if let Some(request) = tftp::parse(payload) {
        assert!(request.file.len() + request.mode.len() < payload.len());
    }
    let mut rest = payload;
    while let Next::Message(message) = pptp::parse(rest) {
        assert!((pptp::HEADER_LEN..=rest.len()).contains(&message.len));
        for id in message.own.into_iter().chain(message.peer) {
            assert!(id.at + 2 <= message.len);
            assert_eq!(rest[id.at..id.at + 2], id.id.to_be_bytes());
        }
        rest = &rest[message.len..];
    }
}

/// What is written in the place of what was said says it again.
fn said(side: Side, line: &[u8], found: &Found) {
    assert!(found.port != 0 && found.at + found.len < line.len());
    let (af, addr) = found.addr.unwrap_or((Af::V4, 0));
    let mut out = [0; MAX_TEXT];
    let n = ftp::emit(found.kind, af, addr, found.port, &mut out).expect("room for it");
    let again = [&line[..found.at], &out[..n], &line[found.at + found.len..]].concat();
    match ftp::line(side, &again) {
        Match::Found(other) => {
            assert_eq!(
                (other.kind, other.addr, other.port),
                (found.kind, found.addr, found.port)
            );
        }
        // The other text may be longer than the first, and the line too long with it.
        Match::Bad => assert!(again.len() > ftp::MAX_LINE),
        other => panic!("{other:?}"),
    }
}

/// All that a stream says, and how many lines are malformed.
fn stream(side: Side, segments: &[&[u8]]) -> (Vec<(Found, i64)>, usize) {
    let (mut lines, mut got, mut bad, mut before) = (Lines::new(side), vec![], 0, 0);
    for segment in segments {
        let mut at = 0;
        loop {
            match lines.push(&segment[at..]) {
                Step::Done | Step::NeedMore { .. } => break,
                Step::Found {
                    found,
                    line_at,
                    used,
                } => {
                    got.push((found, (before + at) as i64 + i64::from(line_at)));
                    assert!(used > 0);
                    at += used;
                }
                Step::Bad { used } => {
                    bad += 1;
                    assert!(used > 0);
                    at += used;
                }
            }
        }
        before += segment.len();
    }
    (got, bad)
}
