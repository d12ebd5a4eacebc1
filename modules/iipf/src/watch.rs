// SPDX-License-Identifier: BSD-2-Clause
//! Live packets that somebody wants traced: which, and what became of them.
//!
//! *Locking*: whether anything is wanted is one relaxed load; everything else is behind a spin that
//! is taken only while somebody traces.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use iipf_abi as abi;
use kern::cx::Cx;
use kern::cx::MaySleep;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mbuf::Mbuf;
use kern::mem::KVec;
use kern::misc;
use kern::pfil;
use kern::pfil::Dir;
use kern::pfil::Rx;
use kern::spin::Spin;
use wire::packet::Packet;

use crate::cond::INET;
use crate::cond::INET6;
use crate::cond::number;
use crate::entry::less;
use crate::stats::Drop;
use crate::step::Recorder;

/// One packet that was traced.
struct Seen {
    rec: Recorder,
    verdict: u32,
    ns: u64,
    dir: u32,
    len: u32,
    ifindex: u32,
    generation: u64,
    head: [u8; abi::IIPF_TRACE_HEAD],
}

struct Wanted {
    filter: abi::StateFilter,
    ifindex: u32,
    dir: u32,
    seen: KVec<Seen>,
    /// Places in `seen`, made before.
    room: usize,
    lost: u32,
}

/// What is wanted, and what was seen.
pub(crate) struct Watch {
    /// How many more.
    left: AtomicU32,
    wanted: Spin<Wanted>,
}

const NO_FILTER: abi::StateFilter = abi::StateFilter {
    flags: 0,
    af: 0,
    proto: 0,
    src_prefixlen: 0,
    dst_prefixlen: 0,
    src: [0; 16],
    dst: [0; 16],
    sport: 0,
    dport: 0,
    mark: 0,
    id: 0,
    rule: 0,
    ifname: kabi::Name::EMPTY,
    label: kabi::Name::EMPTY,
};

impl Watch {
    /// Nobody wants any.
    pub fn new<C: Cx>(cx: &mut C) -> Result<Watch> {
        let wanted = Wanted {
            filter: NO_FILTER,
            ifindex: 0,
            dir: 0,
            seen: KVec::new(),
            room: 0,
            lost: 0,
        };
        Ok(Watch {
            left: AtomicU32::new(0),
            wanted: Spin::new(cx, wanted)?,
        })
    }

    /// Traces the next packets that `arm` means; `ifindex` 0: on every interface.
    ///
    /// # Errors
    /// EINVAL for what no packet has; ENOMEM.
    pub fn arm<C: MaySleep>(&self, cx: &mut C, arm: &abi::TraceArm, ifindex: u32) -> Result {
        let packets = abi::IIPF_STF_PROTO
            | abi::IIPF_STF_SRC
            | abi::IIPF_STF_DST
            | abi::IIPF_STF_IF
            | abi::IIPF_STF_MARK
            | abi::IIPF_STF_EITHER;
        if arm.filter.flags & !packets != 0 || arm.count > abi::IIPF_TRACE_ARM_MAX || arm.dir > 2 {
            return Err(Errno::EINVAL);
        }
        self.left.store(0, Relaxed);
        let seen = KVec::with_capacity(cx, arm.count as usize)?;
        let mut wanted = self.wanted.lock();
        let old = core::mem::replace(&mut wanted.seen, seen);
        wanted.filter = arm.filter;
        wanted.ifindex = ifindex;
        wanted.dir = arm.dir;
        wanted.room = arm.count as usize;
        wanted.lost = 0;
        core::mem::drop(wanted);
        core::mem::drop(old);
        self.left.store(arm.count, Relaxed);
        Ok(())
    }

    /// Whether this packet is to be traced.
    #[inline]
    pub fn wants(&self, p: &Packet, rx: &Rx, mark: u32) -> bool {
        self.left.load(Relaxed) != 0 && self.means(p, rx, mark)
    }

