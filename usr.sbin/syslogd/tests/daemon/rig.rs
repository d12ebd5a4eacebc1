// SPDX-License-Identifier: BSD-2-Clause
//! A syslogd of one test, in a folder of its own.

use liblog::proto::Line;
use liblog::proto::RecordLine;
use liblog::proto::Reply;
use liblog::proto::parse_line;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;
use syslogd::engine::Input;

/// Nothing takes so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running syslogd.
pub struct Rig {
    pub dir: tempfile::TempDir,
    child: Child,
    arguments: Vec<String>,
    /// What it is started by, if not as it is.
    by: Vec<String>,
}

/// Waits until something is so.
pub fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    listener.local_addr().expect("an address").port()
}

impl Rig {
    /// With that configuration, in which `DIR` is the test's folder, and no network.
    pub fn new(conf: &str) -> Rig {
        Rig::with(conf, &["-s"])
    }

    pub fn with(conf: &str, arguments: &[&str]) -> Rig {
        Rig::at(tempfile::tempdir().expect("a folder"), conf, arguments)
    }

    pub fn at(dir: tempfile::TempDir, conf: &str, arguments: &[&str]) -> Rig {
        Rig::by(&[], dir, conf, arguments)
    }

    /// Started by a command that becomes it.
    pub fn by(by: &[&str], dir: tempfile::TempDir, conf: &str, arguments: &[&str]) -> Rig {
        // The worker, another user, gets to it by descriptors only.
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let by: Vec<String> = by.iter().map(|a| (*a).to_owned()).collect();
        write_conf(dir.path(), conf);
        let child = start(&by, dir.path(), &arguments);
        let rig = Rig {
            dir,
            child,
            arguments,
            by,
        };
        rig.wait_until_it_answers();
        rig
    }

    pub fn wait_until_it_answers(&self) {
        wait_for("an answer", || {
            self.try_ask("{\"op\":\"ping\"}").is_some_and(|lines| {
                lines
                    .iter()
                    .any(|l| matches!(l, Line::Reply(Reply::Done { .. })))
            })
        });
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        kill(&pid, signal);
    }

    /// The worker's process id.
    pub fn worker(&self) -> Option<u32> {
        let me = self.pid();
        std::fs::read_dir("/proc")
            .ok()?
            .flatten()
            .find_map(|entry| {
                let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
                let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
                let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
                let alive = fields.first() != Some(&"Z");
                (alive && fields.get(1) == Some(&me.to_string().as_str())).then_some(pid)
            })
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        self.signal("-TERM");
        let status = self.child.wait().expect("an end");
        assert!(status.success(), "{status}");
    }

    pub fn start_again(&mut self) {
        self.child = start(&self.by, self.dir.path(), &self.arguments);
        self.wait_until_it_answers();
    }

    pub fn log(&self) -> UnixDatagram {
        let socket = UnixDatagram::unbound().expect("a socket");
        socket.connect(self.path("log")).expect("the log socket");
        socket
    }

    /// Asks, and gives the lines up to the end of the answer.
    pub fn try_ask(&self, request: &str) -> Option<Vec<Line>> {
        let mut stream = UnixStream::connect(self.path("ctl")).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        writeln!(stream, "{request}").ok()?;
        let mut lines = Vec::new();
        for line in BufReader::new(stream).lines() {
            let line = parse_line(line.ok()?.as_bytes()).expect("a line of the protocol");
            let over = match &line {
                Line::Record(_) => false,
                Line::Reply(Reply::Hello { .. } | Reply::Lost { .. }) => false,
                Line::Reply(_) => true,
            };
            lines.push(line);
            if over {
                return Some(lines);
            }
        }
        None
    }

    pub fn ask(&self, request: &str) -> Vec<Line> {
        self.try_ask(request).expect("an answer")
    }

    /// All records of a ring.
    pub fn read(&self, ring: &str) -> Vec<RecordLine> {
        let lines = self.ask(&format!("{{\"op\":\"read\",\"ring\":\"{ring}\"}}"));
        records(lines)
    }

    /// Those whose text begins so.
    pub fn texts(&self, ring: &str, start: &str) -> Vec<String> {
        let records = self.read(ring).into_iter();
        records
            .map(|record| record.text)
            .filter(|text| text.starts_with(start))
            .collect()
    }

    pub fn stats(&self) -> serde_json::Value {
        match self.ask("{\"op\":\"stats\"}").pop() {
            Some(Line::Reply(Reply::Stats { stats })) => stats,
            other => panic!("no figures: {other:?}"),
        }
    }

    /// How many messages it has received by an input, by its place in `Input::NAMES`.
    pub fn received(&self, input: usize) -> u64 {
        self.stats()["engine"]["received"][Input::NAMES[input]]
            .as_u64()
            .expect("a number")
    }

    pub fn conf(&self, conf: &str) {
        write_conf(self.dir.path(), conf);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // In order first, so that the worker ends too.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal("-TERM");
            let start = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < PATIENCE / 4 {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub fn kill(pid: &str, signal: &str) {
    let status = Command::new("kill").args([signal, pid]).status();
    assert!(status.expect("kill").success());
}

pub fn records(lines: Vec<Line>) -> Vec<RecordLine> {
    let record = |line| match line {
        Line::Record(record) => Some(*record),
        Line::Reply(_) => None,
    };
    lines.into_iter().filter_map(record).collect()
}

fn write_conf(dir: &Path, conf: &str) {
    let conf = conf.replace("DIR", dir.to_str().expect("a name"));
    std::fs::write(dir.join("conf"), conf).expect("written");
}

fn start(by: &[String], dir: &Path, arguments: &[String]) -> Child {
    let at = |name: &str| dir.join(name).to_str().expect("a name").to_owned();
    let mut words = by
        .iter()
        .map(String::as_str)
        .chain([env!("CARGO_BIN_EXE_syslogd")]);
    Command::new(words.next().expect("a program"))
        .args(words)
        .args(["-d", "-f", &at("conf"), "-p", &at("log"), "-S", &at("ctl")])
        .args(["-k", "", "--hostname", "router", "--pidfile", &at("pid")])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("syslogd")
}
