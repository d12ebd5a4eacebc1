// SPDX-License-Identifier: BSD-2-Clause
//! hostkern(8): a host kernel as a process, with the modules linked into it and a control socket.
//!
//! From the floor up: `log` < `backend conf` < `dispatch` < `server apply` < `main`. `registry` has
//! the modules; `hosted` joins sys/host to `backend`.

#![forbid(unsafe_code)]

mod apply;
mod backend;
mod conf;
mod dispatch;
#[cfg(test)]
mod fake;
mod hosted;
mod log;
mod registry;
mod run;
mod server;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// A host kernel as a process.
#[derive(Parser)]
#[command(version, disable_help_subcommand = true)]
#[command(
    override_usage = "hostkern [-n] [-f FILE] [-s SOCKET] [-p PIDFILE]\n       hostkern --restore [-f FILE]"
)]
struct Options {
    /// Only check the configuration
    #[arg(short = 'n')]
    check: bool,
    /// Configuration, as hostkern.toml(5) says
    #[arg(short, value_name = "FILE", default_value = "/etc/hostkern.toml")]
    file: PathBuf,
    /// Control socket, instead of the configuration's
    #[arg(short, value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// Write the process id there
    #[arg(short, value_name = "PIDFILE")]
    pidfile: Option<PathBuf>,
    /// Only give interfaces back what pairs of a process that was killed took over
    #[arg(long)]
    restore: bool,
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(e) => {
            // It goes to where it should: help to stdout, errors to stderr.
            let _ = e.print();
            return if e.use_stderr() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run::hostkern(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // With the file and line at its head, as compilers do, when it is about one.
            if e.starts_with(&*options.file.to_string_lossy()) {
                eprintln!("{e}");
            } else {
                eprintln!("hostkern: {e}");
            }
            ExitCode::FAILURE
        }
    }
}
