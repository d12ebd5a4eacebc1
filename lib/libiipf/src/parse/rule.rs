// SPDX-License-Identifier: BSD-2-Clause
//! The words of a rule, in any order that makes sense.

use super::host::{host, interface_name, port};
use super::nat;
use super::state::state;
use crate::ast::{Dir, Family, Log, On, Ports, State};
use crate::cursor::Cursor;
use crate::lex::Kind;
use crate::names::{DSCPS, TCP_FLAGS, all, icmp_code, icmp_types, number, protocol};
use crate::pos::{Fault, Result, nearest};
use crate::spec::{Act, At, Keep, Policy, Spec};

const WORDS: [&str; 38] = [
    "in",
    "out",
    "log",
    "quick",
    "on",
    "inet",
    "inet6",
    "proto",
    "from",
    "to",
    "all",
    "flags",
    "icmp-type",
    "icmp6-type",
    "tos",
    "dscp",
    "fragment",
    "allow-opts",
    "keep",
    "modulate",
    "synproxy",
    "no",
    "label",
    "tag",
    "tagged",
    "probability",
    "set",
    "scrub",
    "alg",
    "max-mss",
    "drop",
    "return",
    "return-rst",
    "return-icmp",
    "port",
    "any",
    "state",
    "quick",
];

/// What stands before the operands was read; the rest up to the end of the line or a brace.
pub(crate) fn words(c: &mut Cursor, spec: &mut Spec, pass: bool, policy: &Policy) -> Result {
    loop {
        let pos = c.pos();
        match c.kind() {
            Kind::Newline | Kind::End | Kind::Open | Kind::Close => break,
            Kind::Arrow => {
                c.next();
                if !spec.act.translates() {
                    let what = format!("'->' in a {} rule", spec.act.word());
                    return Err(Fault::new(&pos, what)
                        .hint("write nat, rdr or binat rules beside the filter rules"));
                }
                if spec.nat.is_some() {
                    return Err(Fault::new(&pos, "'->' twice"));
                }
                spec.nat = Some(nat::pool(c, pass)?);
            }
            Kind::Not => {
                c.next();
                c.expect_word("tagged")?;
                tagged(c, spec, true)?;
            }
            Kind::Word => word(c, spec, policy)?,
            _ => return Err(unknown(c, spec)),
        }
    }
    if spec.nat.is_none() && spec.act.translates() {
        return Err(c.wrong("'-> ADDRESS'"));
    }
    Ok(())
}

/// The words of a scrub rule before its options: direction, interface and hosts.
pub(crate) fn scrub_words(c: &mut Cursor, spec: &mut Spec, policy: &Policy) -> Result {
    match c.word() {
        "in" | "out" | "on" | "log" | "inet" | "inet6" | "proto" | "from" | "to" | "all" => {
            word(c, spec, policy)
        }
        _ => Ok(()),
    }
}

fn unknown(c: &Cursor, spec: &Spec) -> Fault {
    let word = c.word();
    let what = c.wrong(&format!("a word of a {} rule", spec.act.word()));
    let near = nearest(word, WORDS);
    if !near.is_empty() {
        return what.hint(near);
    }
    if spec.nat.is_some() {
        return what.hint(nat::hint(word));
    }
    match word {
        "route-to" | "reply-to" | "dup-to" | "rtable" => {
            what.hint("routing is the system's; use its policy routing")
        }
        "divert-to" | "divert-reply" => what.hint("use rdr ... -> 127.0.0.1 port N"),
        "port" => what.hint("write 'from port' or 'to port'"),
        "user" | "group" => what.hint("sockets' owners are not known here"),
        "os" => what.hint("systems are not told by their packets"),
        "queue" | "dnqueue" | "dnpipe" => what.hint("tag packets: queueing goes by the mark"),
        "ridentifier" => what.hint("rules are known by their label"),
        "nat-to" | "rdr-to" | "binat-to" | "af-to" => {
            what.hint("write nat, rdr or binat rules, as FreeBSD's pf has them")
        }
        _ => what,
    }
}

fn once(empty: bool, c: &Cursor) -> Result {
    if empty {
        return Ok(());
    }
    Err(Fault::new(&c.pos(), format!("'{}' twice", c.word())))
}

