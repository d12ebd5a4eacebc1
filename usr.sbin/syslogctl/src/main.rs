// SPDX-License-Identifier: BSD-2-Clause
//! syslogctl(8).

#![forbid(unsafe_code)]

fn main() {}
