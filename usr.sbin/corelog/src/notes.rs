// SPDX-License-Identifier: BSD-2-Clause
//! What the notes of a core say: who it was, why it ended, its registers, its files.
//!
//! Sources: Linux, fs/binfmt_elf.c and elfcore.h; FreeBSD, sys/procfs.h, sys/user.h, sys/ptrace.h;
//! NetBSD, core(5) and sys/exec_elf.h.

use crate::bytes::string;
use crate::bytes::u32_at;
use crate::bytes::u64_at;
use object::LittleEndian;
use object::elf::FileHeader64;
use object::read::elf::NoteIterator;

/// The most mappings that are looked at; Linux has as many by default.
const MAPS: usize = 65536;

/// The processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// `x86_64`.
    Amd64,
    /// `aarch64`.
    Aarch64,
}

/// Whose core it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// FreeBSD.
    FreeBsd,
    /// NetBSD.
    NetBsd,
}

/// The registers of a thread that a back-trace begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regs {
    /// Program counter.
    pub pc: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Frame pointer.
    pub fp: u64,
    /// Link register (aarch64).
    pub lr: u64,
}

/// A part of a file that was in the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Where.
    pub start: u64,
    /// Its end.
    pub end: u64,
    /// From which offset of the file on.
    pub offset: u64,
    /// Whether it could be executed, where the note says so.
    pub exec: bool,
    /// The file.
    pub path: Vec<u8>,
}

/// What the notes say.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The processor.
    pub machine: Machine,
    /// Whose core.
    pub system: System,
    /// The process's name; empty: not known.
    pub name: Vec<u8>,
    /// Its id.
    pub pid: Option<u32>,
    /// Whose it was.
    pub uid: Option<u32>,
    /// What ended it.
    pub signal: Option<u32>,
    /// The address that it wanted.
    pub addr: Option<u64>,
    /// How many threads it had.
    pub threads: u32,
    /// The registers of the thread that crashed.
    pub regs: Option<Regs>,
    /// The auxiliary vector.
    pub auxv: Vec<(u64, u64)>,
    /// Its files, sorted.
    pub maps: Vec<Map>,
    /// The thread that the signal was for (NetBSD).
    lwp: Option<u32>,
}

/// AMD64's registers as Linux, FreeBSD and NetBSD order them: of pc, sp, fp, each in bytes.
const LINUX_AMD64: [usize; 3] = [16 * 8, 19 * 8, 4 * 8];
const FREEBSD_AMD64: [usize; 3] = [136, 160, 80];
const NETBSD_AMD64: [usize; 3] = [21 * 8, 24 * 8, 12 * 8];
/// aarch64's: Linux and NetBSD have x0 to x30, sp, pc; FreeBSD x0 to x29, lr, sp, pc.
const AARCH64: [usize; 3] = [32 * 8, 31 * 8, 29 * 8];

/// Signals that come with an address: ILL, TRAP, FPE, SEGV, and BUS, which is 7 or 10.
fn has_address(system: System, signal: u32) -> bool {
    let bus = if system == System::Linux { 7 } else { 10 };
    matches!(signal, 4 | 5 | 8 | 11) || signal == bus
}

