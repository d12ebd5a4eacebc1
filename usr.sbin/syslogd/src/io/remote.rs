// SPDX-License-Identifier: BSD-2-Clause
//! Another host that messages are sent to: a queue, a connection that comes and goes, and what is
//! on its way between them.

use crate::conf::Format;
use crate::conf::Framing;
use crate::conf::Remote as Spec;
use crate::conf::Transport;
use crate::io::link::Link;
use crate::io::link::Todo;
use crate::io::queue::Queue;
use crate::io::session::Session;
use liblog::Buf;
use liblog::Clocks;
use liblog::Msg;
use liblog::emit;
use liblog::frame::write_counted;
use liblog::frame::write_line;
use liblog::time::Zone;
use rustls::ClientConfig;
use std::io;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::sync::Arc;

/// What a UDP packet holds, of IPv6 too.
const DATAGRAM: usize = 65_000;
/// Room for the header of a message.
const HEADER: usize = 1024;
/// Messages that are on their way at once.
const UNDER_WAY: usize = 256;
/// A host that does not finish the handshake of TLS in so long is given up.
const HANDSHAKE: u64 = 30 * 1_000_000_000;
/// UDP packets of one round.
const ROUND: usize = 256;

/// The connection.
enum Wire {
    Udp(UdpSocket),
    Stream(Box<Session>),
}

/// What became of writing.
#[derive(Debug)]
pub enum Progress {
    /// All is written.
    Done,
    /// The socket takes no more for now.
    Blocked,
    /// There is more, and it can be written: after the others had their turn.
    More,
    /// The connection is lost.
    Lost(io::Error),
}

/// A message that is in the buffer: it ends there, and is this one.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    end: usize,
    seq: u64,
}

/// The host.
pub struct Remote {
    spec: Spec,
    /// What we are called, where a message has no host.
    host: Vec<u8>,
    queue: Queue,
    link: Link,
    wire: Option<Wire>,
    tls: Option<Arc<ClientConfig>>,
    message: Buf,
    out: Buf,
    written: usize,
    under_way: Vec<UnderWay>,
    sent: u64,
    /// When it was connected.
    since: u64,
}

impl Remote {
    /// For messages of so many bytes; `tls` if it is to be spoken.
    #[must_use]
    pub fn new(
        spec: Spec,
        host: &str,
        queue: Queue,
        message: usize,
        tls: Option<Arc<ClientConfig>>,
    ) -> Remote {
        let most = message.saturating_add(HEADER).max(4096);
        Remote {
            message: Buf::new(most.min(if spec.transport == Transport::Udp {
                DATAGRAM
            } else {
                usize::MAX
            })),
            out: Buf::new(most + 32),
            spec,
            host: host.as_bytes().to_vec(),
            queue,
            link: Link::new(),
            wire: None,
            tls,
            written: 0,
            under_way: Vec::with_capacity(UNDER_WAY),
            sent: 0,
            since: 0,
        }
    }

    /// When a handshake that is under way has taken too long.
    fn too_long(&self) -> Option<u64> {
        match &self.wire {
            Some(Wire::Stream(session)) if !session.is_up() => {
                Some(self.since.saturating_add(HANDSHAKE))
            }
            _ => None,
        }
    }

    /// Its queue.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Its way to the world.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Messages that were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Takes a message in.
    pub fn push(&mut self, msg: &Msg<'_>, at: Clocks) {
        self.queue.push(msg, at);
    }

    /// What to do now about connecting.
    pub fn step(&mut self, now: u64, random: u64) -> Todo {
        let wanted = !self.queue.is_empty();
        self.link.step(now, wanted, random)
    }

