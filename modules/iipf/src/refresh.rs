// SPDX-License-Identifier: BSD-2-Clause
//! Following the interfaces: slots, tables of their addresses, pools.

use core::sync::atomic::Ordering::Relaxed;

use classify::AddrTable;
use classify::Af;
use classify::Prefix;
use flow::blocks::Blocks;
use flow::key::Packed;
use flow::portmap::Range;
use flow::slab::Side;
use iipf_abi as abi;
use kern::cx::MaySleep;
use kern::cx::Thread;
use kern::epoch;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KArc;
use kern::mem::KVec;
use kern::passive::Value;

use crate::cond::INET;
use crate::cond::INET6;
use crate::entry::Map;
use crate::entry::NONE;
use crate::ifmap::IfCounts;
use crate::ifmap::IfMap;
use crate::ifmap::link_local;
use crate::pool::AddrPorts;
use crate::pool::Addrs;
use crate::pool::POOL_MAX;
use crate::pool::Pool;
use crate::pool::PoolAddr;
use crate::ruleset::Dynamic;
use crate::ruleset::Live;
use crate::softc::Config;
use crate::softc::Family;
use crate::softc::Iipf;

impl Iipf {
    /// Something about interfaces has changed.
    pub(crate) fn refresh(&self, cx: &mut Thread) {
        let mut config = self.config.lock(cx);
        let Some(live) = config.live.clone() else {
            return;
        };
        // Without memory things stay as they were; the next change tries again.
        let c: &mut Config = &mut config;
        if live.follow(cx, &mut c.ports, &mut c.ifs).is_err() {
            kern::log!(
                kern::log::Level::Warning,
                "iipf: no memory to follow the interfaces"
            );
            return;
        }
        self.leave(cx, &mut config, &live);
    }

    /// Ends what was translated to addresses that are no longer ours: no answer can come.
    fn leave(&self, cx: &mut Thread, config: &mut Config, live: &Live) {
        let mut gone = 0usize;
        epoch::read(cx, |s| {
            let Some(map) = live.ifs.peek(s) else { return };
            for ports in config.ports.iter() {
                let there = map.has(ports.six, ports.addr);
                let was = ports.local.swap(u32::from(there), Relaxed) != 0;
                if was && !there {
                    ports.local.store(GONE, Relaxed);
                    gone = gone.saturating_add(1);
                }
            }
        });
        if gone == 0 {
            return;
        }
        let mut ended = 0u64;
        for ports in config
            .ports
            .iter()
            .filter(|p| p.local.load(Relaxed) == GONE)
        {
            ended = ended.saturating_add(if ports.six {
                self.leave_address(cx, &self.v6, &config.ports, ports)
            } else {
                self.leave_address(cx, &self.v4, &config.ports, ports)
            });
            ports.local.store(0, Relaxed);
        }
        kern::log!(
            kern::log::Level::Info,
            "iipf: {gone} outside addresses are gone, and with them {ended} states"
        );
    }

    fn leave_address<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        all: &KVec<KArc<AddrPorts>>,
        ports: &AddrPorts,
    ) -> u64
    where
        [u64; N]: Packed,
    {
        let ended = self.end_states(cx, family, |s, hit| {
            let maps = [hit.entry.map.load(Relaxed), hit.entry.map2.load(Relaxed)];
            maps.into_iter().filter(|&m| m != NONE).any(|m| {
                let map = family.maps.at(s, m);
                map.is_some_and(|m| m.entry.key(Side::B).unpack().src == ports.addr)
            })
        });
        let mut from = Some(0);
        while let Some(at) = from {
            from = epoch::read(cx, |s| {
                family.maps.walk(s, at, BATCH, |hit| {
                    let map = hit.entry;
                    let its = map.key(Side::B).unpack().src == ports.addr;
                    // Forwards stay until who asked for them takes them back.
                    let mapping = !map.has(Map::PEER) && !map.has(Map::FORWARD);
                    if its && mapping && map.bury() && family.maps.unlink(s, hit.id) {
                        self.map_ended(s, family, &hit, all, ports.six);
                    }
                })
            });
        }
        ended
    }
}

/// Places that are looked at in one section.
const BATCH: u32 = 256;
/// Of [`AddrPorts::local`], for a moment.
const GONE: u32 = 2;

