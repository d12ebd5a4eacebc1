// SPDX-License-Identifier: BSD-2-Clause
//! What a packet that begins a flow is translated to.
//!
//! Mappings are endpoint-independent (RFC 4787, REQ-1): an inside address and port are the same
//! address and port outside, whoever is spoken to; who may answer is the rule's filtering (REQ-8).

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Id;
use flow::slab::Side;
use flow::table::Hit;
use iipf_abi as abi;
use wire::packet::proto;
use wire::rewrite::Npt;

use crate::cond::fold;
use crate::entry::Map;
use crate::entry::NONE;
use crate::ifmap::OTHER;
use crate::job::Job;
use crate::mapping::endpoint_key;
use crate::mapping::outside_key;
use crate::mapping::peer_key;
use crate::ruleset::Rule;
use crate::softc::Family;
use crate::stats::Drop;

/// What a connection has from the one that announced it.
#[derive(Clone, Copy)]
pub(crate) struct Child {
    /// Run-time numbers of its rules.
    pub rule: u32,
    pub nat: u32,
    pub mark: u32,
}

/// What is translated, and by what.
#[derive(Clone, Copy)]
pub(crate) struct Trans {
    /// The packet's name afterwards.
    pub to: Tuple,
    /// Index of the rule, or NONE.
    pub rule: u32,
    /// The mapping, held once.
    pub map: Option<Id>,
    /// And the one of the source, of a hairpin.
    pub map2: Option<Id>,
    /// Both directions come in by the same door.
    pub hairpin: bool,
    /// The filter is not asked.
    pub pass: bool,
    /// There is a mapping, but not for this sender.
    pub refused: bool,
    /// The mapping filters by address: note the peer.
    pub peer: bool,
    pub npt: Option<(Npt, bool)>,
    /// Announced by another one.
    pub child: Option<Child>,
}

impl Trans {
    /// Nothing is.
    pub fn none(t: Tuple) -> Trans {
        Trans {
            to: t,
            rule: NONE,
            map: None,
            map2: None,
            hairpin: false,
            pass: false,
            refused: false,
            peer: false,
            npt: None,
            child: None,
        }
    }
}

/// Host bits of `addr` under the network bits of the range `lo..=hi`, a prefix.
fn bitmask((lo, hi): (u128, u128), addr: u128) -> u128 {
    let host = lo ^ hi;
    (lo & !host) | (addr & host)
}

impl<'a> Job<'a> {
    /// The rule of a search's result, if it is no "no".
    fn wanted(&mut self, rule: Option<u32>, no: u8) -> Option<(u32, &'a Rule)> {
        let rules = self.rules;
        let at = rule?;
        let r = rules.rule(at)?;
        self.step(abi::IIPF_STEP_NAT_RULE, at.wrapping_add(1), 0);
        (r.rec.action != no).then_some((at, r))
    }

    /// A packet that comes in.
    #[inline(never)]
    pub fn inward<const N: usize>(&mut self, family: &Family<N>, t: Tuple) -> Result<Trans, Drop>
    where
        [u64; N]: Packed,
    {
        let mut trans = Trans::none(t);
        let f = self.fields(&t);
        let rules = self.rules;
        let chance = self.chance();
        let found = rules.rdr.first(&f, &self.view(), chance);
        if let Some((at, rule)) = self.wanted(found, abi::IIPF_ACT_NO_RDR) {
            return self.redirect(family, at, rule, t);
        }
        // Behind the rules: a forward is not lost to a mapping that got its port before.
        if matches!(t.proto, proto::TCP | proto::UDP) && !family.maps.is_unused() {
            let key = outside_key(t.dst, t.dport, t.proto);
            if let Some(hit) = family.maps.get(self.s, &key)
                && self.mapped_in(family, &hit, t, &mut trans)?
            {
                return Ok(trans);
            }
        }
        let chance = self.chance();
        let found = rules.binat_in.first(&f, &self.view(), chance);
        if let Some((at, rule)) = self.wanted(found, abi::IIPF_ACT_NO_BINAT) {
            trans.rule = at;
            trans.pass = rule.rec.nat.flags & abi::IIPF_NF_PASS != 0;
            if let Some(npt) = rule.npt {
                trans.to.dst = npt.inbound(t.dst).map_err(|_| Drop::NatAddress)?;
                trans.npt = Some((npt, false));
            } else {
                let src = &rule.rec.m.src;
                let inside = (
                    crate::cond::number(src.af, &src.lo),
                    crate::cond::number(src.af, &src.hi),
                );
                trans.to.dst = bitmask(inside, t.dst);
                trans.hairpin = self.turns(rule);
                if trans.hairpin {
                    self.turn(family, rule, t, &mut trans)?;
                }
            }
            self.step_at(abi::IIPF_STEP_TRANSLATED, at.wrapping_add(1), 0, &trans.to);
        }
        Ok(trans)
    }

