// SPDX-License-Identifier: BSD-2-Clause
//! Port blocks: a host gets a run of ports of its own, so that one log line covers many flows
//! (RFC 6888 REQ-12, RFC 7422).
//!
//! *Contexts*: any, many at once. *Locking*: none. A block's word is its host and how many of its
//! ports are in use or about to be; a block changes hands only through 0, by compare-and-swap.

use core::num::NonZeroU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

use kern::cx::Cx;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KVec;

use crate::portmap::Policy;
use crate::portmap::PortMap;
use crate::portmap::Range;

/// A port out of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// The port.
    pub port: u16,
    /// The block, where the host got it with this port: time to log.
    pub opened: Option<Range>,
}

/// Who has which block of the ports of one address and protocol.
pub struct Blocks {
    /// host << 32 | ports in use; 0: nobody's.
    owners: KVec<AtomicU64>,
    range: Range,
    /// Ports a block, as a shift.
    shift: u32,
}

impl Blocks {
    /// `range` cut into blocks of `size` ports, a power of two; what is left over at the end is not
    /// used.
    ///
    /// # Errors
    /// EINVAL for a size that is no power of two, below 2 or above the range; ENOMEM.
    pub fn new<C: Cx>(cx: &mut C, range: Range, size: u32) -> Result<Self> {
        if !size.is_power_of_two() || size < 2 || size > range.len() || range.lo == 0 {
            return Err(Errno::EINVAL);
        }
        let shift = size.trailing_zeros();
        let n = (range.len() >> shift) as usize;
        let owners = KVec::from_fn(cx, n, |_| AtomicU64::new(0))?;
        Ok(Blocks {
            owners,
            range,
            shift,
        })
    }

    /// The ports of block `n`.
    fn ports(&self, n: usize) -> Range {
        let lo = self.range.lo.wrapping_add((n << self.shift) as u16);
        Range {
            lo,
            hi: lo.wrapping_add(((1u32 << self.shift).wrapping_sub(1)) as u16),
        }
    }

    fn block_of(&self, port: u16) -> Option<(usize, &AtomicU64)> {
        let n = usize::from(port.checked_sub(self.range.lo)?) >> self.shift;
        Some((n, self.owners.get(n)?))
    }

    /// A port for `host`: from a block of its own, else from a new one, if it has fewer than `most`.
    /// As to parity, see [`Policy::ParityPreserve`]; `rnd` is a random number.
    pub fn alloc(
        &self,
        map: &PortMap,
        host: NonZeroU32,
        most: u32,
        prefer: u16,
        rnd: u32,
    ) -> Option<Given> {
        let mut has = 0u32;
        for (n, owner) in self.owners.iter().enumerate() {
            if owner.load(Ordering::Relaxed) >> 32 != u64::from(host.get()) {
                continue;
            }
            has = has.saturating_add(1);
            // One more, if it is still the host's: nobody else gets it then.
            let more =
                |word: u64| (word >> 32 == u64::from(host.get())).then(|| word.wrapping_add(1));
            let orders = (Ordering::AcqRel, Ordering::Relaxed);
            if owner.fetch_update(orders.0, orders.1, more).is_err() {
                continue;
            }
            match map.alloc(prefer, self.ports(n), Policy::ParityPreserve, rnd) {
                Some(port) => return Some(Given { port, opened: None }),
                None => {
                    self.less(n, owner);
                }
            }
        }
        if has >= most {
            return None;
        }
        self.open(map, host, prefer, rnd)
    }

    /// A new block, the first free one from a random one on.
    fn open(&self, map: &PortMap, host: NonZeroU32, prefer: u16, rnd: u32) -> Option<Given> {
        let start = (u64::from(rnd).wrapping_mul(self.owners.len() as u64) >> 32) as usize;
        let (before, from) = self.owners.split_at_checked(start)?;
        let around = (start..).zip(from).chain((0..).zip(before));
        for (n, owner) in around {
            let mine = u64::from(host.get()) << 32 | 1;
            let orders = (Ordering::AcqRel, Ordering::Relaxed);
            if owner.compare_exchange(0, mine, orders.0, orders.1).is_err() {
                continue;
            }
            let ports = self.ports(n);
            match map.alloc(prefer, ports, Policy::ParityPreserve, rnd) {
                Some(port) => {
                    let opened = Some(ports);
                    return Some(Given { port, opened });
                }
                // All of its ports are in use otherwise, a static forward's say.
                None => {
                    self.less(n, owner);
                }
            }
        }
        None
    }

    /// One port of a block less; the block, if that gave it up.
    fn less(&self, n: usize, owner: &AtomicU64) -> Option<Range> {
        let fewer = |word: u64| match word as u32 {
            0 => None,
            1 => Some(0),
            _ => Some(word.wrapping_sub(1)),
        };
        let orders = (Ordering::AcqRel, Ordering::Relaxed);
        match owner.fetch_update(orders.0, orders.1, fewer) {
            Ok(before) if before as u32 == 1 => Some(self.ports(n)),
            _ => None,
        }
    }

    /// Gives a port back, in both; the block, when that was its last port: time to log.
    pub fn release(&self, map: &PortMap, port: u16) -> Option<Range> {
        if !map.release(port) {
            return None;
        }
        let (n, owner) = self.block_of(port)?;
        self.less(n, owner)
    }

    /// Whose block a port lies in.
    pub fn owner(&self, port: u16) -> Option<NonZeroU32> {
        let (_, owner) = self.block_of(port)?;
        NonZeroU32::new((owner.load(Ordering::Relaxed) >> 32) as u32)
    }

    /// Block `n`, if somebody has it: its ports, whose it is, and ports in use.
    pub fn at(&self, n: usize) -> Option<(Range, NonZeroU32, u32)> {
        let word = self.owners.get(n)?.load(Ordering::Relaxed);
        let host = NonZeroU32::new((word >> 32) as u32)?;
        Some((self.ports(n), host, word as u32))
    }

    /// Takes just this port for `host`, and with it its block; false: the port is in use, or the
    /// block is somebody else's.
    pub fn claim(&self, map: &PortMap, host: NonZeroU32, port: u16) -> bool {
        let Some((n, owner)) = self.block_of(port) else {
            return false;
        };
        let mine = u64::from(host.get()) << 32;
        let more = |word: u64| {
            let free = word == 0 || word >> 32 == u64::from(host.get());
            free.then_some((word | mine).wrapping_add(1))
        };
        let orders = (Ordering::AcqRel, Ordering::Relaxed);
        if owner.fetch_update(orders.0, orders.1, more).is_err() {
            return false;
        }
        let claimed = map.claim(port);
        if !claimed {
            self.less(n, owner);
        }
        claimed
    }

    /// Ports a block.
    pub const fn size(&self) -> u32 {
        1 << self.shift
    }

    /// How many blocks there are.
    pub fn count(&self) -> usize {
        self.owners.len()
    }
}
