// SPDX-License-Identifier: BSD-2-Clause
//! Files into a [`Conf`]: line by line, then what only all lines together say.

use crate::conf::action::Action;
use crate::conf::action::RingDraft;
use crate::conf::action::action;
use crate::conf::block;
use crate::conf::lines::BadByte;
use crate::conf::lines::Line;
use crate::conf::lines::split;
use crate::conf::note::Fault;
use crate::conf::note::Note;
use crate::conf::note::Place;
use crate::conf::remap::remap;
use crate::conf::scan::Scan;
use crate::conf::scan::uncomment;
use crate::conf::select::selector;
use crate::conf::settings;
use crate::conf::source::Files;
use crate::conf::types::Block;
use crate::conf::types::Conf;
use crate::conf::types::Keep;
use crate::conf::types::Output;
use crate::conf::types::OutputId;
use crate::conf::types::Remap;
use crate::conf::types::RingId;
use crate::conf::types::RingSpec;
use crate::conf::types::Rule;
use crate::conf::types::Settings;
use crate::conf::types::Target;
use crate::conf::types::Tls;
use crate::conf::types::What;
use liblog::ring::MIN_PACKED;
use std::collections::BTreeMap;
use std::io::ErrorKind;

/// What the command line says about how a file is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A level means only that one, not the worse ones too (syslogd -U).
    pub unique: bool,
}

const MOST_RULES: usize = 4096;
const MOST_REMAPS: usize = 1024;
const MOST_FILES: usize = 1024;
/// Of more errors only the first are told, of more warnings too.
const MOST_NOTES: usize = 100;

struct Builder<'f, F> {
    files: &'f F,
    options: Options,
    errors: Vec<Note>,
    warnings: Vec<Note>,
    rules: Vec<Rule>,
    blocks: Vec<Block>,
    outputs: Vec<(Action, Place)>,
    rings: Vec<(RingDraft, Place)>,
    remaps: Vec<Remap>,
    settings: Settings,
    /// Where each setting stands.
    set: BTreeMap<String, Place>,
    tls: Tls,
}

/// Reads a file, and what it includes.
///
/// # Errors
/// All that is wrong; at least one.
pub fn load<F: Files>(path: &str, files: &F, options: Options) -> Result<Conf, Vec<Note>> {
    let mut builder = Builder {
        files,
        options,
        errors: Vec::new(),
        warnings: Vec::new(),
        rules: Vec::new(),
        blocks: Vec::new(),
        outputs: Vec::new(),
        rings: Vec::new(),
        remaps: Vec::new(),
        settings: Settings::default(),
        set: BTreeMap::new(),
        tls: Tls::default(),
    };
    builder.file(path, true);
    builder.finish()
}

