// SPDX-License-Identifier: BSD-2-Clause
//! A thread that waits for many descriptors of one sort and serves those that are ready.
//!
//! *Contexts*: all of [`Poller`] thread; [`Source::ready`] runs on the poller's own thread, in its
//! kernel. *Locking*: the table's mutex is held for a look-up or a change, never while a source is
//! served. [`Poller::barrier`] waits until what was being served when it was called is done.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{JoinHandle, ThreadId};

use crate::home::Home;
use crate::os::{check, check_len};
use crate::sync::{lock, wait};

/// Events taken at once.
const EVENTS: usize = 16;
/// Marks the descriptor that wakes the poller for its own sake.
const WAKE: u64 = u64::MAX;

/// What a poller serves.
pub trait Source: Send + Sync + 'static {
    /// Buffers that the poller's thread keeps for all sources.
    type Work: Default;

    /// Readable when there is something to do.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Do a bounded part of what there is to do; called again while more is there.
    fn ready(&self, work: &mut Self::Work);
}

/// Names a source within its poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(u64);

/// Sources by slot; tokens are never used again.
struct Table<S> {
    sources: Vec<(u64, Arc<S>)>,
    last: u64,
    thread: Option<JoinHandle<()>>,
    thread_id: Option<ThreadId>,
}

#[derive(Default)]
struct Barrier {
    asked: u64,
    done: u64,
    /// The thread has ended: nothing is served any more.
    over: bool,
}

struct Inner<S> {
    epoll: OwnedFd,
    wake: OwnedFd,
    table: Mutex<Table<S>>,
    /// Something besides sources wants the thread's attention.
    called: AtomicBool,
    stop: AtomicBool,
    barrier: Mutex<Barrier>,
    passed: Condvar,
}

/// See the module's text. Its thread starts with the first source, and ends with the poller.
pub struct Poller<S: Source> {
    name: &'static str,
    inner: Arc<Inner<S>>,
}

impl<S: Source> fmt::Debug for Poller<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn watch(epoll: &OwnedFd, fd: BorrowedFd, token: u64) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: libc::EPOLLIN as u32,
        u64: token,
    };
    let (epoll, fd) = (epoll.as_raw_fd(), fd.as_raw_fd());
    // SAFETY: event outlives the call.
    check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) }).map(drop)
}

impl<S: Source> Poller<S> {
    /// A poller without sources; its thread will have this name.
    pub fn new(name: &'static str) -> io::Result<Poller<S>> {
        let (epoll, wake) = (epoll()?, eventfd()?);
        watch(&epoll, wake.as_fd(), WAKE)?;
        let table = Table {
            sources: Vec::new(),
            last: 0,
            thread: None,
            thread_id: None,
        };
        let inner = Inner {
            epoll,
            wake,
            table: Mutex::new(table),
            called: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            barrier: Mutex::default(),
            passed: Condvar::new(),
        };
        Ok(Poller {
            name,
            inner: Arc::new(inner),
        })
    }

    /// Serve `source` from now on, in the kernel `home`.
    pub fn add(&self, home: &Arc<Home>, source: &Arc<S>) -> io::Result<Token> {
        let mut table = lock(&self.inner.table);
        if table.thread.is_none() {
            let (inner, home) = (Arc::clone(&self.inner), Arc::clone(home));
            let body = move || home.enter(|| inner.run());
            let thread = std::thread::Builder::new()
                .name(self.name.to_owned())
                .spawn(body)?;
            table.thread_id = Some(thread.thread().id());
            table.thread = Some(thread);
        }
        table.last += 1;
        let token = table.last;
        watch(&self.inner.epoll, source.fd(), token)?;
        table.sources.push((token, Arc::clone(source)));
        Ok(Token(token))
    }

    /// No more of this source; what is being served may still be running, see
    /// [`Poller::barrier`].
    pub fn remove(&self, token: Token) {
        let mut table = lock(&self.inner.table);
        let Some(at) = table.sources.iter().position(|(t, _)| *t == token.0) else {
            return;
        };
        let (_, source) = table.sources.swap_remove(at);
        let (epoll, fd) = (self.inner.epoll.as_raw_fd(), source.fd().as_raw_fd());
        // SAFETY: a null event is what EPOLL_CTL_DEL takes. It fails only for an fd not watched.
        unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) };
        // The caller has a reference too: the descriptor is not closed under the lock.
        drop(table);
    }

    /// Wait until everything that was being served has been, output included. Called by the
    /// poller's own thread it does nothing.
    pub fn barrier(&self) {
        {
            let table = lock(&self.inner.table);
            if table.thread.is_none() || table.thread_id == Some(std::thread::current().id()) {
                return;
            }
        }
        let mut barrier = lock(&self.inner.barrier);
        barrier.asked += 1;
        let ticket = barrier.asked;
        self.inner.call();
        while barrier.done < ticket && !barrier.over {
            barrier = wait(&self.inner.passed, barrier);
        }
    }
}

