// SPDX-License-Identifier: BSD-2-Clause
//! The host kernel's side of the way: requests and replies, over a socket or in one process.

use crate::{Errno, Error, Result, frame};
use kabi::ctl::Header;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Takes a request and gives the reply to it.
///
/// The control socket does; so does the host kernel process itself, for what its configuration
/// says.
pub trait Transport: Send {
    /// One request, one reply.
    ///
    /// # Errors
    /// Only that the way is broken; a refusal is a reply with `errno` set.
    fn call(&mut self, header: Header, payload: &[u8]) -> Result<(Header, Vec<u8>)>;

    /// The next frame that comes without having been asked for.
    ///
    /// # Errors
    /// Where there is none, and when the way is broken.
    fn event(&mut self) -> Result<(Header, Vec<u8>)> {
        Err(Error::Argument("no events this way".into()))
    }
}

/// How long a host kernel may take for one request.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a control socket.
pub(crate) struct Client {
    stream: UnixStream,
    seq: u32,
}

impl Client {
    pub(crate) fn connect(path: &Path) -> std::io::Result<Client> {
        let stream = UnixStream::connect(path)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream, seq: 0 })
    }
}

impl Transport for Client {
    fn call(&mut self, mut header: Header, payload: &[u8]) -> Result<(Header, Vec<u8>)> {
        self.seq = self.seq.wrapping_add(1);
        header.seq = self.seq;
        self.stream.set_read_timeout(Some(PATIENCE))?;
        // A server that refuses at once may close before it has read: its reply says why.
        let sent = frame::write(&mut self.stream, header, payload);
        let reply = frame::read(&mut self.stream);
        let (reply, payload) = match (sent, reply) {
            (_, Ok(Some(reply))) => reply,
            (Err(e), _) | (Ok(()), Err(e)) => return Err(e),
            (Ok(()), Ok(None)) => {
                return Err(Error::Protocol("the host kernel closed it".into()));
            }
        };
        if reply.seq != header.seq && reply.errno == 0 {
            return Err(Error::Protocol("a reply to another request".into()));
        }
        Ok((reply, payload))
    }

    fn event(&mut self) -> Result<(Header, Vec<u8>)> {
        self.stream.set_read_timeout(None)?;
        frame::read(&mut self.stream)?
            .ok_or_else(|| Error::Protocol("the host kernel closed it".into()))
    }
}

/// A reply as a result.
pub(crate) fn accept(reply: (Header, Vec<u8>)) -> Result<(Header, Vec<u8>)> {
    let (header, payload) = reply;
    if header.errno == 0 {
        return Ok((header, payload));
    }
    // What a kernel says goes to a terminal: no control characters.
    let text: String = String::from_utf8_lossy(&payload)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    Err(Error::Errno {
        errno: Errno(header.errno),
        text,
    })
}
