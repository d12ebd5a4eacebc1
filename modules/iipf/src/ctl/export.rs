// SPDX-License-Identifier: BSD-2-Clause
//! States for another kernel, or for this one after a restart.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::slab::Side;
use flow::table::Hit;
use flow::tcp::judge::Peer;
use iipf_abi as abi;
use kabi::Name;
use kern::cx::Thread;
use kern::epoch::Section;
use kern::errno::Errno;
use kern::errno::Result;

use crate::ctl::page::Place;
use crate::ctl::page::page;
use crate::ctl::page::put;
use crate::entry::Flow;
use crate::entry::NONE;
use crate::entry::Word;
use crate::softc::Family;
use crate::softc::Iipf;

fn flags(p: &Peer) -> u8 {
    let flag = |on: bool, bit: u8| if on { bit } else { 0 };
    flag(p.acked, abi::IIPF_EX_ACKED)
        | flag(p.syn_win, abi::IIPF_EX_SYN_WINDOW)
        | flag(p.beyond, abi::IIPF_EX_BEYOND)
        | flag(p.scaled, abi::IIPF_EX_SCALED)
}

impl Iipf {
    pub(super) fn export(
        &self,
        cx: &mut Thread,
        req: &abi::ExportReq,
        reply: &mut abi::Export,
    ) -> Result {
        if req.version != abi::IIPF_EXPORT_VERSION {
            return Err(Errno::EPROTONOSUPPORT);
        }
        if req.pad != 0 {
            return Err(Errno::EINVAL);
        }
        reply.version = abi::IIPF_EXPORT_VERSION;
        let from = Place::of(req.cursor)?;
        let next = match from.part {
            0 => self.export_some(cx, &self.v4, false, from.at, reply),
            1 => self.export_some(cx, &self.v6, true, from.at, reply),
            _ => return Ok(()),
        };
        reply.cursor = from.then(next, 2);
        Ok(())
    }

    fn export_some<const N: usize>(
        &self,
        cx: &mut Thread,
        family: &Family<N>,
        six: bool,
        from: u32,
        reply: &mut abi::Export,
    ) -> Option<u32>
    where
        [u64; N]: Packed,
    {
        page(cx, &family.flows, from, |s, hit| {
            put(&mut reply.states, &mut reply.count, || {
                self.record(s, family, six, hit)
            })
        })
    }

    fn record<const N: usize>(
        &self,
        s: &Section<'_>,
        family: &Family<N>,
        six: bool,
        hit: &Hit<'_, N, Flow>,
    ) -> abi::ExportRec
    where
        [u64; N]: Packed,
    {
        let flow = hit.entry;
        let maps = [flow.map.load(Relaxed), flow.map2.load(Relaxed)];
        let map = maps
            .into_iter()
            .find(|&m| m != NONE)
            .and_then(|m| family.maps.at(s, m));
        let ifs = self.rules.peek(s).and_then(|r| r.live.ifs.peek(s));
        let iface = ifs.and_then(|i| i.get(flow.ifindex.load(Relaxed)));
        let seq = self
            .seq_of(s, hit.id, six)
            .filter(|_| flow.word().has(Word::SEQ));
        let peers = flow.track.peers();
        let [a, b] = &peers;
        abi::ExportRec {
            info: self.state_info(s, six, hit),
            ifname: iface
                .and_then(|i| Name::new(i.name.as_str()))
                .unwrap_or(Name::EMPTY),
            seq_lo: peers.map(|p| p.end),
            seq_hi: peers.map(|p| p.lim),
            max_win: peers.map(|p| p.win),
            wscale: peers.map(|p| p.scale),
            filtering: map.map_or(0, |m| m.entry.filtering()),
            tcp: flags(a) | flags(b) << 4,
            seq_diff: [Side::A, Side::B].map(|side| seq.map_or(0, |q| q.total(side))),
            ack: peers.map(|p| p.ack),
        }
    }
}
