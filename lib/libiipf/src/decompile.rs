// SPDX-License-Identifier: BSD-2-Clause
//! The kernel's records back to a ruleset: anchors have their conditions in their rules then.

use crate::ast::{
    Action, Addr, Anchor, Choice, Config, Dir, Entry, Family, Filtering, Host, How, Item, Log,
    Match, Nat, NatPorts, On, Options, Part, Ports, Rule, Sets, State, Table, Target,
};
use crate::binary::Ruleset;
use crate::pos::Pos;
use iipf_abi::{
    AddrRec, IIPF_ACT_BINAT, IIPF_ACT_BLOCK, IIPF_ACT_MATCH, IIPF_ACT_NAT, IIPF_ACT_NO_BINAT,
    IIPF_ACT_NO_NAT, IIPF_ACT_NO_RDR, IIPF_ACT_NPTV6, IIPF_ACT_PASS, IIPF_ACT_RDR, IIPF_ADDR_ANY,
    IIPF_ADDR_IF, IIPF_ADDR_RANGE, IIPF_ADDR_SELF, IIPF_ADDR_TABLE, IIPF_BLOCK_DROP,
    IIPF_BLOCK_ICMP, IIPF_BLOCK_RETURN, IIPF_BLOCK_RST, IIPF_FILTER_ADDRESS,
    IIPF_FILTER_ADDRESS_PORT, IIPF_FILTER_ENDPOINT, IIPF_IFACE_SKIP, IIPF_IFPART_ADDR,
    IIPF_IFPART_BROADCAST, IIPF_IFPART_FIRST, IIPF_IFPART_NETWORK, IIPF_M_DSCP, IIPF_M_FRAGMENT,
    IIPF_M_ICMP_CODE, IIPF_M_ICMP_TYPE, IIPF_M_IF_NEG, IIPF_M_MARK, IIPF_M_MARK_NEG, IIPF_M_PROTO,
    IIPF_NAME_TAG, IIPF_NATPORT_BLOCK, IIPF_NATPORT_KEEP, IIPF_NATPORT_RANGE, IIPF_NATPORT_SHIFT,
    IIPF_NATPORT_STATIC, IIPF_NF_HAIRPIN, IIPF_NF_PAIRED, IIPF_NF_PASS, IIPF_O_DEFAULT_BLOCK,
    IIPF_O_EVICT, IIPF_O_REASSEMBLE, IIPF_O_REASSEMBLE_NO_DF, IIPF_POOL_BITMASK, IIPF_POOL_HASH,
    IIPF_POOL_RANDOM, IIPF_POOL_ROUND_ROBIN, IIPF_POOLADDR_IF, IIPF_POOLADDR_PREFIX,
    IIPF_POOLADDR_RANGE, IIPF_POOLADDR_TABLE, IIPF_PORT_ANY, IIPF_PORT_IN, IIPF_PORT_OUT,
    IIPF_R_ALLOW_OPTS, IIPF_R_LOG, IIPF_R_LOG_ALL, IIPF_R_QUICK, IIPF_SET_DSCP, IIPF_SET_MARK,
    IIPF_SET_NO_DF, IIPF_SET_RANDOM_ID, IIPF_SF_FLUSH, IIPF_SF_FLUSH_GLOBAL, IIPF_SF_IF_BOUND,
    IIPF_SF_SLOPPY, IIPF_SF_SRC_GLOBAL, IIPF_STATE_NONE, IIPF_STATE_SYNPROXY, IIPF_TABLE_CONST,
    IIPF_TABLE_COUNTERS, IIPF_TABLE_PERSIST, IIPF_TABLE_REPLACE, MatchRec, NatRec, PoolRec,
    PortRec, RuleRec, SetRec, StateRec, TableAddrRec, TimeoutsRec,
};
use kabi::ctl::{AF_INET, AF_INET6};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

/// A record that refers to what is not there, or has a value that we do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown(pub &'static str);

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the kernel's ruleset has a {} that this program does not know",
            self.0
        )
    }
}

impl std::error::Error for Unknown {}

type Result<T> = std::result::Result<T, Unknown>;

/// What the records mean.
///
/// # Errors
/// They are not what [`compile`](crate::compile) makes.
pub fn decompile(r: &Ruleset) -> Result<Config> {
    let mut config = Config {
        options: options(r),
        tables: tables(r)?,
        ..Config::default()
    };
    for rec in &r.rules {
        let path = path(r, rec.anchor)?;
        let items = open(r, &mut config.items, &path)?;
        items.push(Item::Rule(Box::new(rule(r, rec)?)));
    }
    Ok(config)
}

