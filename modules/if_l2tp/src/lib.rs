// SPDX-License-Identifier: BSD-2-Clause
//! if_l2tp: L2TPv3 Ethernet pseudowires, the data plane of RFC 3931 and RFC 4719.
//!
//! An `l2tpN` is an Ethernet-like interface. What is sent through it leaves inside IP protocol 115
//! or UDP for the peer; what comes with our session id and cookie comes out of it. Bridge it with
//! a LAN and the LAN reaches as far as the peer's.
//!
//! *Contexts*: `output` and `input` run in softint context on any CPU, many at once. `ioctl`,
//! create and destroy run in thread context.
//!
//! *Locking*, who protects what (tags as in the member comments):
//! - \[I\] immutable after creation.
//! - \[E\] [`softc::L2tp::sessions`]: readers in an epoch section, writers under the map's mutex.
//! - \[P\] [`softc::Softc::variant`]: readers by passive reference; written under \[C\].
//! - \[C\] [`softc::Softc::config`]: the mutex of one interface's configuration.
//! - \[L\] [`softc::L2tp::softcs`]: a mutex, for kstat and unload.
//! - order: \[C\] → the map's mutex, \[C\] → the endpoints' mutex; \[L\] alone. None is taken on
//!   the packet path.
//!
//! What the packet path reads is never changed: a new [`softc::Variant`] is built, published,
//! and the old one comes back when nobody reads it.
//!
//! C counterpart: NetBSD's sys/net/if_l2tp.c.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

mod config;
mod input;
mod ioctl;
mod output;
mod reconf;
mod softc;
mod state;
mod stats;
mod variant;

pub use softc::L2tp;
pub use stats::Ctr;
pub use stats::Drop;
pub use stats::Event;

kern::module! { name: "if_l2tp", state: L2tp }