    #[cold]
    fn means(&self, p: &Packet, rx: &Rx, mark: u32) -> bool {
        let wanted = self.wanted.lock();
        let f = &wanted.filter;
        let dir = match rx.dir {
            Dir::In => 1,
            Dir::Out => 2,
        };
        let af = match rx.af {
            pfil::Af::V4 => INET,
            pfil::Af::V6 => INET6,
        };
        let flag = |bit: u32| f.flags & bit != 0;
        if (wanted.dir != 0 && wanted.dir != dir)
            || (f.af != 0 && f.af != af)
            || (wanted.ifindex != 0 && wanted.ifindex != rx.ifindex)
            || (flag(abi::IIPF_STF_PROTO) && f.proto != p.proto)
            || (flag(abi::IIPF_STF_MARK) && f.mark != mark)
        {
            return false;
        }
        let (sport, dport) = p.ids.pair();
        let port = |want: u16, has: u16| want == 0 || want == has;
        let ends = |src: u128, dst: u128, sport: u16, dport: u16| {
            (!flag(abi::IIPF_STF_SRC) || within(f.af, &f.src, f.src_prefixlen, src))
                && (!flag(abi::IIPF_STF_DST) || within(f.af, &f.dst, f.dst_prefixlen, dst))
                && port(f.sport, sport)
                && port(f.dport, dport)
        };
        ends(p.src, p.dst, sport, dport)
            || (flag(abi::IIPF_STF_EITHER) && ends(p.dst, p.src, dport, sport))
    }

    /// What became of one.
    pub fn note(&self, rec: Recorder, m: &Mbuf, rx: &Rx, drop: Option<Drop>, generation: u64) {
        if !less(&self.left) {
            return;
        }
        let mut head = [0; abi::IIPF_TRACE_HEAD];
        let n = head.len().min(m.len() as usize);
        let _ = head.get_mut(..n).is_some_and(|room| m.copy_to(0, room));
        let seen = Seen {
            rec,
            verdict: match drop {
                None => abi::IIPF_VERDICT_PASS,
                Some(_) => abi::IIPF_VERDICT_DROP,
            },
            ns: misc::uptime_ns(),
            dir: match rx.dir {
                Dir::In => 1,
                Dir::Out => 2,
            },
            len: m.len(),
            ifindex: rx.ifindex,
            generation,
            head,
        };
        let mut wanted = self.wanted.lock();
        if wanted.seen.len() >= wanted.room {
            wanted.lost = wanted.lost.saturating_add(1);
            return;
        }
        // There is room: nothing is allocated.
        let _ = wanted.seen.push_within(seen);
    }

    /// The oldest one that was not read yet, into `reply`; the interface's index.
    pub fn read(&self, reply: &mut abi::TraceReply) -> Option<u32> {
        let mut wanted = self.wanted.lock();
        let lost = wanted.lost;
        // The first one goes to the end; the list is short and this is no hot path.
        if let Some((first, others)) = wanted.seen.split_first_mut() {
            for other in others.iter_mut().rev() {
                core::mem::swap(first, other);
            }
        }
        let seen = wanted.seen.pop()?;
        reply.more = u32::try_from(wanted.seen.len()).unwrap_or(0);
        core::mem::drop(wanted);
        reply.lost = lost;
        (reply.verdict, reply.ns) = (seen.verdict, seen.ns);
        (reply.dir, reply.len) = (seen.dir, seen.len);
        (reply.generation, reply.head) = (seen.generation, seen.head);
        seen.rec.fill(reply);
        Some(seen.ifindex)
    }
}

/// Whether an address lies in a prefix.
pub(crate) fn within(af: u8, net: &[u8; 16], bits: u8, addr: u128) -> bool {
    let all: u32 = if af == INET { 32 } else { 128 };
    let host = all.saturating_sub(u32::from(bits));
    let differ = number(af, net) ^ addr;
    differ.checked_shr(host).unwrap_or(0) == 0
}
