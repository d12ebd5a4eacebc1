// SPDX-License-Identifier: BSD-2-Clause
//! What parent and worker say to each other, over a stream socket.
//!
//! The parent says JSON, with descriptors: it is trusted. The worker says eight bytes: what it
//! wants and of which output of the configuration; nothing that it says is a name, a path or a
//! length. Both carry the *generation* of the configuration that they are about.

use crate::conf::Conf;
use libsys::fds;
use serde::Deserialize;
use serde::Serialize;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// A message of the parent is not longer.
const MOST: usize = 16 << 20;
/// Length and generation.
const HEAD: usize = 8;
/// A request of the worker.
const REQUEST: usize = 8;

/// What the worker becomes before it reads anything of others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confine {
    /// User and group, if the parent is root.
    pub account: Option<(u32, u32)>,
    /// The folder that it sees as /.
    pub root: Option<PathBuf>,
    /// Not even what the sandbox forbids is forbidden: to look for faults.
    pub open: bool,
}

/// Who may read a ring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its number.
    pub gid: u32,
    /// The users that are in it.
    pub members: Vec<u32>,
}

/// Keys and certificates, as PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pem {
    /// Our key.
    pub key: Vec<u8>,
    /// Our certificate, and those that lead to its root.
    pub cert: Vec<u8>,
    /// Whom we trust.
    pub ca: Vec<u8>,
}

/// What does not change while the worker lives but by a new configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The configuration.
    pub conf: Conf,
    /// This host's name.
    pub host: String,
    /// For TLS.
    pub pem: Pem,
    /// Who may use the control socket, besides root.
    pub control: Group,
    /// Who may read each ring; `None`: as the control socket.
    pub readers: Vec<Option<Group>>,
    /// The certificates of `Trust::certs`, of each output and then of clients.
    pub certs: Vec<Vec<Vec<u8>>>,
    /// From whom UDP and TCP are taken; empty: from all.
    pub allowed: Vec<Allowed>,
    /// A number made anew at each start.
    pub boot: u64,
    /// The user who started syslogd.
    pub owner: u32,
    /// The grammar of lines in files, if it is not the BSDs'.
    pub format: Option<crate::conf::Format>,
}

/// A range of addresses from which messages are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// An address of it.
    pub net: std::net::IpAddr,
    /// How many bits of that count.
    pub prefix: u8,
    /// From this port; `None`: from any.
    pub port: Option<u16>,
}

/// Where messages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// A local datagram socket.
    Local,
    /// One that only root can send to (FreeBSD).
    LocalPrivileged,
    /// The kernel, records of Linux's /dev/kmsg.
    Kmsg,
    /// The kernel, lines of the BSDs' /dev/klog.
    Klog,
    /// A UDP socket.
    Udp,
    /// A listening TCP socket.
    Tcp,
    /// A listening TCP socket, for TLS.
    Tls,
    /// The listening control socket.
    Control,
}

impl Input {
    /// Whether connections are accepted from it.
    #[must_use]
    pub fn accepts(self) -> bool {
        matches!(self, Input::Tcp | Input::Tls | Input::Control)
    }
}

/// What the parent says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first of all.
    Confine(Confine),
    /// A new configuration begins; what follows is of it, up to `Go`.
    Setup(Box<Setup>),
    /// An input, with its descriptor. It replaces the inputs of before.
    Input(Input),
    /// The file of a ring, with its descriptor, and that of the file it is to be moved to.
    Ring {
        /// Which.
        index: u16,
        /// Its length.
        len: u64,
        /// The length of the new file.
        new: Option<u64>,
    },
    /// The file of an output's queue, likewise.
    Spool {
        /// Of which output.
        index: u16,
        /// Its length.
        len: u64,
        /// The length of the new file.
        new: Option<u64>,
    },
    /// That was all: use it.
    Go,
    /// An output is open: its descriptors, several for users' terminals.
    Opened {
        /// Which.
        index: u16,
    },
    /// It could not be opened.
    Failed {
        /// Which.
        index: u16,
        /// What went wrong.
        why: String,
    },
    /// Something to log as one's own: severity and text.
    Note {
        /// 0 to 7.
        severity: u8,
        /// What.
        text: String,
    },
}

