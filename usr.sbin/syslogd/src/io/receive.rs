// SPDX-License-Identifier: BSD-2-Clause
//! From a packet to the engine: who may send, what a message lacks, how long it may be.

use crate::engine::Engine;
use crate::engine::Event;
use crate::engine::Input as Way;
use crate::io::store::Outlets;
use crate::privsep::wire::Allowed;
use crate::privsep::wire::Input;
use liblog::Clocks;
use liblog::Facility;
use liblog::Pri;
use liblog::Severity;
use liblog::parse::Flaws;
use liblog::parse::From;
use liblog::parse::parse;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// By which input.
    pub input: Input,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// It was longer.
    pub cut: bool,
    /// Its sender on the network.
    pub from: Option<SocketAddr>,
}

/// What is the same for all packets.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Who may send over the network; empty: all.
    pub allowed: Vec<Allowed>,
    /// Longer messages are cut.
    pub message: usize,
    /// Messages that were not taken because of their sender.
    pub denied: u64,
    /// Messages that were cut.
    pub cut: u64,
    /// The one that was heard last.
    peer: Peer,
}

/// A sender's address in text: most messages come from the same one as the one before.
#[derive(Clone, Copy, Debug)]
struct Peer {
    ip: IpAddr,
    /// Of any address it takes less.
    text: [u8; 64],
    len: usize,
}

impl Default for Peer {
    fn default() -> Peer {
        Peer {
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            text: [0; 64],
            len: 0,
        }
    }
}

impl Peer {
    fn of(&mut self, ip: IpAddr) -> &[u8] {
        if self.len == 0 || self.ip != ip {
            let mut room = &mut self.text[..];
            // It fits.
            let _ = write!(room, "{}", ip.to_canonical());
            let left = room.len();
            self.len = self.text.len() - left;
            self.ip = ip;
        }
        self.text.get(..self.len).unwrap_or_default()
    }
}

/// The kernel's messages without a priority.
const KERNEL: Pri = Pri {
    facility: Facility::KERN,
    severity: Severity::NOTICE,
};

const fn way(input: Input) -> Way {
    match input {
        Input::Kmsg | Input::Klog => Way::Kernel,
        Input::Udp => Way::Udp,
        Input::Tcp => Way::Tcp,
        Input::Tls => Way::Tls,
        Input::Local | Input::LocalPrivileged | Input::Control => Way::Local,
    }
}

impl Rules {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(allowed: Vec<Allowed>, message: usize) -> Rules {
        Rules {
            allowed,
            message,
            ..Rules::default()
        }
    }

    /// Whether that one may send. Who may over TLS is decided by certificates.
    #[must_use]
    pub fn may(&self, input: Input, from: SocketAddr) -> bool {
        input == Input::Tls
            || self.allowed.is_empty()
            || self.allowed.iter().any(|range| range.has(from))
    }

    /// Gives a message to the engine.
    pub fn receive(&mut self, raw: Raw<'_>, now: Clocks, engine: &mut Engine, out: &mut Outlets) {
        if raw.from.is_some_and(|from| !self.may(raw.input, from)) {
            self.denied += 1;
            return;
        }
        let host = match raw.from {
            None => &[][..],
            Some(from) => self.peer.of(from.ip()),
        };
        let way = way(raw.input);
        let kernel = way == Way::Kernel;
        let whole = raw.bytes.get(..self.message);
        let bytes = whole.unwrap_or(raw.bytes);
        let cut = raw.cut || bytes.len() < raw.bytes.len();
        let from = From {
            pri: if kernel { KERNEL } else { Pri::DEFAULT },
            host,
            local: matches!(way, Way::Local | Way::Kernel),
            kernel,
        };
        let parsed = parse(bytes, &from, &out.zone, now);
        let mut flaws = parsed.flaws;
        if cut {
            flaws.insert(Flaws::CUT);
            self.cut += 1;
        }
        let event = Event::Message {
            input: way,
            msg: parsed.msg,
            flaws,
        };
        engine.handle(now, event, out);
    }
}
