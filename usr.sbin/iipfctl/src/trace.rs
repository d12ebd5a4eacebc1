// SPDX-License-Identifier: BSD-2-Clause
//! `iipfctl trace`: what happens to a packet and why.

use crate::device::{Device, explain, printable};
use crate::states::peer;
use crate::words::filter;
use iipf_abi::{
    IIPF_STEP_ALG, IIPF_STEP_DROP, IIPF_STEP_FILTER_RULE, IIPF_STEP_FORWARD, IIPF_STEP_FRAGMENT,
    IIPF_STEP_HAIRPIN, IIPF_STEP_ICMP_ERROR, IIPF_STEP_LIMIT, IIPF_STEP_MAPPING,
    IIPF_STEP_MAPPING_REFUSED, IIPF_STEP_MARK, IIPF_STEP_MATCH_RULE, IIPF_STEP_MSS,
    IIPF_STEP_NAT_RULE, IIPF_STEP_ON, IIPF_STEP_OUT, IIPF_STEP_PARSED, IIPF_STEP_REPLY,
    IIPF_STEP_SKIP, IIPF_STEP_STATE_FOUND, IIPF_STEP_STATE_MADE, IIPF_STEP_STATE_NONE,
    IIPF_STEP_STATE_REFUSED, IIPF_STEP_TRANSLATED, IIPF_VERDICT_DROP, IIPF_VERDICT_KEPT,
    IIPF_VERDICT_PASS, IIPFTRACEARM, IIPFTRACEPACKET, IIPFTRACEREAD, TraceArm, TraceReply,
    TraceStep,
};
use libiipf::{Ruleset, protocol_name};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A described packet.
///
/// # Errors
/// A sentence.
pub(crate) fn described(
    dev: &mut impl Device,
    words: &[String],
    as_json: bool,
) -> Result<String, String> {
    let packet = crate::packet::described(words)?;
    let rules = crate::load::running(dev)?.unwrap_or_default();
    let reply = dev
        .call(&IIPFTRACEPACKET, &packet)
        .map_err(|e| match e.errno() {
            Some(libkctl::Errno::ENXIO) => format!(
                "trace: there is no interface {}, or iipf is not loaded",
                packet.ifname
            ),
            _ => explain("trace", e),
        })?;
    if as_json {
        return Ok(format!("{:#}\n", to_json(&reply, &rules)));
    }
    Ok(to_text(&reply, &rules))
}

/// The next live packets; each is given to `show` as it comes. Ends after `count`, or when `patience`
/// is over without one.
///
/// # Errors
/// A sentence.
pub(crate) fn live(
    dev: &mut impl Device,
    count: u32,
    words: &[String],
    patience: Duration,
    as_json: bool,
    show: &mut dyn FnMut(&str) -> Result<bool, String>,
) -> Result<(), String> {
    let arm = TraceArm {
        count,
        dir: 0,
        filter: filter(words, false)?,
    };
    let rules = crate::load::running(dev)?.unwrap_or_default();
    dev.call(&IIPFTRACEARM, &arm)
        .map_err(|e| explain("trace", e))?;
    let mut last = Instant::now();
    let mut seen = 0;
    let mut result = Ok(());
    while seen < count {
        let reply = match dev.call(&IIPFTRACEREAD, &()) {
            Ok(reply) => reply,
            Err(e) => {
                result = Err(explain("trace", e));
                break;
            }
        };
        if reply.count == 0 {
            if last.elapsed() >= patience {
                result = Err(format!("trace: no packet in {} s", patience.as_secs()));
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
            continue;
        }
        last = Instant::now();
        seen += 1;
        let text = if as_json {
            format!("{}\n", to_json(&reply, &rules))
        } else {
            to_text(&reply, &rules)
        };
        if !show(&text)? {
            break;
        }
    }
    if seen < count {
        // Off again; if that fails, it goes off by its count.
        let _ = dev.call(&IIPFTRACEARM, &TraceArm::default());
    }
    result
}

fn rule(rules: &Ruleset, index: u32) -> Option<String> {
    let rec = rules.rules.get((index as usize).checked_sub(1)?)?;
    let rule = libiipf::rule(rules, rec).ok()?;
    let text = libiipf::print::rule(&rule);
    Some(if rule.pos.file.is_empty() {
        text
    } else {
        format!("{}:{}: {text}", rule.pos.file, rule.pos.line)
    })
}

fn steps(r: &TraceReply) -> &[TraceStep] {
    r.steps.get(..r.count as usize).unwrap_or(&r.steps)
}

fn verdict(r: &TraceReply) -> &'static str {
    match r.verdict {
        IIPF_VERDICT_PASS => "passes",
        IIPF_VERDICT_DROP => "is dropped",
        IIPF_VERDICT_KEPT => "waits for other fragments",
        _ => "?",
    }
}

