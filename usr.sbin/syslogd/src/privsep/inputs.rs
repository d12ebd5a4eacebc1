// SPDX-License-Identifier: BSD-2-Clause
//! The parent opens what messages come from.

use crate::privsep::options::Local;
use crate::privsep::options::Options;
use crate::privsep::options::Secure;
use crate::privsep::wire::Input;
use socket2::Domain;
use socket2::Protocol;
use socket2::SockAddr;
use socket2::Socket;
use socket2::Type;
use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What an internet socket may hold, if the system lets us.
const NETWORK_BUFFER: usize = 4 << 20;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// An open input.
#[derive(Debug)]
pub struct Opened {
    /// What it is.
    pub input: Input,
    /// Its descriptor, which does not block.
    pub fd: OwnedFd,
}

/// Removes a socket that somebody left; nothing else.
fn remove_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(is) if is.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(
            ErrorKind::AlreadyExists,
            "there is something that is no socket",
        )),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// The folder of a path; made if it is not there, for others to enter.
pub fn make_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => {
            fs::create_dir_all(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        }
        _ => Ok(()),
    }
}

/// A Unix socket with a name.
fn bind_unix(path: &Path, mode: u32, kind: Type) -> io::Result<Socket> {
    make_folder(path)?;
    remove_socket(path)?;
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn local(local: &Local, buffer: usize) -> io::Result<Opened> {
    let socket = bind_unix(&local.path, local.mode, Type::DGRAM)?;
    // Less is better than none.
    let mut size = buffer;
    while size > 4096 && socket.set_recv_buffer_size(size).is_err() {
        size /= 2;
    }
    let input = if local.privileged {
        Input::LocalPrivileged
    } else {
        Input::Local
    };
    let fd = OwnedFd::from(socket);
    if cfg!(target_os = "linux") {
        libsys::batch::pass_senders(std::os::fd::AsFd::as_fd(&fd))?;
    }
    Ok(Opened { input, fd })
}

fn network(at: SocketAddr, input: Input) -> io::Result<Opened> {
    let (kind, protocol) = if input == Input::Udp {
        (Type::DGRAM, Protocol::UDP)
    } else {
        (Type::STREAM, Protocol::TCP)
    };
    let socket = Socket::new(Domain::for_address(at), kind, Some(protocol))?;
    if at.is_ipv6() {
        // The wild address of IPv4 has a socket of its own.
        socket.set_only_v6(true)?;
    }
    if input == Input::Udp {
        let mut size = NETWORK_BUFFER;
        while size > 4096 && socket.set_recv_buffer_size(size).is_err() {
            size /= 2;
        }
    } else {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&at.into())?;
    if input != Input::Udp {
        socket.listen(BACKLOG)?;
    }
    socket.set_nonblocking(true)?;
    Ok(Opened {
        input,
        fd: socket.into(),
    })
}

fn kernel(path: &Path) -> io::Result<Opened> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC)
        .open(path)?;
    let input = if cfg!(target_os = "linux") {
        Input::Kmsg
    } else {
        Input::Klog
    };
    Ok(Opened {
        input,
        fd: file.into(),
    })
}

/// Opens all of them: what could be opened, and what is to be said about the rest.
///
/// # Errors
/// None of the local sockets could be bound: then there is no sense in going on.
pub fn open(options: &Options, notes: &mut Vec<String>) -> io::Result<Vec<Opened>> {
    let mut opened = Vec::new();
    let mut failed = None;
    for wanted in &options.locals {
        match local(wanted, options.buffer) {
            Ok(one) => opened.push(one),
            Err(e) => {
                let e = io::Error::new(e.kind(), format!("{}: {e}", wanted.path.display()));
                notes.push(e.to_string());
                failed = Some(e);
            }
        }
    }
    if let (true, Some(e)) = (opened.is_empty(), failed) {
        return Err(e);
    }
    let mut keep = |name: String, one: io::Result<Opened>| match one {
        Ok(one) => opened.push(one),
        Err(e) => notes.push(format!("{name}: {e}")),
    };
    if let Some(path) = &options.kernel {
        keep(path.display().to_string(), kernel(path));
    }
    if let Some(path) = &options.control {
        // Who may do what is decided by who is at the other end, ring by ring.
        let socket = bind_unix(path, 0o666, Type::STREAM).and_then(|socket| {
            socket.listen(BACKLOG)?;
            Ok(Opened {
                input: Input::Control,
                fd: socket.into(),
            })
        });
        keep(path.display().to_string(), socket);
    }
    if options.secure == Secure::Open {
        for &at in &options.udp {
            keep(format!("udp {at}"), network(at, Input::Udp));
        }
        for &at in &options.tcp {
            keep(format!("tcp {at}"), network(at, Input::Tcp));
        }
        for &at in &options.tls {
            keep(format!("tls {at}"), network(at, Input::Tls));
        }
    }
    Ok(opened)
}

/// Listens for TLS where the configuration says.
pub fn listen_tls(at: &[SocketAddr], notes: &mut Vec<String>) -> Vec<Opened> {
    let mut opened = Vec::new();
    for &at in at {
        match network(at, Input::Tls) {
            Ok(one) => opened.push(one),
            Err(e) => notes.push(format!("tls {at}: {e}")),
        }
    }
    opened
}

/// Takes the names of our sockets away.
pub fn remove(options: &Options) {
    let locals = options.locals.iter().map(|local| &local.path);
    for path in locals.chain(&options.control) {
        // What is left does no harm: the next start removes it.
        let _ = remove_socket(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_are_removed() {
        let dir = std::env::temp_dir().join(format!("syslogd-inputs-{}", std::process::id()));
        let path = dir.join("log");
        let first = bind_unix(&path, 0o666, Type::DGRAM).expect("bound");
        let second = bind_unix(&path, 0o600, Type::DGRAM).expect("bound again");
        let is = fs::metadata(&path).expect("a file");
        assert_eq!(is.permissions().mode() & 0o777, 0o600);
        drop((first, second));
        remove_socket(&path).expect("removed");
        remove_socket(&path).expect("gone already");
        fs::write(&path, "a file").expect("written");
        assert!(bind_unix(&path, 0o666, Type::DGRAM).is_err());
        assert_eq!(fs::read(&path).expect("still there"), b"a file");
        fs::remove_dir_all(&dir).expect("removed");
    }
}
