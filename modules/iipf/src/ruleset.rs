// SPDX-License-Identifier: BSD-2-Clause
//! The rules as they run: published whole, never changed, with counters that outlive them.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use classify::AddrTable;
use classify::Af;
use classify::Classifier;
use classify::Fields;
use classify::Tables;
use flow::timeouts::Timeouts;
use iipf_abi as abi;
use kabi::Name;
use kern::epoch::Section;
use kern::mem::KArc;
use kern::mem::KBox;
use kern::mem::KVec;
use kern::passive::Passive;

use crate::entry::Flow;
use crate::entry::NONE;
use crate::ifmap::IfMap;
use crate::pool::Pool;

/// What is counted of a rule. It stays with the rule's id from one ruleset to the next.
pub(crate) struct RuleStats {
    /// [I] of [`abi::RuleRec::id`]
    pub id: u64,
    /// [I] what states call it: its place in the list of counters
    pub num: u32,
    pub packets: [AtomicU64; 2],
    pub bytes: [AtomicU64; 2],
    pub made: AtomicU64,
    pub states: AtomicU32,
    /// Sources that are counted for it.
    pub nodes: AtomicU32,
    pub refused: AtomicU64,
    /// Seconds of uptime of the last decision; 0: never.
    pub last: AtomicU32,
}

impl RuleStats {
    pub fn new(id: u64, num: u32) -> RuleStats {
        RuleStats {
            id,
            num,
            packets: Default::default(),
            bytes: Default::default(),
            made: AtomicU64::new(0),
            states: AtomicU32::new(0),
            nodes: AtomicU32::new(0),
            refused: AtomicU64::new(0),
            last: AtomicU32::new(0),
        }
    }

    /// All from 0 again, but what is there stays there. What its states have counted so far and
    /// will add when they end is taken off before.
    pub fn clear(&self, packets: &[u64; 2], bytes: &[u64; 2]) {
        let live = packets.iter().chain(bytes);
        for (c, n) in self.packets.iter().chain(&self.bytes).zip(live) {
            c.store(0u64.wrapping_sub(*n), Relaxed);
        }
        self.made.store(0, Relaxed);
        self.refused.store(0, Relaxed);
    }

    /// Counts the packets of a state that is over, or is looked at; `dir`: the first one's.
    pub fn take(&self, flow: &Flow, dir: u8) {
        for (side, (p, b)) in flow.packets.iter().zip(&flow.bytes).enumerate() {
            let i = (usize::from(dir) ^ side) & 1;
            if let (Some(packets), Some(bytes)) = (self.packets.get(i), self.bytes.get(i)) {
                packets.fetch_add(u64::from(p.load(Relaxed)), Relaxed);
                bytes.fetch_add(b.load(Relaxed), Relaxed);
            }
        }
    }

    /// Counts a packet that the rule decided.
    #[inline]
    pub fn count(&self, out: bool, bytes: u64, now: u32) {
        let i = usize::from(out);
        if let (Some(p), Some(b)) = (self.packets.get(i), self.bytes.get(i)) {
            p.fetch_add(1, Relaxed);
            b.fetch_add(bytes, Relaxed);
        }
        if self.last.load(Relaxed) != now {
            self.last.store(now, Relaxed);
        }
    }
}

/// A table that has a name.
pub(crate) struct Named {
    /// [I]
    pub name: Name<32>,
    /// `IIPF_TABLE_*`
    pub flags: AtomicU32,
    pub table: AddrTable,
    pub matched: AtomicU64,
    pub missed: AtomicU64,
}

/// Addresses of an interface, or of the system, as a table that follows them.
pub(crate) struct Dynamic {
    /// [I] index of the interface record from 0; None: the system's
    pub iface: Option<u32>,
    /// [I] `IIPF_IFPART_*`
    pub part: u8,
    /// [I] 0, `AF_INET`, `AF_INET6`
    pub af: u8,
    pub table: AddrTable,
}

/// What a ruleset names of the world outside of it; changes while the ruleset stays.
pub(crate) struct Live {
    /// [E] interfaces by index
    pub ifs: Passive<IfMap>,
    /// [I] what the rules call interfaces
    pub ifaces: KVec<abi::IfaceRec>,
    /// [I] tables, in the order of the ruleset's records
    pub named: KVec<KArc<Named>>,
    /// [I] numbered behind the named ones
    pub dynamic: KVec<Dynamic>,
    /// [I] addresses to translate to
    pub pools: KVec<Pool>,
    /// [I] what the pools consist of
    pub pool_recs: KVec<abi::PoolRec>,
}

/// A rule.
pub(crate) struct Rule {
    pub rec: abi::RuleRec,
    pub stats: KArc<RuleStats>,
    /// Its pool: index in [`Live::pools`].
    pub pool: Option<u32>,
    /// With `IIPF_ACT_NPTV6`.
    pub npt: Option<wire::rewrite::Npt>,
}