/// What the worker wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// An output of the configuration opened, connected or started.
    Open(u16),
    /// Nothing: it has all of this generation in use.
    Ready,
}

/// A descriptor was promised and is not there.
fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Says something to the worker; the parent's socket waits, for as long as its time-out.
///
/// # Errors
/// As sendmsg(2).
pub fn say(
    socket: &UnixStream,
    generation: u32,
    what: &ToWorker,
    with: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let body = serde_json::to_vec(what)?;
    let len = u32::try_from(body.len())
        .ok()
        .filter(|&len| len as usize <= MOST)
        .ok_or_else(|| broken("too long a message for the worker"))?;
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&body);
    let sent = fds::send(socket.as_fd(), &bytes, with)?;
    (&*socket).write_all(bytes.get(sent..).unwrap_or_default())
}

/// A message of the parent, as it comes in.
#[derive(Debug)]
pub struct Heard {
    /// The configuration that it is about.
    pub generation: u32,
    /// What it says.
    pub what: ToWorker,
    /// What came with it.
    pub fds: Vec<OwnedFd>,
}

/// The worker's ear: puts messages together from what has come.
#[derive(Debug, Default)]
pub struct Ear {
    head: [u8; HEAD],
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
    got: usize,
}

/// What an ear heard.
#[derive(Debug)]
pub enum Sound {
    /// A message.
    Message(Heard),
    /// Nothing more for now.
    Quiet,
    /// The parent is done.
    End,
}

