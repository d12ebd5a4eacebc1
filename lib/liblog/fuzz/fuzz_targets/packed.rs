// SPDX-License-Identifier: BSD-2-Clause
//! Blocks that somebody wrote into a packed ring.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liblog_fuzz::packed(data));
