// SPDX-License-Identifier: BSD-2-Clause
//! Connections, with real sockets and a clock of the test's own.

use super::*;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;

const SECOND: u64 = 1_000_000_000;

#[derive(Default)]
struct Seen {
    texts: Vec<Vec<u8>>,
    left: Vec<RawFd>,
}

impl Around for Seen {
    fn take(&mut self, piece: Piece<'_>) {
        self.texts.push(piece.bytes.to_vec());
    }

    fn leave(&mut self, fd: RawFd) {
        self.left.push(fd);
    }
}

/// Connections to a listener.
struct Door {
    listener: TcpListener,
    tls: Option<std::sync::Arc<rustls::ServerConfig>>,
}

impl Door {
    fn new() -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        Door {
            listener,
            tls: None,
        }
    }

    /// One that says it is of `10.0.0.who`.
    fn pair(&self, who: u8) -> (TcpStream, New) {
        let to = self.listener.local_addr().expect("an address");
        let client = TcpStream::connect(to).expect("there");
        let (server, from) = self.listener.accept().expect("a connection");
        server.set_nonblocking(true).expect("a flag");
        let session = match &self.tls {
            Some(config) => Session::server(server, config).expect("TLS"),
            None => Session::plain(server),
        };
        let new = New {
            session,
            from: SocketAddr::from(([10, 0, 0, who], from.port())),
            input: Input::Tcp,
            message: 100,
        };
        (client, new)
    }
}

