// SPDX-License-Identifier: BSD-2-Clause
//! Tokens to a ruleset, line by line; a line that is wrong does not hide the next.

pub(crate) mod host;
mod nat;
mod rule;
mod set;
mod state;

use crate::ast::{Addr, Anchor, Config, Dir, Entry, Family, Host, How, Item, Log, On, Part, Table};
use crate::cursor::Cursor;
use crate::expand;
use crate::lex::Kind;
use crate::names::{icmp_code, number};
use crate::pos::{Fault, Pos, Result, nearest};
use crate::source::{Files, beside};
use crate::spec::{Act, Policy, Spec, UNREACH};
use iipf_abi::{IIPF_TABLE_CONST, IIPF_TABLE_COUNTERS, IIPF_TABLE_PERSIST};
use std::collections::BTreeMap;
use std::path::Path;

/// No more faults are told.
const FAULTS: usize = 50;
/// Anchors in anchors.
const DEPTH: usize = 16;

const WORDS: [&str; 16] = [
    "pass",
    "block",
    "match",
    "nat",
    "rdr",
    "binat",
    "nptv6",
    "no",
    "scrub",
    "antispoof",
    "anchor",
    "table",
    "set",
    "include",
    "load",
    "nat-anchor",
];

pub(crate) struct Parser<'a> {
    c: Cursor,
    files: &'a dyn Files,
    config: Config,
    policy: Policy,
    faults: Vec<Fault>,
    /// What `load anchor` brought, and where it stood.
    loads: BTreeMap<String, (Vec<Item>, Pos)>,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub fn new(c: Cursor, files: &'a dyn Files) -> Self {
        Parser {
            c,
            files,
            config: Config::default(),
            policy: Policy::default(),
            faults: Vec::new(),
            loads: BTreeMap::new(),
            depth: 0,
        }
    }

    /// The whole ruleset, or all that is wrong.
    pub fn run(mut self) -> Result<Config, Vec<Fault>> {
        let items = self.items();
        if self.c.kind() != Kind::End && self.faults.len() < FAULTS {
            self.faults
                .push(Fault::new(&self.c.pos(), "'}' without its '{'"));
        }
        self.config.items = items;
        let mut loads = std::mem::take(&mut self.loads);
        let mut empty = Vec::new();
        put_loads(&mut self.config.items, &mut loads, &mut empty);
        self.config.warnings.0.extend(empty);
        for (name, (_, pos)) in loads {
            self.faults.push(
                Fault::new(&pos, format!("load anchor {name}: there is no such anchor"))
                    .hint(format!("write anchor \"{name}\" where its rules shall be")),
            );
        }
        if self.faults.is_empty() {
            return Ok(self.config);
        }
        Err(self.faults)
    }

    /// Up to a brace that closes, or the end.
    fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            self.c.skip_newlines();
            if matches!(self.c.kind(), Kind::End | Kind::Close) || self.faults.len() >= FAULTS {
                return items;
            }
            let at = self.c.at();
            if let Err(fault) = self.statement(&mut items) {
                self.faults.push(fault);
                self.c.recover();
                if self.c.at() == at {
                    self.c.next();
                }
                continue;
            }
            if !matches!(self.c.kind(), Kind::Newline | Kind::End | Kind::Close) {
                self.faults.push(self.c.wrong("the end of the line"));
                self.c.recover();
            }
        }
    }

    fn statement(&mut self, items: &mut Vec<Item>) -> Result {
        let pos = self.c.pos();
        let word = self.c.word().to_owned();
        match word.as_str() {
            "set" => {
                self.c.next();
                if self.depth > 0 {
                    return Err(
                        Fault::new(&pos, "'set' in an anchor").hint("put it before all rules")
                    );
                }
                let said = set::set(&mut self.c, &mut self.config.options, &mut self.policy)?;
                self.config
                    .warnings
                    .0
                    .extend(said.map(|s| Fault::new(&pos, s)));
            }
            "table" => self.table()?,
            "antispoof" => self.antispoof(items)?,
            "scrub" => self.scrub(items)?,
            "anchor" | "nat-anchor" | "rdr-anchor" | "binat-anchor" => self.anchor(items)?,
            "load" => self.load()?,
            "no" => {
                self.c.next();
                let act = match self.c.word() {
                    "nat" => Act::NoNat,
                    "rdr" => Act::NoRdr,
                    "binat" => Act::NoBinat,
                    "scrub" => {
                        return Err(Fault::new(&pos, "'no scrub' is not possible here")
                            .hint("all match rules with scrub are applied; narrow them"));
                    }
                    _ => return Err(self.c.wrong("nat, rdr or binat")),
                };
                self.c.next();
                self.rule(Spec::new(pos, act), false, items)?;
            }
            "altq" | "queue" => {
                return Err(Fault::new(&pos, format!("'{word}' is not possible here"))
                    .hint("tag packets: queueing goes by the mark"));
            }
            _ => {
                let Some(act) = rule::act(&word) else {
                    let hint = nearest(&word, WORDS);
                    let hint = if hint.is_empty() {
                        "a line begins with pass, block, match, nat, rdr, table, set or anchor"
                            .into()
                    } else {
                        hint
                    };
                    return Err(self.c.wrong("a rule").hint(hint));
                };
                self.c.next();
                let mut spec = Spec::new(pos, act);
                let mut pass = false;
                if let Act::Block(how) = &mut spec.act {
                    *how = block_how(&mut self.c)?;
                } else if spec.act.translates() {
                    pass = self.c.eat_word("pass");
                }
                if spec.act == Act::Nptv6 && self.c.word() != "on" && self.c.word() != "from" {
                    // nptv6 INSIDE -> OUTSIDE
                    spec.src = vec![host::host(&mut self.c)?];
                }
                self.rule(spec, pass, items)?;
            }
        }
        Ok(())
    }

    fn rule(&mut self, mut spec: Spec, pass: bool, items: &mut Vec<Item>) -> Result {
        rule::words(&mut self.c, &mut spec, pass, &self.policy)?;
        self.expand(&spec, items)
    }

    fn expand(&mut self, spec: &Spec, items: &mut Vec<Item>) -> Result {
        let rules = expand::rules(spec, &self.policy)?;
        items.extend(rules.into_iter().map(|r| Item::Rule(Box::new(r))));
        Ok(())
    }

    /// `table <name> persist const counters { ... } file "..."`
    fn table(&mut self) -> Result {
        let pos = self.c.pos();
        self.c.next();
        let name = host::table_name(&mut self.c)?;
        let mut flags = 0;
        let mut entries: Option<Vec<Entry>> = None;
        loop {
            match (self.c.kind(), self.c.word()) {
                (_, "persist") => flags |= IIPF_TABLE_PERSIST,
                (_, "const") => flags |= IIPF_TABLE_CONST,
                (_, "counters") => flags |= IIPF_TABLE_COUNTERS,
                (_, "file") => {
                    self.c.next();
                    let t = self.c.text("a file")?;
                    let all = entries.get_or_insert_default();
                    table_file(self.files, &t.text, &t.pos, all)?;
                    continue;
                }
                (Kind::Open, _) => {
                    let all = entries.get_or_insert_default();
                    // An empty list is not wrong here: it empties the table.
                    let mut ahead = 1;
                    while self.c.ahead(ahead).kind == Kind::Newline {
                        ahead += 1;
                    }
                    if self.c.ahead(ahead).kind == Kind::Close {
                        for _ in 0..=ahead {
                            self.c.next();
                        }
                    } else {
                        all.extend(self.c.list(host::entry)?);
                    }
                    continue;
                }
                (Kind::Newline | Kind::End | Kind::Close, _) => break,
                (_, word) => {
                    let hint = nearest(word, ["persist", "const", "counters", "file"]);
                    return Err(self
                        .c
                        .wrong("persist, const, counters, file or '{'")
                        .hint(hint));
                }
            }
            self.c.next();
        }
        if let Some(all) = &mut entries {
            all.sort_unstable();
            all.dedup();
            let twice = all
                .windows(2)
                .find(|w| w[0].addr == w[1].addr && w[0].len == w[1].len);
            if let Some([a, _]) = twice {
                let what = format!(
                    "<{name}> has {}/{} both with and without '!'",
                    a.addr, a.len
                );
                return Err(Fault::new(&pos, what));
            }
        }
        if let Some(other) = self.config.tables.iter().find(|t| t.name == name) {
            let what = format!("table <{name}> is defined twice");
            return Err(Fault::new(&pos, what).hint(format!("first at {}", other.pos)));
        }
        self.config.tables.push(Table {
            pos,
            name,
            flags,
            entries,
        });
        Ok(())
    }

    /// `antispoof [log] [quick] for IFS [inet] [label TEXT]`
    fn antispoof(&mut self, items: &mut Vec<Item>) -> Result {
        let pos = self.c.pos();
        self.c.next();
        let mut log = Log::No;
        let mut quick = false;
        loop {
            if self.c.eat_word("log") {
                log = Log::First;
            } else if self.c.eat_word("quick") {
                quick = true;
            } else {
                break;
            }
        }
        self.c.expect_word("for")?;
        let names = self.c.list(|c| {
            let t = c.text("an interface")?;
            host::interface_name(&t.text, &t.pos)
        })?;
        let mut af = None;
        let mut label = None;
        loop {
            let pos = self.c.pos();
            if self.c.eat_word("inet") {
                af = Some((Family::V4, pos));
            } else if self.c.eat_word("inet6") {
                af = Some((Family::V6, pos));
            } else if self.c.eat_word("label") {
                label = Some(self.c.text("a label")?.text.to_string());
            } else {
                break;
            }
        }
        for name in names {
            let from = |part| {
                let addr = Addr::If(name.clone(), part);
                vec![(Host { neg: false, addr }, pos.clone())]
            };
            let mut spec = Spec::new(pos.clone(), Act::Block(Some(How::Drop)));
            spec.dir = Some(Dir::In);
            spec.log = log;
            spec.quick = quick;
            spec.af.clone_from(&af);
            spec.label.clone_from(&label);
            let mut other = spec.clone();
            let on = On {
                neg: true,
                name: name.clone(),
            };
            spec.on = vec![(on, pos.clone())];
            spec.src = from(Part::Network);
            self.expand(&spec, items)?;
            // To itself a host does send from its own addresses, over loopback.
            if !name.starts_with("lo") {
                other.on = vec![(
                    On {
                        neg: true,
                        name: "lo".into(),
                    },
                    pos.clone(),
                )];
                other.src = from(Part::Addr);
                self.expand(&other, items)?;
            }
        }
        Ok(())
    }

    /// pf's old rule becomes a match rule.
    fn scrub(&mut self, items: &mut Vec<Item>) -> Result {
        let pos = self.c.pos();
        self.c.next();
        let mut spec = Spec::new(pos.clone(), Act::Match);
        let mut ends = false;
        while !ends {
            match self.c.word() {
                "fragment" => {
                    self.c.next();
                    if !self.c.eat_word("reassemble") {
                        self.c.expect_word("no")?;
                        self.c.expect_word("reassemble")?;
                        self.config.options.no_reassemble = true;
                    }
                }
                "no-df" | "max-mss" | "min-ttl" | "random-id" | "set-tos" | "reassemble" => {
                    rule::scrub(&mut self.c, &mut spec)?;
                }
                _ => {
                    let before = self.c.at();
                    rule::scrub_words(&mut self.c, &mut spec, &self.policy)?;
                    ends = self.c.at() == before;
                }
            }
        }
        if spec.sets == crate::ast::Sets::default() {
            // Only reassembly, which is an option here.
            return Ok(());
        }
        self.expand(&spec, items)
    }

    /// `anchor ["name"] [conditions] [{ ... }]`
    fn anchor(&mut self, items: &mut Vec<Item>) -> Result {
        let pos = self.c.pos();
        let kind = self.c.next();
        let mut name = String::new();
        let conditions = [
            "in", "out", "on", "quick", "inet", "inet6", "proto", "from", "to", "all",
        ];
        if self.c.kind() == Kind::Text
            || (self.c.kind() == Kind::Word && !conditions.contains(&self.c.word()))
        {
            let t = self.c.next();
            if t.text.ends_with('*') {
                return Err(
                    Fault::new(&t.pos, format!("anchor \"{}\": no wildcards", t.text))
                        .hint("a ruleset is replaced as a whole; write what is in the anchor"),
                );
            }
            if t.text.len() > 55 || t.text.is_empty() {
                return Err(Fault::new(&t.pos, "an anchor's name has 1 to 55 letters"));
            }
            name = t.text.to_string();
        }
        let mut spec = Spec::new(pos.clone(), Act::Anchor);
        rule::words(&mut self.c, &mut spec, false, &self.policy)?;
        if spec.quick && &*kind.text != "anchor" {
            return Err(Fault::new(&pos, format!("quick in {}", kind.text))
                .hint("the first translation rule that matches always decides"));
        }
        let all = expand::conditions(&spec)?;
        let inner = if self.c.kind() == Kind::Open {
            self.braces()?
        } else {
            Vec::new()
        };
        if inner.is_empty() && name.is_empty() {
            return Err(Fault::new(&pos, "an anchor with nothing in it and no name"));
        }
        for m in all {
            items.push(Item::Anchor(Box::new(Anchor {
                pos: pos.clone(),
                name: name.clone(),
                quick: spec.quick,
                m,
                items: inner.clone(),
            })));
        }
        Ok(())
    }

    fn braces(&mut self) -> Result<Vec<Item>> {
        let open = self.c.pos();
        if self.depth >= DEPTH {
            return Err(Fault::new(
                &open,
                format!("more than {DEPTH} anchors in each other"),
            ));
        }
        self.c.next();
        self.depth += 1;
        let items = self.items();
        self.depth -= 1;
        if !self.c.eat(Kind::Close) && self.faults.len() < FAULTS {
            return Err(Fault::new(&open, "'{' without its '}'"));
        }
        Ok(items)
    }

    /// `load anchor NAME { ... }`, as the source reader made it.
    fn load(&mut self) -> Result {
        let pos = self.c.pos();
        self.c.next();
        self.c.expect_word("anchor")?;
        let name = self.c.text("the name of an anchor")?;
        if self.c.kind() != Kind::Open {
            return Err(self.c.wrong("from \"FILE\""));
        }
        let items = self.braces()?;
        let loaded = self
            .loads
            .entry(name.text.to_string())
            .or_insert((Vec::new(), pos));
        loaded.0.extend(items);
        Ok(())
    }
}

