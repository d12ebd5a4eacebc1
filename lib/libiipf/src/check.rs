// SPDX-License-Identifier: BSD-2-Clause
//! What only the whole ruleset shows: tables that are not there, or of the wrong family.

use crate::ast::{Action, Addr, Config, Family, Host, Item, Match, Rule, Table, Target};
use crate::pos::{Fault, Pos, nearest};
use iipf_abi::IIPF_TABLE_CONST;
use std::collections::{BTreeMap, BTreeSet};

/// Adds warnings; gives what is wrong.
pub(crate) fn check(config: &mut Config) -> Vec<Fault> {
    let mut k = Check {
        tables: config.tables.iter().map(|t| (t.name.as_str(), t)).collect(),
        used: BTreeSet::new(),
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    k.items(&config.items);
    for t in &config.tables {
        if !k.used.contains(&t.name) && t.flags & iipf_abi::IIPF_TABLE_PERSIST == 0 {
            let what = format!("table <{}> is never used", t.name);
            let hint = "'persist' keeps it for iipfctl table";
            k.warnings.push(Fault::new(&t.pos, what).hint(hint));
        }
    }
    let Check {
        faults, warnings, ..
    } = k;
    config.warnings.0.extend(warnings);
    faults
}

struct Check<'a> {
    tables: BTreeMap<&'a str, &'a Table>,
    used: BTreeSet<String>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Check<'_> {
    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Rule(r) => self.rule(r),
                Item::Anchor(a) => {
                    self.matching(&a.m, &a.pos);
                    self.items(&a.items);
                }
            }
        }
    }

    fn matching(&mut self, m: &Match, pos: &Pos) {
        for h in [&m.src, &m.dst] {
            if let Host {
                addr: Addr::Table(name),
                ..
            } = h
            {
                self.table(name, m.af, pos);
            }
        }
    }

    fn rule(&mut self, r: &Rule) {
        self.matching(&r.m, &r.pos);
        match &r.action {
            Action::Pass(Some(s)) => {
                if let Some(name) = &s.overload {
                    self.table(name, None, &r.pos);
                    let fixed = self.tables.get(name.as_str()).map_or(0, |t| t.flags);
                    if fixed & IIPF_TABLE_CONST != 0 {
                        let what = format!("overload <{name}>: the table is const");
                        self.faults
                            .push(Fault::new(&r.pos, what).hint("take 'const' away"));
                    }
                }
            }
            Action::Nat(Some(n)) | Action::Rdr(Some(n)) | Action::Binat(Some(n)) => {
                for t in &n.pool {
                    if let Target::Table(name) = t {
                        self.table(name, r.m.af, &r.pos);
                    }
                }
            }
            _ => {}
        }
    }

    fn table(&mut self, name: &str, af: Option<Family>, pos: &Pos) {
        let Some(table) = self.tables.get(name) else {
            let hint = nearest(name, self.tables.keys().copied());
            let hint = if hint.is_empty() {
                format!("write table <{name}> persist before the rules")
            } else {
                hint
            };
            let what = format!("table <{name}> is not defined");
            self.faults.push(Fault::new(pos, what).hint(hint));
            return;
        };
        self.used.insert(name.to_owned());
        let (Some(af), Some(entries)) = (af, &table.entries) else {
            return;
        };
        if entries.is_empty() || entries.iter().any(|e| Family::of(e.addr) == af) {
            return;
        }
        let what = format!(
            "table <{name}> has no {} address, and the rule is {0}",
            af.word()
        );
        let fault = Fault::new(pos, what);
        if table.flags & IIPF_TABLE_CONST != 0 {
            self.faults
                .push(fault.hint("it is const, so the rule can never match"));
        } else {
            self.warnings
                .push(fault.hint("until some are added it matches nothing"));
        }
    }
}
