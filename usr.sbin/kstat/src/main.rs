// SPDX-License-Identifier: BSD-2-Clause
//! kstat(8): print the counters and the trace of any module.

#![forbid(unsafe_code)]

mod print;
mod snapshot;

use clap::Parser;
use libkctl::Kernel;
use snapshot::{Filter, Snapshot};
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Print the counters and the trace of any module.
#[derive(Parser)]
#[command(version, disable_help_subcommand = true)]
#[command(
    override_usage = "kstat [-K KERNEL] [-ad] [--json] [-w SECS [-c N]] [MODULE [INSTANCE]]\n       \
                            kstat [-K KERNEL] -t [--json] MODULE\n       \
                            kstat [-K KERNEL] -l [--json]"
)]
struct Options {
    /// Which kernel: unix:PATH or native [default: $ROPEWALK_KERNEL, or the usual one]
    #[arg(short = 'K', value_name = "KERNEL")]
    kernel: Option<String>,
    /// Only list what can be read
    #[arg(short, conflicts_with_all = ["watch", "trace", "module"])]
    list: bool,
    /// Counters that are zero too
    #[arg(short)]
    all: bool,
    /// Only drops
    #[arg(short)]
    drops: bool,
    /// Again every SECS seconds, with what was added a second
    #[arg(short, value_name = "SECS", value_parser = seconds)]
    watch: Option<Duration>,
    /// Only N times
    #[arg(short, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// The trace instead
    #[arg(short, requires = "module", conflicts_with = "watch")]
    trace: bool,
    /// As JSON; with -w one line each time
    #[arg(long)]
    json: bool,
    /// Of this module only
    module: Option<String>,
    /// Of this instance only, as l2tp0; "-" is the module itself
    instance: Option<String>,
}

/// Behind a module's name: the source of its trace.
const TRACE: &str = "_trace";

fn seconds(word: &str) -> Result<Duration, String> {
    let secs: f64 = word
        .parse()
        .map_err(|_| "must be a number of seconds".to_owned())?;
    if (0.01..=86400.0).contains(&secs) {
        Ok(Duration::from_secs_f64(secs))
    } else {
        Err("must be 0.01..86400 seconds".into())
    }
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
    match kstat(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("kstat: {e}");
            ExitCode::FAILURE
        }
    }
}

fn kstat(o: &Options) -> Result<(), String> {
    let mut kernel = Kernel::open_chosen(o.kernel.as_deref()).map_err(|e| e.to_string())?;
    let mut sources = kernel.kstat_names().map_err(|e| e.to_string())?;
    sources.sort();
    if o.list {
        let text = if o.json {
            print::json(&sources)?
        } else {
            print::lines(&sources)
        };
        return out(&text).map(drop);
    }
    if let Some(module) = &o.module {
        let wanted = if o.trace {
            format!("{module}{TRACE}")
        } else {
            module.clone()
        };
        if !sources.contains(&wanted) {
            return Err(format!("{wanted}: no such source; kstat -l lists them"));
        }
        sources = vec![wanted];
    } else {
        sources.retain(|s| !s.ends_with(TRACE));
    }
    let filter = Filter {
        all: o.all,
        drops: o.drops,
        instance: o.instance.clone(),
    };
    if o.trace {
        let snap = Snapshot::take(&mut kernel, &sources, &filter)?;
        if snap.trace.is_empty() {
            eprintln!("kstat: the trace is on now, for a minute after it was last read: ask again");
        }
        let text = if o.json {
            print::json(&snap.trace)?
        } else {
            print::trace(&snap)
        };
        return out(&text).map(drop);
    }
    let first = Snapshot::take(&mut kernel, &sources, &filter)?;
    match o.watch {
        Some(every) => watch(&mut kernel, o, &sources, &filter, first, every),
        None if o.json => out(&print::json(&first.shown(&filter))?).map(drop),
        None => out(&print::counters(&first.shown(&filter))).map(drop),
    }
}

fn watch(
    kernel: &mut Kernel,
    o: &Options,
    sources: &[String],
    filter: &Filter,
    mut last: Snapshot,
    every: Duration,
) -> Result<(), String> {
    let mut rounds = 0;
    let mut at = Instant::now();
    while o.count.is_none_or(|n| rounds < n) {
        sleep(every);
        let now = Snapshot::take(kernel, sources, filter)?;
        let rates = now.since(&last, at.elapsed()).shown(filter);
        at = Instant::now();
        let text = if o.json {
            print::json_line(&rates)?
        } else {
            print::rates(&rates)
        };
        if !out(&text)? {
            return Ok(());
        }
        last = now;
        rounds += 1;
    }
    Ok(())
}

/// False when the reader has seen enough, as head(1), which is no error.
fn out(text: &str) -> Result<bool, String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(format!("standard output: {e}")),
    }
}
