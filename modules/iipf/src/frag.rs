// SPDX-License-Identifier: BSD-2-Clause
//! Fragments, put together virtually: the first one's ports serve for all, and nothing is copied.
//!
//! A fragment that comes before its first waits here, within a budget; once the first has come they
//! follow it in order. What overlaps is refused with all that belongs to it (RFC 5722 says so for
//! IPv6; nothing that is honest does it in IPv4). RFC 4787, REQ-14; RFC 1858.
//!
//! *Contexts*: softint, any CPU; [`Frags::sweep`] thread. *Locking*: a spin for each bucket, a leaf.
//! Fragments are the exception: only they take it.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering;

use kern::cx::Cx;
use kern::errno::Result;
use kern::mbuf::Mbuf;
use kern::mbuf::MbufQueue;
use kern::mem::KVec;
use kern::pfil::Rx;
use kern::spin::Spin;
use wire::packet::Frag;
use wire::packet::Ids;
use wire::packet::Packet;

use crate::stats::Drop;

/// Buckets; a power of two.
const BUCKETS: usize = 64;
/// Packets that are put together at once in one bucket.
const WAYS: usize = 4;
/// Pieces of one packet: 65,535 bytes in pieces of 1,280 are 52; a hole costs one more each.
const PIECES: usize = 64;
/// Fragments that wait for one first.
const HELD_EACH: usize = 48;

/// What the pieces of one packet have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name {
    src: u128,
    dst: u128,
    id: u32,
    ifindex: u32,
    proto: u8,
    out: bool,
    six: bool,
}

impl Name {
    fn of(p: &Packet, frag: &Frag, rx: &Rx) -> Name {
        let six = matches!(rx.af, kern::pfil::Af::V6);
        Name {
            src: p.src,
            dst: p.dst,
            id: frag.id,
            ifindex: rx.ifindex,
            // In IPv6 each piece may name another one (RFC 8200, 4.5); the first counts.
            proto: if six { 0 } else { p.proto },
            out: matches!(rx.dir, kern::pfil::Dir::Out),
            six,
        }
    }

