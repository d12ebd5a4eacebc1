// SPDX-License-Identifier: BSD-2-Clause
//! Mappings: found, or made with a port of the pool.

use core::num::NonZeroU32;
use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::portmap::Policy;
use flow::portmap::Range;
use flow::slab::Id;
use flow::slab::Side;
use flow::table::InsertError;
use iipf_abi as abi;
use kern::epoch::Section;
use wire::packet::proto;

use crate::cond::fold;
use crate::entry::Map;
use crate::entry::NONE;
use crate::job::Job;
use crate::pool::Addrs;
use crate::pool::Pool;
use crate::pool::PoolAddr;
use crate::ruleset::Rule;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::stats::Ctr;
use crate::stats::Drop;

/// Tries when others are quicker.
const TRIES: usize = 4;

/// What a source becomes.
pub(crate) struct Got {
    pub addr: u128,
    pub port: u16,
    /// The mapping, held; None: an address only.
    pub id: Option<Id>,
}

/// A port that was taken from an address.
struct Taken<'p> {
    from: &'p PoolAddr,
    port: u16,
    block: bool,
}

/// The name of a mapping from inside.
pub(crate) fn inside_key<const N: usize>(addr: u128, port: u16, p: u8, zone: u16) -> [u64; N]
where
    [u64; N]: Packed,
{
    Packed::pack(&Tuple {
        src: addr,
        sport: port,
        proto: p,
        zone,
        ..Tuple::default()
    })
}

/// And from outside.
pub(crate) fn outside_key<const N: usize>(addr: u128, port: u16, p: u8) -> [u64; N]
where
    [u64; N]: Packed,
{
    Packed::pack(&Tuple {
        src: addr,
        sport: port,
        proto: p,
        dir: 1,
        ..Tuple::default()
    })
}

/// The name of a peer of a mapping.
pub(crate) fn peer_key<const N: usize>(addr: u128, port: u16, p: u8, peer: u128) -> [u64; N]
where
    [u64; N]: Packed,
{
    Packed::pack(&Tuple {
        src: addr,
        dst: peer,
        sport: port,
        proto: p,
        dir: 1,
        zone: 1,
        ..Tuple::default()
    })
}

/// The name of one end that a mapping was used towards, port included.
pub(crate) fn endpoint_key<const N: usize>(from: (u128, u16), p: u8, to: (u128, u16)) -> [u64; N]
where
    [u64; N]: Packed,
{
    Packed::pack(&Tuple {
        src: from.0,
        dst: to.0,
        sport: from.1,
        dport: to.1,
        proto: p,
        dir: 1,
        zone: 2,
    })
}

impl<'a> Job<'a> {
    /// The mapping of a packet's source by a nat rule, held once more.
    pub fn mapping<const N: usize>(
        &mut self,
        family: &Family<N>,
        at: u32,
        rule: &Rule,
        t: &Tuple,
    ) -> Result<Got, Drop>
    where
        [u64; N]: Packed,
    {
        let live = &self.rules.live;
        let pool = rule
            .pool
            .and_then(|p| live.pools.get(p as usize))
            .ok_or(Drop::NatAddress)?;
        let addrs = pool.addrs.peek(self.s).filter(|a| !a.list.is_empty());
        let addrs = addrs.ok_or(Drop::NatAddress)?;
        let has_ports = matches!(
            t.proto,
            proto::TCP | proto::UDP | proto::ICMP | proto::ICMPV6
        );
        if !has_ports {
            let one = self.choose(rule, addrs, t.src, 0).ok_or(Drop::NatAddress)?;
            return Ok(Got {
                addr: one.ports.addr,
                port: t.sport,
                id: None,
            });
        }
        let inside = inside_key(t.src, t.sport, t.proto, pool.zone);
        for _ in 0..TRIES {
            if let Some(hit) = family.maps.get(self.s, &inside) {
                let out = hit.entry.key(Side::B).unpack();
                let held = self.dry || hit.entry.hold();
                if held {
                    self.step(abi::IIPF_STEP_MAPPING, 0, 0);
                    return Ok(Got {
                        addr: out.src,
                        port: out.sport,
                        id: (!self.dry).then_some(hit.id),
                    });
                }
                // It is just ending: the worker takes it out; another one would have its key.
                return Err(Drop::NatClash);
            }
            if self.dry {
                let one = self.choose(rule, addrs, t.src, 0).ok_or(Drop::NatAddress)?;
                return Ok(Got {
                    addr: one.ports.addr,
                    port: t.sport,
                    id: None,
                });
            }
            let source = self.count_map(family, rule, t.src)?;
            let taken = match self.take_port(rule, addrs, t) {
                Ok(taken) => taken,
                Err(why) => {
                    self.uncount_map(family, source);
                    return Err(why);
                }
            };
            match self.insert_map(family, at, rule, pool, t, &inside, &taken, source) {
                Ok(id) => {
                    return Ok(Got {
                        addr: taken.from.ports.addr,
                        port: taken.port,
                        id: Some(id),
                    });
                }
                Err(e) => {
                    self.uncount_map(family, source);
                    self.give_back(&taken, t);
                    match e {
                        InsertError::Taken => {}
                        InsertError::Full => return Err(Drop::NatPorts),
                        InsertError::NoMemory => {
                            self.kick = true;
                            return Err(Drop::NoBufs);
                        }
                    }
                }
            }
        }
        Err(Drop::NatClash)
    }

