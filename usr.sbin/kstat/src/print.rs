// SPDX-License-Identifier: BSD-2-Clause
//! The forms that kstat(8) prints in.

use crate::snapshot::{Counter, Snapshot};
use serde::Serialize;

/// For programs.
///
/// # Errors
/// What serde_json says.
pub fn json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string_pretty(value)
        .map(|s| s + "\n")
        .map_err(|e| e.to_string())
}

/// For programs that read line by line.
///
/// # Errors
/// What serde_json says.
pub fn json_line(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value)
        .map(|s| s + "\n")
        .map_err(|e| e.to_string())
}

/// One a line.
pub fn lines(words: &[String]) -> String {
    words.iter().map(|w| format!("{w}\n")).collect()
}

/// As in netstat -s: whose they are, then number and description.
pub fn counters(all: &[Counter]) -> String {
    grouped(all, |c| {
        let class = if c.class == "counter" {
            String::new()
        } else {
            format!(" [{}]", c.class)
        };
        format!(
            "\t{:20} {:>16}  {}{class}\n",
            c.name, c.value, c.description
        )
    })
}

/// With what was added a second.
pub fn rates(all: &[Counter]) -> String {
    let text = grouped(all, |c| {
        let rate = c.rate.map_or("-".into(), |r| format!("{r:.0}/s"));
        format!(
            "\t{:20} {:>16} {rate:>14}  {}\n",
            c.name, c.value, c.description
        )
    });
    text + "\n"
}

fn grouped(all: &[Counter], line: impl Fn(&Counter) -> String) -> String {
    let mut out = String::new();
    let mut last = None;
    for c in all {
        let whose = (&c.module, &c.instance);
        if last != Some(whose) {
            out += &match c.instance.as_str() {
                "" => format!("{}:\n", c.module),
                instance => format!("{} {instance}:\n", c.module),
            };
            last = Some(whose);
        }
        out += &line(c);
    }
    out
}

/// Seconds of uptime, CPU, event, what it says.
pub fn trace(snap: &Snapshot) -> String {
    let mut out = String::new();
    for e in &snap.trace {
        let (s, us) = (e.ns / 1_000_000_000, e.ns % 1_000_000_000 / 1000);
        let [a, b, c] = e.args;
        out += &format!("{s:>8}.{us:06} cpu{} {:20} {a} {b} {c}\n", e.cpu, e.event);
    }
    out
}
