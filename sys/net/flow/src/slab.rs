// SPDX-License-Identifier: BSD-2-Clause
//! Entries, found by number: chunks of 1,024 that are added and never taken away.
//!
//! # The lives of an entry
//!
//! ```text
//! free ──pop──> held by an inserter ──LIVE set──> found by readers ──LIVE cleared──> dead
//!   ^                                                                                  |
//!   └── reclaim(): an epoch wait, then the next generation <── limbo <── off the wheel ─┘
//! ```
//!
//! The `state` word says where an entry is. LIVE: readers may use it. QUEUED: it is on the wheel or
//! in the worker's hands, and so is its link. Of the two who end these, unlinker and worker, the
//! later one finds the other's bit clear and passes the entry on to limbo; `fetch_and` orders them,
//! so it is exactly one.
//!
//! *Locking*: none. The free lists are stacks whose head counts its changes, against ABA: 2^32
//! changes would have to happen between two instructions.

use core::ops::Deref;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

use kern::cx::MaySleep;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KVec;
use kern::once::OnceArray;

use crate::wheel::Links;

/// Readers may use the entry.
pub(crate) const LIVE: u32 = 1;
/// On the wheel, or in the hands of its worker.
pub(crate) const QUEUED: u32 = 2;
/// The second key counts.
pub(crate) const TWO: u32 = 4;
/// One more life.
pub(crate) const LIFE: u32 = 8;

/// One flow: its keys and what is kept about it. A firewall's IPv4 flow is 160 bytes. It touches
/// three cache lines wherever it starts, and would so, too, with the 192 of whole lines.
#[repr(C, align(32))]
pub struct Entry<const N: usize, T> {
    /// The next one on the list where it is: free, wheel or limbo.
    link: AtomicU32,
    /// LIVE, QUEUED, TWO, and which of its lives it is.
    pub(crate) state: AtomicU32,
    /// Written by the inserter, before LIVE is set.
    keys: [[AtomicU64; N]; 2],
    value: T,
}

/// Which of its keys an entry was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Side {
    /// The first.
    A = 0,
    /// The second.
    B = 1,
}

/// Names an entry for as long as it lives: its number, and which of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Its place.
    pub index: u32,
    /// Counts its lives.
    pub generation: u32,
}

impl Id {
    /// One number, for records and logs.
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// Back from [`Id::to_u64`].
    pub const fn from_u64(n: u64) -> Self {
        Id {
            index: n as u32,
            generation: (n >> 32) as u32,
        }
    }

    /// The entry `index` in that state.
    pub(crate) const fn of(index: u32, state: u32) -> Self {
        Id {
            index,
            generation: state / LIFE,
        }
    }

    /// Whether an entry in that state is alive and the one that was meant.
    pub(crate) const fn lives(self, state: u32) -> bool {
        state & LIVE != 0 && state / LIFE == self.generation
    }
}

impl<const N: usize, T> Entry<N, T> {
    /// One of its keys; the second is all zero where there is none.
    #[inline]
    pub fn key(&self, side: Side) -> [u64; N] {
        let [a, b] = &self.keys;
        let key = match side {
            Side::A => a,
            Side::B => b,
        };
        key.each_ref().map(|w| w.load(Ordering::Relaxed))
    }

    /// Both keys, if there are two.
    pub fn keys(&self) -> ([u64; N], Option<[u64; N]>) {
        let two = self.state.load(Ordering::Relaxed) & TWO != 0;
        (self.key(Side::A), two.then(|| self.key(Side::B)))
    }

    pub(crate) fn set_keys(&self, a: &[u64; N], b: &[u64; N]) {
        let [to_a, to_b] = &self.keys;
        let words = to_a.iter().zip(a).chain(to_b.iter().zip(b));
        words.for_each(|(to, &word)| to.store(word, Ordering::Relaxed));
    }
}

impl<const N: usize, T> Deref for Entry<N, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Entries of a chunk.
pub(crate) const CHUNK: u32 = 1024;
const CHUNK_LEN: usize = CHUNK as usize;
/// Chunks of a group.
const GROUP: usize = 256;
/// Groups.
const GROUPS: usize = 64;
/// As many entries as a table can have.
pub const MOST: u32 = CHUNK * (GROUP * GROUPS) as u32;

type Chunk<const N: usize, T> = OnceArray<Entry<N, T>, CHUNK_LEN>;

/// Free lists, and counts of what lives: as many as keep CPUs from waiting for each other's line.
pub(crate) const SHARDS: usize = 16;

/// One of them, a cache line.
#[repr(align(64))]
pub(crate) struct Shard {
    /// Changes << 32 | the first entry's number plus 1, or 0.
    free: AtomicU64,
    /// Entries that live, of the keys that belong here.
    pub live: AtomicU32,
    /// At so many it is time to reclaim.
    pub alarm: AtomicU32,
}

