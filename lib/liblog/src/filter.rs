// SPDX-License-Identifier: BSD-2-Clause
//! Which records a reader wants: as words of the control socket, and made ready to be asked.

use std::fmt;

use regex::bytes::Regex;
use regex::bytes::RegexBuilder;
use serde::Deserialize;
use serde::Serialize;

use crate::pri::Facility;
use crate::pri::Severity;
use crate::ring::Record;

/// Bytes that a regular expression may take when it is compiled.
const REGEX_SIZE: usize = 1 << 20;

/// What is asked for; a record must have all of it. Nothing: every record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterSpec {
    /// Names of facilities, one of which it must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facilities: Vec<String>,
    /// A level and how it is compared: `err` or `>=err` (that and worse), `=err`, `>err` (worse),
    /// `<=err`, `<err`, `!err`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Programs, one of which it must be from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// Hosts, one of which it must be from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// A regular expression that is found in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// Nanoseconds since 1970: it came then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Nanoseconds since 1970: it came before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// What is wrong with a [`FilterSpec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadFilter {
    /// There is no such facility.
    Facility(String),
    /// There is no such level.
    Level(String),
    /// Not a regular expression, and why; or too large a one.
    Regex(String),
}

impl fmt::Display for BadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadFilter::Facility(name) => write!(f, "no facility {name:?}"),
            BadFilter::Level(name) => write!(f, "no level {name:?}"),
            BadFilter::Regex(why) => write!(f, "regular expression: {why}"),
        }
    }
}

impl std::error::Error for BadFilter {}

/// Levels, a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels(u8);

impl Levels {
    /// All.
    pub const ALL: Levels = Levels(0xff);

    /// As [`FilterSpec::level`] writes them.
    ///
    /// # Errors
    /// If there is no such level.
    pub fn parse(text: &str) -> Result<Self, BadFilter> {
        let name = text.trim_start_matches(['<', '=', '>', '!']);
        let (sign, _) = text.split_at(text.len() - name.len());
        let bad = || BadFilter::Level(text.to_owned());
        let level = Severity::named(name).ok_or_else(bad)?.number();
        // A small number is a bad one.
        let wanted = |n: u8| match sign {
            "" | ">=" => Some(n <= level),
            "=" => Some(n == level),
            ">" => Some(n < level),
            "<=" => Some(n >= level),
            "<" => Some(n > level),
            "!" | "!=" => Some(n != level),
            _ => None,
        };
        let mut levels = Levels(0);
        for n in 0..8 {
            levels.0 |= u8::from(wanted(n).ok_or_else(bad)?) << n;
        }
        Ok(levels)
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, severity: Severity) -> bool {
        self.0 >> severity.number() & 1 != 0
    }
}

/// A filter that can be asked.
#[derive(Clone, Debug)]
pub struct Filter {
    facilities: u32,
    levels: Levels,
    programs: Vec<String>,
    hosts: Vec<String>,
    regex: Option<Regex>,
    since: Option<i64>,
    until: Option<i64>,
}

