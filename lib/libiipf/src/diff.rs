// SPDX-License-Identifier: BSD-2-Clause
//! What is different in two rulesets, as text.

use crate::ast::Config;
use crate::print;
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;

/// Lines around a difference.
const CONTEXT: usize = 2;

/// As diff -u shows it: what only `old` has after '-', what only `new` has after '+'. Empty when
/// they mean the same.
#[must_use]
pub fn diff(old: &Config, new: &Config) -> String {
    let (old, new) = (print::config(old), print::config(new));
    if old == new {
        return String::new();
    }
    let text = TextDiff::from_lines(&old, &new);
    let mut out = String::new();
    for group in text.grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let a = first.old_range().start..last.old_range().end;
        let b = first.new_range().start..last.new_range().end;
        _ = writeln!(
            out,
            "@@ -{},{} +{},{} @@",
            a.start + 1,
            a.len(),
            b.start + 1,
            b.len()
        );
        for change in group.iter().flat_map(|op| text.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            _ = write!(out, "{sign}{}", change.value());
        }
    }
    out
}
