// SPDX-License-Identifier: BSD-2-Clause
//! What comes in.

use crate::rig::Rig;
use crate::rig::free_port;
use crate::rig::wait_for;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::net::UdpSocket;

#[test]
fn from_the_local_socket_into_a_ring() {
    let rig = Rig::new("*.* ring:all:1M\nauth.* ring:auth:64K\n");
    let log = rig.log();
    log.send(b"<13>Nov 29 01:02:03 app[77]: hello")
        .expect("sent");
    log.send(b"<38>1 2026-11-29T01:02:03.5Z h login 5 ID [a b=\"c\"] in")
        .expect("sent");
    wait_for("both", || rig.read("all").len() == 2);
    let all = rig.read("all");
    assert_eq!((all[0].app.as_str(), all[0].procid.as_str()), ("app", "77"));
    assert_eq!(
        (all[0].text.as_str(), all[0].facility.as_str()),
        ("hello", "user")
    );
    let auth = rig.read("auth");
    assert_eq!(auth.len(), 1);
    assert_eq!(
        (auth[0].sd.as_str(), auth[0].msgid.as_str()),
        ("[a b=\"c\"]", "ID")
    );
}

#[test]
fn whatever_the_bytes_are() {
    let rig = Rig::new("*.* ring:all:1M\n*.* DIR/file\n");
    let log = rig.log();
    let odd: [&[u8]; 9] = [
        b"",
        b"\0",
        b"<13>nul \0 inside",
        b"<13>\xff\xfe\x80 not utf-8",
        b"<13>%s%n%x %d",
        b"<999999999999999999999>x",
        b"<13>1 - - - - - [",
        b"<13>\x1b[2J\r\nnext line",
        b"<13>1 2026-99-99T99:99:99Z h a p m [x y=\"\\\"] t",
    ];
    for packet in odd {
        log.send(packet).expect("sent");
    }
    log.send(b"<13>last").expect("sent");
    wait_for("the last", || !rig.texts("all", "last").is_empty());
    let all = rig.read("all");
    assert_eq!(all.len(), odd.len() + 1, "each becomes a message");
    let nul = all
        .iter()
        .find(|r| r.text.contains("inside"))
        .expect("there");
    assert_eq!(nul.text_bytes(), b"nul \0 inside");
    let raw = all.iter().find(|r| r.raw.is_some()).expect("there");
    assert_eq!(raw.text_bytes(), b"\xff\xfe\x80 not utf-8");
    wait_for("the file", || {
        std::fs::read_to_string(rig.path("file")).is_ok_and(|text| text.contains("last"))
    });
    let file = std::fs::read(rig.path("file")).expect("a file");
    assert!(
        !file.contains(&0x1b) && !file.contains(&0),
        "nothing odd in a file"
    );
    assert_eq!(file.iter().filter(|&&b| b == b'\n').count(), odd.len() + 1);
}

#[test]
fn sixty_four_kilobytes() {
    let rig = Rig::new("set message 65536\n*.* ring:all:1M\n");
    let log = rig.log();
    let mut message = b"<13>long ".to_vec();
    message.resize(65_536, b'x');
    log.send(&message).expect("sent");
    message.resize(80_000, b'y');
    log.send(&message).expect("sent");
    log.send(b"<13>last").expect("sent");
    wait_for("the last", || !rig.texts("all", "last").is_empty());
    // A line of an answer has room for less than that, and says so.
    let all = rig.read("all");
    assert_eq!(all.len(), 3);
    let length = |n: usize| all[n].len.unwrap_or(all[n].text.len() as u64);
    assert_eq!(length(0), 65_536 - 4);
    assert_eq!(length(1), 65_536 - 4, "cut, and counted");
    assert_eq!(rig.stats()["inputs"]["cut"], 1);
}

#[test]
fn a_burst_is_counted_to_the_last_message() {
    const MESSAGES: u64 = 100_000;
    let rig = Rig::new("*.* ring:all:1M\n");
    let log = rig.log();
    for n in 0..MESSAGES {
        log.send(format!("<13>burst {n}").as_bytes())
            .expect("a local sender waits");
    }
    wait_for("all of them", || rig.received(0) >= MESSAGES);
    assert_eq!(rig.received(0), MESSAGES);
    let all = rig.read("all");
    let last = all.last().expect("some");
    assert_eq!(last.text, format!("burst {}", MESSAGES - 1));
    assert_eq!(last.seq, MESSAGES, "each has its number");
    // What the ring says it lost and what it has are what was sent.
    assert_eq!(all[0].seq + all.len() as u64 - 1, MESSAGES);
    for (record, n) in all.iter().zip(all[0].seq - 1..) {
        assert_eq!(record.text, format!("burst {n}"));
    }
}

#[test]
fn udp_from_those_who_may() {
    let port = free_port();
    let at = format!("127.0.0.1:{port}");
    let rig = Rig::with("*.* ring:all:1M\n", &["-b", &at, "-a", "127.0.0.1/32:*"]);
    let from = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    from.send_to(b"<13>Nov 29 01:02:03 other app: by udp", &at)
        .expect("sent");
    from.send_to(b"no header", &at).expect("sent");
    wait_for("both", || rig.read("all").len() == 2);
    let all = rig.read("all");
    assert_eq!(
        (all[0].host.as_str(), all[0].text.as_str()),
        ("other", "by udp")
    );
    assert_eq!(
        all[1].host, "127.0.0.1",
        "the address where there is no name"
    );

    let port = free_port();
    let at = format!("127.0.0.1:{port}");
    let rig = Rig::with("*.* ring:all:1M\n", &["-b", &at, "-a", "127.0.0.2/32:*"]);
    from.send_to(b"<13>no", &at).expect("sent");
    wait_for("it to be refused", || rig.stats()["inputs"]["denied"] == 1);
    assert!(rig.read("all").is_empty());
}

#[test]
fn tcp_in_both_framings_from_many() {
    let port = free_port();
    let at = format!("127.0.0.1:{port}");
    let rig = Rig::with("*.* ring:all:4M\n", &["-s", "--tcp", &at]);
    drop(rig);
    // Secure means secure; without -s it listens.
    let bind = format!("127.0.0.1:{}", free_port());
    let rig = Rig::with("*.* ring:all:4M\n", &["-b", &bind, "--tcp", &at]);
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let at = at.clone();
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(at).expect("connected");
                for n in 0..500 {
                    let message = format!("<13>1 - h a - - - s{sender} n{n}");
                    let framed = if n % 2 == 0 {
                        format!("{} {message}", message.len())
                    } else {
                        format!("{message}\n")
                    };
                    // In two pieces, wherever that is.
                    let (a, b) = framed.as_bytes().split_at(n % framed.len());
                    stream.write_all(a).expect("sent");
                    stream.write_all(b).expect("sent");
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().expect("all sent");
    }
    wait_for("all of them", || rig.received(3) >= 4000);
    let texts: BTreeSet<String> = rig.read("all").into_iter().map(|r| r.text).collect();
    assert_eq!(texts.len(), 4000);
    wait_for("the connections to be gone", || {
        rig.stats()["inputs"]["connections"] == 0
    });
    // One that is too long is cut, and what follows is read.
    let mut stream = TcpStream::connect(&at).expect("connected");
    let mut long = b"<13>toolong ".to_vec();
    long.resize(200_000, b'x');
    long.extend_from_slice(b"\n<13>after\n");
    stream.write_all(&long).expect("sent");
    wait_for("what follows", || !rig.texts("all", "after").is_empty());
    assert!(rig.stats()["inputs"]["skipped_bytes"].as_u64() > Some(100_000));
}
