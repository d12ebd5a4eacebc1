// SPDX-License-Identifier: BSD-2-Clause
//! What tests of modules and tools share: packets built by hand, capture files, counter deltas and
//! a generator of repeatable noise. A dev-dependency only.
//!
//! The builders share no code with `sys/net/wire`, so that a test which compares the two compares
//! two readings of the RFCs.

#![forbid(unsafe_code)]

pub mod counters;
pub mod noise;
pub mod packet;
pub mod pcap;
pub mod replay;
pub mod stop;

pub use counters::Snapshot;
pub use noise::Noise;
pub use pcap::Pcap;
pub use replay::Replay;
pub use stop::Stop;
