// SPDX-License-Identifier: BSD-2-Clause
//! The ports of one address and protocol: 65,536 bits, each given out once.
//!
//! *Contexts*: any, many at once. *Locking*: none. A bit goes from 0 to 1 by `fetch_or`, whose
//! result tells the one caller who did it; so no port is given out twice (RFC 4787 REQ-3: no
//! overloading).

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

use kern::cx::Cx;
use kern::errno::Result;
use kern::mem::KVec;

const WORDS: usize = 1024;
/// Below are the ports of servers that a system itself runs.
const WELL_KNOWN: u16 = 1024;

/// Ports from `lo` to `hi`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first one.
    pub lo: u16,
    /// The last one; below `lo`: no ports.
    pub hi: u16,
}

impl Range {
    /// Whether a port lies in it.
    pub const fn has(self, port: u16) -> bool {
        self.lo <= port && port <= self.hi
    }

    /// What of it is in `other` too.
    #[must_use]
    pub const fn and(self, other: Range) -> Range {
        Range {
            lo: if self.lo > other.lo {
                self.lo
            } else {
                other.lo
            },
            hi: if self.hi < other.hi {
                self.hi
            } else {
                other.hi
            },
        }
    }

    /// How many ports.
    pub const fn len(self) -> u32 {
        (self.hi as u32 + 1).saturating_sub(self.lo as u32)
    }

    /// Whether it has none.
    pub const fn is_empty(self) -> bool {
        self.hi < self.lo
    }
}

/// Which port a flow gets, of those that are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The port that it had; where that is taken or out of range, as `ParityPreserve`.
    Preserve,
    /// Any.
    Random,
    /// A random one on the same side of 1024 and even or odd as it had (RFC 4787 REQ-3 a, REQ-4);
    /// where there is none, on the same side; where there is none either, any.
    ParityPreserve,
}

/// Which bits of a word are ports that may be taken.
#[derive(Clone, Copy)]
enum Parity {
    Any,
    Even,
    Odd,
}

impl Parity {
    const fn of(port: u16) -> Self {
        if port.is_multiple_of(2) {
            Parity::Even
        } else {
            Parity::Odd
        }
    }

    const fn mask(self) -> u64 {
        match self {
            Parity::Any => u64::MAX,
            Parity::Even => 0x5555_5555_5555_5555,
            Parity::Odd => 0xaaaa_aaaa_aaaa_aaaa,
        }
    }
}

/// Which ports are in use.
pub struct PortMap {
    words: KVec<AtomicU64>,
    used: AtomicU32,
}

/// The bits of word `n` that are in `range`.
const fn within(n: usize, range: Range) -> u64 {
    let first = (n as u32) << 6;
    let below = range.lo as u32;
    let mut mask = u64::MAX;
    if first < below {
        mask = if below - first < 64 {
            mask << (below - first)
        } else {
            0
        };
    }
    let last = first + 63;
    let above = range.hi as u32;
    if last > above {
        mask &= if last - above < 64 {
            u64::MAX >> (last - above)
        } else {
            0
        };
    }
    mask
}

impl PortMap {
    /// All free; 8 KB.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: Cx>(cx: &mut C) -> Result<Self> {
        let words = KVec::from_fn(cx, WORDS, |_| AtomicU64::new(0))?;
        Ok(PortMap {
            words,
            used: AtomicU32::new(0),
        })
    }

    /// Takes a free port of `range` for a flow whose own is `prefer`; `rnd` is a random number.
    /// Port 0 is never given out. None when all are taken.
    pub fn alloc(&self, prefer: u16, range: Range, policy: Policy, rnd: u32) -> Option<u16> {
        let range = range.and(Range {
            lo: 1,
            hi: u16::MAX,
        });
        if policy == Policy::Random {
            return self.search(range, Parity::Any, rnd);
        }
        if policy == Policy::Preserve && range.has(prefer) && self.claim(prefer) {
            return Some(prefer);
        }
        let side = if prefer < WELL_KNOWN {
            Range {
                lo: 1,
                hi: WELL_KNOWN - 1,
            }
        } else {
            Range {
                lo: WELL_KNOWN,
                hi: u16::MAX,
            }
        };
        let near = range.and(side);
        self.search(near, Parity::of(prefer), rnd)
            .or_else(|| self.search(near, Parity::Any, rnd))
            .or_else(|| self.search(range, Parity::of(prefer), rnd))
            .or_else(|| self.search(range, Parity::Any, rnd))
    }

    /// The first free port from a random one on, around the range.
    fn search(&self, range: Range, parity: Parity, rnd: u32) -> Option<u16> {
        if range.is_empty() {
            return None;
        }
        // A random number below len: the high half of the product.
        let offset = (u64::from(rnd).wrapping_mul(u64::from(range.len())) >> 32) as u16;
        let start = range.lo.wrapping_add(offset);
        let upper = Range { lo: start, ..range };
        // All of it once more: what was freed meanwhile, and what lies below the start.
        self.first(upper, parity)
            .or_else(|| self.first(range, parity))
    }

    fn first(&self, range: Range, parity: Parity) -> Option<u16> {
        let from = usize::from(range.lo >> 6);
        let to = usize::from(range.hi >> 6);
        let words = self.words.get(from..=to)?;
        for (n, word) in (from..).zip(words) {
            let may = within(n, range) & parity.mask();
            loop {
                let free = may & !word.load(Ordering::Relaxed);
                if free == 0 {
                    break;
                }
                let port = (n << 6) as u32 | free.trailing_zeros();
                if self.claim(port as u16) {
                    return Some(port as u16);
                }
            }
        }
        None
    }

    fn word(&self, port: u16) -> Option<(&AtomicU64, u64)> {
        let word = self.words.get(usize::from(port >> 6))?;
        Some((word, 1 << (port & 63)))
    }

    /// Takes just this one; whether it was free.
    pub fn claim(&self, port: u16) -> bool {
        let Some((word, bit)) = self.word(port) else {
            return false;
        };
        // Acquire: what the last user did with it was before.
        let free = word.fetch_or(bit, Ordering::Acquire) & bit == 0;
        if free {
            self.used.fetch_add(1, Ordering::Relaxed);
        }
        free
    }

    /// Gives a port back; whether it was taken.
    pub fn release(&self, port: u16) -> bool {
        let Some((word, bit)) = self.word(port) else {
            return false;
        };
        let taken = word.fetch_and(!bit, Ordering::Release) & bit != 0;
        if taken {
            self.used.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    /// Whether a port is in use.
    pub fn is_used(&self, port: u16) -> bool {
        self.word(port)
            .is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    /// How many are in use.
    pub fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }
}
