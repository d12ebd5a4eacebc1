// SPDX-License-Identifier: BSD-2-Clause
//! An output of the configuration, whatever it is: what the loop does with all of them.

use crate::conf::Format;
use crate::conf::Output as Spec;
use crate::conf::What;
use crate::io::link::Todo;
use crate::io::remote::Progress;
use crate::io::remote::Remote;
use crate::io::sink::Flushed;
use crate::io::sink::Sink;
use crate::io::sink::Style;
use crate::io::terminals::Terminals;
use liblog::Clocks;
use liblog::Msg;
use liblog::time::Zone;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;

/// Faults that stay are told once in so long.
const TELL: u64 = 60 * 1_000_000_000;

/// What it is.
pub enum Kind {
    /// A file or a command.
    Lines(Box<Sink>),
    /// Another host.
    Remote(Box<Remote>),
    /// Users' terminals.
    Terminals(Box<Terminals>),
    /// It could not be set up; what is meant for it is lost.
    None,
}

/// An output.
pub struct Output {
    name: String,
    /// What we are called, where a message has no host.
    host: Vec<u8>,
    kind: Kind,
    lost: u64,
    /// Faults are not told again before that time.
    quiet: u64,
    /// What went wrong while messages were taken in, to be seen to at its turn.
    fault: Option<Flushed>,
    /// It can be written to, as far as is known.
    pub ready: bool,
    /// What the event loop knows it by, if it does.
    registered: Option<RawFd>,
}

/// What the loop does after an output had its turn.
#[derive(Debug, Default)]
pub struct Turn {
    /// The parent is asked to open it.
    pub open: bool,
    /// It is to be served again at once.
    pub more: bool,
    /// Something to log as one's own: how bad, and what.
    pub note: Option<(bool, String)>,
}

/// The name of an output, for people.
fn name(what: &What) -> String {
    match what {
        What::File { path, .. } => path.clone(),
        What::Remote(remote) => {
            let transport = format!("{:?}", remote.transport).to_lowercase();
            format!("{transport} {} port {}", remote.host, remote.port)
        }
        What::Users(names) => format!("users {}", names.join(",")),
        What::Wall => "users *".into(),
        What::Pipe(command) => format!("| {command}"),
    }
}

impl Output {
    /// From what the configuration says; a remote host comes ready made.
    #[must_use]
    pub fn new(
        spec: &Spec,
        remote: Option<Remote>,
        format: Option<Format>,
        host: &str,
        message: usize,
    ) -> Output {
        let style = |full| match (full, format) {
            (_, Some(Format::Ietf)) => Style::Ietf,
            (true, _) => Style::Full,
            (false, _) => Style::Plain,
        };
        let kind = match &spec.what {
            What::File { sync, full, .. } => {
                Kind::Lines(Box::new(Sink::new(style(*full), *sync, message)))
            }
            What::Pipe(_) => Kind::Lines(Box::new(Sink::new(style(false), false, message))),
            What::Users(_) => Kind::Terminals(Box::new(Terminals::new(host, false, message))),
            What::Wall => Kind::Terminals(Box::new(Terminals::new(host, true, message))),
            What::Remote(_) => remote.map_or(Kind::None, |r| Kind::Remote(Box::new(r))),
        };
        Output {
            name: name(&spec.what),
            host: host.as_bytes().to_vec(),
            kind,
            lost: 0,
            quiet: 0,
            fault: None,
            ready: false,
            registered: None,
        }
    }

    /// Takes a message in.
    pub fn put(&mut self, msg: &Msg<'_>, at: Clocks, zone: &Zone) {
        let stamp = msg.sent.unwrap_or(at.wall);
        let mut named = *msg;
        if named.host.is_empty() {
            named.host = &self.host;
        }
        match &mut self.kind {
            Kind::Lines(sink) => match sink.add(&named, stamp, zone, at) {
                Flushed::All | Flushed::Later => {}
                fault => self.fault = Some(fault),
            },
            Kind::Remote(remote) => remote.push(msg, at),
            Kind::Terminals(terminals) => terminals.add(&named, stamp, zone),
            Kind::None => self.lost += 1,
        }
    }

    /// What the event loop is to know it by; `None` for files, which are always ready.
    #[must_use]
    pub fn raw_fd(&self) -> Option<RawFd> {
        match &self.kind {
            Kind::Lines(sink) => sink.fd().map(|fd| fd.as_raw_fd()),
            Kind::Remote(remote) => remote.raw_fd(),
            Kind::Terminals(_) | Kind::None => None,
        }
    }

    /// The event loop knows it now by that.
    pub fn set_registered(&mut self, fd: Option<RawFd>) {
        self.registered = fd;
    }

    /// What the event loop knows it by.
    #[must_use]
    pub fn registered(&self) -> Option<RawFd> {
        self.registered
    }

    /// The parent opened it.
    pub fn opened(&mut self, fds: Vec<OwnedFd>, now: u64, random: u64) -> Turn {
        let failures = match &mut self.kind {
            Kind::Lines(sink) => sink.link().failures(),
            Kind::Remote(remote) => remote.link().failures(),
            _ => 0,
        };
        let mut fds = fds.into_iter();
        let result = match (&mut self.kind, fds.next()) {
            (Kind::Lines(sink), Some(fd)) => {
                sink.opened(File::from(fd), now);
                Ok(())
            }
            (Kind::Remote(remote), Some(fd)) => remote.opened(fd, now),
            (Kind::Terminals(terminals), first) => {
                terminals.opened(first.into_iter().chain(fds));
                return Turn::default();
            }
            _ => Ok(()),
        };
        match result {
            Err(e) => self.failed(&e.to_string(), now, random),
            Ok(()) => {
                self.ready = true;
                Turn {
                    more: true,
                    note: (failures > 0).then(|| (false, format!("{}: back again", self.name))),
                    ..Turn::default()
                }
            }
        }
    }

