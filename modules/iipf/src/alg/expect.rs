// SPDX-License-Identifier: BSD-2-Clause
//! Connections that a payload announces: noted, and recognised when they come. Each counts once,
//! and for a limited time.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::portmap::Policy;
use flow::portmap::Range;
use flow::slab::Id;
use flow::slab::Side;
use flow::table::InsertError;
use iipf_abi as abi;
use wire::packet::proto;

use crate::entry::Expect;
use crate::entry::Flow;
use crate::entry::Map;
use crate::entry::NONE;
use crate::job::Job;
use crate::mapping::inside_key;
use crate::mapping::outside_key;
use crate::softc::Family;
use crate::stats::Ctr;
use crate::stats::Drop;
use crate::translate::Child;
use crate::translate::Trans;

/// [`Expect::alg`]: who speaks to a peer; no helper's.
pub(crate) const SPEAKER: u32 = 1 << 31;

/// Seconds that an announced connection is waited for.
const WAIT: u32 = 30;

pub(super) const fn halves(addr: u128) -> [u64; 2] {
    [(addr >> 64) as u64, addr as u64]
}

pub(super) fn whole(halves: &[core::sync::atomic::AtomicU64; 2]) -> u128 {
    let [hi, lo] = halves;
    u128::from(hi.load(Relaxed)) << 64 | u128::from(lo.load(Relaxed))
}