    #[expect(clippy::too_many_arguments, reason = "one place, called once")]
    fn insert_map<const N: usize>(
        &mut self,
        family: &Family<N>,
        at: u32,
        rule: &Rule,
        _pool: &Pool,
        t: &Tuple,
        inside: &[u64; N],
        taken: &Taken<'_>,
        source: u32,
    ) -> Result<Id, InsertError>
    where
        [u64; N]: Packed,
    {
        let outside = outside_key(taken.from.ports.addr, taken.port, t.proto);
        let nat = &rule.rec.nat;
        let mut word = u32::from(nat.filtering) | Map::PORT;
        if nat.flags & abi::IIPF_NF_HAIRPIN != 0 {
            word |= Map::HAIRPIN;
        }
        if nat.flags & abi::IIPF_NF_PASS != 0 {
            word |= Map::PASS;
        }
        if taken.block {
            word |= Map::BLOCK;
        }
        let door = self.door(rule);
        let num = self.rules.rule(at).map_or(NONE, |r| r.stats.num);
        let now = self.now;
        let hit = family.maps.insert(self.s, inside, Some(&outside), |m| {
            m.refs.store(1, Relaxed);
            m.word.store(word, Relaxed);
            m.rule.store(num, Relaxed);
            m.last.store(now, Relaxed);
            m.made.store(now, Relaxed);
            m.until.store(0, Relaxed);
            m.ifindex.store(door, Relaxed);
            m.source.store(source, Relaxed);
            m.hits.store(0, Relaxed);
        })?;
        let idle = self.iipf.map_idle(self.s).clamp(1, 60);
        family.maps.arm(self.s, hit.id, now, idle);
        self.iipf.counters.inc(Ctr::MapAdded);
        self.kick |= family.maps.wants_reclaim();
        Ok(hit.id)
    }

    /// The interface that a nat rule stands on: this one, or in a hairpin that of its name.
    fn door(&self, rule: &Rule) -> u32 {
        if self.out() {
            return self.rx.ifindex;
        }
        let slot = rule.rec.m.iface.wrapping_sub(1);
        let iface = self.ifs.ifs.iter().find(|i| u32::from(i.slot) == slot);
        iface.map_or(0, |i| i.ifindex)
    }

