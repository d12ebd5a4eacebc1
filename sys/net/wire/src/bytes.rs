// SPDX-License-Identifier: BSD-2-Clause
//! Numbers in network order at an offset, read and written without a way to panic.

/// The `N` bytes at `at`.
#[inline]
pub(crate) fn chunk<const N: usize>(b: &[u8], at: usize) -> Option<&[u8; N]> {
    b.get(at..)?.first_chunk()
}

/// The `N` bytes at `at`, to be written.
#[inline]
pub(crate) fn chunk_mut<const N: usize>(b: &mut [u8], at: usize) -> Option<&mut [u8; N]> {
    b.get_mut(at..)?.first_chunk_mut()
}

/// The 16-bit number at `at`.
#[inline]
pub(crate) fn get16(b: &[u8], at: usize) -> Option<u16> {
    chunk(b, at).map(|v| u16::from_be_bytes(*v))
}

/// The 32-bit number at `at`.
#[inline]
pub(crate) fn get32(b: &[u8], at: usize) -> Option<u32> {
    chunk(b, at).map(|v| u32::from_be_bytes(*v))
}

/// Writes a 16-bit number at `at`, if there is room.
#[inline]
pub(crate) fn put16(b: &mut [u8], at: usize, value: u16) {
    if let Some(place) = chunk_mut(b, at) {
        *place = value.to_be_bytes();
    }
}

/// Copies as many bytes as both have.
#[inline]
pub fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Moves `b[from..end]` to `to`, as far as there is room; they may overlap.
pub(crate) fn slide(b: &mut [u8], from: usize, end: usize, to: usize) {
    let mut one = |i: usize| {
        let byte = b.get(plus(from, i)).copied();
        if let (Some(byte), Some(place)) = (byte, b.get_mut(plus(to, i))) {
            *place = byte;
        }
    };
    let n = end.saturating_sub(from);
    if to > from {
        (0..n).rev().for_each(&mut one);
    } else {
        (0..n).for_each(one);
    }
}

/// `a + b`, for offsets: they are far from where a `usize` ends.
#[inline]
pub(crate) const fn plus(a: usize, b: usize) -> usize {
    a.saturating_add(b)
}
