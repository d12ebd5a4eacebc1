// SPDX-License-Identifier: BSD-2-Clause
//! The grammar: one table of verbs.

use crate::action::{Action, Command, Encap, Endpoint};
use std::net::IpAddr;
use std::num::NonZeroU32;

/// One verb of ifconfig(8).
pub struct Verb {
    /// As it is typed.
    pub name: &'static str,
    /// Its arguments, for people; as many words as it takes.
    pub args: &'static str,
    /// Takes exactly as many words as `args` has.
    parse: fn(&[&str]) -> Result<Action, String>,
}

/// Every verb.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "create",
        args: "",
        parse: |_| Ok(Action::Create),
    },
    Verb {
        name: "plumb",
        args: "",
        parse: |_| Ok(Action::Create),
    },
    Verb {
        name: "destroy",
        args: "",
        parse: |_| Ok(Action::Destroy),
    },
    Verb {
        name: "unplumb",
        args: "",
        parse: |_| Ok(Action::Destroy),
    },
    Verb {
        name: "tunnel",
        args: "SRC[,PORT] DST[,PORT]",
        parse: tunnel,
    },
    Verb {
        name: "deletetunnel",
        args: "",
        parse: |_| Ok(Action::DeleteTunnel),
    },
    Verb {
        name: "session",
        args: "MY PEER",
        parse: session,
    },
    Verb {
        name: "deletesession",
        args: "",
        parse: |_| Ok(Action::DeleteSession),
    },
    Verb {
        name: "cookie",
        args: "MYLEN MY PEERLEN PEER",
        parse: cookie,
    },
    Verb {
        name: "deletecookie",
        args: "",
        parse: |_| Ok(Action::DeleteCookie),
    },
    Verb {
        name: "encap",
        args: "ip|udp",
        parse: encap,
    },
    Verb {
        name: "sublayer",
        args: "none|default",
        parse: sublayer,
    },
    Verb {
        name: "mtu",
        args: "BYTES",
        parse: mtu,
    },
    Verb {
        name: "up",
        args: "",
        parse: |_| Ok(Action::Up(true)),
    },
    Verb {
        name: "down",
        args: "",
        parse: |_| Ok(Action::Up(false)),
    },
    Verb {
        name: "name",
        args: "NEW",
        parse: name,
    },
];

/// Parses an interface's name and the verbs after it.
///
/// ```
/// let line = "l2tp0 create tunnel 192.0.2.1 192.0.2.2 session 100 200 up";
/// let words: Vec<&str> = line.split_whitespace().collect();
/// assert_eq!(libifconfig::parse(&words).unwrap().actions.len(), 4);
/// let e = libifconfig::parse(&["l2tp0", "session", "0", "1"]).unwrap_err();
/// assert_eq!(e, "l2tp0: session 0: must be 1..4294967295");
/// ```
///
/// # Errors
/// A sentence that names the interface, the verb and what to do.
pub fn parse(words: &[&str]) -> Result<Command, String> {
    let (&target, mut rest) = words.split_first().ok_or("no interface named")?;
    if let Some(why) = bad_name(target) {
        return Err(format!("'{target}': {why}"));
    }
    let mut actions = Vec::new();
    while let Some((&word, after)) = rest.split_first() {
        let verb = VERBS
            .iter()
            .find(|v| v.name == word)
            .ok_or_else(|| unknown(target, word))?;
        let wanted = verb.args.split_whitespace().count();
        let (args, after) = after
            .split_at_checked(wanted)
            .ok_or_else(|| format!("{target}: {word}: needs {}", verb.args))?;
        let action = (verb.parse)(args).map_err(|e| format!("{target}: {word} {e}"))?;
        // After it, nothing is left that a verb could be about.
        if action == Action::Destroy && !after.is_empty() {
            return Err(format!("{target}: destroy: must be the last verb"));
        }
        if action == Action::Create && !actions.is_empty() {
            return Err(format!("{target}: create: must be the first verb"));
        }
        actions.push(action);
        rest = after;
    }
    Ok(Command {
        target: target.to_owned(),
        actions,
    })
}

fn unknown(target: &str, word: &str) -> String {
    let names: Vec<_> = VERBS.iter().map(|v| v.name).collect();
    format!(
        "{target}: {word}: no such verb; there are {}",
        names.join(" ")
    )
}

fn bad_name(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 15 {
        return Some("an interface's name has 1 to 15 characters");
    }
    // What a shell or a path would take for something else stays out.
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.chars().all(fine) || name.starts_with(['-', '.']) {
        return Some("an interface's name has letters, digits, '_', '-' and '.' in it");
    }
    None
}