/// Puts what was loaded where the anchors of these names are.
fn put_loads(
    items: &mut [Item],
    loads: &mut BTreeMap<String, (Vec<Item>, Pos)>,
    warnings: &mut Vec<Fault>,
) {
    let mut used = Vec::new();
    fill(items, loads, &mut used, warnings);
    for name in used {
        loads.remove(&name);
    }
}

fn fill(
    items: &mut [Item],
    loads: &BTreeMap<String, (Vec<Item>, Pos)>,
    used: &mut Vec<String>,
    warnings: &mut Vec<Fault>,
) {
    for item in items {
        let Item::Anchor(a) = item else { continue };
        fill(&mut a.items, loads, used, warnings);
        if let Some((more, _)) = loads.get(&a.name) {
            a.items.extend(more.iter().cloned());
            used.push(a.name.clone());
        }
        if a.items.is_empty() {
            let what = format!("anchor \"{}\" is empty", a.name);
            warnings.push(Fault::new(&a.pos, what).hint("write { rules } or load anchor"));
        }
    }
}

fn table_file(files: &dyn Files, name: &str, pos: &Pos, into: &mut Vec<Entry>) -> Result {
    let path = beside(name, Path::new(&*pos.file));
    let text = files
        .read(&path)
        .map_err(|e| Fault::new(pos, format!("file \"{name}\": {e}")))?;
    let file = std::rc::Rc::from(path.display().to_string().as_str());
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.split(['#', ';']).next().unwrap_or("");
        let mut neg = false;
        for word in text.split_whitespace() {
            let column = 1 + (word.as_ptr() as usize - text.as_ptr() as usize) as u32;
            let pos = Pos {
                file: std::rc::Rc::clone(&file),
                line,
                column,
            };
            let word = match word.strip_prefix('!') {
                Some("") => {
                    neg = true;
                    continue;
                }
                Some(rest) => {
                    neg = true;
                    rest
                }
                None => word,
            };
            into.push(host::entry_word(word, neg, &pos)?);
            neg = false;
        }
    }
    Ok(())
}