/// One list that is searched for its first match: a classifier, and whose rules its numbers are.
pub(crate) struct Searched {
    pub classifier: Classifier,
    /// Number in the classifier to index in [`Ruleset::rules`].
    pub rules: KVec<u32>,
}

impl Searched {
    /// The rule that decides.
    #[inline]
    pub fn first(
        &self,
        f: &Fields,
        view: &View<'_, '_>,
        mut accept: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let number = self.classifier.first_where(f, view, |n| {
            self.rules.get(n as usize).is_some_and(|&r| accept(r))
        })?;
        self.rules.get(number as usize).copied()
    }
}

/// A compiled ruleset.
pub(crate) struct Ruleset {
    pub generation: u64,
    pub live: KArc<Live>,
    /// Pass and block rules, by priority.
    pub filter: KBox<Searched>,
    /// Match rules, in order.
    pub notes: KBox<Searched>,
    /// nat and no nat rules.
    pub nat: KBox<Searched>,
    /// rdr and no rdr rules.
    pub rdr: KBox<Searched>,
    /// binat and NPTv6 rules as they are written, and seen from outside.
    pub binat: KBox<Searched>,
    pub binat_in: KBox<Searched>,
    /// All, in order of their text.
    pub rules: KVec<Rule>,
    /// The global timeouts first, then those of records.
    pub timeouts: KVec<Timeouts>,
    /// The rule of a number that states have: index in `rules`, or NONE.
    pub by_num: KVec<u32>,
    /// Counters by that number: those of rules that are gone too, while states have it.
    pub stats: KVec<Option<KArc<RuleStats>>>,
    pub options: abi::OptionsRec,
    /// A rule has "synproxy".
    pub proxies: bool,
    /// For those who ask.
    pub names: KVec<abi::NameRec>,
    pub tables: KVec<abi::TableRec>,
    pub timeout_recs: KVec<abi::TimeoutsRec>,
    pub anchors: KVec<abi::AnchorRec>,
}

impl Ruleset {
    /// The rule of a run-time number.
    #[inline]
    pub fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(number as usize)
    }

    /// The index of the rule whose number a state has, or NONE.
    #[inline]
    pub fn index_of(&self, num: u32) -> u32 {
        self.by_num.get(num as usize).copied().unwrap_or(NONE)
    }

    /// The rule whose number a state has. None: it had none, or it is gone.
    #[inline]
    pub fn numbered(&self, num: u32) -> Option<&Rule> {
        self.rule(self.index_of(num))
    }

    /// How long a state may be idle, in seconds, while there are `states`.
    pub fn seconds_of(&self, flow: &Flow, states: u32) -> Option<u32> {
        let timeouts = self.timeouts(self.numbered(flow.rule.load(Relaxed)))?;
        Some(timeouts.scaled_one(flow.word().class(), states))
    }

    /// The timeouts of a rule.
    #[inline]
    pub fn timeouts(&self, rule: Option<&Rule>) -> Option<&Timeouts> {
        let at = rule.map_or(0, |r| r.rec.state.timeouts as usize);
        self.timeouts.get(at)
    }

    /// A limit, with its default.
    pub fn limit(&self, which: usize, default: u32) -> u32 {
        match self.options.limits.get(which) {
            None | Some(0) => default,
            Some(&n) => n,
        }
    }

    /// Bytes of the compiled rules.
    pub fn bytes(&self) -> usize {
        let sections = [
            &self.filter,
            &self.notes,
            &self.nat,
            &self.rdr,
            &self.binat,
            &self.binat_in,
        ];
        let compiled = sections
            .iter()
            .fold(0usize, |n, s| n.saturating_add(s.classifier.bytes()));
        compiled.saturating_add(self.rules.len().saturating_mul(size_of::<Rule>()))
    }
}

/// The tables of a ruleset, looked at in a section.
pub(crate) struct View<'r, 's> {
    pub live: &'r Live,
    pub s: &'s Section<'s>,
    pub now: u32,
    /// Bytes to count at entries that match; 0: counting is not wanted.
    pub bytes: u64,
}

impl Tables for View<'_, '_> {
    fn contains(&self, table: u16, af: Af, addr: u128) -> bool {
        let at = usize::from(table);
        if let Some(named) = self.live.named.get(at) {
            return match named.table.lookup(self.s, af, addr, self.now) {
                Some(hit) if !hit.not => {
                    if self.bytes > 0 {
                        hit.count(self.bytes);
                    }
                    true
                }
                _ => false,
            };
        }
        let at = at.wrapping_sub(self.live.named.len());
        let dynamic = self.live.dynamic.get(at);
        dynamic.is_some_and(|d| d.table.contains(self.s, af, addr, self.now))
    }
}
