// SPDX-License-Identifier: BSD-2-Clause
//! Which rules a message is shown to: found by its facility and severity, and by its program where
//! a rule wants certain ones. Rules that can not match cost nothing.

use crate::conf::Conf;
use crate::conf::Levels;
use crate::conf::Target;
use crate::engine::matcher::Here;
use crate::engine::matcher::Test;
use crate::engine::matcher::kernel_program;
use crate::engine::text::hash;
use liblog::Msg;

/// A rule, ready. Rings have the slots behind those of the outputs.
#[derive(Clone, Copy)]
struct Ready {
    levels: Levels,
    block: u16,
    slot: u16,
}

/// A piece of the list of rule numbers.
type Piece = (u32, u32);

pub(super) struct Select {
    rules: Vec<Ready>,
    tests: Vec<Test>,
    /// Rule numbers, in the pieces that the other two name; each is in order.
    numbers: Vec<u16>,
    /// By column and severity: the rules for any program.
    general: Vec<Piece>,
    /// By the hash of a program's name: the rules that want it. The length is a power of two, at
    /// most half is used.
    programs: Vec<Option<(u64, Piece)>>,
    seed: u64,
}

impl Select {
    pub fn new(conf: &Conf, seed: u64) -> Result<Select, String> {
        let tests: Result<Vec<_>, _> = conf.blocks.iter().map(Test::new).collect();
        let tests = tests?;
        let outputs = u16::try_from(conf.outputs.len()).map_err(|_| "too many outputs")?;
        let ready = conf.rules.iter().map(|rule| Ready {
            levels: rule.levels,
            block: rule.block,
            slot: match rule.to {
                Target::Output(id) => id.0,
                Target::Ring(id) => outputs.saturating_add(id.0),
            },
        });
        let mut select = Select {
            rules: ready.collect(),
            tests,
            numbers: Vec::new(),
            general: Vec::new(),
            programs: Vec::new(),
            seed,
        };
        select.index();
        Ok(select)
    }

    fn names_of(&self, rule: usize) -> Option<&[Box<[u8]>]> {
        let block = self.rules.get(rule).map(|r| usize::from(r.block))?;
        self.tests.get(block)?.exact_programs()
    }

    fn piece(&mut self, numbers: impl Iterator<Item = usize>) -> Piece {
        let start = self.numbers.len();
        self.numbers
            .extend(numbers.filter_map(|n| u16::try_from(n).ok()));
        let small = |n: usize| u32::try_from(n).unwrap_or(0);
        (small(start), small(self.numbers.len() - start))
    }

    fn index(&mut self) {
        let all = 0..self.rules.len();
        for column in 0..Levels::COLUMNS {
            for severity in 0..8 {
                let fits = |&n: &usize| {
                    let rule = self.rules.get(n);
                    rule.is_some_and(|r| r.levels.has(column, severity))
                        && self.names_of(n).is_none()
                };
                let numbers: Vec<_> = all.clone().filter(fits).collect();
                let piece = self.piece(numbers.into_iter());
                self.general.push(piece);
            }
        }
        let mut wanted: Vec<(u64, usize)> = Vec::new();
        for n in all {
            let names = self.names_of(n).unwrap_or_default();
            wanted.extend(names.iter().map(|name| (hash(self.seed, name, b""), n)));
        }
        wanted.sort_unstable();
        wanted.dedup();
        let size = (wanted.len() * 2).next_power_of_two().max(2);
        self.programs = vec![None; size];
        for group in wanted.chunk_by(|a, b| a.0 == b.0) {
            let Some(&(key, _)) = group.first() else {
                continue;
            };
            let piece = self.piece(group.iter().map(|&(_, n)| n));
            let mut at = key as usize & (size - 1);
            while self.programs.get(at).is_some_and(Option::is_some) {
                at = (at + 1) & (size - 1);
            }
            if let Some(place) = self.programs.get_mut(at) {
                *place = Some((key, piece));
            }
        }
    }

    fn slice(&self, piece: Piece) -> &[u16] {
        let (start, len) = (piece.0 as usize, piece.1 as usize);
        self.numbers.get(start..start + len).unwrap_or_default()
    }

    fn wanting(&self, program: &[u8]) -> &[u16] {
        let key = hash(self.seed, program, b"");
        let mut at = key as usize & (self.programs.len() - 1);
        while let Some(&Some((found, piece))) = self.programs.get(at) {
            if found == key {
                return self.slice(piece);
            }
            at = (at + 1) & (self.programs.len() - 1);
        }
        &[]
    }

    /// Calls `taken` with number and slot of each rule that takes the message, in their order.
    pub fn each(
        &self,
        msg: &Msg<'_>,
        column: usize,
        here: &Here,
        mut taken: impl FnMut(usize, usize),
    ) {
        let severity = msg.pri.severity.number();
        let general = self.general.get(column * 8 + usize::from(severity));
        let kernel = kernel_program(msg);
        let mut lists = [
            general.map_or(&[][..], |&piece| self.slice(piece)),
            self.wanting(msg.app),
            kernel.map_or(&[][..], |name| self.wanting(name)),
        ];
        let mut last = None;
        let mut stop = None;
        while let Some(&n) = lists.iter().filter_map(|list| list.first()).min() {
            for list in &mut lists {
                if list.first() == Some(&n) {
                    *list = list.get(1..).unwrap_or_default();
                }
            }
            let Some(rule) = self.rules.get(usize::from(n)) else {
                continue;
            };
            if !rule.levels.has(column, severity) {
                continue;
            }
            if stop.is_some_and(|block| block != rule.block) {
                return;
            }
            // Rules of a block stand together.
            let holds = match last {
                Some((block, holds)) if block == rule.block => holds,
                _ => {
                    let test = self.tests.get(usize::from(rule.block));
                    let holds = test.is_some_and(|test| test.holds(msg, kernel, here));
                    last = Some((rule.block, holds));
                    if holds && test.is_some_and(|test| test.stop) {
                        stop = Some(rule.block);
                    }
                    holds
                }
            };
            if holds {
                taken(usize::from(n), usize::from(rule.slot));
            }
        }
    }
}