/// One rule.
///
/// # Errors
/// As [`decompile`].
pub fn rule(r: &Ruleset, rec: &RuleRec) -> Result<Rule> {
    let mut m = matching(r, &rec.m)?;
    let action = action(r, rec)?;
    if !action.is_filter() {
        m.dir = None;
    }
    let has = |bit| rec.flags & bit != 0;
    Ok(Rule {
        pos: Pos {
            file: Rc::from(name(r, rec.file)?.unwrap_or_default().as_str()),
            line: rec.line,
            column: 1,
        },
        action,
        m,
        quick: has(IIPF_R_QUICK),
        log: match (has(IIPF_R_LOG), has(IIPF_R_LOG_ALL)) {
            (false, _) => Log::No,
            (true, false) => Log::First,
            (true, true) => Log::All,
        },
        allow_opts: has(IIPF_R_ALLOW_OPTS),
        sets: sets(r, &rec.set),
        label: name(r, rec.label)?,
    })
}

/// An address of a record.
#[must_use]
pub fn address(af: u8, bytes: [u8; 16]) -> Option<IpAddr> {
    match u32::from(af) {
        AF_INET => {
            let [a, b, c, d, ..] = bytes;
            Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(bytes))),
        _ => None,
    }
}

fn at<'a, T>(all: &'a [T], index: u32, what: &'static str) -> Result<&'a T> {
    let i = (index as usize).checked_sub(1);
    i.and_then(|i| all.get(i)).ok_or(Unknown(what))
}

fn name(r: &Ruleset, index: u32) -> Result<Option<String>> {
    if index == 0 {
        return Ok(None);
    }
    Ok(Some(at(&r.names, index, "name")?.name.to_string()))
}

/// From the outermost to the one itself.
fn path(r: &Ruleset, mut index: u32) -> Result<Vec<u32>> {
    let mut path = Vec::new();
    while index != 0 {
        if path.len() > 64 {
            return Err(Unknown("circle of anchors"));
        }
        path.push(index);
        index = at(&r.anchors, index, "anchor")?.parent;
    }
    path.reverse();
    Ok(path)
}

/// The items of the anchor at the end of `path`, which is the last one open or is begun.
fn open<'a>(r: &Ruleset, mut items: &'a mut Vec<Item>, path: &[u32]) -> Result<&'a mut Vec<Item>> {
    for &index in path {
        let rec = at(&r.anchors, index, "anchor")?;
        let is_last = matches!(items.last(), Some(Item::Anchor(a)) if a.pos.line == index);
        if !is_last {
            items.push(Item::Anchor(Box::new(Anchor {
                // Which one it is; there is no other place.
                pos: Pos {
                    file: Rc::from(""),
                    line: index,
                    column: 0,
                },
                name: rec.name.to_string(),
                quick: rec.quick != 0,
                m: Match::ANY,
                items: Vec::new(),
            })));
        }
        items = match items.last_mut() {
            Some(Item::Anchor(a)) => &mut a.items,
            _ => return Err(Unknown("anchor")),
        };
    }
    Ok(items)
}

fn options(r: &Ruleset) -> Options {
    let o = &r.options;
    let has = |bit| o.flags & bit != 0;
    let skip = r.ifaces.iter().filter(|i| i.flags & IIPF_IFACE_SKIP != 0);
    Options {
        limits: o.limits,
        timeouts: o.timeouts,
        no_reassemble: !has(IIPF_O_REASSEMBLE),
        reassemble_no_df: has(IIPF_O_REASSEMBLE_NO_DF),
        default_block: has(IIPF_O_DEFAULT_BLOCK),
        evict: has(IIPF_O_EVICT),
        debug: Some(o.debug).filter(|d| *d != 1),
        skip: skip.map(|i| i.name.to_string()).collect(),
    }
}

fn tables(r: &Ruleset) -> Result<Vec<Table>> {
    let mut all = Vec::new();
    for (i, rec) in (1..).zip(&r.tables) {
        let known = IIPF_TABLE_PERSIST | IIPF_TABLE_CONST | IIPF_TABLE_COUNTERS;
        let mut entries = Vec::new();
        for a in r.addrs.iter().filter(|a| a.table == i) {
            entries.push(entry(a)?);
        }
        all.push(Table {
            pos: Pos::none(),
            name: rec.name.to_string(),
            flags: rec.flags & known,
            entries: (rec.flags & IIPF_TABLE_REPLACE != 0).then_some(entries),
        });
    }
    Ok(all)
}

/// An entry of a table.
///
/// # Errors
/// As [`decompile`].
pub fn entry(a: &TableAddrRec) -> Result<Entry> {
    Ok(Entry {
        addr: address(a.af, a.addr).ok_or(Unknown("family"))?,
        len: a.prefixlen,
        neg: a.neg != 0,
    })
}

