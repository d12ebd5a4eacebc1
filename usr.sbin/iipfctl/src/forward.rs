// SPDX-License-Identifier: BSD-2-Clause
//! `iipfctl forward`: outside ports that go to inside hosts for some time.

use crate::device::{Device, explain};
use crate::words::{Words, address, af_of, name, network, number, port, protocol};
use iipf_abi::{
    Cursor, ForwardDel, ForwardRec, IIPF_FWD_ANY_PORT, IIPF_FWD_HAIRPIN, IIPF_FWD_PASS,
    IIPFADDFORWARD, IIPFDELFORWARD, IIPFLISTFORWARDS,
};
use libiipf::{octets, protocol_name};
use libkctl::Errno;
use serde_json::{Value, json};

const OWNER: &str = "iipfctl";

/// All forwards.
///
/// # Errors
/// A sentence.
pub(crate) fn list(dev: &mut impl Device) -> Result<Vec<ForwardRec>, String> {
    let mut all = Vec::new();
    let mut cursor = Cursor::default();
    loop {
        let page = dev
            .call(&IIPFLISTFORWARDS, &cursor)
            .map_err(|e| explain("forward", e))?;
        let some = page.forwards.get(..page.count as usize);
        all.extend_from_slice(some.ok_or("the kernel's list is too long")?);
        if page.cursor == 0 {
            return Ok(all);
        }
        cursor.cursor = page.cursor;
    }
}

fn outside(f: &ForwardRec) -> String {
    if f.outside == [0; 16] {
        let name = f.ifname.to_string();
        return if name.is_empty() {
            "(any)".into()
        } else {
            format!("({name})")
        };
    }
    libiipf::address(f.af, f.outside).map_or("?".into(), |a| a.to_string())
}

fn inside(f: &ForwardRec) -> String {
    libiipf::address(f.af, f.inside).map_or("?".into(), |a| a.to_string())
}

pub(crate) fn text(f: &ForwardRec) -> String {
    let ports = |first: u16| match f.ports {
        0 | 1 => first.to_string(),
        n => format!("{first}:{}", first.saturating_add(n - 1)),
    };
    let left = if f.lifetime == 0 {
        String::new()
    } else {
        format!(" for {} s", f.lifetime)
    };
    let what = f.description.to_string();
    format!(
        "{} {} {} port {} -> {} port {}{left} by {} packets {}{}\n",
        f.id,
        protocol_name(f.proto),
        outside(f),
        ports(f.outside_port),
        inside(f),
        ports(f.inside_port),
        f.owner,
        f.packets,
        if what.is_empty() {
            String::new()
        } else {
            format!(" \"{}\"", crate::device::printable(&what))
        },
    )
}

pub(crate) fn json(f: &ForwardRec) -> Value {
    let remote = libiipf::address(f.af, f.remote).filter(|_| f.remote_prefixlen != 0);
    json!({
        "id": f.id, "protocol": protocol_name(f.proto), "interface": f.ifname.to_string(),
        "outside": outside(f), "outside_port": f.outside_port,
        "inside": inside(f), "inside_port": f.inside_port, "ports": f.ports.max(1),
        "remote": remote.map(|a| format!("{a}/{}", f.remote_prefixlen)),
        "lifetime": (f.lifetime != 0).then_some(f.lifetime), "packets": f.packets,
        "owner": f.owner.to_string(), "description": f.description.to_string(),
    })
}

