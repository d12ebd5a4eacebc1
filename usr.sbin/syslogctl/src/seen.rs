// SPDX-License-Identifier: BSD-2-Clause
//! Which records of several rings are the same message, so that it is shown once.

use std::collections::{HashMap, VecDeque};

/// So many messages back it is known.
const REACH: usize = 4096;

/// Remembers the newest messages by what they are, and the rings that they came from.
#[derive(Default)]
pub struct Seen {
    /// How often a message came from each ring, by its hash.
    counts: HashMap<u64, HashMap<usize, u64>>,
    /// The hashes, oldest first, each as often as it was shown.
    order: VecDeque<u64>,
}

impl Seen {
    /// Whether to show the record of `ring` that is the message `hash`: one that the same ring had
    /// already is another message with the same words.
    pub fn show(&mut self, hash: u64, ring: usize) -> bool {
        let counts = self.counts.entry(hash).or_default();
        let most = counts.values().copied().max().unwrap_or(0);
        let own = counts.entry(ring).or_default();
        *own += 1;
        let fresh = *own > most;
        if fresh {
            self.order.push_back(hash);
            if self.order.len() > REACH
                && let Some(old) = self.order.pop_front()
            {
                self.counts.remove(&old);
            }
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_for_all_rings_but_as_often_as_it_came() {
        let mut seen = Seen::default();
        assert!(seen.show(1, 0));
        assert!(!seen.show(1, 1));
        // The same words again, in both.
        assert!(seen.show(1, 1));
        assert!(!seen.show(1, 0));
        assert!(seen.show(2, 1));
        assert!(!seen.show(1, 2));
    }

    #[test]
    fn it_does_not_grow() {
        let mut seen = Seen::default();
        for n in 0..100_000 {
            assert!(seen.show(n, 0));
        }
        assert!(seen.counts.len() <= REACH && seen.order.len() <= REACH);
    }
}
