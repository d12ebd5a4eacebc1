// SPDX-License-Identifier: BSD-2-Clause
//! The worker: its event loop, and what it reads from and writes to.
//!
//! From the floor up: `link region` < `queue sink` < `remote streams control` < `worker`.

pub mod control;
pub mod link;
pub mod queue;
pub mod region;
pub mod remote;
pub mod session;
pub mod sink;
pub mod streams;
pub mod trust;
