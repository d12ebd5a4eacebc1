// SPDX-License-Identifier: BSD-2-Clause
//! Descriptors over a Unix socket.

use nix::errno::Errno;
use nix::sys::socket::ControlMessage;
use nix::sys::socket::ControlMessageOwned;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::recvmsg;
use nix::sys::socket::sendmsg;
use std::io;
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;

/// How many descriptors go with one write.
pub const MOST: usize = 64;

#[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "netbsd"))]
const CLOSE_ON_EXEC: MsgFlags = MsgFlags::MSG_CMSG_CLOEXEC;

/// Writes what it can of the bytes; the descriptors, at most [`MOST`], go with the first of them.
///
/// # Errors
/// As sendmsg(2); EINVAL for too many descriptors or no bytes.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if fds.len() > MOST || bytes.is_empty() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights[..] };
    let flags = MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<()>(
            socket.as_raw_fd(),
            &[IoSlice::new(bytes)],
            control,
            flags,
            None,
        ) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Reads what there is, 0 bytes at the end; descriptors that came with it are appended to `fds`.
/// Those are closed on exec.
///
/// # Errors
/// As recvmsg(2).
pub fn receive(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut control = nix::cmsg_space!([RawFd; MOST]);
    loop {
        let mut slices = [IoSliceMut::new(bytes)];
        match recvmsg::<()>(
            socket.as_raw_fd(),
            &mut slices,
            Some(&mut control),
            CLOSE_ON_EXEC,
        ) {
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
            Ok(message) => {
                for part in message.cmsgs()? {
                    if let ControlMessageOwned::ScmRights(raw) = part {
                        for fd in raw {
                            // SAFETY: the kernel has just made this descriptor for us, and
                            // nobody else knows its number.
                            fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
                        }
                    }
                }
                return Ok(message.bytes);
            }
        }
    }
}

/// Closes what this process has inherited besides its standard input, output and error. Only for
/// the start of a program, when nothing else has been opened yet.
pub fn close_inherited() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: by this function's contract nobody owns one of these descriptors. A kernel that
        // has no such call closes none.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    }
    #[cfg(not(target_os = "linux"))]
    {
        // SAFETY: by this function's contract nobody owns one of these descriptors.
        unsafe { libc::closefrom(3) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_pipe_goes_over_a_socket() {
        let (a, b) = UnixStream::pair().expect("a pair");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let n = send(a.as_fd(), b"take", &[writer.as_fd()]).expect("sent");
        assert_eq!(n, 4);
        drop(writer);
        let mut bytes = [0; 10];
        let mut fds = Vec::new();
        let n = receive(b.as_fd(), &mut bytes, &mut fds).expect("received");
        assert_eq!(&bytes[..n], b"take");
        let mut sent = File::from(fds.pop().expect("a descriptor"));
        sent.write_all(b"through").expect("written");
        drop(sent);
        let mut said = String::new();
        { reader }.read_to_string(&mut said).expect("read");
        assert_eq!(said, "through");
        assert!(send(a.as_fd(), b"", &[]).is_err());
        drop(a);
        assert_eq!(
            receive(b.as_fd(), &mut bytes, &mut fds).expect("the end"),
            0
        );
    }
}
