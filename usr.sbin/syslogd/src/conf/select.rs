// SPDX-License-Identifier: BSD-2-Clause
//! Selectors: `facility[,facility].[!][<=>]level[;...]`.

use crate::conf::note::Fault;
use crate::conf::scan::Scan;
use crate::conf::scan::number;
use crate::conf::types::Levels;
use liblog::Facility;
use liblog::Severity;

const LEVELS: &str =
    "the levels are emerg, alert, crit, err, warning, notice, info, debug, none and *";

/// Reads a selector up to the next blank. A level without a comparison means that one and the worse
/// ones, or with `unique` (syslogd -U) only that one.
///
/// # Errors
/// All that is wrong in it.
pub(super) fn selector(scan: &mut Scan<'_>, unique: bool) -> Result<Levels, Vec<Fault>> {
    let mut levels = Levels::default();
    let mut faults = Vec::new();
    loop {
        // The later one changes what the earlier one said, as ever.
        one(scan, unique, &mut levels, &mut faults);
        let separated = !scan.take(|c| c == ';' || c == ',').is_empty();
        if scan.peek().is_none_or(|c| c == ' ' || c == '\t') {
            break;
        }
        if !separated {
            // Cannot be: a level ends where one of these is.
            faults.push(scan.fault("expected ; between selectors", ""));
            break;
        }
    }
    if faults.is_empty() {
        Ok(levels)
    } else {
        Err(faults)
    }
}

fn one(scan: &mut Scan<'_>, unique: bool, levels: &mut Levels, faults: &mut Vec<Fault>) {
    let mut columns = Vec::new();
    loop {
        let start = scan.at();
        let name = scan.take(|c| !" \t,;.".contains(c));
        match columns_of(name) {
            Ok(found) => columns.extend(found),
            Err((what, hint)) => faults.push(Fault::new(start, what, hint)),
        }
        if !scan.eat(',') {
            break;
        }
        if scan.peek() == Some('.') {
            break;
        }
    }
    if !scan.eat('.') {
        faults.push(scan.fault("no level", "a selector is facility.level"));
        return;
    }
    let not = scan.eat('!');
    let flags = scan.take(|c| "<=>".contains(c));
    let start = scan.at();
    let name = scan.take(|c| !" \t,;".contains(c));
    match mask_of(name, not, flags, unique) {
        Some(mask) => columns.iter().for_each(|&column| levels.put(column, mask)),
        None => faults.push(Fault::new(start, format!("unknown level {name:?}"), LEVELS)),
    }
}

type Wrong = (String, &'static str);

fn columns_of(name: &str) -> Result<std::ops::Range<usize>, Wrong> {
    let single = |column: usize| column..column + 1;
    if name == "*" {
        return Ok(0..Facility::COUNT);
    }
    if name.eq_ignore_ascii_case("mark") {
        return Ok(single(Levels::MARK));
    }
    if let Some(facility) = Facility::named(name) {
        return Ok(single(usize::from(facility.number())));
    }
    // As <syslog.h> has it: shifted by the bits of the level.
    if let Some(code) = number(name) {
        let facility = u8::try_from(code / 8).ok().and_then(Facility::new);
        return match (code % 8, facility) {
            (0, Some(facility)) => Ok(single(usize::from(facility.number()))),
            _ => Err((
                format!("no facility has the number {name}"),
                "8 times 0 to 23",
            )),
        };
    }
    match name {
        "" => Err((
            "no facility".into(),
            "a selector is facility.level; * is any",
        )),
        _ => Err((
            format!("unknown facility {name:?}"),
            "auth, authpriv, cron, daemon, ftp, kern, lpr, mail, mark, news, ntp, security, \
             console, syslog, user, uucp, local0 to local7, or *",
        )),
    }
}

fn mask_of(name: &str, not: bool, flags: &str, unique: bool) -> Option<u8> {
    if name.eq_ignore_ascii_case("none") {
        return Some(0);
    }
    if name == "*" {
        return Some(if not { 0 } else { 0xff });
    }
    let severity = Severity::named(name)
        .or_else(|| Severity::new(u8::try_from(number(name)?).ok()?))?
        .number();
    let equal = 1u8 << severity;
    let worse = equal - 1;
    let milder = !(equal | worse);
    let default = if unique { "=" } else { ">=" };
    let flags = if flags.is_empty() { default } else { flags };
    let mask = flags.chars().fold(0, |mask, flag| match flag {
        '<' => mask | milder,
        '=' => mask | equal,
        _ => mask | worse,
    });
    Some(if not { !mask } else { mask })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Levels {
        selector(&mut Scan::new(text), false).unwrap()
    }

    /// The mask of a level, by what the manual says: compare each severity.
    fn by_compare(level: u8, not: bool, flags: &str) -> u8 {
        let flags = if flags.is_empty() { ">=" } else { flags };
        (0..8u8)
            .filter(|&s| {
                let higher = s < level && flags.contains('>');
                let same = s == level && flags.contains('=');
                let lower = s > level && flags.contains('<');
                (higher || same || lower) != not
            })
            .fold(0, |mask, s| mask | 1 << s)
    }

    #[test]
    fn comparisons() {
        for not in ["", "!"] {
            for flags in ["", "<", "=", ">", "<=", ">=", "=>", "<>", "<=>"] {
                for n in 0..8 {
                    let name = Severity::new(n).unwrap().name();
                    let levels = parse(&format!("mail.{not}{flags}{name}"));
                    let expected = by_compare(n, !not.is_empty(), flags);
                    assert_eq!(levels.get(2), expected, "{not}{flags}{name}");
                    assert_eq!(levels.get(1), 0);
                    assert_eq!(parse(&format!("16.{not}{flags}{n}")), levels);
                }
            }
        }
    }

    #[test]
    fn later_ones_win_and_marks_are_apart() {
        let levels = parse("*.Err;kern.debug;auth,AuthPriv.none;mail.*;news.!*");
        assert_eq!(levels.get(0), 0xff);
        assert_eq!(levels.get(1), 0x0f);
        assert_eq!(levels.get(2), 0xff);
        assert_eq!((levels.get(4), levels.get(10), levels.get(7)), (0, 0, 0));
        assert_eq!(levels.get(Levels::MARK), 0);
        assert_eq!(parse("mark.*").get(Levels::MARK), 0xff);
        assert_eq!(parse("*.*"), Levels::all());
        // Old OpenBSD files have a comma between selectors.
        assert_eq!(parse("kern.debug,user.info"), parse("kern.debug;user.info"));
        assert_eq!(parse("kern.debug;"), parse("kern.debug"));
        let unique = selector(&mut Scan::new("kern.info;mail.>=err"), true).unwrap();
        assert_eq!((unique.get(0), unique.get(2)), (1 << 6, 0x0f));
    }

    #[test]
    fn all_faults_are_told() {
        let text = "kernel.info;mail.loud;9.err;.err;cron";
        let faults = selector(&mut Scan::new(text), false).unwrap_err();
        let seen: Vec<_> = faults.iter().map(|f| (f.at, f.what.as_str())).collect();
        assert_eq!(
            seen,
            [
                (0, "unknown facility \"kernel\""),
                (17, "unknown level \"loud\""),
                (22, "no facility has the number 9"),
                (28, "no facility"),
                (37, "no level"),
            ]
        );
    }
}