fn word(c: &mut Cursor, spec: &mut Spec, policy: &Policy) -> Result {
    let pos = c.pos();
    let text = c.word().to_owned();
    match text.as_str() {
        "in" | "out" => {
            once(spec.dir.is_none(), c)?;
            c.next();
            spec.dir = Some(if text == "in" { Dir::In } else { Dir::Out });
        }
        "log" => {
            c.next();
            spec.log = log(c)?;
        }
        "quick" => {
            c.next();
            spec.quick = true;
        }
        "on" => {
            once(spec.on.is_empty(), c)?;
            c.next();
            spec.on = c.list(on)?;
            spec.on.retain(|(on, _)| !on.name.is_empty());
        }
        "inet" | "inet6" => {
            once(spec.af.is_none(), c)?;
            c.next();
            let af = if text == "inet" {
                Family::V4
            } else {
                Family::V6
            };
            spec.af = Some((af, pos));
        }
        "proto" => {
            once(spec.proto.is_empty(), c)?;
            c.next();
            spec.proto = c.list(proto)?;
        }
        "all" => {
            once(spec.src.is_empty() && spec.dst.is_empty(), c)?;
            c.next();
        }
        "from" => {
            once(spec.src.is_empty() && spec.sport.is_empty(), c)?;
            c.next();
            side(c, &mut spec.src, &mut spec.sport)?;
        }
        "to" => {
            once(spec.dst.is_empty() && spec.dport.is_empty(), c)?;
            c.next();
            side(c, &mut spec.dst, &mut spec.dport)?;
        }
        // nptv6 on IF INSIDE -> OUTSIDE
        _ if spec.act == Act::Nptv6 && spec.src.is_empty() && text.contains(':') => {
            spec.src = vec![host(c)?];
        }
        _ if nat::option(c, spec)? => {}
        _ => option(c, spec, &text, policy)?,
    }
    Ok(())
}

fn option(c: &mut Cursor, spec: &mut Spec, text: &str, policy: &Policy) -> Result {
    let pos = c.pos();
    match text {
        "flags" => {
            once(spec.flags.is_none(), c)?;
            c.next();
            spec.flags = Some((flags(c)?, pos));
        }
        "icmp-type" | "icmp6-type" => {
            once(spec.icmp.is_empty(), c)?;
            c.next();
            let af = if text == "icmp-type" {
                Family::V4
            } else {
                Family::V6
            };
            spec.icmp = c.list(|c| icmp(c, af))?;
        }
        "tos" | "dscp" => {
            once(spec.dscp.is_empty(), c)?;
            c.next();
            let octet = text == "tos";
            spec.dscp = c.list(|c| dscp(c, octet))?;
        }
        "fragment" => {
            c.next();
            spec.fragment = true;
        }
        "allow-opts" => {
            c.next();
            spec.allow_opts = true;
        }
        "keep" | "modulate" | "synproxy" | "no" => {
            once(spec.keep_pos.is_none(), c)?;
            c.next();
            c.expect_word("state")?;
            spec.keep_pos = Some(pos);
            if text == "no" {
                spec.keep = Keep::No;
                return Ok(());
            }
            let mut s = State {
                synproxy: text == "synproxy",
                if_bound: policy.if_bound,
                ..State::default()
            };
            state(c, &mut s)?;
            spec.keep = Keep::Yes(s);
        }
        "label" => {
            once(spec.label.is_none(), c)?;
            c.next();
            let t = c.text("a label")?;
            if t.text.len() > 55 || t.text.is_empty() {
                return Err(Fault::new(&t.pos, "a label has 1 to 55 letters"));
            }
            spec.label = Some(t.text.to_string());
        }
        "tag" => {
            c.next();
            spec.sets.tag = Some(tag(c)?);
        }
        "tagged" => {
            c.next();
            tagged(c, spec, false)?;
        }
        "probability" => {
            c.next();
            spec.probability = probability(c)?;
        }
        "set" => {
            c.next();
            set(c, spec)?;
        }
        "scrub" => {
            c.next();
            c.expect(Kind::ParenOpen, "'('")?;
            while !c.eat(Kind::ParenClose) {
                if !c.eat(Kind::Comma) {
                    scrub(c, spec)?;
                }
            }
        }
        "alg" => {
            c.next();
            spec.sets.alg |= nat::alg(c)?;
        }
        _ => return Err(unknown(c, spec)),
    }
    Ok(())
}

