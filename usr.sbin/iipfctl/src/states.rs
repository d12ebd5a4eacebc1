// SPDX-License-Identifier: BSD-2-Clause
//! States, mappings and sources: listed, killed, saved and loaded.

use crate::device::{Device, explain};
use iipf_abi::{
    Cursor, Export, ExportRec, ExportReq, IIPF_EXPORT_LIST, IIPF_EXPORT_VERSION,
    IIPF_FILTER_ADDRESS, IIPF_FILTER_ENDPOINT, IIPF_MAP_BLOCK, IIPF_PEER_CLOSED, IIPF_PEER_CLOSING,
    IIPF_PEER_ESTABLISHED, IIPF_PEER_FIN_WAIT, IIPF_PEER_MULTIPLE, IIPF_PEER_NO_TRAFFIC,
    IIPF_PEER_SINGLE, IIPF_PEER_SYN_SENT, IIPF_PEER_TIME_WAIT, IIPF_ST_CHILD, IIPF_ST_HAIRPIN,
    IIPF_ST_IF_BOUND, IIPF_ST_LOG, IIPF_ST_NAT, IIPF_ST_SLOPPY, IIPF_ST_STALE, IIPF_ST_SYNPROXY,
    IIPFEXPORT, IIPFIMPORT, IIPFLISTIFS, IIPFLISTMAPS, IIPFLISTSOURCES, IIPFLISTSTATES, IfInfo,
    ImportReply, MapInfo, Peer, SourceInfo, StateFilter, StateInfo, StateListReq,
};
use kabi::zerocopy::FromZeros;
use kabi::{IntoBytes, read_pod};
use libiipf::{address, protocol_name};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Every page of a list: `next` gives the next cursor and takes what is in the page.
fn pages(mut next: impl FnMut(u64) -> Result<u64, String>) -> Result<(), String> {
    let mut cursor = 0;
    loop {
        cursor = next(cursor)?;
        if cursor == 0 {
            return Ok(());
        }
    }
}

const TOO_LONG: &str = "the kernel's list is too long";

/// The states that `filter` lets through.
///
/// # Errors
/// A sentence.
pub(crate) fn states(dev: &mut impl Device, filter: StateFilter) -> Result<Vec<StateInfo>, String> {
    let mut all = Vec::new();
    pages(|cursor| {
        let rq = StateListReq { cursor, filter };
        let page = dev
            .call(&IIPFLISTSTATES, &rq)
            .map_err(|e| explain("states", e))?;
        all.extend_from_slice(page.states.get(..page.count as usize).ok_or(TOO_LONG)?);
        Ok(page.cursor)
    })?;
    Ok(all)
}

/// Mappings and port blocks.
///
/// # Errors
/// A sentence.
pub(crate) fn maps(dev: &mut impl Device) -> Result<Vec<MapInfo>, String> {
    let mut all = Vec::new();
    pages(|cursor| {
        let page = dev
            .call(&IIPFLISTMAPS, &Cursor { cursor })
            .map_err(|e| explain("nat", e))?;
        all.extend_from_slice(page.maps.get(..page.count as usize).ok_or(TOO_LONG)?);
        Ok(page.cursor)
    })?;
    Ok(all)
}

/// Sources that are counted.
///
/// # Errors
/// A sentence.
pub(crate) fn sources(dev: &mut impl Device) -> Result<Vec<SourceInfo>, String> {
    let mut all = Vec::new();
    pages(|cursor| {
        let page = dev.call(&IIPFLISTSOURCES, &Cursor { cursor });
        let page = page.map_err(|e| explain("sources", e))?;
        all.extend_from_slice(page.sources.get(..page.count as usize).ok_or(TOO_LONG)?);
        Ok(page.cursor)
    })?;
    Ok(all)
}

/// Interfaces.
///
/// # Errors
/// A sentence.
pub(crate) fn interfaces(dev: &mut impl Device) -> Result<Vec<IfInfo>, String> {
    let mut all = Vec::new();
    pages(|cursor| {
        let page = dev.call(&IIPFLISTIFS, &Cursor { cursor });
        let page = page.map_err(|e| explain("interfaces", e))?;
        all.extend_from_slice(page.ifs.get(..page.count as usize).ok_or(TOO_LONG)?);
        Ok(page.cursor)
    })?;
    Ok(all)
}

