// SPDX-License-Identifier: BSD-2-Clause
//! Rulesets as text.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| libiipf_fuzz::ruleset(data));
