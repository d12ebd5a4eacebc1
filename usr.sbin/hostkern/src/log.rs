// SPDX-License-Identifier: BSD-2-Clause
//! Lines on standard error, with the levels of syslog(3).

use serde::Deserialize;
use std::sync::atomic::{AtomicU32, Ordering};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something does not work.
    Err = 3,
    /// Something may not.
    Warning = 4,
    /// Worth knowing.
    Notice = 5,
    /// What happens.
    Info = 6,
    /// Each step.
    Debug = 7,
}

impl Level {
    const ALL: [Level; 5] = [
        Level::Err,
        Level::Warning,
        Level::Notice,
        Level::Info,
        Level::Debug,
    ];

    const fn name(self) -> &'static str {
        match self {
            Level::Err => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// One for the process: standard error is one, too.
static SHOWN: AtomicU32 = AtomicU32::new(Level::Info as u32);

/// Says lines up to this level from now on.
pub fn set_level(level: Level) {
    SHOWN.store(level as u32, Ordering::Relaxed);
}

/// Says one line.
pub fn say(level: Level, line: &str) {
    if level as u32 <= SHOWN.load(Ordering::Relaxed) {
        eprintln!("hostkern: {}: {line}", level.name());
    }
}

/// Says what a kernel said, with its level as a number.
pub fn say_raw(raw: u32, line: &str) {
    let level = Level::ALL.into_iter().find(|&l| l as u32 == raw);
    say(
        level.unwrap_or(if raw < 3 { Level::Err } else { Level::Debug }),
        line,
    );
}
