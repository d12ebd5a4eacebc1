// SPDX-License-Identifier: BSD-2-Clause
//! The worker accepts connections: of senders and of readers.

use super::CLIENT;
use super::Reader;
use super::STREAM;
use super::Worker;
use super::token;
use crate::io::control;
use crate::io::control::Client;
use crate::io::session::Session;
use crate::io::streams;
use crate::privsep::wire::Input;
use liblog::Clocks;
use liblog::Severity;
use socket2::SockRef;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Connections that are accepted in a round.
const ACCEPTS: usize = 64;

impl Worker {
    pub(super) fn accept(&mut self, now: Clocks) {
        let sources = self.core.as_ref().map_or(0, |core| core.sources.len());
        for n in 0..sources {
            for _ in 0..ACCEPTS {
                let Some(source) = self.core.as_mut().and_then(|c| c.sources.get_mut(n)) else {
                    return;
                };
                if !source.ready || !source.input().accepts() {
                    break;
                }
                let input = source.input();
                match SockRef::from(source.file()).accept() {
                    Ok((socket, from)) => {
                        let fits = socket.set_nonblocking(true);
                        let taken = fits.and_then(|()| match input {
                            Input::Control => self.take_reader(UnixStream::from(socket)),
                            _ => self.take_stream(input, socket, from.as_socket()),
                        });
                        if let Err(e) = taken {
                            self.say(Severity::NOTICE, "CONNECTION", &e.to_string(), now);
                        }
                    }
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => {
                        // One that is gone before it is accepted leaves the others waiting.
                        if e.kind() != ErrorKind::ConnectionAborted {
                            source.ready = false;
                        }
                        if e.kind() != ErrorKind::WouldBlock {
                            self.say(Severity::WARNING, "ACCEPT", &e.to_string(), now);
                        }
                    }
                }
            }
        }
    }

    fn take_stream(
        &mut self,
        input: Input,
        socket: socket2::Socket,
        from: Option<std::net::SocketAddr>,
    ) -> io::Result<()> {
        let Some(core) = &self.core else {
            return Ok(());
        };
        let from = from.ok_or(ErrorKind::InvalidInput)?;
        if !core.rules.may(input, from) {
            return Err(io::Error::other(format!(
                "{from}: not among those who may send"
            )));
        }
        // A sender that is gone without a word gives its place free some time.
        socket.set_keepalive(true)?;
        let socket = TcpStream::from(socket);
        let session = match (input, &core.server) {
            (Input::Tls, Some(config)) => Session::server(socket, config)?,
            (Input::Tls, None) => return Err(io::Error::other("TLS is not set up")),
            _ => Session::plain(socket),
        };
        let Some(at) = self.streams.add(session, from, core.rules.message) else {
            return Err(io::Error::other(format!(
                "{from}: more than {} connections",
                streams::MOST
            )));
        };
        if self.stream_state.len() <= at {
            self.stream_state.resize(at + 1, (false, input));
        }
        if let Some(state) = self.stream_state.get_mut(at) {
            *state = (true, input);
        }
        let fd = self.streams.raw_fd(at).unwrap_or(-1);
        self.watch(fd, token(STREAM, at))
            .inspect_err(|_| self.streams.close(at))
    }

    fn take_reader(&mut self, socket: UnixStream) -> io::Result<()> {
        let peer = libsys::peer::of(socket.as_fd())?;
        let free = self.readers.iter().position(Option::is_none);
        let at = match free {
            Some(at) => at,
            None if self.readers.len() < control::MOST => {
                self.readers.push(None);
                self.readers.len() - 1
            }
            None => {
                // It is told if it can be told at once.
                let _ = (&socket).write(b"{\"error\":\"too many readers\",\"code\":\"busy\"}\n");
                return Err(io::Error::other("too many readers at the control socket"));
            }
        };
        let client = Client::new(socket, peer);
        self.watch(client.raw_fd(), token(CLIENT, at))?;
        if let Some(slot) = self.readers.get_mut(at) {
            *slot = Some(Reader {
                client,
                ready: true,
            });
        }
        Ok(())
    }
}
