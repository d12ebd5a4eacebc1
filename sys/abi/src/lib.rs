// SPDX-License-Identifier: BSD-2-Clause
//! What kernel and userland share: plain-old-data structs, typed ioctl numbers, the records that
//! kstat(8) reads, the frames of a host kernel's control socket, and the text of a golden ABI file.
//!
//! *Contexts*: any; nothing here allocates, sleeps or keeps state.

#![no_std]
#![forbid(unsafe_code)]

pub mod ctl;
pub mod golden;
mod ioctl;
pub mod kstat;
mod name;
mod pod;

pub use ioctl::{IOC_IN, IOC_INOUT, IOC_OUT, IOCPARM_MASK, IfreqSize, Ioctl, ioc};
pub use name::Name;
pub use pod::{Pod, read_pod, write_pod};
pub use zerocopy;
pub use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
