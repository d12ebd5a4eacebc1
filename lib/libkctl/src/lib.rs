// SPDX-License-Identifier: BSD-2-Clause
//! Userland's way into a kernel: the control socket of a host kernel, or ioctl(2) and sysctl(3) of
//! the BSD it runs on. Tools do not know which.
//!
//! ```no_run
//! # fn main() -> Result<(), libkctl::Error> {
//! let mut kernel = libkctl::Kernel::open("unix:/run/hostkern.sock")?;
//! let name = kernel.if_create("l2tp")?;
//! kernel.if_set_up(&name, true)?;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod errno;
mod error;
pub mod frame;
mod kernel;
#[cfg(any(target_os = "netbsd", target_os = "freebsd"))]
mod native;
mod socket;
mod types;

pub use errno::Errno;
pub use error::{Error, Result};
pub use kernel::{DEFAULT, ENVIRONMENT, Kernel, Monitor};
pub use socket::Transport;
pub use types::{Interface, ModuleInfo, Outer, Stats};
