// SPDX-License-Identifier: BSD-2-Clause
//! Rulesets as canonical text: what parses back to the same.

use crate::ast::{
    Action, Addr, Anchor, Choice, Config, Dir, Family, Filtering, Host, How, Item, Log, Match, Nat,
    NatPorts, Options, Part, Ports, Rule, Sets, State, Table, Target,
};
use crate::names::{
    ALGS, DSCPS, ICMP6, TCP_FLAGS, icmp_code_name, icmp_types, limit_name, name_of, protocol_name,
    timeout_name,
};
use iipf_abi::{
    IIPF_TABLE_CONST, IIPF_TABLE_COUNTERS, IIPF_TABLE_PERSIST, IIPF_TM_DEFAULT, TimeoutsRec,
};
use std::fmt::Write as _;
use std::net::IpAddr;

/// Adds words with a blank between them.
#[derive(Default)]
struct Line(String);

impl Line {
    fn add(&mut self, word: &str) -> &mut Line {
        if !self.0.is_empty() && !word.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(word);
        self
    }
}

/// The prefix that a range is, if it is one.
#[must_use]
pub fn prefix_of(lo: IpAddr, hi: IpAddr) -> Option<u8> {
    let (diff, low, bits) = match (lo, hi) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let (a, b) = (u128::from(u32::from(a)), u128::from(u32::from(b)));
            (a ^ b, a, 32)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b), u128::from(a), 128),
        _ => return None,
    };
    let host = diff.checked_add(1).map_or(128, |n| n.trailing_zeros());
    let whole = diff == u128::MAX || diff & (diff.wrapping_add(1)) == 0;
    (whole && low & diff == 0).then(|| (bits - host) as u8)
}

fn range(lo: IpAddr, hi: IpAddr) -> String {
    match prefix_of(lo, hi) {
        Some(len) => prefix(lo, len),
        None => format!("{lo} - {hi}"),
    }
}

/// A prefix, or an address if it is one.
#[must_use]
pub fn prefix(addr: IpAddr, len: u8) -> String {
    if len == Family::of(addr).bits() {
        addr.to_string()
    } else {
        format!("{addr}/{len}")
    }
}

/// An operand of from or to.
#[must_use]
pub fn host(h: &Host) -> String {
    let not = if h.neg { "! " } else { "" };
    let addr = match &h.addr {
        Addr::Any => "any".to_owned(),
        Addr::Range(lo, hi) => range(*lo, *hi),
        Addr::Table(name) => format!("<{name}>"),
        Addr::If(name, part) => interface(name, *part),
        Addr::Own => "self".to_owned(),
    };
    format!("{not}{addr}")
}

fn interface(name: &str, part: Part) -> String {
    format!("({name}{})", part.word())
}

/// Ports as an operand; "" for any.
#[must_use]
pub fn ports(p: Ports) -> String {
    match p {
        Ports::Any => String::new(),
        Ports::In(lo, hi) if lo == hi => format!("{lo}"),
        Ports::In(lo, hi) => format!("{lo}:{hi}"),
        Ports::Out(lo, hi) if lo == hi => format!("!= {lo}"),
        Ports::Out(lo, hi) => format!("{lo} <> {hi}"),
    }
}

fn side(line: &mut Line, word: &str, h: &Host, p: Ports) {
    line.add(word).add(&host(h));
    if p != Ports::Any {
        line.add("port").add(&ports(p));
    }
}

/// A text as it is quoted.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// Everything up to the hosts.
fn matching(line: &mut Line, m: &Match, log: Log, quick: bool) {
    match m.dir {
        Some(Dir::In) => _ = line.add("in"),
        Some(Dir::Out) => _ = line.add("out"),
        None => {}
    }
    match log {
        Log::No => {}
        Log::First => _ = line.add("log"),
        Log::All => _ = line.add("log (all)"),
    }
    if quick {
        line.add("quick");
    }
    if let Some(on) = &m.on {
        line.add(if on.neg { "on !" } else { "on" }).add(&on.name);
    }
    if let Some(af) = m.af {
        line.add(af.word());
    }
    if let Some(proto) = m.proto {
        line.add("proto").add(&protocol_name(proto));
    }
    let any = m.src == Host::ANY && m.dst == Host::ANY;
    if any && m.sport == Ports::Any && m.dport == Ports::Any {
        line.add("all");
    } else {
        side(line, "from", &m.src, m.sport);
        side(line, "to", &m.dst, m.dport);
    }
    if let Some((kind, code)) = m.icmp {
        icmp(line, m, kind, code);
    }
    if let Some(dscp) = m.dscp {
        line.add("dscp").add(&dscp_word(dscp));
    }
    if m.fragment {
        line.add("fragment");
    }
    if let Some((neg, tag)) = &m.tagged {
        line.add(if *neg { "! tagged" } else { "tagged" })
            .add(&quoted(tag));
    }
    if let Some(p) = m.probability {
        line.add("probability")
            .add(&(f64::from(p) / 4_294_967_296.0).to_string());
    }
}

