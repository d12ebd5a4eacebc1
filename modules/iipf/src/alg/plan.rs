// SPDX-License-Identifier: BSD-2-Clause
//! What a helper wants done to a packet, and doing it.

use kern::cx::Cx;
use kern::errno::Errno;
use kern::mem::KVec;
use kern::pfil::Rx;
use wire::packet::Packet;
use wire::packet::Upper;
use wire::rewrite;
use wire::rewrite::Sums;

use super::control::HELD;

/// Text that may take another's place.
const TEXT: usize = wire::alg::ftp::MAX_TEXT;
/// Changes of one payload.
const EDITS: usize = 8;

/// One change.
#[derive(Clone, Copy)]
pub(super) struct Edit {
    /// Where, from the front of what was held back and the payload, and how many bytes.
    at: usize,
    old: usize,
    new: [u8; TEXT],
    len: usize,
}

/// What a helper wants done.
pub(super) struct Plan {
    /// In order of their places, in room that is made before.
    edits: KVec<Edit>,
    /// Bytes held back before that go in front.
    pub prefix: usize,
    /// HELD bytes, which begin with these.
    held: KVec<u8>,
    /// The number that the first byte is sent with, if it is another than the packet's.
    pub seq: Option<u32>,
    /// Nothing of it goes on.
    pub swallow: bool,
    /// Tell the sender that all has come.
    pub ack: bool,
}

impl Plan {
    /// Nothing.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: Cx>(cx: &mut C) -> Result<Plan, Errno> {
        Ok(Plan {
            edits: KVec::with_capacity(cx, EDITS)?,
            prefix: 0,
            held: KVec::from_fn(cx, HELD, |_| 0)?,
            seq: None,
            swallow: false,
            ack: false,
        })
    }

    /// Notes what is held back, of which `prefix` bytes count.
    pub fn keep(&mut self, held: &[u8; HELD]) {
        wire::copy(&mut self.held, held);
    }

    /// Adds a change; false: no room.
    pub fn edit(&mut self, at: usize, old: usize, text: &[u8]) -> bool {
        if text.len() > TEXT {
            return false;
        }
        let mut new = [0; TEXT];
        wire::copy(&mut new, text);
        let len = text.len();
        self.edits.push_within(Edit { at, old, new, len }).is_ok()
    }

    pub fn changes(&self) -> bool {
        !self.edits.is_empty() || self.prefix > 0 || self.seq.is_some()
    }
}

/// Does what was planned, in a copy; the new length.
pub(super) fn rebuild(
    room: &mut [u8],
    p: &mut Packet,
    rx: &Rx,
    at: usize,
    plan: &Plan,
) -> Option<usize> {
    let sums = if rx.csum_partial {
        Sums::Partial
    } else {
        Sums::Whole
    };
    if let (Some(seq), Upper::Tcp(seg)) = (plan.seq, p.upper) {
        rewrite::shift(room, p, seq.wrapping_sub(seg.seq), 0, sums);
    }
    let mut len = p.end();
    let prefix = plan.held.get(..plan.prefix).unwrap_or_default();
    if !prefix.is_empty() {
        len = rewrite::splice(room, p, at, 0, prefix, sums).ok()?;
    }
    // From the end, so that what is before stays where it was.
    for edit in plan.edits.iter().rev() {
        let place = at.saturating_add(edit.at);
        let new = edit.new.get(..edit.len)?;
        len = rewrite::splice(room, p, place, edit.old, new, sums).ok()?;
    }
    Some(len)
}
