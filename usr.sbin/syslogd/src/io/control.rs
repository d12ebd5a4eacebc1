// SPDX-License-Identifier: BSD-2-Clause
//! The readers at the control socket. Each has a line that it said and a buffer of what it is
//! told; what it reads is not queued for it but read from the ring when it can take more, so one
//! that stalls costs nothing and is told what it lost.

use crate::io::region::Memory;
use crate::privsep::wire::Group;
use liblog::Buf;
use liblog::filter::Filter;
use liblog::proto::Code;
use liblog::proto::EndWhy;
use liblog::proto::Read as ReadRequest;
use liblog::proto::Reply;
use liblog::proto::Request;
use liblog::proto::VERSION;
use liblog::proto::parse_request;
use liblog::proto::write_record;
use liblog::ring::Cursor;
use liblog::ring::Log;
use liblog::ring::Step;
use liblog::time::Zone;
use libsys::peer::Peer;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

/// Readers at once.
pub const MOST: usize = 64;
/// A request is not longer.
const LINE: usize = 16 * 1024;
/// What a reader is told and has not yet taken.
const OUT: usize = 64 * 1024;
/// Records that are looked at for one reader in a round.
const LOOKS: usize = 4096;

/// What readers read, and what is done for them.
pub trait Store {
    /// The ring of that name that this peer may read; else why not.
    ///
    /// # Errors
    /// There is none, or it is not for this peer.
    fn find(&self, name: &str, peer: &Peer) -> Result<usize, Reply>;
    /// A ring, by what `find` gave, and its name.
    fn ring(&mut self, at: usize) -> Option<(&str, &mut Log<Memory>)>;
    /// Does what is asked; `None` for what takes no answer.
    fn answer(&mut self, request: Request, peer: &Peer) -> Reply;
}

/// Whether a peer is in a group, or is root or the one who started syslogd.
#[must_use]
pub fn may(peer: &Peer, group: &Group, owner: u32) -> bool {
    let member = group.members.contains(&peer.uid);
    let known = *group != Group::default();
    is_owner(peer, owner) || (known && (peer.gid == group.gid || member))
}

/// Whether a peer may change things: root, and the one who started syslogd.
#[must_use]
pub fn is_owner(peer: &Peer, owner: u32) -> bool {
    peer.uid == 0 || peer.uid == owner
}

/// How far a read is.
struct Reading {
    ring: usize,
    /// The ring's number when it began: another one is another ring.
    boot: u64,
    cursor: Cursor,
    filter: Filter,
    follow: bool,
    /// So many more, if there is a limit.
    limit: Option<u64>,
    /// The newest so many: first they are counted, then all before them are passed over.
    phase: Phase,
}

enum Phase {
    /// `last` of them are wanted; so many fit so far, up to `end`.
    Count { last: u64, found: u64, end: u64 },
    /// So many are to be passed over.
    Give { skip: u64 },
}

/// Somebody at the control socket.
pub struct Client {
    socket: UnixStream,
    peer: Peer,
    line: Buf,
    out: Buf,
    reading: Option<Reading>,
    /// It says no more: when all is written it goes.
    ended: bool,
}

/// Whether there is more to do for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Not until it says or takes something, or there is something new.
    Quiet,
    /// Yes, after the others had their turn.
    More,
    /// It is gone.
    Closed,
}

fn put(out: &mut Buf, reply: &Reply) {
    // Replies are written into an empty buffer, so that only one that is longer than that lacks.
    let before = out.len();
    let Ok(line) = serde_json::to_vec(reply) else {
        return;
    };
    if !(out.push(&line) && out.byte(b'\n')) {
        out.truncate(before);
        let short = Reply::error(Code::Failed, "the answer is too long");
        if let Ok(line) = serde_json::to_vec(&short) {
            out.push(&line);
            out.byte(b'\n');
        }
    }
}

