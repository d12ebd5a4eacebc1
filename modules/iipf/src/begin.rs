// SPDX-License-Identifier: BSD-2-Clause
//! A packet without a state: translated, filtered, and given one.

use core::sync::atomic::Ordering::Relaxed;

use classify::Fields;
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
use wire::packet::proto;

use crate::decision::Answer;
use crate::decision::Decision;
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
use crate::synproxy::Shake;
use crate::translate::Trans;

/// What the rules on a packet's way set.
#[derive(Clone, Copy, Default)]
struct Sets {
    flags: u32,
    alg: u32,
    mark: u32,
    mss: u16,
    min_ttl: u8,
    dscp: u8,
}

impl Sets {
    fn add(&mut self, set: &abi::SetRec) {
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
    /// What becomes of the packet.
    pub fn judge<const N: usize>(&mut self, family: &Family<N>) -> Decision
    where
        [u64; N]: Packed,
    {
        if let Upper::Tcp(seg) = self.p.upper
            && seg.flags.illegal().is_some()
        {
            return Decision::drop(Drop::BadFlags, self.mark);
        }
        if self.p.is_icmp_error() {
            return self.icmp_error(family);
        }
        let t = self.tuple();
        if let Some(exact) = self.exact(&t)
            && let Some(hit) = family.flows.get(self.s, &Packed::pack(&exact))
            && let Some(decision) = self.follow(family, hit)
        {
            return decision;
        }
        if let Some(hit) = family.flows.get(self.s, &Packed::pack(&t))
            && let Some(decision) = self.follow(family, hit)
        {
            return decision;
        }
        self.step(abi::IIPF_STEP_STATE_NONE, 0, 0);
        self.begin(family, t)
    }

    #[inline(never)]
    fn begin<const N: usize>(&mut self, family: &Family<N>, t: Tuple) -> Decision
    where
        [u64; N]: Packed,
    {
        if self.out()
            && let Some(hit) = family.flows.get(self.s, &Packed::pack(&t.flip()))
            && hit.entry.word().has(Word::HAIRPIN)
        {
            // Its other half was seen, and translated, on the way in.
            return Decision::pass(hit.entry.mark.load(Relaxed) | self.mark);
        }
        let exact = self.exact(&t);
        let mut t = t;
        match self.way(family, &mut t, exact) {
            Ok(mut trans) => {
                let own = self.rules.rule(trans.rule);
                let nat = own.is_some_and(|r| r.rec.action == abi::IIPF_ACT_NAT);
                let spoke = nat && self.out() && trans.to.src != t.src && trans.child.is_none();
                if let Some(exact) = exact.filter(|_| spoke) {
                    // Others behind the same address may speak to the same peer.
                    (t.sport, t.dport) = (exact.sport, exact.dport);
                    (trans.to.sport, trans.to.dport) = (exact.sport, exact.dport);
                }
                let (inside, to) = (t.src, trans.to);
                let decision = self.filter(family, t, &mut trans);
                // What is not in a state by now is not needed.
                self.let_go(family, &mut trans);
                if exact.is_some() && spoke && decision.drop.is_none() {
                    self.spoke(family, inside, &to);
                }
                decision
            }
            Err(why) => {
                let mut d = Decision::drop(why, self.mark);
                if matches!(why, Drop::NatLimit | Drop::NatPorts) {
                    // RFC 5508, REQ-8: whom a limit refuses is told.
                    d.answer = Answer::Unreachable(self.prohibited());
                }
                d
            }
        }
    }

    /// What the packet is translated to. `t` becomes the exact name of one that was expected.
    #[inline(never)]
    fn way<const N: usize>(
        &mut self,
        family: &Family<N>,
        t: &mut Tuple,
        exact: Option<Tuple>,
    ) -> Result<Trans, Drop>
    where
        [u64; N]: Packed,
    {
        if let Some(expected) = self.expected(family, exact.as_ref().unwrap_or(t)) {
            *t = exact.unwrap_or(*t);
            return expected;
        }
        if self.out() {
            return self.outward(family, *t);
        }
        if let Some(exact) = exact
            && let Some(trans) = self.spoken_to(family, &exact)
        {
            *t = exact;
            return Ok(trans);
        }
        self.inward(family, *t)
    }

    /// Asks the filter about a packet that nothing translates.
    pub fn filter_only<const N: usize>(&mut self, family: &Family<N>, t: Tuple) -> Decision
    where
        [u64; N]: Packed,
    {
        self.filter(family, t, &mut Trans::none(t))
    }

    /// Asks the filter about a packet that has been translated.
    #[inline(never)]
    fn filter<const N: usize>(
        &mut self,
        family: &Family<N>,
        t: Tuple,
        trans: &mut Trans,
    ) -> Decision
    where
        [u64; N]: Packed,
    {
        let rules = self.rules;
        let mut f = self.fields(&trans.to);
        if rules.proxies && self.answers_cookie(&t) {
            // Rules decide it as the SYN that was not kept.
            f.tcp_flags = tcp::flag::SYN;
        }
        let decided = if let Some(child) = trans.child {
            Some(rules.index_of(child.rule)).filter(|&at| at != NONE)
        } else if trans.pass {
            None
        } else {
            let chance = self.chance();
            rules.filter.first(&f, &self.view(), chance)
        };
        let rule = decided.and_then(|at| rules.rule(at));
        let mut sets = Sets {
            mark: self.mark | trans.child.map_or(0, |c| c.mark),
            ..Sets::default()
        };
        let log = if rules.notes.rules.is_empty() {
            None
        } else {
            let stop = rule.map_or(u32::MAX, |r| r.rec.stop);
            self.note_rules(&f, stop, &mut sets)
        };
        if !self.dry
            && let Some(r) = rule
        {
            self.count_entries(r, &trans.to);
        }
        let number = decided.map_or(0, |at| at.wrapping_add(1));
        self.step(abi::IIPF_STEP_FILTER_RULE, number, u64::from(trans.pass));
        let blocked = match rule {
            Some(r) => r.rec.action == abi::IIPF_ACT_BLOCK,
            None => !trans.pass && rules.options.flags & abi::IIPF_O_DEFAULT_BLOCK != 0,
        };
        let line = decided.and_then(|at| self.log_line(at));
        let line = line.or_else(|| log.and_then(|at| self.log_line(at)));
        let line = line.or_else(|| self.log_line(trans.rule));
        if blocked {
            let why = if trans.refused {
                Drop::NatFilter
            } else {
                Drop::Blocked
            };
            self.count_rule(rule);
            let mut d = Decision::drop(why, self.mark);
            d.answer = self.answer(rule);
            d.log = line;
            return d;
        }
        if let Some(r) = rule {
            sets.add(&r.rec.set);
        }
        if let Some(r) = rules.rule(trans.rule) {
            sets.add(&r.rec.set);
        }
        let mut d = Decision::pass(sets.mark);
        d.log = line;
        d.change.mss = sets.mss;
        d.change.set = sets.flags;
        d.change.min_ttl = sets.min_ttl;
        d.change.dscp = sets.dscp;
        if self.p.has_options && rule.is_none_or(|r| r.rec.flags & abi::IIPF_R_ALLOW_OPTS == 0) {
            return Decision::drop(Drop::Options, self.mark);
        }
        if let Some((npt, out)) = trans.npt {
            // RFC 6296 keeps nothing.
            d.change.npt = Some((npt, out));
        }
        let translated = trans.to != t && trans.npt.is_none();
        let keeps = rule.is_some_and(|r| r.rec.state.mode != abi::IIPF_STATE_NONE);
        if translated {
            d.change.to = Some(self.ends(&trans.to));
        }
        if !(keeps || translated || trans.hairpin || trans.child.is_some()) {
            self.count_rule(rule);
            if !self.dry {
                self.iipf.counters.inc(Ctr::PassedRule);
            }
            return d;
        }
        let proxy = keeps
            && !self.out()
            && trans.child.is_none()
            && rule.is_some_and(|r| r.rec.state.mode == abi::IIPF_STATE_SYNPROXY);
        let mut proven = None;
        if proxy {
            match self.shake(&t, sets.mss) {
                Shake::Answer(answer) => {
                    let mut d = Decision::drop(Drop::Synproxy, self.mark);
                    d.answer = answer;
                    return d;
                }
                Shake::Proven(p) => proven = Some(p),
                Shake::Refused => return Decision::drop(Drop::BadState, self.mark),
            }
        }
        match self.keep(family, t, trans, rule, &sets, proven) {
            Ok((_, id)) if proxy => {
                d = Decision::drop(Drop::Synproxy, self.mark);
                d.answer = id.map_or(Answer::None, Answer::Syn);
                d.log = line;
                d
            }
            Ok((look, _)) => {
                d.change.look = look;
                d
            }
            Err(why) => {
                d = Decision::drop(why, self.mark);
                d.log = line;
                d
            }
        }
    }

    /// Adds what the match rules up to `stop` set; the last one that wants a log line.
    #[inline(never)]
    fn note_rules(&mut self, f: &Fields, stop: u32, sets: &mut Sets) -> Option<u32> {
        let rules = self.rules;
        let mut log = None;
        let mut seen = [NONE; 8];
        let mut n = 0usize;
        let view = self.view();
        rules.notes.classifier.each(f, &view, None, |number| {
            let Some(&at) = rules.notes.rules.get(number as usize) else {
                return;
            };
            let Some(r) = rules.rule(at).filter(|r| r.rec.order <= stop) else {
                return;
            };
            sets.add(&r.rec.set);
            if r.rec.flags & abi::IIPF_R_LOG != 0 {
                log = Some(at);
            }
            if let Some(slot) = seen.get_mut(n) {
                *slot = at;
                n = n.wrapping_add(1);
            }
        });
        for &at in seen.iter().take(n) {
            self.step(abi::IIPF_STEP_MATCH_RULE, at.wrapping_add(1), 0);
            self.count_rule(rules.rule(at));
        }
        log
    }

    /// Counts the packet at the entries of tables that made its rule match.
    fn count_entries(&self, rule: &Rule, to: &Tuple) {
        let m = &rule.rec.m;
        let af = if self.six() {
            classify::Af::V6
        } else {
            classify::Af::V4
        };
        for (rec, addr) in [(&m.src, to.src), (&m.dst, to.dst)] {
            if rec.kind != abi::IIPF_ADDR_TABLE {
                continue;
            }
            let named = self
                .rules
                .live
                .named
                .get(rec.index.wrapping_sub(1) as usize);
            let Some(named) = named else { continue };
            match named.table.lookup(self.s, af, addr, self.now) {
                Some(hit) if !hit.not => {
                    hit.count(u64::from(self.p.len));
                    named.matched.fetch_add(1, Relaxed);
                }
                _ => drop(named.missed.fetch_add(1, Relaxed)),
            }
        }
    }

    fn count_rule(&self, rule: Option<&Rule>) {
        if let Some(r) = rule.filter(|_| !self.dry) {
            r.stats.count(self.out(), u64::from(self.p.len), self.now);
        }
    }

    /// The code of "administratively prohibited".
    fn prohibited(&self) -> u8 {
        if self.six() {
            icmp::v6::UNREACH_ADMIN
        } else {
            icmp::v4::UNREACH_ADMIN
        }
    }

    fn answer(&self, rule: Option<&Rule>) -> Answer {
        let Some(r) = rule else {
            return Answer::None;
        };
        let code = if self.six() {
            r.rec.icmp6_code
        } else {
            r.rec.icmp_code
        };
        let (tcp, icmp) = match self.proto() {
            proto::TCP => (true, false),
            proto::ICMP | proto::ICMPV6 => (false, true),
            _ => (false, false),
        };
        match r.rec.block {
            abi::IIPF_BLOCK_RETURN | abi::IIPF_BLOCK_RST if tcp => Answer::Reset,
            abi::IIPF_BLOCK_RETURN | abi::IIPF_BLOCK_ICMP if !icmp => Answer::Unreachable(code),
            _ => Answer::None,
        }
    }

    /// Makes the state.
    #[inline(never)]
    fn keep<const N: usize>(
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
