// SPDX-License-Identifier: BSD-2-Clause
//! Everything but reading: what rings there are, statistics, throttled sources, and changes.

use crate::client::{Client, Trouble, socket};
use crate::options::{Options, StatsArgs};
use crate::out::print;
use crate::table::{bytes, table};
use liblog::proto::{Reply, Request};
use serde::Serialize;
use serde_json::Value;
use std::time::{Duration, Instant};

fn ask(o: &Options, request: &Request) -> Result<Reply, Trouble> {
    Client::open(&socket(o))?.ask(request)
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("-")
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn line(words: &[&str]) -> Vec<String> {
    words.iter().map(|&w| w.to_owned()).collect()
}

fn pretty(value: &impl Serialize) -> Result<(), Trouble> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Trouble::Other(e.to_string()))?;
    print(&format!("{text}\n"))
}

fn strange(reply: &Reply) -> Trouble {
    Trouble::Other(format!("syslogd answered something else: {reply:?}"))
}

/// `rings`.
///
/// # Errors
///
/// syslogd is not there, or refuses; so below.
pub fn rings(o: &Options) -> Result<(), Trouble> {
    let reply = ask(o, &Request::Rings)?;
    let Reply::Rings { rings } = &reply else {
        return Err(strange(&reply));
    };
    if o.json {
        return pretty(&reply);
    }
    let heads = [
        "RING", "SIZE", "USED", "RECORDS", "FIRST", "NEXT", "PUSHED", "DROPPED", "KEEP", "PACK",
    ];
    let mut lines = vec![line(&heads)];
    for ring in rings {
        lines.push(vec![
            ring.name.clone(),
            bytes(ring.size),
            bytes(ring.used),
            ring.records.to_string(),
            ring.first.to_string(),
            ring.next.to_string(),
            ring.pushed.to_string(),
            ring.dropped.to_string(),
            ring.keep.clone(),
            ring.pack.clone(),
        ]);
    }
    print(&table(&lines, &[0, 8, 9]))
}

/// `stats`.
///
/// # Errors
///
/// See `rings`; or the command line makes no sense.
pub fn stats(o: &Options, args: &StatsArgs) -> Result<(), Trouble> {
    let wait = args.wait.unwrap_or(1.0);
    if !(0.1..=86_400.0).contains(&wait) {
        return Err(Trouble::Usage(
            "stats: --wait must be 0.1 to 86400 seconds".into(),
        ));
    }
    let mut left = if args.wait.is_none() {
        Some(1)
    } else {
        args.count
    };
    let mut client = Client::open(&socket(o))?;
    let mut before: Option<(Value, Instant)> = None;
    while left != Some(0) {
        let stats = match client.ask(&Request::Stats)? {
            Reply::Stats { stats } => stats,
            other => return Err(strange(&other)),
        };
        let now = Instant::now();
        if o.json && args.wait.is_some() {
            print(&format!("{stats}\n"))?;
        } else if o.json {
            pretty(&stats)?;
        } else {
            let since = before
                .as_ref()
                .map(|(old, at)| (old, now.duration_since(*at).as_secs_f64()));
            print(&report(&stats, since))?;
        }
        before = Some((stats, now));
        left = left.map(|n| n - 1);
        if left != Some(0) {
            std::thread::sleep(Duration::from_secs_f64(wait));
        }
    }
    Ok(())
}

/// Numbers by their names, `received.local`; lists are those of rules and outputs.
fn counters(value: &Value, name: &str, into: &mut Vec<(String, u64)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                counters(value, &name, into);
            }
        }
        Value::Number(n) => into.extend(n.as_u64().map(|n| (name.to_owned(), n))),
        _ => {}
    }
}

