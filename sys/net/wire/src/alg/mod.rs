// SPDX-License-Identifier: BSD-2-Clause
//! Protocols that say addresses, ports and call ids in their payload: where they stand, what they
//! say, and what is to stand there instead.
//!
//! Parsers are total: any bytes give an answer. What the peers say is not believed here: whether
//! an address is the speaker's own and a port one that may be opened is for the caller to judge.

pub mod ftp;
pub mod pptp;
pub mod tftp;
