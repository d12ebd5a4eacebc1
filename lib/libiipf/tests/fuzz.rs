// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz target without a fuzzer: the committed inputs, and a bounded number of mutations of
//! them that are the same each time.

#![forbid(unsafe_code)]

#[path = "../fuzz/src/lib.rs"]
mod targets;

use testkit::Replay;

const REPLAY: Replay<'_> = Replay {
    folder: env!("CARGO_MANIFEST_DIR"),
    targets: &[("ruleset", targets::ruleset, 2_000)],
    prefixes: 7,
    noise: 0x6969_7066,
    joins: true,
    changes: 4,
};

#[test]
fn committed_inputs_pass() {
    REPLAY.committed_inputs_pass();
}

#[test]
fn mutated_texts() {
    REPLAY.mutations_pass("ruleset");
}
