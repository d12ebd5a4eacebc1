// SPDX-License-Identifier: BSD-2-Clause
//! Addresses, interfaces and ports.

use crate::ast::{Addr, Entry, Family, Host, Part, Ports, Target};
use crate::cursor::Cursor;
use crate::lex::Kind;
use crate::names::service;
use crate::pos::{Fault, Pos, Result, nearest};
use std::net::IpAddr;

/// A value and where it stands.
pub(crate) type At<T> = (T, Pos);

/// An address or a network, host bits cleared; `None` if the word is none.
pub(crate) fn prefix(word: &str, pos: &Pos) -> Result<Option<(IpAddr, u8)>> {
    let (addr, len) = match word.split_once('/') {
        Some((a, l)) => (a, Some(l)),
        None => (word, None),
    };
    if addr.contains('%') {
        return Err(Fault::new(pos, format!("{addr}: a zone is not possible"))
            .hint("say the interface with 'on'"));
    }
    // 10/8 is 10.0.0.0/8.
    let short = len.is_some() && !addr.contains(':');
    let dots = addr.bytes().filter(|&b| b == b'.').count();
    let mut full = addr.to_owned();
    if short && dots < 3 && addr.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        full.push_str(&".0".repeat(3 - dots));
    }
    let Ok(ip) = full.parse::<IpAddr>() else {
        let digits = addr.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if (digits && addr.contains('.')) || addr.matches(':').count() > 1 {
            return Err(Fault::new(pos, format!("'{word}' is not an address")));
        }
        return Ok(None);
    };
    let bits = Family::of(ip).bits();
    let len = match len {
        None => bits,
        Some(l) => match l.parse::<u8>() {
            Ok(l) if l <= bits => l,
            _ => {
                let what = format!("'{word}': the length must be 0 to {bits}");
                return Err(Fault::new(pos, what));
            }
        },
    };
    Ok(Some((masked(ip, len), len)))
}

/// Without host bits.
pub(crate) fn masked(ip: IpAddr, len: u8) -> IpAddr {
    match ip {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
            IpAddr::V4((u32::from(a) & mask).into())
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            IpAddr::V6((u128::from(a) & mask).into())
        }
    }
}

/// The last address of a network.
pub(crate) fn last_of(ip: IpAddr, len: u8) -> IpAddr {
    match ip {
        IpAddr::V4(a) => {
            let host = u32::MAX.checked_shr(u32::from(len)).unwrap_or(0);
            IpAddr::V4((u32::from(a) | host).into())
        }
        IpAddr::V6(a) => {
            let host = u128::MAX.checked_shr(u32::from(len)).unwrap_or(0);
            IpAddr::V6((u128::from(a) | host).into())
        }
    }
}

/// `wan0:network` in its parts.
fn interface(word: &str, pos: &Pos) -> Result<(String, Part)> {
    let (name, part) = word.split_once(':').unwrap_or((word, ""));
    let part = match part {
        "" => Part::Addr,
        "network" => Part::Network,
        "broadcast" => Part::Broadcast,
        "0" => Part::First,
        "peer" => {
            return Err(
                Fault::new(pos, format!("{word}: the peer's address is not known here"))
                    .hint("write the address"),
            );
        }
        other => {
            let hint = nearest(other, ["network", "broadcast", "0"]);
            return Err(Fault::new(pos, format!("{word}: there is no ':{other}'")).hint(hint));
        }
    };
    Ok((interface_name(name, pos)?, part))
}

/// A name that an interface can have.
pub(crate) fn interface_name(name: &str, pos: &Pos) -> Result<String> {
    let proper = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !first || name.len() > 15 || !name.chars().all(proper) {
        let what = format!("'{name}' cannot be the name of an interface");
        return Err(Fault::new(pos, what).hint("1 to 15 letters, digits, '.', '_' or '-'"));
    }
    Ok(name.to_owned())
}

