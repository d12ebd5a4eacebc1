// SPDX-License-Identifier: BSD-2-Clause
//! A configuration file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| syslogd_fuzz::conf(data));
