// SPDX-License-Identifier: BSD-2-Clause
//! A program or library as it lies in the file system: how to unwind in it, and its symbols.

use framehop::ExplicitModuleSectionInfo;
use nix::fcntl::OFlag;
use object::LittleEndian;
use object::ReadCache;
use object::ReadRef;
use object::elf::FileHeader64;
use object::elf::PT_DYNAMIC;
use object::elf::PT_GNU_EH_FRAME;
use object::elf::PT_LOAD;
use object::elf::PT_PHDR;
use object::elf::ProgramHeader64;
use object::elf::SHT_DYNSYM;
use object::elf::SHT_SYMTAB;
use object::read::elf::FileHeader as _;
use object::read::elf::ProgramHeader as _;
use object::read::elf::SectionHeader as _;
use object::read::elf::Sym as _;
use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::fs::OpenOptions;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;

const E: LittleEndian = LittleEndian;
/// The longest name of a symbol that is shown.
const SYMBOL: usize = 96;

type Header = FileHeader64<LittleEndian>;

/// A file, whose bytes count against a budget: what it says about lengths is not trusted.
#[derive(Clone, Copy)]
struct Bounded<'a> {
    file: &'a ReadCache<File>,
    budget: &'a Cell<u64>,
}

impl<'a> Bounded<'a> {
    fn pay(self, size: u64) -> Result<(), ()> {
        let left = self.budget.get().checked_sub(size).ok_or(())?;
        self.budget.set(left);
        Ok(())
    }
}

impl<'a> ReadRef<'a> for Bounded<'a> {
    fn len(self) -> Result<u64, ()> {
        self.file.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        self.pay(size)?;
        self.file.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        self.pay(256)?;
        self.file.read_bytes_at_until(range, delimiter)
    }
}

