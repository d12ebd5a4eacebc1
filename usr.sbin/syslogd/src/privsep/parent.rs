// SPDX-License-Identifier: BSD-2-Clause
//! The parent's loop: it has the rights, and never sees a message.
//!
//! *Locking*: none. Names are looked up and hosts connected to by threads, one an output at most,
//! that send what became of it over a channel.

use crate::conf::Conf;
use crate::conf::What;
use crate::privsep::inputs;
use crate::privsep::inputs::Opened;
use crate::privsep::options::Options;
use crate::privsep::options::Secure;
use crate::privsep::outputs;
use crate::privsep::pipes::Pipes;
use crate::privsep::regions::Regions;
use crate::privsep::setup::setup;
use crate::privsep::setup::tls_listeners;
use crate::privsep::signals::Signals;
use crate::privsep::wire::Confine;
use crate::privsep::wire::ToWorker;
use crate::privsep::wire::Want;
use crate::privsep::worker::Worker;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

/// A worker that died is started again after so long.
const AGAIN: Duration = Duration::from_secs(1);
/// One that is asked to end has so long for it.
const FAREWELL: Duration = Duration::from_secs(10);
/// Hosts that are connected to at once.
const CONNECTS: usize = 32;
/// Notes of one reading of the configuration.
const NOTES: usize = 20;

/// The worker's user, if none is named: the first that there is.
const USERS: [&str; 3] = ["_syslogd", "syslog", "nobody"];

/// Severities of what is told to the worker.
const ERR: u8 = 3;
const WARNING: u8 = 4;
const INFO: u8 = 6;

/// Reads the configuration: what is wrong with it, else.
pub type Load<'a> = dyn Fn() -> Result<Conf, Vec<String>> + 'a;

/// A connection that was made, or not.
struct Done {
    generation: u32,
    index: u16,
    result: io::Result<OwnedFd>,
}

/// The parent.
pub struct Parent<'a> {
    options: &'a Options,
    load: &'a Load<'a>,
    conf: Conf,
    generation: u32,
    boot: u64,
    inputs: Vec<Opened>,
    tls: Vec<Opened>,
    tls_at: Vec<SocketAddr>,
    regions: Regions,
    pipes: Pipes,
    connecting: Vec<(u32, u16)>,
    done: (mpsc::Sender<Done>, mpsc::Receiver<Done>),
    worker: Option<Worker>,
    /// Some worker had a configuration in use.
    worked: bool,
    /// When a worker is started, if there is none.
    start_at: Instant,
    /// To be logged when there is a worker again.
    notes: Vec<(u8, String)>,
}

impl<'a> Parent<'a> {
    /// Opens what messages come from.
    ///
    /// # Errors
    /// There is no local socket to be had.
    pub fn new(options: &'a Options, load: &'a Load<'a>, conf: Conf) -> io::Result<Self> {
        let mut notes = Vec::new();
        let tls_at = tls_listeners(options, &conf, &mut notes);
        let inputs = inputs::open(options, &mut notes)?;
        let mut parent = Parent {
            options,
            load,
            conf,
            generation: 0,
            boot: seed(),
            inputs,
            tls: Vec::new(),
            tls_at: Vec::new(),
            regions: Regions::default(),
            pipes: Pipes::default(),
            connecting: Vec::new(),
            done: mpsc::channel(),
            worker: None,
            worked: false,
            start_at: Instant::now(),
            notes: Vec::new(),
        };
        parent.listen_tls(tls_at, &mut notes);
        parent.note_all(WARNING, notes);
        Ok(parent)
    }

