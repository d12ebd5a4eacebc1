// SPDX-License-Identifier: BSD-2-Clause
//! Logged packets, as pf(4) logs them: iipflog0, link type PFLOG. And what is logged in words, at a
//! limited rate.

use flow::portmap::Range;
use kern::cx::Softint;
use kern::epoch;
use kern::mbuf::Mbuf;
use kern::pfil;
use kern::pfil::Dir;
use kern::pfil::Rx;

use crate::decision::LogLine;
use crate::entry::NONE;
use crate::entry::less;
use crate::softc::Iipf;
use crate::stats::Ctr;
use crate::stats::Drop;

/// Bytes of a header, and what its length field says: without the padding.
const LEN: usize = 64;
const REAL_LEN: u8 = 61;
/// `PF_PASS`, `PF_DROP`
const PASS: u8 = 0;
const DROP: u8 = 1;
/// `PFRES_MATCH` and others of pf's reasons.
const RES_MATCH: u8 = 0;
const RES_FRAG: u8 = 2;
const RES_SHORT: u8 = 3;
const RES_NORM: u8 = 4;
const RES_MEMORY: u8 = 5;
const RES_STATE: u8 = 11;
const RES_LIMIT: u8 = 12;
/// IPv6, as most BSDs number it; readers know them all.
const INET6: u8 = 24;
/// Log lines in words a second.
pub(crate) const BUDGET: u32 = 20;
/// ICMP errors a second (RFC 1812, 4.3.2.8).
pub(crate) const ERRORS: u32 = 100;

fn pf_reason(why: Option<Drop>) -> u8 {
    match why {
        None | Some(Drop::Blocked) => RES_MATCH,
        Some(Drop::Short) => RES_SHORT,
        Some(Drop::FragmentLate | Drop::FragmentLimit | Drop::FragmentOverlap) => RES_FRAG,
        Some(Drop::NoBufs | Drop::StatesFull) => RES_MEMORY,
        Some(Drop::BadState | Drop::BadReset | Drop::IcmpUnmatched) => RES_STATE,
        Some(Drop::RuleLimit | Drop::SourceLimit | Drop::HalfOpen) => RES_LIMIT,
        Some(_) => RES_NORM,
    }
}

impl Iipf {
    /// Shows a packet to who listens.
    #[cold]
    #[inline(never)]
    pub(crate) fn log_packet(
        &self,
        cx: &mut Softint,
        m: &Mbuf,
        rx: &Rx,
        line: &LogLine,
        drop: Option<Drop>,
    ) {
        let logged = epoch::read(cx, |s| {
            let Some(log) = self.log.peek(s).filter(|log| log.active()) else {
                return false;
            };
            let mut h = [0u8; LEN];
            let mut put = |at: usize, bytes: &[u8]| {
                if let Some(room) = h.get_mut(at..at.saturating_add(bytes.len())) {
                    wire::copy(room, bytes);
                }
            };
            let af = match rx.af {
                pfil::Af::V4 => 2,
                pfil::Af::V6 => INET6,
            };
            let action = if drop.is_some() { DROP } else { PASS };
            put(0, &[REAL_LEN, af, action, pf_reason(drop)]);
            let ifs = self.rules.peek(s).and_then(|r| r.live.ifs.peek(s));
            if let Some(iface) = ifs.and_then(|i| i.get(rx.ifindex)) {
                let name = iface.name.as_str().as_bytes();
                put(4, name.get(..name.len().min(15)).unwrap_or_default());
            }
            put(36, &line.rule.to_be_bytes());
            put(40, &NONE.to_be_bytes());
            let dir = match rx.dir {
                Dir::In => 1,
                Dir::Out => 2,
            };
            // No process is known: uid and pid stay as pf has them then.
            put(44, &NONE.to_be_bytes());
            put(52, &NONE.to_be_bytes());
            put(60, &[dir]);
            log.tap(&h, m);
            true
        });
        if logged {
            self.counters.inc(Ctr::Logged);
        }
    }

    /// Whether another line may be logged in words.
    pub(crate) fn may_log(&self) -> bool {
        let may = less(&self.log_budget);
        if !may {
            self.counters.inc(Ctr::LogLost);
        }
        may
    }

    /// Whether another ICMP error may be sent.
    pub(crate) fn may_send_error(&self) -> bool {
        less(&self.error_budget)
    }

    /// A block of ports was given to a host, or taken back: one line for all its connections, which
    /// whoever must say who it was keeps (RFC 6888, REQ-12; RFC 7422).
    pub(crate) fn log_block(&self, open: bool, inside: u32, outside: u32, proto: u8, r: Range) {
        self.blocks.push(crate::blocklog::Event {
            open,
            inside,
            outside,
            proto,
            lo: r.lo,
            hi: r.hi,
        });
    }
}