/// A decimal number, or with 0x a hexadecimal one.
fn number(word: &str) -> Option<u64> {
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let (digits, radix) = hex.map_or((word, 10), |h| (h, 16));
    // from_str_radix takes a sign.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

fn endpoint(word: &str) -> Result<Endpoint, String> {
    let (addr, port) = match word.split_once(',') {
        Some((addr, port)) => (addr, Some(port)),
        None => (word, None),
    };
    let addr: IpAddr = addr
        .parse()
        .map_err(|_| format!("{word}: must be an IPv4 or IPv6 address in numbers"))?;
    if addr.is_unspecified() || addr.is_multicast() {
        return Err(format!("{word}: must be the address of one machine"));
    }
    let port = port
        .map(|p| {
            let port = number(p)
                .and_then(|p| u16::try_from(p).ok())
                .filter(|&p| p != 0);
            port.ok_or_else(|| format!("{word}: port must be 1..65535"))
        })
        .transpose()?;
    Ok(Endpoint { addr, port })
}

fn tunnel(args: &[&str]) -> Result<Action, String> {
    let &[src, dst] = args else {
        return Err("needs two addresses".into());
    };
    let both = format!("{src} {dst}");
    let (src, dst) = (endpoint(src)?, endpoint(dst)?);
    if src.addr.is_ipv4() != dst.addr.is_ipv4() {
        return Err(format!("{both}: both addresses must be of one family"));
    }
    if src.port.is_some() != dst.port.is_some() {
        return Err(format!("{both}: give both ports, or neither"));
    }
    Ok(Action::Tunnel { src, dst })
}

fn session(args: &[&str]) -> Result<Action, String> {
    let id = |word: &str| {
        let id = number(word)
            .and_then(|n| u32::try_from(n).ok())
            .and_then(NonZeroU32::new);
        id.ok_or_else(|| format!("{word}: must be 1..4294967295"))
    };
    let &[my, peer] = args else {
        return Err("needs two ids".into());
    };
    Ok(Action::Session {
        my: id(my)?,
        peer: id(peer)?,
    })
}

fn cookie(args: &[&str]) -> Result<Action, String> {
    let &[my_len, my, peer_len, peer] = args else {
        return Err("needs four numbers".into());
    };
    // The cookies themselves stay out of the messages.
    let one = |len: &str, value: &str, whose: &str| {
        let n = number(len).filter(|n| matches!(n, 0 | 4 | 8));
        let n = n.ok_or_else(|| format!("{len}: a length must be 0, 4 or 8"))?;
        let value = number(value)
            .ok_or_else(|| format!("{len}: {whose} cookie must be a number, decimal or with 0x"))?;
        let fits = match n {
            0 => value == 0,
            4 => u32::try_from(value).is_ok(),
            _ => true,
        };
        if fits {
            Ok((n as u32, value))
        } else {
            Err(format!("{len}: {whose} cookie must fit {n} bytes"))
        }
    };
    let (my_len, my) = one(my_len, my, "my")?;
    let (peer_len, peer) = one(peer_len, peer, "the peer's")?;
    Ok(Action::Cookie {
        my_len,
        my,
        peer_len,
        peer,
    })
}

fn encap(args: &[&str]) -> Result<Action, String> {
    match args {
        ["ip"] => Ok(Action::Encap(Encap::Ip)),
        ["udp"] => Ok(Action::Encap(Encap::Udp)),
        _ => Err(format!("{}: must be ip or udp", args.join(" "))),
    }
}

fn sublayer(args: &[&str]) -> Result<Action, String> {
    match args {
        ["none"] => Ok(Action::Sublayer(false)),
        ["default"] => Ok(Action::Sublayer(true)),
        _ => Err(format!("{}: must be none or default", args.join(" "))),
    }
}

fn mtu(args: &[&str]) -> Result<Action, String> {
    let word = args.join(" ");
    let mtu = number(&word).and_then(|n| u32::try_from(n).ok());
    // What an interface takes, its driver knows; an IP packet has no more than this.
    match mtu {
        Some(mtu @ 68..=65535) => Ok(Action::Mtu(mtu)),
        _ => Err(format!("{word}: must be 68..65535")),
    }
}

fn name(args: &[&str]) -> Result<Action, String> {
    let new = args.join(" ");
    match bad_name(&new) {
        Some(why) => Err(format!("{new}: {why}")),
        None => Ok(Action::Name(new)),
    }
}
