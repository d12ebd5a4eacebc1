// SPDX-License-Identifier: BSD-2-Clause
//! From records to a ruleset that can run.
//!
//! *Contexts*: thread. Everything is made before anything is published, so a load that fails at any
//! point has changed nothing.

use classify::AddrTable;
use classify::Classifier;
use classify::Kind;
use classify::Limits;
use classify::Match;
use classify::Rule as Condition;
use classify::TableConfig;
use flow::timeouts::Class;
use flow::timeouts::Timeouts;
use iipf_abi as abi;
use kern::cx::MayDrain;
use kern::cx::MaySleep;
use kern::mem::KArc;
use kern::mem::KVec;
use kern::passive::Passive;
use kern::passive::Value;
use wire::rewrite::Npt;

use crate::check::check_limits;
use crate::check::check_records;
use crate::check::check_rule;
use crate::cond::Conditions;
use crate::cond::INET6;
use crate::cond::number;
use crate::load::Load;
use crate::load::Wrong;
use crate::pool::Pool;
use crate::ruleset::Dynamic;
use crate::ruleset::Live;
use crate::ruleset::Named;
use crate::ruleset::Rule;
use crate::ruleset::RuleStats;
use crate::ruleset::Ruleset;
use crate::ruleset::Searched;

/// Entries of a table of an interface's addresses.
const DYNAMIC_MAX: u32 = 65_536;

const NO_MEMORY: u32 = abi::IIPF_LE_MEMORY;

/// What a ruleset takes over from what runs.
pub(crate) struct Heir<'c> {
    pub generation: u64,
    /// Tables, in the order of the load's records.
    pub named: KVec<KArc<Named>>,
    /// Counters, in the order of the load's rules.
    pub stats: &'c [KArc<RuleStats>],
    /// Counters by their number, and which rule has them.
    pub all: KVec<Option<KArc<RuleStats>>>,
    pub by_num: KVec<u32>,
}

/// Makes the ruleset; `names` etc. move out of the load.
#[inline(never)]
pub(crate) fn build<C: MayDrain>(
    cx: &mut C,
    load: &mut Load,
    heir: Heir<'_>,
) -> Result<Value<Ruleset>, Wrong> {
    let options =
        *load
            .options
            .first()
            .ok_or(Wrong::new(abi::IIPF_LE_MISSING, abi::IIPF_KIND_OPTIONS, 0))?;
    let timeouts = all_timeouts(cx, load, &options)?;
    check_limits(load, &options)?;
    check_records(load)?;
    let mut conditions = Conditions {
        load,
        sources: KVec::new(),
    };
    let mut when = KVec::new();
    for (i, rule) in load.rules.iter().enumerate() {
        let at = |error| Wrong::new(error, abi::IIPF_KIND_RULE, i);
        check_rule(load, rule).map_err(at)?;
        // As it is written it must be right, too.
        let mut m = conditions.of(cx, &rule.m).map_err(at)?;
        if rule.action == abi::IIPF_ACT_RDR {
            m = conditions.of(cx, &anywhere(rule)).map_err(at)?;
        }
        when.push(cx, m).map_err(|_| at(NO_MEMORY))?;
    }
    let mut pools = KVec::new();
    for (i, rule) in load.rules.iter().enumerate() {
        let at = |error| Wrong::new(error, abi::IIPF_KIND_RULE, i);
        if rule.nat.pool != 0 {
            let pool = pool(cx, load, rule, i, &pools).map_err(at)?;
            pools.push(cx, pool).map_err(|_| at(NO_MEMORY))?;
        }
    }
    let filter = searched(
        cx,
        load,
        &when,
        &[abi::IIPF_ACT_PASS, abi::IIPF_ACT_BLOCK],
        true,
    )?;
    let notes = searched(cx, load, &when, &[abi::IIPF_ACT_MATCH], false)?;
    let nat = searched(
        cx,
        load,
        &when,
        &[abi::IIPF_ACT_NAT, abi::IIPF_ACT_NO_NAT],
        false,
    )?;
    let rdr = searched(
        cx,
        load,
        &when,
        &[abi::IIPF_ACT_RDR, abi::IIPF_ACT_NO_RDR],
        false,
    )?;
    let both = [
        abi::IIPF_ACT_BINAT,
        abi::IIPF_ACT_NO_BINAT,
        abi::IIPF_ACT_NPTV6,
    ];
    let binat = searched(cx, load, &when, &both, false)?;
    for (i, rule) in load.rules.iter().enumerate() {
        if both.contains(&rule.action) {
            let at = |error| Wrong::new(error, abi::IIPF_KIND_RULE, i);
            let turned = turned(cx, load, &mut conditions, rule).map_err(at)?;
            if let Some(slot) = when.get_mut(i) {
                *slot = turned;
            }
        }
    }
    let binat_in = searched(cx, load, &when, &both, false)?;
    let none = |_| Wrong::new(NO_MEMORY, abi::IIPF_KIND_RULE, 0);
    let mut dynamic = KVec::new();
    for source in conditions.sources.iter() {
        let config = TableConfig {
            max: DYNAMIC_MAX,
            counters: false,
        };
        let one = Dynamic {
            iface: source.iface,
            part: source.part,
            af: source.af,
            table: AddrTable::new(cx, config).map_err(none)?,
        };
        dynamic.push(cx, one).map_err(none)?;
    }
    let mut rules = KVec::with_capacity(cx, load.rules.len()).map_err(none)?;
    for (i, (rec, stats)) in load.rules.iter().zip(heir.stats).enumerate() {
        let pool = pools.iter().position(|p: &Pool| p.rule as usize == i);
        let rule = Rule {
            rec: *rec,
            stats: stats.clone(),
            pool: pool.and_then(|p| u32::try_from(p).ok()),
            npt: npt(load, rec),
        };
        rules.push(cx, rule).map_err(none)?;
    }
    let mut ifaces = KVec::new();
    for rec in load.ifaces.iter() {
        ifaces.push(cx, *rec).map_err(none)?;
    }
    let live = Live {
        ifs: Passive::empty(),
        ifaces,
        named: heir.named,
        dynamic,
        pools,
        pool_recs: core::mem::take(&mut load.pools),
    };
    let ruleset = Ruleset {
        generation: heir.generation,
        live: KArc::new(cx, live).map_err(none)?,
        filter,
        notes,
        nat,
        rdr,
        binat,
        binat_in,
        rules,
        timeouts,
        by_num: heir.by_num,
        stats: heir.all,
        options,
        names: core::mem::take(&mut load.names),
        tables: core::mem::take(&mut load.tables),
        timeout_recs: core::mem::take(&mut load.timeouts),
        anchors: core::mem::take(&mut load.anchors),
    };
    Value::new(cx, ruleset).map_err(none)
}

