// SPDX-License-Identifier: BSD-2-Clause
//! FTP's control connection: the RFCs' examples, every way to cut them, malformed ones, noise, and
//! that what is emitted says what it should.

use testkit::Noise;
use wire::alg::ftp::{self, Found, Kind, Lines, MAX_LINE, MAX_TEXT, Match, Side, Step};
use wire::packet::Af;

/// A line, what it says, and the text that says it.
type Good = (
    Side,
    &'static str,
    Kind,
    Option<(Af, u128)>,
    u16,
    &'static str,
);

const GOOD: [Good; 10] = [
    (
        Side::Client,
        "PORT 10,0,0,1,4,1\r\n",
        Kind::Port,
        Some((Af::V4, 0x0a00_0001)),
        1025,
        "10,0,0,1,4,1",
    ),
    (
        Side::Client,
        "port  192,168,255,0,255,255 \n",
        Kind::Port,
        Some((Af::V4, 0xc0a8_ff00)),
        65_535,
        "192,168,255,0,255,255",
    ),
    // RFC 2428, section 2.
    (
        Side::Client,
        "EPRT |1|132.235.1.2|6275|\r\n",
        Kind::Eprt,
        Some((Af::V4, 0x84eb_0102)),
        6275,
        "|1|132.235.1.2|6275|",
    ),
    (
        Side::Client,
        "EPRT |2|1080::8:800:200C:417A|5282|\r\n",
        Kind::Eprt,
        Some((Af::V6, 0x1080_0000_0000_0000_0008_0800_200c_417a)),
        5282,
        "|2|1080::8:800:200C:417A|5282|",
    ),
    (
        Side::Client,
        "Eprt !1!1.2.3.4!99!\r\n",
        Kind::Eprt,
        Some((Af::V4, 0x0102_0304)),
        99,
        "!1!1.2.3.4!99!",
    ),
    (
        Side::Server,
        "227 Entering Passive Mode (10,0,0,1,4,1).\r\n",
        Kind::Pasv,
        Some((Af::V4, 0x0a00_0001)),
        1025,
        "10,0,0,1,4,1",
    ),
    // RFC 1123, 4.1.2.6: without parentheses; and digits in the text before them.
    (
        Side::Server,
        "227 =10,0,0,1,4,1\r\n",
        Kind::Pasv,
        Some((Af::V4, 0x0a00_0001)),
        1025,
        "10,0,0,1,4,1",
    ),
    (
        Side::Server,
        "227 Mode 2 (1,2,3,4,5,6)\r\n",
        Kind::Pasv,
        Some((Af::V4, 0x0102_0304)),
        0x0506,
        "1,2,3,4,5,6",
    ),
    // RFC 2428, section 3.
    (
        Side::Server,
        "229 Entering Extended Passive Mode (|||6446|)\r\n",
        Kind::Epsv,
        None,
        6446,
        "6446",
    ),
    (Side::Server, "229 ok (!!!1!)\n", Kind::Epsv, None, 1, "1"),
];

const BAD: [(Side, &str); 27] = [
    (Side::Client, "PORT 10,0,0,1,4\r\n"),
    (Side::Client, "PORT 10,0,0,1,4,1,1\r\n"),
    (Side::Client, "PORT 10,0,0,256,4,1\r\n"),
    (Side::Client, "PORT 10,0,0,0001,4,1\r\n"),
    (Side::Client, "PORT 10,0,0,1,4,\r\n"),
    (Side::Client, "PORT 10,0,0,-1,4,1\r\n"),
    (Side::Client, "PORT 10,0,0,1,0,0\r\n"),
    (Side::Client, "PORT 10,0,0,1,4,1 x\r\n"),
    (Side::Client, "PORT 10, 0,0,1,4,1\r\n"),
    (Side::Client, "PORT \r\n"),
    (Side::Client, "EPRT \n"),
    (Side::Client, "EPRT |3|1.2.3.4|99|\r\n"),
    (Side::Client, "EPRT |1|1.2.3|99|\r\n"),
    (Side::Client, "EPRT |1|::1|99|\r\n"),
    (Side::Client, "EPRT |2|1.2.3.4|99|\r\n"),
    (Side::Client, "EPRT |1|1.2.3.4|99\r\n"),
    (Side::Client, "EPRT |1|1.2.3.4|65536|\r\n"),
    (Side::Client, "EPRT |1|1.2.3.4|0|\r\n"),
    (Side::Client, "EPRT |1|1.2.3.4!99|\r\n"),
    (Side::Client, "EPRT 111.2.3.41991\r\n"),
    (Side::Client, "EPRT |1|1.2.3.4|99|99|\r\n"),
    (Side::Server, "227 Entering Passive Mode\r\n"),
    (Side::Server, "227 (10,0,0,1,4)\r\n"),
    (Side::Server, "227 (10,0,0,1,4,1,7)\r\n"),
    (Side::Server, "229 (|||6446)\r\n"),
    (Side::Server, "229 (|1|1.2.3.4|6446|)\r\n"),
    (Side::Server, "229 |||6446|\r\n"),
];

