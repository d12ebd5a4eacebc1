// SPDX-License-Identifier: BSD-2-Clause
//! Passive references for kernels that have none: the tracker that FreeBSD and the host share.
//!
//! NetBSD has psref(9); here is the same service for the others, behind the four `kpi_psref_*`
//! functions of `sys/kpi/kpi_sync.h`. A reader announces which target it uses in a table
//! ([`table`]); a writer who retires a target waits until no entry of the table names it.
//!
//! *Contexts*: acquire and release run anywhere and never wait; destroy sleeps.
//! *Locking*: none. [`table`] has the algorithm and its proof.
//!
//! # Checking
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p psref --release        every interleaving of a small table
//! cargo test -p psref                                         stress, with a poisoned value
//! . build.d/sanitize.sh; rw_loom psref; rw_asan psref; rw_tsan psref
//! ```
//!
//! Under `--cfg loom` the table is built of loom's atomics, which do not fit the room that
//! `kpi_sync.h` gives; the C functions are left out of that build.
#![no_std]

#[cfg(not(loom))]
mod capi;
pub mod table;

#[cfg(not(loom))]
pub use capi::held;
