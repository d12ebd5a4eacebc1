// SPDX-License-Identifier: BSD-2-Clause
//! The parent opens files: logs to be appended to, and the files of rings and queues.

use libsys::map::allocate;
use nix::errno::Errno;
use nix::libc;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A log file that we make, root alone may read, as on the BSDs.
const MODE: u32 = 0o600;

fn append(path: &Path, follow: bool) -> io::Result<File> {
    let no_follow = if follow { 0 } else { libc::O_NOFOLLOW };
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(MODE)
        // It never becomes our terminal, and a FIFO that nobody reads does not stop us.
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC | no_follow)
        .open(path)
}

/// Opens a file, terminal or FIFO to append to; files are made. A link is followed only if it is
/// root's, or our own: nobody else says where we write.
///
/// # Errors
/// As open(2); it is a folder, a block device or somebody's link.
pub fn open_log(path: &Path) -> io::Result<File> {
    let file = match append(path, false) {
        Err(e) if e.raw_os_error() == Some(Errno::ELOOP as i32) || is_link(path) => {
            let owner = fs::symlink_metadata(path)?.uid();
            if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
                return Err(io::Error::new(
                    ErrorKind::PermissionDenied,
                    "a link, and not root's",
                ));
            }
            append(path, true)?
        }
        other => other?,
    };
    let kind = file.metadata()?.file_type();
    if kind.is_file() || kind.is_char_device() || kind.is_fifo() {
        return Ok(file);
    }
    Err(io::Error::new(
        ErrorKind::InvalidInput,
        "neither a file, a terminal nor a FIFO",
    ))
}

/// The BSDs have other numbers than ELOOP for a link that is not followed.
fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|is| is.file_type().is_symlink())
}

/// Opens the file of a ring or a queue and locks it: a new one of that length on the disk, or one
/// that is there as long as it is.
///
/// # Errors
/// As open(2); another process has it; there is no room for it.
pub fn open_region(path: &Path, len: u64, mode: u32) -> io::Result<File> {
    if let Some(folder) = path.parent()
        && !folder.exists()
    {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            return Err(io::Error::new(
                ErrorKind::WouldBlock,
                "another process has it",
            ));
        }
        Err(fs::TryLockError::Error(e)) => return Err(e),
    }
    // One whose size changed is read at its old length and moved; and a file has all its blocks.
    if file.metadata()?.len() == 0 {
        allocate(&file, len)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    #[test]
    fn logs_are_made_appended_to_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("syslogd-files-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        let path = dir.join("messages");
        for n in 0..2 {
            let mut file = open_log(&path).expect("opened");
            writeln!(file, "{n}").expect("written");
        }
        assert_eq!(fs::read(&path).expect("a file"), b"0\n1\n");
        assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, MODE);
        // A link of our own is followed.
        let link = dir.join("link");
        symlink(&path, &link).expect("a link");
        let mut file = open_log(&link).expect("followed");
        writeln!(file, "2").expect("written");
        assert_eq!(fs::read(&path).expect("a file"), b"0\n1\n2\n");
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::lchown(&link, Some(12_345), None).expect("given away");
            let e = open_log(&link).expect_err("not followed");
            assert_eq!(e.kind(), ErrorKind::PermissionDenied);
        }
        assert!(open_log(&dir).is_err(), "a folder");
        open_log(Path::new("/dev/null")).expect("a device");

        let region = dir.join("rings").join("x.ring");
        let first = open_region(&region, 5000, 0o600).expect("opened");
        assert_eq!(first.metadata().expect("a file").len(), 5000);
        let e = open_region(&region, 5000, 0o600).expect_err("locked");
        assert_eq!(e.kind(), ErrorKind::WouldBlock);
        drop(first);
        let kept = open_region(&region, 9000, 0o600).expect("opened");
        assert_eq!(kept.metadata().expect("a file").len(), 5000);
        fs::remove_dir_all(&dir).expect("removed");
    }
}
