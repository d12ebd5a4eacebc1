// SPDX-License-Identifier: BSD-2-Clause
//! Limits: of a rule, of a source, of a host's mappings.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Side;
use flow::table::Hit;
use flow::table::InsertError;
use iipf_abi as abi;
use kern::epoch::Section;

use crate::entry::Flow;
use crate::entry::NONE;
use crate::entry::Source;
use crate::entry::Word;
use crate::entry::less;
use crate::job::Job;
use crate::overload::Overload;
use crate::ruleset::Rule;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::stats::Drop;

/// The name of a source: its address, and the rule that counts it (0: all together).
pub(crate) fn source_key<const N: usize>(src: u128, rule: u64, maps: bool) -> [u64; N]
where
    [u64; N]: Packed,
{
    Packed::pack(&Tuple {
        src,
        dst: 0,
        sport: (rule >> 32) as u16,
        dport: (rule >> 16) as u16,
        proto: u8::from(maps),
        dir: 0,
        zone: rule as u16,
    })
}

impl<'a> Job<'a> {
    /// Whether a rule lets the source begin another state; which place counts it.
    pub fn admit<const N: usize>(
        &mut self,
        family: &Family<N>,
        rule: Option<&Rule>,
        src: u128,
        tcp: bool,
    ) -> Result<u32, Drop>
    where
        [u64; N]: Packed,
    {
        let Some(rule) = rule else {
            return Ok(NONE);
        };
        let st = &rule.rec.state;
        if st.max_states != 0 && rule.stats.states.load(Relaxed) >= st.max_states {
            return self.refuse(rule, "max", Drop::RuleLimit);
        }
        let counted = [
            st.max_src_nodes,
            st.max_src_states,
            st.max_src_conn,
            st.max_src_rate,
        ];
        if counted.iter().all(|&n| n == 0) {
            return Ok(NONE);
        }
        let global = st.flags & abi::IIPF_SF_SRC_GLOBAL != 0;
        let id = if global { 0 } else { rule.rec.id };
        let key = source_key(src, id, false);
        let num = if global { NONE } else { rule.stats.num };
        let s = self.s;
        let hit = match family.sources.get(s, &key) {
            None if self.nodes_full(rule, num) => None,
            None if self.dry => return Ok(NONE),
            None => self.source(family, &key, num),
            hit => hit,
        };
        let Some(hit) = hit else {
            return self.refuse(rule, "max-src-nodes", Drop::SourceLimit);
        };
        let source = hit.entry;
        if !self.dry {
            source.last.store(self.now, Relaxed);
        }
        if st.max_src_states != 0 && source.states.load(Relaxed) >= st.max_src_states {
            if !self.dry {
                source.refused.fetch_add(1, Relaxed);
            }
            return self.refuse(rule, "max-src-states", Drop::SourceLimit);
        }
        if tcp && st.max_src_rate != 0 && !self.dry {
            let n = source.rated(self.now, st.max_src_seconds);
            if n > st.max_src_rate {
                source.refused.fetch_add(1, Relaxed);
                self.overload(rule, src);
                return self.refuse(rule, "max-src-conn-rate", Drop::SourceLimit);
            }
        }
        Ok(hit.id.index)
    }

    /// Whether the rule has as many sources as it may.
    fn nodes_full(&self, rule: &Rule, num: u32) -> bool {
        let most = rule.rec.state.max_src_nodes;
        let nodes = self.iipf.nodes(self.s, num);
        most != 0 && nodes.is_some_and(|n| n.load(Relaxed) >= most)
    }

    fn refuse(&mut self, rule: &Rule, limit: &str, why: Drop) -> Result<u32, Drop> {
        if !self.dry {
            rule.stats.refused.fetch_add(1, Relaxed);
        }
        self.step_named(abi::IIPF_STEP_LIMIT, limit);
        Err(why)
    }

