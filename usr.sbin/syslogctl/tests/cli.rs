// SPDX-License-Identifier: BSD-2-Clause
//! syslogctl(8) as it is run, at the socket of a small syslogd that has rings and nothing else.

#![forbid(unsafe_code)]

use liblog::filter::Filter;
use liblog::proto::{Code, EndWhy, Read, Reply, Request, RingInfo, parse_request, write_record};
use liblog::ring::{Ring, Step};
use liblog::time::Zone;
use liblog::{Buf, Clocks, Msg, Pri};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

type Rings = Arc<Mutex<BTreeMap<String, Ring<Vec<u8>>>>>;

/// Somebody at a socket of its own, with these rings.
struct Fake {
    path: PathBuf,
    rings: Rings,
}

impl Fake {
    fn new(name: &str, rings: &[(&str, usize)]) -> Fake {
        let path = std::env::temp_dir().join(format!("syslogctl-{name}.{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        let rings: BTreeMap<_, _> = rings
            .iter()
            .map(|&(name, size)| {
                let ring = Ring::format(vec![0; size], 77).expect("a ring");
                (name.to_owned(), ring)
            })
            .collect();
        let rings = Arc::new(Mutex::new(rings));
        let shared = Arc::clone(&rings);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let rings = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &rings));
            }
        });
        Fake { path, rings }
    }

    /// `at` is seconds since 1970.
    fn log(&self, ring: &str, at: i64, pri: u16, app: &str, text: &str) {
        let msg = Msg {
            pri: Pri::from_value(pri).expect("a priority"),
            sent: None,
            host: b"gw",
            app: app.as_bytes(),
            procid: b"1",
            msgid: b"",
            sd: b"",
            text: text.as_bytes(),
        };
        let wall = at * 1_000_000_000;
        let mut rings = self.rings.lock().expect("rings");
        let ring = rings.get_mut(ring).expect("the ring");
        ring.push(
            &msg,
            Clocks {
                wall,
                mono: wall.unsigned_abs(),
            },
        );
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_syslogctl"))
            .args(args)
            .env("SYSLOGCTL_SOCKET", &self.path)
            .env("TZ", "UTC")
            .output()
            .expect("it runs")
    }

    /// What it prints; it must succeed.
    fn shows(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert!(out.status.success(), "{args:?}: {out:?}");
        assert!(out.stderr.is_empty(), "{args:?}: {out:?}");
        String::from_utf8(out.stdout).expect("text")
    }

    fn fails(&self, args: &[&str]) -> (Option<i32>, String) {
        let out = self.run(args);
        (
            out.status.code(),
            String::from_utf8(out.stderr).expect("text"),
        )
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(stream: &UnixStream, rings: &Rings) {
    let mut to = stream;
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let mut rings = rings.lock().expect("rings");
        let answer = match parse_request(line.as_bytes()) {
            Ok(Request::Read(read)) => reading(&rings, &read),
            Ok(Request::Rings) => one(&Reply::Rings {
                rings: rings.iter().map(|(name, ring)| info(name, ring)).collect(),
            }),
            Ok(Request::Clear { ring }) => match rings.get_mut(&ring) {
                Some(found) => {
                    let lost = found.stats().records;
                    found.clear();
                    one(&Reply::Done {
                        done: "clear".into(),
                        lost,
                    })
                }
                None => one(&Reply::error(Code::NoRing, format!("no ring {ring:?}"))),
            },
            Ok(_) => one(&Reply::error(Code::NoAccess, "not here")),
            Err(why) => one(&Reply::error(Code::BadRequest, why)),
        };
        drop(rings);
        if to.write_all(&answer).is_err() {
            return;
        }
    }
}

fn one(reply: &Reply) -> Vec<u8> {
    let mut line = serde_json::to_vec(reply).expect("JSON");
    line.push(b'\n');
    line
}