/// Behind `block`.
fn block_how(c: &mut Cursor) -> Result<Option<How>> {
    if let Some(how) = number(set::BLOCK_WORDS, c.word()) {
        c.next();
        return Ok(Some(how));
    }
    let word = c.word().to_owned();
    match word.as_str() {
        "return-rst" => {
            c.next();
            if c.kind() == Kind::ParenOpen {
                return Err(Fault::new(&c.pos(), "the TTL of a reset cannot be chosen"));
            }
            Ok(Some(How::Reset))
        }
        "return-icmp" | "return-icmp6" => {
            c.next();
            let (mut v4, mut v6) = UNREACH;
            if c.eat(Kind::ParenOpen) {
                let first = if word == "return-icmp" {
                    Family::V4
                } else {
                    Family::V6
                };
                let code = unreach_code(c, first)?;
                match first {
                    Family::V4 => v4 = code,
                    Family::V6 => v6 = code,
                }
                if first == Family::V4 && c.eat(Kind::Comma) {
                    v6 = unreach_code(c, Family::V6)?;
                }
                c.expect(Kind::ParenClose, "')'")?;
            }
            Ok(Some(How::Icmp(v4, v6)))
        }
        _ => Ok(None),
    }
}

fn unreach_code(c: &mut Cursor, af: Family) -> Result<u8> {
    let kind = if af == Family::V4 { 3 } else { 1 };
    let found = icmp_code(af, kind, c.word()).or_else(|| c.word().parse().ok());
    let Some(code) = found else {
        return Err(c.wrong("a code of ICMP unreachable, as port-unr"));
    };
    c.next();
    Ok(code)
}