/// What a step says, and the name that programs know it by.
fn step(s: &TraceStep, rules: &Ruleset) -> (&'static str, String) {
    let who = rule(rules, s.rule);
    let tuple = || format!("{} -> {}", peer(s.af, &s.src), peer(s.af, &s.dst));
    let name = printable(s.name.as_str().unwrap_or("?"));
    let icmp = || format!("ICMP type {} code {}", s.value >> 8, s.value & 0xff);
    match s.step {
        IIPF_STEP_PARSED => ("parsed", format!("{} {}", protocol_name(s.proto), tuple())),
        IIPF_STEP_SKIP => ("skip", "the interface is not looked at (set skip)".into()),
        IIPF_STEP_FRAGMENT if s.value == 0 => ("fragment", "a fragment; others are missing".into()),
        IIPF_STEP_FRAGMENT => ("fragment", format!("put together, {} bytes", s.value)),
        IIPF_STEP_STATE_FOUND => ("state_found", format!("state {:#x} takes it", s.value)),
        IIPF_STEP_STATE_NONE => ("state_none", "no state".into()),
        IIPF_STEP_STATE_REFUSED => ("state_refused", format!("its state refuses it: {name}")),
        IIPF_STEP_ICMP_ERROR => (
            "icmp_error",
            format!("an ICMP error about state {:#x}", s.value),
        ),
        IIPF_STEP_NAT_RULE => (
            "nat_rule",
            who.map_or_else(
                || "no translation rule matches".into(),
                |r| format!("translated by {r}"),
            ),
        ),
        IIPF_STEP_FORWARD => ("forward", format!("forward {} takes it", s.value)),
        IIPF_STEP_MAPPING => ("mapping", format!("there is a mapping: {}", tuple())),
        IIPF_STEP_MAPPING_REFUSED => (
            "mapping_refused",
            "the mapping's filtering refuses this sender".into(),
        ),
        IIPF_STEP_TRANSLATED => ("translated", format!("now {}", tuple())),
        IIPF_STEP_HAIRPIN => ("hairpin", "turns round to an inside host".into()),
        IIPF_STEP_MATCH_RULE => ("match_rule", format!("applied {}", who.unwrap_or_default())),
        IIPF_STEP_FILTER_RULE => (
            "filter_rule",
            who.map_or_else(
                || "no rule matches: the default".into(),
                |r| format!("decided by {r}"),
            ),
        ),
        IIPF_STEP_LIMIT => ("limit", format!("over a limit: {name}")),
        IIPF_STEP_STATE_MADE if s.value == 0 => ("state_made", "a state would be made".into()),
        IIPF_STEP_STATE_MADE => ("state_made", format!("state {:#x} is made", s.value)),
        IIPF_STEP_ALG => ("alg", format!("{name} looks into it")),
        IIPF_STEP_MARK => ("mark", format!("mark {:#x}", s.value)),
        IIPF_STEP_REPLY if s.value == 0 => ("reply", "a TCP reset goes back".into()),
        IIPF_STEP_REPLY => ("reply", format!("{} goes back", icmp())),
        IIPF_STEP_ON if name.is_empty() => ("on", "goes on to the system's routing".into()),
        IIPF_STEP_ON => ("on", format!("goes out by {name}")),
        IIPF_STEP_OUT => ("out", format!("on its way out by {name}")),
        IIPF_STEP_DROP => ("drop", format!("dropped: {name}")),
        IIPF_STEP_MSS => ("mss", format!("MSS becomes {}", s.value)),
        _ => ("unknown", format!("step {} of another version", s.step)),
    }
}

fn to_text(r: &TraceReply, rules: &Ruleset) -> String {
    let dir = if r.dir == 1 { "in" } else { "out" };
    let mut out = format!("{dir} on {}, {} bytes: {}\n", r.ifname, r.len, verdict(r));
    for s in steps(r) {
        _ = writeln!(out, "    {}", step(s, rules).1);
    }
    if r.lost != 0 {
        _ = writeln!(out, "    ({} packets before it were missed)", r.lost);
    }
    out
}

fn to_json(r: &TraceReply, rules: &Ruleset) -> Value {
    let steps: Vec<Value> = steps(r)
        .iter()
        .map(|s| {
            let (kind, text) = step(s, rules);
            json!({
                "step": kind, "text": text, "rule": rule(rules, s.rule), "value": s.value,
                "name": printable(s.name.as_str().unwrap_or("?")),
                "source": (s.af != 0).then(|| peer(s.af, &s.src)),
                "destination": (s.af != 0).then(|| peer(s.af, &s.dst)),
            })
        })
        .collect();
    json!({
        "interface": r.ifname.to_string(),
        "direction": if r.dir == 1 { "in" } else { "out" },
        "bytes": r.len, "lost": r.lost,
        "verdict": match r.verdict {
            IIPF_VERDICT_PASS => "pass", IIPF_VERDICT_DROP => "drop", _ => "kept",
        },
        "steps": steps,
    })
}
