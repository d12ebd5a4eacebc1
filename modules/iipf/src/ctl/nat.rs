// SPDX-License-Identifier: BSD-2-Clause
//! Lists of mappings, port blocks and sources.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::slab::Side;
use flow::table::Hit;
use iipf_abi as abi;
use kern::cx::Thread;
use kern::epoch;
use kern::epoch::Section;
use kern::errno::Result;
use wire::packet::proto;

use crate::cond::INET;
use crate::cond::INET6;
use crate::cond::octets;
use crate::ctl::page::Place;
use crate::ctl::page::page;
use crate::ctl::page::put;
use crate::entry::Map;
use crate::entry::Source;
use crate::softc::Config;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::step::peer;

/// What the three lists of blocks of an address are for.
const BLOCK_PROTOS: [u8; 3] = [proto::TCP, proto::UDP, proto::ICMP];

impl Iipf {
    /// The id of a rule by its run-time number; 0: it is gone.
    pub(super) fn rule_id(&self, s: &Section<'_>, num: u32) -> u64 {
        let rules = self.rules.peek(s);
        rules.and_then(|r| r.numbered(num)).map_or(0, |r| r.rec.id)
    }

    pub(super) fn list_maps(
        &self,
        cx: &mut Thread,
        req: &abi::Cursor,
        reply: &mut abi::MapListReply,
    ) -> Result {
        let from = Place::of(req.cursor)?;
        let next = match from.part {
            0 => self.some_maps(cx, &self.v4, false, from.at, reply),
            1 => self.some_maps(cx, &self.v6, true, from.at, reply),
            _ => {
                let config = self.config.lock(cx);
                self.some_blocks(cx, &config, from.at, reply)
            }
        };
        reply.cursor = from.then(next, 3);
        Ok(())
    }

    fn some_maps<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        six: bool,
        from: u32,
        reply: &mut abi::MapListReply,
    ) -> Option<u32>
    where
        [u64; N]: Packed,
    {
        let now = self.now.load(Relaxed);
        page(cx, &family.maps, from, |s, hit: &Hit<'_, N, Map>| {
            let map = hit.entry;
            // Peers are no mappings, and forwards have a list of their own.
            if map.has(Map::PEER) || map.has(Map::FORWARD) {
                return true;
            }
            let (inside, out) = (map.key(Side::A).unpack(), map.key(Side::B).unpack());
            let states = map.refs.load(Relaxed) & !Map::DEAD;
            let idle = match states {
                0 => now.wrapping_sub(map.last.load(Relaxed)),
                _ => 0,
            };
            put(&mut reply.maps, &mut reply.count, || abi::MapInfo {
                rule: self.rule_id(s, map.rule.load(Relaxed)),
                inside: peer(six, inside.src, inside.sport),
                outside: peer(six, out.src, out.sport),
                states,
                expires: self.map_idle(s).saturating_sub(idle),
                ports: 1,
                used: 1,
                af: if six { INET6 } else { INET },
                proto: out.proto,
                kind: abi::IIPF_MAP_DYNAMIC,
                filtering: map.filtering(),
                age: now.wrapping_sub(map.made.load(Relaxed)),
                ..abi::MapInfo::default()
            })
        })
    }

    /// Blocks that hosts have, numbered over all addresses.
    fn some_blocks(
        &self,
        cx: &mut Thread,
        config: &Config,
        from: u32,
        reply: &mut abi::MapListReply,
    ) -> Option<u32> {
        let mut at = 0u32;
        for ports in config.ports.iter() {
            for (slot, p) in ports
                .blocks
                .iter()
                .flat_map(|b| BLOCK_PROTOS.map(|p| (b, p)))
            {
                let full = epoch::read(cx, |s| {
                    let blocks = slot.of(s, p)?;
                    let n = u32::try_from(blocks.count()).unwrap_or(0);
                    let skip = from.saturating_sub(at).min(n);
                    for i in skip..n {
                        let Some((range, host, used)) = blocks.at(i as usize) else {
                            continue;
                        };
                        let put = put(&mut reply.maps, &mut reply.count, || abi::MapInfo {
                            inside: peer(false, u128::from(host.get()), 0),
                            outside: peer(ports.six, ports.addr, range.lo),
                            ports: u16::try_from(range.len()).unwrap_or(u16::MAX),
                            used: u16::try_from(used).unwrap_or(u16::MAX),
                            af: if ports.six { INET6 } else { INET },
                            proto: p,
                            kind: abi::IIPF_MAP_BLOCK,
                            ..abi::MapInfo::default()
                        });
                        if !put {
                            return Some(at.wrapping_add(i));
                        }
                    }
                    at = at.wrapping_add(n);
                    None
                });
                if full.is_some() {
                    return full;
                }
            }
        }
        None
    }

    pub(super) fn list_sources(
        &self,
        cx: &mut Thread,
        req: &abi::Cursor,
        reply: &mut abi::SourceListReply,
    ) -> Result {
        let from = Place::of(req.cursor)?;
        let next = match from.part {
            0 => self.some_sources(cx, &self.v4, false, from.at, reply),
            1 => self.some_sources(cx, &self.v6, true, from.at, reply),
            _ => return Ok(()),
        };
        reply.cursor = from.then(next, 2);
        Ok(())
    }

    fn some_sources<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        six: bool,
        from: u32,
        reply: &mut abi::SourceListReply,
    ) -> Option<u32>
    where
        [u64; N]: Packed,
    {
        let now = self.now.load(Relaxed);
        page(cx, &family.sources, from, |s, hit: &Hit<'_, N, Source>| {
            let src = hit.entry;
            let states = src.states.load(Relaxed);
            let mappings = src.maps.load(Relaxed);
            let idle = now.wrapping_sub(src.last.load(Relaxed));
            put(&mut reply.sources, &mut reply.count, || abi::SourceInfo {
                rule: self.rule_id(s, src.rule.load(Relaxed)),
                addr: octets(six, src.key(Side::A).unpack().src),
                reserved: [0; 16],
                states,
                conns: src.conns.load(Relaxed),
                rate: src.rate.load(Relaxed) as u32,
                mappings,
                refused: src.refused.load(Relaxed),
                age: now.wrapping_sub(src.made.load(Relaxed)),
                expires: match (states, mappings) {
                    (0, 0) => self
                        .source_idle(s, src.rule.load(Relaxed))
                        .saturating_sub(idle),
                    _ => 0,
                },
                af: if six { INET6 } else { INET },
                pad: [0; 3],
            })
        })
    }
}
