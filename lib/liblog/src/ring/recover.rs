// SPDX-License-Identifier: BSD-2-Clause
//! What is left in a region after a crash: the newest unbroken run of records, by CRC and number.
//!
//! The whole region is looked through: where the state says that records are may have been
//! overwritten before the state was, and where it says that they end there may be one more.

use super::layout;
use super::layout::State;
use super::types::Bad;
use super::types::Recovered;

/// Records behind each other, their numbers growing.
#[derive(Clone, Copy, Default)]
struct Run {
    start: u64,
    end: u64,
    first: u64,
    last: u64,
    count: u64,
}

/// How often the bytes of a region are summed, at most: damage, or texts that look like records,
/// must not keep us for ever.
const EFFORT: u64 = 64;

/// Calls `found` for each run of records numbered from `first` on, in the order of their places.
fn runs(area: &[u8], key: u32, first: u64, mut found: impl FnMut(Run)) {
    let mut run = Run::default();
    let mut at = 0;
    let mut effort = EFFORT.saturating_mul(area.len() as u64);
    while let Some((seq, size)) = next(area, key, first, &mut at, &mut effort) {
        if run.count > 0 && (seq <= run.last || at != run.end) {
            found(run);
            run.count = 0;
        }
        if run.count == 0 {
            run.start = at;
            run.first = seq;
        }
        at += size;
        run.end = at;
        run.last = seq;
        run.count += 1;
    }
    if run.count > 0 {
        found(run);
    }
}

/// The next whole record from `at` on; that is then where it is.
fn next(area: &[u8], key: u32, first: u64, at: &mut u64, effort: &mut u64) -> Option<(u64, u64)> {
    while *at < area.len() as u64 {
        let mut step = 8;
        if let Some((_, size)) = layout::extent(area, *at) {
            *effort = effort.checked_sub(size)?;
            match layout::checked_extent(area, *at, key) {
                Some((seq, size)) if seq >= first => return Some((seq, size)),
                Some((_, size)) => step = size,
                None => {}
            }
        }
        *at += step;
    }
    None
}

/// The ring's key, its state as the records say that it is, and what was found.
///
/// # Errors
/// Why there is no ring.
pub fn recover(region: &[u8]) -> Result<(u32, State, Recovered), Bad> {
    let key = layout::key(region)?;
    let area = layout::area(region);
    let known = State::load(region, key);
    let old = known.unwrap_or_default();

    let mut newest = Run::default();
    runs(area, key, old.first, |run| {
        if newest.count == 0 || run.last > newest.last {
            newest = run;
        }
    });
    // What wraps goes on at 0.
    let mut before = Run::default();
    if newest.start == 0 && newest.count > 0 {
        runs(area, key, old.first, |run| {
            if run.start >= newest.end && run.last < newest.first && run.last >= before.last {
                before = run;
            }
        });
    }
    if newest.count == 0 && known.is_none() {
        return Err(Bad::State);
    }
    let state = found(&old, &before, &newest);
    let lost = if known.is_some() {
        state.dropped - old.dropped
    } else {
        0
    };
    let recovered = Recovered {
        records: state.count,
        lost,
        clean: old.clean == 1 && lost == 0,
        state_lost: known.is_none(),
    };
    Ok((key, state, recovered))
}

/// The state of these two runs, the second of which has the newest record.
fn found(old: &State, before: &Run, newest: &Run) -> State {
    let next = old.next.max(newest.last.saturating_add(1));
    let oldest = if before.count > 0 { before } else { newest };
    let count = before.count + newest.count;
    let later = next - old.next;
    let mut state = State {
        next,
        count,
        pushed: old.pushed.saturating_add(later),
        clean: 0,
        ..*old
    };
    if old.generation == 0 {
        // No counters: as if these were all.
        state.pushed = count;
        state.dropped = 0;
    } else {
        let lost = old.count.saturating_add(later).saturating_sub(count);
        state.dropped = old.dropped.saturating_add(lost);
    }
    if count == 0 {
        (state.head, state.tail, state.end, state.used) = (0, 0, 0, 0);
        (state.first, state.last) = (next, next.saturating_sub(1));
        return state;
    }
    state.head = oldest.start;
    state.tail = newest.end;
    state.end = before.end;
    state.used = before.end - before.start + (newest.end - newest.start);
    state.first = oldest.first;
    state.last = newest.last;
    state
}
