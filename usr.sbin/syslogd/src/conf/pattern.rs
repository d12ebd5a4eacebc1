// SPDX-License-Identifier: BSD-2-Clause
//! Regular expressions of POSIX (re_format(7)), basic and extended, into those of the regex crate.

/// The longest that is taken.
const MOST: usize = 1024;

/// What is done with an expression, piece by piece.
struct Translation<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    out: String,
    basic: bool,
    /// Where in `out` the groups begin that are open.
    groups: Vec<usize>,
    /// Where in `out` what can be repeated begins.
    atom: Option<usize>,
    /// It has been repeated.
    repeated: bool,
}

/// The expression in the other syntax.
///
/// # Errors
/// What in it can not be said there.
pub(super) fn translate(pattern: &str, basic: bool) -> Result<String, String> {
    if pattern.len() > MOST {
        return Err(format!("longer than {MOST} bytes"));
    }
    let mut t = Translation {
        chars: pattern.chars().peekable(),
        out: String::new(),
        basic,
        groups: Vec::new(),
        atom: None,
        repeated: false,
    };
    while let Some(c) = t.chars.next() {
        t.one(c)?;
    }
    if !t.groups.is_empty() {
        return Err("a group is not closed".into());
    }
    Ok(t.out)
}

impl Translation<'_> {
    fn one(&mut self, c: char) -> Result<(), String> {
        match c {
            '\\' => return self.escape(),
            '[' => return self.bracket(),
            '.' => self.put_atom("."),
            '*' => self.repeat("*"),
            '^' if self.is_start() => self.put("^"),
            '$' if self.is_last() => self.put("$"),
            '(' if !self.basic => self.open(),
            ')' if !self.basic && !self.groups.is_empty() => self.close(),
            '|' if !self.basic => self.put("|"),
            '+' | '?' if !self.basic => self.repeat(c.encode_utf8(&mut [0; 4])),
            '{' if !self.basic && self.atom.is_some() => return self.bound(),
            _ => self.literal(c),
        }
        Ok(())
    }

    /// Something that can not be repeated: an anchor, or `|`.
    fn put(&mut self, piece: &str) {
        self.out.push_str(piece);
        self.atom = None;
    }

    fn put_atom(&mut self, piece: &str) {
        self.atom = Some(self.out.len());
        self.repeated = false;
        self.out.push_str(piece);
    }

    fn open(&mut self) {
        self.groups.push(self.out.len());
        self.put("(?:");
    }

    fn close(&mut self) {
        self.out.push(')');
        self.atom = self.groups.pop();
        self.repeated = false;
    }

    /// What is repeated again becomes a group first: `a*?` is not lazy here.
    fn repeat(&mut self, how: &str) {
        let Some(start) = self.atom else {
            // With nothing before it, it is itself (POSIX for basic ones, usual for extended ones).
            return how.chars().for_each(|c| self.literal(c));
        };
        if self.repeated {
            if how == "*" && self.out.ends_with('*') {
                return;
            }
            self.out.insert_str(start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(how);
        self.repeated = true;
    }

    /// Without Unicode a character is its bytes, and what follows repeats all of them.
    fn literal(&mut self, c: char) {
        if c.is_ascii_alphanumeric() {
            return self.put_atom(c.encode_utf8(&mut [0; 4]));
        }
        let mut piece = String::from("(?:");
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            piece.push_str(&format!("\\x{byte:02x}"));
        }
        piece.push(')');
        self.put_atom(piece.get(3..7).filter(|_| c.is_ascii()).unwrap_or(&piece));
    }

    /// `^` is an anchor in basic ones only where an expression begins.
    fn is_start(&self) -> bool {
        !self.basic || self.out.is_empty() || self.out.ends_with("(?:") || self.out.ends_with('|')
    }

    /// `$` likewise, where one ends.
    fn is_last(&self) -> bool {
        let mut rest = self.chars.clone();
        match (rest.next(), rest.next()) {
            _ if !self.basic => true,
            (None, _) => true,
            (Some('\\'), Some(')' | '|')) => true,
            _ => false,
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(c) = self.chars.next() else {
            return Err("a backslash at the end".into());
        };
        match c {
            '(' if self.basic => self.open(),
            ')' if self.basic && self.groups.is_empty() => return Err("\\) without \\(".into()),
            ')' if self.basic => self.close(),
            '{' if self.basic && self.atom.is_some() => return self.bound(),
            '|' if self.basic => self.put("|"),
            '+' | '?' if self.basic => self.repeat(c.encode_utf8(&mut [0; 4])),
            '1'..='9' => return Err(format!("\\{c}: back-references are not possible")),
            '<' => self.put("\\b{start}"),
            '>' => self.put("\\b{end}"),
            'b' | 'B' => self.put(if c == 'b' { "\\b" } else { "\\B" }),
            'w' | 'W' | 's' | 'S' => {
                self.out.push('\\');
                self.put_atom(c.encode_utf8(&mut [0; 4]));
            }
            _ => self.literal(c),
        }
        Ok(())
    }

    /// `{n}`, `{n,}`, `{,m}`, `{n,m}`; the brace has been read.
    fn bound(&mut self) -> Result<(), String> {
        let mut inside = String::new();
        let mut closed = false;
        while let Some(c) = self.chars.next() {
            let end = if self.basic { c == '\\' } else { c == '}' };
            if end && (!self.basic || self.chars.next() == Some('}')) {
                closed = true;
                break;
            }
            inside.push(c);
        }
        let (low, high) = inside.split_once(',').unwrap_or((&inside, &inside));
        let fine = |s: &str| s.len() <= 3 && s.bytes().all(|b| b.is_ascii_digit());
        if !closed || !fine(low) || !fine(high) || inside.is_empty() {
            return Err(format!("{{{inside}: not a number of times"));
        }
        let low = if low.is_empty() { "0" } else { low };
        if inside.contains(',') {
            self.repeat(&format!("{{{low},{high}}}"));
        } else {
            self.repeat(&format!("{{{low}}}"));
        }
        Ok(())
    }

    /// `[...]`; in it a backslash is one.
    fn bracket(&mut self) -> Result<(), String> {
        let rest: String = self.chars.clone().collect();
        for (word, class) in [("[:<:]]", "\\b{start}"), ("[:>:]]", "\\b{end}")] {
            if rest.starts_with(word) {
                for _ in word.chars() {
                    self.chars.next();
                }
                self.put(class);
                return Ok(());
            }
        }
        let unclosed = || "a [ is not closed".to_owned();
        let mut class = String::from("[");
        if self.chars.next_if_eq(&'^').is_some() {
            class.push('^');
        }
        let mut first = true;
        loop {
            let c = self.chars.next().ok_or_else(unclosed)?;
            let special = self.chars.peek().copied().unwrap_or(' ');
            match c {
                ']' if !first => break,
                '[' if special == ':' => class.push_str(&self.class_name()?),
                '[' if special == '.' || special == '=' => {
                    return Err(format!("[{special}: collation is not possible"));
                }
                '-' if !first && special != ']' => class.push('-'),
                _ if !c.is_ascii() => {
                    return Err(format!("{c:?} in brackets: only ASCII is possible there"));
                }
                _ => class.push_str(&format!("\\x{:02x}", u32::from(c))),
            }
            first = false;
        }
        class.push(']');
        self.put_atom(&class);
        Ok(())
    }

    /// `[:alpha:]`; the first bracket has been read.
    fn class_name(&mut self) -> Result<String, String> {
        self.chars.next();
        let mut name = String::new();
        while let Some(c) = self.chars.next_if(char::is_ascii_lowercase) {
            name.push(c);
        }
        let known = [
            "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "xdigit",
        ];
        let closed = self.chars.next() == Some(':') && self.chars.next() == Some(']');
        if closed && known.contains(&name.as_str()) {
            Ok(format!("[:{name}:]"))
        } else {
            Err(format!("[:{name}: no such class"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::dfa::Dfa;

    fn check(basic: bool, pattern: &str, yes: &[&str], no: &[&str]) {
        let translated = translate(pattern, basic).unwrap();
        let dfa = Dfa::new(&translated, false)
            .unwrap_or_else(|e| panic!("{pattern} is {translated}: {e}"));
        for text in yes {
            assert!(dfa.is_match(text.as_bytes()), "{pattern} on {text}");
        }
        for text in no {
            assert!(!dfa.is_match(text.as_bytes()), "{pattern} not on {text}");
        }
    }

    #[test]
    fn basic_ones() {
        check(true, "^bird6\\?$", &["bird", "bird6"], &["bird66", "abird"]);
        check(true, "a+b?", &["a+b?"], &["aab"]);
        check(true, "*a", &["*a"], &["a"]);
        check(true, "\\(*a\\)", &["*a"], &["a"]);
        check(true, "^*a", &["*a"], &["a"]);
        check(true, "a^b$c", &["a^b$c"], &["abc"]);
        check(true, "\\(^ab\\|c$\\)", &["abx", "xc"], &["xab", "cx"]);
        check(true, "x\\{2,3\\}y", &["xxy"], &["xy"]);
        check(true, "(a|b){2}", &["(a|b){2}"], &["aa"]);
        check(true, "[]a-]x", &["]x", "ax", "-x"], &["bx"]);
        check(true, "[^]a]x", &["bx"], &["]x", "ax"]);
        check(true, "[\\.]x", &["\\x", ".x"], &["ax"]);
        check(true, "[[:digit:]_]\\{3\\}", &["1_2"], &["1-2"]);
        check(true, "a\\.b", &["a.b"], &["axb"]);
        check(true, "\u{e9}*x$", &["\u{e9}\u{e9}x", "x"], &["xy"]);
    }

    #[test]
    fn extended_ones() {
        let rack = "^server-(dcA|podB|cdn)-rack1[0-9]{2}\\..*";
        check(
            false,
            rack,
            &["server-podB-rack117.x"],
            &["server-x-rack117.x"],
        );
        check(false, "a{,2}b", &["b", "xaab"], &[]);
        check(false, "^a{,2}b", &["aab"], &["aaab"]);
        check(false, "a**b", &["b"], &["a"]);
        check(false, "^a+?b", &["aab", "b"], &["xb"]);
        check(false, "{a}", &["{a}"], &["a"]);
        check(false, "[[:<:]]up[[:>:]]", &["link up"], &["upper"]);
        check(false, "\\<up\\>", &["link up"], &["upper"]);
        check(false, "a)", &["a)"], &["a"]);
        check(false, "(|a)b", &["b", "ab"], &["a"]);
        check(false, "#&~", &["#&~"], &["#"]);
        check(false, "[a&&b]x", &["&x"], &["cx"]);
    }

    #[test]
    fn what_is_refused() {
        for (pattern, basic) in [
            ("\\(a\\)\\1", true),
            ("(a", false),
            ("\\(a", true),
            ("a\\)", true),
            ("[a", false),
            ("[[:nope:]]", false),
            ("[[=a=]]", false),
            ("[\u{e9}]", false),
            ("a{x}", false),
            ("a{1", false),
            ("a\\", false),
        ] {
            assert!(translate(pattern, basic).is_err(), "{pattern}");
        }
        assert!(translate(&"a".repeat(1025), false).is_err());
    }
}
