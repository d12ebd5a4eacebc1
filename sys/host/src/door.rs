// SPDX-License-Identifier: BSD-2-Clause
//! Doors: how frames and packets get into and out of a kernel. By enum, for the packet path's sake.
//!
//! *Contexts*: opening and closing thread; [`IfDoor::input`] and [`PathDoor::output`] softint.
//! *Locking*: each door's own.
//!
//! A door that reads from the OS calls [`IfPort::transmit`] and [`EncapPort::input`], from threads
//! of its own. It stops these in `close`, where it also lets go of its `Arc` of the port.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use kpi_sys::kpi_endpoint;

use crate::batch;
use crate::errno::Errno;
use crate::mbuf::Mbuf;
use crate::osdoors::{OsDoors, RawDoor, TapDoor};
use crate::port::{EncapPort, IfPort};
use crate::rawsock::RawPath;
use crate::sink::Sink;
use crate::sync::lock;
use crate::wire::{WireEnd, WireNet, WirePath};

/// Which doors a kernel has.
#[derive(Clone, Debug)]
pub enum Doors {
    /// In-process wires; frames that modules put up wait in a queue for the test.
    Wires(WireNet),
    /// Doors that lead nowhere, for benchmarks.
    Sink(Sink),
    /// Tap devices and sockets of the OS.
    Os(OsDoors),
}

impl Doors {
    /// A door for an interface that is being attached.
    pub fn open_if(&self, port: &Arc<IfPort>) -> Result<IfDoor, Errno> {
        match self {
            Doors::Wires(_) => Ok(IfDoor::Queue(FrameQueue::default())),
            Doors::Sink(sink) => {
                sink.open_if(port);
                Ok(IfDoor::Sink(sink.clone(), port.id))
            }
            Doors::Os(os) => os.open_tap(port).map(IfDoor::Tap),
        }
    }

    /// A door for an endpoint: `EADDRINUSE`, `EADDRNOTAVAIL`.
    pub fn open_encap(&self, port: &Arc<EncapPort>) -> Result<EncapDoor, Errno> {
        match self {
            Doors::Wires(net) => net.open(port).map(EncapDoor::Wire),
            Doors::Sink(sink) => {
                sink.open_encap(port);
                Ok(EncapDoor::Sink(sink.clone(), port.endpoint))
            }
            Doors::Os(os) => os.open_raw(port).map(EncapDoor::Raw),
        }
    }
}

/// Frames that a module has put up, for a test to look at.
#[derive(Debug, Default)]
pub struct FrameQueue(Mutex<Vec<Vec<u8>>>);

impl FrameQueue {
    /// The frames since the last call.
    pub fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *lock(&self.0))
    }
}

/// The stack's side of an interface.
#[derive(Debug)]
pub enum IfDoor {
    /// A queue that tests read.
    Queue(FrameQueue),
    /// Nowhere.
    Sink(Sink, u64),
    /// A tap device.
    Tap(TapDoor),
}

impl IfDoor {
    /// A frame that the module puts up.
    pub fn input(&self, m: Mbuf) -> Result<(), Errno> {
        match self {
            IfDoor::Queue(queue) => {
                lock(&queue.0).push(m.to_vec());
                Ok(())
            }
            IfDoor::Sink(..) => Ok(()),
            IfDoor::Tap(door) => door.input(m),
        }
    }

    /// The link state has changed.
    pub fn set_link(&self, up: bool) {
        match self {
            IfDoor::Queue(_) | IfDoor::Sink(..) => {}
            IfDoor::Tap(door) => door.tap().set_link(up),
        }
    }

    /// The interface was set up or down.
    pub fn set_up(&self, up: bool) -> Result<(), Errno> {
        match self {
            IfDoor::Queue(_) | IfDoor::Sink(..) => Ok(()),
            IfDoor::Tap(door) => door.tap().set_up(up),
        }
    }

    /// The interface has a new MTU.
    pub fn set_mtu(&self, mtu: u32) -> Result<(), Errno> {
        match self {
            IfDoor::Queue(_) | IfDoor::Sink(..) => Ok(()),
            IfDoor::Tap(door) => door.tap().set_mtu(mtu),
        }
    }

    /// The interface gets a new name; the old one stays if this fails.
    pub fn rename(&self, name: &str) -> Result<(), Errno> {
        match self {
            IfDoor::Queue(_) | IfDoor::Sink(..) => Ok(()),
            IfDoor::Tap(door) => door.tap().rename(name),
        }
    }

    /// The interface is gone: no upcall and no input runs or will.
    pub fn close(&self) {
        match self {
            IfDoor::Queue(_) => {}
            IfDoor::Sink(sink, id) => sink.close_if(*id),
            IfDoor::Tap(door) => door.close(),
        }
    }
}

/// The outer side of tunnels: an endpoint.
#[derive(Debug)]
pub enum EncapDoor {
    /// On a wire.
    Wire(WireEnd),
    /// From nowhere.
    Sink(Sink, kpi_endpoint),
    /// A socket.
    Raw(RawDoor),
}

impl EncapDoor {
    /// Prepare to send to `dst`.
    pub fn path(&self, dst: IpAddr, dport: u16, ttl: u32) -> Result<PathDoor, Errno> {
        match self {
            EncapDoor::Wire(end) => end.path(dst, dport, ttl).map(PathDoor::Wire),
            EncapDoor::Sink(..) => Ok(PathDoor::Sink),
            EncapDoor::Raw(door) => door.path(dst, dport, ttl).map(PathDoor::Raw),
        }
    }

    /// Stop receiving: no upcall starts once this has returned.
    pub fn close(self) {
        match self {
            EncapDoor::Wire(end) => drop(end),
            EncapDoor::Sink(sink, endpoint) => sink.close_encap(&endpoint),
            EncapDoor::Raw(door) => door.close(),
        }
    }
}

/// The outer side of tunnels: an endpoint with a peer.
#[derive(Debug)]
pub enum PathDoor {
    /// On a wire.
    Wire(WirePath),
    /// To nowhere.
    Sink,
    /// On a socket.
    Raw(Arc<RawPath>),
}

impl PathDoor {
    /// Put the outer headers before `m` and send it.
    pub fn output(&self, m: Mbuf) -> Result<(), Errno> {
        match self {
            PathDoor::Wire(path) => path.output(&m),
            PathDoor::Sink => Ok(()),
            PathDoor::Raw(path) => batch::output(path, m),
        }
    }

    /// Nobody sends any more.
    pub fn close(self) {
        match self {
            PathDoor::Wire(path) => drop(path),
            PathDoor::Sink => {}
            PathDoor::Raw(path) => drop(path),
        }
    }
}
