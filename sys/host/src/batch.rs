// SPDX-License-Identifier: BSD-2-Clause
//! What a thread's input brings forth, gathered and sent when that input has been worked off.
//!
//! *Contexts*: softint. *Locking*: none; each thread has a batch of its own.
//!
//! A door's thread reads what waits, up to a batch, and calls the modules for each packet within
//! [`run`]. Packets that they send meanwhile, and frames that they put up, wait here until the
//! input has run dry: no longer, so that gathering costs no latency. A thread without a batch of
//! its own (a callout, a test) sends at once.

use std::cell::RefCell;
use std::sync::Arc;

use crate::errno::Errno;
use crate::joiner::Joiner;
use crate::mbuf::Mbuf;
use crate::rawsock::RawPath;
use crate::sender::Sender;
use crate::tap::Tap;

/// Packets gathered before they are sent all the same.
const PACKETS_MOST: usize = 64;

#[derive(Default)]
struct Batch {
    open: bool,
    /// [`fitting`] wants to know how packets fit the outer path.
    watching: bool,
    /// Bytes that the packet sent meanwhile could be longer, or must be shorter, to fit it.
    slack: Option<isize>,
    /// Whom the next packets of `packets` go to, and how many.
    runs: Vec<(Arc<RawPath>, usize)>,
    packets: Vec<Mbuf>,
    sender: Sender,
    joiner: Joiner,
}

thread_local! {
    static BATCH: RefCell<Batch> = RefCell::default();
}

/// Work off a batch of input, then send what it brought forth.
pub fn run(f: impl FnOnce()) {
    BATCH.with(|batch| batch.borrow_mut().open = true);
    f();
    BATCH.with(|batch| {
        let mut batch = batch.borrow_mut();
        batch.open = false;
        // What was refused is counted where it was.
        let _ = batch.flush();
    });
}

/// Send `m` on `path`, now or at the end of the batch: `EMSGSIZE` when no IP packet has room for
/// it, and, when it is sent now, what the OS says.
pub fn output(path: &Arc<RawPath>, m: Mbuf) -> Result<(), Errno> {
    if m.len() > path.end.payload_most() {
        return Err(Errno::EMSGSIZE);
    }
    BATCH.with(|batch| {
        let mut batch = batch.borrow_mut();
        if batch.watching
            && let Some(fits) = path.fits()
        {
            let slack = fits as isize - m.len() as isize;
            batch.slack = Some(batch.slack.map_or(slack, |least| least.min(slack)));
        }
        batch.packets.push(m);
        match batch.runs.last_mut() {
            Some((last, n)) if Arc::ptr_eq(last, path) => *n += 1,
            _ => batch.runs.push((Arc::clone(path), 1)),
        }
        if batch.open && batch.packets.len() < PACKETS_MOST {
            Ok(())
        } else {
            batch.send()
        }
    })
}

/// Call `f`, which hands a frame to a module: how many bytes longer the frame could be, or must be
/// shorter if negative, so that what becomes of it fits the outer path without fragments. `None`:
/// nothing was sent, or nobody knows.
pub fn fitting(f: impl FnOnce()) -> Option<isize> {
    BATCH.with(|batch| batch.borrow_mut().watching = true);
    f();
    BATCH.with(|batch| {
        let mut batch = batch.borrow_mut();
        batch.watching = false;
        batch.slack.take()
    })
}

/// A frame goes to `tap`, now or at the end of the batch.
pub fn input(tap: &Arc<Tap>, m: Mbuf) -> Result<(), Errno> {
    BATCH.with(|batch| {
        let mut batch = batch.borrow_mut();
        if batch.open {
            batch.joiner.input(tap, m);
            return Ok(());
        }
        drop(batch);
        tap.write(&m).map_err(Errno::from)
    })
}

impl Batch {
    fn flush(&mut self) -> Result<(), Errno> {
        self.joiner.flush();
        self.send()
    }

    fn send(&mut self) -> Result<(), Errno> {
        let mut result = Ok(());
        let mut rest = self.packets.as_mut_slice();
        for (path, n) in self.runs.drain(..) {
            let Some((now, later)) = rest.split_at_mut_checked(n) else {
                break;
            };
            result = self.sender.send(&path, now).and(result);
            rest = later;
        }
        self.packets.clear();
        result
    }
}