/// A classifier over the rules of some actions: by priority, or in order.
#[inline(never)]
fn searched<C: MaySleep>(
    cx: &mut C,
    load: &Load,
    when: &[Match],
    actions: &[u8],
    by_prio: bool,
) -> Result<Searched, Wrong> {
    let wrong = |error| Wrong::new(error, abi::IIPF_KIND_RULE, 0);
    let mut rules: KVec<u32> = KVec::new();
    for (i, rule) in load.rules.iter().enumerate() {
        if actions.contains(&rule.action) {
            let i = u32::try_from(i).unwrap_or(u32::MAX);
            rules.push(cx, i).map_err(|_| wrong(NO_MEMORY))?;
        }
    }
    let key = |i: &u32| {
        let rule = load.rules.get(*i as usize);
        rule.map_or(0, |r| if by_prio { r.prio } else { r.order })
    };
    kern::sort::by_key(&mut rules, key);
    if let Some(pair) = rules
        .windows(2)
        .find(|w| w.first().map(key) == w.last().map(key))
    {
        let at = pair.last().map_or(0, |&i| i as usize);
        return Err(Wrong::new(abi::IIPF_LE_DUPLICATE, abi::IIPF_KIND_RULE, at));
    }
    let noting = actions.contains(&abi::IIPF_ACT_MATCH);
    let mut list = KVec::with_capacity(cx, rules.len()).map_err(|_| wrong(NO_MEMORY))?;
    for &i in rules.iter() {
        let rule = Condition {
            when: when.get(i as usize).copied().unwrap_or(Match::ANY),
            kind: if noting { Kind::Note } else { Kind::Quick },
            anchor: None,
        };
        list.push(cx, rule).map_err(|_| wrong(NO_MEMORY))?;
    }
    let classifier = Classifier::build(cx, &list, &[], &Limits::default());
    let classifier = classifier.map_err(|why| {
        wrong(match why {
            classify::Refused::NoMemory => NO_MEMORY,
            _ => abi::IIPF_LE_COMPLEX,
        })
    })?;
    Ok(Searched { classifier, rules })
}

/// A rule's conditions, on whatever interface if it turns packets round.
fn anywhere(rule: &abi::RuleRec) -> abi::MatchRec {
    let mut m = rule.m;
    if rule.nat.flags & abi::IIPF_NF_HAIRPIN != 0 {
        m.iface = 0;
        m.flags &= !abi::IIPF_M_IF_NEG;
    }
    m
}

