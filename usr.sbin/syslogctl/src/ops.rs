// SPDX-License-Identifier: BSD-2-Clause
//! Everything but reading: what rings there are, statistics, throttled sources, and changes.

use crate::client::{Client, Trouble, socket};
use crate::options::{Options, StatsArgs};
use crate::out::print;
use crate::table::{bytes, table};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn ask(o: &Options, request: &Value) -> Result<Value, Trouble> {
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

fn when(value: &Value, name: &str, zone: &TimeZone) -> String {
    value
        .get(name)
        .and_then(Value::as_i64)
        .and_then(|n| Timestamp::from_nanosecond(i128::from(n)).ok())
        .map_or_else(
            || "-".into(),
            |t| {
                t.to_zoned(zone.clone())
                    .strftime("%b %e %H:%M:%S")
                    .to_string()
            },
        )
}

fn line(words: &[&str]) -> Vec<String> {
    words.iter().map(|&w| w.to_owned()).collect()
}

fn pretty(value: &Value) -> Result<(), Trouble> {
    print(&format!("{value:#}\n"))
}

/// `rings`.
///
/// # Errors
///
/// syslogd is not there, or refuses; so below.
pub fn rings(o: &Options) -> Result<(), Trouble> {
    let answer = ask(o, &json!({ "op": "rings" }))?;
    if o.json {
        return pretty(&answer);
    }
    let zone = Zoned::now().time_zone().clone();
    let mut lines = vec![line(&[
        "RING", "SIZE", "USED", "RECORDS", "OLDEST", "FIRST", "NEXT", "DROPPED", "KEEP",
    ])];
    for ring in list(&answer, "rings") {
        lines.push(vec![
            word(ring, "ring").to_owned(),
            bytes(number(ring, "size")),
            bytes(number(ring, "used")),
            number(ring, "records").to_string(),
            when(ring, "oldest", &zone),
            number(ring, "first").to_string(),
            number(ring, "next").to_string(),
            number(ring, "dropped").to_string(),
            word(ring, "keep").to_owned(),
        ]);
    }
    print(&table(&lines, &[0, 8]))
}

/// `stats`.
///
/// # Errors
///
/// See `rings`; or the command line makes no sense.
pub fn stats(o: &Options, args: &StatsArgs) -> Result<(), Trouble> {
    let Some(wait) = args.wait else {
        let answer = ask(o, &json!({ "op": "stats" }))?;
        return if o.json {
            pretty(&answer)
        } else {
            print(&report(&answer, None))
        };
    };
    if !(0.1..=86_400.0).contains(&wait) {
        return Err(Trouble::Usage(
            "stats: --wait must be 0.1 to 86400 seconds".into(),
        ));
    }
    let mut client = Client::open(&socket(o))?;
    let mut before: Option<(Value, Instant)> = None;
    let mut left = args.count;
    while left != Some(0) {
        let answer = client.ask(&json!({ "op": "stats" }))?;
        let now = Instant::now();
        if o.json {
            print(&format!("{answer}\n"))?;
        } else {
            let since = before
                .as_ref()
                .map(|(old, at)| (old, now.duration_since(*at).as_secs_f64()));
            print(&format!("{}\n", report(&answer, since)))?;
        }
        before = Some((answer, now));
        left = left.map(|n| n - 1);
        if left != Some(0) {
            std::thread::sleep(Duration::from_secs_f64(wait));
        }
    }
    Ok(())
}

/// The counters of one answer; with the one before, what moved in a second.
fn report(answer: &Value, before: Option<(&Value, f64)>) -> String {
    let mut lines = vec![line(&["COUNTER", "TOTAL", "PER SECOND"])];
    let uptime = answer.get("uptime").and_then(Value::as_f64);
    if let Some(counters) = answer.get("counters").and_then(Value::as_object) {
        for (name, value) in counters {
            let Some(total) = value.as_u64() else {
                continue;
            };
            let rate = match before {
                Some((old, seconds)) => {
                    let then = old.get("counters").map_or(0, |c| number(c, name));
                    Some(total.saturating_sub(then) as f64 / seconds)
                }
                None => uptime.filter(|s| *s > 0.0).map(|s| total as f64 / s),
            };
            let rate = rate.map_or_else(|| "-".into(), |r| format!("{r:.1}"));
            lines.push(vec![name.clone(), total.to_string(), rate]);
        }
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
    for ring in list(answer, "rings") {
        let name = word(ring, "ring");
        let pushed = number(ring, "pushed");
        let rate = before.and_then(|(old, seconds)| {
            let then = list(old, "rings").find(|r| word(r, "ring") == name)?;
            Some(pushed.saturating_sub(number(then, "pushed")) as f64 / seconds)
        });
        let rate = rate.or_else(|| uptime.filter(|s| *s > 0.0).map(|s| pushed as f64 / s));
        lines.push(vec![
            name.to_owned(),
            bytes(number(ring, "size")),
            bytes(number(ring, "used")),
            pushed.to_string(),
            number(ring, "dropped").to_string(),
            number(ring, "cut").to_string(),
            rate.map_or_else(|| "-".into(), |r| format!("{r:.1}")),
        ]);
    }
    text.push('\n');
    text.push_str(&table(&lines, &[0]));
    let mut lines = vec![line(&[
        "OUTPUT", "STATE", "SENT", "QUEUED", "BYTES", "LOST",
    ])];
    for output in list(answer, "outputs") {
        lines.push(vec![
            word(output, "output").to_owned(),
            word(output, "state").to_owned(),
            number(output, "sent").to_string(),
            number(output, "queued").to_string(),
            bytes(number(output, "bytes")),
            number(output, "lost").to_string(),
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
    let answer = ask(o, &json!({ "op": "throttle" }))?;
    if o.json {
        return pretty(&answer);
    }
    let zone = Zoned::now().time_zone().clone();
    let mut lines = vec![line(&["SOURCE", "PASSED", "WITHHELD", "REPEATED", "LAST"])];
    for source in list(&answer, "throttle") {
        let host = word(source, "host");
        let app = word(source, "app");
        lines.push(vec![
            if host.is_empty() || host == "-" {
                app.to_owned()
            } else {
                format!("{host}/{app}")
            },
            number(source, "passed").to_string(),
            number(source, "withheld").to_string(),
            number(source, "repeated").to_string(),
            when(source, "last", &zone),
        ]);
    }
    print(&table(&lines, &[0]))
}

/// `resize`.
///
/// # Errors
///
/// See `rings`.
pub fn resize(o: &Options, ring: &str, size: u64) -> Result<(), Trouble> {
    let answer = ask(o, &json!({ "op": "resize", "ring": ring, "size": size }))?;
    if o.json {
        return pretty(&answer);
    }
    let lost = number(&answer, "dropped");
    if lost != 0 {
        return print(&format!(
            "{ring}: {} now; {lost} of the oldest records are gone\n",
            bytes(size)
        ));
    }
    Ok(())
}

/// `clear`.
///
/// # Errors
///
/// See `rings`.
pub fn clear(o: &Options, ring: &str) -> Result<(), Trouble> {
    let answer = ask(o, &json!({ "op": "clear", "ring": ring }))?;
    if o.json { pretty(&answer) } else { Ok(()) }
}

/// `flush`.
///
/// # Errors
///
/// See `rings`.
pub fn flush(o: &Options) -> Result<(), Trouble> {
    let answer = ask(o, &json!({ "op": "flush" }))?;
    if o.json { pretty(&answer) } else { Ok(()) }
}