    fn bucket(&self, seed: u64) -> usize {
        let fold = |a: u128| (a as u64) ^ ((a >> 64) as u64);
        let mut h = seed ^ fold(self.src).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        h = (h ^ fold(self.dst)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        h = (h ^ u64::from(self.id)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        (h >> 48) as usize & (BUCKETS - 1)
    }
}

/// What the first piece says for all.
#[derive(Clone, Copy)]
pub(crate) struct First {
    /// The ports.
    pub ids: Ids,
    /// The protocol behind the fragment header.
    pub proto: u8,
}

/// Ranges of bytes that have come, `lo..hi`, in order and apart.
struct Pieces {
    list: [(u16, u16); PIECES],
    n: usize,
    /// Where the packet ends, once its last piece has come.
    end: Option<u16>,
}

impl Pieces {
    const fn new() -> Pieces {
        Pieces {
            list: [(0, 0); PIECES],
            n: 0,
            end: None,
        }
    }

    /// Takes one in; false: it overlaps, lies behind the end, or there are too many holes.
    fn add(&mut self, frag: &Frag) -> bool {
        let lo = frag.offset;
        let Some(hi) = lo.checked_add(frag.len) else {
            return false;
        };
        let known = self.list.get(..self.n).unwrap_or_default();
        let last = known.last().map_or(0, |p| p.1);
        match (self.end, frag.more) {
            (Some(end), true) if hi > end => return false,
            (Some(end), false) if hi != end => return false,
            (None, false) if hi < last => return false,
            _ => {}
        }
        let at = known.iter().position(|p| p.0 >= lo).unwrap_or(self.n);
        let before = at.checked_sub(1).and_then(|i| known.get(i)).copied();
        let after = known.get(at).copied();
        if before.is_some_and(|b| b.1 > lo) || after.is_some_and(|a| a.0 < hi) {
            return false;
        }
        if !frag.more {
            self.end = Some(hi);
        }
        let joins_before = before.is_some_and(|b| b.1 == lo);
        let joins_after = after.is_some_and(|a| a.0 == hi);
        match (joins_before, joins_after) {
            (true, _) => {
                let reach = if joins_after {
                    after.map_or(hi, |a| a.1)
                } else {
                    hi
                };
                if let Some(b) = at.checked_sub(1).and_then(|i| self.list.get_mut(i)) {
                    b.1 = reach;
                }
                if joins_after {
                    self.cut(at);
                }
            }
            (false, true) => {
                if let Some(a) = self.list.get_mut(at) {
                    a.0 = lo;
                }
            }
            (false, false) => {
                if self.n == PIECES {
                    return false;
                }
                // The new one sinks to its place from behind.
                let mut carried = (lo, hi);
                for slot in self.list.iter_mut().take(self.n.wrapping_add(1)).skip(at) {
                    core::mem::swap(slot, &mut carried);
                }
                self.n = self.n.wrapping_add(1);
            }
        }
        true
    }

    fn cut(&mut self, at: usize) {
        let behind = at.wrapping_add(1);
        for i in behind..self.n {
            let next = self.list.get(i).copied().unwrap_or((0, 0));
            if let Some(slot) = self.list.get_mut(i.wrapping_sub(1)) {
                *slot = next;
            }
        }
        self.n = self.n.saturating_sub(1);
    }

    /// Whether all has come.
    fn complete(&self) -> bool {
        match (self.n, self.list.first(), self.end) {
            (1, Some(&(0, hi)), Some(end)) => hi == end,
            _ => false,
        }
    }
}

/// One packet in pieces.
struct Whole {
    name: Name,
    pieces: Pieces,
    first: Option<First>,
    /// What waits; all came the same way.
    held: MbufQueue,
    /// Seconds of uptime.
    until: u32,
    /// Overlapped: all that still comes is refused.
    bad: bool,
}

struct Bucket {
    /// WAYS of them.
    ways: KVec<Option<Whole>>,
}

/// All packets in pieces.
pub(crate) struct Frags {
    buckets: KVec<Spin<Bucket>>,
    /// Fragments that wait, in all.
    held: AtomicU32,
    seed: u64,
}

/// What is to become of a fragment.
pub(crate) enum Fate {
    /// It goes on, with what the first one says; then these, which came before it.
    Go(Mbuf, First, MbufQueue),
    /// It waits.
    Held,
    /// It is refused.
    Drop(Drop),
}

impl Frags {
    /// None yet.
    pub fn new<C: Cx>(cx: &mut C, seed: u64) -> Result<Frags> {
        let mut buckets = KVec::with_capacity(cx, BUCKETS)?;
        for _ in 0..BUCKETS {
            let ways = KVec::from_fn(cx, WAYS, |_| None)?;
            let bucket = Spin::new(cx, Bucket { ways })?;
            buckets.push(cx, bucket)?;
        }
        Ok(Frags {
            buckets,
            held: AtomicU32::new(0),
            seed,
        })
    }

    /// How many wait.
    pub fn held(&self) -> u32 {
        self.held.load(Ordering::Relaxed)
    }

    /// A fragment came. `most`: how many may wait in all; `until`: how long it may.
    pub fn take(&self, m: Mbuf, p: &Packet, rx: &Rx, now: u32, wait: u32, most: u32) -> Fate {
        let Some(frag) = p.frag else {
            return Fate::Drop(Drop::BadHeader);
        };
        let name = Name::of(p, &frag, rx);
        let Some(spin) = self.buckets.get(name.bucket(self.seed)) else {
            return Fate::Drop(Drop::FragmentLimit);
        };
        // What is thrown out is freed behind the lock.
        let mut out = MbufQueue::new();
        let mut bucket = spin.lock();
        let fate = self.judge(&mut bucket, &mut out, m, p, &frag, name, (now, wait, most));
        drop(bucket);
        self.forget(&out);
        fate
    }

    #[expect(clippy::too_many_arguments, reason = "one place, called once")]
    fn judge(
        &self,
        bucket: &mut Bucket,
        out: &mut MbufQueue,
        m: Mbuf,
        p: &Packet,
        frag: &Frag,
        name: Name,
        (now, wait, most): (u32, u32, u32),
    ) -> Fate {
        let found = bucket
            .ways
            .iter()
            .position(|w| w.as_ref().is_some_and(|w| w.name == name));
        let at = match found {
            Some(at) => at,
            None => {
                let at = self.room(bucket, out, now);
                let fresh = Whole {
                    name,
                    pieces: Pieces::new(),
                    first: None,
                    held: MbufQueue::new(),
                    until: now.saturating_add(wait),
                    bad: false,
                };
                if let Some(way) = bucket.ways.get_mut(at) {
                    *way = Some(fresh);
                }
                at
            }
        };
        let Some(slot) = bucket.ways.get_mut(at) else {
            return Fate::Drop(Drop::FragmentLimit);
        };
        let Some(whole) = slot.as_mut() else {
            return Fate::Drop(Drop::FragmentLimit);
        };
        if whole.bad || !whole.pieces.add(frag) {
            whole.bad = true;
            while let Some(m) = whole.held.pop() {
                out.push(m);
            }
            return Fate::Drop(Drop::FragmentOverlap);
        }
        if frag.is_first() {
            let first = First {
                ids: p.ids,
                proto: p.proto,
            };
            whole.first = Some(first);
            let held = core::mem::take(&mut whole.held);
            self.held
                .fetch_sub(u32::try_from(held.len()).unwrap_or(0), Ordering::Relaxed);
            if whole.pieces.complete() {
                *slot = None;
            }
            return Fate::Go(m, first, held);
        }
        match whole.first {
            Some(first) => {
                if whole.pieces.complete() {
                    *slot = None;
                }
                Fate::Go(m, first, MbufQueue::new())
            }
            None if whole.held.len() >= HELD_EACH => Fate::Drop(Drop::FragmentLimit),
            None if self.held.load(Ordering::Relaxed) >= most => Fate::Drop(Drop::FragmentLimit),
            None => {
                self.held.fetch_add(1, Ordering::Relaxed);
                whole.held.push(m);
                Fate::Held
            }
        }
    }

    /// A free way of a bucket; of full ones the oldest goes, so that what comes in good order is
    /// not kept out by a flood of pieces.
    fn room(&self, bucket: &mut Bucket, out: &mut MbufQueue, now: u32) -> usize {
        if let Some(at) = bucket.ways.iter().position(Option::is_none) {
            return at;
        }
        // A packet whose first piece is here goes last: a flood of later ones does not reach it.
        let age = |w: &Option<Whole>| {
            let left = w.as_ref().map_or(0, |w| w.until.saturating_sub(now));
            (w.as_ref().is_some_and(|w| w.first.is_some()), left)
        };
        let oldest = bucket.ways.iter().enumerate().min_by_key(|(_, w)| age(w));
        let at = oldest.map_or(0, |(at, _)| at);
        if let Some(Some(mut whole)) = bucket.ways.get_mut(at).map(Option::take) {
            while let Some(m) = whole.held.pop() {
                out.push(m);
            }
        }
        at
    }

    fn forget(&self, out: &MbufQueue) {
        let n = u32::try_from(out.len()).unwrap_or(0);
        if n > 0 {
            self.held.fetch_sub(n, Ordering::Relaxed);
        }
    }

    /// Lets go of what has waited too long; how many fragments these were.
    pub fn sweep(&self, now: u32) -> u32 {
        let mut late = 0u32;
        for spin in self.buckets.iter() {
            let mut out = MbufQueue::new();
            let mut bucket = spin.lock();
            for way in bucket.ways.iter_mut() {
                if way.as_ref().is_none_or(|w| w.until > now) {
                    continue;
                }
                if let Some(mut whole) = way.take() {
                    while let Some(m) = whole.held.pop() {
                        out.push(m);
                    }
                }
            }
            drop(bucket);
            self.forget(&out);
            late = late.saturating_add(u32::try_from(out.len()).unwrap_or(0));
        }
        late
    }
}
