// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz targets without a fuzzer: the committed inputs, and a bounded number of mutations of
//! them that are the same each time.

#[path = "../fuzz/src/lib.rs"]
mod targets;
mod util;

use testkit::Replay;
use util::{Shape, What};
use wire::packet::{Af, Ids};
use wire::rewrite::Ends;

const REPLAY: Replay<'_> = Replay {
    folder: env!("CARGO_MANIFEST_DIR"),
    targets: &[
        ("rewrite", targets::rewrite, 80_000),
        ("alg", targets::alg, 40_000),
    ],
    prefixes: 1,
    noise: 0x7769_7265,
    joins: true,
    changes: 3,
};

/// Where to, and how, for the packets below.
const PROGRAM: [u8; 40] = [
    0x20, 0x01, 0x0d, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 203, 0, 113, 9, 0x20, 0x01, 0x0d, 0xb8, 0, 8,
    0, 0, 0, 0, 0, 0, 192, 168, 1, 2, 0x9c, 0x40, 0x1f, 0x90, 0x02, 0x04, 128, 12,
];

fn ends(af: Af, what: &What) -> Ends {
    let (src, dst) = match af {
        Af::V4 => (0x0a00_0001, 0xc633_6402),
        Af::V6 => (0x2001_0db8 << 96 | 1, 0x2001_0db8 << 96 | 2),
    };
    let ids = match what {
        What::Query { .. } => Ids::Query(77),
        What::Pptp => Ids::Call(78),
        What::Other(_) | What::Error { .. } => Ids::None,
        _ => Ids::Ports { src: 4321, dst: 80 },
    };
    Ends { src, dst, ids }
}

fn packets() -> Vec<(String, Vec<u8>)> {
    let mut all = vec![];
    for (af, six) in [(Af::V4, false), (Af::V6, true)] {
        let opts = vec![
            1, 2, 4, 5, 0xb4, 1, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0,
        ];
        let tcp = |flags| What::Tcp {
            opts: opts.clone(),
            seq: 1,
            ack: 2,
            flags,
        };
        let udp = What::Udp { sum: true };
        let mut inner = Shape::new(af, tcp(0x10), &[3; 9]);
        inner.cut = 8;
        let error = What::Error {
            typ: if six { 1 } else { 3 },
            code: 4,
            inner: Box::new(inner),
        };
        let whole = What::Error {
            typ: if six { 3 } else { 11 },
            code: 0,
            inner: Box::new(Shape::new(af, udp.clone(), &[3; 9])),
        };
        let query = What::Query {
            typ: if six { 128 } else { 8 },
        };
        let mut shapes = vec![
            ("syn", Shape::new(af, tcp(2), &[])),
            ("data", Shape::new(af, tcp(0x18), &[5; 21])),
            ("udp", Shape::new(af, udp.clone(), &[5; 11])),
            (
                "unsummed",
                Shape::new(af, What::Udp { sum: false }, &[5; 11]),
            ),
            ("echo", Shape::new(af, query, &[5; 3])),
            ("error", Shape::new(af, error, &[])),
            ("error-whole", Shape::new(af, whole, &[])),
            ("pptp", Shape::new(af, What::Pptp, &[5; 9])),
            ("udplite", Shape::new(af, What::Udplite, &[5; 9])),
            ("sctp", Shape::new(af, What::Sctp, &[5; 9])),
        ];
        for (name, piece) in [("first", (0, 16)), ("later", (16, 32))] {
            let mut shape = Shape::new(af, udp.clone(), &[6; 40]);
            shape.piece = Some(piece);
            shapes.push((name, shape));
        }
        let mut shape = Shape::new(af, tcp(2), &[]);
        shape.options = vec![1; 8];
        let pad = vec![0, 0, 1, 4, 0, 0, 0, 0];
        shape.exts = vec![
            (0, pad.clone()),
            (60, pad),
            (43, vec![0, 0, 2, 0, 0, 0, 0, 0]),
        ];
        shapes.push(("options", shape));
        for (name, shape) in shapes {
            let inner = match &shape.what {
                What::Error { inner, .. } => Some(ends(af, &inner.what)),
                _ => None,
            };
            let b = shape.make(&ends(af, &shape.what), inner.as_ref());
            let name = format!("{name}-{}", if six { 6 } else { 4 });
            all.push((name, [&PROGRAM[..], &b].concat()));
        }
    }
    all
}

/// The inputs that the corpora begin with.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    if target == "rewrite" {
        return packets();
    }
    let pptp = |kind: u8, len: u8| {
        let mut b = vec![
            20, 0, len, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, kind, 0, 0, 1, 1, 2, 2, 1,
        ];
        b.resize(1 + usize::from(len), 0);
        b
    };
    let two = [&pptp(8, 32)[..], &pptp(15, 24)[1..]].concat();
    [
        ("port", &b"\x09PORT 10,0,0,1,4,1\r\n"[..]),
        (
            "eprt",
            b"\x05EPRT |2|1080::8:800:200C:417A|5282|\r\nQUIT\r\n",
        ),
        (
            "pasv",
            b"\x21220 x\r\n227 Entering Passive Mode (10,0,0,1,4,1).\r\n",
        ),
        (
            "epsv",
            b"\x02229 Entering Extended Passive Mode (|||6446|)\r\n",
        ),
        (
            "tftp",
            b"\x00\x00\x01boot/x\x00octet\x00blksize\x001428\x00",
        ),
        ("pptp-request", &pptp(7, 168)),
        ("pptp-two", &two),
    ]
    .map(|(name, b)| (name.to_owned(), b.to_vec()))
    .to_vec()
}

#[test]
fn corpora_have_their_seeds() {
    REPLAY.seeds_are_committed(seeds);
}

#[test]
fn committed_inputs_pass() {
    REPLAY.committed_inputs_pass();
}

#[test]
fn mutated_packets() {
    REPLAY.mutations_pass("rewrite");
}

#[test]
fn mutated_payloads() {
    REPLAY.mutations_pass("alg");
}
