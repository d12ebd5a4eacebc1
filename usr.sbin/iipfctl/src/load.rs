// SPDX-License-Identifier: BSD-2-Clause
//! Rulesets into the kernel and back.

use crate::device::{Device, explain};
use iipf_abi::{
    BeginReq, ChunkReq, CommitReq, IIPF_KIND_IFACE, IIPF_KIND_OPTIONS, IIPF_KIND_POOL,
    IIPF_KIND_RULE, IIPF_KIND_TABLE, IIPF_KIND_TABLE_ADDR, IIPF_KINDS, IIPF_LE_COMPLEX,
    IIPF_LE_CONFLICT, IIPF_LE_DUPLICATE, IIPF_LE_GENERATION, IIPF_LE_KIND, IIPF_LE_LIMIT,
    IIPF_LE_MEMORY, IIPF_LE_MISSING, IIPF_LE_REFERENCE, IIPF_LE_TICKET, IIPF_LE_UNSUPPORTED,
    IIPF_LE_VALUE, IIPF_LE_VERSION, IIPF_TABLE_CONST, IIPF_TABLE_REPLACE, IIPF_VERSION, IIPFABORT,
    IIPFADD, IIPFBEGIN, IIPFCOMMIT, IIPFGETRULES, LoadReply, TableAddrRec,
};
use libiipf::Ruleset;
use libiipf::ast::Config;
use libkctl::Errno;
use std::path::Path;

/// Reads, checks and compiles; warnings go to `say`.
///
/// # Errors
/// All that is wrong, a line each.
pub(crate) fn read(
    path: &Path,
    macros: &[(String, String)],
    say: &mut dyn FnMut(&str),
) -> Result<(Config, Ruleset), String> {
    let lines = |all: Vec<libiipf::Fault>| -> String {
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        all.join("\n")
    };
    let config = libiipf::parse_file(&libiipf::Disk, path, macros).map_err(lines)?;
    for w in &config.warnings.0 {
        say(&format!("warning: {w}"));
    }
    let (ruleset, warnings) = libiipf::compile_with_warnings(&config).map_err(lines)?;
    for w in warnings {
        say(&format!("warning: {w}"));
    }
    Ok((config, ruleset))
}

/// What the kernel has to say against a record.
fn refused(r: &LoadReply, ruleset: &Ruleset) -> String {
    let why = match r.error {
        IIPF_LE_TICKET => "another load began meanwhile; try again",
        IIPF_LE_VERSION => "this program and the kernel's iipf are of different versions",
        IIPF_LE_KIND | IIPF_LE_MISSING => "the kernel expected other records (a mistake of ours)",
        IIPF_LE_VALUE => "a value that the kernel does not take",
        IIPF_LE_REFERENCE => "a reference to something that is not there",
        IIPF_LE_CONFLICT => "parts that contradict each other",
        IIPF_LE_COMPLEX => "the rules are too many or too different for the classifier",
        IIPF_LE_LIMIT => "more than a limit allows; see 'set limit'",
        IIPF_LE_MEMORY => "the kernel has no memory for it",
        IIPF_LE_DUPLICATE => "something is there twice",
        IIPF_LE_GENERATION => "another ruleset was loaded meanwhile; look at it first",
        IIPF_LE_UNSUPPORTED => "this kernel does not do that",
        _ => "the kernel says why with a number that this program does not know",
    };
    let index = r.index as usize;
    let place = match r.kind {
        IIPF_KIND_RULE => ruleset.rules.get(index).and_then(|rec| {
            let rule = libiipf::rule(ruleset, rec).ok()?;
            let text = libiipf::print::rule(&rule);
            Some(format!("{}:{}: {text}", rule.pos.file, rule.pos.line))
        }),
        IIPF_KIND_TABLE => ruleset
            .tables
            .get(index)
            .map(|t| format!("table <{}>", t.name)),
        IIPF_KIND_IFACE => ruleset
            .ifaces
            .get(index)
            .map(|i| format!("interface {}", i.name)),
        IIPF_KIND_POOL => Some(format!("address {index} to translate to")),
        IIPF_KIND_OPTIONS => Some("the options".into()),
        _ => None,
    };
    match place {
        Some(place) => format!("{place}: {why}"),
        None => format!("{why} (error {}, record {}.{index})", r.error, r.kind),
    }
}

/// What became of a load.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub generation: u64,
    pub stale: u64,
}

