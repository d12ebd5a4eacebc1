// SPDX-License-Identifier: BSD-2-Clause
//! `iipfctl table`: tables while they are in use.

use crate::device::{Device, explain};
use crate::words::{Words, name, number};
use iipf_abi::{
    IIPF_TABLE_CHUNK, IIPF_TOP_ADD, IIPF_TOP_DELETE, IIPF_TOP_DESTROY, IIPF_TOP_EXPIRE,
    IIPF_TOP_FLUSH, IIPF_TOP_MARK, IIPF_TOP_SWEEP, IIPF_TOP_TEST, IIPF_TOP_ZERO, IIPFTABLE,
    IIPFTABLEENTRIES, IIPFTABLES, TableEntry, TableInfo, TableListReq, TableReply, TableReq,
};
use kabi::zerocopy::FromZeros;
use libiipf::ast::Entry;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// All entries of a table.
///
/// # Errors
/// A sentence.
pub(crate) fn entries(dev: &mut impl Device, table: &str) -> Result<Vec<TableEntry>, String> {
    let mut rq = TableListReq {
        name: name("table", table)?,
        cursor: 0,
    };
    let mut all = Vec::new();
    loop {
        let doing = format!("table {table}");
        let reply = dev
            .call(&IIPFTABLEENTRIES, &rq)
            .map_err(|e| why(&doing, e))?;
        let some = reply.entries.get(..reply.count as usize);
        all.extend_from_slice(some.ok_or("the kernel's list is too long")?);
        if reply.cursor == 0 {
            return Ok(all);
        }
        rq.cursor = reply.cursor;
    }
}

/// All tables.
///
/// # Errors
/// A sentence.
pub(crate) fn tables(dev: &mut impl Device) -> Result<Vec<TableInfo>, String> {
    let mut rq = TableListReq::default();
    let mut all = Vec::new();
    loop {
        let reply = dev
            .call(&IIPFTABLES, &rq)
            .map_err(|e| explain("tables", e))?;
        let some = reply.tables.get(..reply.count as usize);
        all.extend_from_slice(some.ok_or("the kernel's list is too long")?);
        if reply.cursor == 0 {
            return Ok(all);
        }
        rq.cursor = reply.cursor;
    }
}

fn why(doing: &str, e: libkctl::Error) -> String {
    use libkctl::Errno;
    match e.errno() {
        Some(Errno::ENOENT) => format!("{doing}: there is no such table; iipfctl show tables"),
        Some(Errno::EPERM) => format!("{doing}: it is const, only a load changes it"),
        Some(Errno::ENOSPC) => format!("{doing}: the limit of table-entries is reached"),
        Some(Errno::EBUSY) => format!("{doing}: rules name it"),
        _ => explain(doing, e),
    }
}

/// One change, cut into as many calls as it needs; `seconds` as in the request.
fn change(
    dev: &mut impl Device,
    table: &str,
    op: u32,
    seconds: u32,
    all: &[Entry],
) -> Result<TableReply, String> {
    let mut sum = TableReply::default();
    let parts: Vec<&[Entry]> = if all.is_empty() {
        vec![&[]]
    } else {
        all.chunks(IIPF_TABLE_CHUNK).collect()
    };
    for part in parts {
        let mut rq = TableReq::new_zeroed();
        rq.name = name("table", table)?;
        rq.op = op;
        rq.seconds = seconds;
        rq.count = part.len() as u32;
        for (to, e) in rq.addrs.iter_mut().zip(part) {
            *to = libiipf::table_addr(0, e);
        }
        let reply = dev
            .call(&IIPFTABLE, &rq)
            .map_err(|e| why(&format!("table {table}"), e))?;
        sum.added += reply.added;
        sum.deleted += reply.deleted;
        sum.changed += reply.changed;
        sum.matches += reply.matches;
        sum.matched = reply.matched;
    }
    Ok(sum)
}

/// Words, and those in files that are written as @FILE.
fn addresses(words: &[String]) -> Result<Vec<Entry>, String> {
    let mut all = Vec::new();
    for word in words {
        let Some(file) = word.strip_prefix('@') else {
            all.push(libiipf::parse_entry(word)?);
            continue;
        };
        let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split(['#', ';']).next().unwrap_or("").trim();
            if !text.is_empty() {
                let e = libiipf::parse_entry(text).map_err(|e| format!("{file}:{line}:1: {e}"))?;
                all.push(e);
            }
        }
    }
    Ok(all)
}

