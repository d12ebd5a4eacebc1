// SPDX-License-Identifier: BSD-2-Clause
//! One compiled classifier for filter, NAT policy, IPsec policy and QoS marks, and address tables.
//!
//! A [`Classifier`] is built once from a list of [`Rule`]s and never changes: its owner publishes
//! it whole. Rules mean what pf.conf(5) says: the first `quick` rule that matches decides, else the
//! last one that matches; `match` rules are reported on the way. Rules in anchors are given flat,
//! each with the innermost [`Anchor`] that it stands in. Rules are found by trees that split
//! addresses, ports, protocols and marks into intervals, and where rules overlap too much for
//! trees, by bit sets that are intersected: 10,000 rules cost two or three times what 10 do.
//!
//! An [`AddrTable`] is a set of prefixes that changes while it is read. Rules name tables by
//! number; who classifies brings them as [`Tables`], so a table changes without a new classifier.
//!
//! *Contexts*: building, table changes and lists in thread context; look-ups anywhere. *Locking*:
//! a classifier has none. A table's readers are in an epoch section, its writers take its mutex.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

mod build;
mod classes;
mod classifier;
mod compile;
mod error;
mod fields;
mod flatten;
mod grid;
mod key;
mod order;
mod program;
mod rec;
mod rule;
mod search;
mod splits;
mod sweep;
mod table;
mod tables;
mod test;
mod tree;

pub use classifier::Classifier;
pub use classifier::Limits;
pub use error::Refused;
pub use fields::Af;
pub use fields::Dir;
pub use fields::Fields;
pub use fields::Frag;
pub use fields::TCP;
pub use rule::Addr;
pub use rule::AddrMatch;
pub use rule::Anchor;
pub use rule::Icmp;
pub use rule::IfSet;
pub use rule::Kind;
pub use rule::Match;
pub use rule::Ports;
pub use rule::Rule;
pub use table::AddError;
pub use table::AddrTable;
pub use table::Entry;
pub use table::Hit;
pub use table::Prefix;
pub use table::TableConfig;
pub use tables::NoTables;
pub use tables::Tables;
pub use test::Condition;