/// The conditions of a binat rule for packets that come in.
fn turned<C: MaySleep>(
    cx: &mut C,
    load: &Load,
    conditions: &mut Conditions<'_>,
    rule: &abi::RuleRec,
) -> Result<Match, u32> {
    let mut m = anywhere(rule);
    core::mem::swap(&mut m.src, &mut m.dst);
    core::mem::swap(&mut m.sport, &mut m.dport);
    m.dir = 1;
    if rule.nat.pool != 0 {
        let first = load.pools.get(rule.nat.pool.wrapping_sub(1) as usize);
        let rec = first.ok_or(abi::IIPF_LE_REFERENCE)?;
        m.dst = abi::AddrRec {
            kind: match rec.kind {
                abi::IIPF_POOLADDR_IF => abi::IIPF_ADDR_IF,
                _ => abi::IIPF_ADDR_RANGE,
            },
            af: rec.af,
            neg: 0,
            part: rec.part,
            index: rec.index,
            lo: rec.lo,
            hi: rec.hi,
        };
    }
    conditions.of(cx, &m)
}

fn npt(load: &Load, rule: &abi::RuleRec) -> Option<Npt> {
    if rule.action != abi::IIPF_ACT_NPTV6 {
        return None;
    }
    let rec = load.pools.get(rule.nat.pool.wrapping_sub(1) as usize)?;
    let inside = number(INET6, &rule.m.src.lo);
    Npt::new(inside, number(INET6, &rec.lo), rec.prefixlen)
}

