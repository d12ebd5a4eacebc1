// SPDX-License-Identifier: BSD-2-Clause
//! A rule with lists to rules without; what contradicts itself is refused here.

use crate::ast::{
    Action, Addr, Choice, Dir, Family, Host, Log, Match, Nat, NatPorts, Part, Ports, Rule, State,
    Target,
};
use crate::names::{ICMP, ICMP6, TCP, UDP};
use crate::pos::{Fault, Pos, Result};
use crate::print;
use crate::spec::{Act, At, Keep, NatSpec, Policy, Spec};

/// Rules that one line may become.
const RULES: usize = 100_000;

/// One of each list.
struct Pick {
    m: Match,
    src: Pos,
    dst: Pos,
}

/// The rules that `spec` stands for.
pub(crate) fn rules(spec: &Spec, policy: &Policy) -> Result<Vec<Rule>> {
    check(spec)?;
    let picks = matches(spec)?;
    let mut rules = Vec::with_capacity(picks.len());
    for pick in picks {
        if let Some(rule) = rule(spec, pick, policy)? {
            rules.push(rule);
        }
    }
    if rules.is_empty() {
        return Err(no_family(spec));
    }
    Ok(rules)
}

/// The conditions that an anchor stands for.
pub(crate) fn conditions(spec: &Spec) -> Result<Vec<Match>> {
    let said = spec.flags.is_some()
        || !spec.icmp.is_empty()
        || spec.fragment
        || spec.allow_opts
        || spec.keep_pos.is_some()
        || spec.probability.is_some()
        || spec.label.is_some()
        || spec.log != Log::No
        || spec.sets != crate::ast::Sets::default();
    if said {
        return Err(
            Fault::new(&spec.pos, "an anchor with more than what packets it is for")
                .hint("in, out, on, inet, proto, from, to, tagged and quick are possible"),
        );
    }
    ports_need_protocol(spec)?;
    Ok(matches(spec)?.into_iter().map(|p| p.m).collect())
}

fn no_family(spec: &Spec) -> Fault {
    Fault::new(
        &spec.pos,
        "the addresses are of two families, so nothing can match",
    )
    .hint("write one rule for inet and one for inet6")
}

/// What the words say together, whatever is picked.
fn check(spec: &Spec) -> Result {
    let word = spec.act.word();
    let refuse = |pos: &Pos, what: &str, hint: &str| Err(Fault::new(pos, what).hint(hint));
    if !spec.act.is_filter() {
        let wrong = if spec.dir.is_some() {
            "in or out"
        } else if spec.flags.is_some() {
            "flags"
        } else if !spec.icmp.is_empty() {
            "icmp-type"
        } else if spec.keep_pos.is_some() {
            "state"
        } else if spec.allow_opts {
            "allow-opts"
        } else if spec.fragment {
            "fragment"
        } else if spec.quick {
            "quick"
        } else {
            ""
        };
        if !wrong.is_empty() {
            let hint = match wrong {
                "quick" => "the first translation rule that matches always decides",
                "in or out" => "nat is for what goes out, rdr for what comes in",
                _ => "put it into a filter rule",
            };
            return refuse(&spec.pos, &format!("'{wrong}' in a {word} rule"), hint);
        }
    }
    if spec.act == Act::Match && spec.quick {
        return refuse(
            &spec.pos,
            "match with quick",
            "a match rule decides nothing; use pass quick",
        );
    }
    if let Some(pos) = &spec.keep_pos {
        if spec.act != Act::Pass {
            return refuse(
                pos,
                &format!("state in a {word} rule"),
                "only pass rules keep state",
            );
        }
        if spec.fragment && matches!(spec.keep, Keep::Yes(_)) {
            return refuse(
                pos,
                "state of fragments",
                "single fragments have no ports; no state",
            );
        }
    }
    if let Keep::Yes(s) = &spec.keep
        && s.synproxy
        && !spec.proto.iter().all(|(p, _)| *p == TCP) | spec.proto.is_empty()
    {
        return refuse(
            &spec.pos,
            "synproxy state without proto tcp",
            "add proto tcp",
        );
    }
    if let Some((Some(_), pos)) = &spec.flags
        && spec.proto.iter().any(|(p, _)| *p != TCP)
    {
        return refuse(
            pos,
            "flags of a protocol that is not TCP",
            "write proto tcp, or no flags",
        );
    }
    if let Some((_, pos)) = spec.icmp.first() {
        let wanted = |af| if af == Family::V4 { ICMP } else { ICMP6 };
        for ((af, _, _), pos) in &spec.icmp {
            if spec.proto.iter().any(|(p, _)| *p != wanted(*af)) {
                let hint = if *af == Family::V4 {
                    "write proto icmp"
                } else {
                    "write proto icmp6"
                };
                return refuse(pos, "a type of ICMP with another protocol", hint);
            }
        }
        if spec.proto.is_empty() {
            return refuse(
                pos,
                "icmp-type without a protocol",
                "add proto icmp or proto icmp6",
            );
        }
    }
    if spec.fragment && (!spec.sport.is_empty() || !spec.dport.is_empty()) {
        return refuse(
            &spec.pos,
            "fragment with ports",
            "only first fragments have ports",
        );
    }
    ports_need_protocol(spec)
}