impl<S: Source> Drop for Poller<S> {
    fn drop(&mut self) {
        self.inner.stop.store(true, Ordering::Release);
        self.inner.call();
        let thread = lock(&self.inner.table).thread.take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic there has been reported already.
            let _ = thread.join();
        }
    }
}

impl<S: Source> Inner<S> {
    /// Make the thread look at `stop` and `barrier`.
    fn call(&self) {
        self.called.store(true, Ordering::Release);
        let one = 1u64;
        // SAFETY: eight bytes that outlive the call. It fails only when the count is at its
        // maximum, and then the thread is awake.
        unsafe { libc::write(self.wake.as_raw_fd(), std::ptr::from_ref(&one).cast(), 8) };
    }

    fn answer(&self) {
        let mut count = 0u64;
        let at = std::ptr::from_mut(&mut count).cast();
        // SAFETY: eight bytes that outlive the call; EAGAIN is as good.
        let _ = check_len(unsafe { libc::read(self.wake.as_raw_fd(), at, 8) });
        let mut barrier = lock(&self.barrier);
        barrier.done = barrier.asked;
        self.passed.notify_all();
    }

    fn run(&self) {
        let mut work = S::Work::default();
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let mut found: Vec<Arc<S>> = Vec::with_capacity(EVENTS);
        // Also when a source panics: nobody must wait for us then.
        let _over = Over(self);
        while !self.stop.load(Ordering::Acquire) {
            let (fd, at) = (self.epoll.as_raw_fd(), events.as_mut_ptr());
            // SAFETY: room for EVENTS events that outlives the call.
            let n = check(unsafe { libc::epoll_wait(fd, at, EVENTS as i32, -1) }).unwrap_or(0);
            {
                let table = lock(&self.table);
                for event in events.iter().take(n as usize) {
                    let token = event.u64;
                    let source = table.sources.iter().find(|(t, _)| *t == token);
                    found.extend(source.map(|(_, source)| Arc::clone(source)));
                }
            }
            for source in found.drain(..) {
                source.ready(&mut work);
            }
            // Here nothing is being served and nothing is held.
            if self.called.swap(false, Ordering::AcqRel) {
                self.answer();
            }
        }
    }
}

struct Over<'a, S>(&'a Inner<S>);

impl<S> Drop for Over<'_, S> {
    fn drop(&mut self) {
        lock(&self.0.barrier).over = true;
        self.0.passed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockKind;
    use crate::home;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::AtomicU64;

    struct Counter {
        stream: UnixStream,
        bytes: AtomicU64,
    }

    impl Source for Counter {
        type Work = ();

        fn fd(&self) -> BorrowedFd<'_> {
            self.stream.as_fd()
        }

        fn ready(&self, (): &mut ()) {
            let mut byte = [0; 1];
            if matches!((&self.stream).read(&mut byte), Ok(1)) {
                self.bytes.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn serves_until_removed_and_ends() {
        let home = home::for_test(ClockKind::Real);
        let poller = Poller::new("test").expect("a poller");
        poller.barrier();
        let (near, mut far) = UnixStream::pair().expect("a pair");
        let counter = Arc::new(Counter {
            stream: near,
            bytes: AtomicU64::new(0),
        });
        let token = poller.add(&home, &counter).expect("added");
        far.write_all(&[0; 10]).expect("written");
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while counter.bytes.load(Ordering::Relaxed) < 10 && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(counter.bytes.load(Ordering::Relaxed), 10);
        poller.remove(token);
        poller.barrier();
        far.write_all(&[0; 10]).expect("written");
        poller.barrier();
        assert_eq!(counter.bytes.load(Ordering::Relaxed), 10);
        drop(poller);
        assert_eq!(Arc::strong_count(&counter), 1);
    }
}
