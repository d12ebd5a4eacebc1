// SPDX-License-Identifier: BSD-2-Clause
//! Loading and reading a ruleset.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use classify::AddError;
use classify::AddrTable;
use classify::Prefix;
use classify::TableConfig;
use flow::key::Packed;
use flow::slab::Side;
use iipf_abi as abi;
use kabi::Immutable;
use kabi::IntoBytes;
use kern::cx::Thread;
use kern::epoch;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KArc;
use kern::mem::KVec;

use crate::build::Heir;
use crate::build::build;
use crate::cond::INET6;
use crate::cond::number;
use crate::entry::Flow;
use crate::entry::NONE;
use crate::load::Load;
use crate::load::Wrong;
use crate::ruleset::Named;
use crate::ruleset::RuleStats;
use crate::softc::Config;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::stats::Ctr;
use flow::care::seconds;

/// Entries of a table when nothing says how many.
pub(super) const TABLE_MAX: u32 = 1_048_576;

fn refusal(w: Wrong) -> abi::LoadReply {
    abi::LoadReply {
        error: w.error,
        kind: w.kind,
        index: w.index,
        ..abi::LoadReply::default()
    }
}

impl Iipf {
    pub(super) fn begin_load(&self, cx: &mut Thread, req: &abi::BeginReq) -> Result<abi::Ticket> {
        let mut config = self.config.lock(cx);
        let ticket = config.tickets.wrapping_add(1);
        let load = Load::new(ticket, req).ok_or(Errno::EINVAL)?;
        config.tickets = ticket;
        config.load = Some(load);
        Ok(abi::Ticket { ticket })
    }

    pub(super) fn add_records(
        &self,
        cx: &mut Thread,
        chunk: &abi::Chunk,
    ) -> Result<abi::LoadReply> {
        let mut config = self.config.lock(cx);
        let load = config.load.as_mut().filter(|l| l.ticket == chunk.ticket);
        let Some(load) = load else {
            return Ok(refusal(Wrong::new(abi::IIPF_LE_TICKET, chunk.kind, 0)));
        };
        match load.add(cx, chunk) {
            Ok(()) => Ok(abi::LoadReply::default()),
            Err(wrong) => {
                config.load = None;
                Ok(refusal(wrong))
            }
        }
    }

    pub(super) fn abort(&self, cx: &mut Thread, req: &abi::Ticket) -> Result {
        let mut config = self.config.lock(cx);
        match config.load.take_if(|l| l.ticket == req.ticket) {
            Some(_) => Ok(()),
            None => Err(Errno::ENOENT),
        }
    }

    pub(super) fn commit(&self, cx: &mut Thread, req: &abi::CommitReq) -> Result<abi::LoadReply> {
        const FLAGS: u32 =
            abi::IIPF_COMMIT_CHECK | abi::IIPF_COMMIT_COUNT_STALE | abi::IIPF_COMMIT_KILL_STALE;
        if req.flags & !FLAGS != 0 || req.pad != 0 {
            return Err(Errno::EINVAL);
        }
        let mut config = self.config.lock(cx);
        let Some(mut load) = config.load.take_if(|l| l.ticket == req.ticket) else {
            return Ok(refusal(Wrong::new(abi::IIPF_LE_TICKET, 0, 0)));
        };
        if req.generation != 0 && req.generation != config.generation {
            return Ok(refusal(Wrong::new(abi::IIPF_LE_GENERATION, 0, 0)));
        }
        let check = req.flags & abi::IIPF_COMMIT_CHECK != 0;
        match self.install(cx, &mut config, &mut load, check) {
            Ok(()) => {}
            Err(wrong) => return Ok(refusal(wrong)),
        }
        let generation = config.generation;
        drop(config);
        let mut reply = abi::LoadReply {
            generation,
            ..abi::LoadReply::default()
        };
        if !check {
            self.counters.inc(Ctr::Loads);
            let kill = req.flags & abi::IIPF_COMMIT_KILL_STALE != 0;
            if kill || req.flags & abi::IIPF_COMMIT_COUNT_STALE != 0 {
                reply.stale = self.mark_stale(cx, kill);
            }
        }
        Ok(reply)
    }

