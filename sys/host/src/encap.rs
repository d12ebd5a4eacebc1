// SPDX-License-Identifier: BSD-2-Clause
//! Endpoints of tunnels and paths to their peers.
//!
//! *Contexts*: open and close thread, [`Path::output`] softint. *Locking*: none here; see
//! [`crate::port`] for how closing waits for upcalls.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kpi_sys::{kpi_encapops, kpi_endpoint};

use crate::die::die;
use crate::door::{Doors, EncapDoor, PathDoor};
use crate::errno::Errno;
use crate::home::Home;
use crate::ledger::{Fault, Kind};
use crate::mbuf::Mbuf;
use crate::outer::{self, End};
use crate::port::EncapPort;

/// What `struct kpi_encap` is on the host.
#[derive(Debug)]
pub struct Encap {
    port: Arc<EncapPort>,
    door: EncapDoor,
    paths: AtomicUsize,
}

/// What `struct kpi_path` is on the host.
#[derive(Debug)]
pub struct Path {
    door: PathDoor,
    encap: Arc<Encap>,
}

impl Encap {
    /// Start to receive for `endpoint`.
    ///
    /// # Safety
    ///
    /// `ops` and `arg` stay valid until [`Encap::close`] has returned.
    pub unsafe fn open(
        home: &Arc<Home>,
        doors: &Doors,
        endpoint: &kpi_endpoint,
        ops: *const kpi_encapops,
        arg: *mut c_void,
    ) -> Result<Arc<Encap>, Errno> {
        End::from_kpi(endpoint)?;
        if home.ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        // SAFETY: passed on to our caller.
        let port = Arc::new(unsafe { EncapPort::new(Arc::clone(home), *endpoint, ops, arg) });
        let door = doors.open_encap(&port)?;
        home.ledger.born(Kind::Encap);
        Ok(Arc::new(Encap {
            port,
            door,
            paths: AtomicUsize::new(0),
        }))
    }

    /// Stop receiving; no upcall runs once this has returned.
    pub fn close(self: Arc<Self>) {
        let Some(encap) = Arc::into_inner(self) else {
            die("encap: closed while a path of it is open");
        };
        encap.door.close();
        encap.port.close();
        encap.port.home.ledger.died(Kind::Encap);
    }

    /// Prepare to send to `dst`, of our family.
    pub fn path(self: &Arc<Self>, dst: &[u8; 16], port: u16, ttl: u32) -> Result<Path, Errno> {
        let ledger = self.port.home.ledger;
        if ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        let dst = outer::from_bytes(self.port.endpoint.ke_af, dst)?;
        let door = self.door.path(dst, port, ttl)?;
        self.paths.fetch_add(1, Ordering::Relaxed);
        ledger.born(Kind::Path);
        Ok(Path {
            door,
            encap: Arc::clone(self),
        })
    }

    /// How many paths are open.
    pub fn paths(&self) -> usize {
        self.paths.load(Ordering::Relaxed)
    }
}

impl Path {
    /// Put the outer headers before `m` and send it.
    pub fn output(&self, m: Mbuf) -> Result<(), Errno> {
        self.door.output(m)
    }

    /// Nobody sends on it any more.
    pub fn close(self) {
        self.door.close();
        self.encap.paths.fetch_sub(1, Ordering::Relaxed);
        self.encap.port.home.ledger.died(Kind::Path);
    }
}