/// Opens a file to read, if it is a regular one; what else may be under that name now is let alone.
pub(crate) fn open(path: &[u8]) -> Option<File> {
    let path = OsStr::from_bytes(path);
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// A file's part that is mapped.
#[derive(Clone, Copy, Debug)]
struct Load {
    offset: u64,
    address: u64,
    file: u64,
    memory: u64,
    exec: bool,
}

/// A symbol, and how far behind its begin an address is.
pub(crate) type Named = (String, u64);

/// A program or library.
#[derive(Debug)]
pub struct Binary {
    cache: ReadCache<File>,
    loads: Vec<Load>,
    /// Where the program begins.
    pub(crate) entry: u64,
    /// Where its headers are; 0: it does not say.
    pub(crate) headers: u64,
    /// Where the dynamic linker's table is.
    pub(crate) dynamic: Option<u64>,
    /// The index of unwinding: its address.
    index: Option<(u64, u64)>,
}

impl Binary {
    /// Reads the headers; `None`: no ELF file of 64 bits, or the budget is used up.
    pub(crate) fn read(file: File, budget: &Cell<u64>) -> Option<Binary> {
        let mut binary = Binary {
            cache: ReadCache::new(file),
            loads: Vec::new(),
            entry: 0,
            headers: 0,
            dynamic: None,
            index: None,
        };
        let rows: Vec<ProgramHeader64<LittleEndian>> = {
            let data = Bounded {
                file: &binary.cache,
                budget,
            };
            let header = Header::parse(data).ok()?;
            binary.entry = header.e_entry(E);
            header.program_headers(E, data).ok()?.to_vec()
        };
        for row in rows {
            let address = row.p_vaddr(E);
            match row.p_type(E) {
                PT_LOAD => binary.loads.push(Load {
                    offset: row.p_offset(E),
                    address,
                    file: row.p_filesz(E),
                    memory: row.p_memsz(E),
                    exec: row.p_flags(E).0 & 1 != 0,
                }),
                PT_PHDR => binary.headers = address,
                PT_DYNAMIC => binary.dynamic = Some(address),
                PT_GNU_EH_FRAME => binary.index = Some((address, row.p_filesz(E))),
                _ => {}
            }
        }
        Some(binary)
    }

    /// What is added to its addresses if its part from `offset` on was mapped at `start`.
    pub(crate) fn bias(&self, start: u64, offset: u64) -> Option<u64> {
        // A mapping begins at a page, which may be some bytes before the part.
        let of = |l: &&Load| l.exec && offset.wrapping_sub(l.offset & !0xfff) <= l.file;
        let load = self.loads.iter().find(of)?;
        let address = load.address.wrapping_add(offset.wrapping_sub(load.offset));
        Some(start.wrapping_sub(address))
    }

    /// Where its code is, in its own addresses.
    pub(crate) fn code(&self) -> (u64, u64) {
        let code = self.loads.iter().filter(|l| l.exec);
        let start = code.clone().map(|l| l.address).min().unwrap_or(0);
        let end = code.map(|l| l.address.saturating_add(l.memory)).max();
        (start, end.unwrap_or(0))
    }

    /// The bytes at an address, not more than so many.
    pub(crate) fn bytes(&self, address: u64, length: u64, budget: &Cell<u64>) -> Option<Vec<u8>> {
        let data = Bounded {
            file: &self.cache,
            budget,
        };
        let holds = |l: &&Load| (l.address..l.address.saturating_add(l.file)).contains(&address);
        let load = self.loads.iter().find(holds)?;
        let at = address - load.address;
        let length = length.min(load.file - at);
        let offset = load.offset.checked_add(at)?;
        Some(data.read_bytes_at(offset, length).ok()?.to_vec())
    }

    /// How to unwind in it: the index and what it points at, in the file's addresses from `base` on.
    pub(crate) fn unwinding(
        &self,
        base: u64,
        budget: &Cell<u64>,
    ) -> Option<ExplicitModuleSectionInfo<Vec<u8>>> {
        let code = self.code();
        let mut info = ExplicitModuleSectionInfo {
            base_svma: base,
            text_svma: Some(code.0..code.1),
            ..ExplicitModuleSectionInfo::default()
        };
        let (frames, length) = match self.index {
            Some((at, length)) => {
                let index = self.bytes(at, length, budget)?;
                // Version 1, and a pointer of 32 bits that counts from where it stands: what
                // linkers write.
                if index.get(..2)? != [1, 0x1b] {
                    return None;
                }
                let by = crate::bytes::u32_at(&index, 4)?.cast_signed();
                info.eh_frame_hdr_svma = Some(at..at.checked_add(length)?);
                info.eh_frame_hdr = Some(index);
                // How long it is stands only in the sections, which may be gone: to the part's end.
                (at.wrapping_add(4).wrapping_add_signed(by.into()), u64::MAX)
            }
            // A static program may have no index.
            None => self.frames_section(budget)?,
        };
        let eh_frame = self.bytes(frames, length, budget)?;
        let end = frames.checked_add(eh_frame.len() as u64)?;
        info.eh_frame_svma = Some(frames..end);
        info.eh_frame = Some(eh_frame);
        Some(info)
    }

    /// Address and length of the section `.eh_frame`.
    fn frames_section(&self, budget: &Cell<u64>) -> Option<(u64, u64)> {
        let data = Bounded {
            file: &self.cache,
            budget,
        };
        let sections = Header::parse(data).ok()?.sections(E, data).ok()?;
        let (_, section) = sections.section_by_name(E, b".eh_frame")?;
        Some((section.sh_addr(E), section.sh_size(E)))
    }

    /// Names addresses, each of the file's own; those that are in no function stay without.
    pub(crate) fn names(&self, addresses: &[u64], budget: &Cell<u64>) -> Vec<Option<Named>> {
        let mut found = vec![None; addresses.len()];
        for kind in [SHT_SYMTAB, SHT_DYNSYM] {
            if found.iter().any(Option::is_none) {
                // A table that is damaged names nothing.
                let _ = self.names_in(kind, addresses, budget, &mut found);
            }
        }
        found
    }

    fn names_in(
        &self,
        kind: object::elf::SectionType,
        addresses: &[u64],
        budget: &Cell<u64>,
        found: &mut [Option<Named>],
    ) -> object::Result<()> {
        let data = Bounded {
            file: &self.cache,
            budget,
        };
        let header = Header::parse(data)?;
        let sections = header.sections(E, data)?;
        let symbols = sections.symbols(E, data, kind)?;
        let mut best = vec![None; addresses.len()];
        for symbol in symbols.iter() {
            let (start, size) = (symbol.st_value(E), symbol.st_size(E));
            if symbol.st_type() != object::elf::STT_FUNC || symbol.st_shndx(E).0 == 0 {
                continue;
            }
            // What assembly defines may have no size: up to the next one.
            for (address, best) in addresses.iter().zip(&mut best) {
                let holds = address.checked_sub(start).is_some_and(|by| {
                    by < size || size == 0 && best.is_none_or(|(_, b): (_, u64)| by < b)
                });
                if holds {
                    *best = Some((symbol, address - start));
                }
            }
        }
        for (found, best) in found.iter_mut().zip(best) {
            let Some((symbol, by)) = best.filter(|_| found.is_none()) else {
                continue;
            };
            let name = symbol.name(E, symbols.strings())?;
            *found = Some((shown(name), by));
        }
        Ok(())
    }
}

/// A symbol's name as it can stand in a frame: no blanks, no controls, not too long.
fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let name = name.split('@').next().unwrap_or_default();
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let plain = |c: char| c.is_ascii_graphic() && !"\"\\]".contains(c);
    let chars = name.chars().take(SYMBOL);
    chars
        .map(|c| match c {
            ' ' => '_',
            c if plain(c) => c,
            _ => '?',
        })
        .collect()
}