impl Filter {
    /// Makes it ready.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(spec: &FilterSpec) -> Result<Self, BadFilter> {
        let mut facilities = 0;
        for name in &spec.facilities {
            let facility = Facility::named(name);
            let facility = facility.ok_or_else(|| BadFilter::Facility(name.clone()))?;
            facilities |= 1 << facility.number();
        }
        let regex = spec.regex.as_ref().map(|text| {
            RegexBuilder::new(text)
                .size_limit(REGEX_SIZE)
                .dfa_size_limit(REGEX_SIZE)
                .build()
                .map_err(|why| BadFilter::Regex(why.to_string()))
        });
        Ok(Filter {
            facilities: if spec.facilities.is_empty() {
                u32::MAX
            } else {
                facilities
            },
            levels: spec
                .level
                .as_deref()
                .map_or(Ok(Levels::ALL), Levels::parse)?,
            programs: spec.programs.clone(),
            hosts: spec.hosts.clone(),
            regex: regex.transpose()?,
            since: spec.since,
            until: spec.until,
        })
    }

    /// Whether a record is wanted.
    #[must_use]
    pub fn matches(&self, record: &Record<'_>) -> bool {
        let msg = &record.msg;
        let one_of = |names: &[String], name: &[u8]| {
            names.is_empty() || names.iter().any(|n| n.as_bytes() == name)
        };
        self.facilities >> msg.pri.facility.number() & 1 != 0
            && self.levels.has(msg.pri.severity)
            && self.since.is_none_or(|since| record.at.wall >= since)
            && self.until.is_none_or(|until| record.at.wall < until)
            && one_of(&self.programs, msg.app)
            && one_of(&self.hosts, msg.host)
            && self
                .regex
                .as_ref()
                .is_none_or(|regex| regex.is_match(msg.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msg::Clocks;
    use crate::msg::Msg;
    use crate::pri::Pri;

    fn record(pri: u16, wall: i64, text: &[u8]) -> Record<'_> {
        Record {
            seq: 1,
            at: Clocks { wall, mono: 0 },
            msg: Msg {
                pri: Pri::from_value(pri).unwrap(),
                sent: None,
                host: b"gw",
                app: b"sshd",
                procid: b"",
                msgid: b"",
                sd: b"",
                text,
            },
            cut: false,
        }
    }

    fn matches(json: &str, r: &Record<'_>) -> bool {
        Filter::new(&serde_json::from_str(json).unwrap())
            .unwrap()
            .matches(r)
    }

    #[test]
    fn each_condition() {
        // auth.warning
        let r = record(4 << 3 | 4, 100, b"a\xff b\0c");
        for yes in [
            r#"{}"#,
            r#"{"facilities":["kern","auth"]}"#,
            r#"{"level":"notice"}"#,
            r#"{"level":">=warning"}"#,
            r#"{"level":"=warning"}"#,
            r#"{"level":"<err"}"#,
            r#"{"level":"<=warn"}"#,
            r#"{"level":"!err"}"#,
            r#"{"programs":["su","sshd"]}"#,
            r#"{"hosts":["gw"]}"#,
            r#"{"regex":"^a(?-u:\\xff) b\\x00c$"}"#,
            r#"{"since":100,"until":101}"#,
        ] {
            assert!(matches(yes, &r), "{yes}");
        }
        for no in [
            r#"{"facilities":["kern"]}"#,
            r#"{"level":"err"}"#,
            r#"{"level":"=err"}"#,
            r#"{"level":">warning"}"#,
            r#"{"level":"<warning"}"#,
            r#"{"level":"!warning"}"#,
            r#"{"programs":["ssh"]}"#,
            r#"{"hosts":["g"]}"#,
            r#"{"regex":"^b"}"#,
            r#"{"since":101}"#,
            r#"{"until":100}"#,
            r#"{"facilities":["auth"],"level":"err"}"#,
        ] {
            assert!(!matches(no, &r), "{no}");
        }
    }

    #[test]
    fn what_is_wrong() {
        let bad = |json: &str| Filter::new(&serde_json::from_str(json).unwrap()).unwrap_err();
        let facility = bad(r#"{"facilities":["x"]}"#);
        assert_eq!(facility, BadFilter::Facility("x".into()));
        assert_eq!(
            bad(r#"{"level":"=>err"}"#),
            BadFilter::Level("=>err".into())
        );
        assert_eq!(bad(r#"{"level":""}"#), BadFilter::Level(String::new()));
        assert!(matches!(bad(r#"{"regex":"("}"#), BadFilter::Regex(_)));
        assert!(matches!(
            bad(r#"{"regex":"(a{1000}){1000}"}"#),
            BadFilter::Regex(_)
        ));
        assert!(serde_json::from_str::<FilterSpec>(r#"{"what":1}"#).is_err());
    }
}
