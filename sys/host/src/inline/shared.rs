// SPDX-License-Identifier: BSD-2-Clause
//! What a pair is, for all of its threads.
//!
//! *Contexts*: thread. *Locking*: `live` is held while the state is changed or looked at; nothing
//! else is taken then.

use std::sync::{Arc, Mutex};

use super::ends::Ends;
use super::oslink::OsLink;
use super::state::{State, StateFile};
use crate::home::Home;
use crate::pfil::Port;

/// What changes while a pair lives.
#[derive(Debug)]
pub struct Live {
    /// The tap as the OS has it.
    pub tap: OsLink,
    /// The interface whose place it took.
    pub physical: OsLink,
    /// What it takes to undo all, and where that is written; `None`: it is undone.
    pub undo: Option<(StateFile, State)>,
    /// Routes that the tap could not take over.
    pub unplaced: Vec<Vec<u8>>,
}

/// What the threads of a pair share.
#[derive(Debug)]
pub struct Core {
    /// The kernel it belongs to.
    pub home: Arc<Home>,
    /// Both ends.
    pub ends: Arc<Ends>,
    /// Where packets pass the hooks.
    pub hooks: Arc<Port>,
    /// See there.
    pub live: Mutex<Live>,
}

impl Core {
    /// Say something about it.
    pub fn say(&self, level: u32, what: &str) {
        let line = format!("{}: {what}", self.ends.port.name());
        self.home.log.put(level, line.as_bytes());
    }

    /// The tap is up or down now.
    pub fn note_up(&self, up: bool) {
        self.ends.set_up(up);
        self.hooks.set_up(up);
    }
}