/// One answer; with the one before, what moved in a second.
fn report(stats: &Value, before: Option<(&Value, f64)>) -> String {
    let rate = |now: u64, then: Option<u64>| match (before, then) {
        (Some((_, seconds)), Some(then)) => {
            format!("{:.1}", now.saturating_sub(then) as f64 / seconds)
        }
        _ => "-".into(),
    };
    let all = |stats: &Value| {
        let mut all = Vec::new();
        for part in ["inputs", "engine"] {
            counters(stats.get(part).unwrap_or(&Value::Null), "", &mut all);
        }
        all
    };
    let old = before.map(|(old, _)| all(old)).unwrap_or_default();
    let mut lines = vec![line(&["COUNTER", "TOTAL", "PER SECOND"])];
    for (name, total) in all(stats) {
        let then = old.iter().find(|(n, _)| *n == name).map(|(_, n)| *n);
        lines.push(vec![name, total.to_string(), rate(total, then)]);
    }
    let mut text = table(&lines, &[0]);
    let mut lines = vec![line(&[
        "RING",
        "SIZE",
        "USED",
        "PUSHED",
        "DROPPED",
        "CUT",
        "PER SECOND",
    ])];
    for ring in list(stats, "rings") {
        let name = word(ring, "name");
        let pushed = number(ring, "pushed");
        let then = before.and_then(|(old, _)| {
            list(old, "rings")
                .find(|r| word(r, "name") == name)
                .map(|r| number(r, "pushed"))
        });
        lines.push(vec![
            name.to_owned(),
            bytes(number(ring, "size")),
            bytes(number(ring, "used")),
            pushed.to_string(),
            number(ring, "dropped").to_string(),
            number(ring, "cut").to_string(),
            rate(pushed, then),
        ]);
    }
    text.push('\n');
    text.push_str(&table(&lines, &[0]));
    let sum: u64 = list(stats, "rings").map(|ring| number(ring, "size")).sum();
    let budget = number(stats, "budget");
    text.push_str(&format!(
        "\nrings have {} of {}\n",
        bytes(sum),
        bytes(budget)
    ));
    let mut lines = vec![line(&["OUTPUT", "STATE", "MESSAGES", "LOST", "WAITING"])];
    for output in list(stats, "outputs") {
        let waiting = match output.get("waiting").and_then(Value::as_u64) {
            Some(n) => n.to_string(),
            None => format!("{} bytes", number(output, "waiting_bytes")),
        };
        let state = match output.get("open").and_then(Value::as_bool) {
            Some(true) => "open",
            Some(false) => "closed",
            None => "-",
        };
        lines.push(vec![
            word(output, "name").to_owned(),
            state.to_owned(),
            number(output, "messages").to_string(),
            number(output, "lost").to_string(),
            waiting,
        ]);
    }
    if lines.len() > 1 {
        text.push('\n');
        text.push_str(&table(&lines, &[0, 1]));
    }
    text
}

/// `throttle`.
///
/// # Errors
///
/// See `rings`.
pub fn throttle(o: &Options) -> Result<(), Trouble> {
    let reply = ask(o, &Request::Throttle)?;
    let Reply::Throttle { throttle } = &reply else {
        return Err(strange(&reply));
    };
    if o.json {
        return pretty(&reply);
    }
    let mut lines = vec![line(&["HOST", "PROGRAM", "PASSED", "WITHHELD"])];
    for source in throttle.as_array().into_iter().flatten() {
        lines.push(vec![
            word(source, "host").to_owned(),
            word(source, "app").to_owned(),
            number(source, "passed").to_string(),
            number(source, "withheld").to_string(),
        ]);
    }
    print(&table(&lines, &[0, 1]))
}

/// `resize`.
///
/// # Errors
///
/// See `rings`.
pub fn resize(o: &Options, ring: &str, size: u64) -> Result<(), Trouble> {
    let text = |lost| {
        format!(
            "{ring}: {} now; {lost} of the oldest records are gone\n",
            bytes(size)
        )
    };
    done(
        o,
        &Request::Resize {
            ring: ring.to_owned(),
            size,
        },
        &text,
    )
}

/// `clear`.
///
/// # Errors
///
/// See `rings`.
pub fn clear(o: &Options, ring: &str) -> Result<(), Trouble> {
    let text = |lost| format!("{ring}: {lost} records are gone\n");
    done(
        o,
        &Request::Clear {
            ring: ring.to_owned(),
        },
        &text,
    )
}

/// `flush`.
///
/// # Errors
///
/// See `rings`.
pub fn flush(o: &Options) -> Result<(), Trouble> {
    done(o, &Request::Flush, &|_| String::new())
}

fn done(o: &Options, request: &Request, text: &dyn Fn(u64) -> String) -> Result<(), Trouble> {
    match ask(o, request)? {
        reply @ Reply::Done { .. } if o.json => pretty(&reply),
        Reply::Done { lost: 0, .. } => Ok(()),
        Reply::Done { lost, .. } => print(&text(lost)),
        other => Err(strange(&other)),
    }
}