/// All entries of a table.
pub(crate) struct Slab<const N: usize, T> {
    groups: KVec<OnceArray<Chunk<N, T>, GROUP>>,
    shards: KVec<Shard>,
}

impl<const N: usize, T> Links for Slab<N, T> {
    fn link(&self, index: u32) -> Option<&AtomicU32> {
        self.entry(index).map(|e| &e.link)
    }
}

impl<const N: usize, T> Slab<N, T> {
    /// No entries.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MaySleep>(cx: &mut C) -> Result<Self> {
        Ok(Slab {
            groups: KVec::from_fn(cx, GROUPS, |_| OnceArray::new())?,
            shards: KVec::from_fn(cx, SHARDS, |_| Shard {
                free: AtomicU64::new(0),
                live: AtomicU32::new(0),
                alarm: AtomicU32::new(u32::MAX),
            })?,
        })
    }

    /// The entry of that number, if its chunk is there.
    #[inline]
    pub fn entry(&self, index: u32) -> Option<&Entry<N, T>> {
        let chunk = index / CHUNK;
        self.groups
            .get(chunk as usize / GROUP)?
            .get()
            .get(chunk as usize % GROUP)?
            .get()
            .get((index % CHUNK) as usize)
    }

    /// The shard of a hash; 16 of them, so there always is one.
    #[inline]
    pub fn shard(&self, hash: u64) -> Option<&Shard> {
        self.shards.get((hash >> 60) as usize % SHARDS)
    }

    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Takes a free entry: from the shard of that hash, else from the next ones.
    pub fn pop(&self, hash: u64) -> Option<u32> {
        let start = (hash >> 60) as usize % SHARDS;
        let (before, from) = self.shards.split_at_checked(start)?;
        from.iter().chain(before).find_map(|s| s.pop(self))
    }

    /// Gives an entry, which the caller alone holds, to a shard's free list.
    pub fn push(&self, hash: u64, index: u32) {
        if let (Some(entry), Some(shard)) = (self.entry(index), self.shard(hash)) {
            shard.push(index, &entry.link);
        }
    }
}

impl<const N: usize, T: Default> Slab<N, T> {
    /// Adds chunk number `n`; its entries are on no list.
    ///
    /// # Errors
    /// ENOMEM, and for a chunk beyond what there can be.
    pub fn grow<C: MaySleep>(&self, cx: &mut C, n: u32) -> Result {
        let group = self.groups.get(n as usize / GROUP).ok_or(Errno::ENOMEM)?;
        if group.get().is_empty() {
            let chunks = KVec::from_fn(cx, GROUP, |_| Chunk::new())?;
            group.set(chunks).map_err(|_| Errno::ENOMEM)?;
        }
        let chunk = group.get().get(n as usize % GROUP).ok_or(Errno::ENOMEM)?;
        let entries = KVec::from_fn(cx, CHUNK_LEN, |_| Entry {
            link: AtomicU32::new(0),
            state: AtomicU32::new(0),
            keys: [const { [const { AtomicU64::new(0) }; N] }; 2],
            value: T::default(),
        })?;
        chunk.set(entries).map_err(|_| Errno::ENOMEM)
    }

    /// What `chunks` of them take.
    pub const fn bytes(chunks: u32) -> usize {
        let groups = (chunks as usize).div_ceil(GROUP);
        chunks as usize * CHUNK_LEN * size_of::<Entry<N, T>>()
            + groups * GROUP * size_of::<Chunk<N, T>>()
    }
}

impl Shard {
    fn pop(&self, links: &impl Links) -> Option<u32> {
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let index = (head as u32).checked_sub(1)?;
            // Another CPU may have taken it, and it may be on another list: then the head has
            // changed, and what was read here is thrown away.
            let next = links.link(index)?.load(Ordering::Relaxed);
            let new = ((head >> 32).wrapping_add(1)) << 32 | u64::from(next);
            let orders = (Ordering::AcqRel, Ordering::Acquire);
            match self
                .free
                .compare_exchange_weak(head, new, orders.0, orders.1)
            {
                Ok(_) => return Some(index),
                Err(now) => head = now,
            }
        }
    }

    fn push(&self, index: u32, link: &AtomicU32) {
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            link.store(head as u32, Ordering::Relaxed);
            let new = ((head >> 32).wrapping_add(1)) << 32 | u64::from(index.wrapping_add(1));
            let orders = (Ordering::Release, Ordering::Relaxed);
            match self
                .free
                .compare_exchange_weak(head, new, orders.0, orders.1)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}
