// SPDX-License-Identifier: BSD-2-Clause
//! Frames on their way to taps, joined where they are consecutive TCP or UDP of one flow.
//!
//! *Contexts*: softint. *Locking*: none; each thread has a joiner of its own.
//!
//! Frames of one flow leave in the order they came in. The rules are in [`crate::offload::gro`].

use std::io::IoSlice;
use std::sync::Arc;

use kpi_sys::KPI_IFS_IQDROPS;

use crate::mbuf::Mbuf;
use crate::offload::gro::{Candidate, Group};
use crate::offload::gso::HEADERS_MOST;
use crate::offload::layout::{L4, Layout};
use crate::tap::Tap;

/// Flows that are joined side by side.
const FLOWS: usize = 8;
/// A packet in more pieces than this is not joined: Linux takes 1,024 for a whole group.
const PIECES_WORTH: usize = 12;

/// Frames of one flow.
struct Flow {
    tap: Arc<Tap>,
    group: Group,
    first: Candidate,
    /// The checksum of the first frame: not looked at until a second one comes.
    verified: Option<bool>,
    frames: Vec<Mbuf>,
}

/// See the module's text.
#[derive(Default)]
pub struct Joiner {
    flows: Vec<Flow>,
    /// Emptied lists of frames, for the next flows.
    spare: Vec<Vec<Mbuf>>,
    pieces: Vec<IoSlice<'static>>,
}

impl Joiner {
    /// A frame for `tap`: written now, or joined with others until [`Joiner::flush`].
    pub fn input(&mut self, tap: &Arc<Tap>, m: Mbuf) {
        let head = m.head();
        let Some(layout) = Layout::parse(head).filter(|_| tap.takes_large(false)) else {
            // Who knows what it belongs to: it overtakes nothing.
            self.flush_tap(tap);
            return write(tap, &m);
        };
        let candidate = Candidate::new(layout, head, m.len()).filter(|_| {
            tap.takes_large(layout.proto == L4::Udp) && m.segments().nth(PIECES_WORTH).is_none()
        });
        let same = |flow: &Flow| {
            Arc::ptr_eq(&flow.tap, tap) && flow.group.same_flow(flow.head(), layout, head)
        };
        let at = self.flows.iter().position(same);
        if let Some(flow) = at.and_then(|at| self.flows.get_mut(at))
            && let Some(next) = candidate
            && flow.takes(&next, &m)
        {
            flow.group.join(&next, m.head());
            flow.frames.push(m);
            return;
        }
        if let Some(at) = at {
            self.finish(at);
        }
        match candidate {
            Some(first) => self.begin(tap, first, m),
            None => write(tap, &m),
        }
    }

    fn begin(&mut self, tap: &Arc<Tap>, first: Candidate, m: Mbuf) {
        if self.flows.len() == FLOWS {
            self.finish(0);
        }
        let group = Group::new(first, m.head());
        let mut frames = self.spare.pop().unwrap_or_default();
        frames.push(m);
        self.flows.push(Flow {
            tap: Arc::clone(tap),
            group,
            first,
            verified: None,
            frames,
        });
    }

    /// Write all that has been joined.
    pub fn flush(&mut self) {
        while !self.flows.is_empty() {
            self.finish(0);
        }
    }

    fn flush_tap(&mut self, tap: &Arc<Tap>) {
        while let Some(at) = self
            .flows
            .iter()
            .position(|flow| Arc::ptr_eq(&flow.tap, tap))
        {
            self.finish(at);
        }
    }

    fn finish(&mut self, at: usize) {
        let mut flow = self.flows.remove(at);
        match flow.frames.as_slice() {
            [only] => write(&flow.tap, only),
            frames => {
                let pieces = std::mem::take(&mut self.pieces);
                self.pieces = flow.write_large(frames, pieces);
            }
        }
        flow.frames.clear();
        self.spare.push(flow.frames);
    }
}

/// The same room without the slices, hence of any lifetime.
fn recycle<'b>(mut pieces: Vec<IoSlice<'_>>) -> Vec<IoSlice<'b>> {
    pieces.clear();
    // Vec collects in place: nothing is allocated.
    pieces.into_iter().map(|_| IoSlice::new(&[])).collect()
}

fn dropped(tap: &Tap, n: usize) {
    tap.port.stats.add(KPI_IFS_IQDROPS as usize, n as u64);
}

fn write(tap: &Tap, m: &Mbuf) {
    if tap.write(m).is_err() {
        dropped(tap, 1);
    }
}

impl Flow {
    fn head(&self) -> &[u8] {
        self.frames.first().map_or(&[], Mbuf::head)
    }

    fn takes(&mut self, next: &Candidate, m: &Mbuf) -> bool {
        let Some(first) = self.frames.first() else {
            return false;
        };
        if !self.group.fits(first.head(), next, m.head()) {
            return false;
        }
        let (candidate, verified) = (self.first, &mut self.verified);
        *verified.get_or_insert_with(|| candidate.verify(first.head(), first.segments()))
            && next.verify(m.head(), m.segments())
    }

    /// Write `frames` as one; `pieces` is room to use again.
    fn write_large(&self, frames: &[Mbuf], pieces: Vec<IoSlice<'static>>) -> Vec<IoSlice<'static>> {
        let hdr = self.group.headers();
        let mut headers = [0; HEADERS_MOST];
        let vnet = self.group.write(self.head(), &mut headers[..hdr]);
        let mut pieces = recycle(pieces);
        pieces.extend([IoSlice::new(&vnet), IoSlice::new(&headers[..hdr])]);
        for m in frames {
            let mut skip = hdr;
            for bytes in m.segments() {
                let now = skip.min(bytes.len());
                skip -= now;
                if now < bytes.len() {
                    pieces.push(IoSlice::new(&bytes[now..]));
                }
            }
        }
        if self.tap.write_pieces(&pieces).is_err() {
            dropped(&self.tap, frames.len());
        }
        recycle(pieces)
    }
}