/// The pool of a translation rule.
fn pool<C: MaySleep>(
    cx: &mut C,
    load: &Load,
    rule: &abi::RuleRec,
    at: usize,
    others: &[Pool],
) -> Result<Pool, u32> {
    let first = rule.nat.pool.wrapping_sub(1);
    let end = first.saturating_add(rule.nat.pool_count);
    let records = load.pools.get(first as usize..end as usize);
    let records = records
        .filter(|r| !r.is_empty())
        .ok_or(abi::IIPF_LE_REFERENCE)?;
    let mut ranges = KVec::new();
    // FNV-1a over what the pool is, so that mappings find it again after a reload.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut mix = |bytes: &[u8]| {
        for &b in bytes {
            hash = (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for rec in records {
        mix(&[rec.kind, rec.af, rec.prefixlen, rec.part]);
        match rec.kind {
            abi::IIPF_POOLADDR_PREFIX | abi::IIPF_POOLADDR_RANGE => {
                let (lo, hi) = (number(rec.af, &rec.lo), number(rec.af, &rec.hi));
                if lo > hi {
                    return Err(abi::IIPF_LE_VALUE);
                }
                mix(&rec.lo);
                mix(&rec.hi);
                ranges.push(cx, (lo, hi)).map_err(|_| NO_MEMORY)?;
            }
            abi::IIPF_POOLADDR_IF => {
                let iface = load.ifaces.get(rec.index.wrapping_sub(1) as usize);
                let iface = iface.ok_or(abi::IIPF_LE_REFERENCE)?;
                mix(iface.name.as_str().unwrap_or("").as_bytes());
            }
            _ => return Err(abi::IIPF_LE_UNSUPPORTED),
        }
    }
    let block = match (rule.action, rule.nat.port_mode) {
        (abi::IIPF_ACT_NAT, abi::IIPF_NATPORT_BLOCK) => rule.nat.port_block,
        _ => 0,
    };
    if block != 0 && records.iter().any(|r| r.af == INET6) {
        return Err(abi::IIPF_LE_UNSUPPORTED);
    }
    mix(&block.to_be_bytes());
    mix(&rule.nat.port_lo.to_be_bytes());
    mix(&rule.nat.port_hi.to_be_bytes());
    let mut zone = (hash ^ (hash >> 32)) as u16 | 0x8000;
    let same = |p: &Pool, zone: u16| p.zone == zone && p.identity != hash;
    while others.iter().any(|p| same(p, zone)) {
        zone = zone.wrapping_add(1) | 0x8000;
    }
    Ok(Pool {
        rule: u32::try_from(at).unwrap_or(u32::MAX),
        zone,
        identity: hash,
        addrs: Passive::empty(),
        ranges,
        first,
        count: rule.nat.pool_count,
        ports: matches!(rule.action, abi::IIPF_ACT_NAT | abi::IIPF_ACT_BINAT),
        block,
        range: match (rule.nat.port_lo, rule.nat.port_hi) {
            (0, 0) => (1_024, u16::MAX),
            range => range,
        },
    })
}

/// The global timeouts, then those of records, each on top of the global ones.
fn all_timeouts<C: MaySleep>(
    cx: &mut C,
    load: &Load,
    options: &abi::OptionsRec,
) -> Result<KVec<Timeouts>, Wrong> {
    let wrong = |kind, i| move |error| Wrong::new(error, kind, i);
    let mut base = Timeouts::new();
    base.set(Class::Mapping, crate::worker::MAP_IDLE);
    let global = timeouts(&base, &options.timeouts);
    let global = global.map_err(wrong(abi::IIPF_KIND_OPTIONS, 0))?;
    let mut all = KVec::new();
    let full = |_| Wrong::new(NO_MEMORY, abi::IIPF_KIND_TIMEOUTS, 0);
    all.push(cx, global).map_err(full)?;
    for (i, rec) in load.timeouts.iter().enumerate() {
        let one = timeouts(&global, rec).map_err(wrong(abi::IIPF_KIND_TIMEOUTS, i))?;
        all.push(cx, one).map_err(full)?;
    }
    Ok(all)
}

/// Where each `IIPF_TM_*` goes.
const CLASSES: [(usize, &[Class]); 18] = [
    (abi::IIPF_TM_TCP_FIRST, &[Class::TcpFirst]),
    (abi::IIPF_TM_TCP_OPENING, &[Class::TcpOpening]),
    (abi::IIPF_TM_TCP_ESTABLISHED, &[Class::TcpEstablished]),
    (abi::IIPF_TM_TCP_CLOSING, &[Class::TcpClosing]),
    (abi::IIPF_TM_TCP_FINWAIT, &[Class::TcpFinWait]),
    (abi::IIPF_TM_TCP_CLOSED, &[Class::TcpClosed]),
    (abi::IIPF_TM_UDP_FIRST, &[Class::UdpFirst]),
    (abi::IIPF_TM_UDP_SINGLE, &[Class::UdpSingle]),
    (abi::IIPF_TM_UDP_MULTIPLE, &[Class::UdpMultiple]),
    (abi::IIPF_TM_ICMP_FIRST, &[Class::IcmpFirst]),
    (abi::IIPF_TM_ICMP_REPLY, &[Class::IcmpMultiple]),
    (abi::IIPF_TM_OTHER_FIRST, &[Class::OtherFirst]),
    (abi::IIPF_TM_OTHER_SINGLE, &[Class::OtherSingle]),
    (abi::IIPF_TM_OTHER_MULTIPLE, &[Class::OtherMultiple]),
    (
        abi::IIPF_TM_GRE,
        &[Class::TunnelFirst, Class::TunnelMultiple],
    ),
    (abi::IIPF_TM_ESP, &[]),
    (abi::IIPF_TM_FRAG, &[Class::Fragment]),
    (abi::IIPF_TM_MAPPING, &[Class::Mapping]),
];

/// As records have it, with the defaults put in.
pub(crate) fn timeouts_rec(t: &Timeouts) -> abi::TimeoutsRec {
    let mut rec = abi::TimeoutsRec::default();
    let mut put = |i: usize, value: u32| {
        if let Some(slot) = rec.values.get_mut(i) {
            *slot = value;
        }
    };
    for (i, classes) in &CLASSES {
        if let Some(class) = classes.last() {
            put(*i, t.get(*class));
        }
    }
    let (start, end) = t.adaptive();
    put(abi::IIPF_TM_ESP, t.get(Class::TunnelMultiple));
    put(abi::IIPF_TM_SRC_TRACK, crate::worker::SOURCE_IDLE);
    put(abi::IIPF_TM_BLOCK, 0);
    put(abi::IIPF_TM_INTERVAL, crate::worker::TICK / 1_000);
    put(abi::IIPF_TM_ADAPTIVE_START, start);
    put(abi::IIPF_TM_ADAPTIVE_END, end);
    rec
}

fn timeouts(base: &Timeouts, rec: &abi::TimeoutsRec) -> Result<Timeouts, u32> {
    let get = |i: usize| {
        rec.values
            .get(i)
            .copied()
            .filter(|&v| v != abi::IIPF_TM_DEFAULT)
    };
    let mut t = *base;
    for &(i, classes) in &CLASSES {
        let Some(secs) = get(i) else { continue };
        if secs > abi::IIPF_TM_MAX {
            return Err(abi::IIPF_LE_VALUE);
        }
        for &class in classes {
            t.set(class, secs);
        }
    }
    let (start, end) = base.adaptive();
    let start = get(abi::IIPF_TM_ADAPTIVE_START).unwrap_or(start);
    let end = get(abi::IIPF_TM_ADAPTIVE_END).unwrap_or(end);
    if start == 0 {
        t.adapt(0, 0).map_err(|_| abi::IIPF_LE_CONFLICT)?;
    } else {
        t.adapt(start, end).map_err(|_| abi::IIPF_LE_CONFLICT)?;
    }
    Ok(t)
}
