// SPDX-License-Identifier: BSD-2-Clause
//! Files mapped shared: what is written there is in the file even when the process is killed.

use memmap2::MmapMut;
use memmap2::MmapOptions;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::FileExt;

/// A file in memory; the file may be closed.
#[derive(Debug)]
pub struct Mapped(MmapMut);

/// Gives a file a length, with all of its blocks on the disk: a mapped file with holes kills the
/// process that touches one when the disk is full.
///
/// # Errors
/// ENOSPC, and as ftruncate(2).
pub fn allocate(file: &File, len: u64) -> io::Result<()> {
    let had = file.metadata()?.len();
    file.set_len(len)?;
    // What it had before came to be in this same way.
    let zeros = [0u8; 16 * 1024];
    let mut at = had.min(len);
    while at < len {
        let n = usize::try_from(len - at).map_or(zeros.len(), |left| left.min(zeros.len()));
        match file.write_at(zeros.get(..n).unwrap_or(&zeros), at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => at += written as u64,
        }
    }
    (&*file).flush()
}

impl Mapped {
    /// Maps the first `len` bytes. The caller is the only one who maps this file: it holds a lock
    /// on it, or the file has no name.
    ///
    /// # Errors
    /// The file is shorter than that; as mmap(2).
    pub fn new(file: &File, len: usize) -> io::Result<Mapped> {
        Mapped::part(file, 0, len)
    }

    /// Maps `len` bytes from `at` on, under the same condition; its parts are apart by whole pages.
    ///
    /// # Errors
    /// As [`Mapped::new`].
    pub fn part(file: &File, at: u64, len: usize) -> io::Result<Mapped> {
        let end = at.checked_add(len as u64);
        if end.is_none_or(|end| file.metadata().map_or(true, |is| is.len() < end)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut options = MmapOptions::new();
        options.offset(at).len(len);
        // SAFETY: the file is as long as that (seen above), and by this function's contract no
        // other process changes its bytes or its length while it is mapped.
        let map = unsafe { options.map_mut(file) }?;
        Ok(Mapped(map))
    }

    /// Writes it to the storage, and waits for that.
    ///
    /// # Errors
    /// As msync(2).
    pub fn sync(&self) -> io::Result<()> {
        self.0.flush()
    }

    /// Begins to write it to the storage.
    ///
    /// # Errors
    /// As msync(2).
    pub fn sync_soon(&self) -> io::Result<()> {
        self.0.flush_async()
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Mapped {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::io::Seek;

    #[test]
    fn what_is_written_is_in_the_file() {
        let mut file = tempfile::tempfile().expect("a file");
        assert!(Mapped::new(&file, 10).is_err(), "longer than the file");
        allocate(&file, 40_000).expect("room");
        let mut map = Mapped::new(&file, 40_000).expect("mapped");
        map.as_mut()[39_999] = 7;
        map.sync_soon().expect("begun");
        map.sync().expect("written");
        drop(map);
        let mut bytes = Vec::new();
        file.rewind().expect("rewound");
        file.read_to_end(&mut bytes).expect("read");
        assert_eq!(bytes.len(), 40_000);
        assert_eq!(bytes[39_999], 7);
        allocate(&file, 10).expect("shorter");
        assert_eq!(file.metadata().expect("metadata").len(), 10);
    }
}
