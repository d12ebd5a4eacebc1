// SPDX-License-Identifier: BSD-2-Clause
//! iipfctl(8): control iipf, the filter and NAT.

#![forbid(unsafe_code)]

mod device;
#[cfg(test)]
mod fake;
mod forward;
mod load;
mod packet;
mod show;
mod states;
mod table;
#[cfg(test)]
mod tests;
mod top;
mod trace;
mod words;

use clap::{Parser, Subcommand};
use device::{Device, explain};
use iipf_abi::{
    IIPF_COMMIT_COUNT_STALE, IIPF_COMMIT_KILL_STALE, IIPF_TRACE_ARM_MAX, IIPFENABLE,
    IIPFKILLSTATES, StateFilter, Value,
};
use libkctl::Kernel;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Control iipf, the filter and NAT.
#[derive(Parser)]
#[command(
    version,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = false
)]
#[command(
    override_usage = "iipfctl [-K KERNEL] [-nqv] [--json] [-D NAME=VALUE] [--kill-stale] -f FILE\n       \
                            iipfctl [-K KERNEL] [-v] [--json] COMMAND [ARGUMENT ...]"
)]
struct Options {
    /// Which kernel: unix:PATH or native [default: $ROPEWALK_KERNEL, or the usual one]
    #[arg(short = 'K', value_name = "KERNEL", global = true)]
    kernel: Option<String>,
    /// Load the ruleset in FILE ("-": standard input)
    #[arg(short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// As pfctl: show WHAT
    #[arg(short, value_name = "WHAT", conflicts_with = "file")]
    show: Option<String>,
    /// As pfctl: the table that -T is about
    #[arg(short, value_name = "TABLE", requires = "table_command")]
    table: Option<String>,
    /// As pfctl: what to do with it; addresses behind
    #[arg(short = 'T', value_name = "COMMAND", requires = "table")]
    table_command: Option<String>,
    /// As pfctl: enable
    #[arg(short, conflicts_with = "disable")]
    enable: bool,
    /// As pfctl: disable
    #[arg(short)]
    disable: bool,
    /// Only check it; no kernel is needed
    #[arg(short = 'n', requires = "file")]
    check: bool,
    /// A macro that goes before those in the file
    #[arg(short = 'D', value_name = "NAME=VALUE", global = true, value_parser = definition)]
    define: Vec<(String, String)>,
    /// With -f: end the states that the new rules would refuse
    #[arg(long, requires = "file", conflicts_with = "check")]
    kill_stale: bool,
    /// No warnings
    #[arg(short, global = true)]
    quiet: bool,
    /// More: counters of rules, ages of states, the canonical text of what is loaded
    #[arg(short, long, global = true)]
    verbose: bool,
    /// As JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// What loading FILE would change
    Diff {
        /// The ruleset
        file: PathBuf,
    },
    /// rules, nat, states, maps, tables, limits, timeouts, counters, sources, interfaces, forwards,
    /// status, all
    Show {
        /// What, and of states which
        words: Vec<String>,
    },
    /// End states: a filter, or all
    Kill {
        /// As "from"
        #[arg(short, value_name = "NET")]
        source: Option<String>,
        /// As "to"
        #[arg(short, value_name = "NET")]
        destination: Option<String>,
        /// Which
        #[arg(required_unless_present_any = ["source", "destination"])]
        words: Vec<String>,
    },
    /// NAME show|test|add|delete|replace|flush|zero|expire|destroy
    Table {
        /// The table, what to do and with what
        #[arg(required = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// The states that move most
    Top {
        /// Only once
        #[arg(long)]
        once: bool,
        /// Only so many times
        #[arg(short = 'n', long, value_name = "N", conflicts_with = "once")]
        count: Option<u64>,
        /// Seconds between
        #[arg(short, long, value_name = "SECS", default_value_t = 2.0)]
        wait: f64,
        /// So many
        #[arg(long, value_name = "N", default_value_t = 20)]
        lines: usize,
        /// Which
        words: Vec<String>,
    },
    /// What happens to a packet and why
    Trace {
        /// The next N live ones
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(IIPF_TRACE_ARM_MAX)))]
        live: Option<u32>,
        /// Give up after so many seconds without one
        #[arg(long, value_name = "SECS", default_value_t = 60)]
        patience: u64,
        /// The packet, or which live ones
        words: Vec<String>,
    },
    /// Logged packets, as pcap on standard output
    Log {
        /// End when nothing more is there
        #[arg(long)]
        once: bool,
    },
    /// add, del, list
    Forward {
        /// The forward
        #[arg(allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Write all states to FILE
    SaveStates {
        /// The file
        file: PathBuf,
    },
    /// Take states from FILE; load the ruleset first
    LoadStates {
        /// The file
        file: PathBuf,
    },
    /// Packets are looked at
    Enable,
    /// Packets pass untouched
    Disable,
    /// What stands behind -T
    #[command(external_subcommand)]
    Other(Vec<String>),
}

