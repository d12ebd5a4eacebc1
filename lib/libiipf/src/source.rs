// SPDX-License-Identifier: BSD-2-Clause
//! Files to one stream of tokens: includes are put in place, macros replaced.

use crate::lex::{Kind, Token, lex};
use crate::pos::{Fault, Pos, Result, nearest};
use std::collections::BTreeMap;
use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where files come from.
pub trait Files {
    /// A file's text.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

/// Bytes of one file: more than the largest tables take.
const FILE_BYTES: u64 = 1 << 28;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        let input: Box<dyn io::Read> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(std::fs::File::open(path)?)
        };
        // Some files have no end.
        let mut bytes = Vec::new();
        input.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES {
            let what = format!("is larger than {} MB", FILE_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not text (UTF-8)"))
    }
}

/// Includes in includes.
const DEPTH: usize = 16;
/// Tokens of one macro, and of everything.
const MACRO_TOKENS: usize = 1 << 16;
const TOKENS: usize = 1 << 22;

struct Macro {
    tokens: Vec<Token>,
    pos: Pos,
    used: bool,
}

/// Reads `path` and what it includes.
pub(crate) struct Source<'a> {
    files: &'a dyn Files,
    macros: BTreeMap<Rc<str>, Macro>,
    /// The stream.
    pub out: Vec<Token>,
    /// What is not right but does no harm.
    pub warnings: Vec<Fault>,
}

impl<'a> Source<'a> {
    /// `macros` come from the command line.
    pub fn new(files: &'a dyn Files, macros: &[(String, String)]) -> Result<Self> {
        let mut s = Source {
            files,
            macros: BTreeMap::new(),
            out: Vec::new(),
            warnings: Vec::new(),
        };
        for (name, value) in macros {
            let pos = Pos {
                file: Rc::from(format!("-D {name}").as_str()),
                line: 1,
                column: 1,
            };
            let tokens = lex(value, &pos)?;
            s.macros.insert(
                Rc::from(name.as_str()),
                Macro {
                    tokens,
                    pos,
                    used: true,
                },
            );
        }
        Ok(s)
    }

    /// Adds a file; `from` is where it was asked for.
    pub fn file(&mut self, path: &Path, from: Option<&Pos>, depth: usize) -> Result {
        let name = path.display().to_string();
        let here = Pos {
            file: Rc::from(name.as_str()),
            line: 0,
            column: 0,
        };
        if depth > DEPTH {
            return Err(Fault::new(
                from.unwrap_or(&here),
                format!("include \"{name}\": files that include each other"),
            ));
        }
        let text = self.files.read(path).map_err(|e| match from {
            Some(pos) => Fault::new(pos, format!("include \"{name}\": {e}")),
            None => Fault::new(&here, e.to_string()),
        })?;
        self.text(&text, path, depth)
    }

    /// Adds a text as if it stood in the file `path`.
    pub fn text(&mut self, text: &str, path: &Path, depth: usize) -> Result {
        let start = Pos {
            file: Rc::from(path.display().to_string().as_str()),
            line: 1,
            column: 1,
        };
        let tokens = lex(text, &start)?;
        let mut at = 0;
        let mut begins = true;
        while let Some(token) = tokens.get(at) {
            if self.out.len() > TOKENS {
                return Err(Fault::new(&token.pos, "the ruleset is too large"));
            }
            let next = tokens.get(at + 1);
            if begins && token.kind == Kind::Word && next.is_some_and(|n| n.kind == Kind::Eq) {
                at = self.define(&tokens, at)?;
                continue;
            }
            if begins && &*token.text == "include" && token.kind == Kind::Word {
                at = self.include(&tokens, at, path, depth)?;
                continue;
            }
            if begins && &*token.text == "load" && token.kind == Kind::Word {
                at = self.load(&tokens, at, path, depth)?;
                begins = false;
                continue;
            }
            self.push(token)?;
            begins = matches!(token.kind, Kind::Newline)
                || (token.kind == Kind::Open && next.is_some_and(|n| n.kind == Kind::Newline));
            at += 1;
        }
        let mut end = start;
        if let Some(last) = tokens.last() {
            end = last.pos.clone();
            end.column += last.text.chars().count() as u32;
        }
        self.out.push(Token {
            kind: Kind::Newline,
            text: Rc::from("\n"),
            pos: end,
            joined: false,
            via: None,
        });
        Ok(())
    }

    /// One token, or what the macro stands for.
    fn push(&mut self, token: &Token) -> Result {
        let mut add = if token.kind == Kind::Macro {
            self.expand(token)?
        } else {
            vec![token.clone()]
        };
        // $wan:network, $net/24, $low:$high: one word.
        if let (Some(last), Some(first)) = (self.out.last_mut(), add.first())
            && first.joined
            && last.kind == Kind::Word
            && first.kind == Kind::Word
            && (last.via.is_some() || first.via.is_some())
        {
            last.text = Rc::from(format!("{}{}", last.text, first.text).as_str());
            last.via = last.via.clone().or_else(|| first.via.clone());
            add.remove(0);
        }
        self.out.extend(add);
        Ok(())
    }

