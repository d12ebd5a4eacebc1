// SPDX-License-Identifier: BSD-2-Clause
//! What may be asked.

use serde::Deserialize;
use serde::Serialize;

use crate::filter::FilterSpec;

/// A request: one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Request {
    /// Records of a ring.
    Read(Box<Read>),
    /// Which rings there are.
    Rings,
    /// All figures of syslogd.
    Stats,
    /// Another size for a ring; the newest records are kept.
    Resize {
        /// Its name.
        ring: String,
        /// Bytes.
        size: u64,
    },
    /// Remove all records of a ring.
    Clear {
        /// Its name.
        ring: String,
    },
    /// Which sources are throttled.
    Throttle,
    /// Write out what waits: files, summaries of repeated messages, rings that are kept.
    Flush,
    /// Nothing; to see that syslogd is there.
    Ping,
}

/// Which records, and what then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The ring's name.
    pub ring: String,
    /// The ring's number, when `from` is one that was read before: if it has another one by now,
    /// `from` says nothing, and reading begins with the oldest record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<u64>,
    /// The first sequence number wanted; else the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Only so many of the newest records that pass the filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// Give those that come later, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub follow: bool,
    /// Stop after so many records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Which of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub filter: FilterSpec,
}

fn is_false(b: &bool) -> bool {
    !b
}

fn is_default(filter: &FilterSpec) -> bool {
    *filter == FilterSpec::default()
}

/// Reads a request.
///
/// # Errors
/// What is wrong with it, for the one who asked.
pub fn parse_request(line: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(line).map_err(|why| why.to_string())
}