    /// The entry of a source, made if need be. None: no room.
    fn source<'t, const N: usize>(
        &mut self,
        family: &'t Family<N>,
        key: &[u64; N],
        num: u32,
    ) -> Option<Hit<'t, N, Source>>
    where
        [u64; N]: Packed,
        'a: 't,
    {
        match self.iipf.source_of(self.s, family, key, num, self.now) {
            Ok(hit) => Some(hit),
            Err(InsertError::NoMemory) => {
                self.kick = true;
                None
            }
            Err(_) => None,
        }
    }

    /// Puts a source where the rule wants those that exceed it; the worker does it.
    fn overload(&mut self, rule: &Rule, src: u128) {
        let st = &rule.rec.state;
        if st.overload == 0 {
            return;
        }
        let one = Overload {
            table: st.overload.wrapping_sub(1),
            generation: self.rules.generation,
            six: self.six(),
            addr: src,
            flush: st.flags,
            num: rule.stats.num,
        };
        if self.iipf.overloads.push(one) {
            self.kick = true;
        }
    }

    /// A connection of the state's source is established.
    pub fn established<const N: usize>(&mut self, family: &Family<N>, flow: &Flow)
    where
        [u64; N]: Packed,
    {
        let place = flow.source.load(Relaxed);
        if place == NONE || flow.word.fetch_or(Word::CONN, Relaxed) & Word::CONN != 0 {
            return;
        }
        let Some(hit) = family.sources.at(self.s, place) else {
            return;
        };
        let conns = hit.entry.conns.fetch_add(1, Relaxed).wrapping_add(1);
        let rules = self.rules;
        let Some(rule) = rules.numbered(flow.rule.load(Relaxed)) else {
            return;
        };
        let most = rule.rec.state.max_src_conn;
        if most != 0 && conns > most {
            hit.entry.refused.fetch_add(1, Relaxed);
            let src = hit.entry.key(Side::A).unpack().src;
            self.overload(rule, src);
        }
    }

    /// Counts a mapping of a host; which place does.
    pub fn count_map<const N: usize>(
        &mut self,
        family: &Family<N>,
        rule: &Rule,
        src: u128,
    ) -> Result<u32, Drop>
    where
        [u64; N]: Packed,
    {
        let nat = &rule.rec.nat;
        if nat.max_per_host == 0 || nat.port_mode == abi::IIPF_NATPORT_BLOCK {
            return Ok(NONE);
        }
        let key = source_key(src, rule.rec.id, true);
        let hit = self.source(family, &key, rule.stats.num);
        let hit = hit.ok_or(Drop::NatLimit)?;
        let more = |n: u32| (n < nat.max_per_host).then_some(n.wrapping_add(1));
        if hit.entry.maps.fetch_update(Relaxed, Relaxed, more).is_err() {
            hit.entry.refused.fetch_add(1, Relaxed);
            rule.stats.refused.fetch_add(1, Relaxed);
            self.step_named(abi::IIPF_STEP_LIMIT, "max-per-host");
            return Err(Drop::NatLimit);
        }
        hit.entry.last.store(self.now, Relaxed);
        Ok(hit.id.index)
    }

    /// Takes that back.
    pub fn uncount_map<const N: usize>(&self, family: &Family<N>, place: u32)
    where
        [u64; N]: Packed,
    {
        if place == NONE {
            return;
        }
        if let Some(hit) = family.sources.at(self.s, place) {
            less(&hit.entry.maps);
        }
    }
}

impl Iipf {
    /// How many sources are counted for a rule, or over all. None: that rule is gone.
    pub(crate) fn nodes<'s>(&'s self, s: &'s Section<'_>, num: u32) -> Option<&'s AtomicU32> {
        if num == NONE {
            return Some(&self.nodes);
        }
        let stats = self.rules.peek(s)?.stats.get(num as usize)?;
        stats.as_ref().map(|stats| &stats.nodes)
    }

    /// The entry of a source, made if need be.
    pub(crate) fn source_of<'s, const N: usize>(
        &self,
        s: &'s Section<'_>,
        family: &'s Family<N>,
        key: &[u64; N],
        num: u32,
        now: u32,
    ) -> Result<Hit<'s, N, Source>, InsertError>
    where
        [u64; N]: Packed,
    {
        if let Some(hit) = family.sources.get(s, key) {
            return Ok(hit);
        }
        let made = family.sources.insert(s, key, None, |src| {
            src.states.store(0, Relaxed);
            src.conns.store(0, Relaxed);
            src.maps.store(0, Relaxed);
            src.rate.store(0, Relaxed);
            src.refused.store(0, Relaxed);
            src.last.store(now, Relaxed);
            src.made.store(now, Relaxed);
            src.rule.store(num, Relaxed);
        });
        match made {
            Ok(hit) => {
                if hit.entry.key(Side::A).unpack().proto == 0
                    && let Some(nodes) = self.nodes(s, num)
                {
                    nodes.fetch_add(1, Relaxed);
                }
                let secs = self.source_idle(s, num).clamp(1, 60);
                family.sources.arm(s, hit.id, now, secs);
                Ok(hit)
            }
            // Another CPU was quicker.
            Err(InsertError::Taken) => family.sources.get(s, key).ok_or(InsertError::NoMemory),
            Err(e) => Err(e),
        }
    }
}
