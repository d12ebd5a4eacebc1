// SPDX-License-Identifier: BSD-2-Clause
//! The device's commands, and rulesets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iipf_fuzz::ioctl(data));
