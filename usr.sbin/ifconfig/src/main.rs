// SPDX-License-Identifier: BSD-2-Clause
//! ifconfig(8): configure the interfaces of a host kernel, or of the BSD it runs on.

#![forbid(unsafe_code)]

use clap::Parser;
use libifconfig::{parse, run, text, views};
use libkctl::Kernel;
use std::io::{self, Write};
use std::process::ExitCode;

/// Configure the interfaces of a host kernel, or of the BSD it runs on.
#[derive(Parser)]
#[command(version, disable_help_subcommand = true)]
#[command(override_usage = "ifconfig [-K KERNEL] [-aCl] [-v] [--json]\n       \
                            ifconfig [-K KERNEL] [-v] [--json] INTERFACE\n       \
                            ifconfig [-K KERNEL] INTERFACE VERB [ARGUMENT ...] ...")]
struct Options {
    /// Which kernel: unix:PATH or native [default: $ROPEWALK_KERNEL, or the usual one]
    #[arg(short = 'K', value_name = "KERNEL")]
    kernel: Option<String>,
    /// All interfaces
    #[arg(short, conflicts_with = "words")]
    all: bool,
    /// Only the names, in one line
    #[arg(short, conflicts_with = "words")]
    list: bool,
    /// What can be created
    #[arg(short = 'C', conflicts_with = "words")]
    cloners: bool,
    /// More: counters, and cookies in full
    #[arg(short, long)]
    verbose: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Interface, then verbs with their arguments
    #[arg(trailing_var_arg = true, value_name = "INTERFACE")]
    words: Vec<String>,
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
    match ifconfig(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("ifconfig: {e}");
            ExitCode::FAILURE
        }
    }
}

fn ifconfig(o: &Options) -> Result<(), String> {
    // What is wrong with the words is said before a kernel is asked for.
    let words: Vec<&str> = o.words.iter().map(String::as_str).collect();
    let command = if words.is_empty() {
        None
    } else {
        Some(parse(&words)?)
    };
    let mut kernel = Kernel::open_chosen(o.kernel.as_deref()).map_err(|e| e.to_string())?;
    match command {
        Some(command) if !command.actions.is_empty() => {
            let done = run(&mut kernel, &command)?;
            if done.chosen {
                print(&format!("{}\n", done.name))
            } else {
                Ok(())
            }
        }
        Some(command) => show(&mut kernel, o, Some(&command.target)),
        None if o.cloners => names(o, kernel.cloners().map_err(|e| e.to_string())?),
        None if o.list => {
            let all = kernel.interfaces().map_err(|e| e.to_string())?;
            names(o, all.into_iter().map(|i| i.name).collect())
        }
        None => show(&mut kernel, o, None),
    }
}

fn show(kernel: &mut Kernel, o: &Options, only: Option<&str>) -> Result<(), String> {
    let all = views(kernel, only, o.verbose).map_err(|e| e.to_string())?;
    if let (Some(name), true) = (only, all.is_empty()) {
        return Err(format!("{name}: no such interface; ifconfig -l lists them"));
    }
    if o.json {
        return json(&all);
    }
    print(&all.iter().map(|v| text(v, o.verbose)).collect::<String>())
}

fn names(o: &Options, names: Vec<String>) -> Result<(), String> {
    if o.json {
        json(&names)
    } else {
        print(&format!("{}\n", names.join(" ")))
    }
}

fn json(value: &impl serde::Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| e.to_string())?;
    print(&format!("{text}\n"))
}

/// A reader that has seen enough, as head(1), is no error.
fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
        _ => Ok(()),
    }
}
