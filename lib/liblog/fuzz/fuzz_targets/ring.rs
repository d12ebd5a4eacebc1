// SPDX-License-Identifier: BSD-2-Clause
//! What is done to a ring, and damage to its region.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liblog_fuzz::ring(data));
