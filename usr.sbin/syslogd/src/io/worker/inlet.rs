// SPDX-License-Identifier: BSD-2-Clause
//! What the connections of senders see of the loop.

use crate::io::core::Core;
use crate::io::receive::Raw;
use crate::io::streams::Around;
use crate::io::streams::Piece;
use liblog::Clocks;
use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::RawFd;

/// Where their messages go, and who knows of their descriptors.
pub(super) struct Inlet<'a> {
    pub core: &'a mut Core,
    pub registry: &'a Registry,
    pub now: Clocks,
}

impl Inlet<'_> {
    /// The event loop is to know of one.
    pub fn watch(&self, fd: RawFd, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut SourceFd(&fd), token, both)
    }
}

impl Around for Inlet<'_> {
    fn take(&mut self, piece: Piece<'_>) {
        let raw = Raw {
            input: piece.input,
            bytes: piece.bytes,
            cut: piece.cut,
            from: Some(piece.from),
        };
        let core = &mut *self.core;
        core.rules
            .receive(raw, self.now, &mut core.engine, &mut core.outlets);
    }

    fn leave(&mut self, fd: RawFd) {
        // It may not have been known yet.
        let _ = self.registry.deregister(&mut SourceFd(&fd));
    }
}
