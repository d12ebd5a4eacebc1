// SPDX-License-Identifier: BSD-2-Clause
//! syslogd(8): what it is configured to do, the engine that does it without any I/O, and the two
//! processes around it.

#![forbid(unsafe_code)]

pub mod conf;
pub mod engine;
pub mod io;
pub mod privsep;