impl Facts {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        Facts {
            machine,
            system: System::Linux,
            name: Vec::new(),
            pid: None,
            uid: None,
            signal: None,
            addr: None,
            threads: 0,
            regs: None,
            auxv: Vec::new(),
            maps: Vec::new(),
            lwp: None,
        }
    }

    /// Reads a segment of notes; what makes no sense is passed over.
    pub fn read(&mut self, notes: &[u8]) {
        let e = LittleEndian;
        let Ok(notes) = NoteIterator::<FileHeader64<LittleEndian>>::new(e, 4, notes) else {
            return;
        };
        for note in notes {
            let Ok(note) = note else { break };
            let (kind, desc) = (note.n_type(e).0, note.desc());
            let name = string(note.name());
            // What a note lacks leaves out what it would have told.
            let _ = match name {
                b"CORE" | b"LINUX" => self.linux(kind, desc),
                b"FreeBSD" => self.freebsd(kind, desc),
                _ if name.starts_with(b"NetBSD-CORE") => self.netbsd(name, kind, desc),
                _ => None,
            };
        }
        self.maps.sort_by_key(|m| m.start);
    }

    /// A value of the auxiliary vector.
    #[must_use]
    pub fn aux(&self, key: u64) -> Option<u64> {
        self.auxv.iter().find(|(k, _)| *k == key).map(|&(_, v)| v)
    }

    fn regs(&mut self, regs: &[u8], amd64: [usize; 3]) -> Option<()> {
        let [pc, sp, fp] = match self.machine {
            Machine::Amd64 => amd64,
            Machine::Aarch64 => AARCH64,
        };
        self.regs = Some(Regs {
            pc: u64_at(regs, pc)?,
            sp: u64_at(regs, sp)?,
            fp: u64_at(regs, fp)?,
            lr: match self.machine {
                Machine::Amd64 => 0,
                Machine::Aarch64 => u64_at(regs, 30 * 8)?,
            },
        });
        Some(())
    }

    fn auxv(&mut self, words: &[u8]) {
        let pairs = words.chunks_exact(16).take(64);
        self.auxv = pairs
            .filter_map(|p| Some((u64_at(p, 0)?, u64_at(p, 8)?)))
            .collect();
    }

    fn linux(&mut self, kind: u32, desc: &[u8]) -> Option<()> {
        match kind {
            // NT_PRSTATUS: the thread that crashed is the first.
            1 => {
                self.threads += 1;
                if self.threads == 1 {
                    self.signal = Some(u32_at(desc, 12)? & 0xffff);
                    self.pid = self.pid.or(u32_at(desc, 32));
                    self.regs(desc.get(112..)?, LINUX_AMD64)?;
                }
            }
            // NT_PRPSINFO: the process's own id.
            3 => {
                self.uid = u32_at(desc, 16);
                self.pid = u32_at(desc, 24);
                self.name = string(desc.get(40..56)?).to_vec();
            }
            6 => self.auxv(desc),
            // NT_SIGINFO: a code above 0 is a fault's, with an address.
            0x5349_4749 => {
                let (signal, code) = (u32_at(desc, 0)?, u32_at(desc, 8)?);
                let fault = code.cast_signed() > 0 && code.cast_signed() != 0x80;
                if fault && has_address(self.system, signal) && self.addr.is_none() {
                    self.addr = u64_at(desc, 16);
                }
            }
            // NT_FILE: count, page size, (start, end, page)..., names.
            0x4649_4c45 => {
                let count = usize::try_from(u64_at(desc, 0)?).ok()?;
                let page = u64_at(desc, 8)?;
                let rows_end = count.checked_mul(24)?.checked_add(16)?;
                let mut names = desc.get(rows_end..)?;
                let rows = desc.get(16..rows_end)?.chunks_exact(24);
                for row in rows.take(MAPS) {
                    let path = string(names);
                    names = names.get(path.len() + 1..)?;
                    self.map(Map {
                        start: u64_at(row, 0)?,
                        end: u64_at(row, 8)?,
                        offset: u64_at(row, 16)?.checked_mul(page)?,
                        exec: false,
                        path: path.to_vec(),
                    });
                }
            }
            _ => {}
        }
        Some(())
    }

    fn map(&mut self, map: Map) {
        if map.start < map.end && map.path.first() == Some(&b'/') && self.maps.len() < MAPS {
            self.maps.push(map);
        }
    }

    fn freebsd(&mut self, kind: u32, desc: &[u8]) -> Option<()> {
        self.system = System::FreeBsd;
        match kind {
            // NT_PRSTATUS: the thread that crashed is the first.
            1 => {
                self.threads += 1;
                if self.threads == 1 {
                    self.signal = u32_at(desc, 36);
                    self.regs(desc.get(48..)?, FREEBSD_AMD64)?;
                }
            }
            3 => {
                self.name = string(desc.get(16..33)?).to_vec();
                self.pid = u32_at(desc, 116);
            }
            // NT_PROCSTAT_VMMAP: after a size, entries that begin with theirs.
            10 => {
                let mut rest = desc.get(4..)?;
                while let Some(size) = u32_at(rest, 0).filter(|&n| n >= 137) {
                    let entry = rest.get(..usize::try_from(size).ok()?)?;
                    self.map(Map {
                        start: u64_at(entry, 8)?,
                        end: u64_at(entry, 16)?,
                        offset: u64_at(entry, 24)?,
                        exec: u32_at(entry, 56)? & 4 != 0,
                        path: string(entry.get(136..)?).to_vec(),
                    });
                    rest = rest.get(entry.len()..)?;
                }
            }
            16 => self.auxv(desc.get(4..)?),
            // NT_PTLWPINFO, with PL_FLAG_SI: a siginfo at 48, a code above 0 is a fault's.
            17 if self.addr.is_none() && u32_at(desc, 4 + 8)? & 0x20 != 0 => {
                let info = desc.get(4 + 48..)?;
                let code = u32_at(info, 8)?.cast_signed();
                if has_address(self.system, u32_at(info, 0)?) && (1..0x10000).contains(&code) {
                    self.addr = u64_at(info, 24);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn netbsd(&mut self, name: &[u8], kind: u32, desc: &[u8]) -> Option<()> {
        self.system = System::NetBsd;
        if let Some(lwp) = name.strip_prefix(b"NetBSD-CORE@") {
            let lwp = std::str::from_utf8(lwp).ok()?.parse::<u32>().ok()?;
            // PT_GETREGS of the machine.
            let wanted = match self.machine {
                Machine::Amd64 => 33,
                Machine::Aarch64 => 32,
            };
            let this = self.lwp.is_none_or(|l| l == 0 || l == lwp);
            if kind == wanted && (self.regs.is_none() || this && self.lwp == Some(lwp)) {
                self.regs(desc, NETBSD_AMD64)?;
            }
            return Some(());
        }
        match kind {
            1 => {
                self.signal = u32_at(desc, 8);
                self.pid = u32_at(desc, 80);
                self.uid = u32_at(desc, 96);
                self.threads = u32_at(desc, 120)?;
                self.name = string(desc.get(124..156)?).to_vec();
                self.lwp = u32_at(desc, 156);
            }
            2 => self.auxv(desc),
            _ => {}
        }
        Some(())
    }
}
