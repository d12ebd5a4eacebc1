// SPDX-License-Identifier: BSD-2-Clause
//! Packets in both directions.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iipf_fuzz::packet(data));
