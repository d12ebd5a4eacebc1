// SPDX-License-Identifier: BSD-2-Clause
//! What is printed parses back to the same, for the corpus and for the examples; nothing that is
//! done to them makes the parser or the compiler fall over.

#![forbid(unsafe_code)]

use libiipf::{compile, decompile, diff, parse_text, print};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: Vec<PathBuf> = std::fs::read_dir(here.join("corpus"))
        .expect("the corpus is there")
        .map(|e| e.expect("it can be read").path())
        .collect();
    all.push(here.join("../../etc/iipf.conf"));
    all.sort();
    all
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("it can be read")
}

fn faults(all: &[libiipf::Fault]) -> String {
    all.iter().map(|f| format!("{f}\n")).collect()
}

#[test]
fn canonical_text_parses_to_the_same() {
    for path in files() {
        let name = path.display().to_string();
        let config = parse_text(&read(&path), &name).unwrap_or_else(|f| panic!("{}", faults(&f)));
        let text = print::config(&config);
        let again =
            parse_text(&text, "canonical").unwrap_or_else(|f| panic!("{}{text}", faults(&f)));
        assert_eq!(again, config, "{name}: {text}");
        assert_eq!(print::config(&again), text, "{name}");
    }
}

#[test]
fn records_mean_what_was_written() {
    for path in files() {
        let name = path.display().to_string();
        let config = parse_text(&read(&path), &name).unwrap_or_else(|f| panic!("{}", faults(&f)));
        let ruleset = compile(&config).unwrap_or_else(|f| panic!("{}", faults(&f)));
        let mut read_back = libiipf::Ruleset::default();
        for chunk in ruleset.chunks() {
            assert!(read_back.add(&chunk), "{name}");
        }
        assert_eq!(read_back, ruleset, "{name}");
        let seen = decompile(&read_back).expect("our own records");
        let mut again = compile(&seen).unwrap_or_else(|f| panic!("{}", faults(&f)));
        // Where things stand is not in the canonical text; nor are empty anchors.
        for (a, b) in again.rules.iter_mut().zip(&ruleset.rules) {
            assert_eq!(
                (a.id, a.order, a.prio, a.stop),
                (b.id, b.order, b.prio, b.stop),
                "{name}"
            );
            assert_eq!(a.nat, b.nat, "{name}");
            assert_eq!(a.state, b.state, "{name}");
        }
        assert_eq!(again.rules.len(), ruleset.rules.len());
        assert_eq!(again.pools.len(), ruleset.pools.len());
        assert_eq!(
            diff(&decompile(&again).expect("our own"), &seen),
            "",
            "{name}"
        );
        let shown = print::config(&seen);
        let parsed =
            parse_text(&shown, "shown").unwrap_or_else(|f| panic!("{}{shown}", faults(&f)));
        assert_eq!(diff(&parsed, &seen), "", "{name}");
    }
}

#[test]
fn ids_and_priorities_are_unique() {
    for path in files() {
        let config = parse_text(&read(&path), "t").unwrap_or_else(|f| panic!("{}", faults(&f)));
        let ruleset = compile(&config).expect("it compiles");
        let mut ids: Vec<u64> = ruleset.rules.iter().map(|r| r.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ruleset.rules.len());
        assert!(!ids.contains(&0));
        let decides = |r: &&iipf_abi::RuleRec| {
            r.action == iipf_abi::IIPF_ACT_PASS || r.action == iipf_abi::IIPF_ACT_BLOCK
        };
        let mut prios: Vec<u32> = ruleset
            .rules
            .iter()
            .filter(decides)
            .map(|r| r.prio)
            .collect();
        prios.sort_unstable();
        assert!(prios.iter().zip(0..).all(|(p, n)| *p == n), "{prios:?}");
    }
}

/// Changes to a text that make it wrong, or another one.
fn mutated(text: &str, at: usize, what: u8, with: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = at % chars.len().max(1);
    let until = (at + 1 + usize::from(what) % 17).min(chars.len());
    match what % 5 {
        0 => _ = chars.drain(at..until),
        1 => _ = chars.splice(at..at, with.chars()),
        2 => chars[at..until].reverse(),
        3 => {
            let copy: Vec<char> = chars[at..until].to_vec();
            _ = chars.splice(at..at, copy);
        }
        _ => chars.truncate(at),
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is left is refused with places, or is a ruleset that prints, parses and compiles.
    #[test]
    fn mutations_do_no_harm(
        which in 0usize..100,
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), r"[a-z0-9{}()<>!=:$/ ,.\-\n\x22#]{0,8}"), 1..6),
    ) {
        let files = files();
        let path = &files[which % files.len()];
        let mut text = read(path);
        for (at, what, with) in &changes {
            text = mutated(&text, *at, *what, with);
        }
        match parse_text(&text, "t") {
            Err(all) => {
                prop_assert!(!all.is_empty());
                for f in all {
                    prop_assert!(!f.what.is_empty());
                    // Files that the text includes are not there; all else has its place.
                    prop_assert!(f.pos.line > 0, "{f}");
                }
            }
            Ok(config) => {
                let shown = print::config(&config);
                let again = parse_text(&shown, "again");
                prop_assert!(again.is_ok(), "{}{shown}", faults(&again.unwrap_err()));
                prop_assert_eq!(again.unwrap(), config.clone());
                if let Ok(ruleset) = compile(&config) {
                    prop_assert!(decompile(&ruleset).is_ok());
                }
            }
        }
    }

    /// Nor does any text.
    #[test]
    fn any_text_is_taken_or_refused(text in r"[ -~\n\t]{0,200}") {
        let _ = parse_text(&text, "t");
    }
}