fn log(c: &mut Cursor) -> Result<Log> {
    if !c.eat(Kind::ParenOpen) {
        return Ok(Log::First);
    }
    loop {
        match c.word() {
            "all" => {}
            "to" => {
                let what = "there is one interface for logs, iipflog0";
                return Err(Fault::new(&c.pos(), what));
            }
            _ => return Err(c.wrong("'all'")),
        }
        c.next();
        if c.eat(Kind::ParenClose) {
            return Ok(Log::All);
        }
        c.expect(Kind::Comma, "')'")?;
    }
}

/// The empty name is any interface.
fn on(c: &mut Cursor) -> Result<At<On>> {
    let pos = c.pos();
    let neg = c.eat(Kind::Not);
    let t = c.text("an interface")?;
    let name = match &*t.text {
        "any" if neg => return Err(Fault::new(&pos, "'! any' matches nothing")),
        "any" => String::new(),
        name => interface_name(name, &t.pos)?,
    };
    Ok((On { neg, name }, pos))
}

fn proto(c: &mut Cursor) -> Result<At<u8>> {
    let pos = c.pos();
    let word = c.word().to_owned();
    let Some(proto) = protocol(&word) else {
        let hint = nearest(&word, all(crate::names::PROTOCOLS));
        return Err(c.wrong("a protocol").hint(hint));
    };
    c.next();
    Ok((proto, pos))
}

/// `HOSTS [port PORTS]` or `port PORTS`
fn side(
    c: &mut Cursor,
    hosts: &mut Vec<At<crate::ast::Host>>,
    ports: &mut Vec<At<Ports>>,
) -> Result {
    if c.word() != "port" {
        *hosts = c.list(host)?;
        // Several negations in one list match everything.
        let negated = hosts.iter().filter(|(h, _)| h.neg).count();
        if negated > 0 && hosts.len() > 1 {
            let first = hosts.iter().find(|(h, _)| h.neg).map(|(_, p)| p.clone());
            let pos = first.unwrap_or_else(|| c.pos());
            let what =
                "'!' in a list: each item becomes a rule, and together they match everything";
            return Err(Fault::new(&pos, what).hint("use a <table> with ! entries"));
        }
    }
    if c.eat_word("port") {
        *ports = c.list(port)?;
    }
    Ok(())
}

/// `S/SA`, `any`
fn flags(c: &mut Cursor) -> Result<Option<(u8, u8)>> {
    let t = c.text("flags, as S/SA, or any")?;
    if &*t.text == "any" {
        return Ok(None);
    }
    let bits = |letters: &str| {
        let mut bits = 0u8;
        for l in letters.chars() {
            bits |= 1 << TCP_FLAGS.find(l)?;
        }
        Some(bits)
    };
    let parts = t.text.split_once('/');
    let parsed = parts.and_then(|(set, of)| Some((bits(set)?, bits(of)?)));
    let Some((set, of)) = parsed else {
        return Err(
            Fault::new(&t.pos, format!("flags {}: not understood", t.text))
                .hint("as S/SA: of SYN and ACK only SYN; the letters are F S R P A U E W"),
        );
    };
    if set & !of != 0 {
        return Err(
            Fault::new(&t.pos, format!("flags {}: matches nothing", t.text))
                .hint("what is before '/' must be behind it, too"),
        );
    }
    Ok((of != 0).then_some((set, of)))
}

fn icmp(c: &mut Cursor, af: Family) -> Result<At<(Family, u8, Option<u8>)>> {
    let pos = c.pos();
    let word = c.word().to_owned();
    let kind = number(icmp_types(af), &word).or_else(|| word.parse().ok());
    let Some(kind) = kind else {
        let hint = nearest(&word, all(icmp_types(af)));
        let what = if af == Family::V4 {
            "a type of ICMP"
        } else {
            "a type of ICMPv6"
        };
        return Err(c.wrong(what).hint(hint));
    };
    c.next();
    if !c.eat_word("code") {
        return Ok(((af, kind, None), pos));
    }
    let word = c.word().to_owned();
    let Some(code) = icmp_code(af, kind, &word).or_else(|| word.parse().ok()) else {
        return Err(c.wrong("a code of this type"));
    };
    c.next();
    Ok(((af, kind, Some(code)), pos))
}

