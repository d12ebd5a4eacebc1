// SPDX-License-Identifier: BSD-2-Clause
//! What is answered, for those who write and those who read it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::Serialize;

use crate::filter::BadFilter;

/// A line of an answer that is no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", untagged)]
pub enum Reply {
    /// Reading begins.
    Hello {
        /// The version of the protocol.
        hello: u32,
        /// The ring that is read.
        ring: String,
        /// Its number.
        boot: u64,
        /// The oldest record's sequence number; without any, the next one's.
        first: u64,
        /// The next one's.
        next: u64,
    },
    /// Records that would have been next are gone.
    Lost {
        /// How many.
        lost: u64,
        /// The sequence number to go on with.
        next: u64,
    },
    /// Reading ends.
    End {
        /// Why.
        end: EndWhy,
        /// The sequence number to go on with another time.
        next: u64,
    },
    /// It could not be done.
    Error {
        /// Why, for people.
        error: String,
        /// Why, for programs.
        code: Code,
    },
    /// The rings.
    Rings {
        /// In the order of the configuration.
        rings: Vec<RingInfo>,
    },
    /// Figures: an object.
    Stats {
        /// As documented in syslogctl(8).
        stats: serde_json::Value,
    },
    /// Throttled sources: a list.
    Throttle {
        /// As documented in syslogctl(8).
        throttle: serde_json::Value,
    },
    /// Done.
    Done {
        /// What: the request's `op`.
        done: String,
        /// Records that had to go.
        #[serde(default)]
        lost: u64,
    },
}

/// Why reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndWhy {
    /// All that there was has been read.
    All,
    /// As many as were wanted have been read.
    Limit,
    /// The ring is no more.
    Gone,
    /// syslogd ends.
    Exit,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Not a request.
    BadRequest,
    /// A filter that is none.
    BadFilter,
    /// There is no such ring.
    NoRing,
    /// Not for this user.
    NoAccess,
    /// Too small for a ring.
    TooSmall,
    /// More than the budget of all rings.
    OverBudget,
    /// Too many readers, or too long a request.
    Busy,
    /// It could not be done now.
    Failed,
}

impl Reply {
    /// An error.
    pub fn error(code: Code, why: impl fmt::Display) -> Self {
        Reply::Error {
            error: why.to_string(),
            code,
        }
    }
}

impl From<BadFilter> for Reply {
    fn from(why: BadFilter) -> Self {
        Reply::error(Code::BadFilter, why)
    }
}

/// A ring, in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingInfo {
    /// Its name.
    pub name: String,
    /// Its number.
    pub boot: u64,
    /// The oldest record's sequence number; without any, the next one's.
    pub first: u64,
    /// The next one's.
    pub next: u64,
    /// Records that are there.
    pub records: u64,
    /// Bytes that they take.
    pub used: u64,
    /// Its budget in bytes.
    pub size: u64,
    /// Records since it began; each was dropped, or cleared, or is there.
    pub pushed: u64,
    /// Dropped for newer ones.
    pub dropped: u64,
    /// Cleared.
    pub cleared: u64,
    /// Cut because they were larger than the ring.
    pub cut: u64,
    /// How long it is kept: `""`, `restart` or `boot`.
    #[serde(default)]
    pub keep: String,
    /// How its old records are compressed: `""` or `lz4`.
    #[serde(default)]
    pub pack: String,
}

/// A record, in an answer. Times are nanoseconds. What a message does not have is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RecordLine {
    /// Its sequence number.
    pub seq: u64,
    /// When it came: since 1970.
    pub wall: i64,
    /// When it came: since the system started.
    pub mono: u64,
    /// When it was sent, as the sender says: since 1970.
    #[serde(default)]
    pub sent: Option<i64>,
    /// The facility's name.
    pub facility: String,
    /// The severity's name.
    pub severity: String,
    /// The host.
    #[serde(default)]
    pub host: String,
    /// The program.
    #[serde(default)]
    pub app: String,
    /// Its process.
    #[serde(default)]
    pub procid: String,
    /// The kind of message.
    #[serde(default)]
    pub msgid: String,
    /// Structured data (RFC 5424, 6.3).
    #[serde(default)]
    pub sd: String,
    /// Its bytes in base64, if they are not UTF-8.
    #[serde(default)]
    pub rawsd: Option<String>,
    /// The text.
    #[serde(default)]
    pub text: String,
    /// Its bytes in base64, if they are not UTF-8.
    #[serde(default)]
    pub raw: Option<String>,
    /// It was larger than the ring, and cut.
    #[serde(default)]
    pub cut: bool,
    /// It is too long for a line: there is only a part of the text, of so many bytes.
    #[serde(default)]
    pub len: Option<u64>,
}

impl RecordLine {
    /// The text's bytes as they were logged.
    #[must_use]
    pub fn text_bytes(&self) -> Vec<u8> {
        exact(&self.text, self.raw.as_deref())
    }

    /// The structured data's.
    #[must_use]
    pub fn sd_bytes(&self) -> Vec<u8> {
        exact(&self.sd, self.rawsd.as_deref())
    }
}

fn exact(text: &str, raw: Option<&str>) -> Vec<u8> {
    raw.and_then(|raw| STANDARD.decode(raw).ok())
        .unwrap_or_else(|| text.as_bytes().to_vec())
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A record.
    Record(Box<RecordLine>),
    /// Something else.
    Reply(Reply),
}

/// A line that is no answer.
#[derive(Debug)]
pub struct BadLine(serde_json::Error);

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an answer of syslogd: {}", self.0)
    }
}

impl std::error::Error for BadLine {}

/// Reads a line of an answer.
///
/// # Errors
/// If it is none.
pub fn parse_line(line: &[u8]) -> Result<Line, BadLine> {
    if line.starts_with(b"{\"seq\":") {
        let record = serde_json::from_slice(line).map_err(BadLine)?;
        return Ok(Line::Record(Box::new(record)));
    }
    serde_json::from_slice(line)
        .map(Line::Reply)
        .map_err(BadLine)
}
