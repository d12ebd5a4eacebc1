// SPDX-License-Identifier: BSD-2-Clause
//! GRE and ESP that no helper announced, of several hosts behind one address.
//!
//! Packets carry the id that their receiver has chosen, so what comes back cannot be told from
//! what went out. Who spoke to that peer last and has no answer yet gets the first packet with an
//! id that nobody has; from then on the id is his. As long as one host alone speaks to the peer,
//! all is his.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use wire::packet::Ids;

use super::expect;
use super::expect::SPEAKER;
use crate::entry::Expect;
use crate::entry::NONE;
use crate::job::Job;
use crate::softc::Family;
use crate::translate::Trans;

/// [`Expect::ports`] then: several hosts do.
const SEVERAL: u32 = 1;
/// Seconds that it is remembered after the last tunnel began.
const WAIT: u32 = 3_600;

impl Job<'_> {
    /// The packet's name with its call id or SPI; None: it has none.
    pub fn exact(&self, t: &Tuple) -> Option<Tuple> {
        let ids = self.ids();
        if !matches!(ids, Ids::Call(_) | Ids::Spi(_)) {
            return None;
        }
        let (sport, dport) = ids.pair();
        Some(Tuple { sport, dport, ..*t })
    }

    /// A translated tunnel went out as `to`: `inside` waits for an answer.
    pub fn spoke<const N: usize>(&mut self, family: &Family<N>, inside: u128, to: &Tuple)
    where
        [u64; N]: Packed,
    {
        if self.dry {
            return;
        }
        let back = Tuple {
            sport: 0,
            dport: 0,
            ..to.flip()
        };
        let key = Packed::pack(&back);
        let until = self.now.wrapping_add(WAIT);
        if let Some(hit) = family.expects.get(self.s, &key) {
            let e = hit.entry;
            if expect::whole(&e.to) != inside {
                e.ports.fetch_or(SEVERAL, Relaxed);
                e.to.iter()
                    .zip(expect::halves(inside))
                    .for_each(|(a, v)| a.store(v, Relaxed));
            }
            e.used.store(0, Relaxed);
            e.until.store(until, Relaxed);
            return;
        }
        if family.expects.len() >= family.expects.max() / 2 {
            // Helpers need theirs.
            return;
        }
        let made = family.expects.insert(self.s, &key, None, |e: &Expect| {
            e.to.iter()
                .zip(expect::halves(inside))
                .for_each(|(a, v)| a.store(v, Relaxed));
            e.from.iter().for_each(|a| a.store(0, Relaxed));
            e.ports.store(0, Relaxed);
            e.rule.store(NONE, Relaxed);
            e.nat.store(NONE, Relaxed);
            e.mark.store(0, Relaxed);
            e.map.store(NONE, Relaxed);
            e.alg.store(SPEAKER, Relaxed);
            e.until.store(until, Relaxed);
            e.used.store(0, Relaxed);
        });
        if let Ok(hit) = made {
            family.expects.arm(self.s, hit.id, self.now, 60);
        }
    }

    /// A tunnel's packet with an id that nobody has: whose it is.
    #[inline(never)]
    pub fn spoken_to<const N: usize>(&mut self, family: &Family<N>, t: &Tuple) -> Option<Trans>
    where
        [u64; N]: Packed,
    {
        let key = Tuple {
            sport: 0,
            dport: 0,
            ..*t
        };
        let hit = family.expects.get(self.s, &Packed::pack(&key))?;
        let e = hit.entry;
        if e.alg.load(Relaxed) != SPEAKER || self.now > e.until.load(Relaxed) {
            return None;
        }
        let several = e.ports.load(Relaxed) & SEVERAL != 0;
        let answered = if self.dry {
            e.used.load(Relaxed)
        } else {
            e.used.swap(1, Relaxed)
        };
        if several && answered != 0 {
            return None;
        }
        let mut trans = Trans::none(*t);
        trans.to.dst = expect::whole(&e.to);
        trans.pass = true;
        Some(trans)
    }
}
