// SPDX-License-Identifier: BSD-2-Clause
//! The kernel that this process runs on: NetBSD or FreeBSD with modules of ours in it.

use crate::types::{Interface, Outer, Stats};
use crate::{Errno, Error, Result};
use libsys::bsd::{Control, children, device, links, read};
use std::io;

const IFF_UP: u32 = 0x1;
const IFF_RUNNING: u32 = 0x40;
/// Where the shims put what kstat(8) reads.
const SYSCTL: &str = "net.ropewalk";

/// System calls.
pub(crate) struct Native {
    control: Control,
}

/// The BSDs' numbers are the kpi's.
fn errno(e: io::Error) -> Error {
    match e.raw_os_error().and_then(|n| u32::try_from(n).ok()) {
        Some(n) => Errno(n).into(),
        None => e.into(),
    }
}

impl Native {
    pub(crate) fn open() -> io::Result<Native> {
        Ok(Native {
            control: Control::open()?,
        })
    }

    /// For what only a host kernel does.
    #[expect(clippy::unused_self, reason = "called as the methods beside it are")]
    pub(crate) fn only_hosted<T>(&self) -> Result<T> {
        Err(Error::Argument(
            "only a host kernel does this: use -K unix:PATH".into(),
        ))
    }

    pub(crate) fn if_create(&self, name: &str) -> Result<String> {
        self.control.create(name).map_err(errno)
    }

    pub(crate) fn if_destroy(&self, name: &str) -> Result {
        self.control.destroy(name).map_err(errno)
    }

    pub(crate) fn cloners(&self) -> Result<Vec<String>> {
        self.control.cloners().map_err(errno)
    }

    pub(crate) fn interfaces(&self) -> Result<Vec<Interface>> {
        let all = links().map_err(errno)?;
        Ok(all
            .into_iter()
            .map(|l| Interface {
                up: l.flags & IFF_UP != 0,
                running: l.flags & IFF_RUNNING != 0,
                tunnel: self.tunnel_get(&l.name).unwrap_or(None),
                name: l.name,
                index: l.index,
                mtu: l.mtu,
                link: l.up,
                lladdr: l.lladdr,
                stats: Stats(l.stats),
            })
            .collect())
    }

    pub(crate) fn ioctl(&self, ifname: &str, netbsd: u32, freebsd: u32, data: &mut [u8]) -> Result {
        let cmd = if cfg!(target_os = "freebsd") {
            freebsd
        } else {
            netbsd
        };
        self.control.data(ifname, cmd, data).map_err(errno)
    }

    #[expect(clippy::unused_self, reason = "called as the methods beside it are")]
    pub(crate) fn dev_ioctl(
        &self,
        name: &str,
        netbsd: u32,
        freebsd: u32,
        data: &mut [u8],
    ) -> Result {
        let cmd = if cfg!(target_os = "freebsd") {
            freebsd
        } else {
            netbsd
        };
        device(name, cmd, data).map_err(|e| match e.kind() {
            // No node is no device: the module is not loaded.
            io::ErrorKind::NotFound => Errno::ENXIO.into(),
            _ => errno(e),
        })
    }

    pub(crate) fn tunnel_set(&self, ifname: &str, outer: Outer) -> Result {
        self.control
            .set_tunnel(ifname, outer.src, outer.dst)
            .map_err(errno)
    }

    pub(crate) fn tunnel_get(&self, ifname: &str) -> Result<Option<Outer>> {
        let both = self.control.tunnel(ifname).map_err(errno)?;
        Ok(both.map(|(src, dst)| Outer { src, dst }))
    }

    pub(crate) fn tunnel_delete(&self, ifname: &str) -> Result {
        self.control.delete_tunnel(ifname).map_err(errno)
    }

    pub(crate) fn if_set_mtu(&self, ifname: &str, mtu: u32) -> Result {
        self.control.set_mtu(ifname, mtu).map_err(errno)
    }

    pub(crate) fn if_set_up(&self, ifname: &str, up: bool) -> Result {
        self.control.set_up(ifname, up).map_err(errno)
    }

    pub(crate) fn if_rename(&self, ifname: &str, new: &str) -> Result {
        self.control.rename(ifname, new).map_err(errno)
    }

    #[expect(clippy::unused_self, reason = "called as the methods beside it are")]
    pub(crate) fn kstat_names(&self) -> Result<Vec<String>> {
        match children(SYSCTL) {
            Ok(names) => Ok(names),
            // No module of ours is loaded.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(errno(e)),
        }
    }

    #[expect(clippy::unused_self, reason = "called as the methods beside it are")]
    pub(crate) fn kstat_read(&self, source: &str) -> Result<Vec<u8>> {
        read(&format!("{SYSCTL}.{source}")).map_err(errno)
    }
}
