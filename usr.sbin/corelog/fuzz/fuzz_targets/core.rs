// SPDX-License-Identifier: BSD-2-Clause
//! Cores.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| corelog_fuzz::core(data));
