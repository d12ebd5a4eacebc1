// SPDX-License-Identifier: BSD-2-Clause
//! Connections that messages come in by: TCP and TLS (RFC 6587, RFC 5425).
//!
//! One that has sent a whole message stays for as long as it likes. One that has not is there on
//! sufferance: it has some time for that, and its place is another's if there is no other.

mod limits;
#[cfg(test)]
mod tests;

use crate::io::session::Session;
use crate::privsep::wire::Input;
use liblog::frame::Framer;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::os::fd::RawFd;

pub use limits::EACH;
pub use limits::FIRST;
pub use limits::Fate;
pub use limits::HANDSHAKE;
pub use limits::MOST;
pub use limits::Tally;
use limits::site;

/// Reads of one connection in a round: then it is another's turn.
const READS: usize = 16;

/// A connection that was accepted.
pub struct New {
    /// Its socket.
    pub session: Session,
    /// Who it is of.
    pub from: SocketAddr,
    /// What it came in by.
    pub input: Input,
    /// Longer messages are cut.
    pub message: usize,
}

/// A connection.
struct Stream {
    session: Session,
    framer: Framer,
    from: SocketAddr,
    input: Input,
    /// When it came.
    since: u64,
    /// When something last came by it.
    heard: u64,
    /// A whole message has come.
    spoke: bool,
}

impl Stream {
    fn address(&self) -> IpAddr {
        site(self.from.ip())
    }

    /// When it has taken too long, and for what.
    fn deadline(&self) -> Option<(u64, Fate)> {
        if self.spoke {
            None
        } else if self.session.is_up() {
            Some((self.since.saturating_add(FIRST), Fate::NoMessage))
        } else {
            Some((self.since.saturating_add(HANDSHAKE), Fate::NoHandshake))
        }
    }
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
    /// By which input.
    pub input: Input,
}

/// What is around the connections.
pub trait Around {
    /// Takes a message.
    fn take(&mut self, piece: Piece<'_>);
    /// The descriptor is about to be closed: the event loop is to forget it.
    fn leave(&mut self, fd: RawFd);
}

/// Whether a connection has more to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// Not now.
    Quiet,
    /// It may have: it is to be read again.
    More,
    /// It is at its end.
    End,
}

/// All of them.
#[derive(Default)]
pub struct Streams {
    slots: Vec<Option<Stream>>,
    /// Which may have something to be read.
    ready: Vec<bool>,
    open: usize,
    /// No deadline is before that time.
    due: u64,
    tally: Tally,
    broken: u64,
    skipped: u64,
}

