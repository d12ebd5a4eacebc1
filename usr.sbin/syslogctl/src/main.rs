// SPDX-License-Identifier: BSD-2-Clause
//! syslogctl(8): read and follow the rings of syslogd(8), and control them.

#![forbid(unsafe_code)]

mod client;
mod cursor;
mod follow;
mod ops;
mod options;
mod out;
mod read;
mod seen;
mod show;
mod table;
mod view;
mod when;

use clap::Parser;
use client::Trouble;
use options::{Command, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(e) => {
            // It goes to where it should: help to stdout, errors to stderr.
            let _ = e.print();
            return if e.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run(&options) {
        // A reader that has seen enough, as head(1), is no error.
        Ok(()) | Err(Trouble::Enough) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("syslogctl: {e}");
            ExitCode::from(e.status())
        }
    }
}

fn run(o: &Options) -> Result<(), Trouble> {
    if o.command.is_some() && o.read != options::ReadArgs::default() {
        let text = "rings and options of read go behind read; other commands have none of them";
        return Err(Trouble::Usage(text.into()));
    }
    match &o.command {
        None => read::run(o, &o.read),
        Some(Command::Read(args)) => read::run(o, args),
        Some(Command::Rings) => ops::rings(o),
        Some(Command::Stats(args)) => ops::stats(o, args),
        Some(Command::Throttle) => ops::throttle(o),
        Some(Command::Resize { ring, size }) => ops::resize(o, ring, *size),
        Some(Command::Clear { ring }) => ops::clear(o, ring),
        Some(Command::Flush) => ops::flush(o),
    }
}
