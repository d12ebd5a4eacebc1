// SPDX-License-Identifier: BSD-2-Clause
//! Where a ring is: in memory, in a mapped file, or in one behind a reader's place.

use liblog::ring::NotResized;
use liblog::ring::Recovered;
use liblog::ring::Resizable;
use liblog::ring::Ring;
use liblog::ring::TooSmall;
use libsys::map::Mapped;

/// The bytes before the ring of a queue on disk: the sequence number of the next record to be
/// sent and the ring's own number, each as 8 bytes, and room.
pub const PLACE: usize = 64;

/// A ring's region.
#[derive(Debug)]
pub enum Memory {
    /// Plain memory.
    Plain(Vec<u8>),
    /// A mapped file.
    Mapped(Mapped),
    /// A mapped file with a reader's place before the ring.
    Placed(Mapped),
}

impl Memory {
    /// Plain memory of that size; no page of it is there before it is written to.
    #[must_use]
    pub fn plain(size: usize) -> Memory {
        Memory::Plain(vec![0; size])
    }

    /// Begins to write a mapped file to the storage, or does so.
    ///
    /// # Errors
    /// As msync(2).
    pub fn sync(&self, wait: bool) -> std::io::Result<()> {
        match self {
            Memory::Plain(_) => Ok(()),
            Memory::Mapped(map) | Memory::Placed(map) if wait => map.sync(),
            Memory::Mapped(map) | Memory::Placed(map) => map.sync_soon(),
        }
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        match self {
            Memory::Plain(bytes) => bytes,
            Memory::Mapped(map) => map.as_ref(),
            Memory::Placed(map) => map.as_ref().get(PLACE..).unwrap_or_default(),
        }
    }
}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Memory::Plain(bytes) => bytes,
            Memory::Mapped(map) => map.as_mut(),
            Memory::Placed(map) => map.as_mut().get_mut(PLACE..).unwrap_or_default(),
        }
    }
}

impl Resizable for Memory {
    fn reserve(&mut self, size: usize) -> Result<(), NotResized> {
        match self {
            Memory::Plain(bytes) => Resizable::reserve(bytes, size),
            Memory::Mapped(_) | Memory::Placed(_) => Err(NotResized::Fixed),
        }
    }

    fn set_size(&mut self, size: usize) {
        if let Memory::Plain(bytes) = self {
            bytes.set_size(size);
        }
    }
}

/// The ring that is left in a mapped file, or an empty one with that number; also what was found.
///
/// # Errors
/// If the region is too small for a ring.
pub fn recover_or_format(
    mut memory: Memory,
    boot: u64,
) -> Result<(Ring<Memory>, Option<Recovered>), TooSmall> {
    // Looked at as a borrowed region first: a failed recovery would not give it back.
    if Ring::recover(&mut memory).is_err() {
        return Ok((Ring::format(memory, boot)?, None));
    }
    let (mut ring, found) = Ring::recover(memory).map_err(|_| TooSmall)?;
    if found.state_lost {
        ring.set_boot(boot);
    }
    Ok((ring, Some(found)))
}
