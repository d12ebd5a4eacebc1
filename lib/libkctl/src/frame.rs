// SPDX-License-Identifier: BSD-2-Clause
//! Reads and writes the frames of a control socket; both sides use it.

use crate::{Error, Result};
use kabi::IntoBytes;
use kabi::ctl::{Header, PAYLOAD_MAX};
use std::io::{ErrorKind, Read, Write};

/// Reads one frame; `None` when the stream ended before it began.
///
/// # Errors
/// [`Error::Protocol`] for what is no frame, before any of its payload is read; [`Error::Io`].
pub fn read(from: &mut impl Read) -> Result<Option<(Header, Vec<u8>)>> {
    let mut head = [0; Header::SIZE];
    let mut have = 0;
    while have < head.len() {
        match from.read(&mut head[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(Error::Protocol("it ended within a frame".into())),
            Ok(n) => have += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    let header = Header::parse(&head).map_err(|e| Error::Protocol(e.to_string()))?;
    // Bounded by Header::parse, so a length can not make us allocate at will.
    let mut payload = vec![0; header.len as usize];
    from.read_exact(&mut payload).map_err(|e| match e.kind() {
        ErrorKind::UnexpectedEof => Error::Protocol("it ended within a frame".into()),
        _ => Error::Io(e),
    })?;
    Ok(Some((header, payload)))
}

/// Writes one frame; `header.len` is set here.
///
/// # Errors
/// [`Error::Argument`] for a payload over [`PAYLOAD_MAX`], with nothing written; [`Error::Io`].
pub fn write(to: &mut impl Write, mut header: Header, payload: &[u8]) -> Result {
    if payload.len() > PAYLOAD_MAX {
        let n = payload.len();
        return Err(Error::Argument(format!(
            "{n} bytes of payload, at most {PAYLOAD_MAX}"
        )));
    }
    header.len = u32::try_from(payload.len()).map_err(|e| Error::Argument(e.to_string()))?;
    // One write, so that a short frame is one segment of the stream.
    let mut bytes = Vec::with_capacity(Header::SIZE + payload.len());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(payload);
    to.write_all(&bytes)?;
    to.flush()?;
    Ok(())
}
