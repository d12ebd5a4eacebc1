// SPDX-License-Identifier: BSD-2-Clause
//! How long an idle flow is kept, by its class, and less when the table fills.
//!
//! The defaults are at least what the RFCs ask of a NAT: 4787 REQ-5 (UDP: 5 minutes, never below
//! 2), 5382 REQ-5 (TCP: established 2 hours 4 minutes, transitory 4 minutes), 5508 REQ-2 (ICMP
//! queries: 60 seconds). 7857 section 2.1 adds that a state with a half-closed end stays transitory.

use crate::tcp::Phase;

/// What sort of flow in what phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// TCP: one SYN was seen.
    TcpFirst,
    /// TCP: both ends were heard, the handshake is not over.
    TcpOpening,
    /// TCP: open.
    TcpEstablished,
    /// TCP: one end is done.
    TcpClosing,
    /// TCP: both ends are done.
    TcpFinWait,
    /// TCP: reset, or all acknowledged.
    TcpClosed,
    /// UDP: one packet.
    UdpFirst,
    /// UDP: packets of one end only.
    UdpSingle,
    /// UDP: both ends.
    UdpMultiple,
    /// ICMP queries: one packet.
    IcmpFirst,
    /// ICMP queries: answered; errors do not count.
    IcmpMultiple,
    /// GRE with a call id: one end.
    TunnelFirst,
    /// GRE with a call id: both ends.
    TunnelMultiple,
    /// Other protocols: one packet.
    OtherFirst,
    /// Other protocols: one end only.
    OtherSingle,
    /// Other protocols: both ends.
    OtherMultiple,
    /// A fragment that waits for its first.
    Fragment,
    /// An endpoint-independent mapping that no flow uses.
    Mapping,
    /// ESP: one end.
    EspFirst,
    /// ESP: both ends.
    EspMultiple,
    /// The counts of a source that has nothing any more.
    Source,
}

/// How many classes there are.
pub const CLASSES: usize = 21;

/// All classes, in order, with the name that the configuration gives them.
pub const NAMES: [(Class, &str); CLASSES] = [
    (Class::TcpFirst, "tcp.first"),
    (Class::TcpOpening, "tcp.opening"),
    (Class::TcpEstablished, "tcp.established"),
    (Class::TcpClosing, "tcp.closing"),
    (Class::TcpFinWait, "tcp.finwait"),
    (Class::TcpClosed, "tcp.closed"),
    (Class::UdpFirst, "udp.first"),
    (Class::UdpSingle, "udp.single"),
    (Class::UdpMultiple, "udp.multiple"),
    (Class::IcmpFirst, "icmp.first"),
    (Class::IcmpMultiple, "icmp.error"),
    (Class::TunnelFirst, "tunnel.first"),
    (Class::TunnelMultiple, "tunnel.multiple"),
    (Class::OtherFirst, "other.first"),
    (Class::OtherSingle, "other.single"),
    (Class::OtherMultiple, "other.multiple"),
    (Class::Fragment, "frag"),
    (Class::Mapping, "mapping"),
    (Class::EspFirst, "esp.first"),
    (Class::EspMultiple, "esp.multiple"),
    (Class::Source, "source"),
];

impl Class {
    /// The class with this number, as `class as u8` gives it.
    pub fn from_u8(n: u8) -> Option<Self> {
        NAMES.get(usize::from(n)).map(|&(class, _)| class)
    }

    /// The name that the configuration gives it.
    pub fn name(self) -> &'static str {
        NAMES.get(self as usize).map_or("", |&(_, name)| name)
    }

    /// The class of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|n| n.1 == name).map(|n| n.0)
    }

    /// The class of a TCP connection.
    #[inline]
    pub const fn tcp(phase: Phase) -> Self {
        match phase {
            Phase::First => Class::TcpFirst,
            Phase::Opening => Class::TcpOpening,
            Phase::Established => Class::TcpEstablished,
            Phase::Closing => Class::TcpClosing,
            Phase::FinWait => Class::TcpFinWait,
            Phase::Closed => Class::TcpClosed,
        }
    }
}