    /// Builds and publishes; on an error nothing has changed.
    #[inline(never)]
    fn install(
        &self,
        cx: &mut Thread,
        config: &mut Config,
        load: &mut Load,
        check: bool,
    ) -> core::result::Result<(), Wrong> {
        load.complete()?;
        let memory = |kind| move |_: Errno| Wrong::new(abi::IIPF_LE_MEMORY, kind, 0);
        let rules = memory(abi::IIPF_KIND_RULE);
        let heirs = self.heirs(cx, load)?;
        let tables = named(cx, config, load)?;
        let mut mine = KVec::new();
        for table in tables.iter() {
            mine.push(cx, table.clone())
                .map_err(memory(abi::IIPF_KIND_TABLE))?;
        }
        let mut load_flags = KVec::new();
        for rec in load.tables.iter() {
            load_flags
                .push(cx, rec.flags)
                .map_err(memory(abi::IIPF_KIND_TABLE))?;
        }
        let generation = config.generation.wrapping_add(1);
        let heir = Heir {
            generation,
            named: mine,
            stats: &heirs.stats,
            all: heirs.all,
            by_num: heirs.by_num,
        };
        let ruleset = build(cx, load, heir)?;
        let states = ruleset.limit(abi::IIPF_LIMIT_STATES, crate::softc::STATES);
        let maps = ruleset.limit(abi::IIPF_LIMIT_MAPPINGS, crate::softc::MAPS);
        let sources = ruleset.limit(abi::IIPF_LIMIT_SRC_NODES, crate::softc::SOURCES);
        let live = ruleset.live.clone();
        live.follow(cx, &mut config.ports, &mut config.ifs)
            .map_err(rules)?;
        if check {
            return Ok(());
        }
        let mut keep = KVec::new();
        for table in config.tables.iter() {
            let named = tables.iter().any(|t| t.name == table.name);
            let stays = table.flags.load(Relaxed) & abi::IIPF_TABLE_PERSIST != 0;
            if stays && !named {
                keep.push(cx, table.clone())
                    .map_err(memory(abi::IIPF_KIND_TABLE))?;
            }
        }
        for table in tables.iter() {
            keep.push(cx, table.clone())
                .map_err(memory(abi::IIPF_KIND_TABLE))?;
        }
        // From here on nothing fails.
        for (table, rec) in tables.iter().zip(load_flags.iter()) {
            table.flags.store(*rec, Relaxed);
        }
        config.tables = keep;
        config.generation = generation;
        config.loaded = u64::from(seconds());
        drop(self.rules.replace(cx, Some(ruleset)));
        config.live = Some(live);
        resize(cx, &self.v4, (states, maps, sources));
        resize(cx, &self.v6, (states, maps, sources));
        Ok(())
    }

