// SPDX-License-Identifier: BSD-2-Clause
//! Connections that messages come in by: TCP and TLS (RFC 6587, RFC 5425).

use crate::io::session::Session;
use liblog::frame::Framer;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::RawFd;

/// Connections at once.
pub const MOST: usize = 256;
/// Reads of one connection in a round: then it is another's turn.
const READS: usize = 16;

/// A connection.
struct Stream {
    session: Session,
    framer: Framer,
    from: SocketAddr,
}

/// Whether a connection has more to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Not now.
    Quiet,
    /// It may have: it is to be read again.
    More,
    /// It is closed.
    Closed,
}

/// All of them.
#[derive(Default)]
pub struct Streams {
    slots: Vec<Option<Stream>>,
    open: usize,
    refused: u64,
    broken: u64,
    skipped: u64,
}

/// What came with a message of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The message.
    pub bytes: &'a [u8],
    /// It was longer than we take.
    pub cut: bool,
    /// Who sent it.
    pub from: SocketAddr,
}

impl Streams {
    /// Takes one in; where, or `None`: there are too many, it is closed and counted.
    pub fn add(&mut self, session: Session, from: SocketAddr, message: usize) -> Option<usize> {
        if self.open >= MOST {
            self.refused += 1;
            return None;
        }
        let stream = Some(Stream {
            session,
            framer: Framer::new(message),
            from,
        });
        self.open += 1;
        if let Some(free) = self.slots.iter().position(Option::is_none) {
            if let Some(slot) = self.slots.get_mut(free) {
                *slot = stream;
            }
            return Some(free);
        }
        self.slots.push(stream);
        Some(self.slots.len() - 1)
    }

    /// How many there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// How many were refused because there were too many.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How many ended with an error.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Bytes that were passed over because a message was too long.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        let open = self.slots.iter().flatten();
        self.skipped + open.map(|s| s.framer.skipped()).sum::<u64>()
    }

    /// The descriptor of one.
    #[must_use]
    pub fn raw_fd(&self, at: usize) -> Option<RawFd> {
        Some(self.slots.get(at)?.as_ref()?.session.raw_fd())
    }

    /// The descriptors of all, and where they are.
    pub fn raw_fds(&self) -> impl Iterator<Item = (usize, RawFd)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(at, slot)| Some((at, slot.as_ref()?.session.raw_fd())))
    }

    /// Forgets one.
    pub fn close(&mut self, at: usize) {
        if let Some(stream) = self.slots.get_mut(at).and_then(Option::take) {
            self.open = self.open.saturating_sub(1);
            self.skipped += stream.framer.skipped();
        }
    }

    /// The socket takes bytes again: what TLS has to say is written.
    pub fn writable(&mut self, at: usize) {
        if let Some(Some(stream)) = self.slots.get_mut(at) {
            // What is wrong is found out by reading.
            let _ = stream.session.flush();
        }
    }

    /// Reads what has come and gives each message to `take`. If it returns `Closed` the caller
    /// takes the connection out of its event loop and calls `close`.
    pub fn read(&mut self, at: usize, take: &mut dyn FnMut(Piece<'_>)) -> After {
        let Some(Some(stream)) = self.slots.get_mut(at) else {
            return After::Quiet;
        };
        let from = stream.from;
        for _ in 0..READS {
            let read = stream.session.read(stream.framer.space());
            let end = match read {
                Ok(0) => true,
                Ok(n) => {
                    stream.framer.filled(n);
                    false
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return After::Quiet,
                Err(_) => {
                    self.broken += 1;
                    true
                }
            };
            while let Some(frame) = stream.framer.next() {
                take(Piece {
                    bytes: frame.bytes,
                    cut: frame.cut,
                    from,
                });
            }
            if end {
                if let Some(frame) = stream.framer.finish() {
                    take(Piece {
                        bytes: frame.bytes,
                        cut: frame.cut,
                        from,
                    });
                }
                return After::Closed;
            }
        }
        After::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;
    use std::net::TcpStream;

    fn pair() -> (TcpStream, Session, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("there");
        let (server, from) = listener.accept().expect("a connection");
        server.set_nonblocking(true).expect("a flag");
        (client, Session::plain(server), from)
    }

    /// Reads until it is closed, or has nothing for some time.
    fn read_all(streams: &mut Streams, at: usize) -> (Vec<Vec<u8>>, bool) {
        let mut got = Vec::new();
        for _ in 0..200 {
            let after = streams.read(at, &mut |piece| got.push(piece.bytes.to_vec()));
            match after {
                After::Closed => {
                    streams.close(at);
                    return (got, true);
                }
                After::Quiet => std::thread::sleep(std::time::Duration::from_millis(1)),
                After::More => {}
            }
        }
        (got, false)
    }

    #[test]
    fn both_framings_and_an_end_in_the_middle() {
        let mut streams = Streams::default();
        let (mut client, session, from) = pair();
        let at = streams.add(session, from, 100).expect("room");
        client
            .write_all(b"<13>one\n6 <13>ab<13>three\nrest")
            .expect("written");
        drop(client);
        let (got, closed) = read_all(&mut streams, at);
        assert!(closed);
        let want = ["<13>one", "<13>ab", "<13>three", "rest"].map(|w| w.as_bytes().to_vec());
        assert_eq!(got, want);
        assert_eq!((streams.open(), streams.broken()), (0, 0));
        // The slot is used again.
        let (_client, session, from) = pair();
        assert_eq!(streams.add(session, from, 100), Some(at));
    }

    #[test]
    fn too_many_are_refused() {
        let mut streams = Streams::default();
        let mut clients = Vec::new();
        for _ in 0..MOST {
            let (client, session, from) = pair();
            assert!(streams.add(session, from, 10).is_some());
            clients.push(client);
        }
        let (_client, session, from) = pair();
        assert!(streams.add(session, from, 10).is_none());
        assert_eq!((streams.open(), streams.refused()), (MOST, 1));
        streams.close(7);
        let (_client, session, from) = pair();
        assert_eq!(streams.add(session, from, 10), Some(7));
    }
}
