// SPDX-License-Identifier: BSD-2-Clause
//! The record: what is known of a crash, as structured data, a text, or JSON.

use crate::core::Core;
use crate::core::Source;
use crate::modules::Modules;
use crate::notes::Facts;
use crate::notes::System;
use crate::unwind;
use crate::unwind::Place;
use liblog::Buf;
use liblog::Crash;
use liblog::Facility;
use liblog::Msg;
use liblog::Pri;
use liblog::Severity;
use liblog::emit;
use liblog::time::Zone;
use serde_json::Map;
use serde_json::Value;
use std::fmt::Write as _;

/// The longest back-trace in a record, in bytes.
const BACKTRACE: usize = 4000;
/// The longest record.
const RECORD: usize = 8000;
/// Frames that the text shows.
const SHOWN: usize = 3;

/// What the kernel says beside the core, as it starts this program.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The process's id, as the system has it.
    pub pid: Option<u32>,
    /// Whose it was.
    pub uid: Option<u32>,
    /// What ended it.
    pub signal: Option<u32>,
    /// Its name.
    pub name: Option<Vec<u8>>,
    /// When, in seconds since 1970.
    pub time: Option<i64>,
}

/// A frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The address of the instruction.
    pub pc: u64,
    /// The file's name, and the address in it.
    pub module: Option<(String, u64)>,
    /// The function's name, and how far in it.
    pub symbol: Option<(String, u64)>,
}

impl std::fmt::Display for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((module, offset)) = &self.module else {
            return write!(f, "{:#x}", self.pc);
        };
        write!(f, "{module}+{offset:#x}")?;
        match &self.symbol {
            Some((name, by)) => write!(f, "({name}+{by:#x})"),
            None => Ok(()),
        }
    }
}

/// A crash.
#[derive(Clone, Debug, Default)]
pub struct Report {
    given: Given,
    facts: Option<Facts>,
    /// The thread that crashed, from where it was outwards.
    pub frames: Vec<Frame>,
}

/// The thread's frames with their names, not more than so many.
pub fn frames<S: Source>(core: &Core<S>, modules: &Modules, most: usize) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let places = unwind::frames(core, modules, most);
    // A caller's call is what stands before where it goes on.
    let wanted: Vec<Option<usize>> = places.iter().map(|p| modules.of(p.inside())).collect();
    for (place, at) in places.iter().zip(&wanted) {
        let module = at.and_then(|at| modules.all.get(at));
        frames.push(Frame {
            pc: place.pc,
            module: module.map(|m| (m.name(), m.offset(place.pc))),
            symbol: None,
        });
    }
    for (at, module) in modules.all.iter().enumerate() {
        let (Some(binary), Some(bias)) = (&module.binary, module.bias) else {
            continue;
        };
        let mine = places.iter().zip(&mut frames).zip(&wanted);
        let mine: Vec<_> = mine.filter(|(_, of)| **of == Some(at)).collect();
        if mine.is_empty() {
            continue;
        }
        let inside = |((p, _), _): &((&Place, _), _)| p.inside().wrapping_sub(bias);
        let addresses: Vec<u64> = mine.iter().map(inside).collect();
        let names = binary.names(&addresses, modules.budget());
        for (((place, frame), _), name) in mine.into_iter().zip(names) {
            let back = place.pc.wrapping_sub(place.inside());
            frame.symbol = name.map(|(name, by)| (name, by.saturating_add(back)));
        }
    }
    frames
}

impl Report {
    /// What the core said, and what was given; that is taken where both are there.
    #[must_use]
    pub fn new(given: Given, facts: Option<Facts>, frames: Vec<Frame>) -> Self {
        Report {
            given,
            facts,
            frames,
        }
    }

