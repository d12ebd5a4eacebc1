// SPDX-License-Identifier: BSD-2-Clause
//! What connections of senders may take up, and a count of those that it was too much for.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::net::Ipv6Addr;

const SECOND: u64 = 1_000_000_000;

/// Connections at once.
pub const MOST: usize = 256;
/// Of one address.
pub const EACH: usize = 32;
/// A handshake of TLS ends in so long.
pub const HANDSHAKE: u64 = 30 * SECOND;
/// The first whole message comes so long after the connection.
pub const FIRST: u64 = 60 * SECOND;
/// What became of connections is told once in so long.
const TELL: u64 = 60 * SECOND;

/// The address that a sender is counted by. Of IPv6 it is the network's, /64: whoever has one has all
/// of its addresses.
pub fn site(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

/// Why a connection is not there, or no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All places were taken, by those that had sent something.
    Refused,
    /// All places of its address were.
    Crowded,
    /// Another one got its place, for it had sent nothing.
    Replaced,
    /// The handshake of TLS took too long.
    NoHandshake,
    /// The first message did.
    NoMessage,
}

const FATES: usize = 5;

/// How many had which fate, and what of that is yet to be told.
#[derive(Debug, Default)]
pub struct Tally {
    counts: [u64; FATES],
    told: [u64; FATES],
    last: Option<IpAddr>,
    /// Nothing is told before that time.
    quiet: u64,
}

fn words(fate: usize, n: u64) -> String {
    match fate {
        0 => format!("{n} refused because {MOST} are there"),
        1 => format!("{n} refused because their address has {EACH}"),
        2 => format!("{n} closed for new ones"),
        3 => format!(
            "{n} closed that made no handshake in {} s",
            HANDSHAKE / SECOND
        ),
        _ => format!("{n} closed that sent no message in {} s", FIRST / SECOND),
    }
}

impl Tally {
    /// Counts one.
    pub fn count(&mut self, fate: Fate, from: IpAddr) {
        if let Some(count) = self.counts.get_mut(fate as usize) {
            *count += 1;
        }
        self.last = Some(from);
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self, fate: Fate) -> u64 {
        self.counts.get(fate as usize).copied().unwrap_or(0)
    }

    /// When there is something to be told.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        (self.counts != self.told).then_some(self.quiet)
    }

    /// What there is to be told, at its time.
    pub fn note(&mut self, now: u64) -> Option<String> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        self.quiet = now.saturating_add(TELL);
        let mut text = String::from("connections: ");
        let news = self.counts.iter().zip(&self.told).enumerate();
        let news = news.filter(|(_, (count, told))| count > told);
        let parts: Vec<String> = news.map(|(n, (c, told))| words(n, c - told)).collect();
        text.push_str(&parts.join(", "));
        if let Some(last) = self.last {
            // A string takes all.
            let _ = write!(text, "; the last was of {last}");
        }
        self.told = self.counts;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_sender() {
        let site = |ip: &str| site(ip.parse().expect("an address")).to_string();
        assert_eq!(site("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(site("2001:db8:1:2:ffff::1"), "2001:db8:1:2::");
        assert_ne!(site("2001:db8:1:3::1"), site("2001:db8:1:2::1"));
        assert_eq!(site("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(site("192.0.2.1"), "192.0.2.1");
    }
}
