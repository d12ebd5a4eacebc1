// SPDX-License-Identifier: BSD-2-Clause
//! Many connections that say nothing do not keep out one that does.

use crate::rig::Rig;
use crate::rig::free_port;
use crate::rig::wait_for;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use syslogd::io::streams::EACH;
use syslogd::io::streams::MOST;

const IDLE: usize = 300;

fn server() -> (Rig, SocketAddr) {
    let at = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let udp = format!("127.0.0.1:{}", free_port());
    let rig = Rig::with("*.* ring:all:1M\n", &["-b", &udp, "--tcp", &at.to_string()]);
    (rig, at)
}

/// A connection from 127.0.0.`who`.
fn from(who: u8, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, who), 0));
    socket.bind(&from.into()).expect("an address");
    socket.connect(&to.into()).expect("connected");
    socket.into()
}

fn say(stream: &mut TcpStream, rig: &Rig, text: &str) {
    stream
        .write_all(format!("<13>{text}\n").as_bytes())
        .expect("sent");
    wait_for(text, || !rig.texts("all", text).is_empty());
}

fn figure(rig: &Rig, name: &str) -> usize {
    let n = rig.stats()["inputs"][name].as_u64();
    usize::try_from(n.expect("a figure")).expect("a small one")
}

#[test]
fn from_many_addresses() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: from_many_addresses: only 127.0.0.1 is there");
        return;
    }
    let (rig, at) = server();
    let mut early = from(1, at);
    say(&mut early, &rig, "early");
    let idle: Vec<TcpStream> = (0..IDLE).map(|n| from(2 + (n / 30) as u8, at)).collect();
    let mut late = from(1, at);
    say(&mut late, &rig, "late");
    assert_eq!(figure(&rig, "connections"), MOST);
    assert_eq!(figure(&rig, "connections_replaced"), IDLE + 2 - MOST);
    // Who has spoken has not lost its place.
    say(&mut early, &rig, "and still there");
    assert_eq!(figure(&rig, "connections_refused"), 0);
    assert_eq!(rig.texts("all", "connections: ").len(), 1, "told once");
    drop(idle);
    wait_for("the idle ones to be gone", || {
        figure(&rig, "connections") == 2
    });
}

#[test]
fn from_one_address() {
    let (rig, at) = server();
    let idle: Vec<TcpStream> = (0..IDLE).map(|_| from(1, at)).collect();
    let mut good = from(1, at);
    say(&mut good, &rig, "good");
    assert_eq!(figure(&rig, "connections"), EACH);
    assert_eq!(figure(&rig, "connections_replaced"), IDLE + 1 - EACH);
    // All its places are taken by those that have spoken: it gets no other.
    let mut talkers: Vec<TcpStream> = Vec::new();
    for n in 1..EACH {
        let mut talker = from(1, at);
        say(&mut talker, &rig, &format!("talker {n};"));
        talkers.push(talker);
    }
    let refused = from(1, at);
    wait_for("the refusal", || figure(&rig, "connections_crowded") == 1);
    say(&mut good, &rig, "good again");
    assert_eq!(figure(&rig, "connections"), EACH);
    assert_eq!(rig.texts("all", "connections: ").len(), 1, "told once");
    drop((idle, refused));
}
