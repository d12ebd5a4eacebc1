// SPDX-License-Identifier: BSD-2-Clause
//! A kernel's devices and packet logs, for who controls it.
//!
//! *Contexts*: thread. *Locking*: the tables'.

use kpi_sys::kpi_ifcmd;

use crate::errno::Errno;
use crate::iflog::LogPart;
use crate::kernel::Kernel;

impl Kernel {
    /// The devices that modules have made.
    pub fn dev_names(&self) -> Vec<String> {
        self.0.cdevs.names()
    }

    /// The commands that a device takes, with the privilege each needs: `ENXIO`.
    pub fn dev_commands(&self, name: &str) -> Result<Vec<kpi_ifcmd>, Errno> {
        self.0.cdevs.commands(name)
    }

    /// A device's command: `ENXIO` no such device, `ENOTTY` unknown, `EINVAL` wrong size. Privilege
    /// is the caller's to check.
    pub fn dev_ioctl(&self, name: &str, cmd: u32, data: &mut [u8]) -> Result<(), Errno> {
        self.0.cdevs.ioctl(name, cmd, data)
    }

    /// The packet logs that modules have made.
    pub fn log_names(&self) -> Vec<String> {
        self.0.iflogs.names()
    }

    /// What was logged from `cursor` on, as pcap; 0 is a new reader. See
    /// [`crate::iflog::Iflogs::read`].
    pub fn log_read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<LogPart, Errno> {
        self.0.iflogs.read(name, cursor, buf)
    }
}
