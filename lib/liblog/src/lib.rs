// SPDX-License-Identifier: BSD-2-Clause
//! Log messages without any I/O: priorities, the grammars of RFC 3164 and RFC 5424 in and out,
//! rings, filters, and the words of the control socket. syslogd and syslogctl share it.

#![forbid(unsafe_code)]

pub mod buf;
pub mod crash;
pub mod emit;
pub mod filter;
pub mod frame;
pub mod msg;
pub mod parse;
pub mod pri;
pub mod proto;
pub mod ring;
mod text;
pub mod time;

pub use buf::Buf;
pub use crash::Crash;
pub use msg::Clocks;
pub use msg::Msg;
pub use pri::{Facility, Pri, Severity};
