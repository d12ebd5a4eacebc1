// SPDX-License-Identifier: BSD-2-Clause
//! The verbs of ifconfig(8): their grammar, what they ask of a kernel, and how interfaces are
//! shown. ifconfig(8) and the `ifconfig` lines of hostkern.toml(5) share it.

#![forbid(unsafe_code)]

mod action;
mod run;
mod show;
mod verbs;

pub use action::{Action, Command, Encap, Endpoint};
pub use run::{Done, run};
pub use show::{View, text, views};
pub use verbs::{VERBS, Verb, parse};
