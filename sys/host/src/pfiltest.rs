// SPDX-License-Identifier: BSD-2-Clause
//! Packets past the hooks of a kernel, one by one and by hand: what tests and fuzzers drive a
//! filter with.
//!
//! *Contexts*: thread. *Locking*: a mutex for the list of interfaces, not held during an upcall.

use std::net::IpAddr;
use std::sync::Arc;

use crate::collect::TestIf;
pub use crate::collect::{Emitted, PfilOut};
use crate::errno::Errno;
use crate::ifreg::{Entry, IfAddr};
use crate::kernel::Kernel;
pub use crate::pfil::Dir;
use crate::pfil::Pfils;
use crate::sync::lock;

fn addresses(addrs: &[(IpAddr, u8)]) -> Vec<IfAddr> {
    let one = |&(addr, prefixlen): &(IpAddr, u8)| IfAddr { addr, prefixlen };
    addrs.iter().map(one).collect()
}

impl Kernel {
    /// The hooks of this kernel, for doors that carry IP packets.
    pub fn pfils(&self) -> &Arc<Pfils> {
        &self.0.pfils
    }

    fn tested(&self, name: &str) -> Result<Arc<TestIf>, Errno> {
        let found = lock(&self.0.tested).get(name).cloned();
        found.ok_or(Errno::ENXIO)
    }

    /// Make an interface for [`Kernel::pfil_run`], up and with an MTU of 1500: its index. `EEXIST`.
    pub fn pfil_if(&self, name: &str, addrs: &[(IpAddr, u8)]) -> Result<u32, Errno> {
        let entry = Entry {
            name: name.to_owned(),
            mtu: 1500,
            up: true,
            loopback: false,
            addrs: addresses(addrs),
        };
        let made = Arc::new(TestIf::new(&self.0.pfils, entry)?);
        let index = made.port.index;
        lock(&self.0.tested).insert(name.to_owned(), made);
        Ok(index)
    }

    /// Give it other addresses.
    pub fn pfil_if_addrs(&self, name: &str, addrs: &[(IpAddr, u8)]) -> Result<(), Errno> {
        self.tested(name)?.port.set_addrs(&addresses(addrs));
        Ok(())
    }

    /// Set it up or down.
    pub fn pfil_if_up(&self, name: &str, up: bool) -> Result<(), Errno> {
        self.tested(name)?.port.set_up(up);
        Ok(())
    }

    /// Set its MTU, in bytes of an IP packet.
    pub fn pfil_if_mtu(&self, name: &str, mtu: u32) -> Result<(), Errno> {
        self.tested(name)?.port.set_mtu(mtu);
        Ok(())
    }

    /// Give it another name, under which it is found from now on.
    pub fn pfil_if_rename(&self, name: &str, to: &str) -> Result<(), Errno> {
        let found = self.tested(name)?;
        found.port.rename(to)?;
        let mut tested = lock(&self.0.tested);
        tested.remove(name);
        tested.insert(to.to_owned(), found);
        Ok(())
    }

    /// Take it away.
    pub fn pfil_if_remove(&self, name: &str) -> Result<(), Errno> {
        let found = lock(&self.0.tested).remove(name);
        found.ok_or(Errno::ENXIO)?.port.close();
        Ok(())
    }

    /// Show an IP packet that passes the interface to the hooks: what becomes of it, and what came
    /// out besides. `flags` are `KPI_PFILF_*`. `ENXIO`, `EAFNOSUPPORT`, `ENOBUFS`.
    pub fn pfil_run(
        &self,
        name: &str,
        dir: Dir,
        packet: &[u8],
        flags: u32,
    ) -> Result<PfilOut, Errno> {
        let found = self.tested(name)?;
        self.enter(|| found.run(dir, packet, flags))
    }

    /// What came out of the interface since somebody last looked: of timers, for one.
    pub fn pfil_emitted(&self, name: &str) -> Vec<Emitted> {
        self.tested(name).map_or(Vec::new(), |i| i.emitted())
    }

    /// Packets that a module put into a hook that was detached, and that were freed.
    pub fn pfil_late(&self) -> u64 {
        self.0.pfils.late()
    }
}
