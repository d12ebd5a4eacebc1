// SPDX-License-Identifier: BSD-2-Clause
//! syslogd(8): what it is configured to do, and the engine that does it, without any I/O.

#![forbid(unsafe_code)]

pub mod conf;
pub mod engine;