impl Client {
    /// Somebody new.
    #[must_use]
    pub fn new(socket: UnixStream, peer: Peer) -> Client {
        Client {
            socket,
            peer,
            line: Buf::new(LINE),
            out: Buf::new(OUT),
            reading: None,
            ended: false,
        }
    }

    /// Its descriptor.
    #[must_use]
    pub fn raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Which ring it follows.
    #[must_use]
    pub fn follows(&self) -> Option<usize> {
        self.reading.as_ref().map(|reading| reading.ring)
    }

    /// Does what can be done: reads requests, answers, writes.
    pub fn serve(&mut self, store: &mut dyn Store, zone: &Zone) -> After {
        // A bounded number of turns, so that nobody keeps the others waiting.
        for _ in 0..8 {
            match self.write() {
                Ok(true) => {}
                // It takes no more: it keeps its place, and what it wants is read later.
                Ok(false) => return After::Quiet,
                Err(_) => return After::Closed,
            }
            if self.reading.is_some() {
                match self.go_on(store, zone) {
                    Going::Full => continue,
                    Going::Looked => return self.written(After::More),
                    Going::Waits => {
                        let said = self.written(After::Quiet);
                        if said != After::Quiet {
                            return said;
                        }
                        // While it follows it may say goodbye, by closing or by a new request.
                        match self.hear() {
                            Ok(false) => return After::Quiet,
                            Ok(true) => self.reading = None,
                            Err(_) => return After::Closed,
                        }
                    }
                    Going::Ended => {}
                }
                continue;
            }
            match self.hear() {
                Ok(true) => self.request(store),
                Ok(false) if self.ended => return self.written(After::Closed),
                Ok(false) => return After::Quiet,
                Err(_) => return After::Closed,
            }
        }
        After::More
    }

    /// Writes what waits; then `after`, if all of it went.
    fn written(&mut self, after: After) -> After {
        match self.write() {
            Ok(true) => after,
            Ok(false) if after == After::Closed => After::Closed,
            Ok(false) => After::Quiet,
            Err(_) => After::Closed,
        }
    }

