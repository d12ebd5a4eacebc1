// SPDX-License-Identifier: BSD-2-Clause
//! The file with the parent's process id, which also keeps a second syslogd from starting.

use crate::privsep::inputs::make_folder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Locked for as long as it lives.
#[derive(Debug)]
pub struct Pidfile {
    path: PathBuf,
    file: File,
}

impl Pidfile {
    /// Makes and locks it.
    ///
    /// # Errors
    /// Another process has it; it cannot be made.
    pub fn lock(path: &Path) -> Result<Pidfile, String> {
        let wrong = |e: io::Error| format!("{}: {e}", path.display());
        make_folder(path).map_err(wrong)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path)
            .map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => Ok(Pidfile {
                path: path.to_owned(),
                file,
            }),
            Err(TryLockError::WouldBlock) => {
                Err(format!("{}: syslogd runs already", path.display()))
            }
            Err(TryLockError::Error(e)) => Err(wrong(e)),
        }
    }

    /// Writes this process's id.
    ///
    /// # Errors
    /// As write(2).
    pub fn write(mut self) -> Result<Pidfile, String> {
        let written = self
            .file
            .set_len(0)
            .and_then(|()| writeln!(self.file, "{}", std::process::id()));
        match written {
            Ok(()) => Ok(self),
            Err(e) => Err(format!("{}: {e}", self.path.display())),
        }
    }

    /// Removes it.
    pub fn remove(self) {
        // What is left does no harm: nobody has it locked.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("run").join("syslogd.pid");
        let mine = Pidfile::lock(&path).expect("locked");
        let e = Pidfile::lock(&path).expect_err("locked already");
        assert!(e.contains("runs already"), "{e}");
        let mine = mine.write().expect("written");
        let text = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(text.trim(), std::process::id().to_string());
        mine.remove();
        assert!(!path.exists());
        Pidfile::lock(&path).expect("free again");
    }
}
