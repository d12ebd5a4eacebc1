// SPDX-License-Identifier: BSD-2-Clause
//! Inline pairs: a bump in the wire between an interface of the OS and a tap that the OS uses in
//! its stead.
//!
//! The frames of both directions pass a packet socket on the interface and the tap; IP packets,
//! untagged or behind up to two VLAN tags, are shown to the hooks ([`crate::pfil`]), all else
//! passes as it is. What the OS had on the interface (addresses, routes, sysctls) moves to the tap,
//! which has its link-level address, and back at the end. The OS's own copies of frames from the
//! wire are dropped by a filter at the interface (clsact), behind which packet sockets come first.
//!
//! *Contexts* and *locking*: as each file says. From the floor up: `netlink frame` < `oslink
//! snapshot ether` < `moving state` < `ends undo` < `pump shared` < `watch` < `pair`.

mod ends;
mod ether;
mod frame;
mod moving;
mod netlink;
mod oslink;
mod pair;
mod pump;
mod shared;
mod snapshot;
mod state;
mod undo;
mod watch;

pub use pair::Pair;
pub use undo::restore;
