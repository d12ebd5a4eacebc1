// SPDX-License-Identifier: BSD-2-Clause
//! Ending states on request, and marking those that new rules would refuse.

use core::sync::atomic::Ordering::Relaxed;

use classify::Af;
use classify::Dir;
use classify::Fields;
use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Side;
use flow::table::Hit;
use iipf_abi as abi;
use kern::cx::Thread;
use kern::epoch;
use kern::epoch::Section;
use wire::icmp;
use wire::packet::proto;

use crate::entry::Flow;
use crate::entry::Map;
use crate::entry::NONE;
use crate::entry::Word;
use crate::ifmap::OTHER;
use crate::ruleset::View;
use crate::softc::Family;
use crate::softc::Iipf;

/// Places that are looked at in one section.
const BATCH: u32 = 256;

impl Iipf {
    /// Ends the states that `which` picks; how many.
    pub(crate) fn end_states<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        mut which: impl FnMut(&Section<'_>, &Hit<'_, N, Flow>) -> bool,
    ) -> u64
    where
        [u64; N]: Packed,
    {
        let now = self.now.load(Relaxed);
        let (mut from, mut ended) = (Some(0), 0u64);
        while let Some(at) = from {
            from = epoch::read(cx, |s| {
                let rules = self.rules.peek(s);
                family.flows.walk(s, at, BATCH, |hit| {
                    if which(s, &hit) && family.flows.unlink(s, hit.id) {
                        self.state_ended(s, rules, family, &hit, now);
                        ended = ended.wrapping_add(1);
                    }
                })
            });
        }
        ended
    }

    /// Ends the states that began at a source: those of a rule, or all.
    pub(crate) fn end_source(&self, cx: &mut Thread, six: bool, addr: u128, num: u32) {
        if six {
            self.end_source_of(cx, &self.v6, addr, num);
        } else {
            self.end_source_of(cx, &self.v4, addr, num);
        }
    }

    fn end_source_of<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        addr: u128,
        num: u32,
    ) where
        [u64; N]: Packed,
    {
        self.end_states(cx, family, |_, hit| {
            let rule = hit.entry.rule.load(Relaxed);
            (num == NONE || rule == num) && hit.entry.key(Side::A).unpack().src == addr
        });
    }

    /// Counts the states that the rules would refuse now, and marks or ends them.
    pub(crate) fn mark_stale(&self, cx: &mut Thread, kill: bool) -> u64 {
        let v4 = self.mark_stale_in(cx, &self.v4, false, kill);
        v4.wrapping_add(self.mark_stale_in(cx, &self.v6, true, kill))
    }

    fn mark_stale_in<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        six: bool,
        kill: bool,
    ) -> u64
    where
        [u64; N]: Packed,
    {
        let mut count = 0u64;
        self.end_states(cx, family, |s, hit| {
            let flow = hit.entry;
            let made = Made {
                first: flow.key(Side::A).unpack(),
                to: flow.key(Side::B).unpack().flip(),
                ifindex: flow.ifindex.load(Relaxed),
                mark: flow.mark.load(Relaxed),
                rule: flow.rule.load(Relaxed),
                nat: flow.nat.load(Relaxed),
                pass: self.passes(s, family, flow),
            };
            // What a helper let in is let in by its parent.
            let stale = !flow.word().has(Word::CHILD) && self.refuses(s, six, &made);
            if stale {
                flow.word.fetch_or(Word::STALE, Relaxed);
                count = count.wrapping_add(1);
            } else if flow.word().has(Word::STALE) {
                flow.word.fetch_and(!Word::STALE, Relaxed);
            }
            stale && kill
        });
        count
    }

    /// Whether the mapping of a state lets it past the filter.
    fn passes<const N: usize>(&self, s: &Section<'_>, family: &Family<N>, flow: &Flow) -> bool
    where
        [u64; N]: Packed,
    {
        let map = flow.map.load(Relaxed);
        map != NONE
            && family
                .maps
                .at(s, map)
                .is_some_and(|m| m.entry.has(Map::PASS))
    }

    /// Whether the running rules would refuse what such a state was made for.
    pub(crate) fn refuses(&self, s: &Section<'_>, six: bool, made: &Made) -> bool {
        let Some(rules) = self.rules.peek(s) else {
            return false;
        };
        let iface = rules.live.ifs.peek(s).and_then(|ifs| ifs.get(made.ifindex));
        let nat = rules.numbered(made.nat);
        let pass = nat.is_some_and(|r| r.rec.nat.flags & abi::IIPF_NF_PASS != 0);
        if iface.is_some_and(|i| i.skip) || made.pass || pass {
            return false;
        }
        let to = &made.to;
        let mut f = Fields::new(if six { Af::V6 } else { Af::V4 });
        f.dir = if made.first.dir == 0 {
            Dir::In
        } else {
            Dir::Out
        };
        (f.src, f.dst, f.proto) = (to.src, to.dst, to.proto);
        f.iface = iface.map_or(OTHER, |i| i.slot);
        f.mark = made.mark;
        match to.proto {
            proto::TCP => {
                (f.sport, f.dport) = (to.sport, to.dport);
                f.tcp_flags = flow::tcp::flag::SYN;
            }
            proto::UDP => (f.sport, f.dport) = (to.sport, to.dport),
            proto::ICMP => f.icmp_type = icmp::v4::ECHO,
            proto::ICMPV6 => f.icmp_type = icmp::v6::ECHO,
            _ => {}
        }
        let view = View {
            live: &rules.live,
            s,
            now: self.now.load(Relaxed),
            bytes: 0,
        };
        // By chance it was let in once: as long as that rule is there, it stays.
        let decided = rules.filter.first(&f, &view, |at| {
            rules.rule(at).is_some_and(|r| {
                let m = &r.rec.m;
                let tagged = m.flags & abi::IIPF_M_MARK_NEG != 0;
                let not_this = tagged && made.mark & m.mark_mask == m.mark;
                !not_this && (m.probability == 0 || r.stats.num == made.rule)
            })
        });
        match decided.and_then(|at| rules.rule(at)) {
            Some(r) => r.rec.action == abi::IIPF_ACT_BLOCK,
            None => rules.options.flags & abi::IIPF_O_DEFAULT_BLOCK != 0,
        }
    }
}

/// What a state was made from.
pub(crate) struct Made {
    /// Its first packet, before and after translation.
    pub first: Tuple,
    pub to: Tuple,
    pub ifindex: u32,
    pub mark: u32,
    /// Run-time numbers of its rules, or NONE.
    pub rule: u32,
    pub nat: u32,
    /// The filter was not asked.
    pub pass: bool,
}
