// SPDX-License-Identifier: BSD-2-Clause
//! The parent, which has the rights, and what it says to the worker, which has none.
//!
//! From the floor up: `wire` < `options` < `files inputs outputs worker signals` < `pidfile pipes setup` <
//! `regions` < `parent`.

pub mod files;
pub mod inputs;
pub mod options;
pub mod outputs;
pub mod parent;
pub mod pidfile;
pub mod pipes;
pub mod regions;
pub mod setup;
pub mod signals;
pub mod wire;
pub mod worker;