    /// Counters of the load's rules: those of equal rules that run, and new ones.
    #[inline(never)]
    fn heirs(&self, cx: &mut Thread, load: &Load) -> core::result::Result<Heirs, Wrong> {
        let memory = |_: Errno| Wrong::new(abi::IIPF_LE_MEMORY, abi::IIPF_KIND_RULE, 0);
        let mut heirs = Heirs {
            stats: KVec::new(),
            all: KVec::new(),
            by_num: KVec::new(),
        };
        // Those that run, by id; the ruleset stays, for the configuration is locked.
        let mut known: KVec<KArc<RuleStats>> = KVec::new();
        let mut result = Ok(());
        self.rules.with(cx, |rules, cx| {
            for stats in rules.stats.iter().flatten() {
                if let Err(e) = known.push(cx, stats.clone()) {
                    result = Err(e);
                }
            }
        });
        result.map_err(memory)?;
        kern::sort::by_key(&mut known, |s| s.id);
        let mut order: KVec<(u64, u32)> = KVec::new();
        for (i, rule) in load.rules.iter().enumerate() {
            let i = u32::try_from(i).unwrap_or(NONE);
            order.push(cx, (rule.id, i)).map_err(memory)?;
        }
        kern::sort::by_key(&mut order, |o| *o);
        let twice = order
            .windows(2)
            .find(|w| w.first().map(|o| o.0) == w.last().map(|o| o.0));
        if let Some(at) = twice.and_then(|w| w.last()) {
            return Err(Wrong::new(
                abi::IIPF_LE_DUPLICATE,
                abi::IIPF_KIND_RULE,
                at.1 as usize,
            ));
        }
        // Numbers of rules that are gone stay with their states.
        let wanted = |id: u64| order.binary_search_by_key(&id, |o| o.0).is_ok();
        let busy = |s: &&KArc<RuleStats>| {
            wanted(s.id) || s.states.load(Relaxed) > 0 || s.nodes.load(Relaxed) > 0
        };
        let top = known.iter().filter(busy).map(|s| s.num as usize + 1).max();
        let top = top.unwrap_or(0);
        for _ in 0..top {
            heirs.all.push(cx, None).map_err(memory)?;
        }
        for stats in known.iter().filter(busy) {
            if let Some(slot) = heirs.all.get_mut(stats.num as usize) {
                *slot = Some(stats.clone());
            }
        }
        let mut free = 0usize;
        for rule in load.rules.iter() {
            let old = known.binary_search_by_key(&rule.id, |s| s.id).ok();
            let stats = match old.and_then(|at| known.get(at)) {
                Some(stats) => stats.clone(),
                None => {
                    while heirs.all.get(free).is_some_and(Option::is_some) {
                        free = free.wrapping_add(1);
                    }
                    if free == heirs.all.len() {
                        heirs.all.push(cx, None).map_err(memory)?;
                    }
                    let num = u32::try_from(free).unwrap_or(NONE);
                    let stats = KArc::new(cx, RuleStats::new(rule.id, num)).map_err(memory)?;
                    if let Some(slot) = heirs.all.get_mut(free) {
                        *slot = Some(stats.clone());
                    }
                    stats
                }
            };
            heirs.stats.push(cx, stats).map_err(memory)?;
        }
        let numbers = heirs.all.len();
        heirs.by_num = KVec::from_fn(cx, numbers, |_| NONE).map_err(memory)?;
        for (i, stats) in heirs.stats.iter().enumerate() {
            if let Some(slot) = heirs.by_num.get_mut(stats.num as usize) {
                *slot = u32::try_from(i).unwrap_or(NONE);
            }
        }
        Ok(heirs)
    }

    pub(super) fn get_rules(
        &self,
        cx: &mut Thread,
        req: &abi::ChunkReq,
        reply: &mut abi::Chunk,
    ) -> Result {
        let _config = self.config.lock(cx);
        let found = self.rules.with(cx, |r, cx| {
            reply.kind = req.kind;
            reply.first = req.first;
            reply.generation = r.generation;
            let first = req.first as usize;
            match req.kind {
                abi::IIPF_KIND_NAME => copy(reply, &r.names, first),
                abi::IIPF_KIND_IFACE => copy(reply, &r.live.ifaces, first),
                abi::IIPF_KIND_TABLE => copy(reply, &r.tables, first),
                abi::IIPF_KIND_OPTIONS => copy(reply, core::slice::from_ref(&r.options), first),
                abi::IIPF_KIND_TIMEOUTS => copy(reply, &r.timeout_recs, first),
                abi::IIPF_KIND_POOL => copy(reply, &r.live.pool_recs, first),
                abi::IIPF_KIND_ANCHOR => copy(reply, &r.anchors, first),
                abi::IIPF_KIND_RULE => {
                    // They stand among what is counted of them: one chunk's worth is copied.
                    let most = abi::IIPF_CHUNK / size_of::<abi::RuleRec>();
                    let mut some = KVec::with_capacity(cx, most)?;
                    for rule in r.rules.iter().skip(first).take(most) {
                        some.push(cx, rule.rec)?;
                    }
                    copy(reply, &some, 0)?;
                    reply.total = u32::try_from(r.rules.len()).unwrap_or(u32::MAX);
                    Ok(())
                }
                _ => Err(Errno::EINVAL),
            }
        });
        found.unwrap_or(Err(Errno::ENOENT))
    }

