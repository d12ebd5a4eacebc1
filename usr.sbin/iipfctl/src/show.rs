// SPDX-License-Identifier: BSD-2-Clause
//! `iipfctl show`: everything there is to see, as text and as JSON.

use crate::device::{Device, explain};
use crate::states::{
    interfaces, map_json, map_text, maps, source_json, source_text, sources, state_json,
    state_text, states,
};
use crate::words::{Words, filter};
use iipf_abi::{
    IIPF_ACT_BLOCK, IIPF_ACT_MATCH, IIPF_ACT_PASS, IIPF_IF_SKIP, IIPF_IF_UP, IIPF_LIMIT_RULES,
    IIPF_LIMIT_STATES, IIPF_LIMIT_TABLES, IIPF_TABLE_CONST, IIPF_TABLE_COUNTERS,
    IIPF_TABLE_PERSIST, IIPF_TABLE_REFERENCED, IIPF_TM_ADAPTIVE_END, IIPF_TM_ADAPTIVE_START,
    IIPF_TM_DEFAULT, IIPFRULESTATS, IIPFSTATUS, IfInfo, RuleRec, RuleStats, RuleStatsReq, Status,
    TableInfo,
};
use libiipf::{Ruleset, limit_name, timeout_name};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// What can be shown.
pub(crate) const WHAT: [&str; 13] = [
    "rules",
    "nat",
    "states",
    "maps",
    "tables",
    "limits",
    "timeouts",
    "counters",
    "sources",
    "interfaces",
    "forwards",
    "status",
    "all",
];

/// One thing, for people and for programs.
struct Shown {
    text: String,
    json: Value,
}

/// `show WHAT [FILTER]`
///
/// # Errors
/// A sentence.
pub(crate) fn run(
    dev: &mut impl Device,
    words: &[String],
    verbose: bool,
    as_json: bool,
) -> Result<String, String> {
    let mut w = Words::new(words);
    let what = w.next().unwrap_or("rules");
    let rest = w.rest();
    if what != "states" && what != "table" && !rest.is_empty() {
        return Err(format!(
            "show {what} {}: only states take a filter",
            rest[0]
        ));
    }
    if what == "all" {
        let mut text = String::new();
        let mut all = Map::new();
        for what in WHAT.iter().filter(|w| **w != "all") {
            let one = one(dev, what, &[], verbose)?;
            _ = write!(text, "{}:\n{}\n", what.to_uppercase(), one.text);
            all.insert((*what).into(), one.json);
        }
        return Ok(if as_json {
            format!("{:#}\n", Value::from(all))
        } else {
            text
        });
    }
    let shown = one(dev, what, rest, verbose)?;
    Ok(if as_json {
        format!("{:#}\n", shown.json)
    } else {
        shown.text
    })
}

fn listed<T>(all: &[T], text: impl Fn(&T) -> String, json: impl Fn(&T) -> Value) -> Shown {
    Shown {
        text: all.iter().map(text).collect(),
        json: all.iter().map(json).collect(),
    }
}

fn one(dev: &mut impl Device, what: &str, rest: &[String], verbose: bool) -> Result<Shown, String> {
    match what {
        "rules" => rules(dev, verbose, true),
        "nat" => {
            let mut shown = rules(dev, verbose, false)?;
            let all = maps(dev)?;
            let maps = listed(&all, map_text, map_json);
            shown.text += &maps.text;
            shown.json = json!({ "rules": shown.json, "mappings": maps.json });
            Ok(shown)
        }
        "maps" => Ok(listed(&maps(dev)?, map_text, map_json)),
        "states" => {
            let all = states(dev, filter(rest, true)?)?;
            Ok(listed(&all, |s| state_text(s, verbose), state_json))
        }
        "sources" => Ok(listed(&sources(dev)?, source_text, source_json)),
        "tables" => Ok(listed(&crate::table::tables(dev)?, table_text, table_json)),
        "table" => {
            let text = crate::table::run(dev, rest, false)?;
            let json = crate::table::run(dev, rest, true)?;
            let json = serde_json::from_str(&json).map_err(|e| e.to_string())?;
            Ok(Shown { text, json })
        }
        "interfaces" => Ok(listed(&interfaces(dev)?, if_text, if_json)),
        "forwards" => {
            let all = crate::forward::list(dev)?;
            Ok(listed(&all, crate::forward::text, crate::forward::json))
        }
        "counters" => counters(dev, verbose),
        "limits" => limits(dev),
        "timeouts" => timeouts(dev),
        "status" => status(dev),
        "log" => Err("show log: 'iipfctl log' writes logged packets as pcap".into()),
        _ => Err(format!("show {what}: must be {}", WHAT.join(", "))),
    }
}

