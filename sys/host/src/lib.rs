// SPDX-License-Identifier: BSD-2-Clause
//! The host kernel: every kpi function, with std.
//!
//! One process may hold several kernels. A thread is in at most one at a time
//! ([`kernel::Kernel::enter`]), and the `kpi_*` functions serve that one; handles that modules
//! hold carry what they belong to with them.
//!
//! From the floor up: `die thread errno` < `ledger` < `pool cluster mem mbuf` < `epoch sync clock
//! misc event` < `home` < `callout port kstat outer` < `wire sink` < `os offload tap
//! rawsock` < `sender joiner` < `batch` < `poll` < `tapread rawread` < `osdoors` < `door` < `ifnet encap` < `clone` <
//! `kernel` < `kpi`. No file knows one above it.

// For its symbols: kpi_psref_*.
extern crate psref;

mod batch;
pub mod callout;
pub mod clock;
pub mod clone;
pub mod cluster;
pub mod counting;
mod die;
pub mod door;
pub mod encap;
pub mod epoch;
pub mod errno;
pub mod event;
pub mod home;
pub mod ifnet;
mod joiner;
pub mod kernel;
mod kpi;
pub mod kstat;
pub mod ledger;
pub mod mbuf;
mod mem;
pub mod misc;
pub mod offload;
mod os;
pub mod osdoors;
pub mod outer;
mod poll;
mod pool;
pub mod port;
mod rawread;
pub mod rawsock;
mod sender;
pub mod sink;
pub mod sync;
pub mod tap;
mod tapread;
pub mod thread;
pub mod wire;
