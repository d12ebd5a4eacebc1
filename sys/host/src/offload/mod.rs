// SPDX-License-Identifier: BSD-2-Clause
//! What network cards do for a kernel, done here: checksums, cutting and joining of frames.
//!
//! *Contexts*: any. *Locking*: none; all of it is arithmetic over bytes.

pub mod csum;
pub mod gro;
pub mod gso;
pub mod layout;
pub mod vnet;

#[cfg(test)]
mod tests;
