// SPDX-License-Identifier: BSD-2-Clause
//! The control socket: who connects, and what a client may cost.
//!
//! One thread a client, at most [`CLIENTS_MAX`]. Who has begun a frame gets [`FRAME_TIME`] to
//! finish it, and as long to take a reply. Who sends what is no frame is told so and cut off. When
//! all places are taken, the client that has been idle longest makes room, so silent ones can not
//! lock others out.
//!
//! *Locking*: the table of clients is a mutex that is never held over I/O.

use crate::backend::{Backend, Event};
use crate::dispatch::{Then, dispatch};
use crate::log::{Level, say};
use kabi::IntoBytes;
use kabi::Name;
use kabi::ctl::{EVENT, Header, Op};
use libkctl::{Errno, Error, frame};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Connections at a time.
pub const CLIENTS_MAX: usize = 32;
/// For the rest of a frame, once it has begun, and for taking a reply.
pub const FRAME_TIME: Duration = Duration::from_secs(5);

/// What the table knows of a client.
struct Client {
    stream: UnixStream,
    /// When it last had an answer, or connected.
    active: Instant,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// Waits for a request, or for the rest of it.
    Idle,
    /// Gets events.
    Monitor,
    /// A request of it is being done: it is left alone.
    Busy,
}

#[derive(Default)]
struct Table {
    clients: BTreeMap<u64, Client>,
    last: u64,
}

struct Shared {
    table: Mutex<Table>,
    backend: Arc<dyn Backend>,
    shutdown: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, id: u64, state: State) {
        if let Some(c) = self.table().clients.get_mut(&id) {
            c.state = state;
            c.active = Instant::now();
        }
    }

    /// A place for a new client; `None` when every client is busy.
    fn admit(&self, stream: &UnixStream) -> Option<u64> {
        let stream = stream.try_clone().ok()?;
        let mut table = self.table();
        if table.clients.len() >= CLIENTS_MAX {
            let idle = table.clients.iter().filter(|(_, c)| c.state != State::Busy);
            let (&id, _) = idle.min_by_key(|(_, c)| (c.state, c.active))?;
            let gone = table.clients.remove(&id)?;
            // Its thread wakes up from this and ends.
            let _ = gone.stream.shutdown(Shutdown::Both);
            say(
                Level::Notice,
                "control socket: full; the longest idle client was cut off",
            );
        }
        table.last += 1;
        let id = table.last;
        let client = Client {
            stream,
            active: Instant::now(),
            state: State::Idle,
        };
        table.clients.insert(id, client);
        Some(id)
    }
}

/// A socket that is being served.
pub struct Server {
    shared: Arc<Shared>,
    wake: UnixStream,
    thread: JoinHandle<()>,
}

/// Serves `listener` until [`Server::stop`]; `shutdown` is called when a client asks for it.
///
/// # Errors
/// No thread, no descriptor.
pub fn serve(
    listener: UnixListener,
    backend: Arc<dyn Backend>,
    shutdown: impl Fn() + Send + Sync + 'static,
) -> io::Result<Server> {
    let table = Mutex::default();
    let shared = Arc::new(Shared {
        table,
        backend,
        shutdown: Box::new(shutdown),
    });
    let (wake, woken) = UnixStream::pair()?;
    listener.set_nonblocking(true)?;
    let ours = Arc::clone(&shared);
    let name = "control".to_owned();
    let thread = thread::Builder::new()
        .name(name)
        .spawn(move || accept(&listener, &woken, &ours))?;
    Ok(Server {
        shared,
        wake,
        thread,
    })
}

