// SPDX-License-Identifier: BSD-2-Clause
//! A ruleset to the kernel's records.

use crate::ast::{
    Action, Addr, Choice, Config, Dir, Family, Filtering, Host, How, Log, Match, Nat, NatPorts,
    Part, Ports, Sets, State, Target, is_group,
};
use crate::binary::Ruleset;
use crate::flatten::{Flat, FlatAnchor, flatten};
use crate::parse::host::last_of;
use crate::pos::{Fault, Pos};
use crate::print;
use iipf_abi::{
    AddrRec, AnchorRec, IIPF_ACT_BINAT, IIPF_ACT_BLOCK, IIPF_ACT_MATCH, IIPF_ACT_NAT,
    IIPF_ACT_NO_BINAT, IIPF_ACT_NO_NAT, IIPF_ACT_NO_RDR, IIPF_ACT_NPTV6, IIPF_ACT_PASS,
    IIPF_ACT_RDR, IIPF_ADDR_ANY, IIPF_ADDR_IF, IIPF_ADDR_RANGE, IIPF_ADDR_SELF, IIPF_ADDR_TABLE,
    IIPF_BLOCK_DROP, IIPF_BLOCK_ICMP, IIPF_BLOCK_RETURN, IIPF_BLOCK_RST, IIPF_FILTER_ADDRESS,
    IIPF_FILTER_ADDRESS_PORT, IIPF_FILTER_ENDPOINT, IIPF_IFACE_GROUP, IIPF_IFACE_SKIP,
    IIPF_IFACES_MAX, IIPF_IFPART_ADDR, IIPF_IFPART_BROADCAST, IIPF_IFPART_FIRST,
    IIPF_IFPART_NETWORK, IIPF_M_DSCP, IIPF_M_FRAGMENT, IIPF_M_ICMP_CODE, IIPF_M_ICMP_TYPE,
    IIPF_M_IF_NEG, IIPF_M_MARK, IIPF_M_MARK_NEG, IIPF_M_PROTO, IIPF_NAME_FILE, IIPF_NAME_LABEL,
    IIPF_NAME_TAG, IIPF_NATPORT_BLOCK, IIPF_NATPORT_KEEP, IIPF_NATPORT_RANGE, IIPF_NATPORT_SHIFT,
    IIPF_NATPORT_STATIC, IIPF_NF_HAIRPIN, IIPF_NF_PAIRED, IIPF_NF_PASS, IIPF_O_DEFAULT_BLOCK,
    IIPF_O_EVICT, IIPF_O_REASSEMBLE, IIPF_O_REASSEMBLE_NO_DF, IIPF_POOL_BITMASK, IIPF_POOL_HASH,
    IIPF_POOL_RANDOM, IIPF_POOL_ROUND_ROBIN, IIPF_POOLADDR_IF, IIPF_POOLADDR_PREFIX,
    IIPF_POOLADDR_RANGE, IIPF_POOLADDR_TABLE, IIPF_PORT_ANY, IIPF_PORT_IN, IIPF_PORT_OUT,
    IIPF_R_ALLOW_OPTS, IIPF_R_LOG, IIPF_R_LOG_ALL, IIPF_R_QUICK, IIPF_SET_DSCP, IIPF_SET_MARK,
    IIPF_SET_NO_DF, IIPF_SET_RANDOM_ID, IIPF_SF_FLUSH, IIPF_SF_FLUSH_GLOBAL, IIPF_SF_IF_BOUND,
    IIPF_SF_SLOPPY, IIPF_SF_SRC_GLOBAL, IIPF_STATE_KEEP, IIPF_STATE_SYNPROXY, IIPF_TABLE_REPLACE,
    IfaceRec, MatchRec, NameRec, NatRec, OptionsRec, PoolRec, PortRec, RuleRec, SetRec, StateRec,
    TableAddrRec, TableRec, TimeoutsRec,
};
use kabi::Name;
use kabi::ctl::{AF_INET, AF_INET6};
use std::collections::HashMap;
use std::net::IpAddr;

/// The kernel's records of `config`; what was left out is added to its warnings.
///
/// # Errors
/// What only shows once anchors are flattened, and what there is too much of.
pub fn compile(config: &Config) -> Result<Ruleset, Vec<Fault>> {
    let (ruleset, _) = compile_with_warnings(config)?;
    Ok(ruleset)
}

