// SPDX-License-Identifier: BSD-2-Clause
//! Sources that exceeded a rule, on their way into a table: the packet path notes them, the worker
//! does the rest.

use kern::cx::Cx;
use kern::errno::Result;
use kern::mem::KVec;
use kern::spin::Spin;

/// How many can wait; more are noted by their next packet.
const ROOM: usize = 64;

/// One source.
#[derive(Clone, Copy)]
pub(crate) struct Overload {
    /// Index of the table in the ruleset's records.
    pub table: u32,
    /// The ruleset's generation.
    pub generation: u64,
    pub six: bool,
    pub addr: u128,
    /// `IIPF_SF_*`
    pub flush: u32,
    /// Number of the rule's counters.
    pub num: u32,
}

struct Ring {
    list: KVec<Option<Overload>>,
    n: usize,
}

/// Those that wait.
pub(crate) struct Overloads(Spin<Ring>);

impl Overloads {
    /// None.
    pub fn new<C: Cx>(cx: &mut C) -> Result<Overloads> {
        let ring = Ring {
            list: KVec::from_fn(cx, ROOM, |_| None)?,
            n: 0,
        };
        Spin::new(cx, ring).map(Overloads)
    }

    /// Notes one; false: it waits already, or there is no room.
    pub fn push(&self, one: Overload) -> bool {
        let mut ring = self.0.lock();
        let n = ring.n;
        let known = ring.list.iter().flatten().take(n);
        if known
            .into_iter()
            .any(|o| o.addr == one.addr && o.table == one.table)
        {
            return false;
        }
        match ring.list.get_mut(n) {
            Some(slot) => *slot = Some(one),
            None => return false,
        }
        ring.n = n.wrapping_add(1);
        true
    }

    /// Takes the last one.
    pub fn pop(&self) -> Option<Overload> {
        let mut ring = self.0.lock();
        let n = ring.n.checked_sub(1)?;
        ring.n = n;
        ring.list.get_mut(n)?.take()
    }
}