    /// It could not be opened, or was lost.
    pub fn failed(&mut self, why: &str, now: u64, random: u64) -> Turn {
        match &mut self.kind {
            Kind::Lines(sink) => sink.link().failed(now, random),
            Kind::Remote(remote) => remote.lost(now, random),
            Kind::Terminals(terminals) => terminals.failed(),
            Kind::None => {}
        }
        self.ready = false;
        self.told(why, now)
    }

    /// A note about a fault, if there was none of late.
    fn told(&mut self, why: &str, now: u64) -> Turn {
        if now < self.quiet {
            return Turn::default();
        }
        self.quiet = now.saturating_add(TELL);
        Turn {
            note: Some((true, format!("{}: {why}", self.name))),
            ..Turn::default()
        }
    }

    /// The descriptor has something to read: a host that ends the connection.
    pub fn readable(&mut self, now: u64, random: u64) -> Turn {
        match &mut self.kind {
            Kind::Remote(remote) => match remote.read() {
                Ok(()) => Turn::default(),
                Err(e) => self.failed(&e.to_string(), now, random),
            },
            _ => Turn::default(),
        }
    }

    /// The descriptor takes bytes again.
    pub fn writable(&mut self) {
        self.ready = true;
        if let Kind::Lines(sink) = &mut self.kind {
            sink.ready();
        }
    }

    /// Its turn: writes what it can, and says what it needs.
    pub fn turn(&mut self, now: u64, random: u64, zone: &Zone) -> Turn {
        let mut turn = match &mut self.kind {
            Kind::Lines(sink) => match self.fault.take().unwrap_or_else(|| sink.flush(now)) {
                Flushed::All | Flushed::Later => Turn::default(),
                Flushed::Stuck(e) => self.told(&e.to_string(), now),
                Flushed::Lost(e) => self.failed(&e.to_string(), now, random),
            },
            Kind::Remote(remote) if remote.hangs(now) => {
                self.failed("no answer in the handshake of TLS", now, random)
            }
            Kind::Remote(remote) if self.ready => match remote.write(zone) {
                Progress::Done => Turn::default(),
                Progress::Blocked => {
                    self.ready = false;
                    Turn::default()
                }
                Progress::More => Turn {
                    more: true,
                    ..Turn::default()
                },
                Progress::Lost(e) => self.failed(&e.to_string(), now, random),
            },
            _ => Turn::default(),
        };
        turn.open |= match &mut self.kind {
            Kind::Lines(sink) => sink.step(now, random) == Todo::Open,
            Kind::Remote(remote) => remote.step(now, random) == Todo::Open,
            Kind::Terminals(terminals) => terminals.step(),
            Kind::None => false,
        };
        turn
    }

    /// When it needs a turn if nothing happens.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        match &self.kind {
            Kind::Lines(sink) => sink.next(),
            Kind::Remote(remote) => remote.next(),
            Kind::Terminals(_) | Kind::None => None,
        }
    }

    /// It went on with a new configuration: an answer of the parent for the old one will not come.
    pub fn reconfigured(&mut self, now: u64, random: u64) {
        self.ready = true;
        let link = match &mut self.kind {
            Kind::Lines(sink) => sink.link(),
            Kind::Remote(remote) => remote.link(),
            Kind::Terminals(_) | Kind::None => return,
        };
        if link.is_opening() {
            link.failed(now, random);
        }
    }

    /// Whether it goes on with a new configuration that says the same: hosts and commands do, files
    /// are opened again, for they may have been renamed.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        match &self.kind {
            Kind::Remote(_) => true,
            Kind::Lines(_) => self.name.starts_with('|'),
            Kind::Terminals(_) | Kind::None => false,
        }
    }

    /// Takes over what waits in another one, for the same host or file.
    pub fn inherit(&mut self, old: &mut Output) {
        match (&mut self.kind, &mut old.kind) {
            (Kind::Remote(new), Kind::Remote(old)) => new.inherit(old),
            (Kind::Lines(new), Kind::Lines(old)) => new.inherit(old),
            _ => {}
        }
    }

    /// It ends; what could not be written by now is lost.
    pub fn close(&mut self, zone: &Zone) -> io::Result<()> {
        match &mut self.kind {
            Kind::Lines(sink) => {
                sink.close();
            }
            Kind::Remote(remote) => {
                if let Progress::Lost(e) = remote.write(zone) {
                    return Err(e);
                }
                remote.close();
            }
            Kind::Terminals(_) | Kind::None => {}
        }
        Ok(())
    }

    /// Its figures.
    #[must_use]
    pub fn stats(&mut self) -> Value {
        let name = &self.name;
        match &mut self.kind {
            Kind::Lines(sink) => json!({
                "name": name,
                "messages": sink.lines(),
                "lost": sink.lost(),
                "waiting_bytes": sink.waiting(),
                "open": sink.fd().is_some(),
            }),
            Kind::Remote(remote) => json!({
                "name": name,
                "messages": remote.sent(),
                "lost": remote.queue().lost(),
                "waiting": remote.queue().len(),
                "queue_bytes": remote.queue().size(),
                "failures": remote.link().failures(),
                "open": remote.link().is_open(),
            }),
            Kind::Terminals(terminals) => json!({
                "name": name,
                "messages": terminals.messages(),
                "lost": terminals.lost(),
            }),
            Kind::None => json!({ "name": name, "lost": self.lost, "open": false }),
        }
    }
}