    /// A mapping or forward has the destination. Whether that settles it.
    fn mapped_in<const N: usize>(
        &mut self,
        family: &Family<N>,
        hit: &Hit<'_, N, Map>,
        t: Tuple,
        trans: &mut Trans,
    ) -> Result<bool, Drop>
    where
        [u64; N]: Packed,
    {
        let map = hit.entry;
        let inside = map.key(Side::A).unpack();
        let door = map.ifindex.load(Relaxed);
        let mut to = Tuple {
            dst: inside.src,
            dport: inside.sport,
            ..t
        };
        let hairpin = door != 0 && door != self.rx.ifindex;
        if hairpin && !map.has(Map::HAIRPIN) {
            return Ok(false);
        }
        let forward = map.has(Map::FORWARD);
        if forward && !map.admits(t.src, self.six()) {
            return Ok(false);
        }
        if !self.dry && !map.hold() {
            return Ok(false);
        }
        trans.map = (!self.dry).then_some(hit.id);
        if hairpin {
            let slot = self.ifs.get(door).map_or(OTHER, |i| i.slot);
            match self.hairpin_source(family, t, slot) {
                Ok(Some((src, sport, map2))) => {
                    (to.src, to.sport) = (src, sport);
                    trans.map2 = map2;
                }
                Ok(None) => {}
                Err(why) => {
                    self.let_go(family, trans);
                    return Err(why);
                }
            }
        }
        let allowed = match map.filtering() {
            abi::IIPF_FILTER_ENDPOINT => true,
            abi::IIPF_FILTER_ADDRESS => {
                let key = peer_key(t.dst, t.dport, t.proto, to.src);
                family.maps.get(self.s, &key).is_some()
            }
            // Of hosts behind us it is known whom they tried to reach.
            _ => {
                hairpin && {
                    let from = (t.dst, t.dport);
                    let key = endpoint_key(from, t.proto, (to.src, to.sport));
                    family.maps.get(self.s, &key).is_some()
                }
            }
        };
        if !allowed {
            if hairpin && !self.dry {
                // The other one may answer now (RFC 4787, REQ-9: as if both were outside).
                let (from, at) = ((to.src, to.sport), (t.dst, t.dport));
                let keys = [
                    endpoint_key(from, t.proto, at),
                    peer_key(to.src, to.sport, t.proto, t.dst),
                ];
                for key in &keys {
                    self.iipf.note(self.s, family, key, 0, self.now);
                }
            }
            if hairpin {
                // It is nobody else's: a state for our own stack would stand in the answer's way.
                self.let_go(family, trans);
                self.step(abi::IIPF_STEP_MAPPING_REFUSED, 0, 0);
                return Err(Drop::NatFilter);
            }
            self.let_go(family, trans);
            *trans = Trans::none(t);
            trans.refused = true;
            self.step(abi::IIPF_STEP_MAPPING_REFUSED, 0, 0);
            return Ok(true);
        }
        if !self.dry {
            map.hits.fetch_add(1, Relaxed);
        }
        trans.to = to;
        trans.hairpin = hairpin;
        trans.pass = map.has(Map::PASS);
        trans.rule = self.rules.index_of(map.rule.load(Relaxed));
        if forward {
            let number = u64::from(map.forward.load(Relaxed));
            self.step(abi::IIPF_STEP_FORWARD, 0, number);
        } else {
            self.step(abi::IIPF_STEP_MAPPING, 0, 0);
        }
        if hairpin {
            self.step(abi::IIPF_STEP_HAIRPIN, 0, 0);
        }
        self.step_at(abi::IIPF_STEP_TRANSLATED, 0, 0, &to);
        Ok(true)
    }

