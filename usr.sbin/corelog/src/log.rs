// SPDX-License-Identifier: BSD-2-Clause
//! The way to syslogd.

use corelog::report::Report;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

/// How long a syslogd that is busy is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens its socket.
///
/// # Errors
/// As connect(2).
pub fn open(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket
        .connect(path)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    Ok(socket)
}

/// Sends a record.
///
/// # Errors
/// As send(2).
pub fn send(to: &UnixDatagram, report: &Report) -> io::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
    to.send(&report.message(now)).map(|_| ())
}