/// The same, with what was left out.
///
/// # Errors
/// As [`compile`].
pub fn compile_with_warnings(config: &Config) -> Result<(Ruleset, Vec<Fault>), Vec<Fault>> {
    let flat = flatten(config);
    let mut k = Compiler {
        faults: flat.faults,
        ..Compiler::default()
    };
    k.tables(config);
    k.options(config);
    let mut paths: Vec<String> = Vec::new();
    for a in &flat.anchors {
        let path = k.anchor(a, &paths);
        paths.push(path);
    }
    for f in &flat.rules {
        let path = (f.anchor as usize)
            .checked_sub(1)
            .and_then(|i| paths.get(i));
        k.rule(f, path.map_or("", String::as_str));
    }
    k.limit(k.out.ifaces.len(), IIPF_IFACES_MAX, "interfaces");
    if k.faults.is_empty() {
        Ok((k.out, flat.warnings))
    } else {
        Err(k.faults)
    }
}

#[derive(Default)]
struct Compiler {
    out: Ruleset,
    faults: Vec<Fault>,
    names: HashMap<(u32, String), u32>,
    ifaces: HashMap<String, u32>,
    tables: HashMap<String, u32>,
    timeouts: HashMap<TimeoutsRec, u32>,
    ids: HashMap<u64, u32>,
}

/// 64-bit FNV-1a.
fn fnv(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    })
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// The mark that a tag is: the number, or one over 2^31 that its name always gives.
#[must_use]
pub fn tag_mark(tag: &str) -> u32 {
    match tag.parse::<u32>() {
        Ok(n) if (1..=0x7fff_ffff).contains(&n) => n,
        _ => (fnv(FNV, tag.as_bytes()) >> 16) as u32 | 0x8000_0000,
    }
}

pub(crate) fn af(family: Option<Family>) -> u8 {
    match family {
        None => 0,
        Some(Family::V4) => AF_INET as u8,
        Some(Family::V6) => AF_INET6 as u8,
    }
}

/// An address in the records' form.
#[must_use]
pub fn octets(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(a) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&a.octets());
            bytes
        }
        IpAddr::V6(a) => a.octets(),
    }
}

fn part(part: Part) -> u8 {
    match part {
        Part::Addr => IIPF_IFPART_ADDR,
        Part::Network => IIPF_IFPART_NETWORK,
        Part::Broadcast => IIPF_IFPART_BROADCAST,
        Part::First => IIPF_IFPART_FIRST,
    }
}

/// An entry of a table in the records' form.
#[must_use]
pub fn table_addr(table: u32, e: &crate::ast::Entry) -> TableAddrRec {
    TableAddrRec {
        table,
        af: af(Some(Family::of(e.addr))),
        prefixlen: e.len,
        neg: u8::from(e.neg),
        pad: 0,
        addr: octets(e.addr),
    }
}

impl Compiler {
    fn limit(&mut self, n: usize, most: usize, what: &str) {
        if n > most {
            let what = format!("the ruleset names {n} {what}, at most {most} are possible");
            self.faults.push(Fault::new(&Pos::none(), what));
        }
    }

    fn name(&mut self, kind: u32, text: &str, mark: u32) -> u32 {
        // Of a long path the end says more.
        let mut short = text;
        while short.len() > 55 {
            let mut chars = short.chars();
            chars.next();
            short = chars.as_str();
        }
        let names = &mut self.out.names;
        *self
            .names
            .entry((kind, text.to_owned()))
            .or_insert_with(|| {
                names.push(NameRec {
                    kind,
                    mark,
                    name: Name::new(short).unwrap_or_default(),
                });
                names.len() as u32
            })
    }

    fn tag(&mut self, tag: &str, pos: &Pos) -> u32 {
        let mark = tag_mark(tag);
        let other =
            self.out.names.iter().find(|n| {
                n.kind == IIPF_NAME_TAG && n.mark == mark && n.name.as_str() != Some(tag)
            });
        if let Some(other) = other {
            let what = format!("tags \"{tag}\" and \"{}\" would be one mark", other.name);
            self.faults
                .push(Fault::new(pos, what).hint("rename one of them"));
        }
        self.name(IIPF_NAME_TAG, tag, mark);
        mark
    }

    fn iface(&mut self, name: &str) -> u32 {
        let ifaces = &mut self.out.ifaces;
        *self.ifaces.entry(name.to_owned()).or_insert_with(|| {
            ifaces.push(IfaceRec {
                name: Name::new(name).unwrap_or_default(),
                flags: if is_group(name) { IIPF_IFACE_GROUP } else { 0 },
                pad: 0,
            });
            ifaces.len() as u32
        })
    }

    fn table(&self, name: &str) -> u32 {
        // That it is there, `check` has seen.
        self.tables.get(name).copied().unwrap_or(0)
    }

