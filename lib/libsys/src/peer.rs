// SPDX-License-Identifier: BSD-2-Clause
//! Who is at the other end of a Unix socket.

use std::io;
use std::os::fd::BorrowedFd;

/// A process's effective user and group when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its process id, where the system says so.
    pub pid: Option<u32>,
}

/// Asks the kernel.
///
/// # Errors
/// As getsockopt(2): it is no connected Unix socket.
#[cfg(target_os = "linux")]
pub fn of(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let credentials =
        nix::sys::socket::getsockopt(&socket, nix::sys::socket::sockopt::PeerCredentials)?;
    Ok(Peer {
        uid: credentials.uid(),
        gid: credentials.gid(),
        pid: u32::try_from(credentials.pid()).ok(),
    })
}

/// Asks the kernel.
///
/// # Errors
/// As getpeereid(3): it is no connected Unix socket.
#[cfg(not(target_os = "linux"))]
pub fn of(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let (uid, gid) = nix::unistd::getpeereid(socket)?;
    Ok(Peer {
        uid: uid.as_raw(),
        gid: gid.as_raw(),
        pid: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_other_end_is_this_process() {
        let (a, _b) = UnixStream::pair().expect("a pair");
        let peer = of(a.as_fd()).expect("a peer");
        assert_eq!(peer.uid, nix::unistd::geteuid().as_raw());
        assert_eq!(peer.gid, nix::unistd::getegid().as_raw());
        if cfg!(target_os = "linux") {
            assert_eq!(peer.pid, Some(std::process::id()));
        }
        let file = tempfile::tempfile().expect("a file");
        assert!(of(file.as_fd()).is_err());
    }
}