impl Job<'_> {
    /// A connection that a helper saw announced, and what it is translated to.
    #[inline(never)]
    pub fn expected<const N: usize>(
        &mut self,
        family: &Family<N>,
        t: &Tuple,
    ) -> Option<Result<Trans, Drop>>
    where
        [u64; N]: Packed,
    {
        let tunnel = matches!(t.proto, proto::GRE | proto::ESP);
        if family.expects.is_unused() || (t.sport == 0 && t.proto != proto::GRE) {
            return None;
        }
        let key = Packed::pack(&Tuple { sport: 0, ..*t });
        let hit = family.expects.get(self.s, &key)?;
        let e = hit.entry;
        if self.now > e.until.load(Relaxed) || e.alg.load(Relaxed) == SPEAKER {
            return None;
        }
        if !self.dry && e.used.swap(1, Relaxed) != 0 {
            return None;
        }
        let mut trans = Trans::none(*t);
        let ports = e.ports.load(Relaxed);
        let (to, from) = (whole(&e.to), whole(&e.from));
        if from != 0 && self.out() && !tunnel {
            // Whoever connects is behind the translation: as every other connection of its.
            match self.outward(family, *t) {
                Ok(got) => trans = got,
                Err(why) => return Some(Err(why)),
            }
            (trans.map, trans.map2) = (None, trans.map);
        }
        if from != 0 && trans.to.src == t.src {
            trans.to.src = from;
        }
        trans.to.dst = to;
        trans.to.dport = (ports >> 16) as u16;
        trans.npt = None;
        trans.pass = true;
        trans.child = Some(Child {
            rule: e.rule.load(Relaxed),
            nat: e.nat.load(Relaxed),
            mark: e.mark.load(Relaxed),
        });
        let alg = e.alg.load(Relaxed);
        if !self.dry {
            let map = e.map.swap(NONE, Relaxed);
            if map != NONE {
                trans.map = family.maps.at(self.s, map).map(|m| m.id);
            }
            family.expects.unlink(self.s, hit.id);
        }
        self.step(abi::IIPF_STEP_ALG, 0, u64::from(alg));
        if trans.to != *t {
            let to = trans.to;
            self.step_at(abi::IIPF_STEP_TRANSLATED, 0, 0, &to);
        }
        Some(Ok(trans))
    }

    /// Notes an expectation; `map` is held for it.
    pub(super) fn expect<const N: usize>(
        &mut self,
        family: &Family<N>,
        parent: &Flow,
        key: &Tuple,
        (to, from, port): (u128, u128, u16),
        map: Option<Id>,
        alg: u32,
    ) -> Result<Id, InsertError>
    where
        [u64; N]: Packed,
    {
        let ports = u32::from(port) << 16;
        let index = map.map_or(NONE, |id| id.index);
        let (to, from) = (halves(to), halves(from));
        let fill = |e: &Expect| {
            e.to.iter().zip(to).for_each(|(a, v)| a.store(v, Relaxed));
            e.from
                .iter()
                .zip(from)
                .for_each(|(a, v)| a.store(v, Relaxed));
            e.ports.store(ports, Relaxed);
            e.rule.store(parent.rule.load(Relaxed), Relaxed);
            e.nat.store(parent.nat.load(Relaxed), Relaxed);
            e.mark.store(parent.mark.load(Relaxed), Relaxed);
            e.map.store(index, Relaxed);
            e.alg.store(alg, Relaxed);
            e.until.store(self.now.wrapping_add(WAIT), Relaxed);
            e.used.store(0, Relaxed);
        };
        let hit = family
            .expects
            .insert(self.s, &Packed::pack(key), None, fill)?;
        family.expects.arm(self.s, hit.id, self.now, WAIT);
        self.iipf.counters.inc(Ctr::AlgEvents);
        Ok(hit.id)
    }

    /// The same is announced again: it counts anew.
    pub(super) fn expect_again<const N: usize>(
        &self,
        family: &Family<N>,
        key: &Tuple,
        (to, port): (u128, u16),
    ) -> Option<Id>
    where
        [u64; N]: Packed,
    {
        let hit = family.expects.get(self.s, &Packed::pack(key))?;
        let e = hit.entry;
        let same = whole(&e.to) == to && e.ports.load(Relaxed) >> 16 == u32::from(port);
        if !same || e.used.load(Relaxed) != 0 {
            return None;
        }
        e.until.store(self.now.wrapping_add(WAIT), Relaxed);
        Some(hit.id)
    }

    /// A port of an outside address for an inside end, where a redirection leads to it: the same
    /// port if it is free.
    pub(super) fn port_behind<const N: usize>(
        &mut self,
        family: &Family<N>,
        (outside, inside): (u128, u128),
        port: u16,
        proto: u8,
        try_: usize,
    ) -> Option<(u16, Option<Id>)>
    where
        [u64; N]: Packed,
    {
        let live = &self.rules.live;
        let pools = live.pools.iter().filter(|p| p.ports);
        for pool in pools {
            let Some(addrs) = pool.addrs.peek(self.s) else {
                continue;
            };
            let Some(one) = addrs.list.iter().find(|a| a.ports.addr == outside) else {
                continue;
            };
            let key = inside_key(inside, port, proto, pool.zone);
            if let Some(hit) = family.maps.get(self.s, &key) {
                let out = hit.entry.key(Side::B).unpack();
                let held = out.src == outside && hit.entry.hold();
                return held.then_some((out.sport, Some(hit.id)));
            }
            let ports = one.ports.of(proto)?;
            let rnd = self.random();
            let range = Range {
                lo: 1_024,
                hi: u16::MAX,
            };
            let got = ports.alloc(port, range, Policy::Preserve, rnd)?;
            let now = self.now;
            let made =
                family
                    .maps
                    .insert(self.s, &key, Some(&outside_key(outside, got, proto)), |m| {
                        m.refs.store(1, Relaxed);
                        let word = u32::from(abi::IIPF_FILTER_ADDRESS_PORT) | Map::PORT;
                        m.word.store(word, Relaxed);
                        m.rule.store(NONE, Relaxed);
                        m.last.store(now, Relaxed);
                        m.made.store(now, Relaxed);
                        m.until.store(0, Relaxed);
                        m.ifindex.store(0, Relaxed);
                        m.source.store(NONE, Relaxed);
                        m.hits.store(0, Relaxed);
                    });
            let Ok(hit) = made else {
                ports.release(got);
                return None;
            };
            family.maps.arm(self.s, hit.id, now, 60);
            self.iipf.counters.inc(Ctr::MapAdded);
            return Some((got, Some(hit.id)));
        }
        // Nobody gives out ports of that address.
        let rnd = (self.random() >> 16) as u16 | 0x8000;
        Some((if try_ == 0 { port } else { rnd }, None))
    }
}
