// SPDX-License-Identifier: BSD-2-Clause
//! Forwards that programs ask for, with a lifetime: what a UPnP or PCP daemon needs.
//!
//! A forward is an entry among the mappings for each of its ports, which hold these ports of the
//! outside address. When it ends its entries become mappings that let nobody new in, and go with
//! the last state that uses them.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::portmap::Policy;
use flow::portmap::PortMap;
use flow::portmap::Range;
use flow::slab::Id;
use flow::table::InsertError;
use iipf_abi as abi;
use kern::cx::Thread;
use kern::epoch;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KVec;

use crate::cond::INET6;
use crate::cond::number;
use crate::entry::Forward;
use crate::entry::Map;
use crate::entry::NONE;
use crate::mapping::outside_key;
use crate::refresh::find_ports;
use crate::softc::Config;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::stats::Ctr;

/// The zone of forwards: mappings of pools have others.
pub(crate) const ZONE: u16 = 1;
/// The first port that is given to who asks for any.
const FIRST: u16 = 1_024;

/// What a forward is made of.
pub(crate) struct Plan {
    pub number: u32,
    pub outside: u128,
    pub inside: u128,
    pub remote: u128,
    /// Index of the interface that it is on; 0: every one.
    pub door: u32,
    pub word: u32,
}

/// The name from inside: together with the outside one, for an inside port may have several.
pub(crate) fn forward_key<const N: usize>(
    inside: (u128, u16),
    outside: (u128, u16),
    proto: u8,
) -> [u64; N]
where
    [u64; N]: Packed,
{
    Packed::pack(&Tuple {
        src: inside.0,
        sport: inside.1,
        dst: outside.0,
        dport: outside.1,
        proto,
        zone: ZONE,
        ..Tuple::default()
    })
}

impl Forward {
    /// How many ports.
    pub fn ports(&self) -> u16 {
        self.rec.ports.max(1)
    }

    /// Whether it has an outside port of those.
    pub fn covers(&self, six: bool, proto: u8, outside: u128, lo: u16, n: u16) -> bool {
        let (from, end) = (u32::from(self.rec.outside_port), u32::from(self.ports()));
        let lo = u32::from(lo);
        self.six == six
            && self.rec.proto == proto
            && number(self.rec.af, &self.rec.outside) == outside
            && from < lo.saturating_add(u32::from(n))
            && lo < from.saturating_add(end)
    }
}

/// A free run of ports, claimed: `prefer`, else with `any` another one. None: there is none.
pub(crate) fn claim(map: &PortMap, prefer: u16, n: u16, any: bool, exact: bool) -> Option<u16> {
    if exact && claim_run(map, prefer, n) {
        return Some(prefer);
    }
    if !any {
        return None;
    }
    if n == 1 {
        let range = Range {
            lo: FIRST,
            hi: u16::MAX,
        };
        let mut random = [0; 4];
        kern::misc::random(&mut random);
        return map.alloc(prefer, range, Policy::Preserve, u32::from_ne_bytes(random));
    }
    if claim_run(map, prefer, n) {
        return Some(prefer);
    }
    let mut at = FIRST;
    loop {
        if claim_run(map, at, n) {
            return Some(at);
        }
        at = at.checked_add(n)?;
    }
}

fn claim_run(map: &PortMap, lo: u16, n: u16) -> bool {
    let Some(hi) = lo.checked_add(n.wrapping_sub(1)).filter(|_| lo != 0) else {
        return false;
    };
    for port in lo..=hi {
        if !map.claim(port) {
            release_run(map, lo, port.wrapping_sub(lo));
            return false;
        }
    }
    true
}

/// Gives them back.
pub(crate) fn release_run(map: &PortMap, lo: u16, n: u16) {
    for i in 0..n {
        map.release(lo.wrapping_add(i));
    }
}

