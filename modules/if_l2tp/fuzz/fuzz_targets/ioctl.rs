// SPDX-License-Identifier: BSD-2-Clause
//! The ioctl dispatcher of a live interface.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| if_l2tp_fuzz::ioctl(data));
