// SPDX-License-Identifier: BSD-2-Clause
//! The worker: ends what is over, gives its memory back, makes more ahead of need, and does what
//! the packet path left for thread context. Once a second, and when somebody runs short.

use core::sync::atomic::Ordering::Relaxed;

use classify::Af;
use classify::Prefix;
use flow::care::Expire;
use flow::care::seconds;
use flow::key::Packed;
use flow::slab::Side;
use flow::table::Hit;
use flow::timeouts::Class;
use flow::wheel::Next;
use iipf_abi as abi;
use kern::cx::Thread;
use kern::epoch::Section;
use kern::mem::KArc;
use kern::mem::KVec;
use kern::misc;
use kern::task::Runner;
use wire::packet::proto;

use crate::entry::Expect;
use crate::entry::Flow;
use crate::entry::Map;
use crate::entry::NONE;
use crate::entry::Source;
use crate::entry::WITHOUT_RULES;
use crate::entry::Word;
use crate::entry::less;
use crate::job::Job;
use crate::log;
use crate::mapping::peer_key;
use crate::overload::Overload;
use crate::pool::AddrPorts;
use crate::refresh::find_ports;
use crate::ruleset::Ruleset;
use crate::softc::Config;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::stats::Ctr;
use crate::stats::Drop;

/// How often it comes, in milliseconds.
pub(crate) const TICK: u32 = 1_000;
/// Seconds that a mapping stays after its last state, unless the rules say otherwise (RFC 4787, REQ-6 counts packets, and the
/// states' own timeouts do; this keeps the port for a host that pauses between connections).
pub(crate) const MAP_IDLE: u32 = 60;

/// Random bits.
pub(crate) fn secret() -> u64 {
    let mut bytes = [0; 8];
    misc::random(&mut bytes);
    u64::from_ne_bytes(bytes)
}

impl Runner for Iipf {
    fn run(&self, cx: &mut Thread) {
        let now = seconds();
        if self.now.swap(now, Relaxed) != now {
            self.log_budget.store(log::BUDGET, Relaxed);
            self.error_budget.store(log::ERRORS, Relaxed);
            self.secret.store(secret(), Relaxed);
            self.cookies.renew(now, || [secret(), secret()]);
        }
        let late = self.frags.sweep(now);
        if late > 0 {
            self.drops.add(Drop::FragmentLate, u64::from(late));
        }
        let mut config = self.config.lock(cx);
        self.tick(cx, &self.v4, &config, now, false);
        self.tick(cx, &self.v6, &config, now, true);
        self.seqs.reclaim(cx);
        self.forget_forwards(cx, &mut config, now);
        while let Some(one) = self.overloads.pop() {
            self.overloaded(cx, &config, &one);
        }
        for named in config.tables.iter() {
            named.table.sweep(cx, now, 4_096);
        }
        drop(config);
        self.write_blocks();
        self.schedule(cx, TICK);
    }
}

impl Iipf {
    /// Has the worker come in so many milliseconds.
    pub(crate) fn schedule(&self, cx: &mut Thread, ms: u32) {
        kern::epoch::read(cx, |s| {
            if let Some(task) = self.worker.peek(s) {
                task.schedule(ms);
            }
        });
    }

