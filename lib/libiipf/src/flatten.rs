// SPDX-License-Identifier: BSD-2-Clause
//! Anchors to plain rules: conditions, order, priority, and where looking ends.

use crate::ast::{Action, Anchor, Config, Dir, Item, Match, NatPorts, Ports, Rule};
use crate::merge::{Both, merge};
use crate::pos::Fault;

/// A rule and what its place means.
#[derive(Clone, Debug)]
pub(crate) struct Flat {
    pub rule: Rule,
    /// Index into the anchors, from 1; 0: none.
    pub anchor: u32,
    /// As in the record.
    pub order: u32,
    pub prio: u32,
    pub stop: u32,
}

/// An anchor, and the one that it stands in.
#[derive(Clone, Debug)]
pub(crate) struct FlatAnchor {
    pub name: String,
    pub parent: u32,
    pub quick: bool,
}

/// All rules in order of their text.
#[derive(Default)]
pub(crate) struct Flattened {
    pub rules: Vec<Flat>,
    pub anchors: Vec<FlatAnchor>,
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
    /// Next `order` of filter, nat, rdr and binat.
    next: [u32; 4],
}

/// Rules that decide, by index: in order of priority, and those that the last of wins.
#[derive(Default)]
struct Deciders {
    quick: Vec<usize>,
    last: Vec<usize>,
}

fn section(action: &Action) -> usize {
    match action {
        Action::Pass(_) | Action::Block(_) | Action::Match => 0,
        Action::Nat(_) => 1,
        Action::Rdr(_) => 2,
        Action::Binat(_) | Action::Nptv6(_) => 3,
    }
}

/// The direction that a section is about.
fn direction(action: &Action) -> Option<Dir> {
    match section(action) {
        0 => None,
        2 => Some(Dir::In),
        _ => Some(Dir::Out),
    }
}

/// With fewer ports, the first of them becomes another.
fn follow_ports(rule: &mut Rule, before: Ports) {
    if let Action::Rdr(Some(n)) = &mut rule.action
        && let NatPorts::Shift(first) = &mut n.ports
        && let (Ports::In(was, _), Ports::In(is, _)) = (before, rule.m.dport)
    {
        *first = first.saturating_add(is.saturating_sub(was));
    }
}

pub(crate) fn flatten(config: &Config) -> Flattened {
    let mut f = Flattened::default();
    let all = f.items(&config.items, &Match::ANY, 0);
    // A quick rule beats all behind it and, being reached, what matched before it.
    let by_prio = all.quick.into_iter().chain(all.last.into_iter().rev());
    for (prio, at) in (0..).zip(by_prio) {
        f.rules[at].prio = prio;
    }
    f
}

impl Flattened {
    fn items(&mut self, items: &[Item], outer: &Match, anchor: u32) -> Deciders {
        let mut all = Deciders::default();
        for item in items {
            match item {
                Item::Rule(r) => self.rule(r, outer, anchor, &mut all),
                Item::Anchor(a) => self.anchor(a, outer, anchor, &mut all),
            }
        }
        all
    }

    fn rule(&mut self, r: &Rule, outer: &Match, anchor: u32, all: &mut Deciders) {
        let mut rule = r.clone();
        if rule.m.dir.is_none() {
            rule.m.dir = direction(&rule.action);
        }
        rule.m = match merge(outer, &rule.m) {
            Both::One(m) => m,
            Both::Nothing => {
                let what = "nothing meets both this rule and its anchor's conditions";
                self.warnings
                    .push(Fault::new(&r.pos, what).hint("the rule is left out"));
                return;
            }
            Both::Unsaid(what) => {
                self.faults.push(
                    Fault::new(&r.pos, format!("with its anchor this rule asks for {what}"))
                        .hint("one rule can say only one of them; move it out of the anchor"),
                );
                return;
            }
        };
        if !rule.action.is_filter() {
            // What the section is about, it says itself.
            rule.m.dir = None;
        }
        follow_ports(&mut rule, r.m.dport);
        let next = &mut self.next[section(&rule.action)];
        let order = *next;
        *next += 1;
        let at = self.rules.len();
        let decides = matches!(rule.action, Action::Pass(_) | Action::Block(_));
        if decides && rule.quick {
            all.quick.push(at);
        } else if decides {
            all.last.push(at);
        }
        self.rules.push(Flat {
            anchor,
            order,
            prio: order,
            stop: if rule.quick { order } else { u32::MAX },
            rule,
        });
    }

    fn anchor(&mut self, a: &Anchor, outer: &Match, parent: u32, all: &mut Deciders) {
        let m = match merge(outer, &a.m) {
            Both::One(m) => m,
            Both::Nothing => {
                let what = "nothing meets both this anchor's conditions and those around it";
                self.warnings
                    .push(Fault::new(&a.pos, what).hint("the anchor is left out"));
                return;
            }
            Both::Unsaid(what) => {
                self.faults.push(Fault::new(
                    &a.pos,
                    format!("with the anchor around it it asks for {what}"),
                ));
                return;
            }
        };
        self.anchors.push(FlatAnchor {
            name: a.name.clone(),
            parent,
            quick: a.quick,
        });
        let me = self.anchors.len() as u32;
        let inner = self.items(&a.items, &m, me);
        all.quick.extend(inner.quick);
        if a.quick {
            // When one of these decides, looking ends with the anchor.
            let end = self.next[0].saturating_sub(1);
            for &at in &inner.last {
                let stop = &mut self.rules[at].stop;
                *stop = (*stop).min(end);
            }
            all.quick.extend(inner.last.into_iter().rev());
        } else {
            all.last.extend(inner.last);
        }
    }
}