/// Makes `ruleset` the one that runs, or changes nothing.
///
/// # Errors
/// A sentence.
pub(crate) fn load(dev: &mut impl Device, ruleset: &Ruleset, flags: u32) -> Result<Loaded, String> {
    let begin = BeginReq {
        version: IIPF_VERSION,
        counts: ruleset.counts(),
    };
    let ticket = dev
        .call(&IIPFBEGIN, &begin)
        .map_err(|e| explain("load", e))?;
    let done = add_all(dev, ruleset, ticket.ticket, flags);
    if done.is_err() {
        // What was refused is over already; that the way broke may be why we are here.
        let _ = dev.call(&IIPFABORT, &ticket);
    }
    done
}

fn add_all(
    dev: &mut impl Device,
    ruleset: &Ruleset,
    ticket: u64,
    flags: u32,
) -> Result<Loaded, String> {
    for mut chunk in ruleset.chunks() {
        chunk.ticket = ticket;
        let reply = dev.call(&IIPFADD, &chunk).map_err(|e| explain("load", e))?;
        if reply.error != 0 {
            return Err(refused(&reply, ruleset));
        }
    }
    let commit = CommitReq {
        ticket,
        flags,
        ..CommitReq::default()
    };
    let reply = dev
        .call(&IIPFCOMMIT, &commit)
        .map_err(|e| explain("load", e))?;
    if reply.error != 0 {
        return Err(refused(&reply, ruleset));
    }
    Ok(Loaded {
        generation: reply.generation,
        stale: reply.stale,
    })
}

/// The ruleset that runs, without what is in its tables; `None`: none was loaded.
///
/// # Errors
/// A sentence.
pub(crate) fn running(dev: &mut impl Device) -> Result<Option<Ruleset>, String> {
    // A load in between is seen by its generation.
    for _ in 0..8 {
        if let Some(found) = running_once(dev)? {
            return Ok(found);
        }
    }
    Err("the ruleset is replaced again and again; try later".into())
}

#[expect(
    clippy::option_option,
    reason = "outside: try again; inside: none was loaded"
)]
fn running_once(dev: &mut impl Device) -> Result<Option<Option<Ruleset>>, String> {
    let mut all = Ruleset::default();
    let mut generation = None;
    for kind in 0..IIPF_KINDS as u32 {
        if kind == IIPF_KIND_TABLE_ADDR {
            continue;
        }
        let mut first = 0;
        loop {
            let chunk = match dev.call(&IIPFGETRULES, &ChunkReq { kind, first }) {
                Ok(chunk) => chunk,
                Err(e) if e.errno() == Some(Errno::ENOENT) => return Ok(Some(None)),
                Err(e) => return Err(explain("rules", e)),
            };
            if *generation.get_or_insert(chunk.generation) != chunk.generation {
                return Ok(None);
            }
            if chunk.count == 0 {
                break;
            }
            if chunk.kind != kind || chunk.first != first || !all.add(&chunk) {
                return Err("rules: the kernel's records are not what they should be".into());
            }
            first += chunk.count;
        }
    }
    Ok(Some(Some(all)))
}

/// The same as a ruleset to compare or show. Tables keep what is in them, but a const one, which
/// only a load can change, is read.
///
/// # Errors
/// A sentence.
pub(crate) fn running_config(dev: &mut impl Device) -> Result<Config, String> {
    let Some(mut ruleset) = running(dev)? else {
        return Ok(Config::default());
    };
    let mut addrs = Vec::new();
    for (i, t) in (1..).zip(&ruleset.tables) {
        if t.flags & IIPF_TABLE_CONST != 0 && t.flags & IIPF_TABLE_REPLACE != 0 {
            let entries = crate::table::entries(dev, &t.name.to_string())?;
            addrs.extend(entries.iter().map(|e| TableAddrRec { table: i, ..e.addr }));
        }
    }
    ruleset.addrs = addrs;
    let mut config = libiipf::decompile(&ruleset).map_err(|e| e.to_string())?;
    comparable(&mut config);
    Ok(config)
}

/// Without what programs may have changed since the load.
fn comparable(config: &mut Config) {
    for t in &mut config.tables {
        if t.flags & IIPF_TABLE_CONST == 0 {
            t.entries = None;
        }
        if let Some(all) = &mut t.entries {
            all.sort_unstable();
        }
    }
}

/// What loading `new` would change; "": nothing.
///
/// # Errors
/// A sentence.
pub(crate) fn diff(dev: &mut impl Device, new: &Ruleset) -> Result<String, String> {
    let old = running_config(dev)?;
    let mut new = libiipf::decompile(new).map_err(|e| e.to_string())?;
    comparable(&mut new);
    Ok(libiipf::diff(&old, &new))
}
