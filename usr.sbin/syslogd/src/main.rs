// SPDX-License-Identifier: BSD-2-Clause
//! syslogd(8).

#![forbid(unsafe_code)]

fn main() {}