impl Live {
    /// Brings everything in line with the interfaces as they are now.
    ///
    /// # Errors
    /// ENOMEM: some of it is as it was.
    #[inline(never)]
    pub fn follow(
        &self,
        cx: &mut Thread,
        ports: &mut KVec<KArc<AddrPorts>>,
        counts: &mut IfCounts,
    ) -> Result {
        let mut map = IfMap::read(cx, &self.ifaces)?;
        map.counted(cx, counts)?;
        for dynamic in self.dynamic.iter() {
            let mut wanted = self.wanted(cx, &map, dynamic)?;
            set(cx, &dynamic.table, &mut wanted)?;
        }
        for pool in self.pools.iter() {
            let addrs = self.addrs(cx, &map, pool, ports)?;
            let value = Value::new(cx, Addrs { list: addrs })?;
            drop(pool.addrs.replace(cx, Some(value)));
        }
        for one in ports.iter().filter(|p| map.has(p.six, p.addr)) {
            one.local.store(1, Relaxed);
        }
        let value = Value::new(cx, map)?;
        drop(self.ifs.replace(cx, Some(value)));
        epoch::read(cx, |s| {
            if let Some(map) = self.ifs.peek(s) {
                counts.keep(|one| map.get(one.ifindex).is_some_and(|i| one.of(i)));
            }
        });
        Ok(())
    }

    /// What a table of addresses should have.
    fn wanted<C: MaySleep>(&self, cx: &mut C, map: &IfMap, d: &Dynamic) -> Result<KVec<Prefix>> {
        let rec = match d.iface {
            Some(at) => self.ifaces.get(at as usize),
            None => None,
        };
        let mut list = KVec::new();
        let mut first = [false; 2];
        for a in map.addrs.iter() {
            let name = map.get(a.ifindex).map(|i| i.name);
            let named = name.as_ref().map_or("", |n| n.as_str());
            if rec.is_some_and(|rec| crate::ifmap::means(rec, named) == 0) {
                continue;
            }
            let family = if a.six { INET6 } else { INET };
            if d.af != 0 && d.af != family {
                continue;
            }
            let (af, bits) = if a.six { (Af::V6, 128) } else { (Af::V4, 32) };
            let prefix = match d.part {
                abi::IIPF_IFPART_NETWORK => Prefix::new(af, a.addr, a.prefixlen),
                abi::IIPF_IFPART_BROADCAST => {
                    let host = u32::from(32u8.saturating_sub(a.prefixlen));
                    let mask = 1u128.checked_shl(host).map_or(0, |m| m.wrapping_sub(1));
                    Prefix::new(af, a.addr | mask, 32).filter(|_| !a.six && host > 1)
                }
                abi::IIPF_IFPART_FIRST => {
                    let seen = first.get_mut(usize::from(a.six));
                    let again = seen.is_some_and(|s| core::mem::replace(s, true));
                    let skip = again || link_local(a.six, a.addr);
                    Prefix::new(af, a.addr, bits).filter(|_| !skip)
                }
                _ => Prefix::new(af, a.addr, bits),
            };
            if let Some(prefix) = prefix {
                list.push(cx, prefix)?;
            }
        }
        Ok(list)
    }

    /// The addresses of a pool that gives out ports.
    fn addrs(
        &self,
        cx: &mut Thread,
        map: &IfMap,
        pool: &Pool,
        ports: &mut KVec<KArc<AddrPorts>>,
    ) -> Result<KVec<PoolAddr>> {
        let mut list = KVec::new();
        if !pool.ports {
            return Ok(list);
        }
        let end = pool.first.saturating_add(pool.count) as usize;
        let records = self.pool_recs.get(pool.first as usize..end);
        for rec in records.unwrap_or_default() {
            let six = rec.af == INET6;
            if rec.kind == abi::IIPF_POOLADDR_IF {
                let Some(iface) = self.ifaces.get(rec.index.wrapping_sub(1) as usize) else {
                    continue;
                };
                let mine = |a: &&crate::ifmap::Addr| a.six == six && !link_local(six, a.addr);
                for a in map.of(iface).filter(mine) {
                    push(cx, &mut list, ports, pool, six, a.addr)?;
                    if rec.part == abi::IIPF_IFPART_FIRST {
                        break;
                    }
                }
                continue;
            }
            let lo = crate::cond::number(rec.af, &rec.lo);
            let hi = crate::cond::number(rec.af, &rec.hi);
            let n = hi
                .saturating_sub(lo)
                .saturating_add(1)
                .min(POOL_MAX as u128);
            for i in 0..n {
                push(cx, &mut list, ports, pool, six, lo.wrapping_add(i))?;
            }
        }
        Ok(list)
    }
}

