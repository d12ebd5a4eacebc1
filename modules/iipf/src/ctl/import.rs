// SPDX-License-Identifier: BSD-2-Clause
//! States from another kernel: their mappings are made again with their ports, their windows and
//! timeouts go on where they were.

use core::num::NonZeroU32;
use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::slab::Side;
use flow::table::InsertError;
use flow::timeouts::Class;
use iipf_abi as abi;
use kern::cx::Thread;
use kern::epoch;
use kern::epoch::Section;
use kern::errno::Errno;
use kern::errno::Result;
use wire::packet::proto;

use crate::admit::source_key;
use crate::ctl::moved::Moved;
use crate::entry::Map;
use crate::entry::NONE;
use crate::entry::Word;
use crate::entry::less;
use crate::forward::forward_key;
use crate::mapping::inside_key;
use crate::mapping::outside_key;
use crate::pool::PoolAddr;
use crate::refresh::find_ports;
use crate::ruleset::Rule;
use crate::ruleset::Ruleset;
use crate::softc::Config;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::states::Made;
use crate::stats::Ctr;

/// Why a state was not taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Not {
    Exists,
    Refused,
    Full,
    /// Nothing was at hand: once more after the worker's work.
    Short,
}

impl From<InsertError> for Not {
    fn from(e: InsertError) -> Not {
        match e {
            InsertError::Taken => Not::Exists,
            InsertError::Full => Not::Full,
            InsertError::NoMemory => Not::Short,
        }
    }
}

/// An end: address and port.
type End = (u128, u16);

/// A state that is being taken in, in a section.
struct Import<'i, const N: usize> {
    iipf: &'i Iipf,
    s: &'i Section<'i>,
    rules: &'i Ruleset,
    config: &'i Config,
    family: &'i Family<N>,
    rec: &'i abi::ExportRec,
    m: &'i Moved,
    now: u32,
    ifindex: u32,
}

impl Iipf {
    pub(super) fn import(&self, cx: &mut Thread, req: &abi::Export) -> Result<abi::ImportReply> {
        if req.version != abi::IIPF_EXPORT_VERSION {
            return Err(Errno::EPROTONOSUPPORT);
        }
        let records = req.states.get(..req.count as usize).ok_or(Errno::EINVAL)?;
        if req.cursor != 0 {
            return Err(Errno::EINVAL);
        }
        let config = self.config.lock(cx);
        let mut reply = abi::ImportReply::default();
        for rec in records {
            let Some(m) = Moved::of(rec) else {
                reply.bad = reply.bad.wrapping_add(1);
                continue;
            };
            let taken = if m.six {
                self.take_in(cx, &config, &self.v6, rec, &m)
            } else {
                self.take_in(cx, &config, &self.v4, rec, &m)
            };
            let count = match taken {
                Ok(()) => &mut reply.taken,
                Err(Not::Exists) => &mut reply.exists,
                Err(Not::Refused) => &mut reply.refused,
                Err(Not::Full | Not::Short) => &mut reply.full,
            };
            *count = count.wrapping_add(1);
        }
        Ok(reply)
    }

    fn take_in<const N: usize>(
        &self,
        cx: &mut Thread,
        config: &Config,
        family: &Family<N>,
        rec: &abi::ExportRec,
        m: &Moved,
    ) -> core::result::Result<(), Not>
    where
        [u64; N]: Packed,
    {
        let once = |cx: &mut Thread| {
            epoch::read(cx, |s| {
                let rules = self.rules.peek(s).ok_or(Not::Refused)?;
                let ifs = rules.live.ifs.peek(s).ok_or(Not::Refused)?;
                let name = rec.ifname.as_str().filter(|n| !n.is_empty());
                let iface = name.and_then(|n| ifs.named(n)).ok_or(Not::Refused)?;
                let import = Import {
                    iipf: self,
                    s,
                    rules,
                    config,
                    family,
                    rec,
                    m,
                    now: self.now.load(Relaxed),
                    ifindex: iface.ifindex,
                };
                import.run()
            })
        };
        match once(cx) {
            Err(Not::Short) => {
                family.flows.reclaim(cx);
                family.maps.reclaim(cx);
                family.sources.reclaim(cx);
                once(cx)
            }
            done => done,
        }
    }
}

