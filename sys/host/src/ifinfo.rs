// SPDX-License-Identifier: BSD-2-Clause
//! What is known about an interface, of a module or of a door.
//!
//! *Contexts*: any.

use kpi_sys::{KPI_IFS_COUNT, kpi_tunnel};

use crate::port::Link;

/// What is known about an interface.
#[derive(Clone, Copy, Debug)]
pub struct Tunnel(pub kpi_tunnel);

/// A snapshot of an interface.
#[derive(Clone, Debug)]
pub struct IfInfo {
    /// Name.
    pub name: String,
    /// Index, from 1, never used again.
    pub index: u32,
    /// MTU in bytes.
    pub mtu: u32,
    /// Set up (`IFF_UP`).
    pub up: bool,
    /// The module has what it needs (`IFF_RUNNING`).
    pub running: bool,
    /// Link state.
    pub link: Link,
    /// Link-level address, if the module wanted one.
    pub lladdr: Option<[u8; 6]>,
    /// Counters in the order of `KPI_IFS_*`.
    pub stats: [u64; KPI_IFS_COUNT as usize],
    /// The tunnel, if one is set.
    pub tunnel: Option<Tunnel>,
}
