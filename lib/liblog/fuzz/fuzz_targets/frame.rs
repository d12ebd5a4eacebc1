// SPDX-License-Identifier: BSD-2-Clause
//! Streams of messages, cut anyhow.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liblog_fuzz::frame(data));
