// SPDX-License-Identifier: BSD-2-Clause
//! What is remembered of the flows whose payload a helper reads: a few, for a limited time.

use flow::slab::Id;
use flow::slab::Side;
use kern::cx::MaySleep;
use kern::errno::Result;
use kern::mem::KVec;
use kern::spin::Spin;

/// Bytes of an unfinished line.
pub(super) const HELD: usize = wire::alg::ftp::MAX_LINE;
/// Expectations of one flow that wait at a time.
pub(super) const PENDING: usize = 8;
/// Calls of one PPTP connection.
pub(super) const CALLS: usize = 8;
const SHARDS: usize = 32;
const EACH: usize = 8;

/// One direction of a stream.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// The next number that was not seen, once one was.
    pub next: Option<u32>,
    /// That is in the midst of a line of no interest.
    pub mid: bool,
    /// The front of a line, which does not pass before its end has come.
    pub held: [u8; HELD],
    pub held_n: usize,
    /// The number of its first byte.
    pub held_at: u32,
    /// The last line that was changed: its number, and the port it has and gets.
    pub edit: Option<(u32, u16, u16)>,
}

impl Way {
    const NEW: Way = Way {
        next: None,
        mid: false,
        held: [0; HELD],
        held_n: 0,
        held_at: 0,
        edit: None,
    };
}

/// A call of PPTP, by the id that its caller behind the translation has given it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub own: u16,
    /// What the other end sees.
    pub outside: u16,
    /// What the other end has given; 0: nothing yet.
    pub peer: u16,
}

/// A flow's.
pub(crate) struct Control {
    /// The flow, and whether it is IPv6.
    owner: Option<(u64, bool)>,
    pub(super) ways: [Way; 2],
    /// Expectations, by their ids.
    pub(super) pending: [Option<u64>; PENDING],
    pub(super) calls: [Option<Call>; CALLS],
}

impl Control {
    const FREE: Control = Control {
        owner: None,
        ways: [Way::NEW; 2],
        pending: [None; PENDING],
        calls: [None; CALLS],
    };

    pub(super) fn way(&mut self, side: Side) -> &mut Way {
        let [a, b] = &mut self.ways;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    /// What is held back, and behind it what is not.
    pub(super) fn held(&mut self, side: Side) -> &[u8; HELD] {
        &self.way(side).held
    }
}

/// All of them. Each shard its own spin, under which tables' spins may be taken.
pub(crate) struct Controls(KVec<Spin<KVec<Control>>>);

impl Controls {
    /// None in use.
    pub fn new<C: MaySleep>(cx: &mut C) -> Result<Controls> {
        let mut shards = KVec::with_capacity(cx, SHARDS)?;
        for _ in 0..SHARDS {
            let mut list = KVec::with_capacity(cx, EACH)?;
            for _ in 0..EACH {
                list.push(cx, Control::FREE)?;
            }
            let spin = Spin::new(cx, list)?;
            shards.push(cx, spin)?;
        }
        Ok(Controls(shards))
    }

    fn shard(&self, id: Id) -> Option<&Spin<KVec<Control>>> {
        self.0.get(id.index as usize % SHARDS)
    }

    /// Uses a flow's, found or begun. None: too many flows have one.
    pub(super) fn with<R>(
        &self,
        id: Id,
        six: bool,
        f: impl FnOnce(&mut Control) -> R,
    ) -> Option<R> {
        let mut list = self.shard(id)?.lock();
        let owner = Some((id.to_u64(), six));
        let mine = list.iter().position(|c| c.owner == owner);
        let at = mine.or_else(|| list.iter().position(|c| c.owner.is_none()))?;
        let control = list.get_mut(at)?;
        if mine.is_none() {
            *control = Control {
                owner,
                ..Control::FREE
            };
        }
        Some(f(control))
    }

    /// A payload passed without a look; the stream goes on behind it.
    pub(super) fn skip(&self, id: Id, six: bool, side: Side, next: u32) {
        self.with(id, six, |control| {
            let way = control.way(side);
            *way = Way {
                next: Some(next),
                mid: true,
                ..Way::NEW
            };
        });
    }

    /// The flow is over.
    pub fn forget(&self, id: Id, six: bool) {
        let Some(shard) = self.shard(id) else { return };
        let owner = Some((id.to_u64(), six));
        for control in shard.lock().iter_mut().filter(|c| c.owner == owner) {
            control.owner = None;
        }
    }
}
