// SPDX-License-Identifier: BSD-2-Clause
//! Little-endian numbers out of bytes that may be too short.

/// A 32-bit number.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*part))
}

/// A 64-bit number.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let part = bytes.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*part))
}

/// The bytes up to a NUL.
pub(crate) fn string(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}
