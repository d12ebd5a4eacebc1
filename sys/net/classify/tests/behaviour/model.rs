// SPDX-License-Identifier: BSD-2-Clause
//! The reference: rules evaluated one after the other, as pf.conf(5) tells it.

use classify::{Anchor, Fields, Kind, Rule, Tables};

/// What evaluation came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub decided: Option<u32>,
    pub notes: Vec<u32>,
}

struct Walk<'a, T> {
    rules: &'a [Rule],
    anchors: &'a [Anchor],
    f: &'a Fields,
    tables: &'a T,
    accept: &'a dyn Fn(u32) -> bool,
    outcome: Outcome,
}

fn path(anchors: &[Anchor], mut at: Option<u16>) -> Vec<u16> {
    let mut path = Vec::new();
    while let Some(a) = at {
        path.push(a);
        at = anchors[usize::from(a)].parent;
    }
    path.reverse();
    path
}

impl<T: Tables> Walk<'_, T> {
    /// Rules from `i` on that stand in `anchor` (or in an anchor within); gives where they end,
    /// whether one decided, and whether evaluation is over.
    fn body(&mut self, mut i: usize, anchor: Option<u16>) -> (usize, bool, bool) {
        let depth = path(self.anchors, anchor).len();
        let mut any = false;
        while i < self.rules.len() {
            let p = path(self.anchors, self.rules[i].anchor);
            if anchor.is_some_and(|a| p.get(depth - 1) != Some(&a)) {
                break;
            }
            let Some(&inner) = p.get(depth) else {
                let rule = &self.rules[i];
                if rule.when.miss(self.f, self.tables).is_none() {
                    let number = i as u32;
                    if rule.kind == Kind::Note {
                        self.outcome.notes.push(number);
                    } else if !rule.when.maybe || (self.accept)(number) {
                        self.outcome.decided = Some(number);
                        any = true;
                        if rule.kind == Kind::Quick {
                            return (i, any, true);
                        }
                    }
                }
                i += 1;
                continue;
            };
            let a = &self.anchors[usize::from(inner)];
            if a.when.miss(self.f, self.tables).is_some() {
                // Past it.
                while i < self.rules.len()
                    && path(self.anchors, self.rules[i].anchor).get(depth) == Some(&inner)
                {
                    i += 1;
                }
                continue;
            }
            let (end, inside, over) = self.body(i, Some(inner));
            any |= inside;
            if over || (inside && a.quick) {
                return (end, any, true);
            }
            i = end;
        }
        (i, any, false)
    }
}

/// Evaluates `rules`.
pub fn evaluate(
    rules: &[Rule],
    anchors: &[Anchor],
    f: &Fields,
    tables: &impl Tables,
    accept: &dyn Fn(u32) -> bool,
) -> Outcome {
    let mut walk = Walk {
        rules,
        anchors,
        f,
        tables,
        accept,
        outcome: Outcome {
            decided: None,
            notes: Vec::new(),
        },
    };
    walk.body(0, None);
    walk.outcome
}
