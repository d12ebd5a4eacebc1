// SPDX-License-Identifier: BSD-2-Clause
//! What the engine itself says.

use crate::engine::core::Crash;
use crate::engine::text::Text;
use liblog::Severity;
use std::fmt::Write as _;

/// Room for structured data and text of one of them.
pub(super) type Line = Text<512>;

const SECOND: u64 = 1_000_000_000;

/// A message of the engine's own.
pub(super) enum Own<'a> {
    /// A source's messages were withheld.
    Withheld {
        host: &'a [u8],
        app: &'a [u8],
        n: u64,
        time: u64,
    },
    /// So many of syslogd's own.
    Silent { n: u64 },
    /// Somebody has set the clock.
    Jump { from: i64, to: i64, by: i64 },
    /// A process crashed.
    Crash(Crash<'a>),
}

/// A message, written.
pub(super) struct Written {
    pub severity: Severity,
    pub msgid: &'static [u8],
    pub sd: Line,
    pub text: Line,
}

impl Own<'_> {
    pub fn write(&self) -> Written {
        let (mut sd, mut text) = (Line::new(), Line::new());
        let (severity, msgid): (_, &[u8]) = match self {
            Own::Withheld { host, app, n, time } => {
                let name: &[u8] = if app.is_empty() { b"(no name)" } else { app };
                if !host.is_empty() {
                    text.push(host);
                    text.push(b" ");
                }
                text.push(name);
                let seconds = time.div_ceil(SECOND).max(1);
                // What is left out does not fit; nothing else can fail.
                let _ = write!(text, ": withheld {n} messages in {seconds} s");
                (Severity::NOTICE, b"WITHHELD")
            }
            Own::Silent { n } => {
                let _ = write!(text, "withheld {n} messages of its own");
                (Severity::NOTICE, b"WITHHELD")
            }
            Own::Jump { from, to, by } => {
                let seconds = by.unsigned_abs() / SECOND;
                let millis = by.unsigned_abs() % SECOND / 1_000_000;
                let way = if *by < 0 { "back" } else { "forward" };
                let second = SECOND.cast_signed();
                let _ = write!(
                    text,
                    "the clock was set {way} by {seconds}.{millis:03} s, from {} to {}",
                    from.div_euclid(second),
                    to.div_euclid(second),
                );
                (Severity::NOTICE, b"CLOCK")
            }
            Own::Crash(crash) => {
                let _ = crash.write_sd(&mut sd);
                let _ = crash.write_text(&mut text);
                (Severity::ERR, b"CORE")
            }
        };
        Written {
            severity,
            msgid,
            sd,
            text,
        }
    }
}
