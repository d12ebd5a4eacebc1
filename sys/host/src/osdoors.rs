// SPDX-License-Identifier: BSD-2-Clause
//! Doors to the OS: tap devices inside, sockets outside, and the two threads that read from them.
//!
//! *Contexts*: opening and closing thread; the packet functions softint. *Locking*: the list of
//! endpoints is held for a look-up or a change.
//!
//! One thread reads all taps, another all endpoints: one for each direction. Each works off what
//! waits in batches (see [`crate::batch`]). Closing takes the source from its poller, then passes a
//! barrier of both threads, since what one has read may wait in the other's batch.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use kpi_sys::kpi_endpoint;

use crate::batch;
use crate::errno::Errno;
use crate::mbuf::Mbuf;
use crate::poll::{Poller, Token};
use crate::port::{EncapPort, IfPort};
use crate::rawsock::{RawEndpoint, RawPath, RawStats};
use crate::sync::lock;
use crate::tap::Tap;

/// How the doors to the OS behave.
#[derive(Clone, Copy, Debug)]
pub struct OsConfig {
    /// Let the OS hand over and take large frames and joined datagrams, and leave checksums to us.
    pub offload: bool,
}

impl Default for OsConfig {
    fn default() -> Self {
        Self { offload: true }
    }
}

/// See the module's text. Clones share the threads.
#[derive(Clone)]
pub struct OsDoors(Arc<Shared>);

struct Shared {
    config: OsConfig,
    taps: Poller<Tap>,
    endpoints: Poller<RawEndpoint>,
    /// A raw socket could be bound twice: the OS does not mind, we do.
    open: Mutex<Vec<Key>>,
}

/// What there can be only one endpoint of.
type Key = (u32, u32, [u8; 16], u16);

fn key(ep: &kpi_endpoint) -> Key {
    (ep.ke_af, ep.ke_proto, ep.ke_addr, ep.ke_port)
}

impl fmt::Debug for OsDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsDoors")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

impl OsDoors {
    /// Doors of one kernel.
    pub fn new(config: OsConfig) -> io::Result<OsDoors> {
        Ok(OsDoors(Arc::new(Shared {
            config,
            taps: Poller::new("taps")?,
            endpoints: Poller::new("endpoints")?,
            open: Mutex::default(),
        })))
    }

    /// A tap device for an interface that is being attached.
    pub fn open_tap(&self, port: &Arc<IfPort>) -> Result<TapDoor, Errno> {
        let tap = Arc::new(Tap::open(port, self.0.config.offload)?);
        let added = self.0.taps.add(&port.home, &tap);
        let token = added.inspect_err(|_| tap.close())?;
        Ok(TapDoor {
            tap,
            token,
            doors: self.clone(),
        })
    }

    /// A socket for an endpoint.
    pub fn open_raw(&self, port: &Arc<EncapPort>) -> Result<RawDoor, Errno> {
        let mut open = lock(&self.0.open);
        let key = key(&port.endpoint);
        if open.contains(&key) {
            return Err(Errno::EADDRINUSE);
        }
        let end = Arc::new(RawEndpoint::open(port, self.0.config.offload)?);
        let token = self.0.endpoints.add(&port.home, &end)?;
        open.push(key);
        Ok(RawDoor {
            end,
            token,
            doors: self.clone(),
        })
    }

    /// Wait until both threads have sent what they gathered.
    fn barrier(&self) {
        self.0.taps.barrier();
        self.0.endpoints.barrier();
    }
}

/// An interface's tap device.
#[derive(Debug)]
pub struct TapDoor {
    tap: Arc<Tap>,
    token: Token,
    doors: OsDoors,
}

impl TapDoor {
    /// The device.
    pub fn tap(&self) -> &Tap {
        &self.tap
    }

    /// A frame that the module puts up.
    pub fn input(&self, m: Mbuf) -> Result<(), Errno> {
        batch::input(&self.tap, m)
    }

    /// Take the device away.
    pub fn close(&self) {
        self.doors.0.taps.remove(self.token);
        self.doors.barrier();
        self.tap.close();
    }
}

/// An endpoint's socket.
#[derive(Debug)]
pub struct RawDoor {
    end: Arc<RawEndpoint>,
    token: Token,
    doors: OsDoors,
}

impl RawDoor {
    /// Prepare to send to `dst`.
    pub fn path(&self, dst: IpAddr, dport: u16, ttl: u32) -> Result<Arc<RawPath>, Errno> {
        self.end.path(dst, dport, ttl).map(Arc::new)
    }

    /// What its socket went through.
    pub fn stats(&self) -> &RawStats {
        &self.end.stats
    }

    /// Stop receiving, and close the socket.
    pub fn close(self) {
        self.doors.0.endpoints.remove(self.token);
        self.doors.barrier();
        let key = key(&self.end.port.endpoint);
        lock(&self.doors.0.open).retain(|k| *k != key);
    }
}
