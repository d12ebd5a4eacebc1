// SPDX-License-Identifier: BSD-2-Clause
//! The files that the process's code came from: which there were, and where each one lay.

use crate::binary::Binary;
use crate::binary::open;
use crate::core::BEGIN;
use crate::core::Core;
use crate::core::Source;
use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The most files that are opened.
const MODULES: usize = 256;
/// The most bytes that are read of all of them.
const BUDGET: u64 = 128 << 20;

const AT_PHDR: u64 = 3;
const AT_ENTRY: u64 = 9;
const AT_EXECPATH: u64 = 15;
const AT_EXECFN: u64 = 31;
const AT_SUN_EXECNAME: u64 = 2014;

/// A file of the process's.
#[derive(Debug)]
pub struct Module {
    /// Its path.
    pub path: Vec<u8>,
    /// Where its code began.
    pub start: u64,
    /// Where it ended.
    pub end: u64,
    /// The offset of the file that `start` was.
    offset: u64,
    /// The file as it is now, if it is the one that was mapped.
    pub binary: Option<Binary>,
    /// What is to be added to the file's addresses.
    pub bias: Option<u64>,
}

impl Module {
    /// Its name without folders, as far as it can stand in a frame.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.path.rsplit(|&b| b == b'/').next().unwrap_or_default();
        let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
        let plain = |b: &u8| b.is_ascii_graphic() && !b"()\"\\]".contains(b);
        let chars = name.iter().take(48);
        chars
            .map(|b| if plain(b) { char::from(*b) } else { '?' })
            .collect()
    }

    /// An address of the process's, as the file has it.
    #[must_use]
    pub fn offset(&self, address: u64) -> u64 {
        match self.bias {
            Some(bias) => address.wrapping_sub(bias),
            None => address.wrapping_sub(self.start).wrapping_add(self.offset),
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Modules {
    /// Sorted by address.
    pub all: Vec<Module>,
    budget: Cell<u64>,
}

impl Modules {
    /// Finds out which there were, and opens them if `files` says so; nothing of a file but its
    /// headers is read.
    pub fn find<S: Source>(core: &Core<S>, files: bool) -> Self {
        let mut modules = Modules {
            all: Vec::new(),
            budget: Cell::new(BUDGET),
        };
        if core.facts.maps.is_empty() {
            if files {
                modules.by_linker(core);
            }
        } else {
            modules.by_maps(core, files);
        }
        modules.all.sort_by_key(|m| m.start);
        modules
    }

    /// That of an address.
    #[must_use]
    pub fn of(&self, address: u64) -> Option<usize> {
        let at = self.all.partition_point(|m| m.start <= address);
        let at = at.checked_sub(1)?;
        (address < self.all.get(at)?.end).then_some(at)
    }

    /// What may still be read.
    pub(crate) fn budget(&self) -> &Cell<u64> {
        &self.budget
    }

    fn by_maps<S: Source>(&mut self, core: &Core<S>, files: bool) {
        let mut begin = None;
        for map in &core.facts.maps {
            if map.offset == 0 {
                begin = Some(map);
            }
            let exec = map.exec || core.segment(map.start).is_some_and(|s| s.exec);
            if !exec || self.all.len() == MODULES {
                continue;
            }
            let file = files.then(|| open(&map.path)).flatten();
            let first = begin.filter(|b| b.path == map.path).map(|b| b.start);
            let mut module = Module {
                path: map.path.clone(),
                start: map.start,
                end: map.end,
                offset: map.offset,
                binary: None,
                bias: None,
            };
            if let Some(file) = file.filter(|f| first.is_none_or(|at| same(core, at, f))) {
                module.binary = Binary::read(file, &self.budget);
                let binary = module.binary.as_ref();
                module.bias = binary.and_then(|b| b.bias(map.start, map.offset));
            }
            self.all.push(module);
        }
    }

    /// Without a list of files: the program by its auxiliary vector, and the run-time linker's list.
    fn by_linker<S: Source>(&mut self, core: &Core<S>) -> Option<()> {
        let aux = |key| core.facts.aux(key);
        let names = [AT_SUN_EXECNAME, AT_EXECPATH, AT_EXECFN];
        let path = names.iter().find_map(|&key| core.text(aux(key)?))?;
        let binary = Binary::read(open(&path)?, &self.budget)?;
        let bias = aux(AT_ENTRY)?.wrapping_sub(binary.entry);
        let headers = binary.headers.wrapping_add(bias);
        if aux(AT_PHDR).is_some_and(|at| binary.headers != 0 && at != headers) {
            return None;
        }
        let dynamic = binary.dynamic;
        self.add(path, binary, bias);
        // DT_DEBUG is where the linker wrote down its list: version, first entry.
        let mut at = dynamic?.wrapping_add(bias);
        let debug = loop {
            match core.word(at)? {
                0 => return None,
                21 => break core.word(at.wrapping_add(8))?,
                _ => at = at.wrapping_add(16),
            }
        };
        let mut entry = core.word(debug.wrapping_add(8))?;
        for _ in 0..MODULES {
            if entry == 0 {
                break;
            }
            let bias = core.word(entry)?;
            let path = core.text(core.word(entry.wrapping_add(8))?);
            if let Some(path) = path.filter(|p| self.all.iter().all(|m| m.path != *p)) {
                let binary = open(&path).and_then(|f| Binary::read(f, &self.budget));
                if let Some(binary) = binary {
                    self.add(path, binary, bias);
                }
            }
            entry = core.word(entry.wrapping_add(24))?;
        }
        Some(())
    }

    fn add(&mut self, path: Vec<u8>, binary: Binary, bias: u64) {
        let (start, end) = binary.code();
        self.all.push(Module {
            path,
            start: start.wrapping_add(bias),
            end: end.wrapping_add(bias),
            offset: 0,
            binary: Some(binary),
            bias: Some(bias),
        });
    }
}

/// Whether the file begins as the memory did, as far as the core has that: another version of a
/// library has another id there, or other lengths.
fn same<S: Source>(core: &Core<S>, at: u64, file: &File) -> bool {
    let mut was = [0; BEGIN as usize];
    core.memory(at, &mut was).then_some(was).is_none_or(|was| {
        let mut is = [0; BEGIN as usize];
        file.read_exact_at(&mut is, 0).is_ok() && was == is
    })
}
