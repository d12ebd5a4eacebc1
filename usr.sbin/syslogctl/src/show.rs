// SPDX-License-Identifier: BSD-2-Clause
//! Records for people: a line each, with colours for how bad it is.

use crate::client::Trouble;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a ring's reader is told.
#[derive(Debug)]
pub enum Line {
    /// A record.
    Record(Box<Record>),
    /// So many are gone; the next one has this number.
    Lost { count: u64, next: u64 },
    /// That was all; the next one will have this number.
    End { next: u64 },
}

/// A record, as it came.
#[derive(Debug, Default)]
pub struct Record {
    pub seq: u64,
    /// Nanoseconds since 1970.
    pub wall: i64,
    pub mono: u64,
    pub facility: String,
    pub severity: String,
    pub host: String,
    pub app: String,
    pub procid: String,
    pub msgid: String,
    pub sd: String,
    pub text: String,
    pub cut: bool,
    /// The line itself, for --json.
    pub json: Value,
}

impl Line {
    /// Out of a line of JSON.
    ///
    /// # Errors
    ///
    /// It is none of those that a reader is told.
    pub fn parse(value: Value) -> Result<Line, Trouble> {
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        if let Some(count) = number("lost") {
            let next = number("next").unwrap_or(0);
            return Ok(Line::Lost { count, next });
        }
        if value.get("end").is_some() {
            let next = number("next").unwrap_or(0);
            return Ok(Line::End { next });
        }
        let Some(seq) = number("seq") else {
            return Err(Trouble::Other(format!("what came is no record: {value}")));
        };
        let text = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        Ok(Line::Record(Box::new(Record {
            seq,
            wall: value.get("wall").and_then(Value::as_i64).unwrap_or(0),
            mono: number("mono").unwrap_or(0),
            facility: text("facility"),
            severity: text("severity"),
            host: text("host"),
            app: text("app"),
            procid: text("procid"),
            msgid: text("msgid"),
            sd: text("sd"),
            text: text("text"),
            cut: value.get("cut").and_then(Value::as_bool).unwrap_or(false),
            json: value,
        })))
    }
}

impl Record {
    /// The same for the same message in another ring.
    pub fn identity(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.wall, self.mono, &self.facility, &self.severity).hash(&mut hasher);
        (&self.host, &self.app, &self.procid, &self.msgid, &self.sd).hash(&mut hasher);
        // A small ring may have cut it: its beginning will do.
        self.text.chars().take(64).for_each(|c| c.hash(&mut hasher));
        hasher.finish()
    }
}

/// How records are shown.
pub struct Style {
    pub colors: bool,
    pub verbose: bool,
    pub iso: bool,
    pub zone: TimeZone,
    pub json: bool,
    /// The stamp of a second that was printed last.
    pub stamp: Option<(i64, String)>,
}

const RED: &str = "\x1b[31m";
const BRIGHT: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

fn color(severity: &str) -> Option<&'static str> {
    match severity {
        "emerg" | "alert" | "crit" => Some(BRIGHT),
        "err" => Some(RED),
        "warning" => Some(YELLOW),
        "notice" => Some(BOLD),
        "debug" => Some(DIM),
        _ => None,
    }
}

/// A text without anything that a terminal would obey: controls, and the marks that turn the
/// direction of writing.
pub fn plain(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '\t' => into.push(c),
            '\u{0}'..='\u{1f}' => {
                into.push('^');
                into.push(char::from(c as u8 + b'@'));
            }
            '\u{7f}' => into.push_str("^?"),
            '\u{80}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                let _ = write!(into, "<U+{:04X}>", c as u32);
            }
            _ => into.push(c),
        }
    }
}

impl Style {
    /// A record as a line, with its new-line.
    pub fn record(&mut self, ring: &str, boot: u64, record: &Record, into: &mut String) {
        if self.json {
            return json(ring, boot, record.json.clone(), into);
        }
        self.stamp(record.wall, into);
        into.push(' ');
        if !record.host.is_empty() {
            plain(&record.host, into);
            into.push(' ');
        }
        if self.verbose {
            let _ = write!(
                into,
                "{ring}:{} {}.{} ",
                record.seq, record.facility, record.severity
            );
        }
        if !record.app.is_empty() {
            plain(&record.app, into);
        }
        if !record.procid.is_empty() {
            into.push('[');
            plain(&record.procid, into);
            into.push(']');
        }
        if !record.app.is_empty() || !record.procid.is_empty() {
            into.push_str(": ");
        }
        if self.verbose {
            for (word, behind) in [(&record.msgid, " "), (&record.sd, " ")] {
                if !word.is_empty() {
                    plain(word, into);
                    into.push_str(behind);
                }
            }
        }
        let color = color(&record.severity).filter(|_| self.colors);
        into.push_str(color.unwrap_or(""));
        plain(&record.text, into);
        if color.is_some() {
            into.push_str(PLAIN);
        }
        if record.cut {
            into.push_str(" [cut]");
        }
        into.push('\n');
    }