    /// What could not be opened, as it was said so far.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(|(_, text)| text.as_str())
    }

    fn note_all(&mut self, severity: u8, notes: Vec<String>) {
        let room = NOTES.saturating_sub(self.notes.len());
        self.notes
            .extend(notes.into_iter().take(room).map(|text| (severity, text)));
    }

    fn listen_tls(&mut self, at: Vec<SocketAddr>, notes: &mut Vec<String>) {
        if at == self.tls_at {
            return;
        }
        self.tls.clear();
        self.tls = inputs::listen_tls(&at, notes);
        self.tls_at = at;
    }

    /// Works until it is told to end.
    ///
    /// # Errors
    /// No worker could be started, or none ever worked.
    pub fn run(&mut self) -> io::Result<()> {
        let mut signals = Signals::new()?;
        raise_limit();
        loop {
            if signals.end() {
                if let Some(worker) = self.worker.take() {
                    worker.stop(FAREWELL);
                }
                inputs::remove(self.options);
                return Ok(());
            }
            if signals.reload() {
                self.reload();
            }
            if signals.child() {
                self.pipes.reap();
            }
            self.finish_connects();
            self.look_after_worker()?;
            let timeout = if self.worker.is_some() {
                None
            } else {
                Some(self.start_at.saturating_duration_since(Instant::now()))
            };
            signals.wait(self.worker.as_ref().map(Worker::fd), timeout)?;
            self.serve(signals.waker());
        }
    }

    fn look_after_worker(&mut self) -> io::Result<()> {
        if let Some(worker) = &mut self.worker {
            if let Some(status) = worker.ended() {
                self.worker = None;
                self.bury(&format!("the worker ended: {status}"))?;
            }
            return Ok(());
        }
        if Instant::now() < self.start_at {
            return Ok(());
        }
        // Rings of this worker are others than those of the one before.
        self.boot = seed();
        let account = if libsys::confine::is_root() {
            Some(account(self.options.user.as_deref())?)
        } else {
            None
        };
        let worker = Worker::start(self.options.foreground || self.options.loud)?;
        let confine = Confine {
            root: self.options.root.clone().filter(|_| account.is_some()),
            account,
            open: !self.options.sandbox,
        };
        let told = worker.tell(0, &ToWorker::Confine(confine), &[]);
        self.worker = Some(worker);
        if let Err(e) = told.and_then(|()| self.tell_conf()) {
            self.give_up_worker(&e)?;
        }
        Ok(())
    }

    /// A worker that hangs, or says nonsense, is killed.
    fn give_up_worker(&mut self, e: &io::Error) -> io::Result<()> {
        if let Some(worker) = self.worker.take() {
            let status = worker.kill();
            let status = status.map(|s| format!(" ({s})")).unwrap_or_default();
            self.bury(&format!("the worker was given up: {e}{status}"))?;
        }
        Ok(())
    }

    fn bury(&mut self, why: &str) -> io::Result<()> {
        if !self.worked {
            return Err(io::Error::other(why.to_owned()));
        }
        self.connecting.clear();
        self.start_at = Instant::now() + AGAIN;
        self.note_all(ERR, vec![format!("{why}; another one was started")]);
        Ok(())
    }

    /// Reads the configuration again; a wrong one changes nothing.
    fn reload(&mut self) {
        match (self.load)() {
            Err(notes) => {
                self.note_all(ERR, notes);
                self.note_all(ERR, vec!["the configuration stays as it was".into()]);
                self.tell_notes();
            }
            Ok(conf) => {
                let mut notes = Vec::new();
                let at = tls_listeners(self.options, &conf, &mut notes);
                self.listen_tls(at, &mut notes);
                self.note_all(WARNING, notes);
                self.note_all(INFO, vec!["configuration read again".into()]);
                self.conf = conf;
                if let Err(e) = self.tell_conf() {
                    // It is found dead, or killed, and the next one gets this configuration.
                    let _ = self.give_up_worker(&e);
                }
            }
        }
    }

    /// The configuration, with the descriptors that belong to it.
    fn tell_conf(&mut self) -> io::Result<()> {
        self.generation = self.generation.wrapping_add(1);
        let mut notes = Vec::new();
        let setup = setup(self.options, &self.conf, self.boot, &mut notes);
        self.regions.open(&self.conf, &mut notes);
        self.note_all(WARNING, notes);
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        let generation = self.generation;
        worker.tell(generation, &ToWorker::Setup(Box::new(setup)), &[])?;
        for one in self.inputs.iter().chain(&self.tls) {
            worker.tell(generation, &ToWorker::Input(one.input), &[one.fd.as_fd()])?;
        }
        for (what, fds) in self.regions.told() {
            worker.tell(generation, &what, &fds)?;
        }
        worker.tell(generation, &ToWorker::Go, &[])?;
        self.tell_notes();
        Ok(())
    }

    fn tell_notes(&mut self) {
        let Some(worker) = &self.worker else {
            return;
        };
        for (severity, text) in std::mem::take(&mut self.notes) {
            // A worker that is gone is found out by the next look.
            let _ = worker.tell(self.generation, &ToWorker::Note { severity, text }, &[]);
        }
    }

    /// Does what the worker wants.
    fn serve(&mut self, waker: &UnixStream) {
        while let Some(worker) = &mut self.worker {
            let answered = match worker.wants() {
                Ok(None) => return,
                // Of a configuration that is no more.
                Ok(Some((_, generation))) if generation != self.generation => continue,
                Ok(Some((Want::Ready, _))) => {
                    self.worked = true;
                    self.regions.in_use();
                    continue;
                }
                Ok(Some((Want::Open(index), _))) => self.open(index, waker),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    // How it ended is soon known.
                    std::thread::sleep(Duration::from_millis(10));
                    match worker.ended() {
                        Some(_) => return,
                        None => Err(e),
                    }
                }
                Err(e) => Err(e),
            };
            if let Err(e) = answered {
                // If none ever worked, the loop finds that there is none and says why.
                if let Err(e) = self.give_up_worker(&e) {
                    self.notes.push((ERR, e.to_string()));
                }
                return;
            }
        }
    }

    fn open(&mut self, index: u16, waker: &UnixStream) -> io::Result<()> {
        let generation = self.generation;
        let Some(output) = self.conf.outputs.get(usize::from(index)) else {
            return Err(io::Error::other("the worker wants an output that is none"));
        };
        let result = match &output.what {
            What::File { path, .. } => outputs_file(Path::new(path)).map(|fd| vec![fd]),
            What::Pipe(command) => self.pipes.open(command).map(|fd| vec![fd]),
            What::Users(names) => Ok(outputs::terminals(Some(names))),
            What::Wall => Ok(outputs::terminals(None)),
            What::Remote(_) if self.options.secure == Secure::NoNetwork => {
                Err(io::Error::other("no network, says -ss"))
            }
            What::Remote(_) if self.connecting.contains(&(generation, index)) => return Ok(()),
            What::Remote(_) if self.connecting.len() >= CONNECTS => {
                Err(io::Error::other("too many connections are being made"))
            }
            What::Remote(remote) => {
                let remote = remote.clone();
                let sender = self.done.0.clone();
                let waker = waker.try_clone()?;
                let spawned = std::thread::Builder::new().spawn(move || {
                    let result = outputs::connect(&remote);
                    // The parent may have ended.
                    let _ = sender.send(Done {
                        generation,
                        index,
                        result,
                    });
                    let _ = io::Write::write(&mut &waker, b"c");
                });
                match spawned {
                    Ok(_) => {
                        self.connecting.push((generation, index));
                        return Ok(());
                    }
                    Err(e) => Err(e),
                }
            }
        };
        self.answer(index, result)
    }

    fn answer(&self, index: u16, result: io::Result<Vec<OwnedFd>>) -> io::Result<()> {
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        match result {
            Ok(fds) => {
                let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
                worker.tell(self.generation, &ToWorker::Opened { index }, &fds)
            }
            Err(e) => {
                let why = e.to_string();
                worker.tell(self.generation, &ToWorker::Failed { index, why }, &[])
            }
        }
    }

    fn finish_connects(&mut self) {
        while let Ok(done) = self.done.1.try_recv() {
            let key = (done.generation, done.index);
            self.connecting.retain(|&c| c != key);
            if done.generation == self.generation {
                // A worker that is gone is found out by the next look.
                let _ = self.answer(done.index, done.result.map(|fd| vec![fd]));
            }
        }
    }
}

