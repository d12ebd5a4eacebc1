// SPDX-License-Identifier: BSD-2-Clause
//! What happens to a packet and why: of a described one, and of live ones.
//!
//! A described packet runs through the code that judges live ones; nothing is sent, made or counted.

use iipf_abi as abi;
use kabi::FromBytes;
use kabi::Name;
use kern::cx::Thread;
use kern::epoch;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KVec;
use kern::pfil;
use kern::pfil::Af;
use kern::pfil::Dir;
use kern::pfil::Rx;
use wire::packet;

use crate::decision::Decision;
use crate::frag::First;
use crate::packet::family;
use crate::packet::reason;
use crate::pick::Pick;
use crate::pick::ifindex;
use crate::softc::Iipf;
use crate::stats::Drop;
use crate::step::Recorder;

/// The interfaces of a request: their names and indices.
struct Ways {
    name: Name<16>,
    index: u32,
    /// And where the system sends it then.
    out: Option<(Name<16>, u32)>,
}

fn known(cx: &mut Thread, name: &Name<16>) -> Result<u32> {
    let text = name.as_str().ok_or(Errno::EINVAL)?;
    ifindex(cx, text).ok_or(Errno::ENXIO)
}

impl Iipf {
    #[inline(never)]
    pub(super) fn trace_packet(&self, cx: &mut Thread, data: &mut [u8]) -> Result {
        let (req, _) = abi::TracePacket::ref_from_prefix(data).map_err(|_| Errno::EINVAL)?;
        let bytes = req.packet.get(..req.len as usize).ok_or(Errno::EINVAL)?;
        let af = match bytes.first().map(|b| b >> 4) {
            Some(4) => Af::V4,
            Some(6) => Af::V6,
            _ => return Err(Errno::EINVAL),
        };
        let dir = match req.dir {
            1 => Dir::In,
            2 if req.out_ifname.is_empty() => Dir::Out,
            _ => return Err(Errno::EINVAL),
        };
        if req.pad != 0 {
            return Err(Errno::EINVAL);
        }
        let ways = Ways {
            name: req.ifname,
            index: known(cx, &req.ifname)?,
            out: match req.out_ifname {
                name if name.is_empty() => None,
                name => Some((name, known(cx, &name)?)),
            },
        };
        let rx = Rx {
            af,
            dir,
            ifindex: ways.index,
            csum_partial: false,
            gso: false,
        };
        let (mark, len) = (req.mark, req.len);
        let mut whole = KVec::from_fn(cx, bytes.len(), |i| bytes.get(i).copied().unwrap_or(0))?;
        let mut rec = Recorder::new(cx)?;
        data.fill(0);
        let (reply, _) = abi::TraceReply::mut_from_prefix(data).map_err(|_| Errno::EINVAL)?;
        for (to, from) in reply.head.iter_mut().zip(whole.iter()) {
            *to = *from;
        }
        (reply.len, reply.ifname) = (len, ways.name);
        reply.dir = if dir == Dir::In { 1 } else { 2 };
        reply.verdict = self.described(cx, &mut whole, rx, mark, &ways, &mut rec);
        reply.generation = self.rules.with(cx, |r, _| r.generation).unwrap_or(0);
        rec.fill(reply);
        Ok(())
    }

    /// Runs a described packet on its way; `IIPF_VERDICT_*`.
    fn described(
        &self,
        cx: &mut Thread,
        whole: &mut [u8],
        rx: Rx,
        mark: u32,
        ways: &Ways,
        rec: &mut Recorder,
    ) -> u32 {
        let out_name = if rx.dir == Dir::Out {
            ways.name
        } else {
            Name::EMPTY
        };
        let d = match self.described_once(cx, whole, &rx, mark, &out_name, rec) {
            Ok(d) => d,
            Err(verdict) => return verdict,
        };
        let Some((name, index)) = ways.out else {
            return abi::IIPF_VERDICT_PASS;
        };
        rec.named(abi::IIPF_STEP_OUT, 0, name.as_str().unwrap_or(""));
        if rec.has(abi::IIPF_STEP_HAIRPIN) {
            // The state that it would have now lets it out as it is.
            rec.named(abi::IIPF_STEP_ON, 0, name.as_str().unwrap_or(""));
            return abi::IIPF_VERDICT_PASS;
        }
        let rx = Rx {
            dir: Dir::Out,
            ifindex: index,
            ..rx
        };
        match self.described_once(cx, whole, &rx, d.mark, &name, rec) {
            Ok(_) => abi::IIPF_VERDICT_PASS,
            Err(verdict) => verdict,
        }
    }

    /// Once past the hook; the packet is then as it goes on. Else the verdict.
    fn described_once(
        &self,
        cx: &mut Thread,
        whole: &mut [u8],
        rx: &Rx,
        mark: u32,
        name: &Name<16>,
        rec: &mut Recorder,
    ) -> core::result::Result<Decision, u32> {
        let name = name.as_str().unwrap_or("");
        let drop = |rec: &mut Recorder, why: Drop| {
            rec.reason(abi::IIPF_STEP_DROP, why);
            abi::IIPF_VERDICT_DROP
        };
        let mut p = match packet::parse(whole, whole.len(), family(rx)) {
            Ok(p) => p,
            Err(bad) => return Err(drop(rec, reason(bad))),
        };
        if rx.dir == Dir::In && !packet::header_sum_ok(whole, &p) {
            return Err(drop(rec, Drop::BadChecksum));
        }
        let mut first = None;
        if p.is_fragment() {
            rec.step(abi::IIPF_STEP_FRAGMENT, 0, 0);
            if !p.frag.is_some_and(|f| f.is_first()) {
                return Err(abi::IIPF_VERDICT_KEPT);
            }
            first = Some(First {
                ids: p.ids,
                proto: p.proto,
            });
        }
        let d = epoch::read(cx, |s| {
            self.judge_in(s, whole, &p, rx, first, mark, Some(&mut *rec), None)
        });
        rec.finish(&d, mark, name);
        if d.drop.is_some() {
            return Err(abi::IIPF_VERDICT_DROP);
        }
        match self.rewrite(whole, &mut p, rx, &d.change) {
            Ok(_) => Ok(d),
            Err(why) => Err(drop(rec, why)),
        }
    }

    pub(super) fn trace_arm(&self, cx: &mut Thread, req: &abi::TraceArm) -> Result {
        Pick::new(cx, &req.filter)?;
        let index = match req.filter.flags & abi::IIPF_STF_IF {
            0 => 0,
            _ => known(cx, &req.filter.ifname)?,
        };
        self.watch.arm(cx, req, index)
    }

    pub(super) fn trace_read(&self, cx: &mut Thread, reply: &mut abi::TraceReply) -> Result {
        let Some(index) = self.watch.read(reply) else {
            return Ok(());
        };
        // It may be gone by now.
        let iface = pfil::interface(cx, index).ok();
        let name = iface.and_then(|i| Name::new(i.name.as_str()));
        reply.ifname = name.unwrap_or(Name::EMPTY);
        Ok(())
    }
}