    /// That records are gone.
    pub fn lost(&self, ring: &str, boot: u64, count: u64, next: u64, into: &mut String) {
        if self.json {
            let value = serde_json::json!({ "lost": count, "next": next });
            return json(ring, boot, value, into);
        }
        let (on, off) = if self.colors { (RED, PLAIN) } else { ("", "") };
        let s = if count == 1 { "" } else { "s" };
        let _ = writeln!(
            into,
            "{on}-- {count} message{s} lost in ring {ring} --{off}"
        );
    }

    /// That a ring has begun anew.
    pub fn anew(&self, ring: &str, into: &mut String) {
        if !self.json {
            let _ = writeln!(into, "-- ring {ring} has begun anew --");
        }
    }

    fn stamp(&mut self, wall: i64, into: &mut String) {
        let Ok(stamp) = Timestamp::from_nanosecond(i128::from(wall)) else {
            into.push('-');
            return;
        };
        if self.iso {
            let time = stamp.to_zoned(self.zone.clone());
            let _ = write!(into, "{}", time.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z"));
            return;
        }
        let second = stamp.as_second();
        if self.stamp.as_ref().is_none_or(|(at, _)| *at != second) {
            let time = stamp.to_zoned(self.zone.clone());
            self.stamp = Some((second, time.strftime("%b %e %H:%M:%S").to_string()));
        }
        if let Some((_, text)) = &self.stamp {
            into.push_str(text);
        }
    }
}

/// A line of ours: what came, with the ring that it is of.
fn json(ring: &str, boot: u64, mut value: Value, into: &mut String) {
    if let Some(map) = value.as_object_mut() {
        map.insert("ring".into(), ring.into());
        map.insert("boot".into(), format!("{boot:016x}").into());
    }
    let _ = writeln!(into, "{value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(value: Value, colors: bool, verbose: bool) -> String {
        let mut style = Style {
            colors,
            verbose,
            iso: false,
            zone: TimeZone::UTC,
            json: false,
            stamp: None,
        };
        let mut text = String::new();
        match Line::parse(value).expect("a line") {
            Line::Record(record) => style.record("auth", 1, &record, &mut text),
            Line::Lost { count, next } => style.lost("auth", 1, count, next, &mut text),
            Line::End { next } => text = format!("end {next}"),
        }
        text
    }

    #[test]
    fn lines() {
        let record = json!({"seq": 7, "wall": 1_796_000_000_000_000_000_i64, "mono": 5, "facility": "auth",
            "severity": "err", "host": "gw", "app": "sshd", "procid": "12", "msgid": "ID", "sd": "[a b=\"c\"]",
            "text": "no\u{1b}[31m \u{202e}way\n", "cut": true});
        assert_eq!(
            shown(record.clone(), false, false),
            "Nov 30 00:53:20 gw sshd[12]: no^[[31m <U+202E>way^J [cut]\n"
        );
        assert_eq!(
            shown(record.clone(), false, true),
            "Nov 30 00:53:20 gw auth:7 auth.err sshd[12]: ID [a b=\"c\"] no^[[31m <U+202E>way^J [cut]\n"
        );
        assert!(shown(record, true, false).contains("\x1b[31mno^[[31m"));
        assert_eq!(
            shown(json!({"lost": 17, "next": 30}), false, false),
            "-- 17 messages lost in ring auth --\n"
        );
        assert!(Line::parse(json!({"what": 1})).is_err());
    }

    #[test]
    fn the_same_message_elsewhere() {
        let one = |seq: u64, text: &str| match Line::parse(
            json!({"seq": seq, "wall": 1, "mono": 2, "app": "a", "text": text}),
        ) {
            Ok(Line::Record(r)) => r.identity(),
            other => panic!("{other:?}"),
        };
        assert_eq!(one(1, "x"), one(9, "x"));
        assert_ne!(one(1, "x"), one(1, "y"));
    }
}
