// SPDX-License-Identifier: BSD-2-Clause
//! Records for people: a line each, with colours for how bad it is.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use liblog::proto::RecordLine;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The same for the same message in another ring.
pub fn identity(record: &RecordLine) -> u64 {
    let mut hasher = DefaultHasher::new();
    (record.wall, record.mono, &record.facility, &record.severity).hash(&mut hasher);
    (&record.host, &record.app, &record.procid, &record.msgid).hash(&mut hasher);
    // A small ring may have cut it: its beginning will do.
    record
        .text
        .chars()
        .take(64)
        .for_each(|c| c.hash(&mut hasher));
    hasher.finish()
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
    /// A record as a line, with its new-line; `raw` is how it came.
    pub fn record(
        &mut self,
        ring: &str,
        boot: u64,
        record: &RecordLine,
        raw: &str,
        into: &mut String,
    ) {
        if self.json {
            return json(ring, boot, raw, into);
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
            return json(
                ring,
                boot,
                &format!("{{\"lost\":{count},\"next\":{next}}}"),
                into,
            );
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

/// A line as it came, with the ring that it is of before all else. A ring's name needs no escapes.
fn json(ring: &str, boot: u64, raw: &str, into: &mut String) {
    let rest = raw.strip_prefix('{').unwrap_or(raw);
    let _ = writeln!(into, "{{\"ring\":\"{ring}\",\"boot\":{boot},{rest}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblog::proto::{Line, parse_line};

    const RECORD: &str = r#"{"seq":7,"wall":1796000000000000000,"mono":5,"facility":"auth","severity":"err",
        "host":"gw","app":"sshd","procid":"12","msgid":"ID","sd":"[a b=\"c\"]","text":"no\u001b[31m \u202eway\n","cut":true}"#;

    fn record(text: &str) -> RecordLine {
        match parse_line(text.as_bytes()) {
            Ok(Line::Record(record)) => *record,
            other => panic!("{other:?}"),
        }
    }

    fn style(colors: bool, verbose: bool, json: bool) -> Style {
        Style {
            colors,
            verbose,
            iso: false,
            zone: TimeZone::UTC,
            json,
            stamp: None,
        }
    }

    fn shown(mut style: Style) -> String {
        let mut text = String::new();
        style.record("auth", 1, &record(RECORD), RECORD, &mut text);
        text
    }

    #[test]
    fn lines() {
        assert_eq!(
            shown(style(false, false, false)),
            "Nov 30 00:53:20 gw sshd[12]: no^[[31m <U+202E>way^J [cut]\n"
        );
        assert_eq!(
            shown(style(false, true, false)),
            "Nov 30 00:53:20 gw auth:7 auth.err sshd[12]: ID [a b=\"c\"] no^[[31m <U+202E>way^J [cut]\n"
        );
        assert!(shown(style(true, false, false)).contains("\x1b[31mno^[[31m"));
        assert!(
            shown(style(false, false, true))
                .starts_with("{\"ring\":\"auth\",\"boot\":1,\"seq\":7,")
        );
        let mut text = String::new();
        style(false, false, false).lost("auth", 1, 17, 30, &mut text);
        style(false, false, true).lost("auth", 1, 17, 30, &mut text);
        assert_eq!(
            text,
            "-- 17 messages lost in ring auth --\n{\"ring\":\"auth\",\"boot\":1,\"lost\":17,\"next\":30}\n"
        );
    }

    #[test]
    fn the_same_message_elsewhere() {
        let one = |seq: u64, text: &str| {
            let fields = "\"wall\":1,\"mono\":2,\"facility\":\"kern\",\"severity\":\"err\"";
            identity(&record(&format!(
                "{{\"seq\":{seq},{fields},\"app\":\"a\",\"text\":\"{text}\"}}"
            )))
        };
        assert_eq!(one(1, "x"), one(9, "x"));
        assert_ne!(one(1, "x"), one(1, "y"));
    }
}
