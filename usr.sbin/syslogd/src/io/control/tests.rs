// SPDX-License-Identifier: BSD-2-Clause
//! Readers, with a ring and a socket pair.

use super::*;
use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::proto::Line;
use liblog::proto::parse_line;
use liblog::ring::Ring;

struct One {
    ring: Log<Memory>,
}

impl Store for One {
    fn find(&self, name: &str, _peer: &Peer) -> Result<usize, Reply> {
        match name {
            "r" => Ok(0),
            _ => Err(Reply::error(Code::NoRing, "no such ring")),
        }
    }

    fn ring(&mut self, at: usize) -> Option<(&str, &mut Log<Memory>)> {
        (at == 0).then_some(("r", &mut self.ring))
    }

    fn answer(&mut self, _request: Request, _peer: &Peer) -> Reply {
        Reply::Done {
            done: "ping".into(),
            lost: 0,
        }
    }
}

impl One {
    fn new(size: usize) -> One {
        One {
            ring: Log::plain(Ring::format(Memory::plain(size), 5).expect("a ring")),
        }
    }

    fn push(&mut self, text: &[u8]) {
        let mut msg = Msg::bare(Pri::DEFAULT, text);
        (msg.host, msg.app) = (b"h", b"a");
        self.ring.push(&msg, Clocks::default());
    }
}

fn client() -> (Client, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    ours.set_nonblocking(true).expect("a flag");
    theirs.set_nonblocking(true).expect("a flag");
    let peer = Peer {
        uid: 0,
        gid: 0,
        pid: None,
    };
    (Client::new(ours, peer), theirs)
}

fn lines(socket: &mut UnixStream) -> Vec<Line> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    while let Ok(n) = socket.read(&mut part) {
        if n == 0 {
            break;
        }
        bytes.extend_from_slice(&part[..n]);
    }
    let lines = bytes.split(|&b| b == b'\n').filter(|l| !l.is_empty());
    lines.map(|l| parse_line(l).expect("a line")).collect()
}

fn seqs(lines: &[Line]) -> Vec<u64> {
    let record = |line: &Line| match line {
        Line::Record(record) => Some(record.seq),
        Line::Reply(_) => None,
    };
    lines.iter().filter_map(record).collect()
}

#[test]
fn a_read_and_a_question_after_it() {
    let mut store = One::new(65_536);
    (1..=5).for_each(|n| store.push(format!("text {n}").as_bytes()));
    let (mut client, mut socket) = client();
    socket
        .write_all(b"{\"op\":\"read\",\"ring\":\"r\",\"from\":3}\n{\"op\":\"ping\"}\nnonsense\n")
        .expect("asked");
    assert_eq!(client.serve(&mut store, &Zone::utc()), After::Quiet);
    let said = lines(&mut socket);
    assert_eq!(seqs(&said), [3, 4, 5]);
    assert!(matches!(
        said[0],
        Line::Reply(Reply::Hello {
            boot: 5,
            next: 6,
            ..
        })
    ));
    let end = Reply::End {
        end: EndWhy::All,
        next: 6,
    };
    assert!(matches!(&said[4], Line::Reply(reply) if *reply == end));
    assert!(matches!(said[5], Line::Reply(Reply::Done { .. })));
    assert!(matches!(said[6], Line::Reply(Reply::Error { .. })));
    drop(socket);
    assert_eq!(client.serve(&mut store, &Zone::utc()), After::Closed);
}

#[test]
fn one_that_stalls_is_told_exactly_what_it_lost() {
    let mut store = One::new(65_536);
    let (mut client, mut socket) = client();
    socket
        .write_all(b"{\"op\":\"read\",\"ring\":\"r\",\"follow\":true}\n")
        .expect("asked");
    client.serve(&mut store, &Zone::utc());
    // It takes nothing while these come, far more than all buffers hold.
    for n in 0..20_000u32 {
        store.push(format!("{n} {}", "x".repeat(100)).as_bytes());
        if n % 100 == 0 {
            client.serve(&mut store, &Zone::utc());
        }
    }
    let (mut got, mut lost, mut last) = (0, 0, 0);
    for _ in 0..1000 {
        for line in lines(&mut socket) {
            match line {
                Line::Record(record) => {
                    assert!(record.seq > last);
                    (got, last) = (got + 1, record.seq);
                }
                Line::Reply(Reply::Lost { lost: n, .. }) => lost += n,
                Line::Reply(_) => {}
            }
        }
        client.serve(&mut store, &Zone::utc());
    }
    assert!(lost > 0 && got > 0);
    assert_eq!(got + lost, 20_000);
    assert_eq!(last, 20_000);
}

#[test]
fn the_newest_that_pass_a_filter() {
    let mut store = One::new(65_536);
    (1..=100).for_each(|n| store.push(format!("n={n} {}", n % 10).as_bytes()));
    let (mut client, mut socket) = client();
    let mut ask = |request: &str| {
        socket.write_all(request.as_bytes()).expect("asked");
        while client.serve(&mut store, &Zone::utc()) == After::More {}
        seqs(&lines(&mut socket))
    };
    let got = ask("{\"op\":\"read\",\"ring\":\"r\",\"last\":3}\n");
    assert_eq!(got, [98, 99, 100]);
    let got = ask("{\"op\":\"read\",\"ring\":\"r\",\"last\":2,\"filter\":{\"regex\":\" 7$\"}}\n");
    assert_eq!(got, [87, 97]);
    let got = ask("{\"op\":\"read\",\"ring\":\"r\",\"limit\":2,\"filter\":{\"regex\":\" 7$\"}}\n");
    assert_eq!(got, [7, 17]);
    let got = ask("{\"op\":\"read\",\"ring\":\"r\",\"boot\":4,\"from\":90,\"limit\":1}\n");
    assert_eq!(got, [1], "another ring: from its oldest on");
}

#[test]
fn who_may() {
    let peer = |uid, gid| Peer {
        uid,
        gid,
        pid: None,
    };
    let group = Group {
        gid: 4,
        members: vec![1000],
    };
    assert!(may(&peer(0, 0), &Group::default(), 77));
    assert!(may(&peer(77, 77), &Group::default(), 77));
    assert!(
        !may(&peer(78, 0), &Group::default(), 77),
        "no group, so root alone"
    );
    assert!(may(&peer(1000, 9), &group, 77));
    assert!(may(&peer(1001, 4), &group, 77));
    assert!(!may(&peer(1001, 5), &group, 77));
}
