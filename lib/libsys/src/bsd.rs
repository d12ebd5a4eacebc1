// SPDX-License-Identifier: BSD-2-Clause
//! Interfaces and sysctl of NetBSD and FreeBSD.

mod device;
mod ifreq;
mod links;
mod sysctl;

pub use device::device;
pub use ifreq::Control;
pub use links::{Link, links};
pub use sysctl::{children, read};

#[cfg(target_os = "netbsd")]
mod os {
    //! Sizes, offsets and numbers of NetBSD, 64-bit ports.
    pub const IFREQ: usize = 144;
    pub const AF_INET6: u8 = 24;
    pub const IN_ALIASREQ: usize = 64;
    pub const IN6_ALIASREQ: usize = 128;
    pub const SIOCSIFPHYADDR_IN6: u8 = 110;
    pub const SIOCGIFMTU: u8 = 126;
    pub const SIOCSIFMTU: u8 = 127;
    /// struct if_data
    pub const LINK_STATE: core::ops::Range<usize> = 4..8;
    pub const MTU: usize = 8;
    /// In the order of KPI_IFS_*; 0: not kept.
    pub const STATS: [usize; 9] = [32, 40, 72, 104, 112, 48, 56, 80, 0];
}

#[cfg(target_os = "freebsd")]
mod os {
    //! Sizes, offsets and numbers of FreeBSD, 64-bit ports.
    pub const IFREQ: usize = 32;
    pub const AF_INET6: u8 = 28;
    pub const IN_ALIASREQ: usize = 68;
    pub const IN6_ALIASREQ: usize = 136;
    pub const SIOCSIFPHYADDR_IN6: u8 = 70;
    pub const SIOCGIFMTU: u8 = 51;
    pub const SIOCSIFMTU: u8 = 52;
    /// struct if_data
    pub const LINK_STATE: core::ops::Range<usize> = 4..5;
    pub const MTU: usize = 8;
    /// In the order of KPI_IFS_*; 0: not kept.
    pub const STATS: [usize; 9] = [24, 32, 64, 96, 112, 40, 48, 72, 104];
}