fn family(af: u8) -> Result<Option<Family>> {
    match u32::from(af) {
        0 => Ok(None),
        AF_INET => Ok(Some(Family::V4)),
        AF_INET6 => Ok(Some(Family::V6)),
        _ => Err(Unknown("family")),
    }
}

fn part(p: u8) -> Result<Part> {
    Ok(match p {
        IIPF_IFPART_ADDR => Part::Addr,
        IIPF_IFPART_NETWORK => Part::Network,
        IIPF_IFPART_BROADCAST => Part::Broadcast,
        IIPF_IFPART_FIRST => Part::First,
        _ => return Err(Unknown("part of an interface")),
    })
}

fn host(r: &Ruleset, a: &AddrRec) -> Result<Host> {
    let range = || -> Result<Addr> {
        let lo = address(a.af, a.lo).ok_or(Unknown("family"))?;
        let hi = address(a.af, a.hi).ok_or(Unknown("family"))?;
        Ok(Addr::Range(lo, hi))
    };
    let addr = match a.kind {
        IIPF_ADDR_ANY => Addr::Any,
        IIPF_ADDR_RANGE => range()?,
        IIPF_ADDR_TABLE => Addr::Table(at(&r.tables, a.index, "table")?.name.to_string()),
        IIPF_ADDR_IF => Addr::If(
            at(&r.ifaces, a.index, "interface")?.name.to_string(),
            part(a.part)?,
        ),
        IIPF_ADDR_SELF => Addr::Own,
        _ => return Err(Unknown("kind of address")),
    };
    Ok(Host {
        neg: a.neg != 0,
        addr,
    })
}

fn ports(p: PortRec) -> Result<Ports> {
    Ok(match p.op {
        IIPF_PORT_ANY => Ports::Any,
        IIPF_PORT_IN => Ports::In(p.lo, p.hi),
        IIPF_PORT_OUT => Ports::Out(p.lo, p.hi),
        _ => return Err(Unknown("kind of ports")),
    })
}

/// A tag by its mark.
fn tag(r: &Ruleset, mark: u32) -> String {
    let named = r
        .names
        .iter()
        .find(|n| n.kind == IIPF_NAME_TAG && n.mark == mark);
    named.map_or_else(|| mark.to_string(), |n| n.name.to_string())
}

fn matching(r: &Ruleset, m: &MatchRec) -> Result<Match> {
    let has = |bit| m.flags & bit != 0;
    let on = match m.iface {
        0 => None,
        i => Some(On {
            neg: has(IIPF_M_IF_NEG),
            name: at(&r.ifaces, i, "interface")?.name.to_string(),
        }),
    };
    Ok(Match {
        dir: match m.dir {
            0 => None,
            1 => Some(Dir::In),
            2 => Some(Dir::Out),
            _ => return Err(Unknown("direction")),
        },
        on,
        af: family(m.af)?,
        proto: has(IIPF_M_PROTO).then_some(m.proto),
        src: host(r, &m.src)?,
        sport: ports(m.sport)?,
        dst: host(r, &m.dst)?,
        dport: ports(m.dport)?,
        flags: (m.tcp_mask != 0).then_some((m.tcp_flags, m.tcp_mask)),
        icmp: has(IIPF_M_ICMP_TYPE)
            .then(|| (m.icmp_type, has(IIPF_M_ICMP_CODE).then_some(m.icmp_code))),
        dscp: has(IIPF_M_DSCP).then_some(m.dscp),
        fragment: has(IIPF_M_FRAGMENT),
        tagged: has(IIPF_M_MARK).then(|| (has(IIPF_M_MARK_NEG), tag(r, m.mark))),
        probability: (m.probability != 0).then_some(m.probability),
    })
}

fn state(r: &Ruleset, s: &StateRec) -> Result<Option<State>> {
    let has = |bit| s.flags & bit != 0;
    if s.mode == IIPF_STATE_NONE {
        return Ok(None);
    }
    Ok(Some(State {
        synproxy: s.mode == IIPF_STATE_SYNPROXY,
        max: s.max_states,
        max_src_nodes: s.max_src_nodes,
        max_src_states: s.max_src_states,
        max_src_conn: s.max_src_conn,
        max_src_rate: (s.max_src_rate, s.max_src_seconds),
        src_global: has(IIPF_SF_SRC_GLOBAL),
        overload: match s.overload {
            0 => None,
            i => Some(at(&r.tables, i, "table")?.name.to_string()),
        },
        flush: has(IIPF_SF_FLUSH).then(|| has(IIPF_SF_FLUSH_GLOBAL)),
        if_bound: has(IIPF_SF_IF_BOUND),
        sloppy: has(IIPF_SF_SLOPPY),
        timeouts: match s.timeouts {
            0 => TimeoutsRec::default(),
            i => *at(&r.timeouts, i, "set of timeouts")?,
        },
    }))
}