    pub(super) fn rule_stats(
        &self,
        cx: &mut Thread,
        req: &abi::RuleStatsReq,
        reply: &mut abi::RuleStatsReply,
    ) -> Result {
        if req.clear > 1 {
            return Err(Errno::EINVAL);
        }
        let config = self.config.lock(cx);
        let now = seconds();
        let known = epoch::read(cx, |s| {
            let r = self.rules.peek(s)?;
            reply.generation = r.generation;
            let rules = r.rules.iter().skip(req.first as usize);
            for (to, rule) in reply.rules.iter_mut().zip(rules) {
                // Its number, until it is known what its states have counted.
                to.id = u64::from(rule.stats.num);
                reply.count = reply.count.wrapping_add(1);
            }
            Some(())
        });
        known.ok_or(Errno::ENOENT)?;
        let n = reply.count as usize;
        let mut live = KVec::with_capacity(cx, n)?;
        for rule in reply.rules.iter().take(n) {
            live.push(cx, Live::new(rule.id as u32))?;
        }
        kern::sort::by_key(&mut live, |l| l.num);
        if !live.is_empty() {
            self.count_live(cx, &self.v4, &mut live);
            self.count_live(cx, &self.v6, &mut live);
        }
        // The configuration is locked: the rules are the same.
        epoch::read(cx, |s| {
            let Some(r) = self.rules.peek(s) else { return };
            let rules = r.rules.iter().skip(req.first as usize);
            for (to, rule) in reply.rules.iter_mut().zip(rules).take(n) {
                let st = &rule.stats;
                let at = live.binary_search_by_key(&st.num, |l| l.num).ok();
                let live = at.and_then(|at| live.get(at));
                let (packets, bytes) = live.map_or(([0; 2], [0; 2]), |l| (l.packets, l.bytes));
                let last = st.last.load(Relaxed);
                *to = abi::RuleStats {
                    id: st.id,
                    packets: sum(&st.packets, &packets),
                    bytes: sum(&st.bytes, &bytes),
                    states_made: st.made.load(Relaxed),
                    states: st.states.load(Relaxed),
                    idle: if last == 0 {
                        u32::MAX
                    } else {
                        now.wrapping_sub(last)
                    },
                    refused: st.refused.load(Relaxed),
                };
                if req.clear != 0 {
                    st.clear(&packets, &bytes);
                }
            }
        });
        drop(config);
        Ok(())
    }

    /// Adds up what states have counted so far.
    fn count_live<const N: usize>(&self, cx: &mut Thread, family: &Family<N>, live: &mut [Live])
    where
        [u64; N]: Packed,
    {
        let mut from = Some(0);
        while let Some(at) = from {
            from = epoch::read(cx, |s| {
                family.flows.walk(s, at, BATCH, |hit| {
                    let num = hit.entry.rule.load(Relaxed);
                    let found = live.binary_search_by_key(&num, |l| l.num).ok();
                    if let Some(l) = found.and_then(|at| live.get_mut(at)) {
                        l.add(hit.entry, hit.entry.key(Side::A).unpack().dir);
                    }
                })
            });
        }
    }
}

/// Places that are looked at in one section.
const BATCH: u32 = 256;

/// What the states of a rule have counted.
struct Live {
    num: u32,
    packets: [u64; 2],
    bytes: [u64; 2],
}

impl Live {
    fn new(num: u32) -> Live {
        Live {
            num,
            packets: [0; 2],
            bytes: [0; 2],
        }
    }

    fn add(&mut self, flow: &Flow, dir: u8) {
        for (side, (p, b)) in flow.packets.iter().zip(&flow.bytes).enumerate() {
            let i = (usize::from(dir) ^ side) & 1;
            if let (Some(packets), Some(bytes)) = (self.packets.get_mut(i), self.bytes.get_mut(i)) {
                *packets = packets.wrapping_add(u64::from(p.load(Relaxed)));
                *bytes = bytes.wrapping_add(b.load(Relaxed));
            }
        }
    }
}

fn sum(kept: &[AtomicU64; 2], [live0, live1]: &[u64; 2]) -> [u64; 2] {
    let [a, b] = kept.each_ref().map(|c| c.load(Relaxed));
    [a.wrapping_add(*live0), b.wrapping_add(*live1)]
}

struct Heirs {
    stats: KVec<KArc<RuleStats>>,
    all: KVec<Option<KArc<RuleStats>>>,
    by_num: KVec<u32>,
}

/// Sets how much the tables take. Without memory for a larger index one stays as it is.
fn resize<const N: usize>(cx: &mut Thread, family: &Family<N>, most: (u32, u32, u32)) {
    let (states, maps, sources) = most;
    family.flows.set_max(cx, states);
    family.maps.set_max(cx, maps);
    family.sources.set_max(cx, sources);
}