/// Counts of every rule, in order.
///
/// # Errors
/// A sentence.
pub(crate) fn rule_stats(dev: &mut impl Device) -> Result<Vec<RuleStats>, String> {
    let mut all = Vec::new();
    loop {
        let rq = RuleStatsReq {
            first: all.len() as u32,
            clear: 0,
        };
        let reply = dev
            .call(&IIPFRULESTATS, &rq)
            .map_err(|e| explain("rules", e))?;
        if reply.count == 0 {
            return Ok(all);
        }
        let some = reply.rules.get(..reply.count as usize);
        all.extend_from_slice(some.ok_or("the kernel's list is too long")?);
    }
}

fn is_filter(rec: &RuleRec) -> bool {
    matches!(rec.action, IIPF_ACT_PASS | IIPF_ACT_BLOCK | IIPF_ACT_MATCH)
}

fn anchor_path(r: &Ruleset, mut index: u32) -> String {
    let mut names = Vec::new();
    while let Some(a) = (index as usize)
        .checked_sub(1)
        .and_then(|i| r.anchors.get(i))
    {
        if names.len() > 64 {
            break;
        }
        names.push(a.name.to_string());
        index = a.parent;
    }
    names.reverse();
    names.join("/")
}

fn rules(dev: &mut impl Device, verbose: bool, filter: bool) -> Result<Shown, String> {
    let r = crate::load::running(dev)?.unwrap_or_default();
    let stats = if r.rules.is_empty() {
        Vec::new()
    } else {
        rule_stats(dev)?
    };
    let mut text = String::new();
    let mut all = Vec::new();
    for (i, rec) in r.rules.iter().enumerate() {
        if is_filter(rec) != filter {
            continue;
        }
        let rule = libiipf::rule(&r, rec).map_err(|e| e.to_string())?;
        let line = libiipf::print::rule(&rule);
        let anchor = anchor_path(&r, rec.anchor);
        let s = stats
            .get(i)
            .filter(|s| s.id == rec.id)
            .copied()
            .unwrap_or_default();
        _ = writeln!(text, "{line}");
        if verbose {
            _ = writeln!(
                text,
                "    [ {}:{}{} id {:#018x} ]\n    [ packets {}:{} bytes {}:{} states {} made {} refused {} ]",
                rule.pos.file,
                rule.pos.line,
                if anchor.is_empty() {
                    String::new()
                } else {
                    format!(" anchor {anchor}")
                },
                rec.id,
                s.packets[0],
                s.packets[1],
                s.bytes[0],
                s.bytes[1],
                s.states,
                s.states_made,
                s.refused,
            );
        }
        all.push(json!({
            "rule": line, "id": format!("{:#018x}", rec.id), "number": i + 1,
            "label": rule.label, "anchor": (!anchor.is_empty()).then_some(anchor),
            "file": rule.pos.file.as_ref(), "line": rule.pos.line,
            "packets": s.packets, "bytes": s.bytes, "states": s.states,
            "states_made": s.states_made, "refused": s.refused,
            "idle": (s.idle != u32::MAX).then_some(s.idle),
        }));
    }
    Ok(Shown {
        text,
        json: all.into(),
    })
}

fn table_words(t: &TableInfo) -> Vec<&'static str> {
    let words = [
        (IIPF_TABLE_PERSIST, "persist"),
        (IIPF_TABLE_CONST, "const"),
        (IIPF_TABLE_COUNTERS, "counters"),
        (IIPF_TABLE_REFERENCED, "referenced"),
    ];
    words
        .iter()
        .filter(|(bit, _)| t.table.flags & bit != 0)
        .map(|(_, w)| *w)
        .collect()
}

fn table_text(t: &TableInfo) -> String {
    format!(
        "<{}> entries {} rules {} matched {} missed {} {}\n",
        t.table.name,
        t.table.count,
        t.rules,
        t.matched,
        t.missed,
        table_words(t).join(" ")
    )
}

fn table_json(t: &TableInfo) -> Value {
    json!({
        "name": t.table.name.to_string(), "entries": t.table.count, "rules": t.rules,
        "matched": t.matched, "missed": t.missed, "memory": t.memory, "flags": table_words(t),
    })
}

const IF_COUNTS: [&str; 8] = [
    "in4_passed",
    "in4_dropped",
    "out4_passed",
    "out4_dropped",
    "in6_passed",
    "in6_dropped",
    "out6_passed",
    "out6_dropped",
];

