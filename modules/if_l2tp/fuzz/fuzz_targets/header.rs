// SPDX-License-Identifier: BSD-2-Clause
//! Header parsers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| if_l2tp_fuzz::header(data));