    fn tick<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        config: &Config,
        now: u32,
        six: bool,
    ) where
        [u64; N]: Packed,
    {
        let states = self.v4.flows.len().saturating_add(self.v6.flows.len());
        let mut flows = Flows {
            iipf: self,
            family,
            now,
            states,
        };
        family.flows.expire(cx, now, &mut flows);
        family.flows.reclaim(cx);
        let mut maps = Maps {
            iipf: self,
            family,
            ports: &config.ports,
            now,
            six,
        };
        family.maps.expire(cx, now, &mut maps);
        family.maps.reclaim(cx);
        let mut sources = Sources { iipf: self, now };
        family.sources.expire(cx, now, &mut sources);
        family.sources.reclaim(cx);
        let mut expects = Expects {
            iipf: self,
            family,
            now,
        };
        family.expects.expire(cx, now, &mut expects);
        family.expects.reclaim(cx);
    }

    /// A state is over: what it held is given back. By whoever unlinked it.
    pub(crate) fn state_ended<const N: usize>(
        &self,
        s: &Section<'_>,
        rules: Option<&Ruleset>,
        family: &Family<N>,
        hit: &Hit<'_, N, Flow>,
        now: u32,
    ) where
        [u64; N]: Packed,
    {
        let flow = hit.entry;
        let word = flow.word();
        for map in [flow.map.load(Relaxed), flow.map2.load(Relaxed)] {
            if map != NONE
                && let Some(m) = family.maps.at(s, map)
            {
                m.entry.release(now);
            }
        }
        if word.has(Word::PEER) {
            let out = flow.key(Side::B).unpack().flip();
            let key = peer_key(out.src, out.sport, out.proto, out.dst);
            if let Some(peer) = family.maps.get(s, &key) {
                peer.entry.release(now);
            }
        }
        let source = flow.source.load(Relaxed);
        if source != NONE
            && let Some(src) = family.sources.at(s, source)
        {
            less(&src.entry.states);
            if word.has(Word::CONN) {
                less(&src.entry.conns);
            }
            src.entry.last.store(now, Relaxed);
        }
        let stats = rules.and_then(|r| r.stats.get(flow.rule.load(Relaxed) as usize));
        if let Some(Some(stats)) = stats {
            less(&stats.states);
            stats.take(flow, hit.entry.key(Side::A).unpack().dir);
        }
        let six = N == flow::key::V6;
        if word.has(Word::SEQ) {
            self.drop_seq(s, hit.id, six);
        }
        if word.alg() != 0 {
            self.controls.forget(hit.id, six);
        }
        self.counters.inc(Ctr::StateRemoved);
    }

    /// Puts a source into the table of its rule.
    fn overloaded(&self, cx: &mut Thread, config: &Config, one: &Overload) {
        let Some(live) = &config.live else { return };
        if one.generation != config.generation {
            return;
        }
        let Some(named) = live.named.get(one.table as usize) else {
            return;
        };
        let (af, bits) = if one.six { (Af::V6, 128) } else { (Af::V4, 32) };
        let Some(prefix) = Prefix::new(af, one.addr, bits) else {
            return;
        };
        if named.table.add(cx, prefix, false, 0).is_ok() {
            self.counters.inc(Ctr::TableHits);
        }
        let (rule, all) = (
            one.flush & abi::IIPF_SF_FLUSH != 0,
            one.flush & abi::IIPF_SF_FLUSH_GLOBAL != 0,
        );
        if rule || all {
            let num = if all { NONE } else { one.num };
            self.end_source(cx, one.six, one.addr, num);
        }
    }

    fn write_blocks(&self) {
        loop {
            let (event, lost) = self.blocks.pop();
            if lost > 0 {
                kern::log!(
                    kern::log::Level::Warning,
                    "iipf: {lost} port block lines lost"
                );
            }
            let Some(e) = event else { return };
            let what = if e.open { "given" } else { "taken back" };
            let [a, b, c, d] = e.inside.to_be_bytes();
            let [f, g, h, i] = e.outside.to_be_bytes();
            let name = match e.proto {
                proto::TCP => "tcp",
                proto::UDP => "udp",
                _ => "icmp",
            };
            kern::log!(
                kern::log::Level::Info,
                "iipf: port block {what}: {a}.{b}.{c}.{d} {f}.{g}.{h}.{i} {name} {}-{}",
                e.lo,
                e.hi
            );
        }
    }
}

impl Job<'_> {
    /// As [`Iipf::state_ended`], on the packet path.
    pub fn ended<const N: usize>(&self, family: &Family<N>, hit: &Hit<'_, N, Flow>)
    where
        [u64; N]: Packed,
    {
        self.iipf
            .state_ended(self.s, Some(self.rules), family, hit, self.now);
    }
}

/// States as the wheel brings them.
struct Flows<'w, const N: usize> {
    iipf: &'w Iipf,
    family: &'w Family<N>,
    now: u32,
    states: u32,
}

impl<const N: usize> Expire<N, Flow> for Flows<'_, N>
where
    [u64; N]: Packed,
{
    fn due(&mut self, s: &Section<'_>, hit: Hit<'_, N, Flow>) -> Next {
        let flow = hit.entry;
        let rules = self.iipf.rules.peek(s);
        let secs = rules.and_then(|r| r.seconds_of(flow, self.states));
        let secs = secs.unwrap_or(WITHOUT_RULES);
        let idle = self.now.wrapping_sub(flow.last.load(Relaxed));
        match secs.checked_sub(idle) {
            None | Some(0) => Next::Unlink,
            Some(left) => {
                let rule = flow.rule.load(Relaxed);
                let timeouts = rules.and_then(|r| r.timeouts(r.numbered(rule)));
                Next::In(left.min(timeouts.map_or(60, |t| t.pause())))
            }
        }
    }

    fn gone(&mut self, s: &Section<'_>, hit: Hit<'_, N, Flow>) {
        let rules = self.iipf.rules.peek(s);
        self.iipf.state_ended(s, rules, self.family, &hit, self.now);
    }
}

/// Mappings.
struct Maps<'w, const N: usize> {
    iipf: &'w Iipf,
    family: &'w Family<N>,
    ports: &'w KVec<KArc<AddrPorts>>,
    now: u32,
    six: bool,
}