/// `add proto P [on IF] [from NET] to [ADDR] port N[:M] -> ADDR [port N] [for SECS] [hairpin] [pass]`
fn add(w: &mut Words<'_>) -> Result<ForwardRec, String> {
    let mut f = ForwardRec {
        owner: name("owner", OWNER)?,
        ports: 1,
        ..ForwardRec::default()
    };
    let family = |f: &mut ForwardRec, af: u8| {
        if f.af != 0 && f.af != af {
            return Err("forward: the addresses are of two families".to_owned());
        }
        f.af = af;
        Ok(())
    };
    let mut behind = false;
    while let Some(word) = w.next() {
        match word {
            "proto" => f.proto = protocol(w.after(word)?)?,
            "on" => f.ifname = name("interface", w.after(word)?)?,
            "from" => {
                let text = w.after(word)?;
                if text != "any" {
                    let e = network(word, text)?;
                    family(&mut f, af_of(e.addr))?;
                    f.remote = octets(e.addr);
                    f.remote_prefixlen = e.len;
                }
            }
            "to" => {
                if w.rest().first().is_none_or(|next| next != "port") {
                    let addr = address(word, w.after(word)?)?;
                    family(&mut f, af_of(addr))?;
                    f.outside = octets(addr);
                }
            }
            "port" if behind => f.inside_port = port(w.after(word)?)?,
            "port" => {
                let text = w.after(word)?;
                let (lo, hi) = text.split_once(':').unwrap_or((text, text));
                let (lo, hi) = (port(lo)?, port(hi)?);
                if lo > hi || hi - lo == u16::MAX {
                    return Err(format!("forward: ports {text}: end before they begin"));
                }
                f.outside_port = lo;
                f.ports = hi - lo + 1;
            }
            "->" => {
                let addr = address(word, w.after(word)?)?;
                family(&mut f, af_of(addr))?;
                f.inside = octets(addr);
                behind = true;
            }
            "for" => f.lifetime = number(word, w.after(word)?, 1, u64::from(u32::MAX))? as u32,
            "any-port" => f.flags |= IIPF_FWD_ANY_PORT,
            "hairpin" => f.flags |= IIPF_FWD_HAIRPIN,
            "pass" => f.flags |= IIPF_FWD_PASS,
            "description" => f.description = name(word, w.after(word)?)?,
            _ => {
                return Err(format!(
                    "forward add: '{word}' is not understood; see iipfctl(8)"
                ));
            }
        }
    }
    if f.proto != 6 && f.proto != 17 {
        return Err("forward add: say proto tcp or proto udp".into());
    }
    if !behind {
        return Err("forward add: to whom? '-> ADDRESS'".into());
    }
    if f.outside_port == 0 {
        f.flags |= IIPF_FWD_ANY_PORT;
        if f.inside_port == 0 {
            return Err("forward add: which port? 'to port N'".into());
        }
    }
    if f.inside_port == 0 {
        f.inside_port = f.outside_port;
    }
    if u32::from(f.inside_port) + u32::from(f.ports) > 65_536 {
        return Err("forward add: the inside ports end above 65535".into());
    }
    Ok(f)
}

/// `forward add|del|list ...`
///
/// # Errors
/// A sentence.
pub(crate) fn run(
    dev: &mut impl Device,
    words: &[String],
    as_json: bool,
) -> Result<String, String> {
    let mut w = Words::new(words);
    let shown = |all: &[ForwardRec]| {
        if as_json {
            format!("{:#}\n", all.iter().map(json).collect::<Value>())
        } else {
            all.iter().map(text).collect()
        }
    };
    match w.next().unwrap_or("list") {
        "list" => Ok(shown(&list(dev)?)),
        "add" => {
            let rq = add(&mut w)?;
            let made = dev
                .call(&IIPFADDFORWARD, &rq)
                .map_err(|e| match e.errno() {
                    Some(Errno::EADDRINUSE) => {
                        "forward add: the outside port is taken; 'any-port' takes another".into()
                    }
                    Some(Errno::EEXIST) => "forward add: somebody else has this forward".into(),
                    Some(Errno::ENOSPC) => "forward add: the limit of forwards is reached".into(),
                    _ => explain("forward add", e),
                })?;
            Ok(shown(&[made]))
        }
        "del" | "delete" => {
            let id = match w.next() {
                Some("all") => 0,
                Some(text) => number("forward", text, 1, u64::MAX)?,
                None => return Err("forward del: which? its number, or all".into()),
            };
            let rq = ForwardDel {
                id,
                // "all" means our own.
                owner: if id == 0 {
                    name("owner", OWNER)?
                } else {
                    kabi::Name::EMPTY
                },
                kill: u32::from(w.eat("kill")),
                ..ForwardDel::default()
            };
            let gone = dev
                .call(&IIPFDELFORWARD, &rq)
                .map_err(|e| match e.errno() {
                    Some(Errno::ENOENT) => "forward del: there is none".into(),
                    _ => explain("forward del", e),
                })?;
            Ok(if as_json {
                format!("{:#}\n", json!({ "deleted": gone.count }))
            } else {
                format!("{} deleted\n", gone.count)
            })
        }
        other => Err(format!("forward {other}: must be add, del or list")),
    }
}
