// SPDX-License-Identifier: BSD-2-Clause
//! iipf.conf(5): its grammar, what it compiles to, and how rulesets are told apart.
//!
//! ```
//! let text = "pass in on wan0 proto tcp to (wan0) port { ssh, 8080:8090 }\n";
//! let config = libiipf::parse_text(text, "rules").unwrap();
//! let shown = libiipf::print::config(&config);
//! assert_eq!(libiipf::parse_text(&shown, "again").unwrap(), config);
//! let ruleset = libiipf::compile(&config).unwrap();
//! assert_eq!(ruleset.rules.len(), 2);
//! ```

#![forbid(unsafe_code)]

pub mod ast;
mod binary;
mod check;
mod compile;
mod cursor;
mod decompile;
mod diff;
mod expand;
mod flatten;
mod lex;
mod merge;
mod names;
mod parse;
mod pos;
pub mod print;
mod source;
mod spec;

pub use binary::Ruleset;
pub use compile::{compile, compile_with_warnings, octets, table_addr, tag_mark};
pub use decompile::{Unknown, address, decompile, entry, rule};
pub use diff::diff;
pub use names::{limit_name, protocol, protocol_name, service, timeout_name};
pub use pos::{Fault, Pos};
pub use source::{Disk, Files};

use ast::Config;
use cursor::Cursor;
use parse::Parser;
use source::Source;
use std::path::Path;

/// Reads the ruleset in a file; `macros` (name, value) go before those in it.
///
/// # Errors
/// Everything that is wrong, in order.
pub fn parse_file(
    files: &dyn Files,
    path: &Path,
    macros: &[(String, String)],
) -> Result<Config, Vec<Fault>> {
    let mut source = Source::new(files, macros).map_err(|f| vec![f])?;
    source.file(path, None, 0).map_err(|f| vec![f])?;
    finish(source, files)
}

/// Reads a ruleset that is not in a file; `name` stands in messages.
///
/// # Errors
/// Everything that is wrong, in order.
pub fn parse_text(text: &str, name: &str) -> Result<Config, Vec<Fault>> {
    let mut source = Source::new(&Disk, &[]).map_err(|f| vec![f])?;
    source.text(text, Path::new(name), 0).map_err(|f| vec![f])?;
    finish(source, &Disk)
}

fn finish(source: Source<'_>, files: &dyn Files) -> Result<Config, Vec<Fault>> {
    let (tokens, warnings) = source.finish();
    let mut config = Parser::new(Cursor::new(tokens), files).run()?;
    config.warnings.0.extend(warnings);
    let faults = check::check(&mut config);
    if faults.is_empty() {
        Ok(config)
    } else {
        Err(faults)
    }
}

/// An address or a network, as in a table.
///
/// # Errors
/// A sentence.
pub fn parse_entry(word: &str) -> Result<ast::Entry, String> {
    let (neg, rest) = match word.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, word),
    };
    parse::host::entry_word(rest, neg, &Pos::none()).map_err(|f| f.to_string())
}