fn icmp(line: &mut Line, m: &Match, kind: u8, code: Option<u8>) {
    let af = if m.proto == Some(ICMP6) {
        Family::V6
    } else {
        Family::V4
    };
    line.add(if af == Family::V4 {
        "icmp-type"
    } else {
        "icmp6-type"
    });
    let name = name_of(icmp_types(af), kind).map_or_else(|| kind.to_string(), str::to_owned);
    line.add(&name);
    if let Some(code) = code {
        let name = icmp_code_name(af, kind, code);
        line.add("code")
            .add(&name.map_or_else(|| code.to_string(), str::to_owned));
    }
}

fn dscp_word(dscp: u8) -> String {
    name_of(DSCPS, dscp).map_or_else(|| dscp.to_string(), str::to_owned)
}

fn flags((set, of): (u8, u8)) -> String {
    let letters = |bits: u8| -> String {
        let all = TCP_FLAGS.chars().enumerate();
        all.filter(|(i, _)| bits & (1 << i) != 0)
            .map(|(_, c)| c)
            .collect()
    };
    format!("flags {}/{}", letters(set), letters(of))
}

fn how(how: How) -> String {
    let code = |af, kind, code| {
        icmp_code_name(af, kind, code).map_or_else(|| u8::to_string(&code), str::to_owned)
    };
    let codes = |a, b| format!("({}, {})", code(Family::V4, 3, a), code(Family::V6, 1, b));
    match how {
        How::Drop => "drop".into(),
        How::Return(..) => "return".into(),
        How::Reset => "return-rst".into(),
        How::Icmp(a, b) => format!("return-icmp {}", codes(a, b)),
    }
}

fn timeouts(t: &TimeoutsRec) -> Vec<String> {
    let said = t
        .values
        .iter()
        .enumerate()
        .filter(|(_, v)| **v != IIPF_TM_DEFAULT);
    said.filter_map(|(i, v)| Some(format!("{} {v}", timeout_name(i)?)))
        .collect()
}

fn state(s: &State) -> String {
    let mut o = Vec::new();
    let mut number = |word: &str, n: u32| {
        if n != 0 {
            o.push(format!("{word} {n}"));
        }
    };
    number("max", s.max);
    number("max-src-nodes", s.max_src_nodes);
    number("max-src-states", s.max_src_states);
    number("max-src-conn", s.max_src_conn);
    if s.max_src_rate.0 != 0 {
        o.push(format!(
            "max-src-conn-rate {}/{}",
            s.max_src_rate.0, s.max_src_rate.1
        ));
    }
    if s.src_global {
        o.push("source-track global".into());
    }
    if let Some(table) = &s.overload {
        let flush = match s.flush {
            None => "",
            Some(false) => " flush",
            Some(true) => " flush global",
        };
        o.push(format!("overload <{table}>{flush}"));
    }
    if s.if_bound {
        o.push("if-bound".into());
    }
    if s.sloppy {
        o.push("sloppy".into());
    }
    o.extend(timeouts(&s.timeouts));
    let word = if s.synproxy {
        "synproxy state"
    } else {
        "keep state"
    };
    if o.is_empty() {
        word.into()
    } else {
        format!("{word} ({})", o.join(", "))
    }
}

fn target(t: &Target) -> String {
    match t {
        Target::Prefix(addr, len) => prefix(*addr, *len),
        Target::Range(lo, hi) => format!("{lo} - {hi}"),
        Target::If(name, part) => interface(name, *part),
        Target::Table(name) => format!("<{name}>"),
    }
}

