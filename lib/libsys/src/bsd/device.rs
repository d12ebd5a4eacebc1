// SPDX-License-Identifier: BSD-2-Clause
//! ioctl(2) on a device node.

use kabi::IOCPARM_MASK;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

/// A command of `/dev/NAME`, with `data` both ways; its size is the one in `cmd`.
///
/// # Errors
/// As open(2): ENOENT when there is no such node; as ioctl(2). EINVAL for a name that is a path, or
/// data of another size.
pub fn device(name: &str, cmd: u32, data: &mut [u8]) -> io::Result<()> {
    if name.contains('/') || (cmd >> 16 & IOCPARM_MASK) as usize != data.len() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let node = OpenOptions::new()
        .read(true)
        .write(true)
        .open(format!("/dev/{name}"))?;
    let (fd, cmd) = (node.as_raw_fd(), libc::c_ulong::from(cmd));
    // SAFETY: the kernel copies as many bytes as cmd says, which is the size of data.
    let r = unsafe { libc::ioctl(fd, cmd, data.as_mut_ptr()) };
    if r == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
