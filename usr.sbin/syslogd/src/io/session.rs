// SPDX-License-Identifier: BSD-2-Clause
//! A stream to or from another host, with TLS or without, that never blocks.

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::Connection;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls_pki_types::ServerName;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::sync::Arc;

/// What TLS holds of what we gave it, at most, besides what it is working on.
const HELD: usize = 64 * 1024;

/// The stream.
pub struct Session {
    socket: TcpStream,
    tls: Option<Box<Connection>>,
    /// The peer said that it is done, or just went.
    ended: bool,
}

impl Session {
    /// Without TLS.
    #[must_use]
    pub fn plain(socket: TcpStream) -> Session {
        Session {
            socket,
            tls: None,
            ended: false,
        }
    }

    fn with(socket: TcpStream, mut tls: Connection) -> Session {
        tls.set_buffer_limit(Some(HELD));
        Session {
            socket,
            tls: Some(Box::new(tls)),
            ended: false,
        }
    }

    /// To a host, that goes by that name.
    ///
    /// # Errors
    /// It is no name.
    pub fn client(
        socket: TcpStream,
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Session> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Session::with(socket, tls.into()))
    }

    /// From a client.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn server(socket: TcpStream, config: &Arc<ServerConfig>) -> io::Result<Session> {
        let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        Ok(Session::with(socket, tls.into()))
    }

    /// Its descriptor, for an event loop.
    #[must_use]
    pub fn raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Whether there is something that has yet to be written to the socket.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Whether data can pass: a handshake is over.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// Reads what has come: 0 bytes at the end.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has; what TLS finds wrong; as read(2).
    pub fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return retried(|| (&self.socket).read(bytes));
        };
        loop {
            match tls.reader().read(bytes) {
                Err(e) if e.kind() == ErrorKind::WouldBlock && !self.ended => {}
                // TLS calls an end without a word unexpected; a log stream has no end to miss.
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(0),
                other => return other,
            }
            match retried(|| tls.read_tls(&mut &self.socket)) {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(e) => return Err(e),
            }
            if let Err(e) = tls.process_new_packets() {
                // The peer is told why, if it can be.
                let _ = tls.write_tls(&mut &self.socket);
                return Err(io::Error::new(ErrorKind::InvalidData, e));
            }
            if tls.wants_write() {
                // It may be that only later there is room for it.
                match retried(|| tls.write_tls(&mut &self.socket)) {
                    Err(e) if e.kind() != ErrorKind::WouldBlock => return Err(e),
                    _ => {}
                }
            }
        }
    }

    /// Takes what it can of the bytes.
    ///
    /// # Errors
    /// `WouldBlock` if it can take none; as write(2).
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return retried(|| (&self.socket).write(bytes));
        };
        if tls.is_handshaking() {
            self.flush()?;
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = tls.writer().write(bytes)?;
        match self.flush() {
            Err(e) if e.kind() != ErrorKind::WouldBlock => Err(e),
            _ if n == 0 => Err(ErrorKind::WouldBlock.into()),
            _ => Ok(n),
        }
    }

    /// Writes to the socket what TLS has for it.
    ///
    /// # Errors
    /// `WouldBlock` if not all could be written; as write(2).
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        while tls.wants_write() {
            if retried(|| tls.write_tls(&mut &self.socket))? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Says that no more will come, as far as that can be said at once.
    pub fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        // The peer finds out anyway.
        let _ = self.flush();
    }
}

fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
