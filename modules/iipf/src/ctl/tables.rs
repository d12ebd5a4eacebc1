// SPDX-License-Identifier: BSD-2-Clause
//! Tables while they are in use: changed one entry at a time, without a new compilation.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use classify::AddrTable;
use classify::Af;
use classify::Prefix;
use classify::TableConfig;
use iipf_abi as abi;
use kabi::Name;
use kern::cx::Thread;
use kern::epoch;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KArc;

use crate::cond::INET;
use crate::cond::INET6;
use crate::cond::octets;
use crate::ctl::page::put;
use crate::ctl::rules::TABLE_MAX;
use crate::ctl::rules::prefix;
use crate::ruleset::Named;
use crate::ruleset::Ruleset;
use crate::softc::Config;
use crate::softc::Iipf;
use flow::care::seconds;

/// A record's prefix; it must be written as it counts.
fn entry(a: &abi::TableAddrRec) -> Result<Prefix> {
    let written = |p: &Prefix| {
        let same = p.addr() == crate::cond::number(a.af, &a.addr);
        same && octets(a.af == INET6, p.addr()) == a.addr && a.table == 0 && a.pad == 0
    };
    prefix(a).filter(written).ok_or(Errno::EINVAL)
}

fn find<'c>(config: &'c Config, name: &Name<32>) -> Option<(usize, &'c KArc<Named>)> {
    config
        .tables
        .iter()
        .enumerate()
        .find(|(_, t)| t.name == *name)
}

