// SPDX-License-Identifier: BSD-2-Clause
//! The two ends of an inline pair, and what modules put in between.
//!
//! *Contexts*: softint, any thread. *Locking*: none; the OS serializes.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kpi_sys::{KPI_IFS_IBYTES, KPI_IFS_IPACKETS, KPI_IFS_OBYTES, KPI_IFS_OPACKETS};

use super::ether::Ether;
use super::frame::Hint;
use crate::errno::Errno;
use crate::mbuf::Mbuf;
use crate::pfil::{Dir, Outlet};
use crate::port::IfPort;
use crate::tap::Tap;

/// Pieces of a packet that are written without being joined first.
const SLOTS: usize = 16;

/// The two ends of a pair.
pub struct Ends {
    /// What the OS uses.
    pub tap: Arc<Tap>,
    /// The wire.
    pub ether: Ether,
    /// Counters: "in" is from the wire.
    pub port: Arc<IfPort>,
    /// The tap is set up.
    up: AtomicBool,
}

impl fmt::Debug for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ends({})", self.port.name())
    }
}

impl Ends {
    /// Of a tap that is not up yet.
    pub fn new(tap: Arc<Tap>, ether: Ether, port: Arc<IfPort>) -> Ends {
        Ends {
            tap,
            ether,
            port,
            up: AtomicBool::new(false),
        }
    }

    /// The tap is up or down now.
    pub fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }

    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Add to a counter (`KPI_IFS_*`).
    pub fn count(&self, which: u32, n: usize) {
        self.port.stats.add(which as usize, n as u64);
    }

    /// Write a frame to the tap.
    pub fn to_tap(&self, hint: &Hint, head: &[u8], m: &Mbuf) -> io::Result<()> {
        in_pieces(hint, head, m, |pieces| self.tap.write_pieces(pieces))
    }
}

/// A frame as `virtio_net_hdr`, link header and packet.
fn in_pieces<R>(hint: &Hint, head: &[u8], m: &Mbuf, f: impl FnOnce(&[IoSlice]) -> R) -> R {
    let mut slots = [IoSlice::new(&[]); SLOTS + 2];
    let (first, rest) = slots.split_at_mut(2);
    first.copy_from_slice(&[IoSlice::new(&hint.0), IoSlice::new(head)]);
    if let Some(n) = m.iovecs(rest) {
        return f(&slots[..n + 2]);
    }
    // Cut into more pieces than real traffic has: by tests.
    let whole = m.to_vec();
    f(&[
        IoSlice::new(&hint.0),
        IoSlice::new(head),
        IoSlice::new(&whole),
    ])
}

impl Outlet for Ends {
    fn emit(&self, dir: Dir, m: Mbuf, flags: u32) -> Result<(), Errno> {
        if !self.is_up() {
            return Err(Errno::ENETDOWN);
        }
        if m.link().is_empty() {
            return Err(Errno::EHOSTUNREACH);
        }
        // What the hint speaks of holds for the packet that it came with only.
        let hint = m
            .vnet()
            .filter(|_| flags != 0)
            .map_or_else(Hint::default, |vnet| Hint(*vnet));
        let head = m.link().bytes();
        if !hint.fits(head.len() + m.len()) {
            return Err(Errno::EINVAL);
        }
        let (sent, packets, bytes) = match dir {
            Dir::In => {
                let sent = self.to_tap(&hint, head, &m);
                (sent, KPI_IFS_IPACKETS, KPI_IFS_IBYTES)
            }
            Dir::Out => {
                let sent = in_pieces(&hint, head, &m, |pieces| self.ether.write_pieces(pieces));
                (sent, KPI_IFS_OPACKETS, KPI_IFS_OBYTES)
            }
        };
        sent?;
        self.count(packets, 1);
        self.count(bytes, head.len() + m.len());
        Ok(())
    }
}
