// SPDX-License-Identifier: BSD-2-Clause
//! Output: from the stack's frame to the outer packet.
//!
//! Contexts: softint. Locking: variant by passive reference [P].

use core::sync::atomic::Ordering;

use kern::cx::Cx;
use kern::cx::Softint;
use kern::ifnet::IfStat;
use kern::mbuf::Mbuf;
use kern::stats::Counter;
use kern::verdict::Verdict;
use wire::ip;

use crate::softc::Softc;
use crate::softc::Variant;
use crate::stats::Drop;
use crate::stats::Event;

/// How many pseudowires a packet may pass one inside the other on this system: this one and one
/// that carries it. More is a loop more often than a plan, and each costs kernel stack.
const NESTING: u32 = 2;

/// Ethernet header and one 802.1Q tag: what the MTU does not count.
const FRAME_OVERHEAD: u32 = 14 + 4;

/// Shortest frame: an Ethernet header.
const FRAME_MIN: u32 = 14;

impl Softc {
    /// A frame from the stack.
    pub(crate) fn output(&self, cx: &mut Softint, m: Mbuf) -> Verdict<Drop> {
        let bytes = m.len();
        let sent = if bytes < FRAME_MIN {
            Err(Drop::Runt)
        } else if bytes > self.shared.ifnet.mtu().saturating_add(FRAME_OVERHEAD) {
            Err(Drop::TooBig)
        } else {
            let sent = self.variant.with_or(cx, m, |m, v, cx| v.send(cx, m));
            sent.unwrap_or(Err(Drop::NoTunnel))
        };
        match sent {
            Ok(id) => {
                self.shared.ifnet.count(IfStat::Opackets, 1);
                self.shared.ifnet.count(IfStat::Obytes, bytes.into());
                self.l2tp
                    .trace
                    .event(Event::Tx, [id.into(), bytes.into(), 0]);
                Verdict::Stolen
            }
            Err(why) => {
                self.l2tp
                    .trace
                    .event(Event::DropTx, [why.index() as u64, 0, bytes.into()]);
                Verdict::Drop(why)
            }
        }
    }
}

impl Variant {
    /// Wraps a frame and sends it; says with which session id.
    fn send<C: Cx>(&self, cx: &mut C, mut m: Mbuf) -> Result<u32, Drop> {
        if !self.shared.up.load(Ordering::Relaxed) {
            return Err(Drop::Down);
        }
        if self.is_own(&m) || self.shared.ifnet.check_nesting(&mut m, NESTING).is_err() {
            return Err(Drop::Loop);
        }
        self.shared.ifnet.tap(&m);
        m.renew();
        let m = m.prepend(self.template.as_bytes())?;
        self.path.output(cx, m).map_err(|_| Drop::Output)?;
        Ok(self.session.peer.get())
    }

    /// Whether the frame holds a packet that this pseudowire has sent: its route leads into
    /// itself. The kernel's tags tell where the packet never left the kernel; this tells also
    /// where it went through another stack, as it does under a host kernel.
    fn is_own(&self, m: &Mbuf) -> bool {
        let mut copy = [0; ip::LOOK];
        let head = m.head();
        let look = m.len().min(ip::LOOK as u32) as usize;
        let frame = match copy.get_mut(..look) {
            Some(part) if head.len() < look => {
                if !m.copy_to(0, part) {
                    return false;
                }
                part
            }
            _ => head,
        };
        ip::carried(frame, self.ports).is_some_and(|own| {
            own.session == self.session.peer
                && own.encap == self.layout.encap
                && own.src == self.local
                && own.dst == self.remote
        })
    }
}