    /// One of the pool's addresses for a host, the `nth` choice.
    fn choose<'p>(
        &mut self,
        rule: &Rule,
        addrs: &'p Addrs,
        src: u128,
        nth: usize,
    ) -> Option<&'p PoolAddr> {
        let list = &addrs.list;
        if list.len() == 1 {
            return list.first().filter(|_| nth == 0);
        }
        let nat = &rule.rec.nat;
        let paired = nat.flags & abi::IIPF_NF_PAIRED != 0 || nat.choice == abi::IIPF_POOL_HASH;
        let pick = if paired {
            let [k0, _] = nat.hash_key;
            let h = (fold(src) ^ k0).wrapping_mul(0xff51_afd7_ed55_8ccd);
            (h >> 32) as u32
        } else {
            self.random()
        };
        if nth >= list.len() || (paired && nth > 0) {
            return None;
        }
        let at = (u64::from(pick).wrapping_mul(list.len() as u64) >> 32) as usize;
        let at = at.wrapping_add(nth);
        list.get(if at >= list.len() {
            at.wrapping_sub(list.len())
        } else {
            at
        })
    }

    /// A free port of the pool.
    fn take_port<'p>(
        &mut self,
        rule: &Rule,
        addrs: &'p Addrs,
        t: &Tuple,
    ) -> Result<Taken<'p>, Drop> {
        let nat = &rule.rec.nat;
        let range = match (nat.port_lo, nat.port_hi) {
            (0, 0) => Range {
                lo: 1,
                hi: u16::MAX,
            },
            (lo, hi) => Range { lo: lo.max(1), hi },
        };
        for nth in 0..addrs.list.len() {
            let Some(one) = self.choose(rule, addrs, t.src, nth) else {
                break;
            };
            let Some(ports) = one.ports.of(t.proto) else {
                return Err(Drop::NatPorts);
            };
            let rnd = self.random();
            let port = match nat.port_mode {
                abi::IIPF_NATPORT_STATIC => ports.claim(t.sport).then_some(t.sport),
                abi::IIPF_NATPORT_RANGE => ports.alloc(t.sport, range, Policy::Random, rnd),
                abi::IIPF_NATPORT_BLOCK => {
                    let blocks = one.blocks(self.s, t.proto).ok_or(Drop::NatPorts)?;
                    let host = NonZeroU32::new(t.src as u32).ok_or(Drop::NatPorts)?;
                    let most = match nat.max_per_host {
                        0 => u32::MAX,
                        n => n,
                    };
                    let given = blocks.alloc(ports, host, most, t.sport, rnd);
                    if let Some(range) = given.as_ref().and_then(|g| g.opened) {
                        self.iipf.log_block(
                            true,
                            t.src as u32,
                            one.ports.addr as u32,
                            t.proto,
                            range,
                        );
                    }
                    given.map(|g| g.port)
                }
                _ => ports.alloc(t.sport, range, Policy::Preserve, rnd),
            };
            if let Some(port) = port {
                return Ok(Taken {
                    from: one,
                    port,
                    block: nat.port_mode == abi::IIPF_NATPORT_BLOCK,
                });
            }
        }
        Err(Drop::NatPorts)
    }
}

impl Iipf {
    /// Notes whom a mapping was used towards, for filtering by address.
    pub(crate) fn note_peer<const N: usize>(
        &self,
        s: &Section<'_>,
        family: &Family<N>,
        out: &Tuple,
        now: u32,
    ) -> bool
    where
        [u64; N]: Packed,
    {
        let key = peer_key(out.src, out.sport, out.proto, out.dst);
        self.note(s, family, &key, 1, now)
    }

    /// Notes under a key that a mapping was used; `refs` 0: for a minute.
    pub(crate) fn note<const N: usize>(
        &self,
        s: &Section<'_>,
        family: &Family<N>,
        key: &[u64; N],
        refs: u32,
        now: u32,
    ) -> bool
    where
        [u64; N]: Packed,
    {
        if let Some(hit) = family.maps.get(s, key) {
            hit.entry.last.store(now, Relaxed);
            return refs == 0 || hit.entry.hold();
        }
        let made = family.maps.insert(s, key, None, |m| {
            m.refs.store(refs, Relaxed);
            m.word.store(Map::PEER, Relaxed);
            m.rule.store(NONE, Relaxed);
            m.last.store(now, Relaxed);
            m.made.store(now, Relaxed);
            m.until.store(0, Relaxed);
            m.ifindex.store(0, Relaxed);
            m.source.store(NONE, Relaxed);
            m.hits.store(0, Relaxed);
        });
        match made {
            Ok(hit) => {
                family.maps.arm(s, hit.id, now, 60);
                true
            }
            Err(_) => false,
        }
    }
}

impl<'a> Job<'a> {
    /// Gives a port back that is not used after all.
    fn give_back(&self, taken: &Taken<'_>, t: &Tuple) {
        let p = t.proto;
        let Some(ports) = taken.from.ports.of(p) else {
            return;
        };
        if !taken.block {
            ports.release(taken.port);
        } else if let Some(blocks) = taken.from.blocks(self.s, p) {
            // With a block that it had opened.
            if let Some(range) = blocks.release(ports, taken.port) {
                let outside = taken.from.ports.addr as u32;
                self.iipf.log_block(false, t.src as u32, outside, p, range);
            }
        }
    }
}
