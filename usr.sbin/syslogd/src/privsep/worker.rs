// SPDX-License-Identifier: BSD-2-Clause
//! The worker as the parent sees it: a process of this same program, with one end of a socket
//! pair as its standard input.

use crate::privsep::wire::Requests;
use crate::privsep::wire::ToWorker;
use crate::privsep::wire::Want;
use crate::privsep::wire::say;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

/// A worker that does not listen for so long hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    socket: UnixStream,
    requests: Requests,
}

/// This program, also after its file was replaced where the system can find it then.
fn program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe()
}

impl Worker {
    /// Starts one; what it has to say goes to our standard error, if `loud`.
    ///
    /// # Errors
    /// As fork(2) and exec(2).
    pub fn start(loud: bool) -> io::Result<Worker> {
        let (ours, its) = UnixStream::pair()?;
        ours.set_write_timeout(Some(PATIENCE))?;
        let mut command = Command::new(program()?);
        command
            .arg0("syslogd")
            .arg("--worker")
            .env_clear()
            .stdin(OwnedFd::from(its))
            .stdout(Stdio::null())
            .stderr(if loud {
                Stdio::inherit()
            } else {
                Stdio::null()
            })
            // A ^C at the terminal is for the parent, which ends the worker in order.
            .process_group(0);
        for name in ["TZ", "RUST_BACKTRACE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        Ok(Worker {
            child: command.spawn()?,
            socket: ours,
            requests: Requests::default(),
        })
    }

    /// What to wait for.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it something.
    ///
    /// # Errors
    /// It is gone or hangs.
    pub fn tell(
        &self,
        generation: u32,
        what: &ToWorker,
        with: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        say(&self.socket, generation, what, with)
    }

    /// What it wants, if it wants something.
    ///
    /// # Errors
    /// It is gone, or says what no worker says.
    pub fn wants(&mut self) -> io::Result<Option<(Want, u32)>> {
        self.requests.next(self.socket.as_fd())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end and waits; kills it when it does not for so long.
    pub fn stop(mut self, patience: Duration) -> Option<ExitStatus> {
        // It reads the end of the stream.
        let _ = self.socket.shutdown(Shutdown::Write);
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            std::thread::sleep(LOOK);
        }
        self.kill()
    }

    /// Ends it at once; how it ended.
    pub fn kill(mut self) -> Option<ExitStatus> {
        // It may have ended already.
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}
