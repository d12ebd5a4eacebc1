// SPDX-License-Identifier: BSD-2-Clause
//! iipf: a stateful filter and NAT for IPv4 and IPv6, in the words of pf.conf(5).
//!
//! A packet that comes to the hook is parsed, looked up among the states, and most often that is
//! all: windows are checked, addresses rewritten, and it goes on. What has no state is translated
//! as the rules say, filtered as it is then, and gets a state.
//!
//! *Contexts*: [`packet`] and all below it run in softint context on any CPU, many at once. What a
//! device's ioctl asks for, and the worker that ends what is over, run in thread context.
//!
//! *Locking*, who protects what (tags as in the member comments):
//! - \[I\] immutable after it was made.
//! - \[E\] published whole; readers in an epoch section.
//! - \[C\] [`softc::Iipf::config`]: the mutex of all that is configured.
//! - tables (states, mappings, sources): readers in a section and without a lock; insertion takes
//!   a spin of the table for a few instructions.
//! - order: \[C\] → a spin of [`alg::Controls`] → a table's spins. None but these spins is taken on
//!   the packet path, and those only by packets that begin a flow, by fragments, and by payloads
//!   that a helper reads.
//!
//! *From the floor up*: `stats entry ifmap pool frag` < `ruleset load` < `softc` < `step` <
//! `translate admit synproxy` < `alg` < `begin follow icmp` < `packet` < `worker` < `state`.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

mod admit;
mod alg;
mod begin;
mod blocklog;
mod build;
mod change;
mod check;
mod cond;
mod ctl;
mod decision;
mod entry;
mod follow;
mod forward;
mod frag;
mod icmp;
mod ifmap;
mod job;
mod keep;
mod load;
mod log;
mod mapping;
mod overload;
mod packet;
mod pick;
mod pool;
mod refresh;
mod ruleset;
mod shift;
mod softc;
mod state;
mod states;
mod stats;
mod step;
mod sum;
mod synproxy;
mod timeouts;
mod translate;
mod watch;
mod worker;

pub use softc::Iipf;
pub use stats::Ctr;
pub use stats::Drop;
pub use stats::Event;

kern::module! { name: "iipf", state: Iipf }
