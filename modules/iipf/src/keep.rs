// SPDX-License-Identifier: BSD-2-Clause
//! A packet that passes gets a state.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Id;
use flow::slab::Side;
use flow::table::InsertError;
use flow::tcp;
use flow::tcp::End;
use flow::tcp::Outcome;
use flow::timeouts::Class;
use iipf_abi as abi;
use wire::icmp;
use wire::packet::Ids;
use wire::packet::Upper;

use crate::decision::Look;
use crate::entry::NONE;
use crate::entry::Word;
use crate::follow::first_class;
use crate::job::Job;
use crate::ruleset::Rule;
use crate::softc::Family;
use crate::stats::Ctr;
use crate::stats::Drop;
use crate::synproxy::Proven;
use crate::translate::Trans;

/// What the rules on a packet's way set.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sets {
    pub flags: u32,
    pub alg: u32,
    pub mark: u32,
    pub mss: u16,
    pub min_ttl: u8,
    pub dscp: u8,
}

impl Sets {
    pub fn add(&mut self, set: &abi::SetRec) {
        self.flags |= set.flags;
        self.alg |= set.alg;
        if set.flags & abi::IIPF_SET_MARK != 0 {
            self.mark = self.mark & !set.mark_mask | set.mark & set.mark_mask;
        }
        if set.flags & abi::IIPF_SET_DSCP != 0 {
            self.dscp = set.dscp;
        }
        if set.max_mss != 0 {
            self.mss = set.max_mss;
        }
        self.min_ttl = self.min_ttl.max(set.min_ttl);
    }
}

