// SPDX-License-Identifier: BSD-2-Clause
//! A core as it comes: headers, notes, and of the memory only what a back-trace needs.
//!
//! From a pipe everything is read once and in its order, to the end, for the kernel waits until it
//! is read; from a file the memory is read where it is wanted.

use crate::bytes::string;
use crate::bytes::u32_at;
use crate::bytes::u64_at;
use crate::notes::Facts;
use crate::notes::Machine;
use object::LittleEndian;
use object::elf::FileHeader64;
use object::read::elf::FileHeader as _;
use object::read::elf::ProgramHeader as _;
use std::cell::RefCell;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;

/// The most bytes of notes: what 65,536 mapped files can have, and some hundred threads.
const NOTES: u64 = 16 << 20;
/// What is kept of the begin of each mapping, to compare it with the file that is there now.
pub const BEGIN: u64 = 1024;
/// So many begins.
const BEGINS: usize = 1024;
/// What lies below the stack pointer and is in use: the red zone.
const BELOW: u64 = 128;

/// Where a core comes from.
pub trait Source {
    /// Reads so many bytes from an offset on; whether they were there.
    fn read_at(&mut self, offset: u64, to: &mut [u8]) -> bool;
    /// Reads what is left.
    fn drain(&mut self);
    /// Whether one can go back.
    fn seeks(&self) -> bool;
}

/// A file.
#[derive(Debug)]
pub struct Seeking<F>(pub F);

impl<F: Read + Seek> Source for Seeking<F> {
    fn read_at(&mut self, offset: u64, to: &mut [u8]) -> bool {
        self.0.seek(SeekFrom::Start(offset)).is_ok() && self.0.read_exact(to).is_ok()
    }

    fn drain(&mut self) {}

    fn seeks(&self) -> bool {
        true
    }
}

/// A pipe.
#[derive(Debug)]
pub struct Stream<F> {
    from: F,
    at: u64,
}

impl<F: Read> Stream<F> {
    /// One that is at its begin.
    pub fn new(from: F) -> Self {
        Stream { from, at: 0 }
    }
}

impl<F: Read> Source for Stream<F> {
    fn read_at(&mut self, offset: u64, to: &mut [u8]) -> bool {
        let Some(gap) = offset.checked_sub(self.at) else {
            return false;
        };
        let skipped = std::io::copy(&mut self.from.by_ref().take(gap), &mut std::io::sink());
        self.at += *skipped.as_ref().unwrap_or(&0);
        if self.at != offset || self.from.read_exact(to).is_err() {
            return false;
        }
        self.at += to.len() as u64;
        true
    }

    fn drain(&mut self) {
        let _ = std::io::copy(&mut self.from, &mut std::io::sink());
    }

    fn seeks(&self) -> bool {
        false
    }
}

/// A part of the memory.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Where it was.
    pub start: u64,
    /// Its end.
    pub end: u64,
    /// How much of it is in the core.
    pub there: u64,
    /// Where in the core.
    pub offset: u64,
    /// It could be executed.
    pub exec: bool,
}

/// A core.
#[derive(Debug)]
pub struct Core<S> {
    source: RefCell<S>,
    /// The memory that the process had, sorted.
    pub segments: Vec<Segment>,
    /// What its notes say.
    pub facts: Facts,
    kept: Vec<(u64, Vec<u8>)>,
}

fn machine(number: u16) -> Option<Machine> {
    match number {
        62 => Some(Machine::Amd64),
        183 => Some(Machine::Aarch64),
        _ => None,
    }
}

/// Reads so many bytes, in steps: a length that is made up costs no memory.
fn bytes(source: &mut impl Source, mut offset: u64, mut length: u64) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    while length > 0 {
        let step = length.min(1 << 16);
        let from = all.len();
        all.resize(from + usize::try_from(step).ok()?, 0);
        if !source.read_at(offset, all.get_mut(from..)?) {
            all.truncate(from);
            return Some(all);
        }
        offset = offset.checked_add(step)?;
        length -= step;
    }
    Some(all)
}

impl<S: Source> Core<S> {
    /// Reads a core of a 64-bit process, and of its stack so many bytes. `None`: it is none.
    pub fn read(mut source: S, stack: u64) -> Option<Self> {
        let core = Self::headers(&mut source, stack);
        source.drain();
        let (segments, facts, kept) = core?;
        Some(Core {
            source: RefCell::new(source),
            segments,
            facts,
            kept,
        })
    }

