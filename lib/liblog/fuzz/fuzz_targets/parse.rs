// SPDX-License-Identifier: BSD-2-Clause
//! Packets of both grammars and of kernels.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liblog_fuzz::parse(data));
