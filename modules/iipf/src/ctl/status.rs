// SPDX-License-Identifier: BSD-2-Clause
//! How the module is, and the interfaces as it sees them.

use core::sync::atomic::Ordering::Relaxed;

use flow::timeouts::Timeouts;
use iipf_abi as abi;
use kabi::Name;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::errno::Result;

use crate::ifmap::IF_CTRS;
use crate::ifmap::IfMap;
use crate::ifmap::means;
use crate::softc;
use crate::softc::Iipf;
use crate::stats::Ctr;
use crate::timeouts::timeouts_rec;
use flow::care::seconds;

/// Limits when nothing says otherwise.
const LIMITS: [(usize, u32); 8] = [
    (abi::IIPF_LIMIT_STATES, softc::STATES),
    (abi::IIPF_LIMIT_SRC_NODES, softc::SOURCES),
    (abi::IIPF_LIMIT_FRAGS, softc::FRAGS),
    (abi::IIPF_LIMIT_TABLES, softc::TABLES),
    (abi::IIPF_LIMIT_TABLE_ENTRIES, softc::TABLE_ENTRIES),
    (abi::IIPF_LIMIT_MAPPINGS, softc::MAPS),
    (abi::IIPF_LIMIT_FORWARDS, softc::FORWARDS),
    (abi::IIPF_LIMIT_RULES, softc::RULES),
];

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Iipf {
    /// A limit of the running rules.
    pub(super) fn limit(&self, cx: &mut Thread, which: usize) -> u32 {
        let default = LIMITS.iter().find(|l| l.0 == which).map_or(0, |l| l.1);
        let set = self.rules.with(cx, |r, _| r.limit(which, default));
        set.unwrap_or(default)
    }

    pub(super) fn status(&self, cx: &mut Thread, st: &mut abi::Status) -> Result {
        let config = self.config.lock(cx);
        let now = seconds();
        st.version = abi::IIPF_VERSION;
        st.enabled = self.enabled.load(Relaxed);
        st.since = u64::from(now.wrapping_sub(self.since.load(Relaxed)));
        st.generation = config.generation;
        if config.generation != 0 {
            st.loaded = u64::from(now).saturating_sub(config.loaded);
        }
        let (v4, v6) = (&self.v4, &self.v6);
        let (mut entries, mut memory) = (0usize, 0usize);
        for named in config.tables.iter() {
            entries = entries.saturating_add(named.table.len(cx));
            memory = memory.saturating_add(named.table.bytes(cx));
        }
        let rules = self.rules.with(cx, |r, _| {
            let timeouts = r.timeouts(None).map(timeouts_rec);
            (r.rules.len(), r.bytes(), timeouts)
        });
        let (rules, rules_memory, timeouts) = rules.unwrap_or((0, 0, None));
        let used = [
            v4.flows.len().saturating_add(v6.flows.len()),
            v4.sources.len().saturating_add(v6.sources.len()),
            self.frags.held(),
            count(config.tables.len()),
            count(entries),
            v4.maps.len().saturating_add(v6.maps.len()),
            count(config.forwards.len()),
            count(rules),
        ];
        for (&(at, _), n) in LIMITS.iter().zip(used) {
            if let Some(slot) = st.used.get_mut(at) {
                *slot = n;
            }
            let limit = self.limit(cx, at);
            if let Some(slot) = st.limits.get_mut(at) {
                *slot = limit;
            }
        }
        st.timeouts = timeouts.unwrap_or_else(|| timeouts_rec(&Timeouts::new()));
        st.inserted = self.counters.sum(Ctr::StateAdded);
        st.removed = self.counters.sum(Ctr::StateRemoved);
        st.state_memory = v4.flows.bytes().saturating_add(v6.flows.bytes()) as u64;
        st.rules_memory = rules_memory as u64;
        st.table_memory = memory as u64;
        let passed = [Ctr::PassedState, Ctr::PassedRule, Ctr::Skipped];
        st.passed = passed
            .iter()
            .fold(0, |n: u64, &c| n.wrapping_add(self.counters.sum(c)));
        st.dropped = self.drops.total();
        st.packets = config.ifs.gone;
        for stats in config.ifs.list.iter() {
            for (sum, n) in st.packets.iter_mut().zip(stats.both()) {
                *sum = sum.wrapping_add(n);
            }
        }
        Ok(())
    }

    pub(super) fn enable(&self, req: &abi::Value) -> Result {
        if req.value > 1 || req.pad != 0 {
            return Err(Errno::EINVAL);
        }
        if self.enabled.swap(req.value, Relaxed) != req.value {
            self.since.store(seconds(), Relaxed);
        }
        Ok(())
    }

    /// Interfaces in the order of their indices; the cursor is the last one's.
    pub(super) fn list_ifs(
        &self,
        cx: &mut Thread,
        req: &abi::Cursor,
        reply: &mut abi::IfListReply,
    ) -> Result {
        let after = u32::try_from(req.cursor).map_err(|_| Errno::EINVAL)?;
        let config = self.config.lock(cx);
        let records = config.live.as_ref().map_or(&[][..], |l| &l.ifaces[..]);
        let map = IfMap::read(cx, records)?;
        let mut all = map.ifs.iter().filter(|i| i.ifindex > after);
        for (slot, iface) in reply.ifs.iter_mut().zip(all.by_ref()) {
            let name = iface.name.as_str();
            let flag = |on: bool, bit: u32| if on { bit } else { 0 };
            let named = records.iter().any(|r| means(r, name) > 0);
            let stats = config.ifs.list.iter().find(|s| s.of(iface));
            let mut packets = [0; 8];
            for (n, c) in packets.iter_mut().zip(IF_CTRS.iter().flatten()) {
                *n = stats.map_or(0, |s| s.packets.sum(*c));
            }
            *slot = abi::IfInfo {
                name: Name::new(name).unwrap_or(Name::EMPTY),
                ifindex: iface.ifindex,
                slot: u32::from(iface.slot),
                flags: flag(iface.up, abi::IIPF_IF_UP)
                    | flag(iface.skip, abi::IIPF_IF_SKIP)
                    | flag(named, abi::IIPF_IF_NAMED),
                addrs: count(
                    map.addrs
                        .iter()
                        .filter(|a| a.ifindex == iface.ifindex)
                        .count(),
                ),
                packets,
                ..abi::IfInfo::default()
            };
            reply.count = reply.count.wrapping_add(1);
            reply.cursor = u64::from(iface.ifindex);
        }
        if all.next().is_none() {
            reply.cursor = 0;
        }
        Ok(())
    }
}
