// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz target as a function of any bytes. It panics where a rule is broken: a text is refused
//! with places, or what it says prints, parses and compiles to the same.

use libiipf::{Files, compile, decompile, parse_file, print};
use std::io;
use std::path::Path;

/// The text under its name, and no other file.
struct One<'a>(&'a str);

impl Files for One<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("fuzz.conf") => Ok(self.0.to_owned()),
            Some("table") => Ok("10.0.0.0/8\n!10.1.0.0/16 # not these\n2001:db8::/32\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// A ruleset, as text, or as far as it is.
pub fn ruleset(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let files = One(text);
    let config = match parse_file(&files, Path::new("fuzz.conf"), &[]) {
        Ok(config) => config,
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(fault.pos.line > 0 && !fault.what.is_empty(), "{fault}");
            }
            return;
        }
    };
    let shown = print::config(&config);
    let files = One(&shown);
    match parse_file(&files, Path::new("fuzz.conf"), &[]) {
        Ok(again) => assert_eq!(again, config, "{shown}"),
        Err(faults) => panic!("{}\n{shown}", faults[0]),
    }
    let Ok(ruleset) = compile(&config) else {
        return;
    };
    decompile(&ruleset).expect("our own records");
}
