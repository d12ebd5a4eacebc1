// SPDX-License-Identifier: BSD-2-Clause
//! Facilities, severities and priorities (RFC 5424, 6.2.1; syslog(3) of the BSDs).

/// Names by number; the first of each is the one that is printed. 12 to 15 are FreeBSD's.
const FACILITIES: [(u8, &str); 26] = [
    (0, "kern"),
    (1, "user"),
    (2, "mail"),
    (3, "daemon"),
    (4, "auth"),
    (5, "syslog"),
    (6, "lpr"),
    (7, "news"),
    (8, "uucp"),
    (9, "cron"),
    (10, "authpriv"),
    (11, "ftp"),
    (12, "ntp"),
    (13, "security"),
    (14, "console"),
    (15, "clock"),
    (16, "local0"),
    (17, "local1"),
    (18, "local2"),
    (19, "local3"),
    (20, "local4"),
    (21, "local5"),
    (22, "local6"),
    (23, "local7"),
    (13, "audit"),
    (14, "alert"),
];

const SEVERITIES: [(u8, &str); 11] = [
    (0, "emerg"),
    (1, "alert"),
    (2, "crit"),
    (3, "err"),
    (4, "warning"),
    (5, "notice"),
    (6, "info"),
    (7, "debug"),
    (0, "panic"),
    (3, "error"),
    (4, "warn"),
];

/// What part of the system a message is from: 0 to 23.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Facility(u8);

/// How bad it is: 0, the worst, to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Severity(u8);

/// Both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pri {
    /// From what.
    pub facility: Facility,
    /// How bad.
    pub severity: Severity,
}

fn by_name(names: &[(u8, &str)], name: &str) -> Option<u8> {
    names
        .iter()
        .find(|(_, n)| n.eq_ignore_ascii_case(name))
        .map(|&(number, _)| number)
}

fn name_of(names: &[(u8, &'static str)], number: u8) -> &'static str {
    names
        .iter()
        .find(|&&(n, _)| n == number)
        .map_or("?", |&(_, name)| name)
}

impl Facility {
    /// The kernel's.
    pub const KERN: Facility = Facility(0);
    /// Any process's.
    pub const USER: Facility = Facility(1);
    /// syslogd's own.
    pub const SYSLOG: Facility = Facility(5);
    /// How many there are.
    pub const COUNT: usize = 24;

    /// By its number, 0 to 23.
    #[must_use]
    pub const fn new(number: u8) -> Option<Facility> {
        if number < 24 {
            Some(Facility(number))
        } else {
            None
        }
    }

    /// By its name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Facility> {
        by_name(&FACILITIES, name).map(Facility)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_of(&FACILITIES, self.0)
    }
}

impl Severity {
    /// The system cannot be used.
    pub const EMERG: Severity = Severity(0);
    /// Something is broken.
    pub const CRIT: Severity = Severity(2);
    /// An error.
    pub const ERR: Severity = Severity(3);
    /// A warning.
    pub const WARNING: Severity = Severity(4);
    /// Normal, and worth a look.
    pub const NOTICE: Severity = Severity(5);
    /// To know.
    pub const INFO: Severity = Severity(6);
    /// For developers.
    pub const DEBUG: Severity = Severity(7);

    /// By its number, 0 to 7.
    #[must_use]
    pub const fn new(number: u8) -> Option<Severity> {
        if number < 8 {
            Some(Severity(number))
        } else {
            None
        }
    }

    /// By its name, in any case; `panic`, `error` and `warn` are old names.
    #[must_use]
    pub fn named(name: &str) -> Option<Severity> {
        by_name(&SEVERITIES, name).map(Severity)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_of(&SEVERITIES, self.0)
    }
}

impl Pri {
    /// What a message without a priority has (RFC 3164, 4.3.3): user.notice.
    pub const DEFAULT: Pri = Pri {
        facility: Facility::USER,
        severity: Severity::NOTICE,
    };

    /// From the number on the wire, 0 to 191.
    #[must_use]
    pub const fn from_value(value: u16) -> Option<Pri> {
        if value > 191 {
            return None;
        }
        Some(Pri {
            facility: Facility((value >> 3) as u8),
            severity: Severity((value & 7) as u8),
        })
    }

    /// The number on the wire.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.facility.0 << 3 | self.severity.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for n in 0..24 {
            let f = Facility::new(n).expect("a facility");
            assert_eq!(Facility::named(f.name()), Some(f));
        }
        for n in 0..8 {
            let s = Severity::new(n).expect("a severity");
            assert_eq!(Severity::named(s.name()), Some(s));
        }
        assert_eq!(Facility::new(24), None);
        assert_eq!(Severity::new(8), None);
        assert_eq!(Severity::named("WARN"), Some(Severity::WARNING));
        assert_eq!(Severity::named("none"), None);
        for v in 0..192 {
            let p = Pri::from_value(v).expect("a priority");
            assert_eq!(u16::from(p.value()), v);
        }
        assert_eq!(Pri::from_value(192), None);
    }
}
