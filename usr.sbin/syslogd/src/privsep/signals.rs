// SPDX-License-Identifier: BSD-2-Clause
//! Signals of the parent, as things that are ready to be read.

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::poll::poll;
use signal_hook::consts::SIGCHLD;
use signal_hook::consts::SIGHUP;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;
use std::io;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What came since it was last asked for.
#[derive(Debug)]
pub struct Signals {
    end: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
    child: Arc<AtomicBool>,
    ours: UnixStream,
    theirs: UnixStream,
}

impl Signals {
    /// From now on these signals do not end the process.
    ///
    /// # Errors
    /// As sigaction(2).
    pub fn new() -> io::Result<Signals> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        let signals = Signals {
            end: Arc::default(),
            reload: Arc::default(),
            child: Arc::default(),
            ours,
            theirs,
        };
        for (signal, flag) in [
            (SIGTERM, &signals.end),
            (SIGINT, &signals.end),
            (SIGHUP, &signals.reload),
            (SIGCHLD, &signals.child),
        ] {
            // The flag first: who wakes up finds it set.
            signal_hook::flag::register(signal, Arc::clone(flag))?;
            signal_hook::low_level::pipe::register(signal, signals.theirs.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Whether to end.
    #[must_use]
    pub fn end(&self) -> bool {
        self.end.load(Ordering::SeqCst)
    }

    /// Whether to read the configuration again.
    #[must_use]
    pub fn reload(&self) -> bool {
        self.reload.swap(false, Ordering::SeqCst)
    }

    /// Whether a child ended.
    #[must_use]
    pub fn child(&self) -> bool {
        self.child.swap(false, Ordering::SeqCst)
    }

    /// A byte written there ends a wait.
    #[must_use]
    pub fn waker(&self) -> &UnixStream {
        &self.theirs
    }

    /// Waits for a signal, for something to read, or until the time is over.
    ///
    /// # Errors
    /// As poll(2).
    pub fn wait(
        &mut self,
        other: Option<BorrowedFd<'_>>,
        most: Option<Duration>,
    ) -> io::Result<()> {
        let timeout = match most {
            None => PollTimeout::NONE,
            // Rounded up: not too early.
            Some(time) => {
                PollTimeout::try_from(time + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
            }
        };
        {
            let ours = PollFd::new(self.ours.as_fd(), PollFlags::POLLIN);
            let other = other.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let result = match other {
                Some(other) => poll(&mut [ours, other], timeout),
                None => poll(&mut [ours], timeout),
            };
            match result {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        let mut bytes = [0; 64];
        while self.ours.read(&mut bytes).is_ok_and(|n| n == bytes.len()) {}
        Ok(())
    }
}
