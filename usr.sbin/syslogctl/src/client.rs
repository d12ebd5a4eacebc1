// SPDX-License-Identifier: BSD-2-Clause
//! The control socket of syslogd: a request goes out as a line of JSON, lines of JSON come back.

use liblog::proto::{Code, Line, Reply, Request, parse_line};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::options::{Options, SOCKET};

/// More than any record takes.
const LONGEST: u64 = 2 << 20;

/// Why it did not work.
#[derive(Debug)]
pub enum Trouble {
    /// Nobody reads what we write any more.
    Enough,
    /// The command line asks for something that cannot be.
    Usage(String),
    /// There is no such ring.
    Missing(String),
    /// syslogd is not there, or went away.
    Gone(String),
    /// We may not.
    Refused(String),
    /// Anything else.
    Other(String),
}

impl Trouble {
    /// The exit status.
    pub fn status(&self) -> u8 {
        match self {
            Trouble::Enough => 0,
            Trouble::Other(_) => 1,
            Trouble::Usage(_) | Trouble::Missing(_) => 2,
            Trouble::Gone(_) => 3,
            Trouble::Refused(_) => 4,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Enough => f.write_str("nobody reads this"),
            Trouble::Usage(text)
            | Trouble::Missing(text)
            | Trouble::Gone(text)
            | Trouble::Refused(text)
            | Trouble::Other(text) => f.write_str(text),
        }
    }
}

/// A connection.
pub struct Client {
    path: PathBuf,
    to: UnixStream,
    from: BufReader<UnixStream>,
    line: Vec<u8>,
}

/// The socket's path: of the command line, the environment, or the usual one.
pub fn socket(o: &Options) -> PathBuf {
    o.socket
        .clone()
        .or_else(|| std::env::var_os("SYSLOGCTL_SOCKET").map(PathBuf::from))
        .unwrap_or_else(|| SOCKET.into())
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Nobody listens, or we may not; with what to do about it.
    pub fn open(path: &Path) -> Result<Client, Trouble> {
        let failed = |e| unreachable(path, &e);
        let to = UnixStream::connect(path).map_err(failed)?;
        let from = to.try_clone().map_err(failed)?;
        Ok(Client {
            path: path.to_owned(),
            to,
            from: BufReader::with_capacity(1 << 16, from),
            line: Vec::new(),
        })
    }

    /// Asks.
    ///
    /// # Errors
    ///
    /// syslogd went away.
    pub fn send(&mut self, request: &Request) -> Result<(), Trouble> {
        let mut text = serde_json::to_string(request).map_err(|e| Trouble::Other(e.to_string()))?;
        text.push('\n');
        self.to
            .write_all(text.as_bytes())
            .map_err(|e| self.lost(&e))
    }

    /// The next line; `None`: there are no more.
    ///
    /// # Errors
    ///
    /// syslogd went away, says no, or what it says cannot be understood.
    pub fn line(&mut self) -> Result<Option<Line>, Trouble> {
        self.line.clear();
        let read = (&mut self.from)
            .take(LONGEST)
            .read_until(b'\n', &mut self.line);
        match read {
            Ok(_) if self.line.ends_with(b"\n") => {}
            Ok(n) if n as u64 >= LONGEST => return Err(self.nonsense("a line without an end")),
            // It broke off in a line, or before one.
            Ok(_) => return Ok(None),
            Err(e) => return Err(self.lost(&e)),
        }
        match parse_line(&self.line) {
            Ok(Line::Reply(Reply::Error { error, code })) => Err(refused(error, code)),
            Ok(line) => Ok(Some(line)),
            Err(e) => Err(self.nonsense(&e.to_string())),
        }
    }

    /// The line that `line` has read last, as it came.
    pub fn raw(&self) -> &[u8] {
        self.line.trim_ascii_end()
    }

    /// Asks, and the one line that is the answer.
    ///
    /// # Errors
    ///
    /// As `send` and `line`.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, Trouble> {
        self.send(request)?;
        match self.line()? {
            Some(Line::Reply(reply)) => Ok(reply),
            Some(Line::Record(_)) => Err(self.nonsense("a record")),
            None => Err(Trouble::Gone(format!(
                "{}: syslogd went away",
                self.path.display()
            ))),
        }
    }

    fn lost(&self, e: &io::Error) -> Trouble {
        Trouble::Gone(format!("{}: syslogd went away: {e}", self.path.display()))
    }

    fn nonsense(&self, why: &str) -> Trouble {
        Trouble::Other(format!(
            "{}: what came is no line of syslogd's: {why}",
            self.path.display()
        ))
    }
}

fn refused(error: String, code: Code) -> Trouble {
    match code {
        Code::NoAccess => Trouble::Refused(error),
        Code::NoRing => Trouble::Missing(format!("{error}; syslogctl rings lists them")),
        Code::BadRequest | Code::BadFilter | Code::TooSmall | Code::OverBudget => {
            Trouble::Usage(error)
        }
        Code::Busy | Code::Failed => Trouble::Other(error),
    }
}

fn unreachable(path: &Path, e: &io::Error) -> Trouble {
    let shown = path.display();
    match e.kind() {
        io::ErrorKind::NotFound => Trouble::Gone(format!(
            "{shown}: no such socket: is syslogd running? If its socket is elsewhere, say -s PATH"
        )),
        io::ErrorKind::ConnectionRefused => Trouble::Gone(format!(
            "{shown}: nobody listens: syslogd has ended, and left its socket behind; start it again"
        )),
        io::ErrorKind::PermissionDenied => Trouble::Refused(format!(
            "{shown}: not allowed: run as root, or be in the socket's group (ls -l {shown})"
        )),
        _ => Trouble::Gone(format!("{shown}: {e}")),
    }
}