/// As many records from `first` on as a chunk takes.
fn copy<T: IntoBytes + Immutable>(to: &mut abi::Chunk, from: &[T], first: usize) -> Result {
    let size = size_of::<T>();
    let mut n = 0u32;
    let mut at = 0usize;
    for rec in from.iter().skip(first) {
        let Some(room) = to.data.get_mut(at..at.saturating_add(size)) else {
            break;
        };
        rec.write_to(room).map_err(|_| Errno::EINVAL)?;
        at = at.saturating_add(size);
        n = n.wrapping_add(1);
    }
    to.count = n;
    to.total = u32::try_from(from.len()).unwrap_or(u32::MAX);
    Ok(())
}

/// What a table may be loaded as.
const TABLE_FLAGS: u32 = abi::IIPF_TABLE_PERSIST
    | abi::IIPF_TABLE_CONST
    | abi::IIPF_TABLE_COUNTERS
    | abi::IIPF_TABLE_REPLACE;

/// The load's tables: those that are there, and new ones. What the load says is in a table is put
/// into a new one, so that packets see the old rules with the old contents until the commit.
#[inline(never)]
fn named(
    cx: &mut Thread,
    config: &Config,
    load: &Load,
) -> core::result::Result<KVec<KArc<Named>>, Wrong> {
    let mut tables = KVec::new();
    let mut addrs = load.addrs.iter().enumerate().peekable();
    for (i, rec) in load.tables.iter().enumerate() {
        let at = |error| Wrong::new(error, abi::IIPF_KIND_TABLE, i);
        let memory = |_: Errno| at(abi::IIPF_LE_MEMORY);
        let name = rec.name.as_str().filter(|n| !n.is_empty());
        name.filter(|_| rec.flags & !TABLE_FLAGS == 0)
            .ok_or(at(abi::IIPF_LE_VALUE))?;
        if load.tables.iter().take(i).any(|t| t.name == rec.name) {
            return Err(at(abi::IIPF_LE_DUPLICATE));
        }
        let known = config.tables.iter().find(|t| t.name == rec.name);
        let counters = rec.flags & abi::IIPF_TABLE_COUNTERS != 0;
        let same = known.filter(|t| {
            let flags = t.flags.load(Relaxed);
            let counts = flags & abi::IIPF_TABLE_COUNTERS != 0;
            counts == counters && rec.flags & abi::IIPF_TABLE_REPLACE == 0
        });
        let table = match same {
            Some(table) => table.clone(),
            None => {
                let table = TableConfig {
                    max: TABLE_MAX,
                    counters,
                };
                let named = Named {
                    name: rec.name,
                    flags: AtomicU32::new(0),
                    table: AddrTable::new(cx, table).map_err(memory)?,
                    matched: AtomicU64::new(0),
                    missed: AtomicU64::new(0),
                };
                KArc::new(cx, named).map_err(memory)?
            }
        };
        while let Some((j, a)) = addrs.next_if(|(_, a)| a.table as usize == i + 1) {
            let wrong = |error| Wrong::new(error, abi::IIPF_KIND_TABLE_ADDR, j);
            let prefix = prefix(a).ok_or(wrong(abi::IIPF_LE_VALUE))?;
            if same.is_none() {
                table.table.add(cx, prefix, a.neg == 1, 0).map_err(|why| {
                    wrong(match why {
                        AddError::Full => abi::IIPF_LE_LIMIT,
                        AddError::NoMemory => abi::IIPF_LE_MEMORY,
                    })
                })?;
            }
        }
        tables.push(cx, table).map_err(memory)?;
    }
    if let Some((j, _)) = addrs.next() {
        return Err(Wrong::new(
            abi::IIPF_LE_REFERENCE,
            abi::IIPF_KIND_TABLE_ADDR,
            j,
        ));
    }
    Ok(tables)
}

/// A record's prefix; None: nonsense.
pub(crate) fn prefix(a: &abi::TableAddrRec) -> Option<Prefix> {
    let af = crate::cond::family(a.af).ok().flatten()?;
    let addr = number(a.af, &a.addr);
    if a.neg > 1 || a.pad != 0 || (a.af != INET6 && addr >> 32 != 0) {
        return None;
    }
    Prefix::new(af, addr, a.prefixlen)
}