impl Ear {
    /// The next message, if all of it has come.
    ///
    /// # Errors
    /// As recvmsg(2); what came is no message.
    pub fn listen(&mut self, socket: &UnixStream) -> io::Result<Sound> {
        loop {
            if self.got < HEAD {
                // Not a byte more: descriptors come with the first of the next message.
                let room = self.head.get_mut(self.got..).unwrap_or_default();
                match fds::receive(socket.as_fd(), room, &mut self.fds) {
                    Ok(0) => return Ok(Sound::End),
                    Ok(n) => self.got += n,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Sound::Quiet),
                    Err(e) => return Err(e),
                }
                if self.got == HEAD {
                    let len = u32::from_le_bytes([
                        self.head[0],
                        self.head[1],
                        self.head[2],
                        self.head[3],
                    ]) as usize;
                    if len > MOST {
                        return Err(broken("too long a message"));
                    }
                    self.body = vec![0; len];
                }
                continue;
            }
            let at = self.got - HEAD;
            if at == self.body.len() {
                let generation =
                    u32::from_le_bytes([self.head[4], self.head[5], self.head[6], self.head[7]]);
                let what = serde_json::from_slice(&std::mem::take(&mut self.body))?;
                self.got = 0;
                return Ok(Sound::Message(Heard {
                    generation,
                    what,
                    fds: std::mem::take(&mut self.fds),
                }));
            }
            let room = self.body.get_mut(at..).unwrap_or_default();
            match (&*socket).read(room) {
                Ok(0) => return Ok(Sound::End),
                Ok(n) => self.got += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Sound::Quiet),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Want {
    /// Its bytes.
    #[must_use]
    pub fn bytes(self, generation: u32) -> [u8; REQUEST] {
        let (op, index) = match self {
            Want::Open(index) => (1u8, index),
            Want::Ready => (2, 0),
        };
        let mut bytes = [0; REQUEST];
        bytes[0] = op;
        bytes[2..4].copy_from_slice(&index.to_le_bytes());
        bytes[4..8].copy_from_slice(&generation.to_le_bytes());
        bytes
    }

    /// From bytes of the worker, which may be anything.
    #[must_use]
    pub fn from_bytes(bytes: [u8; REQUEST]) -> Option<(Want, u32)> {
        let [op, zero, a, b, generation @ ..] = bytes;
        let index = u16::from_le_bytes([a, b]);
        let want = match (op, zero) {
            (1, 0) => Want::Open(index),
            (2, 0) if index == 0 => Want::Ready,
            _ => return None,
        };
        Some((want, u32::from_le_bytes(generation)))
    }
}

/// The parent's ear.
#[derive(Debug, Default)]
pub struct Requests {
    bytes: [u8; REQUEST],
    got: usize,
}

impl Requests {
    /// The next request of the worker, `None` if there is none now. Waits not.
    ///
    /// # Errors
    /// `UnexpectedEof` when the worker is gone; `InvalidData` when it says what no worker says.
    pub fn next(&mut self, socket: BorrowedFd<'_>) -> io::Result<Option<(Want, u32)>> {
        loop {
            let room = self.bytes.get_mut(self.got..).unwrap_or_default();
            let n = match receive_now(socket, room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(e) => return Err(e),
            };
            self.got += n;
            if self.got == REQUEST {
                self.got = 0;
                return Want::from_bytes(self.bytes)
                    .map(Some)
                    .ok_or_else(|| broken("the worker wants what there is not"));
            }
        }
    }
}

/// Receives without waiting, whatever the socket's mode; descriptors are not taken.
fn receive_now(socket: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<usize> {
    use nix::errno::Errno;
    use nix::sys::socket::MsgFlags;
    use nix::sys::socket::recv;
    use std::os::fd::AsRawFd;
    loop {
        match recv(socket.as_raw_fd(), room, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_eight_bytes_and_nothing_else_is_one() {
        for want in [Want::Open(0), Want::Open(65_535), Want::Ready] {
            let bytes = want.bytes(0x0102_0304);
            assert_eq!(Want::from_bytes(bytes), Some((want, 0x0102_0304)));
        }
        assert_eq!(Want::from_bytes([0; 8]), None);
        assert_eq!(Want::from_bytes([3, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Want::from_bytes([1, 1, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Want::from_bytes([2, 0, 1, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn messages_come_whole_with_their_descriptors() {
        let (parent, worker) = UnixStream::pair().expect("a pair");
        worker.set_nonblocking(true).expect("a flag");
        let mut ear = Ear::default();
        assert!(matches!(ear.listen(&worker), Ok(Sound::Quiet)));
        let (reader, writer) = io::pipe().expect("a pipe");
        let fds = [reader.as_fd(), writer.as_fd()];
        let long = "x".repeat(100_000);
        let thread = std::thread::spawn({
            let parent = parent.try_clone().expect("a copy");
            let fds = fds.map(|fd| fd.try_clone_to_owned().expect("a copy"));
            move || {
                let fds = [fds[0].as_fd(), fds[1].as_fd()];
                say(&parent, 1, &ToWorker::Opened { index: 5 }, &fds).expect("said");
                let failed = ToWorker::Failed {
                    index: 6,
                    why: long,
                };
                say(&parent, 2, &failed, &[]).expect("said");
                say(&parent, 3, &ToWorker::Input(Input::Udp), &fds[..1]).expect("said");
            }
        });
        let mut heard = Vec::new();
        while heard.len() < 3 {
            match ear.listen(&worker).expect("messages") {
                Sound::Message(m) => heard.push(m),
                Sound::Quiet => std::thread::yield_now(),
                Sound::End => panic!("too early"),
            }
        }
        thread.join().expect("all said");
        let counts: Vec<usize> = heard.iter().map(|h| h.fds.len()).collect();
        assert_eq!(counts, [2, 0, 1]);
        assert_eq!(heard[0].what, ToWorker::Opened { index: 5 });
        assert_eq!(heard[2].generation, 3);
        drop(parent);
        assert!(matches!(ear.listen(&worker), Ok(Sound::End)));
    }

    #[test]
    fn a_worker_that_says_nonsense_is_found_out() {
        let (parent, worker) = UnixStream::pair().expect("a pair");
        let mut requests = Requests::default();
        assert_eq!(requests.next(parent.as_fd()).expect("quiet"), None);
        (&worker)
            .write_all(&Want::Open(7).bytes(1)[..5])
            .expect("sent");
        assert_eq!(requests.next(parent.as_fd()).expect("half of it"), None);
        (&worker)
            .write_all(&Want::Open(7).bytes(1)[5..])
            .expect("sent");
        let got = requests.next(parent.as_fd()).expect("a request");
        assert_eq!(got, Some((Want::Open(7), 1)));
        (&worker).write_all(b"nonsense").expect("sent");
        let e = requests.next(parent.as_fd()).expect_err("no request");
        assert_eq!(e.kind(), ErrorKind::InvalidData);
        drop(worker);
        let e = requests.next(parent.as_fd()).expect_err("gone");
        assert_eq!(e.kind(), ErrorKind::UnexpectedEof);
    }
}
