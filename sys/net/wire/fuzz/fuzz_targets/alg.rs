// SPDX-License-Identifier: BSD-2-Clause
//! Payloads that say addresses, ports and call ids.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire_fuzz::alg(data));
