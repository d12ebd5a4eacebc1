// SPDX-License-Identifier: BSD-2-Clause
//! The control socket of syslogd: a request goes out as a line of JSON, lines of JSON come back.

use serde_json::Value;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::options::{Options, SOCKET};

/// A record of 64 KB, each byte of it written as six, twice; with room.
const LONGEST: u64 = 2 << 20;

/// Why it did not work.
#[derive(Debug)]
pub enum Trouble {
    /// Nobody reads what we write any more.
    Enough,
    /// The command line asks for something that cannot be.
    Usage(String),
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
            Trouble::Usage(_) => 2,
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
    pub fn send(&mut self, request: &Value) -> Result<(), Trouble> {
        let mut text = request.to_string();
        text.push('\n');
        self.to
            .write_all(text.as_bytes())
            .map_err(|e| self.lost(&e))
    }

    /// The next line, without what says hello; `None`: there are no more.
    ///
    /// # Errors
    ///
    /// syslogd went away, says no, or what it says cannot be understood.
    pub fn line(&mut self) -> Result<Option<Value>, Trouble> {
        loop {
            self.line.clear();
            let read = (&mut self.from)
                .take(LONGEST)
                .read_until(b'\n', &mut self.line);
            match read {
                Ok(0) => return Ok(None),
                Ok(_) if self.line.ends_with(b"\n") => {}
                Ok(n) if n as u64 >= LONGEST => return Err(self.nonsense("a line without an end")),
                // It broke off in a line.
                Ok(_) => return Ok(None),
                Err(e) => return Err(self.lost(&e)),
            }
            let value: Value =
                serde_json::from_slice(&self.line).map_err(|e| self.nonsense(&e.to_string()))?;
            if value.get("hello").is_some() {
                continue;
            }
            if let Some(error) = value.get("error").and_then(Value::as_str) {
                let code = value.get("code").and_then(Value::as_str).unwrap_or("");
                return Err(self.refused(error, code));
            }
            return Ok(Some(value));
        }
    }

    /// Asks, and the one line that is the answer.
    ///
    /// # Errors
    ///
    /// As `send` and `line`.
    pub fn ask(&mut self, request: &Value) -> Result<Value, Trouble> {
        self.send(request)?;
        self.line()?
            .ok_or_else(|| Trouble::Gone(format!("{}: syslogd went away", self.path.display())))
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

    fn refused(&self, error: &str, code: &str) -> Trouble {
        match code {
            "access" => Trouble::Refused(error.to_owned()),
            "ring" => Trouble::Usage(format!("{error}; syslogctl rings lists them")),
            "request" | "filter" | "size" => Trouble::Usage(error.to_owned()),
            _ => Trouble::Other(error.to_owned()),
        }
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
