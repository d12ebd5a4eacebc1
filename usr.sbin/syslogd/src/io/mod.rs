// SPDX-License-Identifier: BSD-2-Clause
//! The worker: its event loop, and what it reads from and writes to.
//!
//! From the floor up: `link region session source trust` < `control queue sink streams terminals` <
//! `remote rings` < `output` < `store` < `gather receive` < `core` < `worker` < `start`.

pub mod control;
pub mod core;
pub mod gather;
pub mod link;
pub mod output;
pub mod queue;
pub mod receive;
pub mod region;
pub mod remote;
pub mod rings;
pub mod session;
pub mod sink;
pub mod source;
pub mod start;
pub mod store;
pub mod streams;
pub mod terminals;
pub mod trust;
pub mod worker;