impl Streams {
    /// Takes one in; where, or `None`: there are too many, it is closed and counted. If there is no
    /// place for it, it gets that of the one that was quiet for the longest time of those that have
    /// sent no whole message.
    pub fn add(&mut self, new: New, now: u64, around: &mut dyn Around) -> Option<usize> {
        let address = site(new.from.ip());
        if let Err(fate) = self.make_room(address, now, around) {
            self.tally.count(fate, address);
            return None;
        }
        let stream = Stream {
            session: new.session,
            framer: Framer::new(new.message),
            from: new.from,
            input: new.input,
            since: now,
            heard: now,
            spoke: false,
        };
        if let Some((due, _)) = stream.deadline() {
            self.due = if self.open == 0 {
                due
            } else {
                self.due.min(due)
            };
        }
        self.open += 1;
        let at = self.slots.iter().position(Option::is_none);
        let at = at.unwrap_or_else(|| {
            self.slots.push(None);
            self.ready.push(false);
            self.slots.len() - 1
        });
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(stream);
        }
        self.ready(at);
        Some(at)
    }

    /// Whose place one of that address takes: `None` if there is room.
    fn in_the_way(&self, address: IpAddr) -> Result<Option<usize>, Fate> {
        let all = || {
            let slots = self.slots.iter().enumerate();
            slots.filter_map(|(at, slot)| Some((at, slot.as_ref()?)))
        };
        let silent = |it: &mut dyn Iterator<Item = (usize, &Stream)>| {
            let quietest = it.filter(|(_, s)| !s.spoke).min_by_key(|(_, s)| s.heard);
            quietest.map(|(at, _)| at)
        };
        let mut same = all().filter(|(_, s)| s.address() == address);
        if all().filter(|(_, s)| s.address() == address).count() >= EACH {
            silent(&mut same).map(Some).ok_or(Fate::Crowded)
        } else if self.open >= MOST {
            silent(&mut all()).map(Some).ok_or(Fate::Refused)
        } else {
            Ok(None)
        }
    }

    /// Sees to it that there is a place. What has come by one that would have to go is read first.
    fn make_room(
        &mut self,
        address: IpAddr,
        now: u64,
        around: &mut dyn Around,
    ) -> Result<(), Fate> {
        // Each round reads what one has sent, or closes it: this ends.
        while let Some(at) = self.in_the_way(address)? {
            let heard = self.slots.get(at).and_then(|s| Some(s.as_ref()?.heard));
            self.serve(at, now, around);
            if let Some(Some(stream)) = self.slots.get(at)
                && !stream.spoke
                && Some(stream.heard) == heard
            {
                self.tally.count(Fate::Replaced, stream.address());
                self.close(at, around);
            }
        }
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// What became of those that had no place, or took too long.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What is to be told of that now.
    pub fn note(&mut self, now: u64) -> Option<String> {
        self.tally.note(now)
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

    /// Closes one.
    pub fn close(&mut self, at: usize, around: &mut dyn Around) {
        if let Some(stream) = self.slots.get_mut(at).and_then(Option::take) {
            around.leave(stream.session.raw_fd());
            self.open = self.open.saturating_sub(1);
            self.skipped += stream.framer.skipped();
        }
        if let Some(ready) = self.ready.get_mut(at) {
            *ready = false;
        }
    }

    /// There may be something to be read.
    pub fn ready(&mut self, at: usize) {
        if let Some(ready) = self.ready.get_mut(at) {
            *ready = true;
        }
    }

    /// Whether one is to be read at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.contains(&true)
    }

    /// The socket takes bytes again: what TLS has to say is written.
    pub fn writable(&mut self, at: usize) {
        if let Some(Some(stream)) = self.slots.get_mut(at) {
            // What is wrong is found out by reading.
            let _ = stream.session.flush();
        }
    }

    /// Reads what has come by all of them, and closes those that have taken too long.
    pub fn round(&mut self, now: u64, around: &mut dyn Around) {
        for at in 0..self.ready.len() {
            if self.ready.get(at) == Some(&true) {
                self.serve(at, now, around);
            }
        }
        if self.open == 0 || now < self.due {
            return;
        }
        self.due = u64::MAX;
        for at in 0..self.slots.len() {
            let Some(Some(stream)) = self.slots.get(at) else {
                continue;
            };
            match stream.deadline() {
                Some((due, fate)) if due <= now => {
                    self.tally.count(fate, stream.address());
                    self.close(at, around);
                }
                Some((due, _)) => self.due = self.due.min(due),
                None => {}
            }
        }
    }

    /// When there is something to be done if nothing comes; it may turn out that there is not.
    #[must_use]
    pub fn next(&self) -> u64 {
        let due = if self.open > 0 { self.due } else { u64::MAX };
        due.min(self.tally.due().unwrap_or(u64::MAX))
    }

    /// Reads what has come by one, as much as is its turn, and closes it at its end.
    fn serve(&mut self, at: usize, now: u64, around: &mut dyn Around) {
        let after = self.read(at, now, around);
        if let Some(ready) = self.ready.get_mut(at) {
            *ready = after == After::More;
        }
        if after == After::End {
            self.close(at, around);
        }
    }

    fn read(&mut self, at: usize, now: u64, around: &mut dyn Around) -> After {
        let Some(Some(stream)) = self.slots.get_mut(at) else {
            return After::Quiet;
        };
        let (from, input) = (stream.from, stream.input);
        for _ in 0..READS {
            let read = stream.session.read(stream.framer.space());
            let end = match read {
                Ok(0) => true,
                Ok(n) => {
                    stream.framer.filled(n);
                    stream.heard = now;
                    false
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return After::Quiet,
                Err(_) => {
                    self.broken += 1;
                    true
                }
            };
            while let Some(frame) = stream.framer.next() {
                stream.spoke = true;
                around.take(Piece {
                    bytes: frame.bytes,
                    cut: frame.cut,
                    from,
                    input,
                });
            }
            if end {
                if let Some(frame) = stream.framer.finish() {
                    around.take(Piece {
                        bytes: frame.bytes,
                        cut: frame.cut,
                        from,
                        input,
                    });
                }
                return After::End;
            }
        }
        After::More
    }
}