    fn tables(&mut self, config: &Config) {
        for t in &config.tables {
            let entries = t.entries.as_deref().unwrap_or(&[]);
            let replace = if t.entries.is_some() {
                IIPF_TABLE_REPLACE
            } else {
                0
            };
            self.out.tables.push(TableRec {
                name: Name::new(&t.name).unwrap_or_default(),
                flags: t.flags | replace,
                count: entries.len() as u32,
            });
            let index = self.out.tables.len() as u32;
            self.tables.insert(t.name.clone(), index);
            self.out
                .addrs
                .extend(entries.iter().map(|e| table_addr(index, e)));
        }
    }

    fn options(&mut self, config: &Config) {
        let o = &config.options;
        let mut flags = 0;
        if !o.no_reassemble {
            flags |= IIPF_O_REASSEMBLE;
        }
        for (bit, set) in [
            (IIPF_O_REASSEMBLE_NO_DF, o.reassemble_no_df),
            (IIPF_O_DEFAULT_BLOCK, o.default_block),
            (IIPF_O_EVICT, o.evict),
        ] {
            if set {
                flags |= bit;
            }
        }
        for name in &o.skip {
            let i = self.iface(name) as usize - 1;
            self.out.ifaces[i].flags |= IIPF_IFACE_SKIP;
        }
        self.out.options = OptionsRec {
            flags,
            debug: o.debug.unwrap_or(1),
            limits: o.limits,
            timeouts: o.timeouts,
        };
    }

    /// Adds it; gives its path.
    fn anchor(&mut self, a: &FlatAnchor, paths: &[String]) -> String {
        self.out.anchors.push(AnchorRec {
            name: Name::new(&a.name).unwrap_or_default(),
            parent: a.parent,
            quick: u32::from(a.quick),
        });
        let parent = (a.parent as usize)
            .checked_sub(1)
            .and_then(|i| paths.get(i));
        format!("{}/{}", parent.map_or("", String::as_str), a.name)
    }

    fn host(&mut self, h: &Host, family: Option<Family>) -> AddrRec {
        let mut rec = AddrRec {
            neg: u8::from(h.neg),
            ..AddrRec::default()
        };
        match &h.addr {
            Addr::Any => rec.kind = IIPF_ADDR_ANY,
            Addr::Range(lo, hi) => {
                rec.kind = IIPF_ADDR_RANGE;
                rec.af = af(Some(Family::of(*lo)));
                rec.lo = octets(*lo);
                rec.hi = octets(*hi);
            }
            Addr::Table(name) => {
                rec.kind = IIPF_ADDR_TABLE;
                rec.index = self.table(name);
            }
            Addr::If(name, p) => {
                rec.kind = IIPF_ADDR_IF;
                rec.af = af(family);
                rec.part = part(*p);
                rec.index = self.iface(name);
            }
            Addr::Own => {
                rec.kind = IIPF_ADDR_SELF;
                rec.af = af(family);
            }
        }
        rec
    }

    fn matching(&mut self, m: &Match, pos: &Pos) -> MatchRec {
        let mut rec = MatchRec {
            dir: match m.dir {
                None => 0,
                Some(Dir::In) => 1,
                Some(Dir::Out) => 2,
            },
            af: af(m.af),
            probability: m.probability.unwrap_or(0),
            sport: ports(m.sport),
            dport: ports(m.dport),
            src: self.host(&m.src, m.af),
            dst: self.host(&m.dst, m.af),
            ..MatchRec::default()
        };
        if let Some(on) = &m.on {
            rec.iface = self.iface(&on.name);
            if on.neg {
                rec.flags |= IIPF_M_IF_NEG;
            }
        }
        if let Some(proto) = m.proto {
            rec.flags |= IIPF_M_PROTO;
            rec.proto = proto;
        }
        if let Some((set, of)) = m.flags {
            rec.tcp_flags = set;
            rec.tcp_mask = of;
        }
        if let Some((kind, code)) = m.icmp {
            rec.flags |= IIPF_M_ICMP_TYPE;
            rec.icmp_type = kind;
            if let Some(code) = code {
                rec.flags |= IIPF_M_ICMP_CODE;
                rec.icmp_code = code;
            }
        }
        if let Some(dscp) = m.dscp {
            rec.flags |= IIPF_M_DSCP;
            rec.dscp = dscp;
        }
        if m.fragment {
            rec.flags |= IIPF_M_FRAGMENT;
        }
        if let Some((neg, tag)) = &m.tagged {
            rec.flags |= IIPF_M_MARK;
            if *neg {
                rec.flags |= IIPF_M_MARK_NEG;
            }
            rec.mark = self.tag(tag, pos);
            rec.mark_mask = u32::MAX;
        }
        rec
    }

