// SPDX-License-Identifier: BSD-2-Clause
//! Safe wrappers over the kpi: what modules are written against.
//!
//! All kernel unsafe code of the suite stands here. A module forbids unsafe code and gets, instead
//! of rules to remember, types that refuse: see [`cx`] for what may sleep, [`passive`] and
//! [`epoch`] for what may be read, [`mbuf`] for who owns a packet. `tests/compile_fail` shows the
//! misuse that does not compile.
//!
//! C header: `sys/kpi/kpi.h`.
#![no_std]

pub mod callout;
pub mod cdev;
pub mod clone;
pub mod cx;
pub mod encap;
pub mod epoch;
pub mod errno;
pub mod iflog;
pub mod ifnet;
pub mod kstat;
pub mod log;
pub mod map;
pub mod mbuf;
pub mod mem;
pub mod misc;
pub mod module;
pub mod once;
pub mod passive;
pub mod pfil;
pub mod sort;
pub mod spin;
pub mod stats;
pub mod sync;
pub mod task;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace;
pub mod verdict;

pub use kpi_sys::KPI_IFC_IN;
pub use kpi_sys::KPI_IFC_OUT;
pub use kpi_sys::KPI_IFC_PRIV;
