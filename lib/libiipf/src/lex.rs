// SPDX-License-Identifier: BSD-2-Clause
//! Text to tokens.

use crate::pos::{Fault, Pos};
use logos::Logos;
use std::rc::Rc;

/// What a token is.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(skip r"[ \t\r]+")]
#[logos(skip r"#[^\n]*")]
#[logos(skip r"\\[ \t\r]*\n")]
pub(crate) enum Kind {
    #[token("\n")]
    Newline,
    #[token(",")]
    Comma,
    #[token("{")]
    Open,
    #[token("}")]
    Close,
    #[token("(")]
    ParenOpen,
    #[token(")")]
    ParenClose,
    #[token("!")]
    Not,
    #[token("=")]
    Eq,
    #[token("!=")]
    Ne,
    #[token("<")]
    Lt,
    #[token("<=")]
    Le,
    #[token(">")]
    Gt,
    #[token(">=")]
    Ge,
    #[token("><")]
    Inside,
    #[token("<>")]
    Outside,
    #[token("->")]
    Arrow,
    #[token("-")]
    Dash,
    /// `<name>`
    #[regex(r"<[A-Za-z_][A-Za-z0-9_.\-]*>")]
    Table,
    /// `$name`
    #[regex(r"\$[A-Za-z_][A-Za-z0-9_]*")]
    Macro,
    /// Without its quotes.
    #[regex("\"[^\"\n]*\"")]
    Text,
    #[regex(r"[A-Za-z0-9_*:/][A-Za-z0-9_.:/%*@+]*(-[A-Za-z0-9_.:/%*@+]+)*")]
    Word,
    /// What is behind the last one.
    End,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: Kind,
    pub text: Rc<str>,
    pub pos: Pos,
    /// Directly behind the token before it.
    pub joined: bool,
    /// The macro that it came out of.
    pub via: Option<Rc<str>>,
}

/// The tokens of `text`, which begins at `start`.
pub(crate) fn lex(text: &str, start: &Pos) -> Result<Vec<Token>, Fault> {
    let mut all = Vec::new();
    let mut place = Place {
        text,
        at: 0,
        line: start.line,
        column: start.column,
    };
    let mut last_end = usize::MAX;
    let mut lexer = Kind::lexer(text);
    while let Some(kind) = lexer.next() {
        let span = lexer.span();
        let (line, column) = place.go(span.start);
        let pos = Pos {
            file: Rc::clone(&start.file),
            line,
            column,
        };
        let slice = lexer.slice();
        let Ok(kind) = kind else {
            return Err(bad(&pos, slice));
        };
        let text = match kind {
            Kind::Text => slice.trim_matches('"'),
            Kind::Table => slice.trim_matches(['<', '>']),
            Kind::Macro => slice.trim_start_matches('$'),
            _ => slice,
        };
        all.push(Token {
            kind,
            text: Rc::from(text),
            pos,
            joined: span.start == last_end,
            via: None,
        });
        last_end = span.end;
    }
    Ok(all)
}

fn bad(pos: &Pos, slice: &str) -> Fault {
    let c = slice.chars().next().unwrap_or(' ');
    match c {
        '"' => Fault::new(pos, "a quoted text that does not end on its line")
            .hint("write another '\"'"),
        '$' => Fault::new(pos, "'$' without the name of a macro"),
        '\\' => Fault::new(pos, "'\\' that is not at the end of a line")
            .hint("it joins a line with the next one"),
        ';' => Fault::new(pos, "';' means nothing here").hint("a rule ends with its line"),
        c if c.is_control() || !c.is_ascii() => Fault::new(
            pos,
            format!("a character that cannot be here ({})", c.escape_default()),
        ),
        c => Fault::new(pos, format!("'{c}' means nothing here")),
    }
}

/// Counts lines and columns.
struct Place<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    column: u32,
}

impl Place<'_> {
    fn go(&mut self, to: usize) -> (u32, u32) {
        for c in self.text[self.at..to].chars() {
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.at = to;
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, String)> {
        let start = Pos {
            file: Rc::from("t"),
            line: 1,
            column: 1,
        };
        lex(text, &start)
            .unwrap()
            .iter()
            .map(|t| (t.kind, t.text.to_string()))
            .collect()
    }

    #[test]
    fn words_tables_and_operators() {
        use Kind::*;
        let got = kinds("a->b <bad> port 1><5 1 <> 6 < 7 2001:db8::/32 10.0.0.1-10.0.0.9");
        let want = [
            (Word, "a"),
            (Arrow, "->"),
            (Word, "b"),
            (Table, "bad"),
            (Word, "port"),
            (Word, "1"),
            (Inside, "><"),
            (Word, "5"),
            (Word, "1"),
            (Outside, "<>"),
            (Word, "6"),
            (Lt, "<"),
            (Word, "7"),
            (Word, "2001:db8::/32"),
            (Word, "10.0.0.1-10.0.0.9"),
        ];
        assert_eq!(got, want.map(|(k, t)| (k, t.to_string())));
    }

    #[test]
    fn comments_and_joined_lines() {
        assert_eq!(kinds("a \\\n b # c\nd").len(), 4);
    }

    #[test]
    fn a_wrong_character_has_its_place() {
        let start = Pos {
            file: Rc::from("t"),
            line: 1,
            column: 1,
        };
        let fault = lex("ok\n  \"open", &start).unwrap_err();
        assert_eq!((fault.pos.line, fault.pos.column), (2, 3));
    }
}
