// SPDX-License-Identifier: BSD-2-Clause
//! The system calls that std does not have: interface ioctls and sysctl on the BSDs, giving up
//! privileges on Linux. The only userland crate with unsafe code in it.

#[cfg(any(target_os = "netbsd", target_os = "freebsd"))]
pub mod bsd;
#[cfg(target_os = "linux")]
pub mod privs;