fn definition(word: &str) -> Result<(String, String), String> {
    let (name, value) = word.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
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
    match iipfctl(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Lines that begin with a place are as compilers have them.
            for line in e.lines() {
                eprintln!("iipfctl: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn iipfctl(o: &Options) -> Result<(), String> {
    let open = || Kernel::open_chosen(o.kernel.as_deref()).map_err(|e| e.to_string());
    let mut warn = |text: &str| {
        if !o.quiet {
            eprintln!("iipfctl: {text}");
        }
    };
    match (&o.file, &o.command) {
        (Some(_), Some(_)) => Err("-f and a command; one at a time".into()),
        (Some(file), None) => {
            let (config, ruleset) = load::read(file, &o.define, &mut warn)?;
            if o.verbose {
                out(&libiipf::print::config(&config))?;
            }
            if o.check {
                return Ok(());
            }
            // Counted always: `show states stale' lists what is marked then.
            let mut flags = IIPF_COMMIT_COUNT_STALE;
            if o.kill_stale {
                flags |= IIPF_COMMIT_KILL_STALE;
            }
            let done = load::load(&mut open()?, &ruleset, flags)?;
            loaded(o, &done)
        }
        (None, Some(Command::Diff { file })) => {
            let (_, ruleset) = load::read(file, &o.define, &mut warn)?;
            let text = load::diff(&mut open()?, &ruleset)?;
            if o.json {
                let all = serde_json::json!({ "same": text.is_empty(), "diff": text });
                return out(&format!("{all:#}\n")).map(drop);
            }
            out(&text).map(drop)
        }
        (None, Some(Command::Other(words))) => {
            let (Some(table), Some(what)) = (&o.table, &o.table_command) else {
                return Err(format!(
                    "'{}' is no command; iipfctl --help lists them",
                    words[0]
                ));
            };
            let mut all = vec![table.clone(), what.clone()];
            all.extend_from_slice(words);
            run(&mut open()?, o, &Command::Table { words: all })
        }
        (None, Some(Command::Log { once })) => log(&mut open()?, *once),
        (None, Some(command)) => run(&mut open()?, o, command),
        (None, None) => match as_pfctl(o) {
            Some(command) => run(&mut open()?, o, &command),
            None => Err("what? -f FILE, or a command; iipfctl --help lists them".into()),
        },
    }
}

/// What pfctl's options ask for.
fn as_pfctl(o: &Options) -> Option<Command> {
    if let Some(what) = &o.show {
        let what = if what == "info" { "status" } else { what };
        return Some(Command::Show {
            words: what.split_whitespace().map(str::to_owned).collect(),
        });
    }
    if let (Some(table), Some(what)) = (&o.table, &o.table_command) {
        let words = vec![table.clone(), what.clone()];
        return Some(Command::Table { words });
    }
    match (o.enable, o.disable) {
        (true, _) => Some(Command::Enable),
        (_, true) => Some(Command::Disable),
        _ => None,
    }
}

fn loaded(o: &Options, done: &load::Loaded) -> Result<(), String> {
    if o.json {
        let all = serde_json::json!({ "generation": done.generation, "stale": done.stale });
        return out(&format!("{all:#}\n")).map(drop);
    }
    if o.kill_stale && done.stale != 0 {
        return out(&format!("{} states ended\n", done.stale)).map(drop);
    }
    Ok(())
}

fn run(dev: &mut impl Device, o: &Options, command: &Command) -> Result<(), String> {
    let counted = |word: &str, n: u64| {
        if o.json {
            out(&format!("{{ \"{word}\": {n} }}\n")).map(drop)
        } else {
            out(&format!("{n} states {word}\n")).map(drop)
        }
    };
    match command {
        Command::Show { words } => out(&show::run(dev, words, o.verbose, o.json)?).map(drop),
        Command::Kill {
            source,
            destination,
            words,
        } => {
            let mut all = words.clone();
            for (word, net) in [("from", source), ("to", destination)] {
                if let Some(net) = net {
                    all.extend([word.to_owned(), net.clone()]);
                }
            }
            let filter = match all.as_slice() {
                [all] if all == "all" => StateFilter::default(),
                words => words::filter(words, true)?,
            };
            let gone = dev
                .call(&IIPFKILLSTATES, &filter)
                .map_err(|e| explain("kill", e))?;
            counted("ended", gone.count)
        }
        Command::Table { words } => out(&table::run(dev, words, o.json)?).map(drop),
        Command::Top {
            once,
            count,
            wait,
            lines,
            words,
        } => {
            if !(0.1..=3600.0).contains(wait) {
                return Err("top: --wait must be 0.1..3600 seconds".into());
            }
            let every = Duration::from_secs_f64(*wait);
            let filter = words::filter(words, true)?;
            top::run(
                dev,
                filter,
                *lines,
                every,
                count.or(once.then_some(1)),
                o.json,
                &mut out,
            )
        }
        Command::Trace {
            live: Some(n),
            patience,
            words,
        } => {
            let patience = Duration::from_secs(*patience);
            trace::live(dev, *n, words, patience, o.json, &mut out)
        }
        Command::Trace { words, .. } => out(&trace::described(dev, words, o.json)?).map(drop),
        Command::Forward { words } => out(&forward::run(dev, words, o.json)?).map(drop),
        Command::SaveStates { file } => {
            let (bytes, count) = states::save(dev)?;
            write_whole(file, &bytes)?;
            counted("saved", count as u64)
        }
        Command::LoadStates { file } => {
            let bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
            let r = states::restore(dev, &bytes).map_err(|e| format!("{}: {e}", file.display()))?;
            let all = serde_json::json!({
                "taken": r.taken, "exists": r.exists, "refused": r.refused, "bad": r.bad,
                "full": r.full,
            });
            if o.json {
                return out(&format!("{all:#}\n")).map(drop);
            }
            out(&format!(
                "{} states taken, {} there already, {} refused by the rules, {} damaged, {} without room\n",
                r.taken, r.exists, r.refused, r.bad, r.full
            ))
            .map(drop)
        }
        Command::Enable | Command::Disable => {
            let value = Value {
                value: u32::from(matches!(command, Command::Enable)),
                pad: 0,
            };
            dev.call(&IIPFENABLE, &value)
                .map_err(|e| explain("enable", e))
        }
        Command::Diff { .. } | Command::Log { .. } | Command::Other(_) => Ok(()),
    }
}

/// All of it or nothing, for the one who runs this only.
fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), String> {
    let why = |e: io::Error| format!("{}: {e}", file.display());
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut f = options.open(&new).map_err(why)?;
    f.write_all(bytes)
        .and_then(|()| f.sync_all())
        .map_err(why)?;
    std::fs::rename(&new, file).map_err(why)
}

fn log(kernel: &mut Kernel, once: bool) -> Result<(), String> {
    if kernel.is_native() {
        return Err("log: on this system run tcpdump -i iipflog0".into());
    }
    let mut cursor = 0;
    loop {
        let (bytes, lost) = kernel
            .log_read("iipflog0", &mut cursor)
            .map_err(|e| explain("log", e))?;
        if lost != 0 {
            eprintln!("iipfctl: log: {lost} packets were lost");
        }
        if !out_bytes(&bytes)? || (once && bytes.is_empty()) {
            return Ok(());
        }
        if bytes.is_empty() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// False when the reader has seen enough, as head(1), which is no error.
fn out(text: &str) -> Result<bool, String> {
    out_bytes(text.as_bytes())
}

fn out_bytes(bytes: &[u8]) -> Result<bool, String> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(format!("standard output: {e}")),
    }
}