impl Iipf {
    /// Makes the entries of a forward; its ports are claimed.
    ///
    /// # Errors
    /// ENOSPC, ENOMEM, EADDRINUSE; then there is none, and the ports are still claimed.
    pub(crate) fn make_forward<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        rec: &abi::ForwardRec,
        plan: &Plan,
    ) -> Result<KVec<Id>>
    where
        [u64; N]: Packed,
    {
        let n = rec.ports.max(1);
        let mut ids = KVec::with_capacity(cx, usize::from(n))?;
        for i in 0..n {
            let inside = (plan.inside, rec.inside_port.wrapping_add(i));
            let outside = (plan.outside, rec.outside_port.wrapping_add(i));
            let mut made = self.insert_forward(cx, family, rec.proto, inside, outside, plan);
            if made == Err(InsertError::NoMemory) {
                family.maps.reclaim(cx);
                made = self.insert_forward(cx, family, rec.proto, inside, outside, plan);
            }
            let error = match made {
                Ok(id) => match ids.push(cx, id) {
                    Ok(()) => continue,
                    Err(e) => e,
                },
                Err(InsertError::Taken) => Errno::EADDRINUSE,
                Err(InsertError::Full) => Errno::ENOSPC,
                Err(InsertError::NoMemory) => Errno::ENOMEM,
            };
            epoch::read(cx, |s| {
                for &id in ids.iter() {
                    family.maps.unlink(s, id);
                }
            });
            return Err(error);
        }
        self.counters.add(Ctr::MapAdded, u64::from(n));
        Ok(ids)
    }

    fn insert_forward<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        proto: u8,
        inside: (u128, u16),
        outside: (u128, u16),
        plan: &Plan,
    ) -> core::result::Result<Id, InsertError>
    where
        [u64; N]: Packed,
    {
        let now = self.now.load(Relaxed);
        let a = forward_key(inside, outside, proto);
        let b = outside_key(outside.0, outside.1, proto);
        epoch::read(cx, |s| {
            let hit = family.maps.insert(s, &a, Some(&b), |m| {
                m.refs.store(0, Relaxed);
                m.word.store(plan.word, Relaxed);
                m.rule.store(NONE, Relaxed);
                m.last.store(now, Relaxed);
                m.made.store(now, Relaxed);
                m.until.store(0, Relaxed);
                m.ifindex.store(plan.door, Relaxed);
                m.source.store(NONE, Relaxed);
                m.hits.store(0, Relaxed);
                m.forward.store(plan.number, Relaxed);
                let [high, low] = &m.remote;
                high.store((plan.remote >> 64) as u64, Relaxed);
                low.store(plan.remote as u64, Relaxed);
            })?;
            family.maps.arm(s, hit.id, now, 60);
            Ok(hit.id)
        })
    }

    /// A forward ends: nobody new comes in by it, and what no state uses goes at once.
    pub(crate) fn end_forward(&self, cx: &mut Thread, config: &Config, forward: &Forward) {
        if forward.six {
            self.end_forward_in(cx, &self.v6, config, forward);
        } else {
            self.end_forward_in(cx, &self.v4, config, forward);
        }
    }

    fn end_forward_in<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        config: &Config,
        forward: &Forward,
    ) where
        [u64; N]: Packed,
    {
        const OFF: u32 = Map::FORWARD | Map::PASS | 0xff;
        for some in forward.maps.chunks(64) {
            epoch::read(cx, |s| {
                for hit in some.iter().filter_map(|&id| family.maps.by_id(s, id)) {
                    let closed =
                        |word: u32| Some(word & !OFF | u32::from(abi::IIPF_FILTER_ADDRESS_PORT));
                    let _ = hit.entry.word.fetch_update(Relaxed, Relaxed, closed);
                    if hit.entry.bury() && family.maps.unlink(s, hit.id) {
                        self.map_ended(s, family, &hit, &config.ports, forward.six);
                    }
                }
            });
        }
    }

    /// Packets that began a state by a forward.
    pub(crate) fn forward_hits(&self, cx: &mut Thread, forward: &Forward) -> u64 {
        epoch::read(cx, |s| {
            forward.maps.iter().fold(0u64, |n, &id| {
                let hits = if forward.six {
                    self.v6
                        .maps
                        .by_id(s, id)
                        .map(|h| h.entry.hits.load(Relaxed))
                } else {
                    self.v4
                        .maps
                        .by_id(s, id)
                        .map(|h| h.entry.hits.load(Relaxed))
                };
                n.wrapping_add(hits.unwrap_or(0))
            })
        })
    }

    /// Ends forwards whose time is over.
    pub(crate) fn forget_forwards(&self, cx: &mut Thread, config: &mut Config, now: u32) {
        let over = |f: &Forward| f.until != 0 && now >= f.until;
        while let Some(at) = config.forwards.iter().position(over) {
            let Some(forward) = config.forwards.swap_remove(at) else {
                break;
            };
            self.end_forward(cx, config, &forward);
        }
        kern::sort::by_key(&mut config.forwards, |f| f.rec.id);
    }

    /// The map of ports of a forward's outside address; None: it needs no ports.
    pub(crate) fn forward_ports<'c>(
        config: &'c Config,
        rec: &abi::ForwardRec,
        outside: u128,
    ) -> Option<&'c PortMap> {
        if rec.outside == rec.inside {
            return None;
        }
        find_ports(&config.ports, rec.af == INET6, outside)?.of(rec.proto)
    }
}
