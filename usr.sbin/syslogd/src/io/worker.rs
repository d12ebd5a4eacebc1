// SPDX-License-Identifier: BSD-2-Clause
//! The worker's loop, in one thread: what is ready is read, each in its turn; what that gave is
//! written; then it waits.
//!
//! Events are edges: a descriptor is `ready` from its event on until it would block.

mod accept;
mod configure;
mod inlet;
mod pace;

use crate::io::control;
use crate::io::control::Client;
use crate::io::core::Core;
use crate::io::gather::Gather;
use crate::io::output::Turn;
use crate::io::store::Desk;
use crate::io::streams::Fate;
use crate::io::streams::Streams;
use crate::privsep::wire::Ear;
use crate::privsep::wire::Input;
use crate::privsep::wire::Want;
use inlet::Inlet;
use liblog::Clocks;
use liblog::Severity;
use liblog::proto::EndWhy;
use liblog::time::Zone;
use libsys::batch::Batch;
use libsys::clock;
use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::unix::SourceFd;
use pace::Pace;
use serde_json::Value;
use serde_json::json;
use std::collections::VecDeque;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Datagrams that are received with one call.
const BATCH: usize = 32;
/// Events that are taken with one call.
const EVENTS: usize = 256;
/// No wait is longer: clocks that jump are found out.
const LONGEST: Duration = Duration::from_secs(60);

/// What an event is about: the kind, and which of them.
const KIND: usize = 24;
const PARENT: usize = 0;
const SOURCE: usize = 1;
const OUTPUT: usize = 2;
const STREAM: usize = 3;
const CLIENT: usize = 4;

const fn token(kind: usize, n: usize) -> Token {
    Token(kind << KIND | n)
}

struct Reader {
    client: Client,
    ready: bool,
}

/// The worker.
pub struct Worker {
    poll: Poll,
    socket: UnixStream,
    ear: Ear,
    gather: Gather,
    /// What the parent has yet to be told.
    wants: VecDeque<[u8; 8]>,
    batch: Batch,
    zone: Zone,
    core: Option<Core>,
    streams: Streams,
    readers: Vec<Option<Reader>>,
    random: u64,
    pace: Pace,
    /// Some output is to be served again at once.
    more: bool,
    parent_gone: bool,
}

fn clocks() -> Clocks {
    Clocks {
        wall: clock::wall(),
        mono: clock::mono(),
    }
}

