// SPDX-License-Identifier: BSD-2-Clause
//! How a worker begins: it has root's rights, if the parent has, and gives them up before it reads
//! anything of others.

use crate::io::worker::Worker;
use crate::privsep::wire::Confine;
use crate::privsep::wire::Ear;
use crate::privsep::wire::Heard;
use crate::privsep::wire::Sound;
use crate::privsep::wire::ToWorker;
use liblog::time::Zone;
use libsys::confine::Account;
use libsys::confine::confine;
use libsys::sandbox;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// The worker's whole life. Its standard input is its end of a socket pair.
///
/// # Errors
/// It could not give up its rights, or lost its parent before it began.
pub fn worker() -> io::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Read while the file system can be seen.
    let zone = Zone::system();
    let mut ear = Ear::default();
    let Sound::Message(Heard {
        what: ToWorker::Confine(wanted),
        ..
    }) = ear.listen(&socket)?
    else {
        return Err(io::Error::other("this is for syslogd itself to start"));
    };
    give_up(&wanted)?;
    socket.set_nonblocking(true)?;
    Worker::new(socket, ear, zone)?.run()
}

fn give_up(wanted: &Confine) -> io::Result<()> {
    if let Some((uid, gid)) = wanted.account {
        let account = Account { uid, gid };
        confine(wanted.root.as_deref(), &account)?;
    }
    if !wanted.open {
        sandbox::enter()?;
    }
    Ok(())
}