fn if_text(i: &IfInfo) -> String {
    let has = |bit, word| if i.flags & bit != 0 { word } else { "" };
    let mut out = format!(
        "{} index {}{}{}\n",
        i.name,
        i.ifindex,
        has(IIPF_IF_UP, " up"),
        has(IIPF_IF_SKIP, " skip")
    );
    for (name, n) in IF_COUNTS.iter().zip(i.packets).filter(|(_, n)| *n != 0) {
        _ = writeln!(out, "    {name:14} {n}");
    }
    out
}

fn if_json(i: &IfInfo) -> Value {
    let counts: Map<String, Value> = IF_COUNTS
        .iter()
        .zip(i.packets)
        .map(|(n, v)| ((*n).to_owned(), v.into()))
        .collect();
    json!({
        "name": i.name.to_string(), "index": i.ifindex, "slot": i.slot,
        "up": i.flags & IIPF_IF_UP != 0, "skip": i.flags & IIPF_IF_SKIP != 0,
        "addresses": i.addrs, "packets": counts,
    })
}

fn counters(dev: &mut impl Device, verbose: bool) -> Result<Shown, String> {
    let mut all = dev.counters().map_err(|e| explain("counters", e))?;
    all.retain(|c| verbose || c.value != 0);
    Ok(listed(
        &all,
        |c| {
            format!(
                "{:20} {:>16}  {} [{}]\n",
                c.name, c.value, c.description, c.class
            )
        },
        |c| json!({ "name": c.name, "class": c.class, "value": c.value, "description": c.description }),
    ))
}

/// How iipf is.
///
/// # Errors
/// A sentence.
pub(crate) fn get_status(dev: &mut impl Device) -> Result<Status, String> {
    dev.call(&IIPFSTATUS, &()).map_err(|e| explain("status", e))
}

fn limits(dev: &mut impl Device) -> Result<Shown, String> {
    let s = get_status(dev)?;
    let mut text = String::new();
    let mut all = Map::new();
    for (i, (used, most)) in s.used.iter().zip(s.limits).enumerate() {
        let Some(name) = limit_name(i) else { continue };
        _ = writeln!(text, "{name:14} {used:>10} of {most:>10}");
        all.insert(name.into(), json!({ "used": used, "limit": most }));
    }
    Ok(Shown {
        text,
        json: all.into(),
    })
}

fn timeouts(dev: &mut impl Device) -> Result<Shown, String> {
    let s = get_status(dev)?;
    let mut text = String::new();
    let mut all = Map::new();
    for (i, v) in s.timeouts.values.iter().enumerate() {
        let Some(name) = timeout_name(i) else {
            continue;
        };
        let adaptive = i == IIPF_TM_ADAPTIVE_START || i == IIPF_TM_ADAPTIVE_END;
        let unit = if adaptive { "states" } else { "s" };
        let (shown, v) = match *v {
            IIPF_TM_DEFAULT => ("default".to_owned(), Value::Null),
            v => (format!("{v} {unit}"), v.into()),
        };
        _ = writeln!(text, "{name:16} {shown:>14}");
        all.insert(name.into(), v);
    }
    Ok(Shown {
        text,
        json: all.into(),
    })
}

fn status(dev: &mut impl Device) -> Result<Shown, String> {
    let s = get_status(dev)?;
    let states = s.used[IIPF_LIMIT_STATES];
    let text = format!(
        "{} for {} s; ruleset {}, loaded {} s ago\n\
         states {states} of {}, made {}, ended {}, {} bytes\n\
         rules {}, {} bytes; tables {}, {} bytes\n\
         packets in {} out {}, passed {}, dropped {}\n",
        if s.enabled != 0 {
            "enabled"
        } else {
            "disabled"
        },
        s.since,
        s.generation,
        s.loaded,
        s.limits[IIPF_LIMIT_STATES],
        s.inserted,
        s.removed,
        s.state_memory,
        s.used[IIPF_LIMIT_RULES],
        s.rules_memory,
        s.used[IIPF_LIMIT_TABLES],
        s.table_memory,
        s.packets[0],
        s.packets[1],
        s.passed,
        s.dropped,
    );
    let json = json!({
        "enabled": s.enabled != 0, "since": s.since, "generation": s.generation,
        "loaded": s.loaded, "states": states, "states_limit": s.limits[IIPF_LIMIT_STATES],
        "inserted": s.inserted, "removed": s.removed, "state_memory": s.state_memory,
        "rules": s.used[IIPF_LIMIT_RULES], "rules_memory": s.rules_memory,
        "tables": s.used[IIPF_LIMIT_TABLES], "table_memory": s.table_memory,
        "packets_in": s.packets[0], "packets_out": s.packets[1],
        "passed": s.passed, "dropped": s.dropped,
    });
    Ok(Shown { text, json })
}
