// SPDX-License-Identifier: BSD-2-Clause
//! A configuration, as the parent sends it piece by piece, made into what the loop works with.

use crate::conf::What;
use crate::io::output::Output;
use crate::io::queue::Queue;
use crate::io::region::Memory;
use crate::io::region::PLACE;
use crate::io::remote::Remote;
use crate::io::rings::Access;
use crate::io::rings::Kept;
use crate::io::source::Source;
use crate::io::trust;
use crate::privsep::wire::Heard;
use crate::privsep::wire::Setup;
use crate::privsep::wire::ToWorker;
use liblog::ring::MIN_SIZE;
use libsys::map::Mapped;
use libsys::sandbox;
use libsys::sandbox::Use;
use rustls::ClientConfig;
use rustls::ServerConfig;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// What has come so far.
pub struct Gathered {
    /// Its number.
    pub generation: u32,
    /// What it says.
    pub setup: Setup,
    /// What messages come from.
    pub sources: Vec<Source>,
    /// Files of rings.
    pub kept: Vec<Kept>,
    /// Files of queues, by output.
    spools: Vec<Kept>,
    /// What went wrong.
    pub notes: Vec<String>,
}

/// What the loop makes of a message of the parent.
pub enum Piece {
    /// It was a piece of a configuration.
    Taken,
    /// It was the last one.
    Whole(Box<Gathered>),
    /// It is about something else.
    Other(Heard),
}

/// The pieces of the configuration that is coming.
#[derive(Default)]
pub struct Gather(Option<Box<Gathered>>);

fn kept(index: u16, len: u64, new: Option<u64>, heard: Heard) -> Option<Kept> {
    let mut files = heard.fds.into_iter().map(File::from);
    Some(Kept {
        index: usize::from(index),
        file: files.next()?,
        len,
        new: files.next().zip(new),
    })
}

impl Gather {
    /// Takes a piece.
    pub fn take(&mut self, heard: Heard) -> Piece {
        let generation = heard.generation;
        match (&heard.what, &mut self.0) {
            (ToWorker::Setup(_), _) => {
                if let ToWorker::Setup(setup) = heard.what {
                    self.0 = Some(Box::new(Gathered {
                        generation,
                        setup: *setup,
                        sources: Vec::new(),
                        kept: Vec::new(),
                        spools: Vec::new(),
                        notes: Vec::new(),
                    }));
                }
            }
            (ToWorker::Go, _) => {
                if let Some(gathered) = self.0.take() {
                    return Piece::Whole(gathered);
                }
            }
            (&ToWorker::Input(input), Some(gathered)) => {
                if let Some(fd) = heard.fds.into_iter().next() {
                    let to = if input.accepts() {
                        Use::Accept
                    } else {
                        Use::Read
                    };
                    // A system that cannot limit it says so elsewhere.
                    if let Err(e) = sandbox::limit(fd.as_fd(), to) {
                        gathered.notes.push(format!("{input:?}: {e}"));
                    }
                    gathered.sources.push(Source::new(input, fd));
                }
            }
            (&ToWorker::Ring { index, len, new }, Some(gathered)) => {
                gathered.kept.extend(kept(index, len, new, heard));
            }
            (&ToWorker::Spool { index, len, new }, Some(gathered)) => {
                gathered.spools.extend(kept(index, len, new, heard));
            }
            _ => return Piece::Other(heard),
        }
        Piece::Taken
    }
}

impl Gathered {
    /// Who may read what.
    #[must_use]
    pub fn access(&self) -> Access {
        Access {
            control: self.setup.control.clone(),
            readers: self.setup.readers.clone(),
            owner: self.setup.owner,
        }
    }

    /// Messages are not longer.
    #[must_use]
    pub fn message(&self) -> usize {
        usize::try_from(self.setup.conf.settings.message)
            .unwrap_or(usize::MAX)
            .clamp(480, 1 << 20)
    }

    /// For connections that come in by TLS; what is wrong with that is noted, if some may come.
    pub fn server(&mut self, wanted: bool) -> Option<Arc<ServerConfig>> {
        if !wanted {
            return None;
        }
        let conf = &self.setup.conf;
        let certs = self.setup.certs.last().map_or(&[][..], Vec::as_slice);
        match trust::server(&conf.tls, certs, &self.setup.pem) {
            Ok(config) => Some(config),
            Err(e) => {
                self.notes.push(e);
                None
            }
        }
    }

    /// The queue of a host: on disk, if there is a file for it.
    fn queue(&mut self, index: usize, bytes: u64, most: Option<u64>) -> Option<Queue> {
        let boot = self.setup.boot ^ (index as u64) << 32;
        if let Some(at) = self.spools.iter().position(|kept| kept.index == index) {
            let spool = self.spools.swap_remove(at);
            match spooled(spool, boot, most) {
                Ok(queue) => return Some(queue),
                Err(e) => self.notes.push(format!("a queue on disk: {e}")),
            }
        }
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(MIN_SIZE);
        // It is as large as a ring has to be: see above.
        Queue::new(Memory::plain(bytes), boot, most, None).ok()
    }

    fn client(&mut self, index: usize, spec: &crate::conf::Remote) -> Option<Arc<ClientConfig>> {
        if spec.transport != crate::conf::Transport::Tls {
            return None;
        }
        let certs = self.setup.certs.get(index).map_or(&[][..], Vec::as_slice);
        match trust::client(&spec.trust, certs, &self.setup.pem) {
            Ok(config) => Some(config),
            Err(e) => {
                self.notes.push(format!("{}: {e}", spec.host));
                None
            }
        }
    }

    /// The outputs, none of them open.
    pub fn outputs(&mut self) -> Vec<Output> {
        let specs = std::mem::take(&mut self.setup.conf.outputs);
        let message = self.message();
        let mut outputs = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let remote = match &spec.what {
                What::Remote(remote) => {
                    let tls = self.client(index, remote);
                    let bounds = &remote.queue;
                    let queue = self.queue(index, bounds.bytes, bounds.messages);
                    queue.map(|queue| {
                        Remote::new(remote.clone(), &self.setup.host, queue, message, tls)
                    })
                }
                _ => None,
            };
            let (format, host) = (self.setup.format, &self.setup.host);
            outputs.push(Output::new(spec, remote, format, host, message));
        }
        self.setup.conf.outputs = specs;
        outputs
    }
}

fn spooled(spool: Kept, boot: u64, most: Option<u64>) -> io::Result<Queue> {
    let open = |file: File, len: u64| {
        let size = usize::try_from(len).map_err(io::Error::other)?;
        if size < PLACE + MIN_SIZE {
            return Err(io::Error::other("too small"));
        }
        let map = Memory::Placed(Mapped::new(&file, size)?);
        Queue::new(map, boot, most, Some(file)).map_err(io::Error::other)
    };
    let old = open(spool.file, spool.len)?;
    match spool.new {
        None => Ok(old),
        Some((file, len)) => {
            // What waits in the old one goes on in the new one, as far as it fits.
            let mut old = old;
            let mut new = open(file, len)?;
            while let Some(record) = old.take() {
                new.push(&record.msg, record.at);
            }
            Ok(new)
        }
    }
}
