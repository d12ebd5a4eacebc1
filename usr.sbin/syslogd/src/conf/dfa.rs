// SPDX-License-Identifier: BSD-2-Clause
//! Regular expressions over bytes as finished automata: all their memory is there before the first
//! message comes, and a match takes one step a byte.

use regex_automata::Input;
use regex_automata::MatchKind;
use regex_automata::dfa::Automaton as _;
use regex_automata::dfa::StartKind;
use regex_automata::dfa::dense;
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;

/// Bytes for one automaton, and for building it.
const MOST: usize = 1 << 20;

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Dfa(dense::DFA<Vec<u32>>);

impl Dfa {
    /// Of an expression in the syntax of Rust's regex crate, without Unicode: `.` is any byte.
    ///
    /// # Errors
    /// What is wrong with it; or it needs more memory than is good.
    pub fn new(pattern: &str, icase: bool) -> Result<Dfa, String> {
        let syntax = syntax::Config::new()
            .unicode(false)
            .utf8(false)
            .dot_matches_new_line(true)
            .case_insensitive(icase)
            .nest_limit(64);
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(MOST))
            .determinize_size_limit(Some(MOST));
        let nfa = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(MOST));
        let built = dense::Builder::new()
            .syntax(syntax)
            .thompson(nfa)
            .configure(config)
            .build(pattern);
        match built {
            Ok(dfa) => Ok(Dfa(dfa)),
            Err(error) if error.is_size_limit_exceeded() => {
                Err(format!("needs more than {MOST} bytes"))
            }
            Err(error) => Err(reason(&error)),
        }
    }

    /// Of a literal string, anywhere.
    ///
    /// # Errors
    /// It is too long.
    pub fn literal(text: &str, icase: bool) -> Result<Dfa, String> {
        let mut pattern = String::with_capacity(text.len() * 2);
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() {
                pattern.push(char::from(byte));
            } else {
                pattern.push_str(&format!("\\x{byte:02x}"));
            }
        }
        Dfa::new(&pattern, icase)
    }

    /// Whether it matches somewhere.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        let input = Input::new(text).earliest(true);
        matches!(self.0.try_search_fwd(&input), Ok(Some(_)))
    }
}

/// The last line of the error behind: those before it draw the pattern.
fn reason(error: &dyn std::error::Error) -> String {
    let mut last = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        last = error.to_string();
        next = error.source();
    }
    let line = last.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_case_and_anchors() {
        let dfa = Dfa::new("^a.c$", false).unwrap();
        assert!(dfa.is_match(b"a\xffc"));
        assert!(dfa.is_match(b"a\nc"));
        assert!(!dfa.is_match(b"xa.c"));
        assert!(!dfa.is_match(b"A.C"));
        assert!(Dfa::new("deny", true).unwrap().is_match(b"x DENY y"));
        assert!(Dfa::new("x*", false).unwrap().is_match(b""));
        let literal = Dfa::literal("a.[b] \u{e9}", true).unwrap();
        assert!(literal.is_match("xx A.[B] \u{e9}".as_bytes()));
        assert!(!literal.is_match(b"axb"));
        assert!(Dfa::new(r"\bup\b", false).unwrap().is_match(b"link up"));
        assert!(
            !Dfa::new(r"\bup\b", false)
                .unwrap()
                .is_match(b"link \xc3upx")
        );
    }

    #[test]
    fn too_large_is_an_error() {
        let error = Dfa::new("(a|b)*a[ab]{30}", false).unwrap_err();
        assert!(error.contains("needs more than"), "{error}");
        assert_eq!(Dfa::new("a(", false).unwrap_err(), "unclosed group");
    }
}