    fn state(&mut self, s: &State) -> StateRec {
        let mut flags = 0;
        for (bit, set) in [
            (IIPF_SF_IF_BOUND, s.if_bound),
            (IIPF_SF_SLOPPY, s.sloppy),
            (IIPF_SF_SRC_GLOBAL, s.src_global),
            (IIPF_SF_FLUSH, s.flush.is_some()),
            (IIPF_SF_FLUSH_GLOBAL, s.flush == Some(true)),
        ] {
            if set {
                flags |= bit;
            }
        }
        let all = &mut self.out.timeouts;
        let timeouts = if s.timeouts == TimeoutsRec::default() {
            0
        } else {
            *self.timeouts.entry(s.timeouts).or_insert_with(|| {
                all.push(s.timeouts);
                all.len() as u32
            })
        };
        StateRec {
            mode: if s.synproxy {
                IIPF_STATE_SYNPROXY
            } else {
                IIPF_STATE_KEEP
            },
            pad: [0; 3],
            flags,
            max_states: s.max,
            max_src_nodes: s.max_src_nodes,
            max_src_states: s.max_src_states,
            max_src_conn: s.max_src_conn,
            max_src_rate: s.max_src_rate.0,
            max_src_seconds: s.max_src_rate.1,
            overload: s.overload.as_deref().map_or(0, |t| self.table(t)),
            timeouts,
        }
    }

    fn nat(&mut self, n: &Nat, family: Option<Family>) -> NatRec {
        let first = self.out.pools.len() as u32 + 1;
        for t in &n.pool {
            let mut rec = PoolRec {
                af: af(family),
                ..PoolRec::default()
            };
            match t {
                Target::Prefix(addr, len) => {
                    rec.kind = IIPF_POOLADDR_PREFIX;
                    rec.prefixlen = *len;
                    rec.lo = octets(*addr);
                    rec.hi = octets(last_of(*addr, *len));
                }
                Target::Range(lo, hi) => {
                    rec.kind = IIPF_POOLADDR_RANGE;
                    rec.lo = octets(*lo);
                    rec.hi = octets(*hi);
                }
                Target::If(name, p) => {
                    rec.kind = IIPF_POOLADDR_IF;
                    rec.part = part(*p);
                    rec.index = self.iface(name);
                }
                Target::Table(name) => {
                    rec.kind = IIPF_POOLADDR_TABLE;
                    rec.index = self.table(name);
                }
            }
            self.out.pools.push(rec);
        }
        let mut rec = NatRec {
            pool: first,
            pool_count: n.pool.len() as u32,
            filtering: match n.filtering {
                Filtering::Endpoint => IIPF_FILTER_ENDPOINT,
                Filtering::Address => IIPF_FILTER_ADDRESS,
                Filtering::AddressPort => IIPF_FILTER_ADDRESS_PORT,
            },
            max_per_host: n.max_per_host,
            ..NatRec::default()
        };
        match n.choice {
            Choice::RoundRobin => rec.choice = IIPF_POOL_ROUND_ROBIN,
            Choice::Random => rec.choice = IIPF_POOL_RANDOM,
            Choice::Bitmask => rec.choice = IIPF_POOL_BITMASK,
            Choice::Hash(key) => {
                rec.choice = IIPF_POOL_HASH;
                rec.hash_key = key.unwrap_or_default();
            }
        }
        (rec.port_mode, rec.port_lo, rec.port_hi, rec.port_block) = match n.ports {
            NatPorts::Keep => (IIPF_NATPORT_KEEP, 0, 0, 0),
            NatPorts::Static => (IIPF_NATPORT_STATIC, 0, 0, 0),
            NatPorts::Range(lo, hi) => (IIPF_NATPORT_RANGE, lo, hi, 0),
            NatPorts::Block(lo, hi, size) => (IIPF_NATPORT_BLOCK, lo, hi, size),
            NatPorts::Shift(lo) => (IIPF_NATPORT_SHIFT, lo, 0, 0),
        };
        for (bit, set) in [
            (IIPF_NF_PAIRED, n.paired),
            (IIPF_NF_HAIRPIN, n.hairpin),
            (IIPF_NF_PASS, n.pass),
        ] {
            if set {
                rec.flags |= bit;
            }
        }
        rec
    }