fn ports_need_protocol(spec: &Spec) -> Result {
    let Some((_, pos)) = spec.sport.first().or(spec.dport.first()) else {
        return Ok(());
    };
    if spec.proto.is_empty() {
        return Err(Fault::new(pos, "port without a protocol")
            .hint("add proto tcp, proto udp or proto { tcp, udp }"));
    }
    match spec.proto.iter().find(|(p, _)| *p != TCP && *p != UDP) {
        None => Ok(()),
        Some((p, pos)) => Err(Fault::new(
            pos,
            format!("port with proto {}, which has none", print_proto(*p)),
        )
        .hint("ports are of tcp and udp")),
    }
}

fn print_proto(p: u8) -> String {
    crate::names::protocol_name(p)
}

fn or_default<T: Clone>(all: &[At<T>], default: T, pos: &Pos) -> Vec<At<T>> {
    if all.is_empty() {
        vec![(default, pos.clone())]
    } else {
        all.to_vec()
    }
}

/// Every combination, families that do not go together left out.
fn matches(spec: &Spec) -> Result<Vec<Pick>> {
    let some = |v: &[At<_>]| {
        v.iter()
            .map(|(x, p)| (Some(Clone::clone(x)), p.clone()))
            .collect()
    };
    let ons: Vec<At<Option<_>>> = some(&spec.on);
    let ons = or_default(&ons, None, &spec.pos);
    let protos: Vec<At<Option<u8>>> = spec
        .proto
        .iter()
        .map(|(x, p)| (Some(*x), p.clone()))
        .collect();
    let protos = or_default(&protos, None, &spec.pos);
    let icmps: Vec<At<Option<_>>> = spec
        .icmp
        .iter()
        .map(|(x, p)| (Some(*x), p.clone()))
        .collect();
    let icmps = or_default(&icmps, None, &spec.pos);
    let mut dscps: Vec<Option<u8>> = spec.dscp.iter().map(|d| Some(*d)).collect();
    if dscps.is_empty() {
        dscps.push(None);
    }
    let srcs = or_default(&spec.src, Host::ANY, &spec.pos);
    let sports = or_default(&spec.sport, Ports::Any, &spec.pos);
    let dsts = or_default(&spec.dst, Host::ANY, &spec.pos);
    let dports = or_default(&spec.dport, Ports::Any, &spec.pos);
    let lists = [
        ons.len(),
        protos.len(),
        icmps.len(),
        dscps.len(),
        srcs.len(),
        sports.len(),
    ];
    let product = lists
        .iter()
        .chain(&[dsts.len(), dports.len()])
        .try_fold(1usize, |a, b| a.checked_mul(*b).filter(|n| *n <= RULES));
    if product.is_none() {
        return Err(
            Fault::new(&spec.pos, format!("the lists make more than {RULES} rules"))
                .hint("put the addresses into a <table>"),
        );
    }
    let mut found = Vec::new();
    for (on, _) in &ons {
        for (proto, _) in &protos {
            for (icmp, _) in &icmps {
                for dscp in &dscps {
                    for (src, src_pos) in &srcs {
                        for (sport, _) in &sports {
                            for (dst, dst_pos) in &dsts {
                                for (dport, _) in &dports {
                                    let mut m = Match {
                                        dir: spec.dir,
                                        on: on.clone(),
                                        proto: *proto,
                                        icmp: icmp.map(|(_, t, c)| (t, c)),
                                        dscp: *dscp,
                                        src: src.clone(),
                                        sport: *sport,
                                        dst: dst.clone(),
                                        dport: *dport,
                                        fragment: spec.fragment,
                                        tagged: spec.tagged.clone(),
                                        probability: spec.probability,
                                        ..Match::ANY
                                    };
                                    let icmp_af = icmp.map(|(af, _, _)| af);
                                    if family(spec, &mut m, icmp_af) {
                                        let src = src_pos.clone();
                                        let dst = dst_pos.clone();
                                        found.push(Pick { m, src, dst });
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    if found.is_empty() {
        return Err(no_family(spec));
    }
    Ok(found)
}

/// The family of an operand, if it has one.
pub(crate) fn family_of(host: &Host) -> Option<Family> {
    match &host.addr {
        Addr::Range(lo, _) => Some(Family::of(*lo)),
        Addr::If(_, Part::Broadcast) => Some(Family::V4),
        _ => None,
    }
}

/// Sets the family that everything agrees on; false: it does not.
fn family(spec: &Spec, m: &mut Match, icmp: Option<Family>) -> bool {
    let proto = match m.proto {
        Some(ICMP) => Some(Family::V4),
        Some(ICMP6) => Some(Family::V6),
        _ => None,
    };
    let said = spec.af.as_ref().map(|(af, _)| *af);
    let all = [said, family_of(&m.src), family_of(&m.dst), icmp, proto];
    for af in all.into_iter().flatten() {
        match m.af {
            None => m.af = Some(af),
            Some(other) if other != af => return false,
            Some(_) => {}
        }
    }
    true
}

/// `None`: the pool is of the other family and more is to come.
fn rule(spec: &Spec, pick: Pick, policy: &Policy) -> Result<Option<Rule>> {
    let mut m = pick.m;
    let action = match &spec.act {
        Act::Pass => {
            let keep = match &spec.keep {
                Keep::No => None,
                Keep::Default if spec.fragment => None,
                Keep::Default => Some(State {
                    if_bound: policy.if_bound,
                    ..State::default()
                }),
                Keep::Yes(s) => Some(s.clone()),
            };
            let tcp = m.proto.is_none_or(|p| p == TCP);
            m.flags = match &spec.flags {
                Some((flags, _)) => *flags,
                // A state begins with a SYN: what pf does since flags S/SA is its default.
                None => (keep.is_some() && tcp).then_some((0x02, 0x12)),
            };
            Action::Pass(keep)
        }
        Act::Block(how) => {
            m.flags = spec.flags.as_ref().and_then(|(f, _)| *f);
            Action::Block(how.unwrap_or(policy.block))
        }
        Act::Match => {
            m.flags = spec.flags.as_ref().and_then(|(f, _)| *f);
            Action::Match
        }
        Act::Anchor => return Ok(None),
        Act::NoNat => Action::Nat(None),
        Act::NoRdr => Action::Rdr(None),
        Act::NoBinat => Action::Binat(None),
        Act::Nat | Act::Rdr | Act::Binat | Act::Nptv6 => {
            let Some(nat) = &spec.nat else {
                return Err(Fault::new(&spec.pos, "a translation to nowhere"));
            };
            let nat = translation(spec, nat, &mut m, policy, &pick.src)?;
            match spec.act {
                Act::Nat => Action::Nat(Some(nat)),
                Act::Rdr => Action::Rdr(Some(nat)),
                Act::Binat => Action::Binat(Some(nat)),
                _ => Action::Nptv6(nat),
            }
        }
    };
    let mut rule = Rule {
        pos: spec.pos.clone(),
        action,
        m,
        quick: spec.quick,
        log: spec.log,
        allow_opts: spec.allow_opts,
        sets: spec.sets.clone(),
        label: None,
    };
    if rule.m.dir == Some(Dir::Out) && matches!(&rule.action, Action::Pass(Some(s)) if s.synproxy) {
        return Err(Fault::new(&spec.pos, "synproxy state for what goes out")
            .hint("it protects servers behind this system: pass in"));
    }
    if let Some(label) = &spec.label {
        let label = filled(label, &rule.m);
        if label.len() > 55 {
            return Err(Fault::new(
                &pick.dst,
                format!("label \"{label}\": longer than 55 letters"),
            ));
        }
        rule.label = Some(label);
    }
    Ok(Some(rule))
}

/// A label with what the rule says in place of $if and the others.
fn filled(label: &str, m: &Match) -> String {
    let or_any = |s: String| if s.is_empty() { "any".to_owned() } else { s };
    label
        .replace("$if", m.on.as_ref().map_or("any", |on| &on.name))
        .replace("$srcaddr", &print::host(&m.src))
        .replace("$dstaddr", &print::host(&m.dst))
        .replace("$srcport", &or_any(print::ports(m.sport)))
        .replace("$dstport", &or_any(print::ports(m.dport)))
        .replace("$proto", &m.proto.map_or_else(|| "any".into(), print_proto))
}

fn target_family(t: &Target) -> Option<Family> {
    match t {
        Target::Prefix(a, _) | Target::Range(a, _) => Some(Family::of(*a)),
        Target::If(..) | Target::Table(_) => None,
    }
}

fn translation(spec: &Spec, n: &NatSpec, m: &mut Match, policy: &Policy, src: &Pos) -> Result<Nat> {
    let families: Vec<Family> = n
        .pool
        .iter()
        .filter_map(|(t, _)| target_family(t))
        .collect();
    let af = match (m.af, families.first()) {
        (Some(af), _) => af,
        (None, Some(first)) if families.iter().all(|af| af == first) => *first,
        (None, Some(_)) => {
            return Err(
                Fault::new(&n.pos, "addresses of both families to translate to")
                    .hint("write one rule with inet and one with inet6"),
            );
        }
        (None, None) if spec.act == Act::Nptv6 => Family::V6,
        (None, None) => Family::V4,
    };
    for (t, pos) in &n.pool {
        if target_family(t).is_some_and(|f| f != af) {
            let what = format!(
                "an address of the other family than the rule's, {},",
                af.word()
            );
            return Err(Fault::new(pos, format!("{what} to translate to"))
                .hint("a translation stays in its family"));
        }
    }
    m.af = Some(af);
    let mut nat = Nat {
        pool: n.pool.iter().map(|(t, _)| t.clone()).collect(),
        choice: n.choice.unwrap_or(Choice::RoundRobin),
        ports: n.ports,
        filtering: n.filtering.unwrap_or(policy.filtering),
        paired: n.paired,
        hairpin: n.hairpin,
        pass: n.pass,
        max_per_host: n.max_per_host,
    };
    match spec.act {
        Act::Rdr => rdr_ports(spec, n, m, &mut nat)?,
        Act::Binat | Act::Nptv6 => one_to_one(spec, n, m, src)?,
        _ => {}
    }
    if nat.choice == Choice::Bitmask && nat.pool.len() != 1 {
        return Err(
            Fault::new(&n.pos, "bitmask with several addresses").hint("it takes one network")
        );
    }
    if spec.act != Act::Nat {
        // Who may send back is a matter of source translation.
        nat.filtering = crate::ast::Filtering::AddressPort;
    }
    Ok(nat)
}

fn rdr_ports(spec: &Spec, n: &NatSpec, m: &Match, nat: &mut Nat) -> Result {
    let said = !matches!(n.ports, NatPorts::Keep);
    let tcp_udp = m.proto.is_some_and(|p| p == TCP || p == UDP);
    if said && !tcp_udp {
        return Err(Fault::new(&n.pos, "a new port without proto tcp or udp")
            .hint("add proto tcp, proto udp or proto { tcp, udp }"));
    }
    let pos = spec.dport.first().map_or(&n.pos, |(_, p)| p);
    match (nat.ports, m.dport) {
        (NatPorts::Shift(_), Ports::Any | Ports::Out(..)) => Err(Fault::new(
            &n.pos,
            "'port P:*' without a range of ports to begin with",
        )
        .hint("write to ADDRESS port LOW:HIGH -> ADDRESS port P:*")),
        (NatPorts::Shift(first), Ports::In(lo, hi)) => {
            if u32::from(first) + u32::from(hi - lo) > 65_535 || first == 0 {
                let what = format!("ports {lo}:{hi} shifted to {first} end above 65535");
                return Err(Fault::new(pos, what));
            }
            Ok(())
        }
        (NatPorts::Range(a, b), Ports::In(lo, hi)) if a < b && lo < hi => {
            if b - a != hi - lo {
                let what = format!(
                    "{} ports ({lo}:{hi}) to {} ports ({a}:{b})",
                    u32::from(hi - lo) + 1,
                    u32::from(b - a) + 1
                );
                return Err(Fault::new(&n.pos, what)
                    .hint(format!("both must be as many: write port {a}:*")));
            }
            nat.ports = NatPorts::Shift(a);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn one_to_one(spec: &Spec, n: &NatSpec, m: &Match, src: &Pos) -> Result {
    let word = spec.act.word();
    let inside = match &m.src {
        Host {
            neg: false,
            addr: Addr::Range(lo, hi),
        } => print::prefix_of(*lo, *hi),
        _ => None,
    };
    let Some(inside) = inside else {
        return Err(Fault::new(
            src,
            format!("{word} without an address or network to be from"),
        )
        .hint(format!("write {word} on IF from INSIDE to any -> OUTSIDE")));
    };
    let [(outside, pos)] = n.pool.as_slice() else {
        return Err(Fault::new(&n.pos, format!("{word} to several addresses"))
            .hint("one network stands for one network"));
    };
    let bits = Family::V4.bits();
    match outside {
        Target::Prefix(_, len) if *len != inside => {
            let what = format!("a /{inside} and a /{len} do not stand for each other");
            Err(Fault::new(pos, what).hint("both must be of one length"))
        }
        Target::Prefix(addr, _) if spec.act == Act::Nptv6 => {
            if addr.is_ipv4() {
                return Err(Fault::new(pos, "nptv6 of IPv4").hint("use binat"));
            }
            if inside > 64 {
                return Err(Fault::new(pos, format!("nptv6 of a /{inside}"))
                    .hint("RFC 6296 needs /64 or shorter"));
            }
            Ok(())
        }
        Target::Prefix(..) => Ok(()),
        Target::If(..) if spec.act == Act::Binat && m.af == Some(Family::V4) && inside == bits => {
            Ok(())
        }
        _ => Err(Fault::new(
            pos,
            format!("{word} needs a network to translate to"),
        )),
    }
}