    fn expand(&mut self, token: &Token) -> Result<Vec<Token>> {
        let Some(found) = self.macros.get_mut(&token.text) else {
            let hint = nearest(&token.text, self.macros.keys().map(AsRef::as_ref));
            let what = format!("macro '{}' is not defined", token.text);
            return Err(Fault::new(&token.pos, what).hint(hint));
        };
        found.used = true;
        let mut tokens = found.tokens.clone();
        for (i, t) in tokens.iter_mut().enumerate() {
            t.pos = token.pos.clone();
            t.via = Some(Rc::clone(&token.text));
            if i == 0 {
                t.joined = token.joined;
            }
        }
        Ok(tokens)
    }

    /// `name = value`; gives where its line ends.
    fn define(&mut self, tokens: &[Token], at: usize) -> Result<usize> {
        let name = &tokens[at];
        let proper = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let first = name
            .text
            .chars()
            .next()
            .is_some_and(|c| !c.is_ascii_digit());
        if !first || !name.text.chars().all(proper) {
            let what = format!("'{}' cannot be the name of a macro", name.text);
            return Err(Fault::new(&name.pos, what).hint("use letters, digits and _"));
        }
        let mut value = Vec::new();
        let mut depth = 0usize;
        let mut end = at + 2;
        while let Some(t) = tokens.get(end) {
            match t.kind {
                Kind::Newline if depth == 0 => break,
                Kind::Newline => {}
                Kind::Text => {
                    let mut pos = t.pos.clone();
                    pos.column += 1;
                    let inner = lex(&t.text, &pos)?;
                    for t in &inner {
                        match t.kind {
                            Kind::Macro => value.extend(self.expand(t)?),
                            _ => value.push(t.clone()),
                        }
                    }
                }
                Kind::Macro => value.extend(self.expand(t)?),
                kind => {
                    match kind {
                        Kind::Open => depth += 1,
                        Kind::Close => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    value.push(t.clone());
                }
            }
            end += 1;
        }
        if value.is_empty() {
            let what = format!("macro '{}' has no value", name.text);
            return Err(Fault::new(&name.pos, what).hint("write NAME = \"value\""));
        }
        if value.len() > MACRO_TOKENS {
            return Err(Fault::new(&name.pos, "the macro is too long"));
        }
        let new = Macro {
            tokens: value,
            pos: name.pos.clone(),
            used: false,
        };
        // One from the command line stays.
        let given = |m: &Macro| m.pos.file.starts_with("-D ");
        if self.macros.get(&name.text).is_none_or(|m| !given(m))
            && let Some(old) = self.macros.insert(Rc::clone(&name.text), new)
            && !old.used
        {
            let what = format!("macro '{}' is defined again and was never used", name.text);
            self.warnings.push(Fault::new(&old.pos, what));
        }
        Ok(end)
    }

    fn include(&mut self, tokens: &[Token], at: usize, of: &Path, depth: usize) -> Result<usize> {
        let pos = &tokens[at].pos;
        let path = file_name(tokens.get(at + 1), of)
            .ok_or_else(|| Fault::new(pos, "include without a file").hint("include \"FILE\""))?;
        self.file(&path, Some(pos), depth + 1)?;
        Ok(at + 2)
    }

    /// `load anchor NAME from FILE` becomes `load anchor NAME { ... }`.
    fn load(&mut self, tokens: &[Token], at: usize, of: &Path, depth: usize) -> Result<usize> {
        let pos = &tokens[at].pos;
        let usage =
            || Fault::new(pos, "load: not understood").hint("load anchor NAME from \"FILE\"");
        let text = |i: usize| tokens.get(at + i).map_or("", |t| &*t.text);
        if text(1) != "anchor" || text(3) != "from" {
            return Err(usage());
        }
        let path = file_name(tokens.get(at + 4), of).ok_or_else(usage)?;
        for t in &tokens[at..at + 3] {
            self.push(t)?;
        }
        let brace = |kind, text: &str| Token {
            kind,
            text: Rc::from(text),
            pos: pos.clone(),
            joined: false,
            via: None,
        };
        self.out.push(brace(Kind::Open, "{"));
        self.out.push(brace(Kind::Newline, "\n"));
        self.file(&path, Some(pos), depth + 1)?;
        self.out.push(brace(Kind::Close, "}"));
        Ok(at + 5)
    }

    /// Warnings about macros that nothing used, all others before them.
    pub fn finish(mut self) -> (Vec<Token>, Vec<Fault>) {
        for (name, m) in &self.macros {
            if !m.used {
                let what = format!("macro '{name}' is never used");
                self.warnings.push(Fault::new(&m.pos, what));
            }
        }
        (self.out, self.warnings)
    }
}

/// A path is relative to the file that it stands in.
pub(crate) fn beside(name: &str, of: &Path) -> PathBuf {
    of.parent().unwrap_or(Path::new("")).join(name)
}

fn file_name(token: Option<&Token>, of: &Path) -> Option<PathBuf> {
    let token = token.filter(|t| matches!(t.kind, Kind::Text | Kind::Word))?;
    Some(beside(&token.text, of))
}
