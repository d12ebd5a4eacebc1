// SPDX-License-Identifier: BSD-2-Clause
//! The commands that messages are piped to: one at a time for each output.

use crate::privsep::outputs::start;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::Duration;
use std::time::Instant;

/// A command that ends at once is not started more often.
const PAUSE: Duration = Duration::from_secs(1);

/// A command, running or not.
#[derive(Debug)]
struct Pipe {
    command: String,
    started: Instant,
    child: Option<Child>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Pipes(Vec<Pipe>);

impl Pipes {
    /// Starts a command, unless it runs still: then it is asked to end, for the worker has lost
    /// its end of the pipe.
    ///
    /// # Errors
    /// It runs still, or ran a moment ago; as fork(2).
    pub fn open(&mut self, command: &str) -> io::Result<OwnedFd> {
        self.reap();
        let now = Instant::now();
        if let Some(pipe) = self.0.iter().find(|pipe| pipe.command == command) {
            if let Some(child) = &pipe.child {
                if let Ok(pid) = i32::try_from(child.id()) {
                    // It may have ended since.
                    let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
                }
                return Err(io::Error::other("the command runs still"));
            }
            if now.duration_since(pipe.started) < PAUSE {
                return Err(io::Error::other("the command ended at once"));
            }
        }
        let (child, fd) = start(command)?;
        self.0.retain(|pipe| pipe.command != command);
        self.0.push(Pipe {
            command: command.to_owned(),
            started: now,
            child: Some(child),
        });
        Ok(fd)
    }

    /// Takes note of those that have ended.
    pub fn reap(&mut self) {
        for pipe in &mut self.0 {
            if let Some(child) = &mut pipe.child
                && !matches!(child.try_wait(), Ok(None))
            {
                pipe.child = None;
            }
        }
        // An old one is forgotten: a configuration that no longer has it is not known here.
        self.0
            .retain(|pipe| pipe.child.is_some() || pipe.started.elapsed() < PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let mut pipes = Pipes::default();
        let fd = pipes.open("cat >/dev/null").expect("started");
        assert!(pipes.open("cat >/dev/null").is_err(), "it runs");
        drop(fd);
        let start = Instant::now();
        let mut again = pipes.open("cat >/dev/null");
        while again.is_err() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
            again = pipes.open("cat >/dev/null");
        }
        again.expect("started again");
        assert!(start.elapsed() >= Duration::from_millis(900));
        while !pipes.0.is_empty() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
            pipes.reap();
        }
        assert!(pipes.0.is_empty());
    }
}