/// Goes round until something is so.
fn until(streams: &mut Streams, now: u64, seen: &mut Seen, is: impl Fn(&Streams, &Seen) -> bool) {
    for _ in 0..2000 {
        (0..MOST).for_each(|at| streams.ready(at));
        streams.round(now, seen);
        if is(streams, seen) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("it does not come");
}

fn fates(streams: &Streams) -> [u64; 5] {
    [
        Fate::Refused,
        Fate::Crowded,
        Fate::Replaced,
        Fate::NoHandshake,
        Fate::NoMessage,
    ]
    .map(|fate| streams.tally().get(fate))
}

#[test]
fn both_framings_and_an_end_in_the_middle() {
    let (mut streams, mut seen, door) = (Streams::default(), Seen::default(), Door::new());
    let (mut client, new) = door.pair(1);
    let at = streams.add(new, 0, &mut seen).expect("room");
    let fd = streams.raw_fd(at).expect("a descriptor");
    client
        .write_all(b"<13>one\n6 <13>ab<13>three\nrest")
        .expect("written");
    drop(client);
    until(&mut streams, 0, &mut seen, |s, _| s.open() == 0);
    let want = ["<13>one", "<13>ab", "<13>three", "rest"].map(|w| w.as_bytes().to_vec());
    assert_eq!(seen.texts, want);
    assert_eq!(seen.left, [fd]);
    assert_eq!((streams.next(), streams.broken()), (u64::MAX, 0));
    // The slot is used again.
    let (_client, new) = door.pair(1);
    assert_eq!(streams.add(new, 0, &mut seen), Some(at));
}

#[test]
fn who_says_nothing_goes_and_who_has_spoken_stays() {
    let (mut streams, mut seen, door) = (Streams::default(), Seen::default(), Door::new());
    let (mut speaks, new) = door.pair(1);
    streams.add(new, 5, &mut seen).expect("room");
    let (mut half, new) = door.pair(2);
    let at = streams.add(new, 7, &mut seen).expect("room");
    let fd = streams.raw_fd(at).expect("a descriptor");
    assert_eq!(streams.next(), 5 + FIRST);
    speaks.write_all(b"<13>one\n").expect("written");
    half.write_all(b"<13>not a whole").expect("written");
    until(&mut streams, 8, &mut seen, |_, seen| seen.texts.len() == 1);
    streams.round(6 + FIRST, &mut seen);
    assert_eq!((streams.open(), streams.next()), (2, 7 + FIRST));
    // Bytes do not put it off.
    half.write_all(b" message").expect("written");
    streams.round(7 + FIRST, &mut seen);
    assert_eq!((streams.open(), seen.left.clone()), (1, vec![fd]));
    assert_eq!(fates(&streams), [0, 0, 0, 0, 1]);
    assert_eq!(streams.next(), 0, "that is to be told");
    let note = streams.note(7 + FIRST).expect("a note");
    assert_eq!(
        note,
        "connections: 1 closed that sent no message in 60 s; the last was of 10.0.0.2"
    );
    // For days.
    assert_eq!(streams.next(), u64::MAX);
    streams.round(1_000_000 * SECOND, &mut seen);
    assert_eq!(streams.open(), 1);
    speaks.write_all(b"<13>two\n").expect("written");
    until(&mut streams, 1_000_000 * SECOND, &mut seen, |_, seen| {
        seen.texts.len() == 2
    });
}

#[test]
fn a_handshake_has_its_own_time() {
    let mut door = Door::new();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(std::sync::Arc::new(
            rustls::server::ResolvesServerCertUsingSni::new(),
        ));
    door.tls = Some(std::sync::Arc::new(config));
    let (mut streams, mut seen) = (Streams::default(), Seen::default());
    let (_client, new) = door.pair(1);
    streams.add(new, 3, &mut seen).expect("room");
    assert_eq!(streams.next(), 3 + HANDSHAKE);
    streams.round(2 + HANDSHAKE, &mut seen);
    assert_eq!(streams.open(), 1);
    streams.round(3 + HANDSHAKE, &mut seen);
    assert_eq!((streams.open(), fates(&streams)), (0, [0, 0, 0, 1, 0]));
}

#[test]
fn the_quietest_gives_its_place() {
    let (mut streams, mut seen, door) = (Streams::default(), Seen::default(), Door::new());
    let mut clients = Vec::new();
    for n in 0..MOST {
        let (client, new) = door.pair((n / 16) as u8);
        assert_eq!(streams.add(new, n as u64, &mut seen), Some(n));
        clients.push(client);
    }
    // The first has spoken and the second has not, but what it sent has not been read.
    clients[0].write_all(b"<13>first\n").expect("written");
    until(&mut streams, 300, &mut seen, |_, seen| {
        seen.texts.len() == 1
    });
    clients[1].write_all(b"<13>second\n").expect("written");
    std::thread::sleep(std::time::Duration::from_millis(50));
    let (_third, new) = door.pair(100);
    assert_eq!(streams.add(new, 301, &mut seen), Some(2));
    assert_eq!(
        seen.texts.last().map(Vec::as_slice),
        Some(&b"<13>second"[..])
    );
    assert_eq!((streams.open(), fates(&streams)), (MOST, [0, 0, 1, 0, 0]));
    // All have spoken: nobody goes.
    for client in &mut clients[3..] {
        client.write_all(b"<13>x\n").expect("written");
    }
    (&_third).write_all(b"<13>x\n").expect("written");
    until(&mut streams, 302, &mut seen, |_, seen| {
        seen.texts.len() == MOST
    });
    let (_client, new) = door.pair(101);
    assert_eq!(streams.add(new, 303, &mut seen), None);
    assert_eq!((streams.open(), fates(&streams)), (MOST, [1, 0, 1, 0, 0]));
    streams.close(7, &mut seen);
    let (_client, new) = door.pair(101);
    assert_eq!(streams.add(new, 304, &mut seen), Some(7));
}

#[test]
fn one_address_has_not_all_places() {
    let (mut streams, mut seen, door) = (Streams::default(), Seen::default(), Door::new());
    let mut clients = Vec::new();
    for n in 0..EACH {
        let (client, new) = door.pair(1);
        assert_eq!(streams.add(new, n as u64, &mut seen), Some(n));
        clients.push(client);
    }
    // Its own silent ones go for its new ones, and no others do.
    let (_other, new) = door.pair(2);
    assert_eq!(streams.add(new, 0, &mut seen), Some(EACH));
    let (client, mut new) = door.pair(1);
    // The same address in its other form.
    let mapped = std::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped();
    new.from = SocketAddr::from((mapped, 9));
    assert_eq!(streams.add(new, 100, &mut seen), Some(0));
    clients[0] = client;
    assert_eq!(fates(&streams), [0, 0, 1, 0, 0]);
    for client in &mut clients {
        client.write_all(b"<13>x\n").expect("written");
    }
    until(&mut streams, 101, &mut seen, |_, seen| {
        seen.texts.len() == EACH
    });
    let (_client, new) = door.pair(1);
    assert_eq!(streams.add(new, 102, &mut seen), None);
    assert_eq!(
        (streams.open(), fates(&streams)),
        (EACH + 1, [0, 1, 1, 0, 0])
    );
}

#[test]
fn what_happens_is_told_once_a_minute() {
    let mut tally = Tally::default();
    let from = IpAddr::from([10, 0, 0, 9]);
    assert_eq!((tally.due(), tally.note(5)), (None, None));
    tally.count(Fate::Refused, from);
    assert!(tally.note(5).is_some_and(|text| text.contains("1 refused")));
    (0..3).for_each(|_| tally.count(Fate::Refused, from));
    (0..2).for_each(|_| tally.count(Fate::Replaced, from));
    assert_eq!(tally.due(), Some(5 + 60 * SECOND));
    assert_eq!(tally.note(4 + 60 * SECOND), None);
    let text = tally.note(5 + 60 * SECOND).expect("a note");
    assert_eq!(
        text,
        "connections: 3 refused because 256 are there, 2 closed for new ones; \
         the last was of 10.0.0.9"
    );
    assert_eq!(tally.due(), None);
}