    #[allow(clippy::type_complexity)]
    fn headers(source: &mut S, stack: u64) -> Option<(Vec<Segment>, Facts, Vec<(u64, Vec<u8>)>)> {
        let mut head = bytes(source, 0, size_of::<FileHeader64<LittleEndian>>() as u64)?;
        let header = FileHeader64::<LittleEndian>::parse(head.as_slice()).ok()?;
        let e = LittleEndian;
        if header.e_ident().data.0 != 1 {
            return None;
        }
        let machine = machine(header.e_machine(e).0)?;
        // More segments than fit into the field are counted at the core's end: these first then.
        let count = u64::from(header.e_phnum(e).min(0xfffe));
        let table = header.e_phoff(e);
        if table < head.len() as u64 || header.e_phentsize(e) != 56 {
            return None;
        }
        head = bytes(source, table, count * 56)?;
        let rows: &[object::elf::ProgramHeader64<LittleEndian>] =
            object::pod::slice_from_all_bytes(head.get(..head.len() / 56 * 56)?).ok()?;
        let mut facts = Facts::new(machine);
        let mut left = NOTES;
        let mut segments = Vec::new();
        let mut notes = Vec::new();
        for row in rows {
            let (start, size) = (row.p_vaddr(e), row.p_memsz(e));
            let (offset, there) = (row.p_offset(e), row.p_filesz(e));
            match row.p_type(e) {
                object::elf::PT_NOTE => notes.push((offset, there)),
                object::elf::PT_LOAD => segments.push(Segment {
                    start,
                    end: start.saturating_add(size),
                    there: there.min(size),
                    offset,
                    exec: row.p_flags(e).0 & 1 != 0,
                }),
                _ => {}
            }
        }
        for (offset, length) in notes {
            let note = bytes(source, offset, length.min(left))?;
            left -= note.len() as u64;
            facts.read(&note);
        }
        segments.sort_unstable_by_key(|s| s.offset);
        let kept = if source.seeks() {
            Vec::new()
        } else {
            keep(source, &segments, &facts, stack)
        };
        segments.sort_unstable_by_key(|s| s.start);
        Some((segments, facts, kept))
    }

    /// Reads memory; whether it is there.
    pub fn memory(&self, address: u64, to: &mut [u8]) -> bool {
        let length = to.len() as u64;
        for (start, bytes) in &self.kept {
            let Some(at) = address.checked_sub(*start) else {
                continue;
            };
            let Ok(at) = usize::try_from(at) else {
                continue;
            };
            let Some(part) = at.checked_add(to.len()).and_then(|end| bytes.get(at..end)) else {
                continue;
            };
            to.copy_from_slice(part);
            return true;
        }
        let mut source = self.source.borrow_mut();
        let Some(segment) = self.segment(address).filter(|_| source.seeks()) else {
            return false;
        };
        let at = address - segment.start;
        let fits = at
            .checked_add(length)
            .is_some_and(|end| end <= segment.there);
        match segment.offset.checked_add(at) {
            Some(offset) if fits => source.read_at(offset, to),
            _ => false,
        }
    }

    /// The segment that an address is in.
    pub fn segment(&self, address: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|s| s.start <= address);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        (address < segment.end).then_some(segment)
    }

    /// A 64-bit word of the memory.
    pub fn word(&self, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        self.memory(address, &mut word).then_some(())?;
        u64_at(&word, 0)
    }

    /// A 32-bit word of the memory.
    pub fn half(&self, address: u64) -> Option<u32> {
        let mut half = [0; 4];
        self.memory(address, &mut half).then_some(())?;
        u32_at(&half, 0)
    }

    /// A string in the memory, at most 1,024 bytes of it.
    pub fn text(&self, address: u64) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        while text.len() < 1024 {
            let mut byte = [0];
            let at = address.checked_add(text.len() as u64)?;
            if !self.memory(at, &mut byte) || byte == [0] {
                break;
            }
            text.extend(byte);
        }
        let whole = string(&text).to_vec();
        (!whole.is_empty()).then_some(whole)
    }
}

/// What a back-trace needs, in the order of the core.
fn keep(
    source: &mut impl Source,
    segments: &[Segment],
    facts: &Facts,
    stack: u64,
) -> Vec<(u64, Vec<u8>)> {
    let mut kept = Vec::new();
    let sp = facts.regs.as_ref().map_or(0, |r| r.sp);
    // Of a stack that is full, the pointer is below what was there.
    let above = |s: &&Segment| s.there > 0 && s.start.saturating_add(s.there) > sp;
    let stack_start = segments.iter().filter(above).map(|s| s.start).min();
    let mut begins = 0;
    for segment in segments {
        let end = segment.start.saturating_add(segment.there);
        let file = facts.maps.binary_search_by_key(&segment.start, |m| m.start);
        let (from, to) = if Some(segment.start) == stack_start && segment.there > 0 {
            let from = sp.saturating_sub(BELOW).max(segment.start);
            (from, from.saturating_add(stack).min(end))
        } else if file.is_ok() && begins < BEGINS {
            begins += 1;
            (segment.start, end.min(segment.start.saturating_add(BEGIN)))
        } else {
            continue;
        };
        let Some(offset) = segment.offset.checked_add(from - segment.start) else {
            continue;
        };
        if let Some(bytes) = bytes(source, offset, to.saturating_sub(from)) {
            kept.push((from, bytes));
        }
    }
    kept
}
