// SPDX-License-Identifier: BSD-2-Clause
//! Header views and emitters over byte slices.
//!
//! Every parser is a pure function of `&[u8]` and every emitter of `&mut [u8]`: no kernel, no
//! allocation, no state, so that the same code runs in a packet path, in a test and under a
//! fuzzer. Multi-byte fields are big-endian types, never native integers.
//!
//! Lengths inside a header are trusted only after they have been held against the bytes that are
//! there. A slice may end before the packet does (a first segment, a first fragment): what is not
//! there is [`Error::Short`] where a header needs it, and merely absent from a payload.
//!
//! - One protocol each: [`ether`], [`ipv4`], [`ipv6`], [`udp`], [`tcp`], [`icmp`], [`gre`],
//!   [`l2tp`]; [`ip`] looks into frames.
//! - For filters: [`packet`] takes a packet of either family apart, strictly; [`rewrite`] changes it
//!   in place, checksums included; [`build`] writes resets and ICMP errors; [`alg`] reads payloads
//!   that name addresses, ports and calls.
//!
//! *Contexts*: any. *Locking*: none.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

#[cfg(test)]
extern crate std;

mod bytes;

pub mod alg;
pub mod build;
pub mod cksum;
pub mod error;
pub mod ether;
pub mod gre;
pub mod icmp;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod l2tp;
pub mod packet;
pub mod rewrite;
pub mod tcp;
pub mod udp;

pub use bytes::copy;

pub use error::{Error, Short};
