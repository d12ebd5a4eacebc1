// SPDX-License-Identifier: BSD-2-Clause
//! A cursor over one line, and the small words: numbers, sizes, times, quoted strings.

use crate::conf::note::Fault;
use std::time::Duration;

/// Reads a line from left to right; offsets are those of the line.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

impl<'a> Scan<'a> {
    pub fn new(text: &'a str) -> Scan<'a> {
        Scan { text, at: 0 }
    }

    /// Where it is.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What is left.
    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn is_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// Passes a character if it is the next one.
    pub fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// Passes a string if it is next.
    pub fn eat_str(&mut self, s: &str) -> bool {
        let found = self.rest().starts_with(s);
        if found {
            self.at += s.len();
        }
        found
    }

    /// Passes blanks; true if there were any.
    pub fn blanks(&mut self) -> bool {
        !self.take(is_blank).is_empty()
    }

    /// What goes on as long as `keep` says.
    pub fn take(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Up to the next blank.
    pub fn word(&mut self) -> &'a str {
        self.take(|c| !is_blank(c))
    }

    pub fn fault(&self, what: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault::new(self.at, what, hint)
    }

    /// A string in double quotes; `\"` and `\\` in it stand for `"` and `\`.
    pub fn quoted(&mut self) -> Result<String, Fault> {
        let start = self.at;
        if !self.eat('"') {
            return Err(self.fault("expected \"", "quote the value"));
        }
        let mut value = String::new();
        loop {
            let Some(c) = self.peek() else {
                return Err(Fault::new(start, "no closing \"", ""));
            };
            self.at += c.len_utf8();
            match (c, self.peek()) {
                ('"', _) => return Ok(value),
                ('\\', Some(next @ ('"' | '\\'))) => {
                    self.at += next.len_utf8();
                    value.push(next);
                }
                _ => value.push(c),
            }
        }
    }

    /// Nothing more but blanks and a comment.
    pub fn finish(&mut self) -> Result<(), Fault> {
        self.blanks();
        if self.is_end() || self.peek() == Some('#') {
            return Ok(());
        }
        Err(self.fault(format!("unexpected {:?}", self.rest()), ""))
    }
}

/// A line without the comment at its end. `\#` is none; [`unhash`] makes it a `#`.
pub(super) fn uncomment(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_cut = |&at: &usize| {
        bytes.get(at) == Some(&b'#') && (at == 0 || bytes.get(at - 1) != Some(&b'\\'))
    };
    let end = (0..bytes.len()).find(is_cut).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().trim_end()
}

/// `\#` is `#`.
pub(super) fn unhash(text: &str) -> String {
    text.replace("\\#", "#")
}

/// Bytes: `4096`, `64k`, `1m`, `1g`, with or without `b` at the end, in any case.
pub(super) fn size(word: &str) -> Option<u64> {
    let lower = word.to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let lower = lower.strip_suffix('i').unwrap_or(lower);
    let (digits, shift) = match lower.as_bytes().last()? {
        b'k' => (lower.strip_suffix('k')?, 10),
        b'm' => (lower.strip_suffix('m')?, 20),
        b'g' => (lower.strip_suffix('g')?, 30),
        _ => (lower, 0),
    };
    number(digits)?.checked_mul(1 << shift)
}

/// Decimal digits and nothing else.
pub(super) fn number(word: &str) -> Option<u64> {
    if word.is_empty() || !word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    word.parse().ok()
}

/// Longer times are of no use, and do not fit where they are counted in nanoseconds.
const LONGEST: u64 = 10 * 366 * 86_400;

/// A time: `30`, `30s`, `20m`, `1h`, `1d`, `500ms`.
pub(super) fn time(word: &str) -> Option<Duration> {
    if let Some(digits) = word.strip_suffix("ms") {
        let time = Duration::from_millis(number(digits)?);
        return (time.as_secs() <= LONGEST).then_some(time);
    }
    let (digits, unit) = match word.as_bytes().last()? {
        b's' => (word.strip_suffix('s')?, 1),
        b'm' => (word.strip_suffix('m')?, 60),
        b'h' => (word.strip_suffix('h')?, 3600),
        b'd' => (word.strip_suffix('d')?, 86_400),
        _ => (word, 1),
    };
    let seconds = number(digits)?.checked_mul(unit)?;
    (seconds <= LONGEST).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        assert_eq!(size("4096"), Some(4096));
        assert_eq!(size("64k"), Some(65_536));
        assert_eq!(size("1M"), Some(1 << 20));
        assert_eq!(size("1MiB"), Some(1 << 20));
        assert_eq!(size("2gb"), Some(2 << 30));
        for bad in [
            "",
            "k",
            "-1",
            "1x",
            "1.5m",
            "99999999999999999999",
            "99999999999999g",
        ] {
            assert_eq!(size(bad), None, "{bad}");
        }
        assert_eq!(time("30"), Some(Duration::from_secs(30)));
        assert_eq!(time("20m"), Some(Duration::from_secs(1200)));
        assert_eq!(time("500ms"), Some(Duration::from_millis(500)));
        for bad in [
            "",
            "s",
            "ms",
            "-1s",
            "1y",
            "99999999999999d",
            "4000d",
            "99999999999999999ms",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn quotes() {
        let mut scan = Scan::new(r#""a\"b\\c\d" x"#);
        assert_eq!(scan.quoted().unwrap(), r#"a"b\c\d"#);
        assert!(scan.finish().is_err());
        assert_eq!(Scan::new("\"abc").quoted().unwrap_err().at, 0);
        assert_eq!(Scan::new("abc").quoted().unwrap_err().at, 0);
    }

    #[test]
    fn comments_at_the_end() {
        assert_eq!(uncomment("a b # c"), "a b");
        assert_eq!(uncomment("a \\# b # c"), "a \\# b");
        assert_eq!(unhash(uncomment("a \\# b # c")), "a # b");
        assert_eq!(uncomment("a"), "a");
    }
}