/// `10.0.0.1:80`, `[2001:db8::1]:80`, without a port the address.
pub(crate) fn peer(af: u8, p: &Peer) -> String {
    let Some(addr) = address(af, p.addr) else {
        return "?".into();
    };
    match (p.port, p.spi) {
        (0, 0) => addr.to_string(),
        (0, spi) => format!("{addr} spi {spi:#010x}"),
        (port, _) if addr.is_ipv4() => format!("{addr}:{port}"),
        (port, _) => format!("[{addr}]:{port}"),
    }
}

fn half(p: u8) -> &'static str {
    match p {
        IIPF_PEER_CLOSED => "CLOSED",
        IIPF_PEER_SYN_SENT => "SYN_SENT",
        IIPF_PEER_ESTABLISHED => "ESTABLISHED",
        IIPF_PEER_CLOSING => "CLOSING",
        IIPF_PEER_FIN_WAIT => "FIN_WAIT",
        IIPF_PEER_TIME_WAIT => "TIME_WAIT",
        IIPF_PEER_NO_TRAFFIC => "NO_TRAFFIC",
        IIPF_PEER_SINGLE => "SINGLE",
        IIPF_PEER_MULTIPLE => "MULTIPLE",
        _ => "?",
    }
}

const FLAGS: [(u16, &str); 8] = [
    (IIPF_ST_NAT, "nat"),
    (IIPF_ST_IF_BOUND, "if-bound"),
    (IIPF_ST_SLOPPY, "sloppy"),
    (IIPF_ST_STALE, "stale"),
    (IIPF_ST_SYNPROXY, "synproxy"),
    (IIPF_ST_LOG, "log"),
    (IIPF_ST_CHILD, "child"),
    (IIPF_ST_HAIRPIN, "hairpin"),
];

fn flags(s: &StateInfo) -> Vec<&'static str> {
    FLAGS
        .iter()
        .filter(|(bit, _)| s.flags & bit != 0)
        .map(|(_, n)| *n)
        .collect()
}

/// One line, as pfctl -ss; with `verbose` a second.
pub(crate) fn state_text(s: &StateInfo, verbose: bool) -> String {
    let before = |seen: &Peer, nat: &Peer| {
        let text = peer(s.af, seen);
        if seen == nat {
            text
        } else {
            format!("{text} ({})", peer(s.af, nat))
        }
    };
    let mut out = format!(
        "{} {} {} -> {} {}:{}",
        protocol_name(s.proto),
        if s.dir == 1 { "in " } else { "out" },
        before(&s.src, &s.nat_src),
        before(&s.dst, &s.nat_dst),
        half(s.peer[0]),
        half(s.peer[1]),
    );
    if verbose {
        let words = flags(s);
        let words = if words.is_empty() {
            String::new()
        } else {
            format!(", {}", words.join(", "))
        };
        _ = write!(
            out,
            "\n    id {:#x}, rule {:#018x}, age {} s, expires in {} s, packets {}:{}, bytes {}:{}{words}",
            s.id, s.rule, s.age, s.expires, s.packets[0], s.packets[1], s.bytes[0], s.bytes[1],
        );
    }
    out + "\n"
}

pub(crate) fn state_json(s: &StateInfo) -> Value {
    json!({
        "id": s.id,
        "family": if u32::from(s.af) == kabi::ctl::AF_INET { "inet" } else { "inet6" },
        "protocol": protocol_name(s.proto),
        "direction": if s.dir == 1 { "in" } else { "out" },
        "source": peer(s.af, &s.src), "destination": peer(s.af, &s.dst),
        "translated_source": (s.src != s.nat_src).then(|| peer(s.af, &s.nat_src)),
        "translated_destination": (s.dst != s.nat_dst).then(|| peer(s.af, &s.nat_dst)),
        "state": [half(s.peer[0]), half(s.peer[1])],
        "packets": s.packets, "bytes": s.bytes,
        "age": s.age, "expires": s.expires, "mark": s.mark, "flags": flags(s),
        "rule": format!("{:#018x}", s.rule),
        "nat_rule": (s.nat_rule != 0).then(|| format!("{:#018x}", s.nat_rule)),
    })
}

pub(crate) fn map_text(m: &MapInfo) -> String {
    if m.kind == IIPF_MAP_BLOCK {
        let last = m.outside.port.saturating_add(m.ports.saturating_sub(1));
        return format!(
            "block {} -> {}-{last} used {}/{}\n",
            peer(m.af, &m.inside),
            peer(m.af, &m.outside),
            m.used,
            m.ports,
        );
    }
    let filtering = match m.filtering {
        IIPF_FILTER_ENDPOINT => "endpoint-independent",
        IIPF_FILTER_ADDRESS => "address-dependent",
        _ => "address-port-dependent",
    };
    format!(
        "{} {} -> {} {filtering} states {} {}\n",
        protocol_name(m.proto),
        peer(m.af, &m.inside),
        peer(m.af, &m.outside),
        m.states,
        if m.states == 0 {
            format!("expires in {} s", m.expires)
        } else {
            format!("age {} s", m.age)
        },
    )
}