impl<'i, const N: usize> Import<'i, N>
where
    [u64; N]: Packed,
{
    /// The rule of an id: None for 0.
    fn rule(&self, id: u64) -> core::result::Result<Option<&'i Rule>, Not> {
        if id == 0 {
            return Ok(None);
        }
        let found = self.rules.rules.iter().find(|r| r.rec.id == id);
        found.map(Some).ok_or(Not::Refused)
    }

    fn run(&self) -> core::result::Result<(), Not> {
        let (info, m) = (&self.rec.info, self.m);
        if self
            .family
            .flows
            .get(self.s, &Packed::pack(&m.first))
            .is_some()
        {
            return Err(Not::Exists);
        }
        let rule = self.rule(info.rule)?;
        let nat = self.rule(info.nat_rule)?;
        if rule.is_some_and(|r| r.rec.action != abi::IIPF_ACT_PASS) {
            return Err(Not::Refused);
        }
        let num = |r: Option<&Rule>| r.map_or(NONE, |r| r.stats.num);
        let made = Made {
            first: m.first,
            to: m.to,
            ifindex: self.ifindex,
            mark: info.mark,
            rule: num(rule),
            nat: num(nat),
            // A forward let it in, and need not be asked for again yet.
            pass: rule.is_none() && nat.is_none() && m.filtering != 0,
        };
        let child = m.word & Word::CHILD != 0;
        if !child && self.iipf.refuses(self.s, m.six, &made) {
            return Err(Not::Refused);
        }
        let maps = self.maps(nat)?;
        let result = self.insert(rule, nat, maps);
        if result.is_err() {
            for &map in maps.iter().filter(|&&map| map != NONE) {
                if let Some(hit) = self.family.maps.at(self.s, map) {
                    hit.entry.release(self.now);
                }
            }
        }
        result
    }

    /// The mappings that it uses, held: as a state has them.
    fn maps(&self, nat: Option<&'i Rule>) -> core::result::Result<[u32; 2], Not> {
        let (first, to) = (&self.m.first, &self.m.to);
        let ports = matches!(
            first.proto,
            proto::TCP | proto::UDP | proto::ICMP | proto::ICMPV6
        );
        if self.m.filtering == 0 || !ports {
            return Ok([NONE; 2]);
        }
        let by_nat = nat.is_none_or(|r| r.rec.action == abi::IIPF_ACT_NAT);
        let mut maps = [NONE; 2];
        let src = (first.src, first.sport) != (to.src, to.sport);
        let dst = (first.dst, first.dport) != (to.dst, to.dport);
        let [one, two] = &mut maps;
        if first.dir == 0 && dst && by_nat {
            *one = self.mapping((to.dst, to.dport), (first.dst, first.dport), nat)?;
        }
        if src && (by_nat || first.dir == 0) {
            let slot = if *one == NONE { &mut *one } else { two };
            let got = self.mapping((first.src, first.sport), (to.src, to.sport), nat);
            match got {
                Ok(map) => *slot = map,
                Err(e) => {
                    if let Some(hit) = self.family.maps.at(self.s, *one).filter(|_| *one != NONE) {
                        hit.entry.release(self.now);
                    }
                    return Err(e);
                }
            }
        }
        Ok(maps)
    }

    /// The address of a pool, and the pool's zone and rule.
    fn pooled(&self, nat: Option<&'i Rule>, addr: u128) -> Option<(&'i Rule, &'i PoolAddr, u16)> {
        let find = |r: &'i Rule| {
            let pool = self.rules.live.pools.get(r.pool? as usize)?;
            let addrs = pool.addrs.peek(self.s)?;
            let six = self.m.six;
            let one = addrs
                .list
                .iter()
                .find(|a| a.ports.addr == addr && a.ports.six == six)?;
            (r.rec.action == abi::IIPF_ACT_NAT).then_some((r, one, pool.zone))
        };
        match nat {
            Some(r) if r.rec.action == abi::IIPF_ACT_NAT => find(r),
            _ => self.rules.rules.iter().find_map(find),
        }
    }

    /// A mapping, held once more: the one that is there, or a new one with just this port.
    fn mapping(
        &self,
        inside: End,
        outside: End,
        nat: Option<&'i Rule>,
    ) -> core::result::Result<u32, Not> {
        let p = self.m.first.proto;
        let (s, maps) = (self.s, &self.family.maps);
        let out_key = outside_key(outside.0, outside.1, p);
        if let Some(hit) = maps.get(s, &out_key) {
            let has = hit.entry.key(Side::A).unpack();
            let same = (has.src, has.sport) == inside && hit.entry.hold();
            return if same {
                Ok(hit.id.index)
            } else {
                Err(Not::Exists)
            };
        }
        let pooled = self.pooled(nat, outside.0);
        let mut word = u32::from(self.m.filtering) | Map::PORT;
        let (key, ports, blocks) = match pooled {
            Some((rule, addr, zone)) => {
                if rule.rec.nat.flags & abi::IIPF_NF_HAIRPIN != 0 {
                    word |= Map::HAIRPIN;
                }
                let blocks = addr.blocks(s, p);
                let ports = addr.ports.of(p).ok_or(Not::Refused)?;
                (inside_key(inside.0, inside.1, p, zone), ports, blocks)
            }
            // A forward's, on an address that is no pool's.
            None if nat.is_none() => {
                let known = find_ports(&self.config.ports, self.m.six, outside.0);
                let ports = known.and_then(|k| k.of(p)).ok_or(Not::Refused)?;
                (forward_key(inside, outside, p), ports, None)
            }
            None => return Err(Not::Refused),
        };
        let host = NonZeroU32::new(inside.0 as u32);
        let claimed = match (blocks, host) {
            (Some(blocks), Some(host)) => {
                word |= Map::BLOCK;
                blocks.claim(ports, host, outside.1)
            }
            (Some(_), None) => false,
            (None, _) => ports.claim(outside.1),
        };
        if !claimed {
            return Err(Not::Exists);
        }
        let rule = pooled.map(|(rule, _, _)| rule);
        let source = rule.map_or(NONE, |rule| self.count_map(rule, inside.0));
        let now = self.now;
        let made = maps.insert(s, &key, Some(&out_key), |m| {
            m.refs.store(1, Relaxed);
            m.word.store(word, Relaxed);
            m.rule.store(rule.map_or(NONE, |r| r.stats.num), Relaxed);
            m.last.store(now, Relaxed);
            m.made.store(now.wrapping_sub(self.rec.info.age), Relaxed);
            m.until.store(0, Relaxed);
            m.ifindex.store(self.door(rule), Relaxed);
            m.source.store(source, Relaxed);
            m.hits.store(0, Relaxed);
        });
        match made {
            Ok(hit) => {
                maps.arm(s, hit.id, now, 60);
                self.iipf.counters.inc(Ctr::MapAdded);
                Ok(hit.id.index)
            }
            Err(e) => {
                match blocks {
                    Some(blocks) => drop(blocks.release(ports, outside.1)),
                    None => drop(ports.release(outside.1)),
                }
                if let Some(src) = self.family.sources.at(s, source).filter(|_| source != NONE) {
                    less(&src.entry.maps);
                }
                Err(e.into())
            }
        }
    }

    /// The interface of the outside address: the state's own, but in a hairpin.
    fn door(&self, rule: Option<&Rule>) -> u32 {
        if self.m.word & Word::HAIRPIN == 0 {
            return self.ifindex;
        }
        let slot = rule.map_or(0, |r| r.rec.m.iface).wrapping_sub(1);
        let ifs = self.rules.live.ifs.peek(self.s);
        let found = ifs.and_then(|i| i.ifs.iter().find(|i| u32::from(i.slot) == slot));
        found.map_or(0, |i| i.ifindex)
    }

    /// Counts a mapping of a host, where the rule has a limit for that; which place does.
    fn count_map(&self, rule: &Rule, src: u128) -> u32 {
        let nat = &rule.rec.nat;
        if nat.max_per_host == 0 || nat.port_mode == abi::IIPF_NATPORT_BLOCK {
            return NONE;
        }
        let key = source_key(src, rule.rec.id, true);
        let num = rule.stats.num;
        let hit = self
            .iipf
            .source_of(self.s, self.family, &key, num, self.now);
        hit.map_or(NONE, |hit| {
            hit.entry.maps.fetch_add(1, Relaxed);
            hit.id.index
        })
    }

    /// The counted source of a filter rule that counts.
    fn source(&self, rule: Option<&Rule>) -> core::result::Result<u32, Not> {
        let Some(rule) = rule else { return Ok(NONE) };
        let st = &rule.rec.state;
        let counted = [
            st.max_src_nodes,
            st.max_src_states,
            st.max_src_conn,
            st.max_src_rate,
        ];
        if counted.iter().all(|&n| n == 0) {
            return Ok(NONE);
        }
        let global = st.flags & abi::IIPF_SF_SRC_GLOBAL != 0;
        let (id, num) = if global {
            (0, NONE)
        } else {
            (rule.rec.id, rule.stats.num)
        };
        let key = source_key(self.m.first.src, id, false);
        let hit = self
            .iipf
            .source_of(self.s, self.family, &key, num, self.now)?;
        hit.entry.last.store(self.now, Relaxed);
        Ok(hit.id.index)
    }

    fn insert(
        &self,
        rule: Option<&Rule>,
        nat: Option<&Rule>,
        [map, map2]: [u32; 2],
    ) -> core::result::Result<(), Not> {
        let (info, m, now) = (&self.rec.info, self.m, self.now);
        let source = self.source(rule)?;
        let mut back = m.to.flip();
        let mut word = Word(m.word).with_class(m.class).0;
        if m.word & Word::HAIRPIN != 0 {
            back.dir = m.first.dir;
        }
        if rule.is_some_and(|r| r.rec.flags & abi::IIPF_R_ALLOW_OPTS != 0) {
            word |= Word::OPTIONS;
        }
        let open = m.class == Class::TcpEstablished;
        if source != NONE && open {
            word |= Word::CONN;
        }
        let secs = self.rules.timeouts(rule).map_or(1, |t| t.get(m.class));
        let idle = secs.saturating_sub(info.expires);
        let num = |r: Option<&Rule>| r.map_or(NONE, |r| r.stats.num);
        let flows = &self.family.flows;
        let (a, b) = (Packed::pack(&m.first), Packed::pack(&back));
        let hit = flows.insert(self.s, &a, Some(&b), |f| {
            f.track.set_peers(m.peers);
            for (to, n) in f.packets.iter().zip(info.packets) {
                to.store(u32::try_from(n).unwrap_or(u32::MAX), Relaxed);
            }
            for (to, n) in f.bytes.iter().zip(info.bytes) {
                to.store(n, Relaxed);
            }
            f.last.store(now.wrapping_sub(idle), Relaxed);
            f.made.store(now.wrapping_sub(info.age), Relaxed);
            f.word.store(word, Relaxed);
            f.rule.store(num(rule), Relaxed);
            f.nat.store(num(nat), Relaxed);
            f.map.store(map, Relaxed);
            f.map2.store(map2, Relaxed);
            f.source.store(source, Relaxed);
            f.mark.store(info.mark, Relaxed);
            f.ifindex.store(self.ifindex, Relaxed);
            f.extra.store(0, Relaxed);
        })?;
        let [one, two] = self.rec.seq_diff;
        if (one, two) != (0, 0) {
            let Ok(seq) = self.iipf.new_seq(self.s, &hit) else {
                // Its streams would not fit together: better none.
                flows.unlink(self.s, hit.id);
                return Err(Not::Full);
            };
            seq.set_base(Side::A, one);
            seq.set_base(Side::B, two);
        }
        let by_address = m.filtering == abi::IIPF_FILTER_ADDRESS && m.first.dir == 1;
        if by_address && self.iipf.note_peer(self.s, self.family, &m.to, now) {
            hit.entry.word.fetch_or(Word::PEER, Relaxed);
        }
        if let Some(src) = self
            .family
            .sources
            .at(self.s, source)
            .filter(|_| source != NONE)
        {
            src.entry.states.fetch_add(1, Relaxed);
            src.entry.conns.fetch_add(u32::from(open), Relaxed);
        }
        if let Some(r) = rule {
            r.stats.states.fetch_add(1, Relaxed);
        }
        flows.arm(self.s, hit.id, now, secs.saturating_sub(idle).max(1));
        self.iipf.counters.inc(Ctr::StateAdded);
        Ok(())
    }
}