impl Worker {
    /// Waits for nothing yet but its parent.
    ///
    /// # Errors
    /// As epoll_create(2), kqueue(2).
    pub fn new(socket: UnixStream, ear: Ear, zone: Zone) -> io::Result<Worker> {
        let poll = Poll::new()?;
        let both = Interest::READABLE | Interest::WRITABLE;
        let fd = socket.as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&fd), token(PARENT, 0), both)?;
        Ok(Worker {
            poll,
            socket,
            ear,
            gather: Gather::default(),
            wants: VecDeque::new(),
            batch: Batch::new(BATCH, 1),
            zone,
            core: None,
            streams: Streams::default(),
            readers: Vec::new(),
            random: clock::mono() | 1,
            pace: Pace::default(),
            more: false,
            parent_gone: false,
        })
    }

    /// Works until the parent is gone.
    ///
    /// # Errors
    /// As epoll_wait(2), kevent(2); what the parent says is not what it says.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        // What came before the first wait.
        self.listen()?;
        while !self.parent_gone {
            let timeout = self.timeout(clock::mono());
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now = clocks();
            let (mut parent, mut others) = (false, false);
            for event in &events {
                let at = event.token().0;
                let n = at & ((1 << KIND) - 1);
                let (reads, writes) = (
                    event.is_readable() || event.is_read_closed() || event.is_error(),
                    event.is_writable() || event.is_write_closed() || event.is_error(),
                );
                others |= at >> KIND != SOURCE || !self.is_udp(n);
                match at >> KIND {
                    PARENT => parent = true,
                    SOURCE => self.mark_source(n),
                    OUTPUT => self.mark_output(n, reads, writes, now),
                    STREAM => self.mark_stream(n, writes),
                    _ => self.mark_reader(n),
                }
            }
            if parent {
                self.listen()?;
            }
            self.round(now);
            self.tell();
            self.breathe(now, others);
        }
        self.end();
        Ok(())
    }

    fn timeout(&self, now: u64) -> Duration {
        let busy = self.more
            || self.core.as_ref().is_some_and(Core::is_ready)
            || self.streams.is_ready()
            || self.readers.iter().flatten().any(|reader| reader.ready);
        if busy {
            return Duration::ZERO;
        }
        let next = self.core.as_ref().map_or(u64::MAX, Core::next);
        let next = next.min(self.streams.next());
        Duration::from_nanos(next.saturating_sub(now)).min(LONGEST)
    }

    /// Lets datagrams come together, if nobody waits for anything else.
    fn breathe(&mut self, now: Clocks, others: bool) {
        let taken = self.core.as_mut().map_or(0, Core::datagrams);
        let breath = self.pace.breath(now.mono, taken, others);
        if let Some(breath) = breath.filter(|_| self.timeout(now.mono) > Duration::ZERO) {
            std::thread::sleep(breath);
        }
    }

    fn random(&mut self) -> u64 {
        // xorshift: it is for spreading, not for secrets.
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random = x;
        x
    }

    fn mark_source(&mut self, n: usize) {
        if let Some(source) = self.core.as_mut().and_then(|core| core.sources.get_mut(n)) {
            source.ready = true;
        }
    }

    fn is_udp(&self, n: usize) -> bool {
        let source = self.core.as_ref().and_then(|core| core.sources.get(n));
        source.is_some_and(|source| source.input() == Input::Udp)
    }

    fn mark_output(&mut self, n: usize, reads: bool, writes: bool, now: Clocks) {
        let random = self.random();
        let output = self
            .core
            .as_mut()
            .and_then(|c| c.outlets.outputs.get_mut(n));
        let Some(output) = output else {
            return;
        };
        if writes {
            output.writable();
        }
        if reads {
            let turn = output.readable(now.mono, random);
            self.after(n, turn, now);
        }
    }

    fn mark_stream(&mut self, n: usize, writes: bool) {
        self.streams.ready(n);
        if writes {
            self.streams.writable(n);
        }
    }

    fn mark_reader(&mut self, n: usize) {
        if let Some(Some(reader)) = self.readers.get_mut(n) {
            reader.ready = true;
        }
    }

    /// Everybody's turn.
    fn round(&mut self, now: Clocks) {
        if self.core.is_none() {
            return;
        }
        self.accept(now);
        if let Some(core) = &mut self.core {
            core.read(&mut self.batch, now);
        }
        self.read_streams(now);
        if let Some(core) = &mut self.core {
            core.tick(now);
        }
        self.write_outputs(now);
        self.serve_readers(now);
    }

    fn watch(&self, fd: RawFd, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), token, both)
    }

    /// Of an input: a kernel's log may be asked for nothing but reading.
    fn watch_input(&self, fd: RawFd, token: Token) -> io::Result<()> {
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), token, Interest::READABLE)
    }

    fn forget(&self, fd: RawFd) {
        // It may be closed already: then the system has forgotten it by itself.
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
    }

    fn read_streams(&mut self, now: Clocks) {
        let Some(core) = &mut self.core else {
            return;
        };
        let mut inlet = Inlet {
            core,
            registry: self.poll.registry(),
            now,
        };
        self.streams.round(now.mono, &mut inlet);
        if let Some(text) = self.streams.note(now.mono) {
            self.say(Severity::NOTICE, "CONNECTION", &text, now);
        }
    }

    fn write_outputs(&mut self, now: Clocks) {
        self.more = false;
        let count = self.core.as_ref().map_or(0, |c| c.outlets.outputs.len());
        for n in 0..count {
            let random = self.random();
            let Some(core) = &mut self.core else {
                return;
            };
            let Some(output) = core.outlets.outputs.get_mut(n) else {
                continue;
            };
            let turn = output.turn(now.mono, random, &self.zone);
            self.after(n, turn, now);
        }
    }

    /// What is to be done after an output's turn.
    fn after(&mut self, n: usize, turn: Turn, now: Clocks) {
        self.more |= turn.more;
        self.rewatch(n);
        let Some(core) = &self.core else {
            return;
        };
        if turn.open
            && let Ok(index) = u16::try_from(n)
        {
            self.wants
                .push_back(Want::Open(index).bytes(core.generation));
        }
        if let Some((fault, text)) = turn.note {
            let severity = if fault {
                Severity::WARNING
            } else {
                Severity::NOTICE
            };
            self.say(severity, "OUTPUT", &text, now);
        }
    }

    /// The event loop knows an output by the descriptor that it has now.
    fn rewatch(&mut self, n: usize) {
        let output = self.core.as_ref().and_then(|c| c.outlets.outputs.get(n));
        let Some((has, known)) = output.map(|o| (o.raw_fd(), o.registered())) else {
            return;
        };
        if has == known {
            return;
        }
        if let Some(fd) = known {
            self.forget(fd);
        }
        if let Some(fd) = has {
            // A file cannot be watched, and need not be.
            let _ = self.watch(fd, token(OUTPUT, n));
        }
        if let Some(core) = &mut self.core
            && let Some(output) = core.outlets.outputs.get_mut(n)
        {
            output.set_registered(has);
        }
    }

    fn serve_readers(&mut self, now: Clocks) {
        let Some(core) = &mut self.core else {
            return;
        };
        let stored = std::mem::take(&mut core.outlets.stored);
        let Core {
            engine,
            outlets,
            sources,
            rules,
            ..
        } = core;
        let open = self.readers.iter().flatten().count();
        let (streams, zone) = (&self.streams, &self.zone);
        let inputs = || figures(sources, rules, streams, open);
        let mut gone = Vec::new();
        for (at, slot) in self.readers.iter_mut().enumerate() {
            let Some(reader) = slot else {
                continue;
            };
            let news = stored && reader.client.follows().is_some();
            if !reader.ready && !news {
                continue;
            }
            let mut desk = Desk {
                engine: &mut *engine,
                outlets: &mut *outlets,
                now,
                inputs: &inputs,
            };
            let after = reader.client.serve(&mut desk, zone);
            reader.ready = after == control::After::More;
            if after == control::After::Closed {
                gone.push((at, reader.client.raw_fd()));
            }
        }
        for (at, fd) in gone {
            self.forget(fd);
            if let Some(slot) = self.readers.get_mut(at) {
                *slot = None;
            }
        }
    }

    fn say(&mut self, severity: Severity, msgid: &str, text: &str, now: Clocks) {
        if let Some(core) = &mut self.core {
            core.say(severity, msgid.as_bytes(), text, now);
        }
    }

    /// Tells the parent what is wanted, as far as it listens.
    fn tell(&mut self) {
        while let Some(bytes) = self.wants.front() {
            // Requests are so short that the socket takes all of one or nothing.
            match (&self.socket).write(bytes) {
                Ok(n) if n == bytes.len() => {
                    self.wants.pop_front();
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // Half of one cannot be taken back, and without a parent there is no work.
                _ => {
                    self.parent_gone = true;
                    return;
                }
            }
        }
    }

    /// The end, in order: what has come is read, what waits is written.
    fn end(&mut self) {
        let now = clocks();
        if let Some(core) = &mut self.core {
            for source in &mut core.sources {
                source.ready = true;
            }
        }
        // A bounded number of rounds: who goes on sending does not keep us from ending.
        for _ in 0..64 {
            self.round(now);
            if !self.core.as_ref().is_some_and(Core::is_ready) {
                break;
            }
        }
        self.say(Severity::INFO, "END", "ends", now);
        if let Some(core) = &mut self.core {
            core.end(now);
        }
        self.serve_readers(now);
        for reader in self.readers.iter_mut().flatten() {
            reader.client.farewell(EndWhy::Exit);
        }
    }
}

/// What comes in, in figures.
fn figures(
    sources: &[crate::io::source::Source],
    rules: &crate::io::receive::Rules,
    streams: &Streams,
    readers: usize,
) -> Value {
    let fate = |fate| streams.tally().get(fate);
    let errors: u64 = sources.iter().map(|s| s.errors()).sum();
    let overrun: u64 = sources.iter().map(|s| s.overrun()).sum();
    json!({
        "cut": rules.cut,
        "denied": rules.denied,
        "errors": errors,
        "overrun": overrun,
        "connections": streams.open(),
        "connections_refused": fate(Fate::Refused),
        "connections_crowded": fate(Fate::Crowded),
        "connections_replaced": fate(Fate::Replaced),
        "connections_no_handshake": fate(Fate::NoHandshake),
        "connections_no_message": fate(Fate::NoMessage),
        "connections_broken": streams.broken(),
        "skipped_bytes": streams.skipped(),
        "readers": readers,
    })
}
