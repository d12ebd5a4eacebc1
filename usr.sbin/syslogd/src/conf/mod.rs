// SPDX-License-Identifier: BSD-2-Clause
//! syslog.conf(5) into a typed [`Conf`]: as NetBSD and FreeBSD write it, with rings.
//!
//! [`load`] reads a file and what it includes through [`Files`], collects all that is wrong, and
//! gives a `Conf` only if nothing is.

mod action;
mod block;
mod build;
pub mod dfa;
mod lines;
mod note;
mod pattern;
mod remap;
mod remote;
mod scan;
mod select;
mod settings;
mod source;
mod types;

pub use build::Options;
pub use build::load;
pub use note::Note;
pub use note::Place;
pub use source::Files;
pub use source::Folder;
pub use types::*;
