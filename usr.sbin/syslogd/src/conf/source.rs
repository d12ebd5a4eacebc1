// SPDX-License-Identifier: BSD-2-Clause
//! Where configuration files come from.

use std::io;
use std::io::Read as _;
use std::path::Path;

/// No file is larger: one that is, is not a configuration.
const MOST: u64 = 4 << 20;

/// Reads files and folders; tests have their own.
pub trait Files {
    /// The bytes of a file.
    ///
    /// # Errors
    /// As reading fails.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The names in a folder, without `.` and `..`, in any order.
    ///
    /// # Errors
    /// As reading fails; `NotFound` if there is none.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Folder;

impl Files for Folder {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(MOST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST {
            return Err(io::Error::other("too large for a configuration"));
        }
        Ok(bytes)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(Path::new(folder))? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }
}
