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
use iipf_abi as abi;
use kern::cx::MayDrain;
use kern::cx::MaySleep;
use kern::mem::KArc;
use kern::mem::KBox;
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
use crate::timeouts::all_timeouts;

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
    let missing = || Wrong::new(abi::IIPF_LE_MISSING, abi::IIPF_KIND_OPTIONS, 0);
    let options = load.options.first().ok_or_else(missing)?;
    let timeouts = all_timeouts(cx, load, options)?;
    check_limits(load, options)?;
    check_records(load)?;
    let pools = all_pools(cx, load)?;
    let lists = compiled(cx, load)?;
    let none = |_| Wrong::new(NO_MEMORY, abi::IIPF_KIND_RULE, 0);
    let rules = all_rules(cx, load, heir.stats, &pools).map_err(none)?;
    let live = live(cx, load, heir.named, lists.dynamic, pools).map_err(none)?;
    let options = load.options.pop().ok_or_else(missing)?;
    let proxy = |r: &Rule| r.rec.state.mode == abi::IIPF_STATE_SYNPROXY;
    let proxies = rules.iter().any(proxy);
    let ruleset = Ruleset {
        generation: heir.generation,
        live,
        filter: lists.filter,
        notes: lists.notes,
        nat: lists.nat,
        rdr: lists.rdr,
        binat: lists.binat,
        binat_in: lists.binat_in,
        rules,
        timeouts,
        by_num: heir.by_num,
        stats: heir.all,
        options,
        proxies,
        names: core::mem::take(&mut load.names),
        tables: core::mem::take(&mut load.tables),
        timeout_recs: core::mem::take(&mut load.timeouts),
        anchors: core::mem::take(&mut load.anchors),
    };
    Value::new(cx, ruleset).map_err(none)
}

/// What packets are looked up in.
struct Lists {
    filter: KBox<Searched>,
    notes: KBox<Searched>,
    nat: KBox<Searched>,
    rdr: KBox<Searched>,
    binat: KBox<Searched>,
    binat_in: KBox<Searched>,
    dynamic: KVec<Dynamic>,
}

/// Compiles the rules. Apart, for frames are small.
#[inline(never)]
fn compiled<C: MaySleep>(cx: &mut C, load: &Load) -> Result<Lists, Wrong> {
    let mut conditions = Conditions {
        load,
        sources: KVec::new(),
    };
    let mut when = KVec::new();
    for (i, rule) in load.rules.iter().enumerate() {
        condition(cx, load, &mut conditions, rule, &mut when)
            .map_err(|error| Wrong::new(error, abi::IIPF_KIND_RULE, i))?;
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
    for (i, (rule, slot)) in load.rules.iter().zip(when.iter_mut()).enumerate() {
        if both.contains(&rule.action) {
            turned(cx, load, &mut conditions, rule, slot)
                .map_err(|error| Wrong::new(error, abi::IIPF_KIND_RULE, i))?;
        }
    }
    let binat_in = searched(cx, load, &when, &both, false)?;
    let none = |_| Wrong::new(NO_MEMORY, abi::IIPF_KIND_RULE, 0);
    let dynamic = all_dynamic(cx, &conditions).map_err(none)?;
    Ok(Lists {
        filter,
        notes,
        nat,
        rdr,
        binat,
        binat_in,
        dynamic,
    })
}

/// What a rule asks, as the classifier has it, behind those of the rules before it.
#[inline(never)]
fn condition<C: MaySleep>(
    cx: &mut C,
    load: &Load,
    conditions: &mut Conditions<'_>,
    rule: &abi::RuleRec,
    when: &mut KVec<Match>,
) -> Result<(), u32> {
    check_rule(load, rule)?;
    // As it is written it must be right, too.
    let mut m = conditions.of(cx, &rule.m)?;
    if rule.action == abi::IIPF_ACT_RDR {
        m = conditions.of(cx, &anywhere(rule))?;
    }
    when.push(cx, m).map_err(|_| NO_MEMORY)
}

/// The pools of all rules that have one.
#[inline(never)]
fn all_pools<C: MaySleep>(cx: &mut C, load: &Load) -> Result<KVec<Pool>, Wrong> {
    let mut pools = KVec::new();
    for (i, rule) in load.rules.iter().enumerate() {
        let at = |error| Wrong::new(error, abi::IIPF_KIND_RULE, i);
        if rule.nat.pool != 0 {
            let pool = pool(cx, load, rule, i, &pools).map_err(at)?;
            pools.push(cx, pool).map_err(|_| at(NO_MEMORY))?;
        }
    }
    Ok(pools)
}

/// Empty tables for the addresses that the rules take from interfaces.
#[inline(never)]
fn all_dynamic<C: MaySleep>(
    cx: &mut C,
    conditions: &Conditions<'_>,
) -> kern::errno::Result<KVec<Dynamic>> {
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
            table: AddrTable::new(cx, config)?,
        };
        dynamic.push(cx, one)?;
    }
    Ok(dynamic)
}

/// The rules with their counters and pools.
#[inline(never)]
fn all_rules<C: MaySleep>(
    cx: &mut C,
    load: &Load,
    stats: &[KArc<RuleStats>],
    pools: &[Pool],
) -> kern::errno::Result<KVec<Rule>> {
    let mut rules = KVec::with_capacity(cx, load.rules.len())?;
    for (i, (rec, stats)) in load.rules.iter().zip(stats).enumerate() {
        let pool = pools.iter().position(|p| p.rule as usize == i);
        let rule = Rule {
            rec: *rec,
            stats: stats.clone(),
            pool: pool.and_then(|p| u32::try_from(p).ok()),
            npt: npt(load, rec),
        };
        rules.push(cx, rule)?;
    }
    Ok(rules)
}

/// What the rules name of the world, not looked at yet.
#[inline(never)]
fn live<C: MaySleep>(
    cx: &mut C,
    load: &mut Load,
    named: KVec<KArc<Named>>,
    dynamic: KVec<Dynamic>,
    pools: KVec<Pool>,
) -> kern::errno::Result<KArc<Live>> {
    let mut ifaces = KVec::with_capacity(cx, load.ifaces.len())?;
    for rec in load.ifaces.iter() {
        ifaces.push(cx, *rec)?;
    }
    let live = Live {
        ifs: Passive::empty(),
        ifaces,
        named,
        dynamic,
        pools,
        pool_recs: core::mem::take(&mut load.pools),
    };
    KArc::new(cx, live)
}

/// A classifier over the rules of some actions: by priority, or in order.
#[inline(never)]
fn searched<C: MaySleep>(
    cx: &mut C,
    load: &Load,
    when: &[Match],
    actions: &[u8],
    by_prio: bool,
) -> Result<KBox<Searched>, Wrong> {
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
    KBox::new(cx, Searched { classifier, rules }).map_err(|_| wrong(NO_MEMORY))
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
#[inline(never)]
fn turned<C: MaySleep>(
    cx: &mut C,
    load: &Load,
    conditions: &mut Conditions<'_>,
    rule: &abi::RuleRec,
    to: &mut Match,
) -> Result<(), u32> {
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
    *to = conditions.of(cx, &m)?;
    Ok(())
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