fn target(r: &Ruleset, p: &PoolRec) -> Result<Target> {
    let addr = |bytes| address(p.af, bytes).ok_or(Unknown("family"));
    Ok(match p.kind {
        IIPF_POOLADDR_PREFIX => Target::Prefix(addr(p.lo)?, p.prefixlen),
        IIPF_POOLADDR_RANGE => Target::Range(addr(p.lo)?, addr(p.hi)?),
        IIPF_POOLADDR_IF => Target::If(
            at(&r.ifaces, p.index, "interface")?.name.to_string(),
            part(p.part)?,
        ),
        IIPF_POOLADDR_TABLE => Target::Table(at(&r.tables, p.index, "table")?.name.to_string()),
        _ => return Err(Unknown("kind of pool")),
    })
}

fn nat(r: &Ruleset, n: &NatRec) -> Result<Nat> {
    let mut pool = Vec::new();
    for i in 0..n.pool_count {
        pool.push(target(r, at(&r.pools, n.pool.saturating_add(i), "pool")?)?);
    }
    let has = |bit| n.flags & bit != 0;
    Ok(Nat {
        pool,
        choice: match n.choice {
            IIPF_POOL_ROUND_ROBIN => Choice::RoundRobin,
            IIPF_POOL_RANDOM => Choice::Random,
            IIPF_POOL_HASH if n.hash_key == [0; 2] => Choice::Hash(None),
            IIPF_POOL_HASH => Choice::Hash(Some(n.hash_key)),
            IIPF_POOL_BITMASK => Choice::Bitmask,
            _ => return Err(Unknown("way to choose an address")),
        },
        ports: match n.port_mode {
            IIPF_NATPORT_KEEP => NatPorts::Keep,
            IIPF_NATPORT_STATIC => NatPorts::Static,
            IIPF_NATPORT_RANGE => NatPorts::Range(n.port_lo, n.port_hi),
            IIPF_NATPORT_BLOCK => NatPorts::Block(n.port_lo, n.port_hi, n.port_block),
            IIPF_NATPORT_SHIFT => NatPorts::Shift(n.port_lo),
            _ => return Err(Unknown("kind of ports")),
        },
        filtering: match n.filtering {
            IIPF_FILTER_ENDPOINT => Filtering::Endpoint,
            IIPF_FILTER_ADDRESS => Filtering::Address,
            IIPF_FILTER_ADDRESS_PORT => Filtering::AddressPort,
            _ => return Err(Unknown("kind of filtering")),
        },
        paired: has(IIPF_NF_PAIRED),
        hairpin: has(IIPF_NF_HAIRPIN),
        pass: has(IIPF_NF_PASS),
        max_per_host: n.max_per_host,
    })
}

fn action(r: &Ruleset, rec: &RuleRec) -> Result<Action> {
    let to = || nat(r, &rec.nat).map(Some);
    Ok(match rec.action {
        IIPF_ACT_PASS => Action::Pass(state(r, &rec.state)?),
        IIPF_ACT_BLOCK => Action::Block(match rec.block {
            IIPF_BLOCK_DROP => How::Drop,
            IIPF_BLOCK_RETURN => How::Return(rec.icmp_code, rec.icmp6_code),
            IIPF_BLOCK_RST => How::Reset,
            IIPF_BLOCK_ICMP => How::Icmp(rec.icmp_code, rec.icmp6_code),
            _ => return Err(Unknown("way to block")),
        }),
        IIPF_ACT_MATCH => Action::Match,
        IIPF_ACT_NAT => Action::Nat(to()?),
        IIPF_ACT_NO_NAT => Action::Nat(None),
        IIPF_ACT_RDR => Action::Rdr(to()?),
        IIPF_ACT_NO_RDR => Action::Rdr(None),
        IIPF_ACT_BINAT => Action::Binat(to()?),
        IIPF_ACT_NO_BINAT => Action::Binat(None),
        IIPF_ACT_NPTV6 => Action::Nptv6(nat(r, &rec.nat)?),
        _ => return Err(Unknown("kind of rule")),
    })
}

fn sets(r: &Ruleset, s: &SetRec) -> Sets {
    let has = |bit| s.flags & bit != 0;
    Sets {
        tag: has(IIPF_SET_MARK).then(|| tag(r, s.mark)),
        dscp: has(IIPF_SET_DSCP).then_some(s.dscp),
        max_mss: s.max_mss,
        min_ttl: s.min_ttl,
        no_df: has(IIPF_SET_NO_DF),
        random_id: has(IIPF_SET_RANDOM_ID),
        alg: s.alg,
    }
}
