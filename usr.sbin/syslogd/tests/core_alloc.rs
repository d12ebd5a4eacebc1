// SPDX-License-Identifier: BSD-2-Clause
//! From a socket through the parser, the engine and the rings to files and hosts, with the worker's
//! own parts: once they are made, nothing on that way calls the allocator.

use allocation_counter::measure;
use liblog::Clocks;
use liblog::time::Zone;
use libsys::batch::Batch;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::os::unix::net::UnixDatagram;
use syslogd::conf::Files;
use syslogd::conf::Options;
use syslogd::conf::load;
use syslogd::io::core::Core;
use syslogd::io::gather::Gather;
use syslogd::io::gather::Piece as Part;
use syslogd::io::receive::Raw;
use syslogd::io::session::Session;
use syslogd::io::streams::Around;
use syslogd::io::streams::New;
use syslogd::io::streams::Piece;
use syslogd::io::streams::Streams;
use syslogd::privsep::wire::Group;
use syslogd::privsep::wire::Heard;
use syslogd::privsep::wire::Input;
use syslogd::privsep::wire::Pem;
use syslogd::privsep::wire::Setup;
use syslogd::privsep::wire::ToWorker;

const CONF: &str = "set throttle 50/s\nset sources 8\n\
    remap !dhcpd daemon.info -> .debug\n\
    *.* ring:all:64k\n*.* ring:packed:256k:pack=lz4\n*.err ring:err:8k\nauth.* ring:auth:8k\n\
    *.* /var/log/all\n*.notice @@127.0.0.1:1\n\
    :msg, ereregex, \"num*ber [0-9]\"\n*.* ring:numbers:8k\n";

/// Messages of all kinds.
const MESSAGES: [&[u8]; 10] = [
    b"<30>Nov 29 01:02:03 dhcpd[77]: DHCPREQUEST for 192.0.2.7 from 00:00:5e:00:53:01",
    b"<38>1 2026-11-29T01:02:03.5Z host sshd 5 ID [a b=\"c\"] number 1",
    b"<19>Nov 29 01:02:03 mail: failed",
    b"<19>Nov 29 01:02:03 mail: failed",
    b"<13>bare text",
    b"",
    b"no priority \0\xff\xfe\x1b[2J",
    b"<999>x",
    b"<13>1 - - - - - [bad sd",
    b"<27>1 2026-11-29T01:02:03+01:00 other app - - - worse",
];

struct One;

impl Files for One {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Ok(CONF.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn core(inputs: Vec<(Input, OwnedFd)>, now: Clocks) -> Core {
    let conf = load("conf", &One, Options::default()).unwrap_or_else(|e| panic!("{e:#?}"));
    let setup = Setup {
        readers: vec![None; conf.rings.len()],
        certs: vec![Vec::new(); conf.outputs.len() + 1],
        conf,
        host: "router".into(),
        pem: Pem::default(),
        control: Group::default(),
        allowed: Vec::new(),
        boot: 7,
        owner: 0,
        format: None,
    };
    let mut gather = Gather::default();
    let mut hear = |what, fds| {
        gather.take(Heard {
            generation: 1,
            what,
            fds,
        })
    };
    hear(ToWorker::Setup(Box::new(setup)), Vec::new());
    for (input, fd) in inputs {
        hear(ToWorker::Input(input), vec![fd]);
    }
    let Part::Whole(gathered) = hear(ToWorker::Go, Vec::new()) else {
        panic!("not whole");
    };
    let made = Core::new(*gathered, None, &Zone::system(), now);
    made.unwrap_or_else(|(e, _)| panic!("{e}"))
}

fn pair() -> (TcpStream, TcpStream, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let ours = TcpStream::connect(listener.local_addr().expect("an address")).expect("there");
    let (theirs, from) = listener.accept().expect("a connection");
    (ours, theirs, from)
}

/// A file and a host to write to.
fn open_outputs(core: &mut Core) {
    let (ours, mut theirs, _) = pair();
    ours.set_nonblocking(true).expect("a flag");
    std::thread::spawn(move || {
        let mut part = [0; 65_536];
        while theirs.read(&mut part).is_ok_and(|n| n > 0) {}
    });
    let file = tempfile::tempfile().expect("a file");
    let fds: [OwnedFd; 2] = [file.into(), ours.into()];
    for (output, fd) in core.outlets.outputs.iter_mut().zip(fds) {
        output.opened(vec![fd], 0, 1);
    }
}

/// What the loop does after it has read.
fn write(core: &mut Core, now: Clocks, zone: &Zone) {
    core.tick(now);
    for output in &mut core.outlets.outputs {
        let turn = output.turn(now.mono, 1, zone);
        assert!(turn.note.is_none() && !turn.open, "{turn:?}");
    }
}

fn later(now: &mut Clocks, nanos: u64) {
    now.mono += nanos;
    now.wall += nanos.cast_signed();
}

/// A message with a number behind it, so that some are repeated and some are not.
fn numbered<'a>(message: &[u8], n: u32, room: &'a mut [u8; 256]) -> &'a [u8] {
    let mut rest = &mut room[..];
    rest.write_all(message).expect("room");
    if !message.is_empty() {
        write!(rest, " {n}").expect("room");
    }
    let left = rest.len();
    &room[..256 - left]
}