    /// Writes what waits; whether all of it went.
    fn write(&mut self) -> io::Result<bool> {
        while !self.out.is_empty() {
            match (&self.socket).write(self.out.as_bytes()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.out.consume(n),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Reads what it says; whether a whole line is there.
    fn hear(&mut self) -> io::Result<bool> {
        loop {
            if self.line.as_bytes().contains(&b'\n') {
                return Ok(true);
            }
            if self.ended {
                return Ok(false);
            }
            let mut bytes = [0; 2048];
            match (&self.socket).read(&mut bytes) {
                Ok(0) => {
                    self.ended = true;
                    // Who only wanted to follow and closes its side is gone.
                    if self.reading.is_some() {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Ok(n) => {
                    if !self.line.push(bytes.get(..n).unwrap_or_default()) {
                        put(
                            &mut self.out,
                            &Reply::error(Code::Busy, "too long a request"),
                        );
                        // It is told if it listens.
                        let _ = self.write();
                        return Err(ErrorKind::InvalidData.into());
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
    }

    /// Takes the first line and does what it says.
    fn request(&mut self, store: &mut dyn Store) {
        let bytes = self.line.as_bytes();
        let end = bytes
            .iter()
            .position(|&b| b == b'\n')
            .unwrap_or(bytes.len());
        let request = parse_request(bytes.get(..end).unwrap_or_default());
        self.line.consume(end + 1);
        match request {
            Err(why) => put(&mut self.out, &Reply::error(Code::BadRequest, why)),
            Ok(Request::Read(read)) => {
                if let Err(reply) = self.begin(&read, store) {
                    put(&mut self.out, &reply);
                }
            }
            Ok(request) => {
                let reply = store.answer(request, &self.peer);
                put(&mut self.out, &reply);
            }
        }
    }

    fn begin(&mut self, read: &ReadRequest, store: &mut dyn Store) -> Result<(), Reply> {
        let at = store.find(&read.ring, &self.peer)?;
        let filter = Filter::new(&read.filter)?;
        let Some((name, ring)) = store.ring(at) else {
            return Err(Reply::error(Code::NoRing, "no such ring"));
        };
        let hello = Reply::Hello {
            hello: VERSION,
            ring: name.to_owned(),
            boot: ring.boot(),
            first: ring.first(),
            next: ring.next(),
        };
        put(&mut self.out, &hello);
        let same = read.boot.is_none_or(|boot| boot == ring.boot());
        let mut from = read.from.filter(|_| same).unwrap_or(ring.first());
        let mut phase = Phase::Give { skip: 0 };
        if let Some(last) = read.last {
            if read.filter == liblog::filter::FilterSpec::default() {
                from = from.max(ring.next().saturating_sub(last)).max(ring.first());
            } else {
                let end = ring.next();
                phase = Phase::Count {
                    last,
                    found: 0,
                    end,
                };
            }
        }
        self.reading = Some(Reading {
            ring: at,
            boot: ring.boot(),
            cursor: ring.cursor(from),
            filter,
            follow: read.follow,
            limit: read.limit,
            phase,
        });
        Ok(())
    }

    /// Ends a read, and says why.
    fn end(&mut self, why: EndWhy) {
        if let Some(reading) = self.reading.take() {
            let next = reading.cursor.seq();
            put(&mut self.out, &Reply::End { end: why, next });
        }
    }

    /// syslogd ends, or the ring does: the reader is told if it can be told at once.
    pub fn farewell(&mut self, why: EndWhy) {
        if self.out.room() > 256 {
            self.end(why);
        }
        // It finds the end of the stream anyway.
        let _ = self.write();
    }

    fn go_on(&mut self, store: &mut dyn Store, zone: &Zone) -> Going {
        let Some(reading) = &mut self.reading else {
            return Going::Ended;
        };
        let found = store.ring(reading.ring);
        let Some((_, ring)) = found.filter(|(_, ring)| ring.boot() == reading.boot) else {
            self.end(EndWhy::Gone);
            return Going::Ended;
        };
        for _ in 0..LOOKS {
            if reading.limit == Some(0) {
                self.end(EndWhy::Limit);
                return Going::Ended;
            }
            if let Phase::Count { last, found, end } = &mut reading.phase {
                let step = ring.read(&mut reading.cursor);
                match step {
                    Step::Record(record) if record.seq < *end => {
                        *found += u64::from(reading.filter.matches(&record));
                        continue;
                    }
                    Step::Lost { .. } => continue,
                    Step::Record(_) | Step::End => {
                        let skip = found.saturating_sub(*last);
                        reading.phase = Phase::Give { skip };
                        reading.cursor = ring.cursor(ring.first());
                        continue;
                    }
                }
            }
            // A step is only taken when there is room for what it gives.
            let mut cursor = reading.cursor;
            match ring.read(&mut cursor) {
                Step::End if reading.follow => return Going::Waits,
                Step::End => {
                    self.end(EndWhy::All);
                    return Going::Ended;
                }
                Step::Lost { n, next } => {
                    if self.out.room() < 256 {
                        return Going::Full;
                    }
                    reading.cursor = cursor;
                    put(&mut self.out, &Reply::Lost { lost: n, next });
                }
                Step::Record(record) => {
                    if reading.filter.matches(&record) {
                        if let Phase::Give { skip } = &mut reading.phase
                            && *skip > 0
                        {
                            *skip -= 1;
                            reading.cursor = cursor;
                            continue;
                        }
                        if self.out.room() < 256 || !write_record(&record, zone, &mut self.out) {
                            return Going::Full;
                        }
                        if let Some(limit) = &mut reading.limit {
                            *limit -= 1;
                        }
                    }
                    reading.cursor = cursor;
                }
            }
        }
        Going::Looked
    }
}

/// How a turn of reading ended.
enum Going {
    /// The buffer is full.
    Full,
    /// Enough for one turn.
    Looked,
    /// Nothing new.
    Waits,
    /// The read is over.
    Ended,
}

#[cfg(test)]
mod tests;
