// SPDX-License-Identifier: BSD-2-Clause
//! What this process needs of a kernel: sys/host has it; tests have one with nothing behind it.

use kabi::ctl::{IfEntry, IfEvent, ModEntry, Tunnel};
use libkctl::Errno;
use std::sync::mpsc::Receiver;

/// A kernel's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub errno: Errno,
    /// A sentence about it, or "".
    pub text: String,
}

impl Refusal {
    /// With a sentence.
    pub fn new(errno: Errno, text: impl Into<String>) -> Refusal {
        Refusal {
            errno,
            text: text.into(),
        }
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Refusal {
        Refusal::new(errno, "")
    }
}

impl From<Refusal> for libkctl::Error {
    fn from(r: Refusal) -> libkctl::Error {
        libkctl::Error::Errno {
            errno: r.errno,
            text: r.text,
        }
    }
}

/// A result of a kernel.
pub type Result<T = ()> = std::result::Result<T, Refusal>;

/// What is asked of a tunnel; `KPI_TUNNEL_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum TunnelOp {
    /// Set it.
    Set = 1,
    /// Read it.
    Get = 2,
    /// Take it away.
    Del = 3,
}

/// An inline pair: a tap that takes an interface's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What the system uses from then on.
    pub tap: String,
    /// Whose place it takes.
    pub physical: String,
}

/// Something that happened to the interface of that name.
pub type Event = (String, IfEvent);

/// A kernel. *Contexts*: any thread, many at once.
pub trait Backend: Send + Sync + 'static {
    /// `KPI_VERSION`
    fn kpi_version(&self) -> u32;
    /// All modules that are linked in.
    fn modules(&self) -> Vec<ModEntry>;
    /// Loads one of them.
    fn load(&self, name: &str) -> Result;
    /// Unloads it.
    fn unload(&self, name: &str) -> Result;
    /// Makes an inline pair.
    fn pair(&self, pair: &Pair) -> Result;
    /// Takes one away.
    fn unpair(&self, pair: &Pair) -> Result;
    /// What can be created.
    fn cloners(&self) -> Vec<String>;
    /// Creates an interface and gives its name.
    fn create(&self, name: &str) -> Result<String>;
    /// Destroys it.
    fn destroy(&self, name: &str) -> Result;
    /// All interfaces.
    fn interfaces(&self) -> Vec<IfEntry>;
    /// A driver's own command.
    fn ioctl(&self, name: &str, cmd: u32, data: &mut [u8]) -> Result;
    /// Outer addresses.
    fn tunnel(&self, name: &str, op: TunnelOp, t: &mut Tunnel) -> Result;
    /// Sets the MTU (bytes).
    fn set_mtu(&self, name: &str, mtu: u32) -> Result;
    /// Marks an interface up or down.
    fn set_up(&self, name: &str, up: bool) -> Result;
    /// Gives it another name.
    fn rename(&self, name: &str, new: &str) -> Result;
    /// Sources of kstat records.
    fn kstat_names(&self) -> Vec<String>;
    /// Reads one; gives the bytes written.
    fn kstat_read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<usize>;
    /// Devices of modules.
    fn dev_names(&self) -> Vec<String>;
    /// A device's command.
    fn dev_ioctl(&self, name: &str, cmd: u32, data: &mut [u8]) -> Result;
    /// Reads logged packets; gives the bytes written, and how many packets the reader missed.
    fn log_read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<(usize, u64)>;
    /// What happens to interfaces from now on.
    fn events(&self) -> Receiver<Event>;
}