/// As many descriptors as may be: connections, readers and outputs may be many.
fn raise_limit() {
    use nix::sys::resource::Resource;
    use nix::sys::resource::getrlimit;
    use nix::sys::resource::setrlimit;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // It works with fewer too.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(65_536), hard);
    }
}

/// A number that no start had before: nobody can say which, and it grows with time.
fn seed() -> u64 {
    let random = std::collections::hash_map::RandomState::new();
    let low = std::hash::BuildHasher::hash_one(&random, std::process::id());
    // 30 bits of seconds, and as many as JSON's readers take exactly, 53 in all.
    let seconds = libsys::clock::wall() / 1_000_000_000;
    (seconds.cast_unsigned() & 0xffff_ffff) << 20 | low & 0xf_ff00
}

/// The user that the worker becomes: its own, or one that has no rights.
fn account(name: Option<&str>) -> io::Result<(u32, u32)> {
    let names = name.map_or(USERS.to_vec(), |name| vec![name]);
    let mut last = io::Error::other("no user for the worker");
    for name in names {
        let found = match numbers(name) {
            Some((uid, gid)) => Ok(libsys::confine::Account { uid, gid }),
            None => libsys::confine::account(name),
        };
        match found {
            Ok(account) if account.uid == 0 => last = io::Error::other("the worker is not root"),
            Ok(account) => return Ok((account.uid, account.gid)),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// `UID:GID`, for systems without a table of users.
fn numbers(name: &str) -> Option<(u32, u32)> {
    let (uid, gid) = name.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

fn outputs_file(path: &Path) -> io::Result<OwnedFd> {
    Ok(crate::privsep::files::open_log(path)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_by_number_are_never_root() {
        assert_eq!(account(Some("65534:65533")).unwrap(), (65_534, 65_533));
        for name in ["0:0", "0:5", "root"] {
            let e = account(Some(name)).expect_err("not root");
            assert_eq!(e.to_string(), "the worker is not root");
        }
        for name in ["65534:", ":1", "1:-1", "1:2:3", "no-such-user-here"] {
            account(Some(name)).expect_err(name);
        }
    }
}
