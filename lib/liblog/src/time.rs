// SPDX-License-Identifier: BSD-2-Clause
//! Time stamps of RFC 3164 and RFC 3339, read and written without allocation.

use std::cell::Cell;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::tz::TimeZone;

use crate::buf::Buf;

/// Nanoseconds of a second.
pub const SECOND: i64 = 1_000_000_000;

/// How far into the future a stamp without a year may lie; else it is one of last year.
const AHEAD: i64 = 31 * 86_400;

/// Rules change at whole quarters of an hour: for so long an offset is kept.
const QUARTER: i64 = 900;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// What local time is. The rules are read once, so it works in a chroot too.
#[derive(Debug, Clone)]
pub struct Zone {
    rules: TimeZone,
    /// A quarter of an hour since 1970, and the offset in it.
    last: Cell<(i64, i32)>,
}

impl Zone {
    fn of(rules: TimeZone) -> Self {
        Zone {
            rules,
            last: Cell::new((i64::MIN, 0)),
        }
    }

    /// The system's.
    #[must_use]
    pub fn system() -> Self {
        Zone::of(TimeZone::system())
    }

    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Zone::of(TimeZone::UTC)
    }

    /// So many seconds east of Greenwich; UTC if there can be no such place.
    #[must_use]
    pub fn fixed(seconds: i32) -> Self {
        Offset::from_seconds(seconds).map_or_else(|_| Zone::utc(), |o| Zone::of(TimeZone::fixed(o)))
    }

    /// By rules in the form of POSIX's TZ, as in `CET-1CEST,M3.5.0,M10.5.0/3`.
    #[must_use]
    pub fn posix(rules: &str) -> Option<Self> {
        TimeZone::posix(rules).ok().map(Zone::of)
    }

    /// Seconds east of Greenwich at a time in seconds since 1970.
    #[must_use]
    pub fn offset(&self, seconds: i64) -> i32 {
        let quarter = seconds.div_euclid(QUARTER);
        let (last, offset) = self.last.get();
        if last == quarter {
            return offset;
        }
        let offset =
            Timestamp::from_second(seconds).map_or(0, |time| self.rules.to_offset(time).seconds());
        self.last.set((quarter, offset));
        offset
    }

    /// The time of a local clock that shows `local` (seconds since 1970 as if it were UTC). What
    /// there is twice when clocks are set back is taken in the season of `now`.
    fn resolve(&self, local: i64, now: i64) -> i64 {
        let first = local - i64::from(self.offset(now));
        let second = local - i64::from(self.offset(first));
        if local - i64::from(self.offset(second)) == second {
            second
        } else {
            first
        }
    }
}

/// A stamp at the start of some text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// How many bytes it takes.
    pub len: usize,
    /// Nanoseconds since 1970; `None` if there is no such time.
    pub time: Option<i64>,
    /// It has more digits of a second than RFC 5424 allows; they are left out.
    pub long: bool,
}

/// A reader of bytes from the left.
struct Scan<'a> {
    rest: &'a [u8],
    all: usize,
}

impl<'a> Scan<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Scan {
            rest: bytes,
            all: bytes.len(),
        }
    }

    const fn at(&self) -> usize {
        self.all - self.rest.len()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    /// A number of `min` to `max` digits.
    fn number(&mut self, min: usize, max: usize) -> Option<u32> {
        let n = self
            .rest
            .iter()
            .take(max)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if n < min {
            return None;
        }
        let (digits, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(
            digits
                .iter()
                .fold(0, |sum, d| sum * 10 + u32::from(d - b'0')),
        )
    }

    fn clock(&mut self) -> Option<[u32; 3]> {
        let hour = self.number(2, 2)?;
        self.take(b':')?;
        let minute = self.number(2, 2)?;
        self.take(b':')?;
        Some([hour, minute, self.number(2, 2)?])
    }

    /// `.123`: nanoseconds, and whether there were more than six digits.
    fn fraction(&mut self) -> Option<(i64, bool)> {
        let Some(after) = self.rest.strip_prefix(b".") else {
            return Some((0, false));
        };
        let n = after.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = after.split_at_checked(n)?;
        if !(1..=9).contains(&n) {
            return None;
        }
        let micros = digits
            .iter()
            .chain(&[b'0'; 6])
            .take(6)
            .fold(0, |sum, d| sum * 10 + i64::from(d - b'0'));
        self.rest = rest;
        Some((micros * 1000, n > 6))
    }
}

/// Seconds since 1970 of a date and time as if it were UTC.
fn civil(year: i64, month: u32, day: u32, clock: [u32; 3]) -> Option<i64> {
    let [hour, minute, second] = clock;
    let time = DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        0,
    );
    let time = Offset::UTC.to_timestamp(time.ok()?);
    Some(time.ok()?.as_second())
}

fn nanoseconds(seconds: i64, fraction: i64) -> Option<i64> {
    seconds.checked_mul(SECOND)?.checked_add(fraction)
}

/// Reads a stamp of RFC 3339 in the form of RFC 5424: `2003-10-11T22:14:15.003Z`.
/// `None`: there is none.
#[must_use]
pub fn rfc3339(bytes: &[u8]) -> Option<Stamp> {
    let mut scan = Scan::new(bytes);
    let year = scan.number(4, 4)?;
    scan.take(b'-')?;
    let month = scan.number(2, 2)?;
    scan.take(b'-')?;
    let day = scan.number(2, 2)?;
    scan.take(b'T')?;
    let clock = scan.clock()?;
    let (fraction, long) = scan.fraction()?;
    let mut east = Some(0);
    if scan.take(b'Z').is_none() {
        let sign = match scan.rest.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        scan.rest = scan.rest.get(1..)?;
        let hours = scan.number(2, 2)?;
        scan.take(b':')?;
        let minutes = scan.number(2, 2)?;
        east = (hours < 24 && minutes < 60)
            .then_some(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60));
    }
    let time = civil(i64::from(year), month, day, clock)
        .zip(east)
        .and_then(|(seconds, east)| nanoseconds(seconds - east, fraction));
    Some(Stamp {
        len: scan.at(),
        time,
        long,
    })
}