/// `table NAME WHAT ...`: what to print.
///
/// # Errors
/// A sentence.
pub(crate) fn run(
    dev: &mut impl Device,
    words: &[String],
    as_json: bool,
) -> Result<String, String> {
    let mut w = Words::new(words);
    let table = w
        .next()
        .ok_or("table: which? iipfctl show tables lists them")?;
    let what = w.next().unwrap_or("show");
    let mut seconds = 0;
    if w.eat("for") {
        let text = w.after("for")?;
        seconds = number("for", text, 1, u64::from(u32::MAX - 1))? as u32;
    }
    let need = |all: Vec<Entry>| {
        if all.is_empty() {
            return Err(format!("table {table} {what}: which addresses?"));
        }
        Ok(all)
    };
    let reply = match what {
        "show" => return shown(dev, table, as_json),
        "test" => return test(dev, table, &need(addresses(w.rest())?)?, as_json),
        "add" => change(
            dev,
            table,
            IIPF_TOP_ADD,
            seconds,
            &need(addresses(w.rest())?)?,
        )?,
        "delete" => change(dev, table, IIPF_TOP_DELETE, 0, &need(addresses(w.rest())?)?)?,
        "replace" => {
            // All words are read before anything changes.
            let all = addresses(w.rest())?;
            change(dev, table, IIPF_TOP_MARK, 0, &[])?;
            let added = change(dev, table, IIPF_TOP_ADD, seconds, &all)?;
            let swept = change(dev, table, IIPF_TOP_SWEEP, 0, &[])?;
            TableReply {
                deleted: swept.deleted,
                ..added
            }
        }
        "flush" => change(dev, table, IIPF_TOP_FLUSH, 0, &[])?,
        "zero" => change(dev, table, IIPF_TOP_ZERO, 0, &addresses(w.rest())?)?,
        "destroy" => change(dev, table, IIPF_TOP_DESTROY, 0, &[])?,
        "expire" => {
            let text = w.after("expire")?;
            let age = number("expire", text, 0, u64::from(u32::MAX - 1))? as u32;
            change(dev, table, IIPF_TOP_EXPIRE, age, &[])?
        }
        _ => {
            return Err(format!(
                "table {table} {what}: must be show, test, add, delete, replace, flush, zero, \
                 expire or destroy"
            ));
        }
    };
    let TableReply {
        added,
        deleted,
        changed,
        ..
    } = reply;
    if as_json {
        let all = json!({ "added": added, "deleted": deleted, "changed": changed });
        return Ok(format!("{all:#}\n"));
    }
    Ok(format!(
        "{added} added, {deleted} deleted, {changed} changed\n"
    ))
}

fn text_of(e: &TableEntry) -> String {
    libiipf::entry(&e.addr).map_or_else(|_| "?".into(), |e| libiipf::print::entry(&e))
}

fn shown(dev: &mut impl Device, table: &str, as_json: bool) -> Result<String, String> {
    let all = entries(dev, table)?;
    if as_json {
        let all: Vec<Value> = all.iter().map(entry_json).collect();
        return Ok(format!("{:#}\n", Value::from(all)));
    }
    let mut out = String::new();
    for e in &all {
        _ = write!(out, "{:<43}", text_of(e));
        if e.packets != 0 || e.idle != u32::MAX {
            _ = write!(out, " packets {} bytes {}", e.packets, e.bytes);
        }
        if e.expires != 0 {
            _ = write!(out, " expires in {} s", e.expires);
        }
        out = format!("{}\n", out.trim_end());
    }
    Ok(out)
}

fn entry_json(e: &TableEntry) -> Value {
    json!({
        "entry": text_of(e), "age": e.age,
        "expires": (e.expires != 0).then_some(e.expires),
        "packets": e.packets, "bytes": e.bytes,
        "idle": (e.idle != u32::MAX).then_some(e.idle),
    })
}

fn test(
    dev: &mut impl Device,
    table: &str,
    all: &[Entry],
    as_json: bool,
) -> Result<String, String> {
    let mut out = String::new();
    let mut found = Vec::new();
    for part in all.chunks(IIPF_TABLE_CHUNK) {
        let reply = change(dev, table, IIPF_TOP_TEST, 0, part)?;
        for (i, e) in part.iter().enumerate() {
            let bits = reply.matched.get(i / 64).copied().unwrap_or(0);
            let matches = bits >> (i % 64) & 1 != 0;
            let text = libiipf::print::entry(e);
            _ = writeln!(
                out,
                "{text} {}",
                if matches { "matches" } else { "does not match" }
            );
            found.push(json!({ "address": text, "matches": matches }));
        }
    }
    if as_json {
        return Ok(format!("{:#}\n", Value::from(found)));
    }
    Ok(out)
}
