// SPDX-License-Identifier: BSD-2-Clause
//! What stands behind `->`.

use super::host::{port_range, target};
use crate::ast::{Choice, Filtering, NatPorts};
use crate::cursor::Cursor;
use crate::names::ALGS;
use crate::pos::{Fault, Result, nearest};
use crate::spec::{Act, NatSpec, Spec};

/// Ports that nat gives out when nothing is said: those that RFC 6335 registers for nobody, and the
/// registered ones above what systems give to their own users.
pub(crate) const NAT_PORTS: (u16, u16) = (1024, 65535);

const WORDS: [&str; 16] = [
    "port",
    "static-port",
    "port-block",
    "endpoint-independent",
    "address-dependent",
    "address-port-dependent",
    "round-robin",
    "random",
    "bitmask",
    "source-hash",
    "sticky-address",
    "paired",
    "max-per-host",
    "hairpin",
    "label",
    "alg",
];

/// Behind the arrow: the pool and its options.
pub(crate) fn pool(c: &mut Cursor, pass: bool) -> Result<NatSpec> {
    let pos = c.pos();
    Ok(NatSpec {
        pool: c.list(target)?,
        choice: None,
        ports: NatPorts::Keep,
        shift: false,
        filtering: None,
        paired: false,
        hairpin: false,
        pass,
        max_per_host: 0,
        pos,
    })
}

/// One option; false: the word is none of a translation.
pub(crate) fn option(c: &mut Cursor, spec: &mut Spec) -> Result<bool> {
    let act = spec.act.clone();
    let Some(nat) = spec.nat.as_mut() else {
        return Ok(false);
    };
    let pos = c.pos();
    let only = |wanted: Act, word: &str| {
        if act == wanted {
            return Ok(());
        }
        let what = format!("'{word}' in a {} rule", act.word());
        Err(Fault::new(&pos, what).hint(format!("it belongs to {} rules", wanted.word())))
    };
    match c.word() {
        "port" if act == Act::Rdr => {
            c.next();
            rdr_port(c, nat)?;
        }
        "port" => {
            only(Act::Nat, "port")?;
            c.next();
            let word = c.text("ports, as 10000:20000")?;
            let (lo, hi) = port_range(&word.text, &word.pos)?;
            nat.ports = match nat.ports {
                NatPorts::Block(_, _, size) => NatPorts::Block(lo, hi, size),
                _ => NatPorts::Range(lo, hi),
            };
        }
        "static-port" => {
            only(Act::Nat, "static-port")?;
            c.next();
            nat.ports = NatPorts::Static;
        }
        "port-block" => {
            only(Act::Nat, "port-block")?;
            c.next();
            let size = c.number("port-block", 32, 4096)? as u16;
            if !size.is_power_of_two() {
                return Err(
                    Fault::new(&pos, format!("port-block {size}: not a power of two"))
                        .hint("32, 64, ... 4096"),
                );
            }
            let (lo, hi) = match nat.ports {
                NatPorts::Range(lo, hi) => (lo, hi),
                _ => NAT_PORTS,
            };
            if u32::from(hi - lo) + 1 < u32::from(size) {
                let what = format!("port-block {size}: the ports {lo}:{hi} hold no block");
                return Err(Fault::new(&pos, what));
            }
            nat.ports = NatPorts::Block(lo, hi, size);
        }
        "endpoint-independent" => filtering(c, nat, Filtering::Endpoint),
        "address-dependent" => filtering(c, nat, Filtering::Address),
        "address-port-dependent" => filtering(c, nat, Filtering::AddressPort),
        "round-robin" => choice(c, nat, Choice::RoundRobin)?,
        "random" => choice(c, nat, Choice::Random)?,
        "bitmask" => choice(c, nat, Choice::Bitmask)?,
        "source-hash" => {
            choice(c, nat, Choice::Hash(None))?;
            let key = c
                .word()
                .strip_prefix("0x")
                .map(|k| (k.len(), u128::from_str_radix(k, 16)));
            match key {
                Some((32, Ok(key))) => {
                    c.next();
                    nat.choice = Some(Choice::Hash(Some([(key >> 64) as u64, key as u64])));
                }
                Some(_) => {
                    return Err(c.wrong("a key of 32 hexadecimal digits, 0x before them,"));
                }
                None => {}
            }
        }
        "sticky-address" | "paired" => {
            c.next();
            nat.paired = true;
        }
        "max-per-host" => {
            only(Act::Nat, "max-per-host")?;
            c.next();
            nat.max_per_host = c.number("max-per-host", 1, 1_000_000)?;
        }
        "hairpin" => {
            c.next();
            nat.hairpin = true;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn filtering(c: &mut Cursor, nat: &mut NatSpec, f: Filtering) {
    c.next();
    nat.filtering = Some(f);
}

fn choice(c: &mut Cursor, nat: &mut NatSpec, choice: Choice) -> Result {
    if nat.choice.is_some() {
        return Err(Fault::new(&c.pos(), "two ways to choose an address"));
    }
    c.next();
    nat.choice = Some(choice);
    Ok(())
}

/// `port P`, `port P:*`, `port LO:HI`
fn rdr_port(c: &mut Cursor, nat: &mut NatSpec) -> Result {
    let word = c.text("a port")?;
    if let Some(first) = word.text.strip_suffix(":*") {
        let (port, _) = port_range(first, &word.pos)?;
        nat.ports = NatPorts::Shift(port);
        nat.shift = true;
        return Ok(());
    }
    let (lo, hi) = port_range(&word.text, &word.pos)?;
    if lo == 0 {
        return Err(Fault::new(&word.pos, "nothing listens on port 0"));
    }
    nat.ports = NatPorts::Range(lo, hi);
    Ok(())
}

/// `alg ftp`, `alg { ftp tftp }`
pub(crate) fn alg(c: &mut Cursor) -> Result<u32> {
    let all = c.list(|c| c.named(ALGS, "ftp, tftp or pptp"))?;
    Ok(all.into_iter().fold(0, |a, b| a | b))
}

/// For a word that means nothing behind an arrow.
pub(crate) fn hint(word: &str) -> String {
    nearest(word, WORDS)
}
