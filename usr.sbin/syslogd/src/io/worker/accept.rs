// SPDX-License-Identifier: BSD-2-Clause
//! The worker accepts connections: of senders and of readers.

use super::CLIENT;
use super::Reader;
use super::STREAM;
use super::Worker;
use super::inlet::Inlet;
use super::token;
use crate::io::control;
use crate::io::control::Client;
use crate::io::session::Session;
use crate::io::streams::New;
use crate::privsep::wire::Input;
use liblog::Clocks;
use liblog::Severity;
use socket2::SockRef;
use socket2::TcpKeepalive;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Connections that are accepted in a round.
const ACCEPTS: usize = 64;
/// A sender that said nothing for so long is asked whether it is there,
const IDLE: Duration = Duration::from_secs(60);
/// and again after so long, as often as the system does.
const AGAIN: Duration = Duration::from_secs(20);

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
                            _ => self.take_stream(input, socket, from.as_socket(), now),
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
        now: Clocks,
    ) -> io::Result<()> {
        let Some(core) = &mut self.core else {
            return Ok(());
        };
        let from = from.ok_or(ErrorKind::InvalidInput)?;
        if !core.rules.may(input, from) {
            return Err(io::Error::other(format!(
                "{from}: not among those who may send"
            )));
        }
        // A sender that is gone without a word gives its place free after some minutes.
        let alive = TcpKeepalive::new().with_time(IDLE).with_interval(AGAIN);
        socket.set_tcp_keepalive(&alive)?;
        let socket = TcpStream::from(socket);
        let session = match (input, &core.server) {
            (Input::Tls, Some(config)) => Session::server(socket, config)?,
            (Input::Tls, None) => return Err(io::Error::other("TLS is not set up")),
            _ => Session::plain(socket),
        };
        let message = core.rules.message;
        let mut inlet = Inlet {
            core,
            registry: self.poll.registry(),
            now,
        };
        let new = New {
            session,
            from,
            input,
            message,
        };
        // One that is refused is counted, and told with others.
        let Some(at) = self.streams.add(new, now.mono, &mut inlet) else {
            return Ok(());
        };
        let fd = self.streams.raw_fd(at).unwrap_or(-1);
        let watched = inlet.watch(fd, token(STREAM, at));
        watched.inspect_err(|_| self.streams.close(at, &mut inlet))
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