/// The longest [`Timeouts::pause`], which is that of the defaults.
const PAUSE: u32 = 60;

/// Classes that no flow has.
const OTHERS: [Class; 3] = [Class::Fragment, Class::Mapping, Class::Source];

/// Seconds by class, and when they begin to shrink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    secs: [u32; CLASSES],
    /// From this many flows on, timeouts shrink; 0: never.
    adaptive_start: u32,
    /// At this many flows they would be 0.
    adaptive_end: u32,
    /// See [`Timeouts::pause`].
    pause: u32,
}

/// What makes a scale impossible: it would end before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadScale;

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts::new()
    }
}

impl Timeouts {
    /// The defaults; nothing shrinks.
    pub const fn new() -> Self {
        Timeouts {
            secs: [
                240, 240, 7_440, 240, 240, 240, // TCP
                120, 120, 300, // UDP
                60, 60, // ICMP
                120, 600, // GRE
                60, 60, 300, // others
                30, 300, // fragments, mappings
                120, 600, // ESP
                60,  // sources
            ],
            adaptive_start: 0,
            adaptive_end: 0,
            pause: PAUSE,
        }
    }

    /// Seconds of a class, not scaled.
    #[inline]
    pub fn get(&self, class: Class) -> u32 {
        self.secs.get(class as usize).copied().unwrap_or(0)
    }

    /// How often a flow is looked at, in seconds: what takes the class of the shortest timeout
    /// meanwhile, shall not outlive it for long.
    pub const fn pause(&self) -> u32 {
        self.pause
    }

    /// Sets the seconds of a class.
    pub fn set(&mut self, class: Class, secs: u32) {
        if let Some(s) = self.secs.get_mut(class as usize) {
            *s = secs;
        }
        let flows = NAMES.iter().filter(|n| !OTHERS.contains(&n.0));
        let least = flows.map(|n| self.get(n.0)).min().unwrap_or(PAUSE);
        self.pause = least.clamp(1, PAUSE);
    }

    /// Shrinks timeouts from `start` flows on, in a line that reaches 0 at `end`. 0, 0: never.
    ///
    /// # Errors
    /// `end` must lie above `start`.
    pub const fn adapt(&mut self, start: u32, end: u32) -> Result<(), BadScale> {
        if end <= start && !(start == 0 && end == 0) {
            return Err(BadScale);
        }
        self.adaptive_start = start;
        self.adaptive_end = end;
        Ok(())
    }

    /// Where timeouts begin to shrink, and where they would be 0.
    pub const fn adaptive(&self) -> (u32, u32) {
        (self.adaptive_start, self.adaptive_end)
    }

    /// The timeouts while there are `flows` flows: at least 1 second each, where it was not 0.
    ///
    /// Divides, so it is for the worker.
    #[must_use]
    pub fn scaled(&self, flows: u32) -> Self {
        Timeouts {
            secs: self.secs.map(|secs| self.shrunk(secs, flows)),
            ..*self
        }
    }

    /// As [`Timeouts::scaled`], of one class.
    #[must_use]
    pub fn scaled_one(&self, class: Class, flows: u32) -> u32 {
        self.shrunk(self.get(class), flows)
    }

    fn shrunk(&self, secs: u32, flows: u32) -> u32 {
        let (start, end) = (self.adaptive_start, self.adaptive_end);
        if end == 0 || flows <= start || secs == 0 {
            return secs;
        }
        let left = u64::from(end.saturating_sub(flows));
        let span = u64::from(end.saturating_sub(start));
        let scaled = u64::from(secs).saturating_mul(left).checked_div(span);
        scaled.map_or(secs, |s| u32::try_from(s).unwrap_or(secs).max(1))
    }
}
