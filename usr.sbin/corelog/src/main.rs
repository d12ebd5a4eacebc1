// SPDX-License-Identifier: BSD-2-Clause
//! corelog(8): log what crashed, from its core.
//!
//! The first process never looks at a core. It starts this program again for each one, waits not
//! too long, and if that fails logs what it was told by the kernel.

#![forbid(unsafe_code)]

mod log;
mod options;
mod worker;

use clap::Parser as _;
use corelog::report::Report;
use nix::fcntl::OFlag;
use nix::sys::resource::Resource;
use options::Options;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

/// How long a core may take: to be written by the kernel, and to be read.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    // No crash of this program starts it again. On Linux a limit of 1 says that, as core(5) has it.
    let limit = nix::libc::rlim_t::from(cfg!(target_os = "linux"));
    let _ = nix::sys::resource::setrlimit(Resource::RLIMIT_CORE, limit, limit);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    let options = Options::parse();
    let done = if options.worker {
        worker::run(&options)
    } else if options.files.is_empty() {
        input(&options)
    } else {
        files(&options)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("corelog: {e}");
            ExitCode::FAILURE
        }
    }
}

fn input(options: &Options) -> io::Result<()> {
    if io::stdin().is_terminal() {
        return Err(io::Error::other("no core on standard input, and no file"));
    }
    one(options, Stdio::inherit())
}

/// All files are tried; the first error is told of in the end.
fn files(options: &Options) -> io::Result<()> {
    let mut result = Ok(());
    for path in &options.files {
        let done = file(options, path)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())));
        result = result.and(done);
    }
    result
}

/// A core that was written to a file: it is its owner's that crashed, when it was written.
fn file(options: &Options, path: &Path) -> io::Result<()> {
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("no file"));
    }
    let options = Options {
        uid: options.uid.or(Some(found.uid())),
        gid: options.gid.or(Some(found.gid())),
        time: options.time.or(Some(found.mtime())),
        ..options.clone()
    };
    one(&options, file.into())?;
    let now = path.symlink_metadata();
    let same = now.is_ok_and(|n| (n.dev(), n.ino()) == (found.dev(), found.ino()));
    if options.delete && same {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

fn one(options: &Options, core: Stdio) -> io::Result<()> {
    let mut worker = Command::new(std::env::current_exe()?)
        .args(options.arguments())
        .env_clear()
        .stdin(core)
        .spawn()?;
    let end = Instant::now() + PATIENCE;
    let status = loop {
        match worker.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() >= end => {
                worker.kill()?;
                worker.wait()?;
                break None;
            }
            None => std::thread::sleep(STEP),
        }
    };
    if status.is_some_and(|s| s.success()) {
        return Ok(());
    }
    let report = Report::new(options.given(), None, Vec::new());
    if !report.is_some() {
        return Err(io::Error::other("the core says nothing"));
    }
    if options.print {
        let (sd, text) = report.write();
        println!("{sd} {text}");
        return Ok(());
    }
    log::send(&log::open(&options.socket)?, &report)
}
