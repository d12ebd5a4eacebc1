// SPDX-License-Identifier: BSD-2-Clause
//! Time stamps of RFC 3164 and RFC 3339, read and written without allocation.

use std::cell::Cell;

use jiff::Timestamp;
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
///
/// The calendar is our own: a library's costs more than all the rest of a parser. A test compares.
fn civil(year: i64, month: u32, day: u32, clock: [u32; 3]) -> Option<i64> {
    let [hour, minute, second] = clock;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > length || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some(days(year, month, day) * 86_400 + seconds)
}

/// Days from 1970 on. Years are taken to begin in March, so that the leap day is their last.
fn days(year: i64, month: u32, day: u32) -> i64 {
    let (year, month) = if month < 3 {
        (year - 1, i64::from(month) + 9)
    } else {
        (year, i64::from(month) - 3)
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (month * 153 + 2) / 5 + i64::from(day) - 1 - MARCH_1_YEAR_0
}

/// Days from March 1 of the year 0 to 1970.
const MARCH_1_YEAR_0: i64 = 719_468;

/// The year, month and day of a day since 1970.
fn date(day: i64) -> (i64, u64, u64) {
    let day = day + MARCH_1_YEAR_0;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (year * 365 + year / 4 - year / 100);
    let month = (of_year * 5 + 2) / 153;
    let day = of_year - (month * 153 + 2) / 5 + 1;
    let (next, month) = if month < 10 {
        (0, month + 3)
    } else {
        (1, month - 9)
    };
    let year = era * 400 + year + next;
    (year, month.unsigned_abs(), day.unsigned_abs())
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
            let (this, ..) = date(this);
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

/// What a local clock shows.
struct Local {
    date: (i64, u64, u64),
    /// Seconds of the day.
    clock: u64,
    /// The offset in whole minutes.
    minutes: i32,
}

impl Local {
    fn of(stamp: i64, zone: &Zone) -> Self {
        let seconds = stamp.div_euclid(SECOND);
        let minutes = zone.offset(seconds) / 60;
        let shown = seconds + i64::from(minutes) * 60;
        Local {
            date: date(shown.div_euclid(86_400)),
            clock: shown.rem_euclid(86_400).unsigned_abs(),
            minutes,
        }
    }

    /// The hour, minute and second with colons.
    fn write_clock(&self, out: &mut Buf) {
        let [hour, minute, second] =
            [self.clock / 3600, self.clock / 60 % 60, self.clock % 60].map(two);
        out.push(&[
            hour[0], hour[1], b':', minute[0], minute[1], b':', second[0], second[1],
        ]);
    }
}

/// Two digits.
const fn two(n: u64) -> [u8; 2] {
    [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8]
}

/// Writes `Oct  1 22:14:15`.
pub fn write_rfc3164(stamp: i64, zone: &Zone, out: &mut Buf) {
    let local = Local::of(stamp, zone);
    let (_, month, day) = local.date;
    let month = usize::try_from(month).unwrap_or_default().saturating_sub(1);
    let [m, o, n] = MONTHS.get(month).map_or(*b"Jan", |name| **name);
    let [tens, ones] = two(day);
    let tens = if tens == b'0' { b' ' } else { tens };
    out.push(&[m, o, n, b' ', tens, ones, b' ']);
    local.write_clock(out);
}

/// Writes `2003-10-11T22:14:15.003000+02:00`.
pub fn write_rfc3339(stamp: i64, zone: &Zone, out: &mut Buf) {
    let local = Local::of(stamp, zone);
    let (year, month, day) = local.date;
    let year = year.unsigned_abs();
    let [c, y, m, d] = [year / 100, year, month, day].map(two);
    out.push(&[
        c[0], c[1], y[0], y[1], b'-', m[0], m[1], b'-', d[0], d[1], b'T',
    ]);
    local.write_clock(out);
    out.byte(b'.');
    out.digits(stamp.rem_euclid(SECOND).unsigned_abs() / 1000, 6);
    if local.minutes == 0 {
        out.byte(b'Z');
        return;
    }
    let minutes = u64::from(local.minutes.unsigned_abs());
    let sign = if local.minutes < 0 { b'-' } else { b'+' };
    let [h, m] = [minutes / 60, minutes % 60].map(two);
    out.push(&[sign, h[0], h[1], b':', m[0], m[1]]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::Date;
    use jiff::civil::DateTime;

    #[test]
    fn the_calendar_is_a_librarys() {
        let mut day = Date::new(1600, 1, 1).unwrap();
        while day.year() < 2401 {
            let at_noon = Offset::UTC
                .to_timestamp(day.at(12, 34, 56, 0))
                .unwrap()
                .as_second();
            let [y, m, d] = [day.year(), day.month().into(), day.day().into()];
            let ours = civil(y.into(), m as u32, d as u32, [12, 34, 56]);
            assert_eq!(ours, Some(at_noon), "{day}");
            let back = date(at_noon.div_euclid(86_400));
            assert_eq!(back, (y.into(), m as u64, d as u64), "{day}");
            day = day.tomorrow().unwrap();
        }
        for year in [0i16, 1, 1900, 2000, 2023, 2024, 9999] {
            for month in 0..14 {
                for day in 0..33 {
                    let theirs = DateTime::new(year, month, day, 0, 0, 0, 0).is_ok();
                    let ours = civil(year.into(), month as u32, day as u32, [0; 3]).is_some();
                    assert_eq!(ours, theirs, "{year} {month} {day}");
                }
            }
        }
        for clock in [[24, 0, 0], [0, 60, 0], [0, 0, 60]] {
            assert_eq!(civil(2024, 1, 1, clock), None);
        }
    }

    #[test]
    fn the_ends_of_time() {
        let mut out = Buf::new(200);
        for stamp in [i64::MIN, 0, i64::MAX] {
            for offset in [-50_430, 0, 50_430] {
                out.clear();
                write_rfc3339(stamp, &Zone::fixed(offset), &mut out);
                let text = std::str::from_utf8(out.as_bytes()).unwrap();
                let time: Timestamp = text.parse().expect(text);
                let want = i128::from(stamp).div_euclid(1000) * 1000;
                assert_eq!(time.as_nanosecond(), want, "{text}");
                write_rfc3164(stamp, &Zone::fixed(offset), &mut out);
            }
        }
    }
}
