// SPDX-License-Identifier: BSD-2-Clause
//! Packets parsed, rewritten and answered.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire_fuzz::rewrite(data));
