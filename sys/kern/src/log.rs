// SPDX-License-Identifier: BSD-2-Clause
//! The system log: one line of at most 256 bytes, formatted on the stack. Never per packet.

use core::fmt;
use core::fmt::Write;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

use kpi_sys as k;

use crate::misc;

/// syslog(3) levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Level {
    /// Something failed that should not.
    Err = k::KPI_LOG_ERR,
    /// Something is odd and may fail.
    Warning = k::KPI_LOG_WARNING,
    /// Normal, but worth a line.
    Notice = k::KPI_LOG_NOTICE,
    /// What happens.
    Info = k::KPI_LOG_INFO,
    /// For developers.
    Debug = k::KPI_LOG_DEBUG,
}

/// A line being made; what does not fit is cut off.
struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for b in s.bytes() {
            let Some(room) = self.bytes.get_mut(self.len) else {
                return Err(fmt::Error);
            };
            // One line is one line, whatever a name or a peer put into it.
            *room = if b.is_ascii_control() { b'?' } else { b };
            self.len += 1;
        }
        Ok(())
    }
}

/// Writes one line; use [`log!`](macro@crate::log).
pub fn write(level: Level, args: fmt::Arguments<'_>) {
    let mut line = Line {
        bytes: [0; 256],
        len: 0,
    };
    // An error means that the line is full, and what fits is logged.
    let _full = line.write_fmt(args);
    // SAFETY: the first len bytes are valid through the call.
    unsafe { k::kpi_log(level as u32, line.bytes.as_ptr().cast(), line.len as u32) };
}

/// Lets a few lines a second through and counts the rest: a member of what logs, not a static.
pub struct Limit {
    /// The second that `used` belongs to.
    second: AtomicU64,
    used: AtomicU32,
    withheld: AtomicU32,
    per_second: u32,
}

impl Limit {
    /// At most `per_second` lines a second.
    pub const fn new(per_second: u32) -> Self {
        Limit {
            second: AtomicU64::new(0),
            used: AtomicU32::new(0),
            withheld: AtomicU32::new(0),
            per_second,
        }
    }

    /// Whether a line may be written now, and how many were withheld since the last one.
    pub fn pass(&self) -> Option<u32> {
        let now = misc::uptime_ns() / 1_000_000_000;
        if self.second.swap(now, Ordering::Relaxed) != now {
            self.used.store(0, Ordering::Relaxed);
        }
        if self.used.fetch_add(1, Ordering::Relaxed) < self.per_second {
            Some(self.withheld.swap(0, Ordering::Relaxed))
        } else {
            self.withheld.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

/// Writes a line to the system log: `log!(Level::Notice, "{}: up", name)`.
#[macro_export]
macro_rules! log {
    ($level:expr, $($arg:tt)+) => { $crate::log::write($level, format_args!($($arg)+)) };
}

/// Writes a line if the limit lets it through: `log_limited!(sc.limit, Level::Warning, "...")`.
#[macro_export]
macro_rules! log_limited {
    ($limit:expr, $level:expr, $fmt:literal $($arg:tt)*) => {
        match $limit.pass() {
            Some(0) => $crate::log::write($level, format_args!($fmt $($arg)*)),
            Some(n) => $crate::log::write(
                $level,
                format_args!("{} ({} withheld)", format_args!($fmt $($arg)*), n),
            ),
            None => {}
        }
    };
}
