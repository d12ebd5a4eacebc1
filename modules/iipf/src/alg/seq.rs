// SPDX-License-Identifier: BSD-2-Clause
//! Streams whose sequence numbers differ on the two sides: a helper has changed the length of a
//! line, or a proxy of SYNs has chosen a number before the server did.
//!
//! A small table beside the states, by their ids: a state that needs it has [`Word::SEQ`].

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::slab::Id;
use flow::slab::Side;
use flow::table::Hit;
use flow::table::InsertError;
use kern::epoch::Section;

use crate::entry::Flow;
use crate::entry::Word;
use crate::shift::Seq;
use crate::softc::Iipf;
use crate::stats::Drop;

const fn key(id: Id, six: bool) -> [u64; 2] {
    [id.to_u64(), six as u64]
}

impl Iipf {
    /// The shifts of a flow.
    pub(crate) fn seq_of<'s>(&'s self, s: &'s Section<'_>, id: Id, six: bool) -> Option<&'s Seq> {
        let hit: Hit<'s, 2, Seq> = self.seqs.get(s, &key(id, six))?;
        Some(&**hit.entry)
    }

    /// The same, made if there are none.
    pub(crate) fn new_seq<'s, const N: usize>(
        &'s self,
        s: &'s Section<'_>,
        hit: &Hit<'_, N, Flow>,
    ) -> Result<&'s Seq, Drop>
    where
        [u64; N]: Packed,
    {
        let key = key(hit.id, N == flow::key::V6);
        let made = self.seqs.insert(s, &key, None, |q| {
            q.base.iter().for_each(|b| b.store(0, Relaxed));
            q.edits.iter().for_each(|e| e.store(0, Relaxed));
            q.client.store(0, Relaxed);
        });
        let found = match made {
            Ok(hit) => Some(hit),
            Err(InsertError::Taken) => self.seqs.get(s, &key),
            Err(_) => None,
        };
        let found = found.ok_or(Drop::NoBufs)?;
        hit.entry.word.fetch_or(Word::SEQ, Relaxed);
        Ok(&**found.entry)
    }

    /// The flow is over.
    pub(crate) fn drop_seq(&self, s: &Section<'_>, id: Id, six: bool) {
        if let Some(hit) = self.seqs.get(s, &key(id, six)) {
            self.seqs.unlink(s, hit.id);
        }
    }

    /// A helper has made what `side` sends before `pos` longer by `step`.
    pub(super) fn shifted<const N: usize>(
        &self,
        s: &Section<'_>,
        hit: &Hit<'_, N, Flow>,
        side: Side,
        pos: u32,
        step: i8,
    ) -> Result<(), Drop>
    where
        [u64; N]: Packed,
    {
        self.new_seq(s, hit)?.edit(side, pos, step);
        Ok(())
    }
}