fn info(name: &str, ring: &Ring<Vec<u8>>) -> RingInfo {
    let stats = ring.stats();
    RingInfo {
        name: name.into(),
        boot: ring.boot(),
        first: ring.first(),
        next: ring.next(),
        records: stats.records,
        used: stats.used,
        size: stats.total,
        pushed: stats.pushed,
        dropped: stats.dropped,
        cleared: stats.cleared,
        cut: stats.cut,
        keep: String::new(),
        pack: String::new(),
    }
}

fn reading(rings: &BTreeMap<String, Ring<Vec<u8>>>, read: &Read) -> Vec<u8> {
    let Some(ring) = rings.get(&read.ring) else {
        return one(&Reply::error(
            Code::NoRing,
            format!("no ring {:?}", read.ring),
        ));
    };
    let filter = Filter::new(&read.filter).expect("it was checked");
    let mut answer = one(&Reply::Hello {
        hello: 1,
        ring: read.ring.clone(),
        boot: ring.boot(),
        first: ring.first(),
        next: ring.next(),
    });
    let same = read.boot.is_none_or(|boot| boot == ring.boot());
    let from = read.from.filter(|_| same).unwrap_or(ring.first());
    let mut cursor = ring.cursor(from);
    let mut found = Vec::new();
    loop {
        match ring.read(&mut cursor) {
            Step::Record(record) => {
                if filter.matches(&record) {
                    let mut line = Buf::new(1 << 16);
                    assert!(write_record(&record, &Zone::utc(), &mut line));
                    found.push(line.as_bytes().to_vec());
                }
            }
            Step::Lost { n, next } => found.push(one(&Reply::Lost { lost: n, next })),
            Step::End => break,
        }
    }
    let last = read
        .last
        .map_or(found.len(), |n| usize::try_from(n).expect("a small number"));
    for line in found.iter().skip(found.len().saturating_sub(last)) {
        answer.extend_from_slice(line);
    }
    answer.extend(one(&Reply::End {
        end: EndWhy::All,
        next: ring.next(),
    }));
    answer
}

const DAY: i64 = 1_796_000_000;

#[test]
fn rings_are_one_log() {
    let fake = Fake::new("merge", &[("a", 8192), ("b", 8192)]);
    fake.log("a", DAY, 30, "x", "first");
    fake.log("b", DAY + 1, 27, "y", "second");
    fake.log("a", DAY + 2, 30, "x", "third");
    // In both.
    fake.log("a", DAY + 3, 30, "x", "fourth");
    fake.log("b", DAY + 3, 30, "x", "fourth");
    let line = |second: i64, app: &str, text: &str| {
        format!("Nov 30 00:53:{:02} gw {app}[1]: {text}\n", 20 + second)
    };
    let all = [
        line(0, "x", "first"),
        line(1, "y", "second"),
        line(2, "x", "third"),
        line(3, "x", "fourth"),
    ];
    assert_eq!(fake.shows(&[]), all.concat());
    assert_eq!(fake.shows(&["read", "b", "a"]), all.concat());
    assert_eq!(fake.shows(&["-n", "2"]), all[2..].concat());
    assert_eq!(fake.shows(&["--duplicates"]).lines().count(), 5);
    assert_eq!(fake.shows(&["-l", "err"]), all[1]);
    assert_eq!(
        fake.shows(&["-p", "x", "a", "--from", "2"]),
        all[2..].concat()
    );
    assert_eq!(
        fake.shows(&["--since", "2026-11-30 00:53:22", "a"]),
        all[2..].concat()
    );
    let json = fake.shows(&["--json", "b"]);
    assert!(
        json.starts_with("{\"ring\":\"b\",\"boot\":77,\"seq\":1,"),
        "{json}"
    );
    assert!(
        json.lines()
            .all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok())
    );
}

