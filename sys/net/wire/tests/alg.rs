// SPDX-License-Identifier: BSD-2-Clause
//! TFTP's requests and PPTP's messages: every kind, every truncation, malformed ones and noise.

use testkit::Noise;
use wire::alg::pptp::{self, Id, Next};
use wire::alg::tftp;

#[test]
fn tftp_requests() {
    let read = tftp::parse(b"\0\x01boot/x\0OcTet\0blksize\x001428\0").unwrap();
    assert_eq!(
        (read.write, read.file, read.mode),
        (false, &b"boot/x"[..], &b"OcTet"[..])
    );
    let whole = b"\0\x02x\0netascii\0";
    assert!(tftp::parse(whole).unwrap().write);
    for n in 0..whole.len() {
        assert_eq!(tftp::parse(&whole[..n]), None, "{n}");
    }
    for b in [
        &b"\0\x03x\0octet\0"[..],
        b"\x01\x01x\0octet\0",
        b"\0\x01\0octet\0",
        b"\0\x01x\0text\0",
    ] {
        assert_eq!(tftp::parse(b), None);
    }
    let long = [b"\0\x01", &[b'x'; 600][..], b"\0octet\0"].concat();
    assert_eq!(tftp::parse(&long), None);
}

fn pptp_message(kind: u16, len: u16, body: &[u8]) -> Vec<u8> {
    let mut b = len.to_be_bytes().to_vec();
    b.extend([0, 1, 0x1a, 0x2b, 0x3c, 0x4d]);
    b.extend(kind.to_be_bytes());
    b.extend([0, 0]);
    b.extend(body);
    b.resize(len.into(), 0);
    b
}

/// The lengths and ids of RFC 2637, 2.1 to 2.15.
#[test]
fn pptp_messages() {
    let body = [0x11, 0x11, 0x22, 0x22, 5];
    let first = Some(Id { at: 12, id: 0x1111 });
    let second = Some(Id { at: 14, id: 0x2222 });
    for (kind, len, own, peer, result) in [
        (1, 156, None, None, None),
        (2, 156, None, None, None),
        (3, 16, None, None, None),
        (4, 16, None, None, None),
        (5, 16, None, None, None),
        (6, 20, None, None, None),
        (7, 168, first, None, None),
        (8, 32, first, second, Some(5)),
        (9, 220, first, None, None),
        (10, 24, first, second, Some(5)),
        (11, 28, None, first, None),
        (12, 16, first, None, None),
        (13, 148, first, None, None),
        (14, 40, None, first, None),
        (15, 24, None, first, None),
    ] {
        let b = pptp_message(kind, len, &body);
        let Next::Message(m) = pptp::parse(&b) else {
            panic!("{kind}")
        };
        assert_eq!((m.kind as u16, m.len), (kind, usize::from(len)));
        assert_eq!((m.own, m.peer, m.result), (own, peer, result), "{kind}");
        for n in 0..b.len() {
            assert_eq!(pptp::parse(&b[..n]), Next::NeedMore, "{kind} {n}");
        }
        // A message behind it is not its business.
        let two = [&b[..], &b].concat();
        assert_eq!(pptp::parse(&two), Next::Message(m));
        // Too short for its ids.
        if own.or(peer).is_some() {
            assert_eq!(pptp::parse(&pptp_message(kind, 13, &body)), Next::Bad);
        }
        for (at, value) in [
            (0, 1),
            (1, 3),
            (3, 2),
            (4, 0),
            (7, 0),
            (8, 1),
            (9, 0),
            (9, 16),
        ] {
            let mut b = b.clone();
            b[at] = value;
            assert_eq!(pptp::parse(&b), Next::Bad, "{at}");
            // Known from the front already.
            assert_eq!(pptp::parse(&b[..10]), Next::Bad, "{at}");
        }
    }
}

#[test]
fn pptp_noise() {
    let mut noise = Noise::new(4);
    for _ in 0..50_000 {
        let kind = 1 + noise.below(15) as u16;
        let mut b = pptp_message(kind, [16, 24, 32, 156, 220][noise.below(5)], &[1; 8]);
        noise.mutate(&mut b);
        if let Next::Message(m) = pptp::parse(&b) {
            assert!(m.len <= b.len() && m.len >= pptp::HEADER_LEN);
            for id in m.own.into_iter().chain(m.peer) {
                assert!(id.at + 2 <= m.len);
            }
        }
    }
}
