// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz targets without a fuzzer: the committed inputs, and a bounded number of mutations of
//! them that are the same each time.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use testkit::Noise;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target, usize); 2] = [
    ("packet", targets::packet, 200),
    ("ioctl", targets::ioctl, 150),
];

fn folder(kind: &str, target: &str) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    fuzz.join(kind).join(target)
}

fn inputs(kind: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(files) = fs::read_dir(folder(kind, target)) else {
        return Vec::new();
    };
    let mut all: Vec<_> = files
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

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

/// The seeds are committed. After a change of theirs: `UPDATE_CORPUS=1 cargo test --test fuzz`.
#[test]
fn corpora_have_their_seeds() {
    for (target, _, _) in TARGETS {
        let dir = folder("corpus", target);
        for (name, data) in seeds(target) {
            if std::env::var_os("UPDATE_CORPUS").is_some() {
                fs::create_dir_all(&dir).unwrap();
                fs::write(dir.join(&name), &data).unwrap();
            }
            let committed = fs::read(dir.join(&name)).unwrap_or_default();
            assert_eq!(committed, data, "{target}/{name}");
        }
    }
}

#[test]
fn committed_inputs_pass() {
    for (target, run, _) in TARGETS {
        let corpus = inputs("corpus", target);
        assert!(corpus.len() >= 5, "{target} has no corpus");
        for (path, data) in corpus.iter().chain(&inputs("regress", target)) {
            eprintln!("{}", path.display());
            run(data);
            // A prefix of an input is one too.
            (0..data.len()).step_by(41).for_each(|n| run(&data[..n]));
        }
    }
}

fn mutations(target: &str) {
    let (_, run, cases) = TARGETS
        .into_iter()
        .find(|(name, _, _)| *name == target)
        .unwrap();
    let seeds: Vec<_> = inputs("corpus", target)
        .into_iter()
        .map(|(_, data)| data)
        .collect();
    let cases = std::env::var("FUZZ_CASES").map_or(cases, |n| n.parse().unwrap());
    let mut noise = Noise::new(0x6969_7066);
    for case in 0..cases {
        let mut data = seeds[noise.below(seeds.len())].clone();
        (0..1 + noise.below(6)).for_each(|_| noise.mutate(&mut data));
        let last = Last(case, &data);
        run(&data);
        std::mem::forget(last);
    }
}

/// Prints the input when the target panics, to be put under `fuzz/regress`.
struct Last<'a>(usize, &'a [u8]);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        eprintln!("case {}: {:02x?}", self.0, self.1);
    }
}

#[test]
fn mutated_packets() {
    mutations("packet");
}

#[test]
fn mutated_ioctls() {
    mutations("ioctl");
}
