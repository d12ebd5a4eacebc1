// SPDX-License-Identifier: BSD-2-Clause
//! From the core of a process to one record: who it was, what ended it, and how it came there.

#![forbid(unsafe_code)]

mod binary;
mod bytes;
pub mod core;
pub mod modules;
pub mod notes;
pub mod report;
mod unwind;
