// SPDX-License-Identifier: BSD-2-Clause
//! The crash of a process, in one form whoever tells of it: name, pid, signal, where it was.

use std::fmt::Write;

/// A crash, as far as the kernel tells of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crash<'a> {
    /// The process's name.
    pub name: &'a [u8],
    /// Its id.
    pub pid: u32,
    /// The signal that ended it, or that the fault becomes.
    pub signal: u32,
    /// Whose it was.
    pub uid: Option<u32>,
    /// In which jail.
    pub jid: Option<u32>,
    /// The program counter, in hex.
    pub pc: Option<u64>,
    /// The address that it wanted.
    pub addr: Option<u64>,
    /// The stack pointer.
    pub sp: Option<u64>,
    /// The file that the program counter is in.
    pub object: Option<&'a [u8]>,
    /// Where that file lies in memory, and how long it is there.
    pub base: Option<(u64, u64)>,
    /// Whether there is a core file; `None`: not said.
    pub dumped: Option<bool>,
    /// How many threads it had.
    pub threads: Option<u32>,
    /// Frames of the thread that crashed, the innermost first, a blank between two: see corelog(8).
    pub backtrace: Option<&'a str>,
    /// The numbers of signals are those of the BSDs, not of Linux.
    pub bsd: bool,
}

/// The names of signals; 7, 10 and 12 differ.
fn signal_name(signal: u32, bsd: bool) -> &'static str {
    match (signal, bsd) {
        (1, _) => "SIGHUP",
        (2, _) => "SIGINT",
        (3, _) => "SIGQUIT",
        (4, _) => "SIGILL",
        (5, _) => "SIGTRAP",
        (6, _) => "SIGABRT",
        (7, true) => "SIGEMT",
        (7, false) | (10, true) => "SIGBUS",
        (8, _) => "SIGFPE",
        (9, _) => "SIGKILL",
        (11, _) => "SIGSEGV",
        (12, true) => "SIGSYS",
        (13, _) => "SIGPIPE",
        (14, _) => "SIGALRM",
        (15, _) => "SIGTERM",
        _ => "",
    }
}

/// The longest name of a process or a file, in bytes.
const NAME: usize = 64;

/// The longest back-trace, in bytes.
const BACKTRACE: usize = 4096;

/// Bytes as they may stand in a value of structured data, and in a text; not more than so many.
struct Plain<'a>(&'a [u8], usize);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for &byte in self.0.iter().take(self.1) {
            match byte {
                b'"' | b'\\' | b']' => f.write_str("?")?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => f.write_str("?")?,
            }
        }
        Ok(())
    }
}

impl Crash<'_> {
    /// The signal's name; "" if it has none that all systems share.
    #[must_use]
    pub fn signal_name(&self) -> &'static str {
        signal_name(self.signal, self.bsd)
    }

    /// Writes `[core name="..." pid="..." ...]`: what is known, in the order of [`Crash`].
    ///
    /// # Errors
    /// As writing fails.
    pub fn write_sd(&self, out: &mut impl Write) -> std::fmt::Result {
        write!(
            out,
            "[core name=\"{}\" pid=\"{}\"",
            Plain(self.name, NAME),
            self.pid
        )?;
        write!(out, " signal=\"{}\"", self.signal)?;
        if !self.signal_name().is_empty() {
            write!(out, " signame=\"{}\"", self.signal_name())?;
        }
        for (key, id) in [("uid", self.uid), ("jid", self.jid)] {
            if let Some(id) = id {
                write!(out, " {key}=\"{id}\"")?;
            }
        }
        for (key, address) in [("pc", self.pc), ("addr", self.addr), ("sp", self.sp)] {
            if let Some(address) = address {
                write!(out, " {key}=\"{address:#x}\"")?;
            }
        }
        if let Some(object) = self.object {
            write!(out, " object=\"{}\"", Plain(object, NAME))?;
        }
        if let Some((base, length)) = self.base {
            write!(out, " base=\"{base:#x}\" length=\"{length:#x}\"")?;
            // Where it is in the file's own addresses: what addr2line(1) wants.
            if let Some(offset) = self.pc.and_then(|pc| pc.checked_sub(base)) {
                write!(out, " offset=\"{offset:#x}\"")?;
            }
        }
        if let Some(dumped) = self.dumped {
            write!(out, " dumped=\"{}\"", if dumped { "yes" } else { "no" })?;
        }
        if let Some(threads) = self.threads {
            write!(out, " threads=\"{threads}\"")?;
        }
        if let Some(backtrace) = self.backtrace {
            let plain = Plain(backtrace.as_bytes(), BACKTRACE);
            write!(out, " backtrace=\"{plain}\"")?;
        }
        out.write_str("]")
    }

    /// Writes a line for people.
    ///
    /// # Errors
    /// As writing fails.
    pub fn write_text(&self, out: &mut impl Write) -> std::fmt::Result {
        write!(
            out,
            "{}[{}] crashed: signal {}",
            Plain(self.name, NAME),
            self.pid,
            self.signal
        )?;
        if !self.signal_name().is_empty() {
            write!(out, " ({})", self.signal_name())?;
        }
        if let Some(pc) = self.pc {
            write!(out, " at {pc:#x}")?;
        }
        if let Some(object) = self.object {
            write!(out, " in {}", Plain(object, NAME))?;
        }
        match self.dumped {
            Some(true) => out.write_str(", core dumped"),
            Some(false) => out.write_str(", no core"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_trace_is_one_value() {
        let crash = Crash {
            name: b"a b",
            pid: 7,
            signal: 10,
            threads: Some(2),
            backtrace: Some("a+0x1(f+0x2) b+0x3(\"]\\\u{e9})"),
            ..Crash::default()
        };
        let mut sd = String::new();
        crash.write_sd(&mut sd).unwrap();
        assert_eq!(
            sd,
            "[core name=\"a b\" pid=\"7\" signal=\"10\" threads=\"2\" \
             backtrace=\"a+0x1(f+0x2) b+0x3(?????)\"]"
        );
        assert!(crate::parse::is_sd(sd.as_bytes()));
    }
}