/// Whether a word without brackets can only be an interface: letters and a number.
fn looks_like_interface(word: &str) -> bool {
    let name = word.split(':').next().unwrap_or("");
    let base = name.split('.').next().unwrap_or("");
    let letters = base.trim_end_matches(|c: char| c.is_ascii_digit());
    let tail = &name[base.len()..];
    !letters.is_empty()
        && letters.len() < base.len()
        && letters.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
        && tail.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn no_host_names(word: &str, pos: &Pos) -> Fault {
    Fault::new(
        pos,
        format!("'{word}' is neither an address nor an interface"),
    )
    .hint("names are not looked up: write the address, or a <table> with it")
}

/// What one operand is, before `Host` and `Target` part.
enum Operand {
    Any,
    Own,
    Prefix(IpAddr, u8),
    Range(IpAddr, IpAddr),
    If(String, Part),
    Table(String),
}

fn operand(c: &mut Cursor) -> Result<Operand> {
    let pos = c.pos();
    match c.kind() {
        Kind::Table => Ok(Operand::Table(table_name(c)?)),
        Kind::ParenOpen => {
            c.next();
            let word = c.text("an interface")?;
            let (name, part) = interface(&word.text, &word.pos)?;
            c.expect(Kind::ParenClose, "')'")?;
            Ok(Operand::If(name, part))
        }
        Kind::Word | Kind::Text => {
            let word = c.peek().text.to_string();
            match word.as_str() {
                "any" => {
                    c.next();
                    return Ok(Operand::Any);
                }
                "self" => {
                    c.next();
                    return Ok(Operand::Own);
                }
                "no-route" | "urpf-failed" => {
                    return Err(Fault::new(&pos, format!("'{word}' is not possible here"))
                        .hint("name the networks, or use antispoof"));
                }
                "route" => return Err(Fault::new(&pos, "route labels are not possible here")),
                _ => {}
            }
            if let Some((a, b)) = word.split_once('-')
                && let (Ok(a), Ok(b)) = (a.parse(), b.parse())
            {
                c.next();
                return range(a, b, &pos);
            }
            let Some((ip, len)) = prefix(&word, &pos)? else {
                if looks_like_interface(&word) {
                    c.next();
                    let (name, part) = interface(&word, &pos)?;
                    return Ok(Operand::If(name, part));
                }
                return Err(no_host_names(&word, &pos));
            };
            c.next();
            if c.kind() == Kind::Dash {
                c.next();
                let to_pos = c.pos();
                let to = c.text("the last address of the range")?;
                let end = to
                    .text
                    .parse()
                    .map_err(|_| Fault::new(&to_pos, format!("'{}' is not an address", to.text)))?;
                if word.contains('/') {
                    return Err(Fault::new(&pos, "a range of networks")
                        .hint("a range goes from an address to an address"));
                }
                return range(ip, end, &pos);
            }
            Ok(Operand::Prefix(ip, len))
        }
        _ => Err(c.wrong("an address")),
    }
}

fn range(a: IpAddr, b: IpAddr, pos: &Pos) -> Result<Operand> {
    if Family::of(a) != Family::of(b) {
        return Err(Fault::new(
            pos,
            format!("{a} - {b}: two families in one range"),
        ));
    }
    if a > b {
        return Err(Fault::new(pos, format!("{a} - {b}: ends before it begins")));
    }
    Ok(Operand::Range(a, b))
}

/// `<name>`
pub(crate) fn table_name(c: &mut Cursor) -> Result<String> {
    let t = c.expect(Kind::Table, "a table, as <name>,")?;
    if t.text.len() > 31 {
        return Err(Fault::new(
            &t.pos,
            format!("<{}>: longer than 31 letters", t.text),
        ));
    }
    Ok(t.text.to_string())
}

/// An operand of from or to.
pub(crate) fn host(c: &mut Cursor) -> Result<At<Host>> {
    let pos = c.pos();
    let neg = c.eat(Kind::Not);
    let addr = match operand(c)? {
        Operand::Any if neg => {
            return Err(Fault::new(&pos, "'! any' matches nothing").hint("leave the rule out"));
        }
        Operand::Any => Addr::Any,
        Operand::Own => Addr::Own,
        Operand::Prefix(_, 0) if neg => {
            return Err(Fault::new(&pos, "this matches nothing").hint("leave the rule out"));
        }
        Operand::Prefix(ip, len) => Addr::Range(ip, last_of(ip, len)),
        Operand::Range(a, b) => Addr::Range(a, b),
        Operand::If(name, part) => Addr::If(name, part),
        Operand::Table(name) => Addr::Table(name),
    };
    Ok((Host { neg, addr }, pos))
}

/// Where to translate to.
pub(crate) fn target(c: &mut Cursor) -> Result<At<Target>> {
    let pos = c.pos();
    if c.kind() == Kind::Not {
        return Err(Fault::new(&pos, "'!' before an address to translate to"));
    }
    let target = match operand(c)? {
        Operand::Any | Operand::Own => {
            return Err(
                Fault::new(&pos, "nothing can be translated to every address")
                    .hint("write an address, (interface), or a list"),
            );
        }
        Operand::Prefix(ip, len) => Target::Prefix(ip, len),
        Operand::Range(a, b) => Target::Range(a, b),
        Operand::If(_, Part::Broadcast) => {
            return Err(Fault::new(
                &pos,
                "nothing can be translated to a broadcast address",
            ));
        }
        Operand::If(name, part) => Target::If(name, part),
        Operand::Table(name) => Target::Table(name),
    };
    Ok((target, pos))
}

/// An entry of a table.
pub(crate) fn entry(c: &mut Cursor) -> Result<Entry> {
    let neg = c.eat(Kind::Not);
    let pos = c.pos();
    let word = c.text("an address or a network")?;
    entry_word(&word.text, neg, &pos)
}

/// The same, of a word.
pub(crate) fn entry_word(word: &str, neg: bool, pos: &Pos) -> Result<Entry> {
    match prefix(word, pos)? {
        Some((addr, len)) => Ok(Entry { addr, len, neg }),
        None => Err(Fault::new(pos, format!("'{word}' is not an address"))
            .hint("a table holds addresses and networks; names are not looked up")),
    }
}

fn port_word(word: &str, pos: &Pos) -> Result<u16> {
    service(word).ok_or_else(|| {
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        let what = if digits && !word.is_empty() {
            format!("port {word}: must be 0 to 65535")
        } else {
            format!("port '{word}' is not known")
        };
        let known = crate::names::all(crate::names::SERVICES);
        Fault::new(pos, what).hint(nearest(word, known))
    })
}

/// `lo:hi` or one.
pub(crate) fn port_range(word: &str, pos: &Pos) -> Result<(u16, u16)> {
    let (lo, hi) = match word.split_once(':') {
        Some((lo, hi)) => (port_word(lo, pos)?, port_word(hi, pos)?),
        None => {
            let port = port_word(word, pos)?;
            (port, port)
        }
    };
    if lo > hi {
        return Err(Fault::new(
            pos,
            format!("ports {lo}:{hi}: end before they begin"),
        ));
    }
    Ok((lo, hi))
}

/// An operand of port.
pub(crate) fn port(c: &mut Cursor) -> Result<At<Ports>> {
    let pos = c.pos();
    let nothing = || Fault::new(&pos, "this matches no port");
    let kind = c.kind();
    if matches!(
        kind,
        Kind::Eq | Kind::Ne | Kind::Lt | Kind::Le | Kind::Gt | Kind::Ge
    ) {
        c.next();
        let word = c.text("a port")?;
        let (lo, hi) = port_range(&word.text, &word.pos)?;
        let ports = match kind {
            Kind::Eq => Ports::In(lo, hi),
            Kind::Ne => Ports::Out(lo, hi),
            _ if lo != hi => return Err(Fault::new(&word.pos, "a range behind a comparison")),
            Kind::Lt => Ports::In(0, lo.checked_sub(1).ok_or_else(nothing)?),
            Kind::Le => Ports::In(0, lo),
            Kind::Gt => Ports::In(lo.checked_add(1).ok_or_else(nothing)?, u16::MAX),
            _ => Ports::In(lo, u16::MAX),
        };
        return Ok((ports, pos));
    }
    // The words of other parts of a rule are no ports.
    let word = c.text("a port")?;
    if &*word.text == "any" {
        return Ok((Ports::Any, pos));
    }
    let (lo, hi) = port_range(&word.text, &word.pos)?;
    let kind = c.kind();
    if !matches!(kind, Kind::Inside | Kind::Outside) {
        return Ok((Ports::In(lo, hi), pos));
    }
    c.next();
    let end = c.text("a port")?;
    let (end, _) = port_range(&end.text, &end.pos)?;
    if kind == Kind::Outside {
        if lo > end {
            return Err(Fault::new(
                &pos,
                format!("ports {lo} <> {end}: end before they begin"),
            ));
        }
        return Ok((Ports::Out(lo, end), pos));
    }
    let (lo, hi) = (lo.checked_add(1), end.checked_sub(1));
    match (lo, hi) {
        (Some(lo), Some(hi)) if lo <= hi => Ok((Ports::In(lo, hi), pos)),
        _ => Err(nothing()),
    }
}
