// SPDX-License-Identifier: BSD-2-Clause
//! The system calls that std does not have: datagrams in batches, descriptors over sockets, mapped
//! files, giving up rights; interface ioctls and sysctl on the BSDs, capabilities on Linux. The
//! only userland crate with unsafe code in it.

pub mod batch;
#[cfg(any(target_os = "netbsd", target_os = "freebsd"))]
pub mod bsd;
pub mod clock;
pub mod confine;
pub mod fds;
pub mod map;
pub mod peer;
#[cfg(target_os = "linux")]
pub mod privs;
pub mod sandbox;
pub mod users;
