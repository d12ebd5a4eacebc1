// SPDX-License-Identifier: BSD-2-Clause
//! Input: from the outer packet to the frame that goes up the stack.
//!
//! Contexts: softint. Locking: sessions [E]; variant by passive reference [P].

use core::sync::atomic::Ordering;

use kern::cx::Cx;
use kern::cx::Softint;
use kern::encap::Input;
use kern::encap::Rx;
use kern::mbuf::Mbuf;
use kern::passive;
use kern::stats::Counter;
use kern::verdict::Verdict;
use wire::Error;
use wire::ether;
use wire::l2tp::Encap;
use wire::l2tp::Message;
use wire::l2tp::Refused;
use wire::l2tp::SessionId;

use crate::softc::L2tp;
use crate::softc::Variant;
use crate::softc::key;
use crate::stats::Ctr;
use crate::stats::Drop;
use crate::stats::Event;

impl Input for L2tp {
    type Drop = Drop;

    fn input(&self, cx: &mut Softint, m: Mbuf, rx: &Rx) -> Verdict<Drop> {
        let (encap, len) = (if rx.udp { Encap::Udp } else { Encap::Ip }, m.len());
        let base = rx.off.saturating_add(encap.base_len() as u32);
        // A UDP control message may be shorter than what a data message starts with; then the
        // parser looks at what there is.
        let m = match m.pullup(base.min(len)) {
            Ok(m) => m,
            Err(e) => return Verdict::Drop(e.into()),
        };
        let message = m.head().get(rx.off as usize..).unwrap_or_default();
        let session = match Message::parse(message, encap) {
            Ok(Message::Data { session, .. }) => session,
            // For a control daemon, where there is one.
            Ok(Message::Control { .. }) => return Verdict::Pass(m),
            Err(Error::BadVersion) => return Verdict::Drop(Drop::BadVersion),
            Err(Error::BadSession) => return Verdict::Drop(Drop::NoSession),
            Err(_) => return Verdict::Drop(Drop::Short),
        };
        let found = passive::with_found(
            cx,
            &self.sessions,
            m,
            |sessions, s| sessions.get(s, key(session)).map(|sc| &sc.variant),
            |m, v, cx| {
                let bytes = m.len();
                match v.receive(cx, session, encap, base, rx, m) {
                    Ok(()) => self
                        .trace
                        .event(Event::Rx, [session.get().into(), bytes.into(), 0]),
                    Err(why) => {
                        v.shared.drops.inc(why);
                        v.shared.ifnet.count(kern::ifnet::IfStat::Ierrors, 1);
                        let args = [why.index() as u64, session.get().into(), bytes.into()];
                        self.trace.event(Event::DropRx, args);
                    }
                }
            },
        );
        match found {
            Ok(()) => Verdict::Stolen,
            Err(_packet) => Verdict::Drop(Drop::NoSession),
        }
    }

    fn dropped(&self, why: Drop) {
        self.drops.inc(why);
        self.trace.event(Event::DropRx, [why.index() as u64, 0, 0]);
    }
}

impl Variant {
    /// A data message that came with our session id; `base` is where the cookie starts.
    fn receive<C: Cx>(
        &self,
        cx: &mut C,
        session: SessionId,
        encap: Encap,
        base: u32,
        rx: &Rx,
        mut m: Mbuf,
    ) -> Result<(), Drop> {
        // The table and the variant change one after the other: for a moment they may differ.
        if session != self.session.my {
            return Err(Drop::NoSession);
        }
        if encap != self.layout.encap {
            return Err(Drop::WrongEncap);
        }
        // The table knows session ids, not endpoints: the id may have come to another port of
        // ours. The peer's port is not looked at, a translator on the way may have changed it.
        let port_is_ours = self.ports.is_none_or(|own| own.src == rx.dport);
        if rx.src != self.remote || rx.dst != self.local || !port_is_ours {
            return Err(Drop::WrongPeer);
        }
        if !self.shared.up.load(Ordering::Relaxed) {
            return Err(Drop::Down);
        }
        // Outer headers and session id go first: what is looked at, then, is short however long
        // they were.
        m.trim_front(base);
        let behind = (self.layout.header_len(self.my_cookie.len()) - encap.base_len()) as u32;
        let look = behind.saturating_add(LOOK).min(m.len());
        let mut m = m.pullup(look)?;
        let opened = self
            .layout
            .open(&self.my_cookie, m.head())
            .map_err(|e| match e {
                Refused::Short => Drop::Short,
                Refused::Cookie => Drop::BadCookie,
            })?;
        if opened.sequence.is_some() {
            self.shared.counters.inc(Ctr::RxSequenced);
        }
        m.trim_front(behind);
        let Ok((frame, _)) = ether::Header::parse(m.head()) else {
            return Err(Drop::Runt);
        };
        if frame.src.first().is_some_and(|b| b & 1 != 0) {
            return Err(Drop::BadSource);
        }
        if ether::is_tag(frame.ethertype.get()) {
            self.shared.counters.inc(Ctr::RxVlan);
        }
        m.renew();
        self.shared.ifnet.input(cx, m);
        Ok(())
    }
}

/// Bytes of the frame that are looked at.
const LOOK: u32 = 14;
