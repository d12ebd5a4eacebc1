// SPDX-License-Identifier: BSD-2-Clause
//! Plain old data: structs that are their bytes.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A struct that crosses between kernel and userland as its bytes: no padding, no pointer, every
/// bit pattern valid.
///
/// Implemented for whatever derives zerocopy's four traits and `Copy`; zerocopy refuses hidden
/// padding, enums and bools at compile time.
///
/// ```
/// use kabi::{FromBytes, Immutable, IntoBytes, KnownLayout, Pod};
///
/// #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[zerocopy(crate = "kabi::zerocopy")]
/// #[repr(C)]
/// struct Mtu {
///     value: u32,
///     pad: u32,
/// }
/// fn is_pod<T: Pod>() {}
/// is_pod::<Mtu>();
/// ```
pub trait Pod: FromBytes + IntoBytes + Immutable + KnownLayout + Copy + 'static {}

impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + Copy + 'static> Pod for T {}

/// The `T` that `bytes` starts with; `None` when there are too few of them.
#[must_use]
pub fn read_pod<T: Pod>(bytes: &[u8]) -> Option<T> {
    T::read_from_prefix(bytes).ok().map(|(value, _)| value)
}

/// Puts `value` at the start of `bytes`; `None`, and nothing written, when it does not fit.
#[must_use]
pub fn write_pod<T: Pod>(value: &T, bytes: &mut [u8]) -> Option<()> {
    value.write_to_prefix(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_buffers_are_refused_and_left_alone() {
        let mut buf = [7u8; 3];
        assert_eq!(write_pod(&1u32, &mut buf), None);
        assert_eq!(buf, [7; 3]);
        assert_eq!(read_pod::<u32>(&buf), None);
    }

    #[test]
    fn odd_addresses_are_fine() {
        let mut buf = [0u8; 9];
        assert_eq!(
            write_pod(&0x0102_0304_0506_0708u64, &mut buf[1..]),
            Some(())
        );
        assert_eq!(read_pod::<u64>(&buf[1..]), Some(0x0102_0304_0506_0708));
    }
}
