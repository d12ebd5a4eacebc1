// SPDX-License-Identifier: BSD-2-Clause
//! What the tables keep: states, translations, counted sources, expectations.
//!
//! All atomics: readers of a table look at entries in place. A state's own packets write it, and
//! nothing else does on the packet path.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use flow::slab::Id;
use flow::slab::Side;
use flow::tcp::Track;
use flow::timeouts::Class;
use iipf_abi as abi;
use kern::mem::KVec;

/// No entry, no rule.
pub(crate) const NONE: u32 = u32::MAX;

/// Seconds that a state may be idle while there is no ruleset.
pub(crate) const WITHOUT_RULES: u32 = 30;

/// Takes 1 off; false: there is none.
pub(crate) fn less(n: &AtomicU32) -> bool {
    n.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1))
        .is_ok()
}

/// A state.
#[derive(Default)]
pub struct Flow {
    /// TCP windows.
    pub(crate) track: Track,
    /// From who began, and back.
    pub(crate) packets: [AtomicU32; 2],
    pub(crate) bytes: [AtomicU64; 2],
    /// Seconds of uptime of the last packet, and of the first.
    pub(crate) last: AtomicU32,
    pub(crate) made: AtomicU32,
    /// See [`Word`].
    pub(crate) word: AtomicU32,
    /// The rule that passed it, and the one that translates it: their run-time numbers, or NONE.
    pub(crate) rule: AtomicU32,
    pub(crate) nat: AtomicU32,
    /// The mapping it uses: its place in the table, or NONE.
    pub(crate) map: AtomicU32,
    /// And the source's of a hairpin.
    pub(crate) map2: AtomicU32,
    /// The counted source: its place, or NONE.
    pub(crate) source: AtomicU32,
    pub(crate) mark: AtomicU32,
    /// Interface it was made on.
    pub(crate) ifindex: AtomicU32,
    /// MSS to cut SYNs to in the low half; 0: none.
    pub(crate) extra: AtomicU32,
}

/// Bits of [`Flow::word`].
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Word(pub u32);

impl Word {
    const CLASS: u32 = 0x1f;
    /// Addresses or ports differ on the two sides.
    pub const NAT: u32 = 1 << 5;
    /// Both directions come in by the same door.
    pub const HAIRPIN: u32 = 1 << 6;
    /// Every packet is logged.
    pub const LOG_ALL: u32 = 1 << 7;
    /// No window checks.
    pub const SLOPPY: u32 = 1 << 8;
    /// Counts on its interface only.
    pub const IF_BOUND: u32 = 1 << 9;
    /// The running rules would refuse it.
    pub const STALE: u32 = 1 << 10;
    /// Packets with options may pass.
    pub const OPTIONS: u32 = 1 << 11;
    /// Made by a helper for another one.
    pub const CHILD: u32 = 1 << 12;
    /// Counted at its source as an established connection.
    pub const CONN: u32 = 1 << 13;
    /// Its map has an entry for this peer (address-dependent filtering).
    pub const PEER: u32 = 1 << 14;
    /// Sequence numbers differ on the two sides: by how much is in a table beside.
    pub const SEQ: u32 = 1 << 15;
    /// A proxy of SYNs waits for the server's answer.
    pub const PROXY: u32 = 1 << 24;
    /// Helpers, as `IIPF_ALG_*` shifted.
    pub const ALG_SHIFT: u32 = 16;

    /// The class of timeout.
    pub fn class(self) -> Class {
        Class::from_u8((self.0 & Self::CLASS) as u8).unwrap_or(Class::OtherFirst)
    }

    /// With another class.
    pub fn with_class(self, class: Class) -> Word {
        Word(self.0 & !Self::CLASS | class as u32)
    }

    /// Whether a bit is set.
    pub fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// The helpers.
    pub fn alg(self) -> u32 {
        self.0 >> Self::ALG_SHIFT & 0xff
    }
}

impl Flow {
    /// Its bits.
    pub(crate) fn word(&self) -> Word {
        Word(self.word.load(Relaxed))
    }

    /// Counts a packet, and keeps the state alive. Written only where something changed: packets of
    /// one flow within one second write the counters' line alone.
    #[inline]
    pub(crate) fn count(&self, side: Side, bytes: u64, now: u32) {
        let i = side as usize;
        if let Some(n) = self.packets.get(i) {
            n.fetch_add(1, Relaxed);
        }
        if let Some(n) = self.bytes.get(i) {
            n.fetch_add(bytes, Relaxed);
        }
        if self.last.load(Relaxed) != now {
            self.last.store(now, Relaxed);
        }
    }

    /// Sets the class, if it is another one.
    #[inline]
    pub(crate) fn set_class(&self, class: Class) {
        let word = self.word();
        let new = word.with_class(class);
        if new != word {
            // Bits that another CPU sets meanwhile must stay.
            let clear = Word::CLASS & !(class as u32);
            self.word.fetch_and(!clear, Relaxed);
            self.word.fetch_or(class as u32, Relaxed);
        }
    }
}

/// A translation: an inside address and port, and what they are outside (RFC 4787: endpoint-
/// independent mapping). Also a forward, and a peer that a mapping was used towards.
#[derive(Default)]
pub struct Map {
    /// States that use it; [`Map::DEAD`]: it is being taken out.
    pub(crate) refs: AtomicU32,
    /// `IIPF_FILTER_*` in the lowest byte, then [`Map`]'s bits.
    pub(crate) word: AtomicU32,
    /// Run-time number of the nat rule.
    pub(crate) rule: AtomicU32,
    /// Seconds of uptime: last use, and when it was made.
    pub(crate) last: AtomicU32,
    pub(crate) made: AtomicU32,
    /// Forwards: when they end; 0: not by themselves.
    pub(crate) until: AtomicU32,
    /// Interface of the outside address; 0: whichever.
    pub(crate) ifindex: AtomicU32,
    /// The counted inside host, or NONE.
    pub(crate) source: AtomicU32,
    /// Packets that began a state by it.
    pub(crate) hits: AtomicU64,
    /// Forwards: their number, and who may use them; a prefix whose length is in the word.
    pub(crate) forward: AtomicU32,
    pub(crate) remote: [AtomicU64; 2],
}