fn referenced(config: &Config, named: &KArc<Named>) -> bool {
    let live = config.live.as_ref();
    live.is_some_and(|l| l.named.iter().any(|t| KArc::ptr_eq(t, named)))
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Iipf {
    pub(super) fn table(&self, cx: &mut Thread, req: &abi::TableReq) -> Result<abi::TableReply> {
        let known = (abi::IIPF_TOP_ADD..=abi::IIPF_TOP_DESTROY).contains(&req.op);
        let named = req.name.as_str().is_some_and(|n| !n.is_empty());
        let addrs = req.addrs.get(..req.count as usize).ok_or(Errno::EINVAL)?;
        if !known || !named || req.pad != 0 {
            return Err(Errno::EINVAL);
        }
        // All or nothing as far as it can be seen before.
        for a in addrs {
            entry(a)?;
        }
        let mut config = self.config.lock(cx);
        let table = match find(&config, &req.name) {
            Some((_, table)) => table.clone(),
            None if req.op == abi::IIPF_TOP_ADD => self.new_table(cx, &mut config, req.name)?,
            None => return Err(Errno::ENOENT),
        };
        let asks = matches!(req.op, abi::IIPF_TOP_TEST | abi::IIPF_TOP_ZERO);
        if !asks && table.flags.load(Relaxed) & abi::IIPF_TABLE_CONST != 0 {
            return Err(Errno::EPERM);
        }
        let mut reply = abi::TableReply::default();
        let t = &table.table;
        let now = seconds();
        match req.op {
            abi::IIPF_TOP_ADD => {
                self.add_entries(cx, &config, t, addrs, req.seconds, &mut reply)?
            }
            abi::IIPF_TOP_DELETE => {
                for a in addrs {
                    reply.deleted = reply
                        .deleted
                        .wrapping_add(u32::from(t.remove(cx, entry(a)?)));
                }
            }
            abi::IIPF_TOP_MARK => t.mark(cx),
            abi::IIPF_TOP_SWEEP => reply.deleted = small(t.take_if(cx, |e| e.old)),
            abi::IIPF_TOP_FLUSH => reply.deleted = small(t.clear(cx)),
            abi::IIPF_TOP_ZERO if addrs.is_empty() => {
                reply.changed = small(t.len(cx));
                t.zero(cx);
            }
            abi::IIPF_TOP_ZERO => {
                for a in addrs {
                    let done = t.zero_one(cx, entry(a)?);
                    reply.changed = reply.changed.wrapping_add(u32::from(done));
                }
            }
            abi::IIPF_TOP_EXPIRE => {
                let over = |e: &classify::Entry| now.wrapping_sub(e.since) >= req.seconds;
                reply.deleted = small(t.take_if(cx, over));
            }
            abi::IIPF_TOP_TEST => test(cx, t, addrs, now, &mut reply)?,
            _ => {
                if referenced(&config, &table) {
                    return Err(Errno::EBUSY);
                }
                if let Some((at, _)) = find(&config, &req.name) {
                    reply.deleted = small(t.len(cx));
                    drop(config.tables.swap_remove(at));
                }
            }
        }
        Ok(reply)
    }

    /// A table that no ruleset named yet.
    fn new_table(
        &self,
        cx: &mut Thread,
        config: &mut Config,
        name: Name<32>,
    ) -> Result<KArc<Named>> {
        if config.tables.len() >= self.limit(cx, abi::IIPF_LIMIT_TABLES) as usize {
            return Err(Errno::ENOSPC);
        }
        let settings = TableConfig {
            max: TABLE_MAX,
            counters: false,
        };
        let named = Named {
            name,
            flags: AtomicU32::new(abi::IIPF_TABLE_PERSIST),
            table: AddrTable::new(cx, settings)?,
            matched: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        };
        let named = KArc::new(cx, named)?;
        config.tables.push(cx, named.clone())?;
        Ok(named)
    }

    fn add_entries(
        &self,
        cx: &mut Thread,
        config: &Config,
        table: &AddrTable,
        addrs: &[abi::TableAddrRec],
        secs: u32,
        reply: &mut abi::TableReply,
    ) -> Result {
        let mut all = 0usize;
        for t in config.tables.iter() {
            all = all.saturating_add(t.table.len(cx));
        }
        let most = self.limit(cx, abi::IIPF_LIMIT_TABLE_ENTRIES) as usize;
        let until = match secs {
            0 => 0,
            n => seconds().saturating_add(n),
        };
        for a in addrs {
            let prefix = entry(a)?;
            if all >= most && table.get(cx, prefix).is_none() {
                return Err(Errno::ENOSPC);
            }
            if table.add(cx, prefix, a.neg == 1, until)? {
                all = all.saturating_add(1);
                reply.added = reply.added.wrapping_add(1);
            } else {
                reply.changed = reply.changed.wrapping_add(1);
            }
        }
        Ok(())
    }

    pub(super) fn table_entries(
        &self,
        cx: &mut Thread,
        req: &abi::TableListReq,
        reply: &mut abi::TableListReply,
    ) -> Result {
        let config = self.config.lock(cx);
        let (_, named) = find(&config, &req.name).ok_or(Errno::ENOENT)?;
        let now = seconds();
        let (slots, count) = (&mut reply.entries, &mut reply.count);
        let next = named.table.list(cx, req.cursor, abi::IIPF_TABLE_LIST, |e| {
            put(slots, count, || abi::TableEntry {
                addr: abi::TableAddrRec {
                    table: 0,
                    af: if e.prefix.af() == Af::V6 { INET6 } else { INET },
                    prefixlen: e.prefix.bits(),
                    neg: u8::from(e.not),
                    pad: 0,
                    addr: octets(e.prefix.af() == Af::V6, e.prefix.addr()),
                },
                age: now.wrapping_sub(e.since),
                expires: match e.expires {
                    0 => 0,
                    at => at.saturating_sub(now).max(1),
                },
                packets: e.packets,
                bytes: e.bytes,
                idle: u32::MAX,
                ..abi::TableEntry::default()
            });
        });
        reply.cursor = next.unwrap_or(0);
        Ok(())
    }

    pub(super) fn tables(
        &self,
        cx: &mut Thread,
        req: &abi::TableListReq,
        reply: &mut abi::TablesReply,
    ) -> Result {
        if !req.name.is_empty() {
            return Err(Errno::EINVAL);
        }
        let config = self.config.lock(cx);
        let from = usize::try_from(req.cursor).map_err(|_| Errno::EINVAL)?;
        for named in config.tables.iter().skip(from).take(abi::IIPF_TABLES_LIST) {
            let mut flags = named.flags.load(Relaxed);
            if referenced(&config, named) {
                flags |= abi::IIPF_TABLE_REFERENCED;
            }
            let rules = self.rules.with(cx, |r, _| users(r, named));
            let (len, bytes) = (named.table.len(cx), named.table.bytes(cx));
            put(&mut reply.tables, &mut reply.count, || abi::TableInfo {
                table: abi::TableRec {
                    name: named.name,
                    flags,
                    count: small(len),
                },
                rules: rules.unwrap_or(0),
                pad: 0,
                matched: named.matched.load(Relaxed),
                missed: named.missed.load(Relaxed),
                memory: bytes as u64,
            });
        }
        let next = from.saturating_add(reply.count as usize);
        reply.cursor = if next < config.tables.len() {
            next as u64
        } else {
            0
        };
        Ok(())
    }
}

/// Which of the addresses are in the table.
fn test(
    cx: &mut Thread,
    table: &AddrTable,
    addrs: &[abi::TableAddrRec],
    now: u32,
    reply: &mut abi::TableReply,
) -> Result {
    for (i, a) in addrs.iter().enumerate() {
        let p = entry(a)?;
        if p.bits() != if p.af() == Af::V6 { 128 } else { 32 } {
            return Err(Errno::EINVAL);
        }
        if epoch::read(cx, |s| table.contains(s, p.af(), p.addr(), now)) {
            reply.matches = reply.matches.wrapping_add(1);
            if let Some(word) = reply.matched.get_mut(i >> 6) {
                *word |= 1 << (i & 63);
            }
        }
    }
    Ok(())
}

/// Rules that name a table.
fn users(r: &Ruleset, named: &KArc<Named>) -> u32 {
    let Some(at) = r.live.named.iter().position(|t| KArc::ptr_eq(t, named)) else {
        return 0;
    };
    let at = small(at).wrapping_add(1);
    let says = |a: &abi::AddrRec| a.kind == abi::IIPF_ADDR_TABLE && a.index == at;
    let rules = r.rules.iter().filter(|rule| {
        let m = &rule.rec.m;
        says(&m.src) || says(&m.dst) || rule.rec.state.overload == at
    });
    small(rules.count())
}
