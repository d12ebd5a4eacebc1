// SPDX-License-Identifier: BSD-2-Clause
//! Lists of what is in a table of each family, in pages.
//!
//! A cursor is 1 more than a place, with the family above it; 0 begins, and 0 ends.

use flow::table::Hit;
use flow::table::Table;
use kern::cx::Thread;
use kern::epoch;
use kern::epoch::Section;
use kern::errno::Errno;
use kern::errno::Result;

/// Places that are looked at in one section.
const BATCH: u32 = 256;
/// And in one call: a filter that picks nothing ends a page, too.
const CALL: u32 = 1 << 16;

/// Where a list goes on.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// 0: IPv4, 1: IPv6, 2: behind both.
    pub part: u32,
    pub at: u32,
}

impl Place {
    /// # Errors
    /// EINVAL.
    pub fn of(cursor: u64) -> Result<Place> {
        let n = cursor.saturating_sub(1);
        let part = u32::try_from(n >> 32).map_err(|_| Errno::EINVAL)?;
        if part > 2 {
            return Err(Errno::EINVAL);
        }
        Ok(Place { part, at: n as u32 })
    }

    /// The cursor behind a page that began here and goes on at `next` of this part, or else with
    /// the next of `parts` parts.
    pub fn then(self, next: Option<u32>, parts: u32) -> u64 {
        let part = self.part.wrapping_add(1);
        match next {
            Some(at) => Place { at, ..self }.cursor(),
            None if part < parts => Place { part, at: 0 }.cursor(),
            None => 0,
        }
    }

    fn cursor(self) -> u64 {
        (u64::from(self.part) << 32 | u64::from(self.at)).wrapping_add(1)
    }
}

/// Shows a table's entries from `from` on to `f`, which says false to be shown this one again the
/// next time; where to go on. None: the end.
pub(crate) fn page<const N: usize, T: Send + Sync>(
    cx: &mut Thread,
    table: &Table<N, T>,
    from: u32,
    mut f: impl FnMut(&Section<'_>, &Hit<'_, N, T>) -> bool,
) -> Option<u32> {
    let mut at = from;
    loop {
        let mut full = None;
        let next = epoch::read(cx, |s| {
            table.walk(s, at, BATCH, |hit| {
                if full.is_none() && !f(s, &hit) {
                    full = Some(hit.id.index);
                }
            })
        });
        if full.is_some() {
            return full;
        }
        at = next?;
        if at.wrapping_sub(from) >= CALL {
            return Some(at);
        }
    }
}

/// Puts something into the next free slot of a reply; false: there is none.
pub(crate) fn put<T>(slots: &mut [T], count: &mut u32, make: impl FnOnce() -> T) -> bool {
    let Some(slot) = slots.get_mut(*count as usize) else {
        return false;
    };
    *slot = make();
    *count = count.wrapping_add(1);
    true
}
