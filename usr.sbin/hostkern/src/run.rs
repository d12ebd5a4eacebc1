// SPDX-License-Identifier: BSD-2-Clause
//! The life of the process: start, signals, end.

use crate::Options;
use crate::apply::{apply, plan};
use crate::backend::Backend;
use crate::conf::{self, Conf};
use crate::hosted::Hosted;
use crate::log::{Level, say, set_level};
use crate::registry;
use crate::server::serve;
use libkctl::Kernel;
use libsys::privs;
use nix::sys::signal::{Signal, raise};
use nix::sys::stat::{Mode, umask};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All of it.
///
/// # Errors
/// A sentence; nothing is left behind.
pub fn hostkern(o: &Options) -> Result<(), String> {
    let mut conf = load(o)?;
    if o.check {
        return Ok(());
    }
    set_level(conf.log);
    if o.restore {
        return match restore(&conf.state) {
            0 => Ok(()),
            n => Err(format!("{n} interfaces lack something")),
        };
    }
    let account = conf
        .user
        .as_deref()
        .map(privs::account)
        .transpose()
        .map_err(text("user"))?;
    let gid = conf
        .group
        .as_deref()
        .map(privs::group)
        .transpose()
        .map_err(text("group"))?;
    // A signal from here on waits until all is up, and then ends it in order.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(text("signals"))?;
    // Files before rights go; rights before the first thread comes, for it inherits them.
    let (listener, _socket) = listen(&conf, account.as_ref(), gid)?;
    let _pidfile = o
        .pidfile
        .as_deref()
        .map(|p| pidfile(p, account.as_ref()))
        .transpose()?;
    if !conf.pairs.is_empty() {
        state(&conf.state, account.as_ref())?;
    }
    if let Some(account) = &account {
        privs::become_user(account).map_err(text("cannot give up privileges"))?;
    }
    if !privs::has_net_capabilities() {
        say(
            Level::Warning,
            "no CAP_NET_ADMIN or no CAP_NET_RAW: interfaces may not work",
        );
    }
    restore(&conf.state);
    let hosted = Hosted::boot(&conf.state).map_err(text("doors"))?;
    let backend: Arc<dyn Backend> = Arc::new(hosted.clone());
    let failures = apply(&backend, &plan(&Conf::default(), &conf));
    let server = serve(listener, Arc::clone(&backend), || {
        // The main thread waits for this one.
        let _ = raise(Signal::SIGTERM);
    })
    .map_err(text("control socket"))?;
    let socket = conf.socket.display();
    say(
        Level::Notice,
        &format!("up; control socket {socket}, {failures} failures"),
    );
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        conf = reload(o, conf, &backend);
    }
    say(Level::Notice, "shutting down");
    server.stop();
    drop(backend);
    hosted.shutdown()?;
    say(Level::Notice, "down; nothing leaked");
    Ok(())
}

/// An error with what it is about before it.
fn text<E: std::fmt::Display>(about: &str) -> impl Fn(E) -> String {
    move |e| format!("{about}: {e}")
}

fn load(o: &Options) -> Result<Conf, String> {
    let mut conf = conf::load(&o.file, &registry::names())?;
    if let Some(socket) = &o.socket {
        conf.socket.clone_from(socket);
    }
    Ok(conf)
}

/// Applies what changed; a file with an error in it changes nothing.
fn reload(o: &Options, old: Conf, backend: &Arc<dyn Backend>) -> Conf {
    let mut new = match load(o) {
        Ok(new) => new,
        Err(e) => {
            say(
                Level::Err,
                &format!("{e}; the configuration stays as it was"),
            );
            return old;
        }
    };
    let fixed = |c: &Conf| {
        let whom = (c.group.clone(), c.user.clone());
        (c.socket.clone(), c.mode, whom, c.state.clone())
    };
    if fixed(&old) != fixed(&new) {
        say(
            Level::Warning,
            "socket, mode, group, user and state change only at the next start",
        );
        (new.socket, new.mode) = (old.socket.clone(), old.mode);
        (new.group, new.user) = (old.group.clone(), old.user.clone());
        new.state.clone_from(&old.state);
    }
    set_level(new.log);
    let failures = apply(backend, &plan(&old, &new));
    say(
        Level::Notice,
        &format!("configuration read again, {failures} failures"),
    );
    new
}

/// Makes the directory where pairs keep what undoes them.
fn state(dir: &Path, account: Option<&privs::Account>) -> Result<(), String> {
    if !dir.exists() {
        let about = format!("state {}", dir.display());
        fs::create_dir(dir).map_err(text(&about))?;
        if account.is_some() {
            privs::give(dir, account, None).map_err(text(&about))?;
        }
    }
    Ok(())
}

