// SPDX-License-Identifier: BSD-2-Clause
//! A device for tests: transactions, tables, states and forwards as iipf-abi says, in memory.

use crate::device::{Counter, Device};
use iipf_abi::*;
use kabi::zerocopy::FromZeros;
use kabi::{Ioctl, Pod, read_pod, write_pod};
use libiipf::Ruleset;
use libkctl::{Errno, Error};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Load {
    ticket: u64,
    counts: [u32; IIPF_KINDS],
    have: [u32; IIPF_KINDS],
    ruleset: Ruleset,
}

/// The device.
#[derive(Default)]
pub(crate) struct Fake {
    pub load: Option<Load>,
    pub tickets: u64,
    pub generation: u64,
    pub running: Option<Ruleset>,
    /// Entries, and whether one is marked as old.
    pub tables: BTreeMap<String, BTreeMap<[u8; 24], bool>>,
    pub states: Vec<StateInfo>,
    pub forwards: Vec<ForwardRec>,
    /// Refuse the n-th chunk with this.
    pub refuse: Option<(u32, LoadReply)>,
    /// The way breaks at the n-th call.
    pub breaks: Option<u32>,
    pub calls: u32,
    pub aborted: u32,
}

fn key(a: &TableAddrRec) -> [u8; 24] {
    let mut bytes = [0; 24];
    let _ = write_pod(&TableAddrRec { table: 0, ..*a }, &mut bytes);
    bytes
}

impl Fake {
    fn add(&mut self, c: &Chunk) -> LoadReply {
        let error = |error| LoadReply {
            error,
            kind: c.kind,
            ..LoadReply::default()
        };
        if let Some((0, reply)) = self.refuse {
            self.load = None;
            return reply;
        }
        if let Some((n, _)) = &mut self.refuse {
            *n -= 1;
        }
        let Some(load) = self.load.as_mut().filter(|l| l.ticket == c.ticket) else {
            return error(IIPF_LE_TICKET);
        };
        let kind = c.kind as usize;
        let before = (0..kind).all(|k| load.have[k] == load.counts[k]);
        if !before || c.first != load.have[kind] || c.first + c.count > load.counts[kind] {
            return error(IIPF_LE_KIND);
        }
        load.have[kind] += c.count;
        if !load.ruleset.add(c) {
            return error(IIPF_LE_VALUE);
        }
        LoadReply::default()
    }

    fn commit(&mut self, rq: &CommitReq) -> LoadReply {
        let error = |error| LoadReply {
            error,
            ..LoadReply::default()
        };
        let Some(load) = self.load.take().filter(|l| l.ticket == rq.ticket) else {
            return error(IIPF_LE_TICKET);
        };
        if load.have != load.counts {
            return error(IIPF_LE_MISSING);
        }
        for (i, t) in (1..).zip(&load.ruleset.tables) {
            let table = self.tables.entry(t.name.to_string()).or_default();
            if t.flags & IIPF_TABLE_REPLACE != 0 {
                let new = load.ruleset.addrs.iter().filter(|a| a.table == i);
                *table = new.map(|a| (key(a), false)).collect();
            }
        }
        self.running = Some(load.ruleset);
        self.generation += 1;
        LoadReply {
            generation: self.generation,
            ..LoadReply::default()
        }
    }

    fn rules(&self, rq: &ChunkReq) -> Result<Chunk, Errno> {
        let running = self.running.as_ref().ok_or(Errno::ENOENT)?;
        let chunks = running.chunks();
        let found = chunks
            .iter()
            .find(|c| c.kind == rq.kind && c.first == rq.first);
        let mut chunk = found.copied().unwrap_or_else(|| Chunk {
            kind: rq.kind,
            first: rq.first,
            ..Chunk::new_zeroed()
        });
        chunk.generation = self.generation;
        Ok(chunk)
    }