fn found(side: Side, text: &str) -> Found {
    match ftp::line(side, text.as_bytes()) {
        Match::Found(found) => found,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn ftp_lines() {
    for (side, text, kind, addr, port, at) in GOOD {
        let f = found(side, text);
        assert_eq!((f.kind, f.addr, f.port), (kind, addr, port), "{text}");
        assert_eq!(&text[f.at..f.at + f.len], at);
        // Every front may still become it; the other side does not say it.
        for n in 0..text.len() {
            assert_eq!(
                ftp::line(side, &text.as_bytes()[..n]),
                Match::NeedMore,
                "{text} {n}"
            );
        }
        let other = if side == Side::Client {
            Side::Server
        } else {
            Side::Client
        };
        assert_eq!(ftp::line(other, text.as_bytes()), Match::No);
        // What follows is another line's.
        let more = [text, "PORT 1,2\r\n"].concat();
        assert_eq!(ftp::line(side, more.as_bytes()), Match::Found(f));
    }
    for (side, text) in BAD {
        assert_eq!(ftp::line(side, text.as_bytes()), Match::Bad, "{text}");
    }
    for text in [
        "USER x\r\n",
        "PORTS 1\r\n",
        "XPORT 1,2,3,4,5,6\r\n",
        "\r\n",
        "PORT\r\n",
        " PORT 1",
    ] {
        assert_eq!(
            ftp::line(Side::Client, text.as_bytes()),
            Match::No,
            "{text}"
        );
    }
    for text in ["220 hello\r\n", "227-x\r\n", "2270 x\r\n", "22\r\n"] {
        assert_eq!(
            ftp::line(Side::Server, text.as_bytes()),
            Match::No,
            "{text}"
        );
    }
    // A line without an end is not waited for.
    let long = [b"PORT ", &[b' '; MAX_LINE][..]].concat();
    assert_eq!(
        ftp::line(Side::Client, &long[..MAX_LINE - 1]),
        Match::NeedMore
    );
    assert_eq!(ftp::line(Side::Client, &long[..MAX_LINE]), Match::Bad);
}

#[test]
fn ftp_emitted_lines_say_it() {
    let mut noise = Noise::new(1);
    for _ in 0..6_000 {
        let (side, text, kind, ..) = GOOD[noise.below(GOOD.len())];
        let f = found(side, text);
        let af = if matches!(kind, Kind::Eprt) && noise.below(2) == 0 {
            Af::V6
        } else {
            Af::V4
        };
        let mut addr = u128::from(noise.word()) << 64 | u128::from(noise.word());
        if af == Af::V4 {
            addr &= 0xffff_ffff;
        }
        if noise.below(3) == 0 {
            addr &= !0xffff_0000;
        }
        let port = (noise.word() as u16).max(1);
        let mut out = [0; MAX_TEXT];
        let n = ftp::emit(kind, af, addr, port, &mut out).unwrap();
        let new = std::str::from_utf8(&out[..n]).unwrap();
        let line = [&text[..f.at], new, &text[f.at + f.len..]].concat();
        let g = found(side, &line);
        let want = (kind != Kind::Epsv).then_some((af, addr));
        assert_eq!(
            (g.addr, g.port, g.at, g.len),
            (want, port, f.at, n),
            "{line}"
        );
        for room in 0..n {
            assert!(ftp::emit(kind, af, addr, port, &mut [0; MAX_TEXT][..room]).is_err());
        }
    }
    let mut out = [0; MAX_TEXT];
    for kind in [Kind::Port, Kind::Pasv] {
        assert!(ftp::emit(kind, Af::V6, 1, 1, &mut out).is_err());
    }
    assert_eq!(
        ftp::emit(Kind::Eprt, Af::V6, u128::MAX, 65_535, &mut out),
        Ok(49)
    );
}

/// All that a stream says, however it is cut: (found, offset of its line in the stream).
fn all(side: Side, segments: &[&[u8]]) -> (Vec<(Found, usize)>, usize) {
    let (mut lines, mut got, mut bad, mut before) = (Lines::new(side), vec![], 0, 0);
    for segment in segments {
        let mut at = 0;
        loop {
            let rest = &segment[at..];
            match lines.push(rest) {
                Step::Done => break,
                Step::NeedMore { held } => {
                    assert!(held > 0 && held <= rest.len());
                    break;
                }
                Step::Found {
                    found,
                    line_at,
                    used,
                } => {
                    let line = (before + at) as i64 + i64::from(line_at);
                    got.push((found, usize::try_from(line).unwrap()));
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

#[test]
fn ftp_streams_however_they_are_cut() {
    for side in [Side::Client, Side::Server] {
        let mut text = String::new();
        let (mut want, mut bad) = (vec![], 0);
        for (s, line, ..) in GOOD {
            if s == side {
                text += "USER 230 somebody with a rather long name that nobody reads, ";
                text += "longer than what is kept of a line that is none of ours by far\r\n";
                want.push((found(s, line), text.len()));
                text += line;
            }
        }
        for (s, line) in BAD {
            if s == side {
                text += line;
                bad += 1;
            }
        }
        text += &["PORT ", "227 "]
            .map(|start| start.to_owned() + &"1".repeat(200))
            .join("\n");
        text += "\r\n";
        bad += 1;
        let (s, last, ..) = GOOD[if side == Side::Client { 0 } else { 5 }];
        want.push((found(s, last), text.len()));
        text += last;
        let b = text.as_bytes();
        assert_eq!(all(side, &[b]), (want.clone(), bad));
        for n in 0..=b.len() {
            assert_eq!(all(side, &[&b[..n], &b[n..]]), (want.clone(), bad), "{n}");
        }
        let bytes: Vec<&[u8]> = b.chunks(1).collect();
        assert_eq!(all(side, &bytes), (want.clone(), bad));
        let mut noise = Noise::new(2);
        for _ in 0..500 {
            let (mut rest, mut segments) = (b, vec![]);
            while !rest.is_empty() {
                let (a, z) = rest.split_at(noise.below(90).min(rest.len()));
                segments.push(a);
                rest = z;
            }
            assert_eq!(all(side, &segments), (want.clone(), bad));
        }
    }
}

/// The way of dropping the segment: the sender repeats it with the rest.
#[test]
fn ftp_repeated_segment() {
    let text = b"SYST\r\nPORT 10,0,0,1,4,1\r\n";
    for n in 7..text.len() - 1 {
        let mut lines = Lines::new(Side::Client);
        let before = lines;
        assert_eq!(lines.push(&text[..n]), Step::NeedMore { held: n - 6 });
        lines = before;
        let Step::Found { line_at, used, .. } = lines.push(text) else {
            panic!()
        };
        assert_eq!((line_at, used), (6, text.len()));
    }
}

#[test]
fn ftp_noise() {
    let mut noise = Noise::new(3);
    for _ in 0..15_000 {
        let (side, text, ..) = GOOD[noise.below(GOOD.len())];
        let mut b = text.as_bytes().to_vec();
        noise.mutate(&mut b);
        if let Match::Found(f) = ftp::line(side, &b) {
            assert!(f.port != 0 && f.at + f.len < b.len());
        }
        all(side, &[&b]);
    }
}
