// SPDX-License-Identifier: BSD-2-Clause
//! Classes of interfaces: those that no rule tells apart share their trees.

use kern::cx::MaySleep;
use kern::mem::KVec;

use crate::error::Refused;
use crate::rule::IfSet;

const SLOTS: usize = 256;

/// The classes.
pub struct Classes {
    /// The class of each slot.
    class: KVec<u8>,
    /// A slot of each class.
    slots: KVec<u8>,
}

impl Classes {
    /// The classes that `sets` make; sorts them and drops doubles.
    pub fn of<C: MaySleep>(cx: &mut C, sets: &mut KVec<IfSet>) -> Result<Self, Refused> {
        kern::sort::by_key(sets, |&set| set);
        let mut kept = 0usize;
        for i in 0..sets.len() {
            let (Some(&set), last) = (sets.get(i), kept.checked_sub(1)) else {
                break;
            };
            if last.and_then(|l| sets.get(l)) != Some(&set) {
                if let Some(to) = sets.get_mut(kept) {
                    *to = set;
                }
                kept += 1;
            }
        }
        sets.truncate(kept);
        let mut class = KVec::from_fn(cx, SLOTS, |_| 0)?;
        let mut numbers = KVec::from_fn(cx, SLOTS, |_| [None; 2])?;
        for set in sets.iter() {
            refine(&mut class, &mut numbers, set);
        }
        let mut slots = KVec::new();
        // Classes are numbered in the order of their first slots.
        for (slot, c) in (0u8..=255).zip(class.iter()) {
            if usize::from(*c) == slots.len() {
                slots.push(cx, slot)?;
            }
        }
        Ok(Classes { class, slots })
    }

    /// A slot of each class, in order.
    pub fn slots(&self) -> &[u8] {
        &self.slots
    }

    /// In how many classes `set` is.
    pub fn spread(&self, set: &IfSet) -> usize {
        self.slots.iter().filter(|s| set.has(**s)).count()
    }

    /// What is by class, by slot.
    pub fn by_slot<T: Copy, C: MaySleep>(
        &self,
        cx: &mut C,
        by_class: &[T],
    ) -> Result<KVec<T>, Refused> {
        let mut v = KVec::with_capacity(cx, SLOTS)?;
        for c in self.class.iter() {
            if let Some(x) = by_class.get(usize::from(*c)) {
                v.push(cx, *x)?;
            }
        }
        Ok(v)
    }
}

/// The number of the part of a class that a set has not, and of the part that it has.
type Numbers = [Option<u8>; 2];

/// Splits each class that `set` has only a part of, numbering them by their first slots.
fn refine(class: &mut [u8], numbers: &mut [Numbers], set: &IfSet) {
    numbers.fill([None; 2]);
    let mut next = 0u8;
    for (slot, c) in (0u8..=255).zip(class.iter_mut()) {
        let pair = numbers.get_mut(usize::from(*c));
        let part = pair.and_then(|p| p.get_mut(usize::from(set.has(slot))));
        let Some(part) = part else { continue };
        *c = *part.get_or_insert_with(|| {
            let number = next;
            next = next.wrapping_add(1);
            number
        });
    }
}