fn nat(line: &mut Line, n: &Nat, rdr: bool) {
    line.add("->");
    let pool: Vec<String> = n.pool.iter().map(target).collect();
    match pool.as_slice() {
        [one] => _ = line.add(one),
        all => _ = line.add(&format!("{{ {} }}", all.join(", "))),
    }
    match n.ports {
        NatPorts::Keep => {}
        NatPorts::Static => _ = line.add("static-port"),
        NatPorts::Range(lo, hi) if rdr && lo == hi => _ = line.add(&format!("port {lo}")),
        NatPorts::Range(lo, hi) => _ = line.add(&format!("port {lo}:{hi}")),
        NatPorts::Block(lo, hi, size) => {
            line.add(&format!("port {lo}:{hi} port-block {size}"));
        }
        NatPorts::Shift(port) => _ = line.add(&format!("port {port}:*")),
    }
    match n.choice {
        Choice::RoundRobin => {}
        Choice::Random => _ = line.add("random"),
        Choice::Bitmask => _ = line.add("bitmask"),
        Choice::Hash(None) => _ = line.add("source-hash"),
        Choice::Hash(Some([a, b])) => _ = line.add(&format!("source-hash 0x{a:016x}{b:016x}")),
    }
    match n.filtering {
        Filtering::Endpoint => _ = line.add("endpoint-independent"),
        Filtering::Address => _ = line.add("address-dependent"),
        Filtering::AddressPort => {}
    }
    if n.paired {
        line.add("paired");
    }
    if n.max_per_host != 0 {
        line.add(&format!("max-per-host {}", n.max_per_host));
    }
    if n.hairpin {
        line.add("hairpin");
    }
}

fn sets(line: &mut Line, s: &Sets) {
    if let Some(tag) = &s.tag {
        line.add("tag").add(&quoted(tag));
    }
    if let Some(dscp) = s.dscp {
        line.add("set dscp").add(&dscp_word(dscp));
    }
    let mut o = Vec::new();
    if s.max_mss != 0 {
        o.push(format!("max-mss {}", s.max_mss));
    }
    if s.min_ttl != 0 {
        o.push(format!("min-ttl {}", s.min_ttl));
    }
    if s.no_df {
        o.push("no-df".into());
    }
    if s.random_id {
        o.push("random-id".into());
    }
    if !o.is_empty() {
        line.add(&format!("scrub ({})", o.join(", ")));
    }
    let algs: Vec<&str> = ALGS
        .iter()
        .filter(|(_, bit)| s.alg & bit != 0)
        .map(|(n, _)| *n)
        .collect();
    if !algs.is_empty() {
        line.add(&format!("alg {{ {} }}", algs.join(", ")));
    }
}

/// One rule.
#[must_use]
pub fn rule(r: &Rule) -> String {
    let mut line = Line::default();
    let translation = match &r.action {
        Action::Pass(_) => {
            line.add("pass");
            None
        }
        Action::Block(h) => {
            line.add("block").add(&how(*h));
            None
        }
        Action::Match => {
            line.add("match");
            None
        }
        Action::Nat(n) => translation(&mut line, "nat", n.as_ref()),
        Action::Rdr(n) => translation(&mut line, "rdr", n.as_ref()),
        Action::Binat(n) => translation(&mut line, "binat", n.as_ref()),
        Action::Nptv6(n) => translation(&mut line, "nptv6", Some(n)),
    };
    matching(&mut line, &r.m, r.log, r.quick);
    match (&r.action, r.m.flags) {
        (_, Some(f)) => _ = line.add(&flags(f)),
        // Said, since the default is another.
        (Action::Pass(Some(_)), None) if r.m.proto.is_none_or(|p| p == crate::names::TCP) => {
            line.add("flags any");
        }
        _ => {}
    }
    if r.allow_opts {
        line.add("allow-opts");
    }
    match &r.action {
        Action::Pass(Some(s)) => _ = line.add(&state(s)),
        Action::Pass(None) => _ = line.add("no state"),
        _ => {}
    }
    if let Some(n) = translation {
        nat(&mut line, n, matches!(r.action, Action::Rdr(_)));
    }
    sets(&mut line, &r.sets);
    if let Some(label) = &r.label {
        line.add("label").add(&quoted(label));
    }
    line.0
}

