// SPDX-License-Identifier: BSD-2-Clause
//! TFTP's first datagram (RFC 1350): the answer comes from another port.

/// The port that requests go to.
pub const PORT: u16 = 69;
/// The longest request that is taken for one.
pub const MAX_REQUEST: usize = 512;

/// A read or write request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Whether the client writes.
    pub write: bool,
    /// The file's name.
    pub file: &'a [u8],
    /// The mode: `netascii`, `octet` or `mail`, in any case of letters.
    pub mode: &'a [u8],
}

/// The request that a UDP payload is, `None` for anything else.
pub fn parse(payload: &[u8]) -> Option<Request<'_>> {
    let payload = payload
        .get(..payload.len().min(MAX_REQUEST))
        .unwrap_or(payload);
    let (&opcode, rest) = payload.split_first_chunk::<2>()?;
    let write = match opcode {
        [0, 1] => false,
        [0, 2] => true,
        _ => return None,
    };
    let (file, rest) = string(rest)?;
    let (mode, _) = string(rest)?;
    let known = [&b"netascii"[..], b"octet", b"mail"];
    let right = known.iter().any(|k| mode.eq_ignore_ascii_case(k));
    (right && !file.is_empty()).then_some(Request { write, file, mode })
}

/// What stands before the next 0, and what behind.
fn string(b: &[u8]) -> Option<(&[u8], &[u8])> {
    let n = b.iter().position(|&c| c == 0)?;
    let (front, rest) = b.split_at_checked(n)?;
    Some((front, rest.get(1..)?))
}