impl Map {
    pub(crate) const DEAD: u32 = 1 << 31;
    /// Inside hosts may use it too.
    pub(crate) const HAIRPIN: u32 = 1 << 8;
    /// The filter is not asked.
    pub(crate) const PASS: u32 = 1 << 9;
    /// A forward.
    pub(crate) const FORWARD: u32 = 1 << 10;
    /// A peer of a mapping.
    pub(crate) const PEER: u32 = 1 << 11;
    /// Holds a port of the address's map of ports.
    pub(crate) const PORT: u32 = 1 << 12;
    /// The port lies in a block of its host.
    pub(crate) const BLOCK: u32 = 1 << 13;
    /// Bits of [`Map::remote`]: a byte from here on.
    pub(crate) const REMOTE_SHIFT: u32 = 16;

    /// One more state uses it; false: too late.
    pub(crate) fn hold(&self) -> bool {
        let more = |refs: u32| (refs < Self::DEAD - 1).then_some(refs.wrapping_add(1));
        self.refs.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// One state less does.
    pub(crate) fn release(&self, now: u32) {
        self.last.store(now, Relaxed);
        let less = |refs: u32| (refs & !Self::DEAD > 0).then(|| refs.wrapping_sub(1));
        let _ = self.refs.fetch_update(Relaxed, Relaxed, less);
    }

    /// Claims the end of an unused one; false: somebody uses it after all.
    pub(crate) fn bury(&self) -> bool {
        self.refs
            .compare_exchange(0, Self::DEAD, Relaxed, Relaxed)
            .is_ok()
    }

    /// A bit of [`Map::word`].
    pub(crate) fn has(&self, bit: u32) -> bool {
        self.word.load(Relaxed) & bit != 0
    }

    /// Whether a forward is for packets from there.
    pub(crate) fn admits(&self, src: u128, six: bool) -> bool {
        let bits = self.word.load(Relaxed) >> Self::REMOTE_SHIFT & 0xff;
        let all: u32 = if six { 128 } else { 32 };
        let [high, low] = self.remote.each_ref().map(|w| u128::from(w.load(Relaxed)));
        let differ = (high << 64 | low) ^ src;
        bits == 0 || differ.checked_shr(all.saturating_sub(bits)).unwrap_or(0) == 0
    }

    /// `IIPF_FILTER_*`
    pub(crate) fn filtering(&self) -> u8 {
        self.word.load(Relaxed) as u8
    }
}

/// A source address that is counted, for a rule or over all.
#[derive(Default)]
pub struct Source {
    /// States that began there.
    pub(crate) states: AtomicU32,
    /// TCP connections that are established.
    pub(crate) conns: AtomicU32,
    /// Mappings.
    pub(crate) maps: AtomicU32,
    /// New connections: the second it counts from in the high half, how many in the low.
    pub(crate) rate: AtomicU64,
    /// Refused.
    pub(crate) refused: AtomicU32,
    pub(crate) last: AtomicU32,
    pub(crate) made: AtomicU32,
    /// Run-time number of the rule; NONE: over all.
    pub(crate) rule: AtomicU32,
}

impl Source {
    /// Counts a new connection at second `now`; how many these are in `span` seconds.
    pub(crate) fn rated(&self, now: u32, span: u32) -> u32 {
        let step = |word: u64| {
            let (from, n) = ((word >> 32) as u32, word as u32);
            let (from, n) = if now.wrapping_sub(from) >= span {
                (now, 1)
            } else {
                (from, n.saturating_add(1))
            };
            Some(u64::from(from) << 32 | u64::from(n))
        };
        let before = self.rate.fetch_update(Relaxed, Relaxed, step).unwrap_or(0);
        let (from, n) = ((before >> 32) as u32, before as u32);
        if now.wrapping_sub(from) >= span {
            1
        } else {
            n.saturating_add(1)
        }
    }
}

/// A connection that a helper saw announced.
#[derive(Default)]
pub struct Expect {
    /// Where it is to go instead: address in two words, port; port 0: as it is.
    pub(crate) to: [AtomicU64; 2],
    /// Where it is to come from instead; all zero: as it is.
    pub(crate) from: [AtomicU64; 2],
    /// `to`'s port in the high half, `from`'s in the low; 0: as they are.
    pub(crate) ports: AtomicU32,
    /// Rule numbers of the parent.
    pub(crate) rule: AtomicU32,
    pub(crate) nat: AtomicU32,
    /// And its mark.
    pub(crate) mark: AtomicU32,
    /// Mapping that it uses, or NONE.
    pub(crate) map: AtomicU32,
    /// `IIPF_ALG_*`
    pub(crate) alg: AtomicU32,
    /// Seconds of uptime.
    pub(crate) until: AtomicU32,
    /// 1: taken.
    pub(crate) used: AtomicU32,
}

/// One forward.
pub(crate) struct Forward {
    pub rec: abi::ForwardRec,
    /// Seconds of uptime when it ends; 0: never.
    pub until: u32,
    pub six: bool,
    /// Its entries among the mappings, in order of their ports.
    pub maps: KVec<Id>,
}