fn translation<'a>(line: &mut Line, word: &str, n: Option<&'a Nat>) -> Option<&'a Nat> {
    match n {
        None => _ = line.add("no").add(word),
        Some(n) if n.pass => _ = line.add(word).add("pass"),
        Some(_) => _ = line.add(word),
    }
    n
}

/// The line that an anchor begins with, without its brace.
#[must_use]
pub fn anchor(a: &Anchor) -> String {
    let mut line = Line::default();
    line.add("anchor");
    if !a.name.is_empty() {
        line.add(&quoted(&a.name));
    }
    if a.m == Match::ANY {
        line.add(if a.quick { "quick" } else { "" });
    } else {
        matching(&mut line, &a.m, Log::No, a.quick);
    }
    line.0
}

fn items(out: &mut String, all: &[Item], depth: usize) {
    let indent = "\t".repeat(depth);
    for item in all {
        match item {
            Item::Rule(r) => _ = writeln!(out, "{indent}{}", rule(r)),
            Item::Anchor(a) => {
                _ = writeln!(out, "{indent}{} {{", anchor(a));
                items(out, &a.items, depth + 1);
                _ = writeln!(out, "{indent}}}");
            }
        }
    }
}

/// An entry of a table.
#[must_use]
pub fn entry(e: &crate::ast::Entry) -> String {
    format!("{}{}", if e.neg { "! " } else { "" }, prefix(e.addr, e.len))
}

/// One table.
#[must_use]
pub fn table(t: &Table) -> String {
    let mut line = Line::default();
    line.add("table").add(&format!("<{}>", t.name));
    let words = [
        (IIPF_TABLE_PERSIST, "persist"),
        (IIPF_TABLE_CONST, "const"),
        (IIPF_TABLE_COUNTERS, "counters"),
    ];
    for (bit, word) in words {
        if t.flags & bit != 0 {
            line.add(word);
        }
    }
    if let Some(all) = &t.entries {
        let all: Vec<String> = all.iter().map(entry).collect();
        line.add(&if all.is_empty() {
            "{ }".into()
        } else {
            format!("{{ {} }}", all.join(", "))
        });
    }
    line.0
}

fn options(out: &mut String, o: &Options) {
    let mut set = |text: String| _ = writeln!(out, "set {text}");
    if o.no_reassemble {
        set("reassemble no".into());
    } else if o.reassemble_no_df {
        set("reassemble yes no-df".into());
    }
    if o.default_block {
        set("default block".into());
    }
    if o.evict {
        set("state-full evict".into());
    }
    if let Some(debug) = o.debug {
        let word = ["none", "urgent", "misc", "loud"][debug.min(3) as usize];
        set(format!("debug {word}"));
    }
    let limits: Vec<String> = o
        .limits
        .iter()
        .enumerate()
        .filter(|(_, n)| **n != 0)
        .filter_map(|(i, n)| Some(format!("{} {n}", limit_name(i)?)))
        .collect();
    if !limits.is_empty() {
        set(format!("limit {{ {} }}", limits.join(", ")));
    }
    let times = timeouts(&o.timeouts);
    if !times.is_empty() {
        set(format!("timeout {{ {} }}", times.join(", ")));
    }
    if !o.skip.is_empty() {
        set(format!("skip on {{ {} }}", o.skip.join(", ")));
    }
}

/// A whole ruleset.
#[must_use]
pub fn config(c: &Config) -> String {
    let mut out = String::new();
    options(&mut out, &c.options);
    for t in &c.tables {
        _ = writeln!(out, "{}", table(t));
    }
    items(&mut out, &c.items, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_are_prefixes_are_shown_as_such() {
        let show = |a: &str, b: &str| range(a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(show("10.0.0.0", "10.255.255.255"), "10.0.0.0/8");
        assert_eq!(show("0.0.0.0", "255.255.255.255"), "0.0.0.0/0");
        assert_eq!(show("10.0.0.1", "10.0.0.1"), "10.0.0.1");
        assert_eq!(show("10.0.0.1", "10.0.0.2"), "10.0.0.1 - 10.0.0.2");
        assert_eq!(
            show("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "::/0"
        );
        assert_eq!(
            show("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            "2001:db8::/32"
        );
    }
}
