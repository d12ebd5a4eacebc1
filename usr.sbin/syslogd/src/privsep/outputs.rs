// SPDX-License-Identifier: BSD-2-Clause
//! The parent opens what messages go to: connects to hosts, starts commands, finds terminals.

use crate::conf::Family;
use crate::conf::Remote;
use crate::conf::Transport;
use libsys::users::logged_in;
use nix::libc;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

/// A host that does not answer is given up after so long.
const CONNECT: Duration = Duration::from_secs(10);
/// Terminals at once.
const TERMINALS: usize = libsys::fds::MOST;
/// Logins looked at.
const LOGINS: usize = 1024;

/// Connects to a host, trying its addresses in turn; waits for names and for TCP.
///
/// # Errors
/// It has no address of that family; the last error of connecting.
pub fn connect(remote: &Remote) -> io::Result<OwnedFd> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address of that family");
    for at in (remote.host.as_str(), remote.port).to_socket_addrs()? {
        let fits = match remote.family {
            Family::Any => true,
            Family::V4 => at.is_ipv4(),
            Family::V6 => at.is_ipv6(),
        };
        if !fits {
            continue;
        }
        let connected = match remote.transport {
            Transport::Udp => udp(at),
            Transport::Tcp | Transport::Tls => tcp(at),
        };
        match connected {
            Ok(fd) => return Ok(fd),
            Err(e) => last = io::Error::new(e.kind(), format!("{at}: {e}")),
        }
    }
    Err(last)
}

fn udp(to: SocketAddr) -> io::Result<OwnedFd> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn tcp(to: SocketAddr) -> io::Result<OwnedFd> {
    let stream = TcpStream::connect_timeout(&to, CONNECT)?;
    // A peer that is gone without a word is found out in minutes, not hours.
    let alive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(20));
    socket2::SockRef::from(&stream).set_tcp_keepalive(&alive)?;
    stream.set_nonblocking(true)?;
    Ok(stream.into())
}

/// Starts a command with a shell, in a process group of its own; the end of the pipe to write to.
///
/// # Errors
/// As fork(2) and exec(2).
pub fn start(command: &str) -> io::Result<(Child, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    let child = Command::new("/bin/sh")
        .args(["-c", command])
        .current_dir("/")
        .stdin(reader)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok((child, writer.into()))
}

fn terminal(line: &str) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOFOLLOW)
        .open(Path::new("/dev").join(line))?;
    if file.metadata()?.file_type().is_char_device() {
        return Ok(file);
    }
    Err(io::ErrorKind::InvalidInput.into())
}

/// The terminals of users that are logged in, of all if `users` is `None`; those that can be
/// opened, at most as many as go with one message to the worker.
#[must_use]
pub fn terminals(users: Option<&[String]>) -> Vec<OwnedFd> {
    let mut lines: Vec<String> = logged_in(LOGINS)
        .into_iter()
        .filter(|login| users.is_none_or(|names| names.contains(&login.user)))
        .map(|login| login.line)
        .collect();
    lines.sort();
    lines.dedup();
    lines
        .iter()
        .filter_map(|line| terminal(line).ok())
        .map(OwnedFd::from)
        .take(TERMINALS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_command_reads_what_is_written() {
        let path = std::env::temp_dir().join(format!("syslogd-pipe-{}", std::process::id()));
        let (mut child, fd) = start(&format!("cat > '{}'", path.display())).expect("started");
        File::from(fd).write_all(b"through\n").expect("written");
        assert!(child.wait().expect("its end").success());
        assert_eq!(std::fs::read(&path).expect("a file"), b"through\n");
        std::fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn no_terminal_outside_dev() {
        assert!(terminal("../etc/passwd").is_err());
        assert!(terminal("null").is_ok());
        assert!(terminal("no-such-terminal").is_err());
        assert!(terminals(Some(&[])).is_empty());
    }
}