#[test]
fn datagrams() {
    let mut now = Clocks {
        wall: 1_795_900_000_000_000_000,
        mono: 5,
    };
    let (theirs, ours) = UnixDatagram::pair().expect("a pair");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    udp.set_nonblocking(true).expect("a flag");
    ours.set_nonblocking(true).expect("a flag");
    let to = udp.local_addr().expect("an address");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let inputs = vec![(Input::Local, ours.into()), (Input::Udp, udp.into())];
    let mut core = core(inputs, now);
    open_outputs(&mut core);
    let mut batch = Batch::new(32, core.rules.message);
    let zone = Zone::system();
    let long = [b'x'; 60_000];
    let mut room = [0; 256];
    // From the first message on, through some hours.
    let info = measure(|| {
        for round in 0..600 {
            for message in MESSAGES {
                let message = numbered(message, round / 2, &mut room);
                theirs.send(message).expect("sent");
                sender.send_to(message, to).expect("sent");
            }
            if round % 50 == 0 {
                theirs.send(&long).expect("sent");
            }
            core.sources.iter_mut().for_each(|s| s.ready = true);
            while core.is_ready() {
                core.read(&mut batch, now);
            }
            later(&mut now, 30_000_000_000);
            write(&mut core, now, &zone);
        }
    });
    assert_eq!(info.count_total, 0, "{info:?}");
    let stats = core.engine.stats();
    assert_eq!(stats.received[..3], [6012, 0, 6000]);
    for at in 0..5 {
        let (name, ring) = core.outlets.rings.get(at).expect("a ring");
        assert!(ring.stats().dropped > 0, "{name} has wrapped");
    }
    for output in &mut core.outlets.outputs {
        let stats = output.stats();
        assert!(stats["messages"].as_u64() > Some(1000), "{stats}");
    }
}

/// The way of messages of connections, as the loop has it.
struct Inlet<'a>(&'a mut Core, Clocks, &'a mut u64);

impl Around for Inlet<'_> {
    fn take(&mut self, piece: Piece<'_>) {
        let raw = Raw {
            input: piece.input,
            bytes: piece.bytes,
            cut: piece.cut,
            from: Some(piece.from),
        };
        *self.2 += 1;
        let core = &mut *self.0;
        core.rules
            .receive(raw, self.1, &mut core.engine, &mut core.outlets);
    }

    fn leave(&mut self, _: RawFd) {}
}

#[test]
fn connections() {
    let mut now = Clocks {
        wall: 1_795_900_000_000_000_000,
        mono: 5,
    };
    let mut core = core(Vec::new(), now);
    open_outputs(&mut core);
    let (mut client, server, from) = pair();
    server.set_nonblocking(true).expect("a flag");
    let new = New {
        session: Session::plain(server),
        from,
        input: Input::Tcp,
        message: core.rules.message,
    };
    let mut taken = 0;
    let mut streams = Streams::default();
    let at = streams.add(new, now.mono, &mut Inlet(&mut core, now, &mut taken));
    let at = at.expect("room");
    let zone = Zone::system();
    let mut sent = Vec::new();
    for message in MESSAGES {
        write!(sent, "{} ", message.len().max(1)).expect("room");
        sent.extend_from_slice(if message.is_empty() { b"-" } else { message });
        sent.extend_from_slice(b"<13>a line\n");
    }
    let info = measure(|| {
        for round in 1..300 {
            client.write_all(&sent).expect("sent");
            let all = round * 2 * MESSAGES.len() as u64;
            for _ in 0..100_000 {
                streams.ready(at);
                streams.round(now.mono, &mut Inlet(&mut core, now, &mut taken));
                if taken == all {
                    break;
                }
            }
            later(&mut now, 1_000_000_000);
            write(&mut core, now, &zone);
        }
    });
    assert_eq!(info.count_total, 0, "{info:?}");
    assert_eq!(taken, 299 * 2 * MESSAGES.len() as u64);
    assert_eq!(core.engine.stats().received[3], taken);
}
