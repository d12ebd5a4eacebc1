// SPDX-License-Identifier: BSD-2-Clause
//! The command line.

use clap::Parser;
use clap::value_parser;
use corelog::report::Given;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// Where messages go if nobody says otherwise.
#[cfg(target_os = "linux")]
const LOG: &str = "/dev/log";
#[cfg(not(target_os = "linux"))]
const LOG: &str = "/var/run/log";

/// Log what crashed, from its core: on standard input, or in files.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Options {
    /// Write to standard output, log nothing
    #[arg(short = 'n', long)]
    pub print: bool,
    /// With -n: as JSON
    #[arg(long, requires = "print")]
    pub json: bool,
    /// Delete each file that was reported
    #[arg(short, long, requires = "files")]
    pub delete: bool,
    /// The socket of syslogd
    #[arg(short = 'S', long, value_name = "PATH", default_value = LOG)]
    pub socket: PathBuf,
    /// The most frames
    #[arg(short, long, value_name = "N", default_value_t = 32, value_parser = value_parser!(u16).range(1..=256))]
    pub frames: u16,
    /// So many KiB of the stack are looked at, if the core comes through a pipe
    #[arg(short = 'm', long, value_name = "KIB", default_value_t = 512, value_parser = value_parser!(u64).range(4..=65536))]
    pub stack: u64,
    /// The process's id (%P)
    #[arg(short, long)]
    pub pid: Option<u32>,
    /// Whose it was (%u); root becomes that user to read the core
    #[arg(short, long)]
    pub uid: Option<u32>,
    /// And of which group (%g)
    #[arg(short, long)]
    pub gid: Option<u32>,
    /// The signal (%s)
    #[arg(short, long)]
    pub signal: Option<u32>,
    /// When, in seconds since 1970 (%t)
    #[arg(short, long, allow_hyphen_values = true)]
    pub time: Option<i64>,
    /// Its name (%e)
    #[arg(short = 'e', long, allow_hyphen_values = true)]
    pub name: Option<OsString>,
    /// Read standard input in this process.
    #[arg(long, hide = true)]
    pub worker: bool,
    /// Cores; none: standard input
    pub files: Vec<PathBuf>,
}

impl Options {
    /// What it says of the crash.
    pub fn given(&self) -> Given {
        Given {
            pid: self.pid,
            uid: self.uid,
            signal: self.signal,
            name: self.name.as_ref().map(|n| n.as_bytes().to_vec()),
            time: self.time,
        }
    }

    /// The arguments with which this program reads one core.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["--worker".into()];
        let mut put = |key: &str, value: Option<String>| {
            all.extend(value.map(|v| format!("--{key}={v}").into()));
        };
        put("frames", Some(self.frames.to_string()));
        put("stack", Some(self.stack.to_string()));
        for (key, id) in [
            ("pid", self.pid),
            ("uid", self.uid),
            ("gid", self.gid),
            ("signal", self.signal),
        ] {
            put(key, id.map(|id| id.to_string()));
        }
        put("time", self.time.map(|t| t.to_string()));
        for (key, wanted) in [("--print", self.print), ("--json", self.json)] {
            all.extend(wanted.then(|| key.into()));
        }
        let mut joined = |key: &str, value: OsString| {
            let mut argument = OsString::from(key);
            argument.push(value);
            all.push(argument);
        };
        joined("--socket=", self.socket.clone().into_os_string());
        if let Some(name) = &self.name {
            joined("--name=", name.clone());
        }
        all
    }
}