impl<const N: usize> Expire<N, Map> for Maps<'_, N>
where
    [u64; N]: Packed,
{
    fn due(&mut self, s: &Section<'_>, hit: Hit<'_, N, Map>) -> Next {
        let map = hit.entry;
        let most = self.iipf.map_idle(s);
        if map.has(Map::FORWARD) {
            // Forwards end by their list.
            return Next::In(60);
        }
        let refs = map.refs.load(Relaxed);
        let idle = self.now.wrapping_sub(map.last.load(Relaxed));
        if refs == 0 && idle >= most {
            return if map.bury() {
                Next::Unlink
            } else {
                Next::In(1)
            };
        }
        let left = match refs {
            0 => most.saturating_sub(idle),
            _ => most,
        };
        Next::In(left.clamp(1, 60))
    }

    fn gone(&mut self, s: &Section<'_>, hit: Hit<'_, N, Map>) {
        self.iipf
            .map_ended(s, self.family, &hit, self.ports, self.six);
    }
}

impl Iipf {
    /// Seconds that a mapping stays after its last state.
    pub(crate) fn map_idle(&self, s: &Section<'_>) -> u32 {
        let timeouts = self.rules.peek(s).and_then(|r| r.timeouts(None));
        timeouts.map_or(MAP_IDLE, |t| t.get(Class::Mapping))
    }

    /// Seconds that the counts of a source stay after its last state.
    pub(crate) fn source_idle(&self, s: &Section<'_>, num: u32) -> u32 {
        let rules = self.rules.peek(s);
        let timeouts = rules.and_then(|r| r.timeouts(r.numbered(num)));
        timeouts.map_or(1, |t| t.get(Class::Source))
    }

    /// A mapping is over: its port is free again.
    pub(crate) fn map_ended<const N: usize>(
        &self,
        s: &Section<'_>,
        family: &Family<N>,
        hit: &Hit<'_, N, Map>,
        ports: &KVec<KArc<AddrPorts>>,
        six: bool,
    ) where
        [u64; N]: Packed,
    {
        let map = hit.entry;
        if map.has(Map::PEER) {
            return;
        }
        let source = map.source.load(Relaxed);
        if source != NONE
            && let Some(src) = family.sources.at(s, source)
        {
            less(&src.entry.maps);
        }
        if map.has(Map::PORT) {
            let (inside, out) = (map.key(Side::A).unpack(), map.key(Side::B).unpack());
            if let Some(addr) = find_ports(ports, six, out.src)
                && let Some(free) = addr.of(out.proto)
            {
                if map.has(Map::BLOCK) {
                    let closed = addr.release_block(s, inside.zone, out.proto, out.sport);
                    if let Some(range) = closed {
                        let (i, o) = (inside.src as u32, out.src as u32);
                        self.log_block(false, i, o, out.proto, range);
                    }
                } else {
                    free.release(out.sport);
                }
            }
        }
        self.counters.inc(Ctr::MapRemoved);
    }
}

/// Counted sources.
struct Sources<'w> {
    iipf: &'w Iipf,
    now: u32,
}

impl<const N: usize> Expire<N, Source> for Sources<'_>
where
    [u64; N]: Packed,
{
    fn due(&mut self, s: &Section<'_>, hit: Hit<'_, N, Source>) -> Next {
        let src = hit.entry;
        let busy = src.states.load(Relaxed) != 0 || src.maps.load(Relaxed) != 0;
        let idle = self.now.wrapping_sub(src.last.load(Relaxed));
        let most = self.iipf.source_idle(s, src.rule.load(Relaxed));
        if !busy && idle >= most {
            return Next::Unlink;
        }
        let left = if busy {
            most
        } else {
            most.saturating_sub(idle)
        };
        Next::In(left.clamp(1, 60))
    }

    fn gone(&mut self, s: &Section<'_>, hit: Hit<'_, N, Source>) {
        let src = hit.entry;
        if src.key(Side::A).unpack().proto == 0
            && let Some(nodes) = self.iipf.nodes(s, src.rule.load(Relaxed))
        {
            less(nodes);
        }
    }
}

/// Expected connections.
struct Expects<'w, const N: usize> {
    iipf: &'w Iipf,
    family: &'w Family<N>,
    now: u32,
}

impl<const N: usize> Expire<N, Expect> for Expects<'_, N>
where
    [u64; N]: Packed,
{
    fn due(&mut self, _s: &Section<'_>, hit: Hit<'_, N, Expect>) -> Next {
        let until = hit.entry.until.load(Relaxed);
        let speaker = hit.entry.alg.load(Relaxed) == crate::alg::expect::SPEAKER;
        match until.checked_sub(self.now) {
            Some(left) if left > 0 && (speaker || hit.entry.used.load(Relaxed) == 0) => {
                Next::In(left.min(60))
            }
            _ => Next::Unlink,
        }
    }

    fn gone(&mut self, s: &Section<'_>, hit: Hit<'_, N, Expect>) {
        let _ = self.iipf;
        let map = hit.entry.map.swap(NONE, Relaxed);
        if map != NONE
            && let Some(m) = self.family.maps.at(s, map)
        {
            m.entry.release(self.now);
        }
    }
}
