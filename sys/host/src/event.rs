// SPDX-License-Identifier: BSD-2-Clause
//! What a routing socket tells: interfaces come, go and change.
//!
//! *Contexts*: thread. *Locking*: a mutex, held while an event is handed out.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::sync::lock;

/// One change of an interface, named by its index and its name then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Has become known.
    IfAttach {
        /// Interface index.
        index: u32,
        /// Interface name.
        name: String,
    },
    /// Is gone.
    IfDetach {
        /// Interface index.
        index: u32,
        /// Interface name.
        name: String,
    },
    /// The link state is now known to be up or down.
    Link {
        /// Interface index.
        index: u32,
        /// Interface name.
        name: String,
        /// Whether the link is up.
        up: bool,
    },
    /// Was set up.
    Up {
        /// Interface index.
        index: u32,
        /// Interface name.
        name: String,
    },
    /// Was set down.
    Down {
        /// Interface index.
        index: u32,
        /// Interface name.
        name: String,
    },
    /// Has a new MTU.
    Mtu {
        /// Interface index.
        index: u32,
        /// Interface name.
        name: String,
        /// Bytes.
        mtu: u32,
    },
    /// Has a new name.
    Rename {
        /// Interface index.
        index: u32,
        /// The name now.
        name: String,
        /// The name before.
        from: String,
    },
}

/// Those who want to hear.
#[derive(Debug, Default)]
pub struct Events(Mutex<Vec<Sender<Event>>>);

impl Events {
    /// All events from now on.
    pub fn subscribe(&self) -> Receiver<Event> {
        let (tx, rx) = channel();
        lock(&self.0).push(tx);
        rx
    }

    /// Tell everybody; who hung up is forgotten.
    pub fn post(&self, event: &Event) {
        lock(&self.0).retain(|tx| tx.send(event.clone()).is_ok());
    }
}
