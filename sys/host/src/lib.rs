// SPDX-License-Identifier: BSD-2-Clause
//! The host kernel: every kpi function, with std.
//!
//! One process may hold several kernels. A thread is in at most one at a time
//! ([`kernel::Kernel::enter`]), and the `kpi_*` functions serve that one; handles that modules
//! hold carry what they belong to with them.
//!
//! From the floor up: `die thread errno` < `ledger` < `spin` < `pool cluster link mem` < `seg` < `mbuf` <
//! `epoch sync clock misc event` < `home` < `callout port kstat outer` < `cdev ifinfo ifreg` <
//! `iflog pfil` < `collect` < `wire sink` < `os offload tap rawsock` < `sender joiner` < `batch` <
//! `poll` < `tapread rawread inline` < `osdoors` < `door` < `ifnet encap` < `clone` < `kernel` <
//! `devices pairs pfiltest` < `kpi`. No file knows one above it.

// For its symbols: kpi_psref_*.
extern crate psref;

mod batch;
pub mod callout;
pub mod cdev;
pub mod clock;
pub mod clone;
pub mod cluster;
pub mod collect;
pub mod counting;
pub mod devices;
mod die;
pub mod door;
pub mod encap;
pub mod epoch;
pub mod errno;
pub mod event;
pub mod home;
mod ifinfo;
pub mod iflog;
pub mod ifnet;
pub mod ifreg;
pub mod inline;
mod joiner;
pub mod kernel;
mod kpi;
pub mod kstat;
pub mod ledger;
pub mod link;
pub mod mbuf;
mod mem;
pub mod misc;
pub mod offload;
mod os;
pub mod osdoors;
pub mod outer;
pub mod pairs;
pub mod pfil;
pub mod pfiltest;
mod poll;
mod pool;
pub mod port;
mod rawread;
pub mod rawsock;
mod seg;
mod sender;
pub mod sink;
pub mod spin;
pub mod sync;
pub mod tap;
mod tapread;
pub mod thread;
pub mod wire;