    /// When there is something to be done if nothing happens.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.too_long()
            .or_else(|| self.link.next(!self.queue.is_empty()))
    }

    /// The descriptor for the event loop.
    #[must_use]
    pub fn raw_fd(&self) -> Option<RawFd> {
        Some(match self.wire.as_ref()? {
            Wire::Udp(socket) => socket.as_raw_fd(),
            Wire::Stream(session) => session.raw_fd(),
        })
    }

    /// It was connected; the descriptor is what the parent made.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn opened(&mut self, fd: OwnedFd, now: u64) -> io::Result<()> {
        self.wire = Some(match self.spec.transport {
            Transport::Udp => Wire::Udp(UdpSocket::from(fd)),
            Transport::Tcp => Wire::Stream(Box::new(Session::plain(TcpStream::from(fd)))),
            Transport::Tls => {
                let config = self.tls.as_ref().ok_or_else(|| {
                    io::Error::other("TLS is not set up: see what was said at the start")
                })?;
                let socket = TcpStream::from(fd);
                Wire::Stream(Box::new(Session::client(socket, config, &self.spec.host)?))
            }
        });
        self.since = now;
        self.link.opened(now);
        Ok(())
    }

    /// The connection is gone: what was under way is written again to the next one.
    pub fn lost(&mut self, now: u64, random: u64) {
        self.wire = None;
        self.out.clear();
        self.under_way.clear();
        self.written = 0;
        self.queue.again();
        self.link.failed(now, random);
    }

    /// One message more in the buffer; whether there was one, and room.
    fn fill(&mut self, zone: &Zone) -> bool {
        if self.under_way.len() >= UNDER_WAY {
            return false;
        }
        let Some(record) = self.queue.take() else {
            return false;
        };
        let mut msg = record.msg;
        if msg.host.is_empty() {
            msg.host = &self.host;
        }
        let (seq, stamp) = (record.seq, msg.sent.unwrap_or(record.at.wall));
        self.message.clear();
        let max = self.message.capacity();
        match self.spec.format {
            Format::Bsd => emit::bsd(&msg, stamp, zone, true, max, &mut self.message),
            Format::Ietf => emit::ietf(&msg, stamp, zone, max, &mut self.message),
        };
        let fits = if self.spec.transport == Transport::Udp {
            self.out.push(self.message.as_bytes())
        } else {
            match self.spec.framing {
                Framing::Octets => write_counted(self.message.as_bytes(), &mut self.out),
                Framing::Lines => write_line(self.message.as_bytes(), &mut self.out),
            }
        };
        if fits {
            let end = self.out.len();
            self.under_way.push(UnderWay { end, seq });
        } else {
            self.queue.put_back(seq);
        }
        fits
    }

    /// Takes note of what the socket has taken.
    fn advance(&mut self) {
        let written = self.written;
        let done = self.under_way.partition_point(|one| one.end <= written);
        if let Some(last) = done.checked_sub(1).and_then(|n| self.under_way.get(n)) {
            self.queue.sent(last.seq + 1);
            self.sent += done as u64;
            self.under_way.drain(..done);
        }
        if self.under_way.is_empty() {
            self.out.clear();
            self.written = 0;
        }
    }

    /// Whether the host has not finished the handshake of TLS in time.
    #[must_use]
    pub fn hangs(&self, now: u64) -> bool {
        self.too_long().is_some_and(|end| now >= end)
    }

    /// Writes what waits.
    pub fn write(&mut self, zone: &Zone) -> Progress {
        match &self.wire {
            None => Progress::Done,
            Some(Wire::Udp(_)) => self.write_udp(zone),
            Some(Wire::Stream(_)) => self.write_stream(zone),
        }
    }

    fn write_udp(&mut self, zone: &Zone) -> Progress {
        let mut refused = 0;
        for _ in 0..ROUND {
            if self.under_way.is_empty() && !self.fill(zone) {
                return Progress::Done;
            }
            let Some(Wire::Udp(socket)) = &self.wire else {
                return Progress::Done;
            };
            match socket.send(self.out.as_bytes()) {
                Ok(_) => {
                    self.written = self.out.len();
                    self.advance();
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Progress::Blocked,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // Nobody will ever take it: the next one may be shorter.
                Err(e) if e.raw_os_error() == Some(nix::libc::EMSGSIZE) => {
                    self.written = self.out.len();
                    self.advance();
                }
                // That is about one of before, which is lost; this one has not been sent.
                Err(e) => {
                    refused += 1;
                    if refused > 1 {
                        return Progress::Lost(e);
                    }
                }
            }
        }
        Progress::More
    }

    fn write_stream(&mut self, zone: &Zone) -> Progress {
        for _ in 0..ROUND {
            if self.under_way.is_empty() {
                while self.fill(zone) {}
            }
            let Some(Wire::Stream(session)) = &mut self.wire else {
                return Progress::Done;
            };
            if self.out.is_empty() {
                return match session.flush() {
                    Ok(()) => Progress::Done,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => Progress::Blocked,
                    Err(e) => Progress::Lost(e),
                };
            }
            let rest = self.out.as_bytes().get(self.written..).unwrap_or_default();
            match session.write(rest) {
                Ok(0) => return Progress::Lost(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.written += n;
                    self.advance();
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Progress::Blocked,
                Err(e) => return Progress::Lost(e),
            }
        }
        Progress::More
    }

    /// Reads what the host says, which is nothing but TLS, or its end.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn read(&mut self) -> io::Result<()> {
        let mut bytes = [0; 512];
        for _ in 0..ROUND {
            let read = match &mut self.wire {
                None => return Ok(()),
                Some(Wire::Udp(socket)) => match socket.recv(&mut bytes) {
                    // What could not be sent is told when the next one is sent.
                    Err(e) if e.kind() != ErrorKind::WouldBlock => continue,
                    other => other.map(|n| n.max(1)),
                },
                Some(Wire::Stream(session)) => session.read(&mut bytes),
            };
            match read {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Takes over what waits in another one's queue, if it is only in memory.
    pub fn inherit(&mut self, old: &mut Remote) {
        if old.spec.queue.spool.is_some() {
            return;
        }
        old.queue.again();
        while let Some(record) = old.queue.take() {
            self.queue.push(&record.msg, record.at);
        }
    }

    /// Says goodbye.
    pub fn close(&mut self) {
        if let Some(Wire::Stream(session)) = &mut self.wire {
            session.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Family;
    use crate::conf::Queue as Bounds;
    use crate::conf::Trust;
    use crate::io::region::Memory;
    use liblog::Pri;
    use std::io::Read;
    use std::net::TcpListener;

    fn spec(transport: Transport) -> Spec {
        Spec {
            transport,
            family: Family::Any,
            host: "127.0.0.1".into(),
            port: 1,
            format: Format::Ietf,
            framing: Framing::Octets,
            queue: Bounds {
                bytes: 65_536,
                messages: None,
                spool: None,
                spool_bytes: 0,
            },
            trust: Trust::default(),
        }
    }

    fn remote(transport: Transport) -> Remote {
        let queue = Queue::new(Memory::plain(65_536), 1, None, None).expect("a queue");
        let tls = (transport == Transport::Tls).then(|| {
            let trust = crate::io::trust::client(&Trust::default(), &[], &Default::default());
            trust.expect("one that trusts nobody")
        });
        Remote::new(spec(transport), "router", queue, 1000, tls)
    }

    fn push(remote: &mut Remote, text: &[u8]) {
        let msg = Msg {
            pri: Pri::DEFAULT,
            sent: None,
            host: b"",
            app: b"a",
            procid: b"",
            msgid: b"",
            sd: b"",
            text,
        };
        remote.push(&msg, Clocks::default());
    }

    fn connect(listener: &TcpListener) -> (TcpStream, OwnedFd) {
        let ours = TcpStream::connect(listener.local_addr().expect("an address")).expect("there");
        ours.set_nonblocking(true).expect("a flag");
        let (theirs, _) = listener.accept().expect("a connection");
        (theirs, ours.into())
    }

    /// An hour without the host, then a connection that breaks in the middle, then one that does
    /// not: what the queue had room for comes, in order.
    #[test]
    fn a_host_that_was_dead_for_an_hour() {
        const SECOND: u64 = 1_000_000_000;
        let zone = Zone::utc();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let mut remote = remote(Transport::Tcp);
        let mut now = 0;
        let mut n = 0;
        let mut opens = 0;
        while now < 3600 * SECOND {
            if now % SECOND == 0 {
                push(&mut remote, format!("n{n}").as_bytes());
                n += 1;
            }
            if remote.step(now, n) == Todo::Open {
                opens += 1;
                remote.lost(now, n);
            }
            now += SECOND / 2;
        }
        assert!((50..=90).contains(&opens), "{opens}");
        assert_eq!(remote.queue().lost(), 0, "it is counted when it is read");
        let (theirs, fd) = connect(&listener);
        remote.opened(fd, now).expect("opened");
        assert!(matches!(remote.write(&zone), Progress::Done));
        let sent = remote.sent();
        assert_eq!(sent + remote.queue().lost(), 3600);
        drop(theirs);
        remote.lost(now, 0);
        push(&mut remote, b"last");
        let (mut theirs, fd) = connect(&listener);
        remote.opened(fd, now).expect("opened");
        assert!(matches!(remote.write(&zone), Progress::Done));
        drop(remote);
        let mut said = String::new();
        theirs.read_to_string(&mut said).expect("read");
        assert!(said.ends_with(" router a - - - last"), "{said}");
    }

    #[test]
    fn a_handshake_that_does_not_end() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let mut remote = remote(Transport::Tls);
        push(&mut remote, b"x");
        let (_theirs, fd) = connect(&listener);
        remote.opened(fd, 5).expect("opened");
        assert!(matches!(remote.write(&Zone::utc()), Progress::Blocked));
        assert_eq!(remote.next(), Some(5 + HANDSHAKE));
        assert!(!remote.hangs(4 + HANDSHAKE) && remote.hangs(5 + HANDSHAKE));
        remote.lost(6, 0);
        assert!(!remote.hangs(u64::MAX));
        assert_eq!(remote.queue().len(), 1, "still there");
    }
}