impl<'a> Job<'a> {
    /// Makes the state.
    #[inline(never)]
    pub(crate) fn keep<const N: usize>(
        &mut self,
        family: &Family<N>,
        t: Tuple,
        trans: &mut Trans,
        rule: Option<&Rule>,
        sets: &Sets,
        proven: Option<Proven>,
    ) -> Result<(Option<Look>, Option<Id>), Drop>
    where
        [u64; N]: Packed,
    {
        if !self.sum_ok() {
            return Err(Drop::BadChecksum);
        }
        // Answers to queries begin nothing, errors even less.
        if let Upper::Icmp { kind, .. } = self.p.upper
            && kind != icmp::Kind::Request
        {
            return if trans.to == t {
                Ok((None, None))
            } else {
                Err(Drop::IcmpUnmatched)
            };
        }
        let st = rule.map(|r| &r.rec.state);
        let sloppy = st.is_some_and(|s| s.flags & abi::IIPF_SF_SLOPPY != 0);
        let seg = proven.map(|p| p.syn).or_else(|| self.segment());
        let track = tcp::Track::default();
        let mut class = first_class(t.proto, matches!(self.ids(), Ids::Call(_)));
        if let Some(seg) = &seg {
            // A rule that does not ask for SYNs takes connections in their middle (pf's "flags any").
            match track.segment(End::First, seg, true) {
                Outcome::Ok { phase, .. } => class = Class::tcp(phase),
                Outcome::Reopen => {}
                Outcome::Bad(_) if sloppy => {}
                Outcome::Bad(_) => return Err(Drop::BadState),
            }
        }
        let source = self.admit(family, rule, t.src, seg.is_some())?;
        if self.dry {
            self.step(abi::IIPF_STEP_STATE_MADE, 0, 0);
            return Ok((None, None));
        }
        let mut back = trans.to.flip();
        if trans.hairpin {
            back.dir = t.dir;
        }
        let mut word = Word::default().with_class(class).0;
        let mut set = |bit: u32, on: bool| word |= if on { bit } else { 0 };
        set(Word::NAT, trans.to != t);
        set(Word::HAIRPIN, trans.hairpin);
        set(Word::SLOPPY, sloppy);
        set(
            Word::IF_BOUND,
            st.is_some_and(|s| s.flags & abi::IIPF_SF_IF_BOUND != 0),
        );
        let flags = rule.map_or(0, |r| r.rec.flags);
        set(Word::LOG_ALL, flags & abi::IIPF_R_LOG_ALL != 0);
        set(Word::OPTIONS, flags & abi::IIPF_R_ALLOW_OPTS != 0);
        set(Word::PEER, trans.peer);
        set(Word::PROXY, proven.is_some());
        set(Word::CHILD, trans.child.is_some());
        // Both halves of a hairpin come by: which is the one to read is not known.
        let allowed = if trans.hairpin || trans.npt.is_some() {
            0
        } else {
            sets.alg
        };
        let alg = self.helper(allowed, &t, &trans.to);
        word |= alg << Word::ALG_SHIFT;
        let num = |at: u32| self.rules.rule(at).map_or(NONE, |r| r.stats.num);
        let nat = match trans.child {
            Some(child) if trans.rule == NONE => child.nat,
            _ => num(trans.rule),
        };
        let (nat, pass) = (nat, rule.map_or(NONE, |r| r.stats.num));
        let map = trans.map.map_or(NONE, |id| id.index);
        let map2 = trans.map2.map_or(NONE, |id| id.index);
        let (now, len, rx) = (self.now, u64::from(self.p.len), *self.rx);
        let words = track.export();
        let made =
            family
                .flows
                .insert(self.s, &Packed::pack(&t), Some(&Packed::pack(&back)), |f| {
                    f.track.import(words);
                    let [p0, p1] = &f.packets;
                    p0.store(1, Relaxed);
                    p1.store(0, Relaxed);
                    let [b0, b1] = &f.bytes;
                    b0.store(len, Relaxed);
                    b1.store(0, Relaxed);
                    f.last.store(now, Relaxed);
                    f.made.store(now, Relaxed);
                    f.word.store(word, Relaxed);
                    f.rule.store(pass, Relaxed);
                    f.nat.store(nat, Relaxed);
                    f.map.store(map, Relaxed);
                    f.map2.store(map2, Relaxed);
                    f.source.store(source, Relaxed);
                    f.mark.store(sets.mark, Relaxed);
                    f.ifindex.store(rx.ifindex, Relaxed);
                    f.extra.store(u32::from(sets.mss), Relaxed);
                });
        let hit = match made {
            Ok(hit) => hit,
            Err(InsertError::Taken) if family.flows.get(self.s, &Packed::pack(&t)).is_some() => {
                // Another CPU has made it from the packet before or after this one.
                return Ok((None, None));
            }
            Err(InsertError::Taken) => return Err(Drop::NatClash),
            Err(InsertError::NoMemory) => {
                self.kick = true;
                return Err(Drop::StatesFull);
            }
            Err(InsertError::Full) => {
                self.kick = true;
                self.evict(family);
                return Err(Drop::StatesFull);
            }
        };
        // The state has them now.
        (trans.map, trans.map2) = (None, None);
        if trans.peer && !self.iipf.note_peer(self.s, family, &trans.to, now) {
            hit.entry.word.fetch_and(!Word::PEER, Relaxed);
        }
        if source != NONE
            && let Some(src) = family.sources.at(self.s, source)
        {
            src.entry.states.fetch_add(1, Relaxed);
        }
        if let Some(r) = rule {
            r.stats.states.fetch_add(1, Relaxed);
            r.stats.made.fetch_add(1, Relaxed);
            r.stats.last.store(now, Relaxed);
        }
        let timeouts = self.rules.timeouts(rule);
        let secs = timeouts.map_or(1, |t| t.get(class).min(t.pause()));
        family.flows.arm(self.s, hit.id, now, secs);
        self.iipf.counters.inc(Ctr::StateAdded);
        // Half of the entries that were ready are gone: more of them before the rest is.
        self.kick |= family.flows.wants_reclaim();
        if let Some(p) = proven {
            match self.iipf.new_seq(self.s, &hit) {
                Ok(q) => {
                    q.set_base(Side::B, p.cookie);
                    q.set_client(p.window, p.mss);
                }
                Err(why) => {
                    if family.flows.unlink(self.s, hit.id) {
                        self.ended(family, &hit);
                    }
                    return Err(why);
                }
            }
        }
        if trans.hairpin {
            self.iipf.counters.inc(Ctr::Hairpin);
        }
        self.step(abi::IIPF_STEP_STATE_MADE, 0, self.number(hit.id));
        let look = (alg != 0).then_some(Look {
            alg,
            id: hit.id,
            side: hit.side,
        });
        Ok((look, Some(hit.id)))
    }

    /// The table is full: some state that is likely dead makes room for the next packet.
    fn evict<const N: usize>(&mut self, family: &Family<N>)
    where
        [u64; N]: Packed,
    {
        if self.rules.options.flags & abi::IIPF_O_EVICT == 0 {
            return;
        }
        let n = u64::from(family.flows.max());
        let from = (u64::from(self.random()).wrapping_mul(n) >> 32) as u32;
        let (s, now) = (self.s, self.now);
        let mut oldest = None;
        family.flows.walk(s, from, 16, |hit| {
            let idle = now.wrapping_sub(hit.entry.last.load(Relaxed));
            let weak = matches!(
                hit.entry.word().class(),
                Class::TcpFirst
                    | Class::TcpOpening
                    | Class::TcpClosed
                    | Class::TcpFinWait
                    | Class::UdpFirst
                    | Class::UdpSingle
                    | Class::IcmpFirst
                    | Class::OtherFirst
            );
            if weak && idle >= 1 && oldest.is_none_or(|(o, _)| idle > o) {
                oldest = Some((idle, hit.id));
            }
        });
        let Some(hit) = oldest.and_then(|(_, id)| family.flows.by_id(s, id)) else {
            return;
        };
        if family.flows.unlink(s, hit.id) {
            self.ended(family, &hit);
            self.iipf.counters.inc(Ctr::StateEarly);
        }
    }
}
