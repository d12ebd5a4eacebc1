// SPDX-License-Identifier: BSD-2-Clause
//! One segment of a packet: some bytes of a cluster that other segments may share.
//!
//! *Contexts*: any. *Locking*: none; a shared cluster is only read.

use crate::cluster::Cluster;

/// The most that pullup and prepend are asked for.
pub const PULLUP_MOST: usize = 128;

#[derive(Clone, Debug)]
pub(crate) struct Seg {
    pub(crate) cluster: Cluster,
    pub(crate) off: u32,
    pub(crate) len: u32,
}

impl Seg {
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: off and len stay within the cluster.
        let start = unsafe { self.cluster.data().add(self.off as usize) };
        // SAFETY: bytes that a segment covers were written, and nobody writes a shared cluster;
        // a sole one is written through &mut Seg only.
        unsafe { std::slice::from_raw_parts(start, self.len as usize) }
    }

    pub(crate) fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        if !self.cluster.is_sole() {
            return None;
        }
        // SAFETY: off and len stay within the cluster.
        let start = unsafe { self.cluster.data().add(self.off as usize) };
        // SAFETY: as in bytes; the cluster is ours alone, and we are borrowed mutably.
        Some(unsafe { std::slice::from_raw_parts_mut(start, self.len as usize) })
    }

    /// Free bytes behind, which may be written if the cluster is ours alone.
    pub(crate) fn tailroom(&self) -> usize {
        if !self.cluster.is_sole() {
            return 0;
        }
        self.cluster.room() - (self.off + self.len) as usize
    }

    /// Add `bytes`, at most the tailroom, at the end.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        assert!(
            bytes.len() <= self.tailroom(),
            "the caller has looked at the tailroom"
        );
        // SAFETY: within the cluster, see the assertion.
        let end = unsafe { self.cluster.data().add((self.off + self.len) as usize) };
        // SAFETY: the source is a slice from elsewhere: what lies behind our end is no one's.
        unsafe { end.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.len += bytes.len() as u32;
    }

    /// An empty segment with room for `len` bytes behind `headroom` free ones.
    pub(crate) fn with_room(headroom: usize, len: usize) -> Option<Seg> {
        let cluster = Cluster::alloc(headroom.checked_add(len)?)?;
        // What the class has in excess goes to the front, where tunnels need it.
        let spare = (cluster.room() - headroom - len).min(PULLUP_MOST);
        Some(Seg {
            cluster,
            off: (headroom + spare) as u32,
            len: 0,
        })
    }
}
