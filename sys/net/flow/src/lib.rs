// SPDX-License-Identifier: BSD-2-Clause
//! Connections: what a stateful filter and a NAT keep about each flow, and find again by packet.
//!
//! - [`key`]: what names a flow, packed into words;
//! - [`table`]: entries with one or two keys, looked up without a lock; built of [`slab`],
//!   [`index`] and [`wheel`], kept up by its worker ([`care`]);
//! - [`portmap`], [`blocks`]: ports of an address, given out once each;
//! - [`tcp`]: the windows of a connection, followed from the middle of the path;
//! - [`timeouts`]: how long what is kept.
//!
//! *Contexts*: looking up, inserting and unlinking run in any context, many at once, within a read
//! section. What sleeps or waits takes a token.
//!
//! *Locking*: see [`table`]. Everything that packets change is atomic; nothing here is a pointer.
//!
//! C counterparts: the state trees of pf(4), npf's connection database.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

pub mod blocks;
pub mod care;
mod hash;
mod index;
pub mod key;
pub mod portmap;
pub mod slab;
pub mod table;
pub mod tcp;
pub mod timeouts;
pub mod wheel;
