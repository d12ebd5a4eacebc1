// SPDX-License-Identifier: BSD-2-Clause
//! Port blocks given out and taken back, on their way into the log: noted on the packet path,
//! written by the worker.

use kern::cx::Cx;
use kern::errno::Result;
use kern::mem::KVec;
use kern::spin::Spin;

/// How many can wait; what does not fit is counted.
const ROOM: usize = 256;

/// What happened to a block.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    /// Given out, else taken back.
    pub open: bool,
    /// The host and its outside address, IPv4.
    pub inside: u32,
    pub outside: u32,
    pub proto: u8,
    pub lo: u16,
    pub hi: u16,
}

struct Ring {
    list: KVec<Option<Event>>,
    from: usize,
    n: usize,
    lost: u32,
}

/// Events in their order.
pub(crate) struct BlockLog(Spin<Ring>);

impl BlockLog {
    /// None.
    pub fn new<C: Cx>(cx: &mut C) -> Result<BlockLog> {
        let ring = Ring {
            list: KVec::from_fn(cx, ROOM, |_| None)?,
            from: 0,
            n: 0,
            lost: 0,
        };
        Spin::new(cx, ring).map(BlockLog)
    }

    /// Notes one.
    pub fn push(&self, event: Event) {
        let mut ring = self.0.lock();
        if ring.n == ROOM {
            ring.lost = ring.lost.saturating_add(1);
            return;
        }
        let at = ring.from.wrapping_add(ring.n) & (ROOM - 1);
        if let Some(slot) = ring.list.get_mut(at) {
            *slot = Some(event);
        }
        ring.n = ring.n.wrapping_add(1);
    }

    /// The oldest, and how many were lost since the last call.
    pub fn pop(&self) -> (Option<Event>, u32) {
        let mut ring = self.0.lock();
        let lost = core::mem::take(&mut ring.lost);
        if ring.n == 0 {
            return (None, lost);
        }
        let at = ring.from;
        ring.from = at.wrapping_add(1) & (ROOM - 1);
        ring.n = ring.n.wrapping_sub(1);
        (ring.list.get_mut(at).and_then(Option::take), lost)
    }
}