/// Reads a stamp of RFC 3164: `Oct 11 22:14:15`, its day with or without something before it,
/// with or without a year before or behind the time, with or without a fraction. Without a year
/// it is the last one up to a month after `now` (nanoseconds). `None`: there is none.
#[must_use]
pub fn rfc3164(bytes: &[u8], zone: &Zone, now: i64) -> Option<Stamp> {
    let mut scan = Scan::new(bytes);
    let name = scan.rest.get(..3)?;
    let month = (1..).zip(MONTHS).find(|(_, m)| m[..] == *name)?.0;
    scan.rest = scan.rest.get(3..)?;
    scan.take(b' ')?;
    let _ = scan.take(b' ');
    let day = scan.number(1, 2)?;
    scan.take(b' ')?;
    let mut year = None;
    if scan.rest.get(4) == Some(&b' ') {
        year = Some(scan.number(4, 4)?);
        scan.take(b' ')?;
    }
    let clock = scan.clock()?;
    let (fraction, long) = scan.fraction()?;
    if year.is_none() {
        year = year_behind(&mut scan);
    }
    let now = now.div_euclid(SECOND);
    let this = (now + i64::from(zone.offset(now))).div_euclid(86_400);
    let resolved = |year: i64| civil(year, month, day, clock).map(|local| zone.resolve(local, now));
    let seconds = match year {
        Some(year) => resolved(i64::from(year)),
        None => {
            let this = year_of(this);
            // Mostly it is this year, and then the next one is out of the question.
            let near = now.saturating_add(AHEAD);
            let mut time = resolved(this).filter(|&t| t <= near && t > near - 365 * 86_400);
            if time.is_none() {
                let years = [this + 1, this, this - 1];
                time = years.into_iter().filter_map(resolved).find(|&t| t <= near);
            }
            time
        }
    };
    Some(Stamp {
        len: scan.at(),
        time: seconds.and_then(|s| nanoseconds(s, fraction)),
        long,
    })
}

/// ` 2003` or ` CST 1987` behind the time. Names of zones mean different places to different
/// people: they are passed over.
fn year_behind(scan: &mut Scan<'_>) -> Option<u32> {
    let mut ahead = Scan::new(scan.rest);
    ahead.take(b' ')?;
    let letters = ahead
        .rest
        .iter()
        .take_while(|b| b.is_ascii_uppercase())
        .count();
    if (3..=5).contains(&letters) {
        ahead.rest = ahead.rest.get(letters..)?;
        ahead.take(b' ')?;
    }
    let year = ahead.number(4, 4)?;
    if !(1970..2263).contains(&year) || !matches!(ahead.rest, [] | [b' ', ..] | [b':', b' ', ..]) {
        return None;
    }
    scan.rest = ahead.rest;
    Some(year)
}

fn year_of(day: i64) -> i64 {
    let time = Timestamp::from_second(day * 86_400).unwrap_or_default();
    i64::from(Offset::UTC.to_datetime(time).year())
}

/// The date and time that a local clock shows, and its offset in whole minutes.
fn local(stamp: i64, zone: &Zone) -> (DateTime, i32) {
    let seconds = stamp.div_euclid(SECOND);
    let minutes = zone.offset(seconds) / 60;
    let shown = seconds.saturating_add(i64::from(minutes) * 60);
    let time = Timestamp::from_second(shown).unwrap_or_default();
    (Offset::UTC.to_datetime(time), minutes)
}

fn two(out: &mut Buf, n: i8) {
    out.digits(u64::from(n.unsigned_abs()), 2);
}

fn clock(out: &mut Buf, time: &DateTime) {
    two(out, time.hour());
    out.byte(b':');
    two(out, time.minute());
    out.byte(b':');
    two(out, time.second());
}

/// Writes `Oct  1 22:14:15`.
pub fn write_rfc3164(stamp: i64, zone: &Zone, out: &mut Buf) {
    let (time, _) = local(stamp, zone);
    let month = usize::from(time.month().unsigned_abs()).saturating_sub(1);
    out.push(MONTHS.get(month).map_or(b"Jan", |m| *m));
    out.byte(b' ');
    if time.day() < 10 {
        out.byte(b' ');
    }
    out.number(u64::from(time.day().unsigned_abs()));
    out.byte(b' ');
    clock(out, &time);
}

/// Writes `2003-10-11T22:14:15.003000+02:00`.
pub fn write_rfc3339(stamp: i64, zone: &Zone, out: &mut Buf) {
    let (time, minutes) = local(stamp, zone);
    out.digits(u64::from(time.year().unsigned_abs()), 4);
    out.byte(b'-');
    two(out, time.month());
    out.byte(b'-');
    two(out, time.day());
    out.byte(b'T');
    clock(out, &time);
    out.byte(b'.');
    out.digits(stamp.rem_euclid(SECOND).unsigned_abs() / 1000, 6);
    if minutes == 0 {
        out.byte(b'Z');
        return;
    }
    out.byte(if minutes < 0 { b'-' } else { b'+' });
    let minutes = u64::from(minutes.unsigned_abs());
    out.digits(minutes / 60, 2);
    out.byte(b':');
    out.digits(minutes % 60, 2);
}
