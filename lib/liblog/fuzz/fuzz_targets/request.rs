// SPDX-License-Identifier: BSD-2-Clause
//! Lines of the control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| liblog_fuzz::request(data));
