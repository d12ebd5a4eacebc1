// SPDX-License-Identifier: BSD-2-Clause
//! syslogd(8): the command line, and which of the two processes this is.

#![forbid(unsafe_code)]

use clap::ArgAction;
use clap::Parser;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use syslogd::conf;
use syslogd::conf::Conf;
use syslogd::conf::Format;
use syslogd::io::start::worker;
use syslogd::privsep::options;
use syslogd::privsep::options::Local;
use syslogd::privsep::options::Options;
use syslogd::privsep::options::Secure;
use syslogd::privsep::parent::Parent;
use syslogd::privsep::pidfile::Pidfile;

/// Log messages into rings, files and other hosts.
#[derive(Parser)]
#[command(version, disable_help_subcommand = true)]
struct Arguments {
    /// Configuration, as syslog.conf(5) says
    #[arg(
        short = 'f',
        long = "config",
        value_name = "FILE",
        default_value = "/etc/syslog.conf"
    )]
    config: PathBuf,
    /// Only check the configuration
    #[arg(short = 'n', long = "check")]
    check: bool,
    /// Stay in the foreground, and say on standard error what goes wrong
    #[arg(short = 'd', long = "debug")]
    debug: bool,
    /// Stay in the foreground
    #[arg(short = 'F', long = "foreground")]
    foreground: bool,
    /// Take no messages from the network; twice: send none either
    #[arg(short = 's', long = "secure", action = ArgAction::Count)]
    secure: u8,
    /// Listen for UDP there, as ADDRESS[:PORT] (default: port 514 of all addresses)
    #[arg(short = 'b', long = "bind", value_name = "ADDRESS")]
    bind: Vec<String>,
    /// Listen for TCP there too
    #[arg(long = "tcp", value_name = "ADDRESS")]
    tcp: Vec<String>,
    /// Listen for TLS there too
    #[arg(long = "tls", value_name = "ADDRESS")]
    tls: Vec<String>,
    /// Only IPv4
    #[arg(short = '4', conflicts_with = "only6")]
    only4: bool,
    /// Only IPv6
    #[arg(short = '6')]
    only6: bool,
    /// Take messages from there only, as ADDRESS[/PREFIX][:PORT|:*]
    #[arg(short = 'a', long = "allow", value_name = "PEER")]
    allowed: Vec<String>,
    /// The local socket; may be repeated
    #[arg(short = 'p', long = "socket", value_name = "SOCKET")]
    sockets: Vec<PathBuf>,
    /// A file that lists more local sockets, one a line
    #[arg(short = 'P', long = "sockets", value_name = "FILE")]
    socket_list: Option<PathBuf>,
    /// One more local socket, with its permissions, as [MODE:]SOCKET
    #[arg(short = 'l', value_name = "SOCKET")]
    more_sockets: Vec<String>,
    /// The kernel's messages; "" for none
    #[arg(short = 'k', long = "kernel", value_name = "DEVICE")]
    kernel: Option<String>,
    /// The control socket; "" for none
    #[arg(
        short = 'S',
        long = "control",
        value_name = "SOCKET",
        default_value = "/var/run/syslogd.sock"
    )]
    control: String,
    /// The group that may read rings, besides root
    #[arg(short = 'g', long = "group", value_name = "GROUP")]
    group: Option<String>,
    /// The user that the worker becomes
    #[arg(short = 'u', long = "user", value_name = "USER")]
    user: Option<String>,
    /// The folder that the worker sees as /
    #[arg(short = 't', long = "chroot", value_name = "FOLDER")]
    root: Option<PathBuf>,
    /// Minutes between marks; 0 for none
    #[arg(short = 'm', long = "mark", value_name = "MINUTES")]
    mark: Option<u32>,
    /// How messages are written: rfc3164 or rfc5424
    #[arg(short = 'o', long = "format", short_alias = 'O', value_name = "FORMAT")]
    format: Option<String>,
    /// A level means only that one, not the worse ones too
    #[arg(short = 'U', long = "unique")]
    unique: bool,
    /// Files are made if they are not there: always so, and only here for old scripts
    #[arg(short = 'C', hide = true)]
    create: bool,
    /// Where the process id is written; "" for nowhere
    #[arg(
        long = "pidfile",
        value_name = "FILE",
        default_value = "/var/run/syslogd.pid"
    )]
    pidfile: String,
    /// This host's name in messages
    #[arg(long = "hostname", value_name = "NAME")]
    hostname: Option<String>,
    /// Do not shut the worker in with seccomp or Capsicum
    #[arg(long = "no-sandbox")]
    no_sandbox: bool,
    /// It is the other process; not for people
    #[arg(long = "worker", hide = true)]
    worker: bool,
}

/// The kernel's messages.
const KERNEL: &str = if cfg!(target_os = "linux") {
    "/dev/kmsg"
} else {
    "/dev/klog"
};
/// The local socket.
const SOCKET: &str = if cfg!(target_os = "linux") {
    "/dev/log"
} else {
    "/var/run/log"
};
/// What a local socket holds, where that is up to us.
const BUFFER: usize = 1 << 20;

