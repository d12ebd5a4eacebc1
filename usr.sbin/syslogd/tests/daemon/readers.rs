// SPDX-License-Identifier: BSD-2-Clause
//! The control socket.

use crate::rig::PATIENCE;
use crate::rig::Rig;
use crate::rig::records;
use crate::rig::wait_for;
use liblog::proto::Code;
use liblog::proto::Line;
use liblog::proto::Reply;
use liblog::proto::parse_line;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;

fn follow(rig: &Rig, request: &str) -> impl Iterator<Item = Line> + use<> {
    let mut stream = UnixStream::connect(rig.path("ctl")).expect("the control socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    writeln!(stream, "{request}").expect("asked");
    let lines = BufReader::new(stream).lines();
    lines.map(|line| parse_line(line.expect("a line").as_bytes()).expect("of the protocol"))
}

#[test]
fn a_reader_follows_and_goes_on_where_it_was() {
    let rig = Rig::new("*.* ring:all:64K\n");
    let log = rig.log();
    let mut lines = follow(&rig, "{\"op\":\"read\",\"ring\":\"all\",\"follow\":true}");
    let Some(Line::Reply(Reply::Hello { boot, .. })) = lines.next() else {
        panic!("no greeting");
    };
    for n in 1..=3u64 {
        log.send(format!("<13>follow {n}").as_bytes())
            .expect("sent");
        match lines.next() {
            Some(Line::Record(record)) => assert_eq!(record.seq, n),
            other => panic!("{other:?}"),
        }
    }
    drop(lines);
    for n in 4..=6 {
        log.send(format!("<13>follow {n}").as_bytes())
            .expect("sent");
    }
    wait_for("them", || rig.read("all").len() == 6);
    let again = format!("{{\"op\":\"read\",\"ring\":\"all\",\"boot\":{boot},\"from\":4}}");
    let seqs: Vec<u64> = records(rig.ask(&again)).iter().map(|r| r.seq).collect();
    assert_eq!(seqs, [4, 5, 6]);
}

#[test]
fn one_that_stalls_does_not_stop_the_others() {
    const MESSAGES: u64 = 50_000;
    let rig = Rig::new("*.* ring:all:256K\n");
    let request = "{\"op\":\"read\",\"ring\":\"all\",\"follow\":true}";
    let stalled = follow(&rig, request);
    let log = rig.log();
    for n in 0..MESSAGES {
        log.send(format!("<13>stall {n} {}", "x".repeat(200)).as_bytes())
            .expect("sent");
    }
    wait_for("all of them", || rig.received(0) >= MESSAGES);
    // Now it goes on, and is told to the last one what it lost.
    let (mut got, mut lost) = (0, 0);
    for line in stalled {
        match line {
            Line::Record(record) => {
                got += 1;
                if record.seq == MESSAGES {
                    break;
                }
            }
            Line::Reply(Reply::Lost { lost: n, .. }) => lost += n,
            Line::Reply(_) => {}
        }
    }
    assert!(lost > 0);
    assert_eq!(got + lost, MESSAGES);
}

#[test]
fn sizes_change_while_it_runs() {
    let rig = Rig::new("set budget 256K\n*.* ring:all:64K\n");
    let log = rig.log();
    for n in 0..2000 {
        log.send(format!("<13>size {n}").as_bytes()).expect("sent");
    }
    wait_for("all of them", || rig.received(0) >= 2000);
    let before = rig.read("all").len();
    let done = rig.ask("{\"op\":\"resize\",\"ring\":\"all\",\"size\":131072}");
    assert!(
        matches!(done[0], Line::Reply(Reply::Done { lost: 0, .. })),
        "{done:?}"
    );
    assert_eq!(rig.read("all").len(), before);
    let done = rig.ask("{\"op\":\"resize\",\"ring\":\"all\",\"size\":8192}");
    assert!(
        matches!(done[0], Line::Reply(Reply::Done { lost: 1.., .. })),
        "{done:?}"
    );
    let left = rig.read("all");
    assert!(left.len() < before);
    assert_eq!(left.last().expect("some").text, "size 1999");
    let done = rig.ask("{\"op\":\"resize\",\"ring\":\"all\",\"size\":262145}");
    let Line::Reply(Reply::Error { error, code }) = &done[0] else {
        panic!("{done:?}");
    };
    assert_eq!(*code, Code::OverBudget);
    assert_eq!(
        error,
        "all rings together may have 262144 bytes, of which 253952 are free: ring all may have \
         262144"
    );
    for request in [
        "{\"op\":\"resize\",\"ring\":\"all\",\"size\":1048576}",
        "{\"op\":\"resize\",\"ring\":\"all\",\"size\":10}",
        "{\"op\":\"resize\",\"ring\":\"none\",\"size\":65536}",
        "{\"op\":\"read\",\"ring\":\"all\",\"filter\":{\"regex\":\"(\"}}",
        "{\"op\":\"nonsense\"}",
        "nonsense",
    ] {
        let answer = rig.ask(request);
        assert!(
            matches!(answer[0], Line::Reply(Reply::Error { .. })),
            "{request}"
        );
    }
    rig.ask("{\"op\":\"clear\",\"ring\":\"all\"}");
    assert!(rig.read("all").is_empty());
}

#[test]
fn a_request_without_an_end_is_refused() {
    let rig = Rig::new("*.* ring:all:64K\n");
    let mut stream = UnixStream::connect(rig.path("ctl")).expect("the control socket");
    let sent = stream.write_all(&[b'x'; 1 << 20]);
    let mut said = String::new();
    // It may be gone before all was written.
    let _ = std::io::Read::read_to_string(&mut stream, &mut said);
    assert!(sent.is_err() || said.contains("busy") || said.is_empty());
    rig.wait_until_it_answers();
}
