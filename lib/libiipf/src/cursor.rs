// SPDX-License-Identifier: BSD-2-Clause
//! Walks along tokens.

use crate::lex::{Kind, Token};
use crate::names::{Names, all, number};
use crate::pos::{Fault, Pos, Result, nearest};
use std::rc::Rc;

/// Where the parser is.
pub(crate) struct Cursor {
    tokens: Vec<Token>,
    at: usize,
    end: Token,
}

/// Items of one list.
const LIST: usize = 65_536;

impl Cursor {
    pub fn new(tokens: Vec<Token>) -> Cursor {
        let pos = tokens.last().map_or(Pos::none(), |t| t.pos.clone());
        Cursor {
            tokens,
            at: 0,
            end: Token {
                kind: Kind::End,
                text: Rc::from(""),
                pos,
                joined: false,
                via: None,
            },
        }
    }

    pub fn peek(&self) -> &Token {
        self.ahead(0)
    }

    pub fn ahead(&self, n: usize) -> &Token {
        self.tokens.get(self.at + n).unwrap_or(&self.end)
    }

    pub fn kind(&self) -> Kind {
        self.peek().kind
    }

    pub fn pos(&self) -> Pos {
        self.peek().pos.clone()
    }

    pub fn next(&mut self) -> Token {
        let t = self.peek().clone();
        self.at += 1;
        t
    }

    /// The word here, "" if it is none.
    pub fn word(&self) -> &str {
        match self.kind() {
            Kind::Word => &self.peek().text,
            _ => "",
        }
    }

    pub fn eat(&mut self, kind: Kind) -> bool {
        // As a sum, `at += usize::from(found)`, rustc 1.95 makes an endless loop of a caller's.
        if self.kind() != kind {
            return false;
        }
        self.at += 1;
        true
    }

    pub fn eat_word(&mut self, word: &str) -> bool {
        // As a sum, `at += usize::from(found)`, rustc 1.95 makes an endless loop of a caller's.
        if self.word() != word {
            return false;
        }
        self.at += 1;
        true
    }

    pub fn skip_newlines(&mut self) {
        while self.eat(Kind::Newline) {}
    }

    /// What stands here, for a message.
    pub fn here(&self) -> String {
        let t = self.peek();
        let mut s = match t.kind {
            Kind::Newline => "the end of the line".to_owned(),
            Kind::End => "the end of the file".to_owned(),
            Kind::Text => format!("\"{}\"", t.text),
            Kind::Table => format!("'<{}>'", t.text),
            _ => format!("'{}'", t.text),
        };
        if let Some(name) = &t.via {
            s.push_str(&format!(" (out of ${name})"));
        }
        s
    }

    /// Something else was expected.
    pub fn wrong(&self, expected: &str) -> Fault {
        Fault::new(
            &self.pos(),
            format!("{} where {expected} should be", self.here()),
        )
    }

    pub fn expect(&mut self, kind: Kind, what: &str) -> Result<Token> {
        if self.kind() == kind {
            return Ok(self.next());
        }
        Err(self.wrong(what))
    }

    pub fn expect_word(&mut self, word: &str) -> Result {
        if self.eat_word(word) {
            return Ok(());
        }
        Err(self.wrong(&format!("'{word}'")))
    }

    /// A word or quoted text.
    pub fn text(&mut self, what: &str) -> Result<Token> {
        match self.kind() {
            Kind::Word | Kind::Text => Ok(self.next()),
            _ => Err(self.wrong(what)),
        }
    }

    /// A number in a range.
    pub fn number(&mut self, what: &str, lowest: u32, highest: u32) -> Result<u32> {
        let wrong = self.wrong(what);
        let text = self.word().to_owned();
        let value = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse::<u64>(),
        };
        let value = value.map_err(|_| wrong)?;
        match u32::try_from(value) {
            Ok(v) if (lowest..=highest).contains(&v) => {
                self.next();
                Ok(v)
            }
            _ => {
                let what = format!("{what} {text}: must be {lowest} to {highest}");
                Err(Fault::new(&self.pos(), what))
            }
        }
    }

    /// One of some names.
    pub fn named<T: Copy>(&mut self, names: Names<T>, what: &str) -> Result<T> {
        match number(names, self.word()) {
            Some(v) => {
                self.next();
                Ok(v)
            }
            None => Err(self.wrong(what).hint(nearest(self.word(), all(names)))),
        }
    }

    /// `{ a, b c }` or one; braces may be in braces, as macros make them.
    pub fn list<T>(&mut self, mut one: impl FnMut(&mut Cursor) -> Result<T>) -> Result<Vec<T>> {
        let mut found = Vec::new();
        if self.kind() != Kind::Open {
            found.push(one(self)?);
            return Ok(found);
        }
        let open = self.pos();
        let mut depth = 0usize;
        loop {
            match self.kind() {
                Kind::Open => {
                    depth += 1;
                    self.next();
                }
                Kind::Close => {
                    depth -= 1;
                    self.next();
                    if depth == 0 {
                        break;
                    }
                }
                Kind::Comma | Kind::Newline => {
                    self.next();
                }
                Kind::End => return Err(Fault::new(&open, "'{' without its '}'")),
                _ if found.len() >= LIST => return Err(Fault::new(&open, "the list is too long")),
                _ => found.push(one(self)?),
            }
        }
        if found.is_empty() {
            return Err(Fault::new(&open, "the list is empty"));
        }
        Ok(found)
    }

    /// After a fault: to the end of the line; over braces that were opened in it.
    pub fn recover(&mut self) {
        let mut depth = 0usize;
        loop {
            match self.kind() {
                Kind::End => return,
                Kind::Newline if depth == 0 => return,
                Kind::Close if depth == 0 => return,
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                _ => {}
            }
            self.next();
        }
    }

    /// How far it is, to see that there is progress.
    pub fn at(&self) -> usize {
        self.at
    }
}
