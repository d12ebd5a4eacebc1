// SPDX-License-Identifier: BSD-2-Clause
//! Sorting in place, for kernels: core's panics when an order contradicts itself, this one does not.

/// Sorts by a key; equal ones in any order. Heapsort: n log n always, no memory, no recursion.
pub fn by_key<T, K: Ord>(list: &mut [T], mut key: impl FnMut(&T) -> K) {
    let n = list.len();
    for root in (0..n / 2).rev() {
        sink(list, root, n, &mut key);
    }
    for end in (1..n).rev() {
        swap(list, 0, end);
        sink(list, 0, end, &mut key);
    }
}

/// Lets the value at `at` sink to its place in the heap of the first `n`.
fn sink<T, K: Ord>(list: &mut [T], mut at: usize, n: usize, key: &mut impl FnMut(&T) -> K) {
    loop {
        let left = at.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let mut key_at = |i: usize| {
            let value = list.get(i).filter(|_| i < n);
            value.map(&mut *key)
        };
        // None is below every key.
        let (mut top, here) = (at, key_at(at));
        let l = key_at(left);
        let mut most = here;
        if l > most {
            (top, most) = (left, l);
        }
        if key_at(right) > most {
            top = right;
        }
        if top == at {
            return;
        }
        swap(list, at, top);
        at = top;
    }
}

fn swap<T>(list: &mut [T], a: usize, b: usize) {
    if let Ok([a, b]) = list.get_disjoint_mut([a, b]) {
        core::mem::swap(a, b);
    }
}
