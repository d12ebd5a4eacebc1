// SPDX-License-Identifier: BSD-2-Clause
//! The worker hears its parent: configurations, and outputs that were opened.

use super::BATCH;
use super::SOURCE;
use super::Worker;
use super::clocks;
use super::token;
use crate::io::core::Core;
use crate::io::gather::Gathered;
use crate::io::gather::Piece;
use crate::privsep::wire::Heard;
use crate::privsep::wire::Sound;
use crate::privsep::wire::ToWorker;
use crate::privsep::wire::Want;
use liblog::Clocks;
use liblog::Severity;
use libsys::batch::Batch;
use std::io;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;

impl Worker {
    /// Hears what the parent says.
    pub(super) fn listen(&mut self) -> io::Result<()> {
        loop {
            match self.ear.listen(&self.socket)? {
                Sound::Quiet => return Ok(()),
                Sound::End => {
                    self.parent_gone = true;
                    return Ok(());
                }
                Sound::Message(heard) => self.heard(heard),
            }
        }
    }

    fn heard(&mut self, heard: Heard) {
        let now = clocks();
        match self.gather.take(heard) {
            Piece::Taken => {}
            Piece::Whole(gathered) => self.configure(*gathered, now),
            Piece::Other(heard) => {
                let current = self.core.as_ref().map(|core| core.generation);
                let fresh = current == Some(heard.generation);
                match heard.what {
                    ToWorker::Note { severity, text } => {
                        let severity = Severity::new(severity).unwrap_or(Severity::NOTICE);
                        self.say(severity, "PARENT", &text, now);
                    }
                    ToWorker::Opened { index } if fresh => {
                        self.opened(usize::from(index), heard.fds, now);
                    }
                    ToWorker::Failed { index, why } if fresh => {
                        let random = self.random();
                        let n = usize::from(index);
                        let output = self
                            .core
                            .as_mut()
                            .and_then(|c| c.outlets.outputs.get_mut(n));
                        let turn = output.map(|o| o.failed(&why, now.mono, random));
                        self.after(n, turn.unwrap_or_default(), now);
                    }
                    _ => {}
                }
            }
        }
    }

    fn opened(&mut self, n: usize, fds: Vec<OwnedFd>, now: Clocks) {
        let random = self.random();
        let output = self
            .core
            .as_mut()
            .and_then(|c| c.outlets.outputs.get_mut(n));
        let turn = output.map(|o| o.opened(fds, now.mono, random));
        self.after(n, turn.unwrap_or_default(), now);
    }

    /// Goes on with another configuration.
    fn configure(&mut self, gathered: Gathered, now: Clocks) {
        let message = gathered.message();
        for fd in self.watched() {
            self.forget(fd);
        }
        let old = self.core.take();
        match Core::new(gathered, old, &self.zone, now) {
            Ok(core) => self.core = Some(core),
            Err((e, old)) => {
                self.core = old.map(|core| *core);
                self.say(Severity::ERR, "CONFIG", &e, now);
            }
        }
        if self.batch.size() != message {
            self.batch = Batch::new(BATCH, message);
        }
        let Some(core) = &self.core else {
            return;
        };
        self.wants.clear();
        self.wants.push_back(Want::Ready.bytes(core.generation));
        let sources: Vec<RawFd> = core.sources.iter().map(|s| s.raw_fd()).collect();
        for (n, fd) in sources.into_iter().enumerate() {
            if let Err(e) = self.watch_input(fd, token(SOURCE, n)) {
                self.say(Severity::ERR, "CONFIG", &format!("input: {e}"), now);
            }
        }
        // Those that went on have another number now; those that were being opened are not.
        let count = self.core.as_ref().map_or(0, |c| c.outlets.outputs.len());
        for n in 0..count {
            let random = self.random();
            if let Some(core) = &mut self.core
                && let Some(output) = core.outlets.outputs.get_mut(n)
            {
                output.set_registered(None);
                output.reconfigured(now.mono, random);
            }
            self.rewatch(n);
        }
    }

    /// What the event loop knows of the configuration.
    fn watched(&self) -> Vec<RawFd> {
        let Some(core) = &self.core else {
            return Vec::new();
        };
        let sources = core.sources.iter().map(|source| source.raw_fd());
        let outputs = core.outlets.outputs.iter().filter_map(|o| o.registered());
        sources.chain(outputs).collect()
    }
}
