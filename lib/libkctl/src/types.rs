// SPDX-License-Identifier: BSD-2-Clause
//! What kernels tell about modules and interfaces, in std's types.

use crate::{Error, Result};
use kabi::ctl::{AF_INET, AF_INET6, Tunnel};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A module that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleInfo {
    /// Its name.
    pub name: String,
    /// Whether it is loaded.
    pub loaded: bool,
    /// The kpi version that it was built for.
    pub kpi: u32,
}

/// Counters of an interface, in the order of `KPI_IFS_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats(pub [u64; 9]);

impl Stats {
    /// Their names, in the same order.
    pub const NAMES: [&'static str; 9] = [
        "ipackets", "ierrors", "ibytes", "iqdrops", "noproto", "opackets", "oerrors", "obytes",
        "oqdrops",
    ];
}

/// The outer addresses of a tunnel, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// This end.
    pub src: IpAddr,
    /// The other end.
    pub dst: IpAddr,
}

impl Outer {
    /// In the form of the ABI.
    ///
    /// # Errors
    /// [`Error::Argument`] when the families differ.
    pub fn to_abi(self) -> Result<Tunnel> {
        let mut t = Tunnel {
            af: AF_INET,
            pad: 0,
            src: [0; 16],
            dst: [0; 16],
        };
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                t.src[..4].copy_from_slice(&src.octets());
                t.dst[..4].copy_from_slice(&dst.octets());
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                t.af = AF_INET6;
                t.src = src.octets();
                t.dst = dst.octets();
            }
            _ => {
                return Err(Error::Argument(format!(
                    "tunnel {} {}: both addresses must be of one family",
                    self.src, self.dst
                )));
            }
        }
        Ok(t)
    }

    /// From the form of the ABI; `None` when there is no tunnel.
    #[must_use]
    pub fn from_abi(t: &Tunnel) -> Option<Outer> {
        let v4 = |b: [u8; 16]| IpAddr::V4(Ipv4Addr::new(b[0], b[1], b[2], b[3]));
        let v6 = |b: [u8; 16]| IpAddr::V6(Ipv6Addr::from(b));
        match t.af {
            AF_INET => Some(Outer {
                src: v4(t.src),
                dst: v4(t.dst),
            }),
            AF_INET6 => Some(Outer {
                src: v6(t.src),
                dst: v6(t.dst),
            }),
            _ => None,
        }
    }
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// Has what it needs to carry packets.
    pub running: bool,
    /// The link is up; `None` where the kernel does not tell.
    pub link: Option<bool>,
    /// Link-layer address.
    pub lladdr: Option<[u8; 6]>,
    /// Counters.
    pub stats: Stats,
    /// Outer addresses.
    pub tunnel: Option<Outer>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_survive_the_way_and_keep_to_one_family() {
        for (src, dst) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")] {
            let outer = Outer {
                src: src.parse().unwrap(),
                dst: dst.parse().unwrap(),
            };
            assert_eq!(Outer::from_abi(&outer.to_abi().unwrap()), Some(outer));
        }
        let mixed = Outer {
            src: "192.0.2.1".parse().unwrap(),
            dst: "::1".parse().unwrap(),
        };
        assert!(matches!(mixed.to_abi(), Err(Error::Argument(s)) if s.contains("one family")));
    }
}