    fn sets(&mut self, s: &Sets, pos: &Pos) -> SetRec {
        let mut rec = SetRec {
            alg: s.alg,
            max_mss: s.max_mss,
            min_ttl: s.min_ttl,
            ..SetRec::default()
        };
        if let Some(tag) = &s.tag {
            rec.flags |= IIPF_SET_MARK;
            rec.mark = self.tag(tag, pos);
            rec.mark_mask = u32::MAX;
        }
        if let Some(dscp) = s.dscp {
            rec.flags |= IIPF_SET_DSCP;
            rec.dscp = dscp;
        }
        if s.no_df {
            rec.flags |= IIPF_SET_NO_DF;
        }
        if s.random_id {
            rec.flags |= IIPF_SET_RANDOM_ID;
        }
        rec
    }

    fn rule(&mut self, f: &Flat, path: &str) {
        let r = &f.rule;
        let mut rec = RuleRec {
            id: self.id(path, &print::rule(r)),
            order: f.order,
            prio: f.prio,
            stop: f.stop,
            anchor: f.anchor,
            line: r.pos.line,
            m: self.matching(&r.m, &r.pos),
            set: self.sets(&r.sets, &r.pos),
            ..RuleRec::default()
        };
        if let Some(label) = &r.label {
            rec.label = self.name(IIPF_NAME_LABEL, label, 0);
        }
        if !r.pos.file.is_empty() {
            rec.file = self.name(IIPF_NAME_FILE, &r.pos.file, 0);
        }
        for (bit, set) in [
            (IIPF_R_QUICK, r.quick),
            (IIPF_R_LOG, r.log != Log::No),
            (IIPF_R_LOG_ALL, r.log == Log::All),
            (IIPF_R_ALLOW_OPTS, r.allow_opts),
        ] {
            if set {
                rec.flags |= bit;
            }
        }
        match &r.action {
            Action::Nat(_) | Action::Binat(_) | Action::Nptv6(_) => rec.m.dir = 2,
            Action::Rdr(_) => rec.m.dir = 1,
            _ => {}
        }
        let (action, nat) = match &r.action {
            Action::Pass(s) => {
                rec.state = s.as_ref().map_or_else(StateRec::default, |s| self.state(s));
                (IIPF_ACT_PASS, None)
            }
            Action::Block(how) => {
                (rec.block, rec.icmp_code, rec.icmp6_code) = match *how {
                    How::Drop => (IIPF_BLOCK_DROP, 0, 0),
                    How::Return(a, b) => (IIPF_BLOCK_RETURN, a, b),
                    How::Reset => (IIPF_BLOCK_RST, 0, 0),
                    How::Icmp(a, b) => (IIPF_BLOCK_ICMP, a, b),
                };
                (IIPF_ACT_BLOCK, None)
            }
            Action::Match => (IIPF_ACT_MATCH, None),
            Action::Nat(Some(n)) => (IIPF_ACT_NAT, Some(n)),
            Action::Nat(None) => (IIPF_ACT_NO_NAT, None),
            Action::Rdr(Some(n)) => (IIPF_ACT_RDR, Some(n)),
            Action::Rdr(None) => (IIPF_ACT_NO_RDR, None),
            Action::Binat(Some(n)) => (IIPF_ACT_BINAT, Some(n)),
            Action::Binat(None) => (IIPF_ACT_NO_BINAT, None),
            Action::Nptv6(n) => (IIPF_ACT_NPTV6, Some(n)),
        };
        rec.action = action;
        if let Some(n) = nat {
            rec.nat = self.nat(n, r.m.af);
            if rec.nat.port_mode == IIPF_NATPORT_SHIFT {
                let span = rec.m.dport.hi.saturating_sub(rec.m.dport.lo);
                rec.nat.port_hi = rec.nat.port_lo.saturating_add(span);
            }
        }
        self.out.rules.push(rec);
    }

    /// Equal rules are told apart by which of them they are.
    fn id(&mut self, path: &str, text: &str) -> u64 {
        let base = fnv(fnv(fnv(FNV, path.as_bytes()), b"\n"), text.as_bytes());
        let n = self.ids.entry(base).or_insert(0);
        let id = fnv(base, &n.to_le_bytes());
        *n += 1;
        id.max(1)
    }
}

fn ports(p: Ports) -> PortRec {
    let (op, lo, hi) = match p {
        Ports::Any => (IIPF_PORT_ANY, 0, 0),
        Ports::In(lo, hi) => (IIPF_PORT_IN, lo, hi),
        Ports::Out(lo, hi) => (IIPF_PORT_OUT, lo, hi),
    };
    PortRec { op, lo, hi, pad: 0 }
}
