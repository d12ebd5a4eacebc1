// SPDX-License-Identifier: BSD-2-Clause
//! The times that --since and --until take: `10m`, `yesterday`, `2026-11-29 01:02`, `@1796000000`.

use jiff::Zoned;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Nanoseconds since 1970 of what `word` says, seen from `now` in its time zone.
///
/// # Errors
///
/// It is no time, with the forms that there are.
pub fn parse(word: &str, now: &Zoned) -> Result<i64, String> {
    let word = word.trim();
    find(word, now)
        .and_then(|stamp| i64::try_from(stamp.as_nanosecond()).ok())
        .ok_or_else(|| {
            format!(
                "'{word}' is no time: say 30s, 10m, 2h, 1d or 1w for so long ago, today, yesterday, \
                 now, HH:MM[:SS], YYYY-MM-DD [HH:MM[:SS]], a time as RFC 3339 has it, or @SECONDS"
            )
        })
}

fn find(word: &str, now: &Zoned) -> Option<Timestamp> {
    let zone = now.time_zone();
    match word {
        "now" => return Some(now.timestamp()),
        "today" => return midnight(now.date(), zone),
        "yesterday" => return midnight(now.date().yesterday().ok()?, zone),
        _ => {}
    }
    if let Some(seconds) = word.strip_prefix('@') {
        return seconds_since_1970(seconds);
    }
    if let Some(ago) = span(word) {
        return now.timestamp().checked_sub(ago).ok();
    }
    if let Ok(stamp) = word.parse::<Timestamp>() {
        return Some(stamp);
    }
    // jiff takes more than is meant here (a bare hour, a date without dashes): ask for the colon or
    // dash that make it one of our forms.
    let civil: DateTime = if word.len() >= 10 && word.as_bytes().get(4) == Some(&b'-') {
        word.parse::<DateTime>().ok()?
    } else if word.contains(':') {
        now.date().to_datetime(word.parse::<Time>().ok()?)
    } else {
        return None;
    };
    zone.to_ambiguous_timestamp(civil).compatible().ok()
}

fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let midnight = date.to_datetime(Time::midnight());
    zone.to_ambiguous_timestamp(midnight).compatible().ok()
}

fn seconds_since_1970(word: &str) -> Option<Timestamp> {
    let (whole, part) = word.split_once('.').unwrap_or((word, ""));
    if part.len() > 9 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i32 = format!("{part:0<9}").parse().ok()?;
    Timestamp::new(whole.parse().ok()?, nanoseconds).ok()
}

/// `1h30m` and the like; every number has its unit.
fn span(word: &str) -> Option<Span> {
    let mut seconds: i64 = 0;
    let mut rest = word;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        let unit = match rest.get(digits..)?.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = rest.get(digits + 1..)?;
    }
    Span::new().try_seconds(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(word: &str) -> String {
        let now: Zoned = "2026-11-29T12:34:56+01:00[+01:00]".parse().expect("a time");
        match parse(word, &now) {
            Ok(n) => Timestamp::from_nanosecond(i128::from(n))
                .expect("a stamp")
                .to_string(),
            Err(e) => e,
        }
    }

    #[test]
    fn relative() {
        assert_eq!(at("now"), "2026-11-29T11:34:56Z");
        assert_eq!(at("10m"), "2026-11-29T11:24:56Z");
        assert_eq!(at("1h30m"), "2026-11-29T10:04:56Z");
        assert_eq!(at("1w"), "2026-11-22T11:34:56Z");
        assert_eq!(at("today"), "2026-11-28T23:00:00Z");
        assert_eq!(at("yesterday"), "2026-11-27T23:00:00Z");
    }

    #[test]
    fn absolute() {
        assert_eq!(at("2026-11-01"), "2026-10-31T23:00:00Z");
        assert_eq!(at("2026-11-01 10:11"), "2026-11-01T09:11:00Z");
        assert_eq!(at("2026-11-01T10:11:12.5"), "2026-11-01T09:11:12.5Z");
        assert_eq!(at("2026-11-01T10:11:12Z"), "2026-11-01T10:11:12Z");
        assert_eq!(at("2026-11-01T10:11:12+09:00"), "2026-11-01T01:11:12Z");
        assert_eq!(at("01:02"), "2026-11-29T00:02:00Z");
        assert_eq!(at("@1.25"), "1970-01-01T00:00:01.25Z");
    }

    #[test]
    fn wrong() {
        let long = "9".repeat(40);
        for word in [
            "",
            "10",
            "m",
            "10x",
            "-5m",
            "2026",
            "2026-13-01",
            "25:00",
            "@",
            "@x",
            "@1.x",
            &long,
        ] {
            assert!(at(word).contains("is no time"), "{word}: {}", at(word));
        }
        assert!(at("9223372036854775807w").contains("is no time"));
    }
}