fn push(
    cx: &mut Thread,
    list: &mut KVec<PoolAddr>,
    all: &mut KVec<KArc<AddrPorts>>,
    pool: &Pool,
    six: bool,
    addr: u128,
) -> Result {
    let same = |p: &PoolAddr| p.ports.six == six && p.ports.addr == addr;
    if list.len() >= POOL_MAX || list.iter().any(same) {
        return Ok(());
    }
    let ports = ports_of(cx, all, six, addr)?;
    let block = if pool.block != 0 {
        Some(block_of(cx, &ports, pool)?)
    } else {
        None
    };
    list.push(cx, PoolAddr { ports, block })
}

/// The ports of an address, which are there once however many pools have it.
pub(crate) fn ports_of<C: MaySleep>(
    cx: &mut C,
    all: &mut KVec<KArc<AddrPorts>>,
    six: bool,
    addr: u128,
) -> Result<KArc<AddrPorts>> {
    if let Some(known) = find_ports(all, six, addr) {
        return Ok(known.clone());
    }
    let ports = AddrPorts::new(cx, six, addr)?;
    let new = KArc::new(cx, ports)?;
    all.push(cx, new.clone())?;
    kern::sort::by_key(all, |p| (p.six, p.addr));
    Ok(new)
}

/// The ports of an address, if they are there.
pub(crate) fn find_ports(
    all: &KVec<KArc<AddrPorts>>,
    six: bool,
    addr: u128,
) -> Option<&KArc<AddrPorts>> {
    let at = all
        .binary_search_by_key(&(six, addr), |p| (p.six, p.addr))
        .ok()?;
    all.get(at)
}

/// Where the blocks of an address are that a pool gives out.
fn block_of(cx: &mut Thread, ports: &AddrPorts, pool: &Pool) -> Result<u8> {
    let zone = u32::from(pool.zone);
    let has = |zone: u32| {
        ports
            .blocks
            .iter()
            .position(|b| b.zone.load(Relaxed) == zone)
    };
    let at = match has(zone) {
        Some(at) => at,
        None => {
            let at = has(0).ok_or(Errno::ENOSPC)?;
            let (lo, hi) = pool.range;
            let (range, size) = (Range { lo, hi }, u32::from(pool.block));
            let three = [
                Blocks::new(cx, range, size)?,
                Blocks::new(cx, range, size)?,
                Blocks::new(cx, range, size)?,
            ];
            let value = Value::new(cx, three)?;
            if let Some(slot) = ports.blocks.get(at) {
                drop(slot.blocks.replace(cx, Some(value)));
                slot.zone.store(zone, Relaxed);
            }
            at
        }
    };
    u8::try_from(at).map_err(|_| Errno::ENOSPC)
}

/// Makes a table have just these.
fn set(cx: &mut Thread, table: &AddrTable, wanted: &mut KVec<Prefix>) -> Result {
    for prefix in wanted.iter() {
        table.add(cx, *prefix, false, 0).map_err(Errno::from)?;
    }
    only(cx, table, wanted)
}

/// Takes out of a table what is not wanted.
pub(crate) fn only(cx: &mut Thread, table: &AddrTable, wanted: &mut KVec<Prefix>) -> Result {
    let key = |p: &Prefix| (p.af() as u8, p.addr(), p.bits());
    kern::sort::by_key(wanted, key);
    let mut gone = KVec::new();
    let mut cursor = 0;
    loop {
        let mut batch = [None; 8];
        let mut n = 0usize;
        let next = table.list(cx, cursor, batch.len(), |e| {
            if let Some(slot) = batch.get_mut(n) {
                *slot = Some(e.prefix);
                n = n.wrapping_add(1);
            }
        });
        for prefix in batch.iter().flatten() {
            if wanted.binary_search_by_key(&key(prefix), key).is_err() {
                gone.push(cx, *prefix)?;
            }
        }
        match next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    for prefix in gone.iter() {
        table.remove(cx, *prefix);
    }
    Ok(())
}