impl Server {
    /// Cuts all clients off and waits for the accepting thread.
    pub fn stop(self) {
        let _ = self.wake.shutdown(Shutdown::Both);
        let _ = self.thread.join();
        for client in self.shared.table().clients.values() {
            let _ = client.stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &UnixListener, woken: &UnixStream, shared: &Arc<Shared>) {
    loop {
        let mut fds = [
            PollFd::new(listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(woken.as_fd(), PollFlags::POLLIN),
        ];
        if poll(&mut fds, PollTimeout::NONE).is_err() {
            continue;
        }
        if fds[1].any() == Some(true) {
            return;
        }
        match listener.accept() {
            Ok((stream, _)) => admit(stream, shared),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => {
                // Out of descriptors, most likely: give others time to go.
                say(Level::Warning, &format!("control socket: {e}"));
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn admit(stream: UnixStream, shared: &Arc<Shared>) {
    let set = stream
        .set_nonblocking(false)
        .and(stream.set_write_timeout(Some(FRAME_TIME)));
    if set.is_err() {
        return;
    }
    let Some(id) = shared.admit(&stream) else {
        refuse(
            &stream,
            Errno::EBUSY,
            "the control socket has all the clients it takes",
        );
        return;
    };
    let ours = Arc::clone(shared);
    let spawned = thread::Builder::new()
        .name(format!("client{id}"))
        .spawn(move || {
            client(&ours, id, &stream);
            ours.table().clients.remove(&id);
        });
    if let Err(e) = spawned {
        say(
            Level::Warning,
            &format!("control socket: no thread for a client: {e}"),
        );
        shared.table().clients.remove(&id);
    }
}

fn refuse(mut stream: &UnixStream, errno: Errno, text: &str) {
    let header = Header {
        errno: errno.0,
        ..Header::request(Op::Version)
    };
    // It may be gone, or not listen: then it misses the sentence.
    let _ = frame::write(&mut stream, header, text.as_bytes());
}

/// Waits for the first byte as long as it takes, and for the rest of a frame [`FRAME_TIME`].
struct Timed<'a> {
    stream: &'a UnixStream,
    deadline: Option<Instant>,
}

impl Read for Timed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self
            .deadline
            .map(|d| d.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(left)?;
        let n = self.stream.read(buf)?;
        self.deadline
            .get_or_insert_with(|| Instant::now() + FRAME_TIME);
        Ok(n)
    }
}

fn client(shared: &Shared, id: u64, mut stream: &UnixStream) {
    loop {
        let (request, payload) = match frame::read(&mut Timed {
            stream,
            deadline: None,
        }) {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(Error::Protocol(what)) => {
                say(
                    Level::Notice,
                    &format!("control socket: a client was cut off: {what}"),
                );
                return refuse(stream, Errno::EINVAL, &what);
            }
            Err(e) => {
                say(
                    Level::Notice,
                    &format!("control socket: a client was cut off: {e}"),
                );
                return;
            }
        };
        shared.set(id, State::Busy);
        // Before the reply goes out: what happens after it is not missed.
        let monitor = request.op == Op::Monitor as u16;
        let events = monitor.then(|| shared.backend.events());
        let (reply, payload, then) = dispatch(&*shared.backend, &request, &payload);
        let sent = frame::write(&mut stream, reply, &payload);
        shared.set(id, State::Idle);
        if let Err(e) = sent {
            say(
                Level::Notice,
                &format!("control socket: a client takes no reply: {e}"),
            );
            return;
        }
        match (then, events) {
            (Then::Monitor, Some(events)) => {
                shared.set(id, State::Monitor);
                return monitoring(stream, &events);
            }
            (Then::Shutdown, _) => (shared.shutdown)(),
            _ => {}
        }
    }
}

/// Sends events until the client goes, or says anything.
fn monitoring(mut stream: &UnixStream, events: &Receiver<Event>) {
    loop {
        match events.recv_timeout(Duration::from_secs(1)) {
            Ok((name, event)) => {
                let mut header = Header::request(Op::Monitor);
                header.op |= EVENT;
                header.ifname = Name::new(&name).unwrap_or(Name::EMPTY);
                if frame::write(&mut stream, header, event.as_bytes()).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let quiet = stream
                    .set_read_timeout(Some(Duration::from_millis(1)))
                    .and_then(|()| stream.read(&mut [0]));
                match quiet {
                    Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                    _ => return,
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
