// SPDX-License-Identifier: BSD-2-Clause
//! GRE as PPTP uses it: version 1 (RFC 2637, 4.1). Of version 0 (RFC 2784, RFC 2890) the key.

use crate::bytes::{get16, get32};
use crate::error::Error;

/// The protocol number of GRE.
pub const IPPROTO_GRE: u8 = 47;
/// What PPTP carries: PPP.
pub const TYPE_PPP: u16 = 0x880b;
/// Where the call id of version 1 stands.
pub const CALL_AT: usize = 6;

const CHECKSUM: u16 = 0x8000;
const KEY: u16 = 0x2000;
const VERSION_MASK: u16 = 0x0007;
/// All but K, S, A and the version are 0 in version 1.
const PPTP_MUST_BE_0: u16 = 0xcf78;

/// A header as far as a filter needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Version 0: any protocol.
    V0 {
        /// EtherType of what is carried.
        ethertype: u16,
        /// The key, which names a flow.
        key: Option<u32>,
    },
    /// Version 1: PPTP's.
    Pptp {
        /// The receiver's name for the call.
        call: u16,
        /// Bytes of payload.
        len: u16,
    },
}

impl Header {
    /// Reads the header at the front of `b`.
    pub fn parse(b: &[u8]) -> Result<Header, Error> {
        let flags = get16(b, 0).ok_or(Error::Short)?;
        let ethertype = get16(b, 2).ok_or(Error::Short)?;
        match flags & VERSION_MASK {
            0 => {
                let at = if flags & CHECKSUM != 0 { 8 } else { 4 };
                let key = match flags & KEY {
                    0 => None,
                    _ => Some(get32(b, at).ok_or(Error::Short)?),
                };
                Ok(Header::V0 { ethertype, key })
            }
            1 => {
                if flags & PPTP_MUST_BE_0 != 0 || flags & KEY == 0 || ethertype != TYPE_PPP {
                    return Err(Error::BadVersion);
                }
                let len = get16(b, 4).ok_or(Error::Short)?;
                let call = get16(b, CALL_AT).ok_or(Error::Short)?;
                Ok(Header::Pptp { call, len })
            }
            _ => Err(Error::BadVersion),
        }
    }
}