/// The six bits; `octet`: a number is the whole octet.
fn dscp(c: &mut Cursor, octet: bool) -> Result<u8> {
    if let Some(v) = number(DSCPS, c.word()) {
        c.next();
        return Ok(v);
    }
    if !c.word().starts_with(|d: char| d.is_ascii_digit()) {
        let hint = nearest(c.word(), all(DSCPS));
        return Err(c.wrong("a name or number of a DSCP").hint(hint));
    }
    if !octet {
        return Ok(c.number("dscp", 0, 63)? as u8);
    }
    let pos = c.pos();
    let tos = c.number("tos", 0, 255)? as u8;
    if tos & 3 != 0 {
        return Err(
            Fault::new(&pos, format!("tos {tos:#04x}: the low two bits are ECN's"))
                .hint("use a multiple of 4, or dscp with the six bits"),
        );
    }
    Ok(tos >> 2)
}

fn tag(c: &mut Cursor) -> Result<String> {
    let t = c.text("a tag")?;
    let number = t.text.parse::<u64>();
    if t.text.is_empty() || t.text.len() > 55 {
        return Err(Fault::new(&t.pos, "a tag has 1 to 55 letters"));
    }
    if number.is_ok_and(|n| n == 0 || n > 0x7fff_ffff) {
        return Err(
            Fault::new(&t.pos, format!("tag {}: must be 1 to 2147483647", t.text))
                .hint("a tag that is a number is the mark itself"),
        );
    }
    Ok(t.text.to_string())
}

fn tagged(c: &mut Cursor, spec: &mut Spec, neg: bool) -> Result {
    if spec.tagged.is_some() {
        return Err(Fault::new(&c.pos(), "'tagged' twice"));
    }
    spec.tagged = Some((neg, tag(c)?));
    Ok(())
}

fn probability(c: &mut Cursor) -> Result<Option<u32>> {
    let t = c.text("a probability, as 20%")?;
    let share = match t.text.strip_suffix('%') {
        Some(n) => n.parse::<f64>().map(|n| n / 100.0),
        None => t.text.parse::<f64>(),
    };
    match share {
        Ok(p) if (p - 1.0).abs() < 1e-9 => Ok(None),
        Ok(p) if p > 0.0 && p < 1.0 => Ok(Some(((p * 4_294_967_296.0) as u32).max(1))),
        _ => {
            let what = format!("probability {}: must be over 0 % and at most 100 %", t.text);
            Err(Fault::new(&t.pos, what))
        }
    }
}

/// `set tos ef`, `set (tos ef, prio 3)`
fn set(c: &mut Cursor, spec: &mut Spec) -> Result {
    let bracket = c.eat(Kind::ParenOpen);
    loop {
        match c.word() {
            "tos" | "dscp" => {
                let octet = c.word() == "tos";
                c.next();
                spec.sets.dscp = Some(dscp(c, octet)?);
            }
            "prio" => {
                return Err(Fault::new(&c.pos(), "priorities are not set here")
                    .hint("tag packets, and let queueing go by the mark"));
            }
            _ => return Err(c.wrong("'tos' or 'dscp'")),
        }
        if !bracket || c.eat(Kind::ParenClose) {
            return Ok(());
        }
        c.expect(Kind::Comma, "')'")?;
    }
}

/// One option of `scrub (...)`, and of scrub rules.
pub(crate) fn scrub(c: &mut Cursor, spec: &mut Spec) -> Result {
    let word = c.word().to_owned();
    match word.as_str() {
        "max-mss" => {
            c.next();
            spec.sets.max_mss = c.number("max-mss", 64, 65_495)? as u16;
        }
        "min-ttl" => {
            c.next();
            spec.sets.min_ttl = c.number("min-ttl", 1, 255)? as u8;
        }
        "no-df" => {
            c.next();
            spec.sets.no_df = true;
        }
        "random-id" => {
            c.next();
            spec.sets.random_id = true;
        }
        "set-tos" => {
            c.next();
            spec.sets.dscp = Some(dscp(c, true)?);
        }
        "reassemble" => {
            return Err(
                Fault::new(&c.pos(), "TCP segments are checked with their state")
                    .hint("leave 'reassemble tcp' out"),
            );
        }
        _ => {
            let words = ["max-mss", "min-ttl", "no-df", "random-id", "set-tos"];
            return Err(c.wrong("an option of scrub").hint(nearest(&word, words)));
        }
    }
    Ok(())
}

/// Which `Act` a first word is.
pub(crate) fn act(word: &str) -> Option<Act> {
    Some(match word {
        "pass" => Act::Pass,
        "block" => Act::Block(None),
        "match" => Act::Match,
        "nat" => Act::Nat,
        "rdr" => Act::Rdr,
        "binat" => Act::Binat,
        "nptv6" => Act::Nptv6,
        _ => return None,
    })
}
