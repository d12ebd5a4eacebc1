// SPDX-License-Identifier: BSD-2-Clause
//! The module's state: the types, and what protects each member.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;

use flow::table::Table;
use kern::cdev::Cdev;
use kern::cx::MayDrain;
use kern::errno::Result;
use kern::iflog::IfLog;
use kern::kstat::Kstat;
use kern::mem::KArc;
use kern::mem::KBox;
use kern::mem::KVec;
use kern::passive::Passive;
use kern::pfil::Gate;
use kern::pfil::Pfil;
use kern::stats::Counters;
use kern::sync::Mutex;
use kern::task::Task;
use kern::trace::Trace;

use crate::alg::Controls;
use crate::blocklog::BlockLog;
use crate::entry::Expect;
use crate::entry::Flow;
use crate::entry::Map;
use crate::entry::Source;
use crate::frag::Frags;
use crate::ifmap::IfCounts;
use crate::load::Load;
use crate::overload::Overloads;
use crate::pool::AddrPorts;
use crate::ruleset::Live;
use crate::ruleset::Named;
use crate::ruleset::Ruleset;
use crate::shift::Seq;
use crate::stats::Ctr;
use crate::stats::Drop;
use crate::stats::Event;
use crate::synproxy::Cookies;
use crate::watch::Watch;

/// States when nothing says how many.
pub(crate) const STATES: u32 = 65_536;
/// Mappings.
pub(crate) const MAPS: u32 = 65_536;
/// Counted sources.
pub(crate) const SOURCES: u32 = 16_384;
/// Expectations of helpers.
const EXPECTS: u32 = 4_096;
/// Fragments that wait.
pub(crate) const FRAGS: u32 = 512;
/// Tables, and entries of all of them.
pub(crate) const TABLES: u32 = 1_024;
pub(crate) const TABLE_ENTRIES: u32 = 1_048_576;
/// Forwards that programs ask for.
pub(crate) const FORWARDS: u32 = 1_024;
/// Rules.
pub(crate) const RULES: u32 = 65_535;
/// States whose sequence numbers are shifted.
pub(crate) const SEQS: u32 = 65_536;

/// The tables of one address family; `N` words a key.
pub(crate) struct Family<const N: usize> {
    pub flows: KBox<Table<N, Flow>>,
    pub maps: KBox<Table<N, Map>>,
    pub sources: KBox<Table<N, Source>>,
    pub expects: KBox<Table<N, Expect>>,
}

impl<const N: usize> Family<N> {
    pub fn new<C: MayDrain>(cx: &mut C) -> Result<Self> {
        Ok(Family {
            flows: Table::new(cx, "iipf states", STATES)?,
            maps: Table::new(cx, "iipf maps", MAPS)?,
            sources: Table::new(cx, "iipf sources", SOURCES)?,
            expects: Table::new(cx, "iipf expects", EXPECTS)?,
        })
    }
}

/// The state of the module.
pub struct Iipf {
    /// [I] where packets come from, and go back to
    pub(crate) gate: Gate,
    /// [E] the rules; written under [C]
    pub(crate) rules: Passive<Ruleset>,
    /// What the tables do is in sys/net/flow.
    pub(crate) v4: Family<{ flow::key::V4 }>,
    pub(crate) v6: Family<{ flow::key::V6 }>,
    /// Shifts of sequence numbers, by the state's id.
    pub(crate) seqs: KBox<Table<2, Seq>>,
    /// Its own spins, which come before those of tables.
    pub(crate) controls: Controls,
    /// Its own spins.
    pub(crate) frags: Frags,
    /// Seconds of uptime; written by the worker.
    pub(crate) now: AtomicU32,
    /// 1: packets are looked at.
    pub(crate) enabled: AtomicU32,
    /// Seconds of uptime since then.
    pub(crate) since: AtomicU32,
    /// Log lines and ICMP errors left in this second; refilled by the worker.
    pub(crate) log_budget: AtomicU32,
    pub(crate) error_budget: AtomicU32,
    /// What choices are made of; renewed by the worker.
    pub(crate) secret: AtomicU64,
    /// Keys of SYN cookies; renewed by the worker.
    pub(crate) cookies: Cookies,
    /// Sources that are counted over all rules.
    pub(crate) nodes: AtomicU32,
    /// What the packet path leaves for the worker.
    pub(crate) overloads: Overloads,
    pub(crate) blocks: BlockLog,
    /// Packets that somebody wants traced: [E] to look, its own spin to write.
    pub(crate) watch: Watch,
    /// [E] schedules the worker; set at load, taken back at unload
    pub(crate) worker: Passive<Task<Iipf>>,
    /// [E] where logged packets go
    pub(crate) log: Passive<IfLog>,
    /// [C] all that is configured
    pub(crate) config: Mutex<KBox<Config>>,
    /// Per CPU.
    pub(crate) counters: Counters<Ctr>,
    /// Per CPU.
    pub(crate) drops: Counters<Drop>,
    pub(crate) trace: Trace<Event>,
    pub(crate) registered: Mutex<Registered>,
}

/// What thread context keeps about the configuration, under [C].
pub(crate) struct Config {
    /// The load that is under way.
    pub load: Option<Load>,
    pub tickets: u64,
    pub generation: u64,
    /// Uptime in seconds of the last commit.
    pub loaded: u64,
    /// What the running ruleset names of the world: a handle beside the ruleset's own.
    pub live: Option<KArc<Live>>,
    /// Every table that there is, named by the rules or not.
    pub tables: KVec<KArc<Named>>,
    /// Ports of outside addresses; in order of family and address.
    pub ports: KVec<KArc<AddrPorts>>,
    pub ifs: IfCounts,
    /// Forwards that programs asked for.
    pub forwards: KVec<crate::entry::Forward>,
    pub next_forward: u64,
}

/// What is registered with the kernel; each keeps the state alive until unload takes it back.
#[derive(Default)]
pub(crate) struct Registered {
    pub pfil: Option<Pfil<Iipf>>,
    pub cdev: Option<Cdev<Iipf>>,
    pub kstat: Option<Kstat<Iipf>>,
}
