// SPDX-License-Identifier: BSD-2-Clause
//! Addresses to translate to, and their ports.
//!
//! A pool follows the interface whose addresses it has; the ports of an address outlive rulesets,
//! as the mappings do that hold them.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

use flow::blocks::Blocks;
use flow::portmap::PortMap;
use kern::cx::MaySleep;
use kern::epoch::Section;
use kern::errno::Result;
use kern::mem::KArc;
use kern::mem::KVec;
use kern::passive::Passive;
use wire::packet::proto;

/// Addresses of a pool that gives out ports, at most.
pub(crate) const POOL_MAX: usize = 256;

/// The ports of one outside address.
pub(crate) struct AddrPorts {
    /// [I]
    pub six: bool,
    /// [I]
    pub addr: u128,
    pub tcp: PortMap,
    pub udp: PortMap,
    /// Query identifiers of ICMP; and call ids.
    pub icmp: PortMap,
    pub gre: PortMap,
    /// 1: it was an interface's when we last looked. Written under [C].
    pub local: AtomicU32,
    /// Blocks of it, by the pool that gives them out.
    pub blocks: [BlockSlot; BLOCK_POOLS],
}

/// Pools that may give out blocks of one address.
pub(crate) const BLOCK_POOLS: usize = 4;

/// The blocks of one pool.
pub(crate) struct BlockSlot {
    /// The pool's zone; 0: free. Written under [C].
    pub zone: AtomicU32,
    /// [E] of TCP, UDP and ICMP
    pub blocks: Passive<[Blocks; 3]>,
}

impl BlockSlot {
    const fn empty() -> BlockSlot {
        BlockSlot {
            zone: AtomicU32::new(0),
            blocks: Passive::empty(),
        }
    }

    /// Those of a protocol.
    pub fn of<'s>(&'s self, s: &'s Section<'_>, p: u8) -> Option<&'s Blocks> {
        let [tcp, udp, icmp] = self.blocks.peek(s)?;
        Some(match p {
            proto::TCP => tcp,
            proto::UDP => udp,
            _ => icmp,
        })
    }
}

impl AddrPorts {
    /// All free.
    pub fn new<C: MaySleep>(cx: &mut C, six: bool, addr: u128) -> Result<AddrPorts> {
        Ok(AddrPorts {
            six,
            addr,
            tcp: PortMap::new(cx)?,
            udp: PortMap::new(cx)?,
            icmp: PortMap::new(cx)?,
            gre: PortMap::new(cx)?,
            local: AtomicU32::new(0),
            blocks: [const { BlockSlot::empty() }; BLOCK_POOLS],
        })
    }

    /// Gives a port of a block back; the block, if that was its last.
    pub fn release_block(
        &self,
        s: &Section<'_>,
        zone: u16,
        p: u8,
        port: u16,
    ) -> Option<flow::portmap::Range> {
        let mine = |b: &&BlockSlot| b.zone.load(Relaxed) == u32::from(zone);
        let slot = self.blocks.iter().find(mine)?;
        slot.of(s, p)?.release(self.of(p)?, port)
    }

    /// The ports of a protocol; None: it has none to give out.
    pub fn of(&self, proto: u8) -> Option<&PortMap> {
        match proto {
            proto::TCP => Some(&self.tcp),
            proto::UDP => Some(&self.udp),
            proto::ICMP | proto::ICMPV6 => Some(&self.icmp),
            proto::GRE => Some(&self.gre),
            _ => None,
        }
    }
}

/// Addresses of a pool as they are now.
pub(crate) struct Addrs {
    pub list: KVec<PoolAddr>,
}

/// One of them.
pub(crate) struct PoolAddr {
    pub ports: KArc<AddrPorts>,
    /// With port blocks: where they are.
    pub block: Option<u8>,
}

impl PoolAddr {
    /// The blocks of a protocol.
    pub fn blocks<'s>(&'s self, s: &'s Section<'_>, p: u8) -> Option<&'s Blocks> {
        let slot = self.ports.blocks.get(usize::from(self.block?))?;
        slot.of(s, p)
    }
}

/// What one translation rule may use.
pub(crate) struct Pool {
    /// [I] the rule: index in the ruleset
    pub rule: u32,
    /// [I] tells mappings of different pools apart, over rulesets
    pub zone: u16,
    /// [I] what it consists of, hashed
    pub identity: u64,
    /// [E] addresses with ports
    pub addrs: Passive<Addrs>,
    /// [I] ranges of addresses without ports (rdr, binat): lowest and highest
    pub ranges: KVec<(u128, u128)>,
    /// [I] first of the records, from 0, and how many
    pub first: u32,
    pub count: u32,
    /// [I] whether it gives out ports, and in blocks of how many; 0: one by one
    pub ports: bool,
    pub block: u16,
    /// [I] the ports, lowest and highest
    pub range: (u16, u16),
}
