// SPDX-License-Identifier: BSD-2-Clause
//! What a helper wants done to a packet, and doing it.

use kern::pfil::Rx;
use wire::packet::Packet;
use wire::packet::Upper;
use wire::rewrite;
use wire::rewrite::Sums;

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
#[derive(Default)]
pub(super) struct Plan {
    /// In order of their places.
    pub edits: [Option<Edit>; EDITS],
    pub n: usize,
    /// Bytes held back before that go in front.
    pub prefix: usize,
    /// The number that the first byte is sent with, if it is another than the packet's.
    pub seq: Option<u32>,
    /// Nothing of it goes on.
    pub swallow: bool,
    /// Tell the sender that all has come.
    pub ack: bool,
}

impl Plan {
    /// Adds a change; false: no room.
    pub fn edit(&mut self, at: usize, old: usize, text: &[u8]) -> bool {
        let (Some(slot), Some(_)) = (self.edits.get_mut(self.n), TEXT.checked_sub(text.len()))
        else {
            return false;
        };
        let mut new = [0; TEXT];
        if let Some(room) = new.get_mut(..text.len()) {
            room.copy_from_slice(text);
        }
        *slot = Some(Edit {
            at,
            old,
            new,
            len: text.len(),
        });
        self.n = self.n.wrapping_add(1);
        true
    }

    pub fn changes(&self) -> bool {
        self.n > 0 || self.prefix > 0 || self.seq.is_some()
    }
}

/// Does what was planned, in a copy; the new length.
pub(super) fn rebuild(
    room: &mut [u8],
    p: &mut Packet,
    rx: &Rx,
    at: usize,
    prefix: &[u8],
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
    if !prefix.is_empty() {
        len = rewrite::splice(room, p, at, 0, prefix, sums).ok()?;
    }
    // From the end, so that what is before stays where it was.
    for edit in plan.edits.iter().rev().flatten() {
        let place = at.saturating_add(edit.at);
        let new = edit.new.get(..edit.len)?;
        len = rewrite::splice(room, p, place, edit.old, new, sums).ok()?;
    }
    Some(len)
}
