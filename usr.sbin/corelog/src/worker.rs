// SPDX-License-Identifier: BSD-2-Clause
//! The process that reads a core: with the rights of the one that crashed, and less.

use crate::log;
use crate::options::Options;
use corelog::core::Core;
use corelog::core::Seeking;
use corelog::core::Source;
use corelog::core::Stream;
use corelog::modules::Modules;
use corelog::report::Report;
use corelog::report::frames;
use libsys::confine::Account;
use std::fs::File;
use std::io;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::os::fd::AsFd as _;
use std::sync::mpsc;
use std::time::Duration;

/// Who reads a core if it is not said whose it was: nobody's number on all systems but one or two.
const NOBODY: u32 = 65534;
/// How long the way out of the stack may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most memory, in bytes: what is read of the core and of the files, and something over.
const MEMORY: nix::libc::rlim_t = 512 << 20;

/// Reads the core on standard input, and logs or prints it.
///
/// # Errors
/// It is none, or could not be logged, or what protects this process does not work.
pub fn run(options: &Options) -> io::Result<()> {
    use nix::sys::resource::Resource;
    // The socket is root's to open in the strictest set-ups; from here on nothing needs rights.
    let to = if options.print {
        None
    } else {
        Some(log::open(&options.socket)?)
    };
    let _ = nix::sys::resource::setrlimit(Resource::RLIMIT_DATA, MEMORY, MEMORY);
    if libsys::confine::is_root() {
        let uid = options.uid.unwrap_or(NOBODY);
        let gid = options.gid.unwrap_or(if uid == 0 { 0 } else { NOBODY });
        libsys::confine::confine(None, &Account { uid, gid })?;
    }
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let stack = options.stack.saturating_mul(1024);
    let report = if file.seek(SeekFrom::Start(0)).is_ok() {
        read(Core::read(Seeking(file), stack), options)
    } else {
        read(Core::read(Stream::new(file), stack), options)
    }?;
    if options.json {
        println!("{}", report.json());
    } else if options.print {
        let (sd, text) = report.write();
        println!("{sd} {text}");
    }
    match to {
        Some(to) => log::send(&to, &report),
        None => Ok(()),
    }
}

/// Reads what is left to read, in a thread that may hang or panic: then there is no back-trace.
fn read<S: Source + Send + 'static>(
    core: Option<Core<S>>,
    options: &Options,
) -> io::Result<Report> {
    let core = core.ok_or_else(|| io::Error::other("not the core of a 64-bit process"))?;
    // All files are opened now, for from then on none can be; what is in them is read after that.
    let modules = Modules::find(&core, true);
    let facts = core.facts.clone();
    let most = options.frames.into();
    let (say, answer) = mpsc::channel();
    let last = say.clone();
    std::panic::set_hook(Box::new(move |why| {
        eprintln!("corelog: no back-trace: {why}");
        let _ = last.send(Ok(Vec::new()));
        // A panic that went on would end the process.
        loop {
            std::thread::park();
        }
    }));
    std::thread::Builder::new().spawn(move || {
        // Of this thread on Linux: the other one only waits, and reads nothing any more.
        let shut = libsys::sandbox::enter();
        let _ = say.send(shut.map(|_| frames(&core, &modules, most)));
    })?;
    let frames = answer.recv_timeout(PATIENCE).unwrap_or(Ok(Vec::new()))?;
    let report = Report::new(options.given(), Some(facts), frames);
    if report.is_some() {
        Ok(report)
    } else {
        Err(io::Error::other("a core without a signal"))
    }
}