impl<F: Files> Builder<'_, F> {
    fn error(&mut self, place: Place, what: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(Note {
            place,
            what: what.into(),
            hint: hint.into(),
        });
    }

    fn fault(&mut self, line: &Line, file: &str, fault: Fault) {
        self.error(line.place(file, fault.at), fault.what, fault.hint);
    }

    fn warn(&mut self, line: &Line, file: &str, fault: Fault) {
        if self.warnings.len() < MOST_NOTES {
            self.warnings.push(Note {
                place: line.place(file, fault.at),
                what: fault.what,
                hint: fault.hint,
            });
        }
    }

    fn file(&mut self, path: &str, first: bool) {
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let place = Place {
                    file: path.to_owned(),
                    ..Place::default()
                };
                return self.error(place, format!("can not be read: {error}"), "");
            }
        };
        // A file begins with no test, and its last one ends with it (FreeBSD).
        let mut tests = Block::default();
        let mut known = None;
        for line in split(&bytes) {
            if self.errors.len() >= MOST_NOTES {
                return;
            }
            match line {
                Ok(line) => self.line(&line, path, first, &mut tests, &mut known),
                Err(BadByte { line, column, byte }) => {
                    let file = path.to_owned();
                    let place = Place { file, line, column };
                    let what = format!("byte {byte:#04x} is not text");
                    self.error(place, what, "files are UTF-8, without control characters");
                }
            }
        }
    }

    /// `known`: the number of `tests`, once there is one.
    fn line(
        &mut self,
        line: &Line,
        file: &str,
        first: bool,
        tests: &mut Block,
        known: &mut Option<u16>,
    ) {
        let text = line.text.as_str();
        let mut scan = Scan::new(text);
        // `#!prog` and its like mean something, but prose that happens to look so does not.
        let hashed = scan.eat('#');
        let mut changed = tests.clone();
        let change = block::change(&mut scan, &mut changed).and_then(|is| {
            if is {
                scan.finish().map(|()| true)
            } else {
                Ok(false)
            }
        });
        match change {
            Ok(true) => {
                *tests = changed;
                *known = None;
                return;
            }
            Err(_) | Ok(false) if hashed => return,
            Err(fault) => return self.fault(line, file, fault),
            Ok(false) => {}
        }
        let mut scan = Scan::new(uncomment(text));
        let keyword = scan.clone().word();
        match keyword {
            "include" => {
                scan.word();
                self.include(line, file, first, &mut scan);
            }
            "set" => {
                scan.word();
                self.set(line, file, &mut scan);
            }
            "remap" => {
                scan.word();
                match remap(&mut scan) {
                    Ok(_) if self.remaps.len() >= MOST_REMAPS => {
                        self.error(line.place(file, 0), "too many remaps", "");
                    }
                    Ok(remap) => self.remaps.push(Remap {
                        place: line.place(file, 0),
                        ..remap
                    }),
                    Err(faults) => faults.into_iter().for_each(|f| self.fault(line, file, f)),
                }
            }
            _ if settings::is_assignment(text) => {
                match settings::assign(&mut Scan::new(text), &mut self.tls) {
                    Ok(warning) => warning.into_iter().for_each(|w| self.warn(line, file, w)),
                    Err(fault) => self.fault(line, file, fault),
                }
            }
            _ => {
                let block = self.rule(line, file, &mut scan, tests, *known);
                *known = known.or(block);
            }
        }
    }

    fn include(&mut self, line: &Line, file: &str, first: bool, scan: &mut Scan<'_>) {
        scan.blanks();
        let at = scan.at();
        let word = scan.word();
        if let Err(fault) = scan.finish() {
            return self.fault(line, file, fault);
        }
        if !first {
            let hint = "only the first file may include others";
            return self.error(line.place(file, 0), "include in an included file", hint);
        }
        // sysklogd writes the pattern that FreeBSD means.
        let folder = word.strip_suffix("/*.conf").unwrap_or(word);
        if !folder.starts_with('/') {
            let what = format!("{word:?} is no folder");
            return self.error(line.place(file, at), what, "include /etc/syslog.d");
        }
        let mut names = match self.files.list(folder) {
            Ok(names) => names,
            // FreeBSD's own file includes folders that need not be there.
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => {
                let what = format!("{folder} can not be read: {error}");
                return self.warn(line, file, Fault::new(at, what, ""));
            }
        };
        names.retain(|name| name.ends_with(".conf") && !name.starts_with('.'));
        names.sort();
        if names.len() > MOST_FILES {
            return self.error(line.place(file, at), "too many files", "");
        }
        for name in names {
            self.file(&format!("{}/{name}", folder.trim_end_matches('/')), false);
        }
    }

    fn set(&mut self, line: &Line, file: &str, scan: &mut Scan<'_>) {
        match settings::set(scan, &mut self.settings) {
            Ok(key) => {
                let place = line.place(file, 0);
                if let Some(before) = self.set.insert(key.to_owned(), place.clone()) {
                    self.error(
                        place,
                        format!("{key} is set twice"),
                        format!("also in {before}"),
                    );
                }
            }
            Err(fault) => self.fault(line, file, fault),
        }
    }

    /// A rule; gives the number of its block.
    fn rule(
        &mut self,
        line: &Line,
        file: &str,
        scan: &mut Scan<'_>,
        tests: &Block,
        known: Option<u16>,
    ) -> Option<u16> {
        let levels = selector(scan, self.options.unique);
        // A selector with a fault ends at the next blank too: the action is looked at as well.
        scan.word();
        scan.blanks();
        let at = scan.at();
        let action = action(scan);
        let levels = match levels {
            Ok(levels) => Some(levels),
            Err(faults) => {
                faults.into_iter().for_each(|f| self.fault(line, file, f));
                None
            }
        };
        let action = match action {
            Ok((action, warning)) => {
                warning.into_iter().for_each(|w| self.warn(line, file, w));
                action
            }
            Err(fault) => {
                self.fault(line, file, fault);
                return None;
            }
        };
        let levels = levels?;
        if self.rules.len() >= MOST_RULES {
            self.error(line.place(file, 0), "too many rules", "");
            return None;
        }
        let to = self.target(action, line.place(file, at));
        let block = known.unwrap_or_else(|| {
            self.blocks.push(tests.clone());
            // There are not more of them than rules.
            u16::try_from(self.blocks.len() - 1).unwrap_or(u16::MAX)
        });
        self.rules.push(Rule {
            levels,
            block,
            to,
            place: line.place(file, 0),
        });
        Some(block)
    }

    /// The target of an action; the same action is the same target.
    fn target(&mut self, action: Action, place: Place) -> Target {
        let id = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        if let Action::Ring(draft) = action {
            let Some(n) = self.rings.iter().position(|(r, _)| r.name == draft.name) else {
                self.rings.push((draft, place));
                return Target::Ring(RingId(id(self.rings.len() - 1)));
            };
            self.merge(n, draft, place);
            return Target::Ring(RingId(id(n)));
        }
        let found = self.outputs.iter().position(|(a, _)| *a == action);
        let n = found.unwrap_or_else(|| {
            self.outputs.push((action, place));
            self.outputs.len() - 1
        });
        Target::Output(OutputId(id(n)))
    }

    /// Each thing about a ring may be said anywhere, but only in one way.
    fn merge(&mut self, n: usize, draft: RingDraft, place: Place) {
        let Some((ring, before)) = self.rings.get_mut(n) else {
            return;
        };
        let mut differs = Vec::new();
        merge_one(&mut ring.size, draft.size, "size", &mut differs);
        merge_one(&mut ring.keep, draft.keep, "keep", &mut differs);
        merge_one(&mut ring.pack, draft.pack, "pack", &mut differs);
        merge_one(&mut ring.group, draft.group, "group", &mut differs);
        merge_one(&mut ring.mode, draft.mode, "mode", &mut differs);
        let hint = format!("the first is in {before}");
        for what in differs {
            let what = format!("ring {} has another {what} elsewhere", draft.name);
            self.error(place.clone(), what, hint.clone());
        }
    }

    fn finish(mut self) -> Result<Conf, Vec<Note>> {
        let mut rings = Vec::new();
        for (draft, place) in std::mem::take(&mut self.rings) {
            if draft.size.is_none() {
                let what = format!("ring {} has no size", draft.name);
                let hint = format!("ring:{}:64k in one of its lines", draft.name);
                self.error(place.clone(), what, hint);
            }
            let size = draft.size.unwrap_or(0);
            let pack = draft.pack.unwrap_or(false);
            if pack && size > 0 && size < MIN_PACKED as u64 {
                let what = format!("ring {} is too small for pack=lz4", draft.name);
                self.error(
                    place.clone(),
                    what,
                    format!("at least {}k", MIN_PACKED >> 10),
                );
            }
            rings.push(RingSpec {
                name: draft.name,
                size,
                keep: draft.keep.unwrap_or(Keep::None),
                pack,
                group: draft.group,
                mode: draft.mode,
                place,
            });
        }
        self.budget(&rings);
        if !self.errors.is_empty() {
            self.errors.truncate(MOST_NOTES);
            return Err(self.errors);
        }
        let (settings, tls) = (&self.settings, &self.tls);
        let outputs = self.outputs.into_iter().filter_map(|(action, place)| {
            let what = match action {
                Action::File { path, sync, full } => What::File { path, sync, full },
                Action::Remote(draft) => What::Remote(draft.finish(settings, tls)),
                Action::Users(users) => What::Users(users),
                Action::Wall => What::Wall,
                Action::Pipe(command) => What::Pipe(command),
                // Those are not among the outputs.
                Action::Ring(_) => return None,
            };
            Some(Output { what, place })
        });
        Ok(Conf {
            rules: self.rules,
            blocks: self.blocks,
            outputs: outputs.collect(),
            rings,
            remaps: self.remaps,
            settings: self.settings.clone(),
            tls: self.tls.clone(),
            warnings: self.warnings,
        })
    }

    fn budget(&mut self, rings: &[RingSpec]) {
        let Some(budget) = self.settings.budget else {
            return;
        };
        let sum = rings.iter().fold(0u64, |sum, r| sum.saturating_add(r.size));
        if sum <= budget {
            return;
        }
        let largest = rings.iter().max_by_key(|r| r.size);
        let hint = largest.map(|r| format!("the largest, {}, has {}", r.name, r.size));
        let what = format!(
            "the rings have {sum} bytes together, the budget is {budget}: {} too many",
            sum - budget
        );
        let place = self.set.get("budget").cloned().unwrap_or_default();
        self.error(place, what, hint.unwrap_or_default());
    }
}

fn merge_one<T: PartialEq>(
    old: &mut Option<T>,
    new: Option<T>,
    what: &'static str,
    differs: &mut Vec<&'static str>,
) {
    match (&old, new) {
        (_, None) => {}
        (None, new) => *old = new,
        (Some(old), Some(new)) if *old == new => {}
        _ => differs.push(what),
    }
}