/// Repairs what pairs of a killed process left; gives the number of those that lack something.
fn restore(dir: &Path) -> usize {
    let mut faults = 0;
    for done in host::pairs::restore(dir) {
        match done {
            Ok(line) => say(Level::Notice, &line),
            Err(line) => {
                say(Level::Err, &line);
                faults += 1;
            }
        }
    }
    faults
}

/// A file of ours, gone when this is dropped.
struct Ours {
    path: PathBuf,
    /// So that a file which another process put there since is left alone.
    inode: u64,
}

impl Ours {
    fn new(path: &Path) -> Ours {
        let inode = fs::symlink_metadata(path).map_or(0, |m| m.ino());
        Ours {
            path: path.to_owned(),
            inode,
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|m| m.ino() == self.inode)
            && let Err(e) = fs::remove_file(&self.path)
        {
            // The next start replaces it.
            say(Level::Info, &format!("{} stays: {e}", self.path.display()));
        }
    }
}

fn pidfile(path: &Path, account: Option<&privs::Account>) -> Result<Ours, String> {
    let about = path.display().to_string();
    fs::write(path, format!("{}\n", std::process::id())).map_err(text(&about))?;
    if account.is_some() {
        privs::give(path, account, None).map_err(text(&about))?;
    }
    Ok(Ours::new(path))
}

fn listen(
    conf: &Conf,
    account: Option<&privs::Account>,
    gid: Option<u32>,
) -> Result<(UnixListener, Ours), String> {
    let path = &conf.socket;
    let about = format!("socket {}", path.display());
    if let Some(dir) = path.parent().filter(|d| !d.exists()) {
        // As /run/hostkern: then who we become can remove the socket again.
        fs::create_dir(dir).map_err(text(&about))?;
        if account.is_some() {
            privs::give(dir, account, gid).map_err(text(&about))?;
        }
    }
    claim(path).map_err(|e| format!("{about}: {e}"))?;
    // Nobody may connect before its permissions are as they should be.
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound.map_err(text(&about))?;
    let ours = Ours::new(path);
    if account.is_some() || gid.is_some() {
        privs::give(path, account, gid).map_err(text(&about))?;
    }
    let mode = fs::Permissions::from_mode(conf.mode);
    fs::set_permissions(path, mode).map_err(text(&about))?;
    Ok((listener, ours))
}

/// Makes room at `path`: a socket that nobody serves goes away; anything else stays, and we do not
/// start.
fn claim(path: &Path) -> Result<(), String> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e.to_string()),
    };
    if !there.file_type().is_socket() {
        return Err("there is something else; name another path".into());
    }
    match UnixStream::connect(path) {
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|e| e.to_string())
        }
        Err(e) => Err(e.to_string()),
        Ok(_) => {
            let version =
                Kernel::open(&format!("unix:{}", path.display())).and_then(|mut k| k.version());
            let who = version.map_or("another program".into(), |v| format!("process {}", v.pid));
            Err(format!(
                "{who} serves it already; stop it, or name another path"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("hostkern-{name}-{}", std::process::id()));
        fs::create_dir(&dir).expect("a directory of our own");
        dir
    }

    #[test]
    fn a_stale_socket_is_replaced_a_live_one_is_not() {
        let dir = dir("claim");
        let path = dir.join("ctl.sock");
        drop(UnixListener::bind(&path).expect("bind"));
        assert!(path.exists());
        let conf = Conf {
            socket: path.clone(),
            mode: 0o640,
            ..Conf::default()
        };
        let (listener, ours) = listen(&conf, None, None).expect("stale");
        assert_eq!(
            fs::metadata(&path).expect("it is there").mode() & 0o777,
            0o640
        );
        let fake: Arc<dyn Backend> = Arc::new(crate::fake::Fake::default());
        let server = serve(listener, fake, || {}).expect("serve");
        let e = listen(&conf, None, None).err().expect("live");
        assert!(
            e.contains(&format!("process {} serves it", std::process::id())),
            "{e}"
        );
        server.stop();
        drop(ours);
        assert!(!path.exists(), "removed at the end");
        fs::remove_dir(&dir).expect("and nothing else is left");
    }

    #[test]
    fn something_else_at_the_path_is_left_alone() {
        let dir = dir("else");
        let path = dir.join("precious");
        fs::write(&path, "data").expect("written");
        let conf = Conf {
            socket: path.clone(),
            ..Conf::default()
        };
        let e = listen(&conf, None, None).err().expect("refused");
        assert!(e.contains("something else"), "{e}");
        assert_eq!(fs::read_to_string(&path).expect("still there"), "data");
        fs::remove_dir_all(&dir).expect("ours");
    }
}