#[test]
fn it_goes_on_and_tells_what_is_lost() {
    let fake = Fake::new("cursor", &[("a", 4096)]);
    let file = std::env::temp_dir().join(format!("syslogctl-cli-cursor.{}", std::process::id()));
    let _ = std::fs::remove_file(&file);
    let args = ["--cursor-file", file.to_str().expect("text"), "a"];
    fake.log("a", DAY, 30, "x", "one");
    assert!(fake.shows(&args).ends_with("one\n"));
    assert_eq!(fake.shows(&args), "");
    for n in 0..500 {
        fake.log("a", DAY, 30, "x", &format!("number {n}"));
    }
    let shown = fake.shows(&args);
    let lost: usize = shown
        .strip_prefix("-- ")
        .and_then(|s| s.split(' ').next())
        .and_then(|n| n.parse().ok())
        .expect("a loss");
    assert!(
        lost > 0 && shown.contains(" messages lost in ring a --\n"),
        "{shown}"
    );
    assert_eq!(lost + shown.lines().count() - 1, 500);
    let place = fake.shows(&["--show-cursor", "-n", "0", "a"]);
    assert_eq!(place, "-- cursor: a:77:502\n");
    assert!(
        fake.shows(&["--cursor", "a:78:502", "a"])
            .starts_with("-- ring a has begun anew --\n")
    );
    let _ = std::fs::remove_file(&file);
}

#[test]
fn what_is_wrong_is_said() {
    let fake = Fake::new("wrong", &[("a", 4096)]);
    let (code, said) = fake.fails(&["b"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(2), "syslogctl: there is no ring 'b'; there are: a\n")
    );
    let (code, said) = fake.fails(&["stats"]);
    assert_eq!((code, said.as_str()), (Some(4), "syslogctl: not here\n"));
    for (args, words) in [
        (&["-l", "bad"][..], "no level"),
        (&["-e", "("], "regular expression"),
        (&["--since", "soon"], "is no time"),
        (&["--cursor", "x"], "RING:BOOT:SEQ"),
        (&["-n", "1", "rings"], "behind read"),
        (&["resize", "a", "x"], "number"),
        (&["clear", "b"], "no ring"),
    ] {
        let (code, said) = fake.fails(args);
        assert!(
            code == Some(2) && said.contains(words),
            "{args:?}: {code:?} {said}"
        );
    }
    let (code, said) = fake.fails(&["-s", "/nowhere/socket", "rings"]);
    assert!(
        code == Some(3) && said.contains("is syslogd running?"),
        "{said}"
    );
}

#[test]
fn tables_and_changes() {
    let fake = Fake::new("tables", &[("a", 4096), ("longer", 1 << 16)]);
    fake.log("a", DAY, 30, "x", "one");
    let shown = fake.shows(&["rings"]);
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0][..4], ["RING", "SIZE", "USED", "RECORDS"]);
    assert_eq!((rows[1][0], rows[1][1], rows[1][3]), ("a", "4K", "1"));
    assert_eq!((rows[2][0], rows[2][1], rows[2][3]), ("longer", "64K", "0"));
    assert_eq!(fake.shows(&["clear", "a"]), "a: 1 records are gone\n");
    assert_eq!(fake.shows(&["clear", "a"]), "");
    assert!(
        fake.shows(&["--json", "clear", "a"])
            .contains("\"done\": \"clear\"")
    );
}

#[test]
fn what_comes_is_followed_until_nobody_reads() {
    let fake = Fake::new("follow", &[("a", 1 << 16)]);
    fake.log("a", DAY, 30, "x", "one");
    let mut child = Command::new(env!("CARGO_BIN_EXE_syslogctl"))
        .args(["-f", "a"])
        .env("SYSLOGCTL_SOCKET", &fake.path)
        .env("TZ", "UTC")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    assert!(next().ends_with("one"));
    for text in ["two", "three"] {
        // This syslogd ends each reading; so it is one that is started again and again.
        fake.log("a", DAY, 30, "x", text);
        assert!(next().ends_with(text));
    }
    child.kill().expect("it runs");
    let _ = child.wait();
}