    /// An rdr rule has the destination.
    fn redirect<const N: usize>(
        &mut self,
        family: &Family<N>,
        at: u32,
        rule: &Rule,
        t: Tuple,
    ) -> Result<Trans, Drop>
    where
        [u64; N]: Packed,
    {
        let mut trans = Trans::none(t);
        let nat = &rule.rec.nat;
        let pool = rule
            .pool
            .and_then(|p| self.rules.live.pools.get(p as usize));
        let range = pool.and_then(|p| {
            let n = p.ranges.len() as u64;
            let pick = match nat.choice {
                // One sender, one server (RFC has no say; pf calls it source-hash).
                abi::IIPF_POOL_HASH => (fold(t.src) as u32).wrapping_mul(0x9e37_79b1),
                _ => self.random(),
            };
            p.ranges
                .get((u64::from(pick).wrapping_mul(n) >> 32) as usize)
                .copied()
        });
        let (lo, hi) = range.ok_or(Drop::NatAddress)?;
        trans.to.dst = match nat.choice {
            abi::IIPF_POOL_BITMASK => bitmask((lo, hi), t.dst),
            abi::IIPF_POOL_HASH => pick_in(lo, hi, (fold(t.src) as u32).wrapping_mul(0x85eb_ca6b)),
            _ if lo == hi => lo,
            _ => pick_in(lo, hi, self.random()),
        };
        if matches!(t.proto, proto::TCP | proto::UDP) {
            trans.to.dport = match nat.port_mode {
                abi::IIPF_NATPORT_SHIFT => {
                    let by = t.dport.wrapping_sub(rule.rec.m.dport.lo);
                    nat.port_lo.wrapping_add(by)
                }
                abi::IIPF_NATPORT_RANGE => {
                    let n = u64::from(nat.port_hi.wrapping_sub(nat.port_lo)).wrapping_add(1);
                    let by = (u64::from(self.random()).wrapping_mul(n) >> 32) as u16;
                    nat.port_lo.wrapping_add(by)
                }
                _ => t.dport,
            };
        }
        trans.rule = at;
        trans.pass = nat.flags & abi::IIPF_NF_PASS != 0;
        trans.hairpin = self.turns(rule);
        if trans.hairpin {
            self.turn(family, rule, t, &mut trans)?;
        }
        self.step_at(abi::IIPF_STEP_TRANSLATED, at.wrapping_add(1), 0, &trans.to);
        Ok(trans)
    }

    /// Whether the packet came by another interface than the one its rule stands on.
    fn turns(&self, rule: &Rule) -> bool {
        let set = rule.rec.m.iface;
        if rule.rec.nat.flags & abi::IIPF_NF_HAIRPIN == 0 || set == 0 {
            return false;
        }
        let records = &self.rules.live.ifaces;
        let own = crate::ifmap::slots(records, set.wrapping_sub(1) as usize);
        !own.has(self.slot)
    }

    /// The source of a hairpin by a rule.
    fn turn<const N: usize>(
        &mut self,
        family: &Family<N>,
        rule: &Rule,
        t: Tuple,
        trans: &mut Trans,
    ) -> Result<(), Drop>
    where
        [u64; N]: Packed,
    {
        let slot = u8::try_from(rule.rec.m.iface.wrapping_sub(1)).unwrap_or(OTHER);
        if let Some((src, sport, map)) = self.hairpin_source(family, t, slot)? {
            (trans.to.src, trans.to.sport) = (src, sport);
            if matches!(t.proto, proto::ICMP | proto::ICMPV6) {
                trans.to.dport = sport;
            }
            trans.map = map;
        }
        self.step(abi::IIPF_STEP_HAIRPIN, 0, 0);
        Ok(())
    }

    /// What the source of a hairpin becomes: what it would on its way out by `slot`.
    fn hairpin_source<const N: usize>(
        &mut self,
        family: &Family<N>,
        t: Tuple,
        slot: u8,
    ) -> Result<Option<(u128, u16, Option<Id>)>, Drop>
    where
        [u64; N]: Packed,
    {
        let mut f = self.fields(&t);
        f.iface = slot;
        f.dir = classify::Dir::Out;
        let rules = self.rules;
        let chance = self.chance();
        let found = rules.nat.first(&f, &self.view(), chance);
        let Some((at, rule)) = self.wanted(found, abi::IIPF_ACT_NO_NAT) else {
            return Ok(None);
        };
        let got = self.mapping(family, at, rule, &t)?;
        Ok(Some((got.addr, got.port, got.id)))
    }

