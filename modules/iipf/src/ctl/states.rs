// SPDX-License-Identifier: BSD-2-Clause
//! Listing states, and ending them.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::slab::Side;
use flow::table::Hit;
use flow::tcp::judge::State;
use iipf_abi as abi;
use kern::cx::Thread;
use kern::epoch;
use kern::epoch::Section;
use kern::errno::Result;
use wire::packet::proto;

use crate::cond::INET;
use crate::cond::INET6;
use crate::ctl::page::Place;
use crate::ctl::page::page;
use crate::ctl::page::put;
use crate::entry::Flow;
use crate::entry::WITHOUT_RULES;
use crate::entry::Word;
use crate::pick::Pick;
use crate::pick::state_id;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::step::peer;

/// `IIPF_PEER_*` of a TCP end.
pub(super) fn tcp_peer(state: State) -> u8 {
    match state {
        State::None => abi::IIPF_PEER_CLOSED,
        State::SynSent => abi::IIPF_PEER_SYN_SENT,
        State::Open => abi::IIPF_PEER_ESTABLISHED,
        State::FinSent => abi::IIPF_PEER_CLOSING,
        State::FinAcked => abi::IIPF_PEER_FIN_WAIT,
        State::Reset => abi::IIPF_PEER_TIME_WAIT,
    }
}

impl Iipf {
    /// Seconds that a state has left, of how many.
    pub(super) fn left(&self, s: &Section<'_>, flow: &Flow) -> (u32, u32) {
        let rules = self.rules.peek(s);
        let states = self.v4.flows.len().saturating_add(self.v6.flows.len());
        let secs = rules.and_then(|r| r.seconds_of(flow, states));
        let secs = secs.unwrap_or(WITHOUT_RULES);
        let idle = self.now.load(Relaxed).wrapping_sub(flow.last.load(Relaxed));
        (secs.saturating_sub(idle), secs)
    }

    /// A state as it is shown.
    pub(super) fn state_info<const N: usize>(
        &self,
        s: &Section<'_>,
        six: bool,
        hit: &Hit<'_, N, Flow>,
    ) -> abi::StateInfo
    where
        [u64; N]: Packed,
    {
        let flow = hit.entry;
        let word = flow.word();
        let first = flow.key(Side::A).unpack();
        let to = flow.key(Side::B).unpack().flip();
        // What comes in is meant for the inside: that end sees it translated.
        let (near, far) = if first.dir == 0 {
            (to, first)
        } else {
            (first, to)
        };
        let id = |num: u32| self.rule_id(s, num);
        let flag = |bit: u32, shown: u16| if word.has(bit) { shown } else { 0 };
        let packets = flow.packets.each_ref().map(|n| u64::from(n.load(Relaxed)));
        let ends = match first.proto {
            proto::TCP => flow.track.peers().map(|p| tcp_peer(p.state)),
            _ => packets.map(|n| match n {
                0 => abi::IIPF_PEER_NO_TRAFFIC,
                1 => abi::IIPF_PEER_SINGLE,
                _ => abi::IIPF_PEER_MULTIPLE,
            }),
        };
        abi::StateInfo {
            id: state_id(six, hit.id),
            rule: id(flow.rule.load(Relaxed)),
            nat_rule: id(flow.nat.load(Relaxed)),
            src: peer(six, near.src, near.sport),
            dst: peer(six, near.dst, near.dport),
            nat_src: peer(six, far.src, far.sport),
            nat_dst: peer(six, far.dst, far.dport),
            packets,
            bytes: flow.bytes.each_ref().map(|n| n.load(Relaxed)),
            age: self.now.load(Relaxed).wrapping_sub(flow.made.load(Relaxed)),
            expires: self.left(s, flow).0,
            mark: flow.mark.load(Relaxed),
            ifindex: flow.ifindex.load(Relaxed),
            flags: flag(Word::NAT, abi::IIPF_ST_NAT)
                | flag(Word::IF_BOUND, abi::IIPF_ST_IF_BOUND)
                | flag(Word::SLOPPY, abi::IIPF_ST_SLOPPY)
                | flag(Word::STALE, abi::IIPF_ST_STALE)
                | flag(Word::LOG_ALL, abi::IIPF_ST_LOG)
                | flag(Word::CHILD, abi::IIPF_ST_CHILD)
                | flag(Word::PROXY, abi::IIPF_ST_SYNPROXY)
                | flag(Word::HAIRPIN, abi::IIPF_ST_HAIRPIN),
            af: if six { INET6 } else { INET },
            proto: first.proto,
            dir: first.dir.wrapping_add(1),
            peer: ends,
            alg: word.alg() as u8,
        }
    }

    pub(super) fn list_states(
        &self,
        cx: &mut Thread,
        req: &abi::StateListReq,
        reply: &mut abi::StateListReply,
    ) -> Result {
        let pick = Pick::new(cx, &req.filter)?;
        let from = Place::of(req.cursor)?;
        let next = match from.part {
            0 => self.some_states(cx, &self.v4, false, &pick, from.at, reply),
            1 => self.some_states(cx, &self.v6, true, &pick, from.at, reply),
            _ => return Ok(()),
        };
        reply.cursor = from.then(next, 2);
        Ok(())
    }

    fn some_states<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        six: bool,
        pick: &Pick,
        from: u32,
        reply: &mut abi::StateListReply,
    ) -> Option<u32>
    where
        [u64; N]: Packed,
    {
        if !pick.family(six) {
            return None;
        }
        let (slots, count) = (&mut reply.states, &mut reply.count);
        if let Some(id) = pick.id() {
            return epoch::read(cx, |s| {
                let hit = family.flows.by_id(s, id);
                if let Some(hit) = hit.filter(|hit| pick.means(self.rules.peek(s), hit)) {
                    put(slots, count, || self.state_info(s, six, &hit));
                }
                None
            });
        }
        page(cx, &family.flows, from, |s, hit| {
            !pick.means(self.rules.peek(s), hit)
                || put(slots, count, || self.state_info(s, six, hit))
        })
    }

    pub(super) fn kill_states(
        &self,
        cx: &mut Thread,
        req: &abi::StateFilter,
    ) -> Result<abi::Count> {
        let pick = Pick::new(cx, req)?;
        let mut count = 0u64;
        if pick.family(false) {
            count = self.kill_in(cx, &self.v4, &pick);
        }
        if pick.family(true) {
            count = count.wrapping_add(self.kill_in(cx, &self.v6, &pick));
        }
        Ok(abi::Count { count })
    }

    fn kill_in<const N: usize>(&self, cx: &mut Thread, family: &Family<N>, pick: &Pick) -> u64
    where
        [u64; N]: Packed,
    {
        self.end_states(cx, family, |s, hit| pick.means(self.rules.peek(s), hit))
    }
}