    /// Whether anything is known: without a signal it is no crash.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.signal().is_some()
    }

    fn signal(&self) -> Option<u32> {
        let facts = self.facts.as_ref();
        self.given
            .signal
            .or_else(|| facts.and_then(|f| f.signal))
            .filter(|s| (1..=128).contains(s))
    }

    fn backtrace(&self) -> Option<String> {
        let mut text = String::new();
        for frame in &self.frames {
            let frame = frame.to_string();
            if text.len() + frame.len() > BACKTRACE {
                break;
            }
            let blank = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{blank}{frame}");
        }
        (!text.is_empty()).then_some(text)
    }

    /// The record's parts, for `say`.
    fn crash<R>(&self, say: impl FnOnce(&Crash<'_>) -> R) -> R {
        let facts = self.facts.as_ref();
        let regs = facts.and_then(|f| f.regs.as_ref());
        let name = facts.map(|f| f.name.as_slice()).unwrap_or_default();
        let name = self.given.name.as_deref().unwrap_or(name);
        let backtrace = self.backtrace();
        let first = self.frames.first().and_then(|f| f.module.as_ref());
        say(&Crash {
            name: if name.is_empty() { b"?" } else { name },
            pid: self.given.pid.or(facts.and_then(|f| f.pid)).unwrap_or(0),
            signal: self.signal().unwrap_or(0),
            uid: self.given.uid.or(facts.and_then(|f| f.uid)),
            pc: regs.map(|r| r.pc),
            addr: facts.and_then(|f| f.addr),
            sp: regs.map(|r| r.sp),
            object: first.map(|(name, _)| name.as_bytes()),
            threads: facts.map(|f| f.threads),
            backtrace: backtrace.as_deref(),
            bsd: facts.map_or(cfg!(not(target_os = "linux")), |f| {
                f.system != System::Linux
            }),
            ..Crash::default()
        })
    }

    /// Structured data, and a line for people.
    #[must_use]
    pub fn write(&self) -> (String, String) {
        let (mut sd, mut text) = (String::new(), String::new());
        // Into memory nothing fails.
        let _ = self.crash(|c| c.write_sd(&mut sd).and_then(|()| c.write_text(&mut text)));
        for (n, frame) in self.frames.iter().take(SHOWN).enumerate() {
            let mark = if n == 0 { ": " } else { " < " };
            let _ = write!(text, "{mark}{frame}");
        }
        (sd, text)
    }

    /// A message for syslogd (RFC 5424); `now` in nanoseconds since 1970.
    #[must_use]
    pub fn message(&self, now: i64) -> Vec<u8> {
        let (sd, text) = self.write();
        let msg = Msg {
            pri: Pri {
                facility: Facility::SYSLOG,
                severity: Severity::CRIT,
            },
            sent: None,
            host: b"",
            app: b"corelog",
            procid: b"",
            msgid: b"CORE",
            sd: sd.as_bytes(),
            text: text.as_bytes(),
        };
        let mut out = Buf::new(RECORD);
        emit::ietf(&msg, self.stamp(now), &Zone::utc(), RECORD, &mut out);
        out.as_bytes().to_vec()
    }

    fn stamp(&self, now: i64) -> i64 {
        let given = self.given.time;
        given
            .and_then(|t| t.checked_mul(1_000_000_000))
            .unwrap_or(now)
    }

    /// One object; addresses are strings in hex, as 64 bits do not fit into JSON's numbers.
    #[must_use]
    pub fn json(&self) -> String {
        let mut all = Map::new();
        let hex = |n: u64| Value::from(format!("{n:#x}"));
        self.crash(|c| {
            let mut put = |key: &str, value: Value| all.insert(key.to_owned(), value);
            put("name", String::from_utf8_lossy(c.name).into());
            put("pid", c.pid.into());
            put("signal", c.signal.into());
            if !c.signal_name().is_empty() {
                put("signame", c.signal_name().into());
            }
            for (key, id) in [("uid", c.uid), ("threads", c.threads)] {
                if let Some(id) = id {
                    put(key, id.into());
                }
            }
            for (key, address) in [("pc", c.pc), ("addr", c.addr), ("sp", c.sp)] {
                if let Some(address) = address {
                    put(key, hex(address));
                }
            }
        });
        let frames = self.frames.iter().map(|frame| {
            let mut one = Map::new();
            one.insert("pc".into(), hex(frame.pc));
            for ((name, value), key) in frame.module.iter().zip(["module"]) {
                one.insert(key.into(), name.as_str().into());
                one.insert("offset".into(), hex(*value));
            }
            if let Some((name, by)) = &frame.symbol {
                one.insert("symbol".into(), name.as_str().into());
                one.insert("in".into(), hex(*by));
            }
            Value::Object(one)
        });
        all.insert("frames".into(), frames.collect());
        Value::Object(all).to_string()
    }
}
