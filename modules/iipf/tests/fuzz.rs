// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz targets without a fuzzer: the committed inputs, and a bounded number of mutations of
//! them that are the same each time.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use testkit::Replay;

const REPLAY: Replay<'_> = Replay {
    folder: env!("CARGO_MANIFEST_DIR"),
    targets: &[
        ("packet", targets::packet, 200),
        ("ioctl", targets::ioctl, 150),
    ],
    prefixes: 41,
    noise: 0x6969_7066,
    joins: false,
    changes: 6,
};

/// The inputs that the corpora begin with.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    // Of a packet: which template, how (mended, on which interface, which way), no change.
    let (out, back, lan) = (1, 1 | 16, 1 | 8 | 16);
    let talk = [
        (0, out),
        (1, back),
        (2, lan),
        (3, out),
        (4, back),
        (5, out),
        (6, back),
        (7, out),
        (8, back),
        (9, back),
        (10, out),
        (11, back),
        (12, out),
        (13, back),
        (15, out),
        (14, out),
    ];
    let mut all = Vec::new();
    for rules in 0..5 {
        match target {
            "packet" => {
                let mut data = vec![rules];
                for (n, how) in talk {
                    data.extend([n, how, 0]);
                }
                data.extend([30, 61]);
                for (n, how) in talk {
                    data.extend([n, how | 4, 0]);
                }
                data.extend([31, rules + 1]);
                for (n, how) in talk {
                    data.extend([n, how | 2 | 64, 1, 9, 0, 200]);
                }
                all.push((format!("talk-{rules}"), data));
            }
            _ => {
                // A load, packets, every command with nothing in it, states away and back.
                let load = [&[64, rules, 2][..], &[0; 12]].concat();
                let mut data = load.clone();
                for port in 0..4 {
                    data.extend([96, port, 97, port, 98, port]);
                }
                for command in 0..24 {
                    data.extend([command, 0, 0]);
                }
                data.extend([80, 0, 0, 0, 88, 3, 90, 2]);
                // The same with a record changed, and where memory runs out.
                data.extend([64, rules, 6, 0, 0, 0, 0, 1, 40, 0, 9, 0, 0, 0, 0, 0]);
                data.extend([&[0x80 | 64, 90, rules, 0][..], &[0; 12]].concat());
                all.push((format!("life-{rules}"), data));
            }
        }
    }
    all
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
    REPLAY.mutations_pass("packet");
}

#[test]
fn mutated_ioctls() {
    REPLAY.mutations_pass("ioctl");
}