pub(crate) fn map_json(m: &MapInfo) -> Value {
    json!({
        "kind": if m.kind == IIPF_MAP_BLOCK { "block" } else { "mapping" },
        "protocol": protocol_name(m.proto),
        "inside": peer(m.af, &m.inside), "outside": peer(m.af, &m.outside),
        "ports": m.ports, "used": m.used, "states": m.states,
        "age": m.age, "expires": m.expires,
        "rule": format!("{:#018x}", m.rule),
    })
}

pub(crate) fn source_text(s: &SourceInfo) -> String {
    let addr = address(s.af, s.addr).map_or("?".into(), |a| a.to_string());
    format!(
        "{addr} states {} connections {} rate {} mappings {} refused {}\n",
        s.states, s.conns, s.rate, s.mappings, s.refused
    )
}

pub(crate) fn source_json(s: &SourceInfo) -> Value {
    let text = |bytes| address(s.af, bytes).map(|a| a.to_string());
    json!({
        "address": text(s.addr),
        "states": s.states, "connections": s.conns, "rate": s.rate,
        "mappings": s.mappings, "refused": s.refused, "age": s.age, "expires": s.expires,
        "rule": (s.rule != 0).then(|| format!("{:#018x}", s.rule)),
    })
}

/// What a file of states begins with; numbers are in the byte order of the machine, which the
/// version shows.
const MAGIC: &[u8; 8] = b"iipfst\r\n";

/// All states as a file's bytes.
///
/// # Errors
/// A sentence.
pub(crate) fn save(dev: &mut impl Device) -> Result<(Vec<u8>, usize), String> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&IIPF_EXPORT_VERSION.to_ne_bytes());
    out.extend_from_slice(&(size_of::<ExportRec>() as u32).to_ne_bytes());
    let mut count = 0;
    pages(|cursor| {
        let rq = ExportReq {
            cursor,
            version: IIPF_EXPORT_VERSION,
            pad: 0,
        };
        let page = dev
            .call(&IIPFEXPORT, &rq)
            .map_err(|e| explain("save-states", e))?;
        let some = page.states.get(..page.count as usize).ok_or(TOO_LONG)?;
        count += some.len();
        out.extend_from_slice(some.as_bytes());
        Ok(page.cursor)
    })?;
    Ok((out, count))
}

/// States out of a file's bytes.
///
/// # Errors
/// A sentence.
pub(crate) fn restore(dev: &mut impl Device, bytes: &[u8]) -> Result<ImportReply, String> {
    let records = records(bytes)?;
    let mut sum = ImportReply::default();
    for part in records.chunks(IIPF_EXPORT_LIST) {
        let mut rq = Export::new_zeroed();
        rq.version = IIPF_EXPORT_VERSION;
        rq.count = part.len() as u32;
        rq.states[..part.len()].copy_from_slice(part);
        let r = dev
            .call(&IIPFIMPORT, &rq)
            .map_err(|e| explain("load-states", e))?;
        sum.taken += r.taken;
        sum.exists += r.exists;
        sum.refused += r.refused;
        sum.bad += r.bad;
        sum.full += r.full;
    }
    Ok(sum)
}

fn records(bytes: &[u8]) -> Result<Vec<ExportRec>, String> {
    let number = |at: usize| read_pod::<u32>(bytes.get(at..)?);
    if bytes.get(..8) != Some(MAGIC) {
        return Err("not a file that iipfctl save-states wrote".into());
    }
    let (version, size) = (number(8).unwrap_or(0), number(12).unwrap_or(0));
    if version == IIPF_EXPORT_VERSION.swap_bytes() {
        return Err("written on a machine of the other byte order".into());
    }
    if version != IIPF_EXPORT_VERSION || size as usize != size_of::<ExportRec>() {
        return Err(format!(
            "version {version} of the format; this is {IIPF_EXPORT_VERSION}"
        ));
    }
    let records = bytes[16..].chunks_exact(size_of::<ExportRec>());
    if !records.remainder().is_empty() {
        return Err("it ends within a state".into());
    }
    Ok(records.filter_map(read_pod).collect())
}
