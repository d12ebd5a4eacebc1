// SPDX-License-Identifier: BSD-2-Clause
//! A packet without a state: translated, filtered, and given one.

use core::sync::atomic::Ordering::Relaxed;

use classify::Fields;
use flow::key::Packed;
use flow::key::Tuple;
use flow::tcp;
use iipf_abi as abi;
use wire::icmp;
use wire::packet::Upper;
use wire::packet::proto;

use crate::decision::Answer;
use crate::decision::Decision;
use crate::entry::NONE;
use crate::entry::Word;
use crate::job::Job;
use crate::keep::Sets;
use crate::ruleset::Rule;
use crate::softc::Family;
use crate::stats::Ctr;
use crate::stats::Drop;
use crate::synproxy::Shake;
use crate::translate::Trans;

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
}
