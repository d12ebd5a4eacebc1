// SPDX-License-Identifier: BSD-2-Clause
//! An interface of a test: packets go past the hooks by hand, and what comes out is kept.
//!
//! *Contexts*: any. *Locking*: a mutex for what came out, not held during an upcall.

use std::sync::{Arc, Mutex};

use crate::errno::Errno;
use crate::ifreg::Entry;
use crate::link::LinkHeader;
use crate::mbuf::Mbuf;
use crate::pfil::{Af, Dir, Outlet, Pfils, Port};
use crate::sync::lock;

/// A packet that a module put in by itself, as it came out of the interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// To the wire, or to the OS.
    pub dir: Dir,
    /// From the IP header on.
    pub bytes: Vec<u8>,
    /// What stands before it; none where the module knew none.
    pub link: Vec<u8>,
    /// `KPI_PFILF_*`
    pub flags: u32,
}

/// What became of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PfilOut {
    /// The packet that goes on, maybe another; `None`: taken.
    pub passed: Option<Vec<u8>>,
    /// What the hooks left on it.
    pub mark: u32,
    /// What came out of the interface since somebody last looked.
    pub emitted: Vec<Emitted>,
}

/// Keeps what comes out.
#[derive(Debug, Default)]
struct Collector(Mutex<Vec<Emitted>>);

impl Outlet for Collector {
    fn emit(&self, dir: Dir, m: Mbuf, flags: u32) -> Result<(), Errno> {
        lock(&self.0).push(Emitted {
            dir,
            bytes: m.to_vec(),
            link: m.link().bytes().to_vec(),
            flags,
        });
        Ok(())
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct TestIf {
    /// Where packets pass.
    pub port: Arc<Port>,
    out: Arc<Collector>,
}

/// The Ethernet header of what comes in; what goes out has it the other way round.
const ETHER_IN: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

impl TestIf {
    /// Make one: `EEXIST`.
    pub fn new(pfils: &Arc<Pfils>, entry: Entry) -> Result<TestIf, Errno> {
        let out = Arc::new(Collector::default());
        let port = pfils.open(entry, Arc::clone(&out) as Arc<dyn Outlet>)?;
        Ok(TestIf { port, out })
    }

    /// Show `packet` to the hooks; its first nibble says which IP it is: `EAFNOSUPPORT` where
    /// that is neither, `ENOBUFS`.
    pub fn run(&self, dir: Dir, packet: &[u8], flags: u32) -> Result<PfilOut, Errno> {
        let (af, ethertype) = match packet.first().map(|b| b >> 4) {
            Some(4) => (Af::V4, [0x08, 0x00]),
            Some(6) => (Af::V6, [0x86, 0xdd]),
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        let link = LinkHeader::new(&[&ETHER_IN[..], &ethertype].concat()).ok_or(Errno::EINVAL)?;
        let mut m = Mbuf::from_bytes(packet).ok_or(Errno::ENOBUFS)?;
        m.set_link(match dir {
            Dir::In => link,
            Dir::Out => link.reversed(),
        });
        let passed = self.port.run(af, dir, m, flags);
        Ok(PfilOut {
            mark: passed.as_ref().map_or(0, Mbuf::mark),
            passed: passed.map(|m| m.to_vec()),
            emitted: self.emitted(),
        })
    }

    /// What came out since somebody last looked.
    pub fn emitted(&self) -> Vec<Emitted> {
        std::mem::take(&mut *lock(&self.out.0))
    }
}