fn locals(arguments: &Arguments) -> Result<Vec<Local>, String> {
    let local = |path: PathBuf, mode| Local {
        path,
        mode,
        privileged: false,
    };
    let mut locals: Vec<Local> = arguments
        .sockets
        .iter()
        .map(|path| local(path.clone(), 0o666))
        .collect();
    if locals.is_empty() {
        locals.push(local(PathBuf::from(SOCKET), 0o666));
        if cfg!(target_os = "freebsd") {
            locals.push(Local {
                path: PathBuf::from("/var/run/logpriv"),
                mode: 0o600,
                privileged: true,
            });
        }
    }
    if let Some(list) = &arguments.socket_list {
        let text = std::fs::read_to_string(list).map_err(|e| format!("{}: {e}", list.display()))?;
        let lines = text.lines().map(str::trim);
        let paths = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        locals.extend(paths.map(|path| local(PathBuf::from(path), 0o666)));
    }
    for text in &arguments.more_sockets {
        let (mode, path) = match text.split_once(':') {
            Some((mode, path)) => {
                let mode = u32::from_str_radix(mode, 8).ok().filter(|m| *m <= 0o777);
                (
                    mode.ok_or_else(|| format!("'{text}': no permissions"))?,
                    path,
                )
            }
            None => (0o666, text.as_str()),
        };
        locals.push(local(PathBuf::from(path), mode));
    }
    Ok(locals)
}

fn listeners(
    arguments: &Arguments,
    texts: &[String],
    tls: bool,
) -> Result<Vec<SocketAddr>, String> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(options::listen(text, tls)?);
    }
    all.retain(|at| !(arguments.only4 && at.is_ipv6() || arguments.only6 && at.is_ipv4()));
    Ok(all)
}

fn options(arguments: &Arguments) -> Result<Options, String> {
    let given = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let any = [String::from("*")];
    let bind = if arguments.bind.is_empty() {
        &any[..]
    } else {
        &arguments.bind
    };
    Ok(Options {
        conf: arguments.config.clone(),
        foreground: arguments.debug || arguments.foreground,
        loud: arguments.debug,
        secure: match arguments.secure {
            0 => Secure::Open,
            1 => Secure::NoInput,
            _ => Secure::NoNetwork,
        },
        udp: listeners(arguments, bind, false)?,
        tcp: listeners(arguments, &arguments.tcp, false)?,
        tls: listeners(arguments, &arguments.tls, true)?,
        allowed: arguments
            .allowed
            .iter()
            .map(|text| options::allowed(text))
            .collect::<Result<_, _>>()?,
        locals: locals(arguments)?,
        kernel: given(arguments.kernel.as_deref().unwrap_or(KERNEL)),
        control: given(&arguments.control),
        group: arguments.group.clone(),
        user: arguments.user.clone(),
        root: arguments.root.clone(),
        pidfile: given(&arguments.pidfile),
        mark: arguments.mark,
        format: match arguments.format.as_deref() {
            None => None,
            Some("rfc3164" | "bsd") => Some(Format::Bsd),
            Some("rfc5424" | "syslog") => Some(Format::Ietf),
            Some(other) => return Err(format!("'{other}': rfc3164 or rfc5424")),
        },
        sandbox: !arguments.no_sandbox,
        host: arguments.hostname.clone(),
        buffer: BUFFER,
    })
}

fn load(path: &Path, unique: bool) -> Result<Conf, Vec<String>> {
    let Some(path) = path.to_str() else {
        return Err(vec!["the configuration's name is not UTF-8".into()]);
    };
    let options = conf::Options { unique };
    conf::load(path, &conf::Folder, options)
        .map_err(|notes| notes.iter().map(ToString::to_string).collect())
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let options = options(arguments)?;
    let load = || load(&options.conf, arguments.unique);
    let conf = load().map_err(|notes| notes.join("\n"))?;
    for warning in &conf.warnings {
        eprintln!("{warning} (warning)");
    }
    if arguments.check {
        return Ok(());
    }
    let pidfile = options.pidfile.as_deref().map(Pidfile::lock).transpose()?;
    let mut parent = Parent::new(&options, &load, conf).map_err(|e| e.to_string())?;
    for note in parent.notes() {
        eprintln!("syslogd: {note}");
    }
    if !options.foreground {
        // No thread is there yet.
        nix::unistd::daemon(false, false).map_err(|e| format!("daemon: {e}"))?;
    }
    let pidfile = pidfile.map(Pidfile::write).transpose()?;
    let result = parent.run().map_err(|e| e.to_string());
    if let Some(pidfile) = pidfile {
        pidfile.remove();
    }
    result
}

fn main() -> ExitCode {
    // Neither the worker nor a command gets what our own parent has left open.
    libsys::fds::close_inherited();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
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
    let result = if arguments.worker {
        worker().map_err(|e| format!("worker: {e}"))
    } else {
        run(&arguments)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // With the file and line at its head, as compilers do, when it is about one.
            if e.starts_with(&*arguments.config.to_string_lossy()) {
                eprintln!("{e}");
            } else {
                eprintln!("syslogd: {e}");
            }
            ExitCode::FAILURE
        }
    }
}
