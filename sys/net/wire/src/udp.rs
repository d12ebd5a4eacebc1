// SPDX-License-Identifier: BSD-2-Clause
//! The UDP header (RFC 768).

use crate::cksum::Sum;
use crate::error::{Error, Short};
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes in the header.
pub const HEADER_LEN: usize = 8;

/// The header as it lies on the wire.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Source port.
    pub sport: U16,
    /// Destination port.
    pub dport: U16,
    /// Bytes in the datagram, header included.
    pub len: U16,
    /// Checksum over pseudo-header and datagram; 0 means none (IPv4 only).
    pub cksum: U16,
}

impl Header {
    /// A header for `payload`. `pseudo` starts the checksum (see [`Sum::pseudo4`] and
    /// [`Sum::pseudo6`]); `None` leaves it out. A payload too long is [`Error::BadLength`].
    pub fn new(
        sport: u16,
        dport: u16,
        payload: &[u8],
        pseudo: Option<Sum>,
    ) -> Result<Header, Error> {
        let len = payload
            .len()
            .checked_add(HEADER_LEN)
            .ok_or(Error::BadLength)?;
        let len = u16::try_from(len).map_err(|_| Error::BadLength)?;
        let (sport, dport, len) = (U16::new(sport), U16::new(dport), U16::new(len));
        let mut header = Header {
            sport,
            dport,
            len,
            cksum: U16::ZERO,
        };
        if let Some(sum) = pseudo {
            // A sum of 0 is sent as its other representation, for 0 means that there is none.
            header.cksum = match sum.bytes(header.as_bytes()).bytes(payload).finish() {
                0 => U16::MAX_VALUE,
                sum => U16::new(sum),
            };
        }
        Ok(header)
    }

    /// The header at the front of `b`, and the payload: no longer than the header says, and
    /// shorter if the slice is.
    pub fn parse(b: &[u8]) -> Result<(&Header, &[u8]), Error> {
        let (header, rest) = Header::ref_from_prefix(b).map_err(|_| Error::Short)?;
        let len = usize::from(header.len.get())
            .checked_sub(HEADER_LEN)
            .ok_or(Error::BadLength)?;
        Ok((header, rest.get(..len).unwrap_or(rest)))
    }

    /// Writes the header to the front of `out`.
    pub fn emit(&self, out: &mut [u8]) -> Result<(), Short> {
        self.write_to_prefix(out).map_err(|_| Short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRC: [u8; 4] = [192, 0, 2, 1];
    const DST: [u8; 4] = [192, 0, 2, 2];

    #[test]
    fn golden_header() {
        let h = Header::new(1701, 5678, &[1, 2, 3], None).unwrap();
        let mut b = [0xee; 12];
        h.emit(&mut b).unwrap();
        assert_eq!(b[..8], [0x06, 0xa5, 0x16, 0x2e, 0, 11, 0, 0]);
        assert_eq!(Header::parse(&b).unwrap(), (&h, &[0xee; 3][..]));
        for n in 0..HEADER_LEN {
            assert_eq!(Header::parse(&b[..n]), Err(Error::Short));
            assert_eq!(h.emit(&mut b[..n]), Err(Short));
        }
    }

    #[test]
    fn checksum_verifies() {
        let payload = [0xde, 0xad, 0xbe];
        let pseudo = Sum::pseudo4(SRC, DST, 17, 11);
        let h = Header::new(1701, 1701, &payload, Some(pseudo)).unwrap();
        assert_eq!(pseudo.bytes(h.as_bytes()).bytes(&payload).finish(), 0);
    }

    #[test]
    fn checksum_zero_is_sent_as_ones() {
        // Choose the payload so that the sum comes out 0.
        let pseudo = Sum::pseudo4(SRC, DST, 17, 10);
        let bare = Header::new(1, 2, &[0, 0], Some(pseudo)).unwrap();
        let h = Header::new(1, 2, &bare.cksum.to_bytes(), Some(pseudo)).unwrap();
        assert_eq!(h.cksum.get(), 0xffff);
    }

    #[test]
    fn lengths_that_lie() {
        for (len, want) in [
            (7, Err(Error::BadLength)),
            (8, Ok(0)),
            (10, Ok(2)),
            (999, Ok(4)),
        ] {
            let b = [0, 1, 0, 2, (len >> 8) as u8, len as u8, 0, 0, 9, 9, 9, 9];
            assert_eq!(Header::parse(&b).map(|(_, p)| p.len()), want);
        }
        let long = [0; 65_528];
        assert!(Header::new(1, 2, &long[1..], None).is_ok());
        assert_eq!(Header::new(1, 2, &long, None), Err(Error::BadLength));
    }
}
