// SPDX-License-Identifier: BSD-2-Clause
//! Devices: commands by name, for modules that have no interface.
//!
//! *Contexts*: thread. *Locking*: each device has a mutex that is held during an upcall: one at a
//! time; taking it away takes that mutex, and so waits for an upcall.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use kpi_sys::{kpi_cdevops, kpi_ifcmd};

use crate::errno::Errno;
use crate::home::Home;
use crate::ledger::{Fault, Kind};
use crate::port;
use crate::sync::lock;

/// Longest name.
const NAME_MOST: usize = 31;

#[derive(Debug)]
struct Device {
    ops: *const kpi_cdevops,
    arg: *mut c_void,
}

// SAFETY: by the contract of kpi_cdev_attach any thread may make the upcalls (one at a time); ops
// is read only, and arg only passed on.
unsafe impl Send for Device {}

impl Device {
    fn ops(&self) -> &kpi_cdevops {
        // SAFETY: by the contract valid until it is detached, which empties our place.
        unsafe { &*self.ops }
    }

    fn commands(&self) -> &[kpi_ifcmd] {
        let ops = self.ops();
        if ops.co_cmds.is_null() {
            return &[];
        }
        // SAFETY: by the contract of kpi_cdev_attach, co_cmds has co_ncmds entries.
        unsafe { std::slice::from_raw_parts(ops.co_cmds, ops.co_ncmds as usize) }
    }
}

/// What `struct kpi_cdev` is on the host.
#[derive(Debug)]
pub struct Cdev {
    name: String,
    /// `None` once it was taken away.
    device: Mutex<Option<Device>>,
    table: Arc<Cdevs>,
}

/// All devices of a kernel.
#[derive(Debug)]
pub struct Cdevs {
    home: Arc<Home>,
    map: Mutex<BTreeMap<String, Arc<Cdev>>>,
}

impl Cdevs {
    /// No devices yet.
    pub fn new(home: Arc<Home>) -> Arc<Cdevs> {
        Arc::new(Cdevs {
            home,
            map: Mutex::default(),
        })
    }

    /// Make a device: `EINVAL` for a bad name, `EEXIST`.
    ///
    /// # Safety
    ///
    /// `ops` is a complete table; it and `arg` stay valid until [`Cdev::detach`] has returned.
    pub unsafe fn attach(
        self: &Arc<Self>,
        name: &str,
        ops: *const kpi_cdevops,
        arg: *mut c_void,
    ) -> Result<Arc<Cdev>, Errno> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if name.is_empty() || name.len() > NAME_MOST || !name.bytes().all(good) {
            return Err(Errno::EINVAL);
        }
        if self.home.ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        let mut map = lock(&self.map);
        if map.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let cdev = Arc::new(Cdev {
            name: name.to_owned(),
            device: Mutex::new(Some(Device { ops, arg })),
            table: Arc::clone(self),
        });
        map.insert(name.to_owned(), Arc::clone(&cdev));
        self.home.ledger.born(Kind::Cdev);
        Ok(cdev)
    }

    /// The names of the devices.
    pub fn names(&self) -> Vec<String> {
        lock(&self.map).keys().cloned().collect()
    }

    fn with<R>(&self, name: &str, f: impl FnOnce(&Device) -> Result<R, Errno>) -> Result<R, Errno> {
        let cdev = lock(&self.map).get(name).cloned().ok_or(Errno::ENXIO)?;
        let device = lock(&cdev.device);
        f(device.as_ref().ok_or(Errno::ENXIO)?)
    }

    /// The commands of a device, with the privilege each needs: `ENXIO`.
    pub fn commands(&self, name: &str) -> Result<Vec<kpi_ifcmd>, Errno> {
        self.with(name, |device| Ok(device.commands().to_vec()))
    }

    /// A command: `ENXIO` no such device, `ENOTTY` unknown, `EINVAL` wrong size. `data` is changed
    /// only if the command is one whose bytes come out, and succeeds.
    pub fn ioctl(&self, name: &str, cmd: u32, data: &mut [u8]) -> Result<(), Errno> {
        self.with(name, |device| {
            port::command(device.commands(), cmd, data, |copy| {
                let call = device.ops().co_ioctl.ok_or(Errno::ENOTTY)?;
                let len = copy.len() as u32;
                let call = || {
                    // SAFETY: the contract of co_ioctl; the copy has the size the module asked for.
                    unsafe { call(device.arg, cmd, copy.as_mut_ptr(), len) }
                };
                Errno::check(self.home.enter(call))
            })
        })
    }
}

impl Cdev {
    /// Take it away; waits for an upcall that runs.
    pub fn detach(&self) {
        lock(&self.table.map).remove(&self.name);
        if lock(&self.device).take().is_some() {
            self.table.home.ledger.died(Kind::Cdev);
        }
    }
}