    /// A packet that goes out.
    #[inline(never)]
    pub fn outward<const N: usize>(&mut self, family: &Family<N>, t: Tuple) -> Result<Trans, Drop>
    where
        [u64; N]: Packed,
    {
        let mut trans = Trans::none(t);
        let f = self.fields(&t);
        let rules = self.rules;
        let chance = self.chance();
        let found = rules.binat.first(&f, &self.view(), chance);
        if let Some((at, rule)) = self.wanted(found, abi::IIPF_ACT_NO_BINAT) {
            trans.rule = at;
            trans.pass = rule.rec.nat.flags & abi::IIPF_NF_PASS != 0;
            if let Some(npt) = rule.npt {
                trans.to.src = npt.outbound(t.src).map_err(|_| Drop::NatAddress)?;
                trans.npt = Some((npt, true));
            } else {
                trans.to.src = self.binat_out(rule, t.src).ok_or(Drop::NatAddress)?;
            }
            self.step_at(abi::IIPF_STEP_TRANSLATED, at.wrapping_add(1), 0, &trans.to);
            return Ok(trans);
        }
        let chance = self.chance();
        let found = rules.nat.first(&f, &self.view(), chance);
        let Some((at, rule)) = self.wanted(found, abi::IIPF_ACT_NO_NAT) else {
            return Ok(trans);
        };
        let got = self.mapping(family, at, rule, &t)?;
        (trans.to.src, trans.to.sport) = (got.addr, got.port);
        if matches!(t.proto, proto::ICMP | proto::ICMPV6) {
            // A query's identifier is both of its ports.
            trans.to.dport = got.port;
        }
        trans.map = got.id;
        trans.rule = at;
        trans.pass = rule.rec.nat.flags & abi::IIPF_NF_PASS != 0;
        trans.peer = got.id.is_some() && rule.rec.nat.filtering == abi::IIPF_FILTER_ADDRESS;
        self.step_at(abi::IIPF_STEP_TRANSLATED, at.wrapping_add(1), 0, &trans.to);
        Ok(trans)
    }

    /// The outside address of a binat rule.
    fn binat_out(&self, rule: &Rule, src: u128) -> Option<u128> {
        let pool = self.rules.live.pools.get(rule.pool? as usize)?;
        if let Some(&range) = pool.ranges.first() {
            return Some(bitmask(range, src));
        }
        let addrs = pool.addrs.peek(self.s)?;
        addrs.list.first().map(|a| a.ports.addr)
    }

    /// Gives back what a translation holds that is not used after all.
    pub fn let_go<const N: usize>(&self, family: &Family<N>, trans: &mut Trans) {
        for id in [trans.map.take(), trans.map2.take()].into_iter().flatten() {
            if let Some(hit) = family.maps.by_id(self.s, id) {
                hit.entry.release(self.now);
            }
        }
    }

    /// Answers for rules that match by chance, and "! tagged".
    pub fn chance(&mut self) -> impl FnMut(u32) -> bool + use<'a> {
        let rules = self.rules;
        let (mut rnd, mark) = (self.random(), self.mark);
        move |at| {
            let Some(rule) = rules.rule(at) else {
                return false;
            };
            let m = &rule.rec.m;
            if m.flags & abi::IIPF_M_MARK_NEG != 0 && mark & m.mark_mask == m.mark {
                return false;
            }
            rnd = rnd.wrapping_mul(0x9e37_79b1).wrapping_add(0x85eb_ca6b);
            m.probability == 0 || rnd < m.probability
        }
    }
}

/// One of the addresses of a range.
fn pick_in(lo: u128, hi: u128, rnd: u32) -> u128 {
    let n = hi.wrapping_sub(lo).saturating_add(1).min(1 << 32) as u64;
    lo.wrapping_add(u128::from(u64::from(rnd).wrapping_mul(n) >> 32))
}