    fn table(&mut self, rq: &TableReq) -> Result<TableReply, Errno> {
        let name = rq.name.to_string();
        if rq.op != IIPF_TOP_ADD && !self.tables.contains_key(&name) {
            return Err(Errno::ENOENT);
        }
        let table = self.tables.entry(name).or_default();
        let all = rq.addrs.get(..rq.count as usize).ok_or(Errno::EINVAL)?;
        let mut r = TableReply::default();
        match rq.op {
            IIPF_TOP_ADD => {
                for a in all {
                    r.added += u32::from(table.insert(key(a), false).is_none());
                }
            }
            IIPF_TOP_DELETE => {
                for a in all {
                    r.deleted += u32::from(table.remove(&key(a)).is_some());
                }
            }
            IIPF_TOP_MARK => table.values_mut().for_each(|old| *old = true),
            IIPF_TOP_SWEEP => {
                let before = table.len();
                table.retain(|_, old| !*old);
                r.deleted = (before - table.len()) as u32;
            }
            IIPF_TOP_TEST => {
                for (i, a) in all.iter().enumerate() {
                    if table.contains_key(&key(a)) {
                        r.matches += 1;
                        r.matched[i / 64] |= 1 << (i % 64);
                    }
                }
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        Ok(r)
    }

    fn entries(&self, rq: &TableListReq) -> Result<TableListReply, Errno> {
        let table = self.tables.get(&rq.name.to_string()).ok_or(Errno::ENOENT)?;
        let mut reply = TableListReply::new_zeroed();
        let skipped = table.keys().skip(rq.cursor as usize);
        for (to, k) in reply.entries.iter_mut().zip(skipped) {
            to.addr = read_pod(k).ok_or(Errno::EINVAL)?;
            to.idle = u32::MAX;
            reply.count += 1;
        }
        let next = rq.cursor + u64::from(reply.count);
        reply.cursor = if next < table.len() as u64 { next } else { 0 };
        Ok(reply)
    }

    fn list_states(&self, rq: &StateListReq) -> StateListReply {
        let mut reply = StateListReply::new_zeroed();
        let all = self.states.iter().skip(rq.cursor as usize);
        for (to, s) in reply.states.iter_mut().zip(all) {
            *to = *s;
            reply.count += 1;
        }
        let next = rq.cursor + u64::from(reply.count);
        reply.cursor = if next < self.states.len() as u64 {
            next
        } else {
            0
        };
        reply
    }

    fn export(&self, rq: &ExportReq) -> Export {
        let mut reply = Export::new_zeroed();
        reply.version = IIPF_EXPORT_VERSION;
        for (to, s) in reply
            .states
            .iter_mut()
            .zip(self.states.iter().skip(rq.cursor as usize))
        {
            to.info = *s;
            reply.count += 1;
        }
        let next = rq.cursor + u64::from(reply.count);
        reply.cursor = if next < self.states.len() as u64 {
            next
        } else {
            0
        };
        reply
    }

    fn trace(&self, t: &TracePacket) -> TraceReply {
        let mut r = TraceReply::new_zeroed();
        r.ifname = t.ifname;
        r.dir = t.dir;
        r.len = t.len;
        r.verdict = IIPF_VERDICT_DROP;
        r.count = 2;
        r.steps[0].step = IIPF_STEP_FILTER_RULE;
        r.steps[0].rule = 1;
        r.steps[1].step = IIPF_STEP_DROP;
        r.steps[1].name = kabi::Name::new("blocked").unwrap_or_default();
        r
    }

    fn answer(&mut self, cmd: u32, data: &mut [u8]) -> Result<(), Errno> {
        fn rq<T: Pod>(data: &[u8]) -> Result<T, Errno> {
            read_pod(data).ok_or(Errno::EINVAL)
        }
        fn put<T: Pod>(data: &mut [u8], reply: &T) -> Result<(), Errno> {
            write_pod(reply, data).ok_or(Errno::EINVAL)
        }
        if cmd == IIPFBEGIN.cmd {
            let b: BeginReq = rq(data)?;
            self.tickets += 1;
            self.load = Some(Load {
                ticket: self.tickets,
                counts: b.counts,
                ..Load::default()
            });
            put(
                data,
                &Ticket {
                    ticket: self.tickets,
                },
            )
        } else if cmd == IIPFADD.cmd {
            let c: Chunk = rq(data)?;
            put(data, &self.add(&c))
        } else if cmd == IIPFCOMMIT.cmd {
            let c: CommitReq = rq(data)?;
            put(data, &self.commit(&c))
        } else if cmd == IIPFABORT.cmd {
            self.aborted += 1;
            self.load.take().map(drop).ok_or(Errno::ENOENT)
        } else if cmd == IIPFGETRULES.cmd {
            let c = self.rules(&rq(data)?)?;
            put(data, &c)
        } else if cmd == IIPFRULESTATS.cmd {
            put(data, &RuleStatsReply::new_zeroed())
        } else if cmd == IIPFSTATUS.cmd {
            put(data, &Status::default())
        } else if cmd == IIPFTABLE.cmd {
            let r = self.table(&rq(data)?)?;
            put(data, &r)
        } else if cmd == IIPFTABLEENTRIES.cmd {
            let r = self.entries(&rq(data)?)?;
            put(data, &r)
        } else if cmd == IIPFLISTSTATES.cmd {
            let r = self.list_states(&rq(data)?);
            put(data, &r)
        } else if cmd == IIPFEXPORT.cmd {
            let r = self.export(&rq(data)?);
            put(data, &r)
        } else if cmd == IIPFIMPORT.cmd {
            let e: Export = rq(data)?;
            self.states
                .extend(e.states[..e.count as usize].iter().map(|r| r.info));
            let taken = e.count;
            put(
                data,
                &ImportReply {
                    taken,
                    ..ImportReply::default()
                },
            )
        } else if cmd == IIPFADDFORWARD.cmd {
            let mut f: ForwardRec = rq(data)?;
            if self
                .forwards
                .iter()
                .any(|o| o.outside_port == f.outside_port)
            {
                return Err(Errno::EADDRINUSE);
            }
            f.id = self.forwards.len() as u64 + 1;
            self.forwards.push(f);
            put(data, &f)
        } else if cmd == IIPFLISTFORWARDS.cmd {
            let mut r = ForwardListReply::new_zeroed();
            r.count = self.forwards.len() as u32;
            r.forwards[..self.forwards.len()].copy_from_slice(&self.forwards);
            put(data, &r)
        } else if cmd == IIPFTRACEPACKET.cmd {
            let r = self.trace(&rq(data)?);
            put(data, &r)
        } else {
            Err(Errno::ENOTTY)
        }
    }
}

impl Device for Fake {
    fn call<Rq: Pod, Rs: Pod>(&mut self, c: &Ioctl<Rq, Rs>, rq: &Rq) -> Result<Rs, Error> {
        self.calls += 1;
        if self.breaks == Some(self.calls) {
            return Err(Error::Protocol("the host kernel closed it".into()));
        }
        let mut data = vec![0; c.size()];
        let short = || Error::Protocol("a reply that is too short".into());
        write_pod(rq, &mut data).ok_or_else(short)?;
        self.answer(c.cmd, &mut data).map_err(Error::from)?;
        read_pod(&data).ok_or_else(short)
    }

    fn counters(&mut self) -> Result<Vec<Counter>, Error> {
        Ok(Vec::new())
    }
}
