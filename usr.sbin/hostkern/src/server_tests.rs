// SPDX-License-Identifier: BSD-2-Clause
//! Clients that behave, and clients that do not.

use super::*;
use crate::fake::Fake;
use kabi::Ioctl;
use kabi::ctl::{EV_ATTACH, EV_DETACH, MAGIC, VERSION};
use kabi::kstat::Records;
use libkctl::{Kernel, Outer};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A served socket in a directory of its own.
struct Bench {
    path: PathBuf,
    server: Option<Server>,
    shutdowns: Arc<AtomicU32>,
}

impl Bench {
    fn new() -> Bench {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let nr = LAST.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("hostkern-{}-{nr}", std::process::id()));
        std::fs::create_dir(&dir).expect("a directory of our own");
        let path = dir.join("ctl.sock");
        let listener = UnixListener::bind(&path).expect("bind");
        let shutdowns = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&shutdowns);
        let shutdown = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        let server = serve(listener, Arc::new(Fake::default()), shutdown).expect("serve");
        Bench {
            path,
            server: Some(server),
            shutdowns,
        }
    }

    fn raw(&self) -> UnixStream {
        let s = UnixStream::connect(&self.path).expect("connect");
        s.set_read_timeout(Some(Duration::from_secs(20)))
            .expect("timeout");
        s
    }

    fn kernel(&self) -> Kernel {
        Kernel::open(&format!("unix:{}", self.path.display())).expect("open")
    }

    fn clients(&self) -> usize {
        self.server
            .as_ref()
            .expect("it runs")
            .shared
            .table()
            .clients
            .len()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
        let _ = std::fs::remove_dir_all(self.path.parent().expect("its directory"));
    }
}

#[test]
fn a_client_that_behaves() {
    let bench = Bench::new();
    let mut k = bench.kernel();
    assert_eq!(k.version().unwrap().pid, std::process::id());
    assert!(!k.modules().unwrap()[0].loaded);
    // Creating loads the module.
    assert_eq!(k.if_create("l2tp").unwrap(), "l2tp0");
    assert!(k.modules().unwrap()[0].loaded);
    assert_eq!(
        k.if_create("l2tp0").unwrap_err().errno(),
        Some(Errno::EEXIST)
    );
    let outer = Outer {
        src: "192.0.2.1".parse().unwrap(),
        dst: "192.0.2.2".parse().unwrap(),
    };
    assert_eq!(k.tunnel_get("l2tp0").unwrap(), None);
    k.tunnel_set("l2tp0", outer).unwrap();
    assert_eq!(k.tunnel_get("l2tp0").unwrap(), Some(outer));
    k.if_set_mtu("l2tp0", 1400).unwrap();
    k.if_set_up("l2tp0", true).unwrap();
    const BOTH: Ioctl<u64, u64> = Ioctl::iowr(b'x', 1);
    assert_eq!(k.ioctl("l2tp0", &BOTH, &5).unwrap(), !5);
    k.if_rename("l2tp0", "wan0").unwrap();
    let all = k.interfaces().unwrap();
    assert_eq!(
        (&*all[0].name, all[0].mtu, all[0].up, all[0].tunnel),
        ("wan0", 1400, true, Some(outer))
    );
    assert_eq!(
        k.mod_unload("if_l2tp").unwrap_err().to_string(),
        "interfaces of it are there"
    );
    k.if_destroy("wan0").unwrap();
    k.mod_unload("if_l2tp").unwrap();
    assert_eq!(
        k.if_destroy("wan0").unwrap_err().errno(),
        Some(Errno::ENXIO)
    );
    assert!(
        k.if_create("tap0")
            .unwrap_err()
            .to_string()
            .contains("no module makes 'tap'")
    );
}

#[test]
fn devices_and_logs() {
    let bench = Bench::new();
    let mut k = bench.kernel();
    assert_eq!(k.dev_names().unwrap(), ["test0"]);
    const BOTH: Ioctl<u64, u64> = Ioctl::iowr(b'x', 1);
    assert_eq!(k.dev_ioctl("test0", &BOTH, &5).unwrap(), !5);
    const IN: Ioctl<u64, ()> = Ioctl::iow(b'x', 2);
    k.dev_ioctl("test0", &IN, &5).unwrap();
    let gone = k.dev_ioctl("test1", &IN, &5).unwrap_err();
    assert_eq!(gone.errno(), Some(Errno::ENXIO));
    // Not even the name is there.
    let mut raw = bench.raw();
    let header = Header::request(Op::DevIoctl);
    frame::write(&mut raw, header, b"test0").unwrap();
    let (reply, _) = frame::read(&mut raw).unwrap().unwrap();
    assert_eq!(reply.errno, Errno::EINVAL.0);
    let mut cursor = 0;
    let mut part = || k.log_read("testlog0", &mut cursor).unwrap();
    assert_eq!(part(), (b"head".to_vec(), 0));
    assert_eq!(part(), (b"first".to_vec(), 1));
    assert_eq!(part(), (Vec::new(), 0));
    let gone = k.log_read("none", &mut 0).unwrap_err();
    assert_eq!(gone.errno(), Some(Errno::ENXIO));
}

#[test]
fn lists_and_records_longer_than_a_frame_come_whole() {
    let bench = Bench::new();
    let mut k = bench.kernel();
    for _ in 0..600 {
        k.if_create("l2tp").unwrap();
    }
    assert_eq!(k.interfaces().unwrap().len(), 600);
    let records = k.kstat_read("if_l2tp").unwrap();
    assert!(records.len() > 2 * kabi::ctl::PAYLOAD_MAX);
    assert_eq!(Records::new(&records).filter(Result::is_ok).count(), 5000);
    assert_eq!(
        k.kstat_read("nothing").unwrap_err().errno(),
        Some(Errno::ENOENT)
    );
}

#[test]
fn junk_is_told_so_and_costs_only_its_own_connection() {
    let bench = Bench::new();
    let mut good = bench.kernel();
    good.if_create("l2tp").unwrap();
    let head = Header::request(Op::IfList);
    let with = |change: fn(&mut Header)| {
        let mut h = head;
        change(&mut h);
        h.as_bytes().to_vec()
    };
    let junk: [(Vec<u8>, &str); 5] = [
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: *\r\n\r\n".to_vec(),
            "not a frame",
        ),
        (vec![0; 4096], "not a frame"),
        (with(|h| h.version = 9), "version 9"),
        (with(|h| h.len = u32::MAX), "at most 65536"),
        (with(|h| h.ifname = Name::read(&[b'x'; 16])), "not a name"),
    ];
    for (bytes, what) in junk {
        let mut s = bench.raw();
        s.write_all(&bytes).expect("written");
        let (h, text) = frame::read(&mut s)
            .expect("a reply")
            .expect("before the end");
        assert_eq!(
            (h.magic, h.version, h.errno),
            (MAGIC, VERSION, Errno::EINVAL.0)
        );
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains(what), "{text}");
        // Closed; the junk that nobody read may make it a reset.
        assert!(!matches!(s.read(&mut [0; 1]), Ok(n) if n > 0));
        assert_eq!(good.interfaces().unwrap().len(), 1);
    }
}

/// A name of any bytes, which `Name::new` does not make.
trait AnyBytes {
    fn read(bytes: &[u8; 16]) -> Name<16>;
}

impl AnyBytes for Name<16> {
    fn read(bytes: &[u8; 16]) -> Name<16> {
        kabi::read_pod(bytes).expect("sixteen bytes")
    }
}

#[test]
fn wrong_payloads_and_operations_are_refused_and_the_connection_goes_on() {
    let bench = Bench::new();
    let mut s = bench.raw();
    let ifname = Name::new("l2tp0").unwrap();
    let cases = [
        (
            Header {
                op: 999,
                ..Header::request(Op::Version)
            },
            vec![],
            Errno::EOPNOTSUPP,
        ),
        (
            Header {
                ifname,
                ..Header::request(Op::IfSetMtu)
            },
            vec![1, 2, 3],
            Errno::EINVAL,
        ),
        (
            Header {
                ifname,
                ..Header::request(Op::IfTunnelSet)
            },
            vec![7; 40],
            Errno::EAFNOSUPPORT,
        ),
        (Header::request(Op::IfDestroy), vec![], Errno::EINVAL),
        (Header::request(Op::ModLoad), vec![0xff; 32], Errno::EINVAL),
        (Header::request(Op::KstatRead), vec![0; 40], Errno::EINVAL),
        (
            Header {
                ifname,
                ..Header::request(Op::IfIoctl)
            },
            vec![0; 40],
            Errno::ENXIO,
        ),
    ];
    for (n, (header, payload, errno)) in (1..).zip(cases) {
        frame::write(&mut s, Header { seq: n, ..header }, &payload).unwrap();
        let (h, _) = frame::read(&mut s).unwrap().expect("a reply");
        assert_eq!((h.seq, h.op, h.errno), (n, header.op, errno.0));
    }
}

#[test]
fn who_stalls_within_a_frame_is_cut_off_and_others_do_not_wait() {
    let bench = Bench::new();
    let head = Header {
        len: 100,
        ..Header::request(Op::IfList)
    };
    let mut stalled = bench.raw();
    stalled.write_all(&head.as_bytes()[..10]).expect("written");
    let mut stalled2 = bench.raw();
    stalled2.write_all(head.as_bytes()).expect("written");
    let start = Instant::now();
    for _ in 0..50 {
        bench.kernel().interfaces().unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(4), "others waited");
    for s in [&mut stalled, &mut stalled2] {
        assert_eq!(s.read(&mut [0]).expect("the end"), 0);
    }
    let took = start.elapsed();
    assert!(
        took >= FRAME_TIME - Duration::from_secs(1) && took < FRAME_TIME * 3,
        "{took:?}"
    );
}

#[test]
fn silent_clients_do_not_lock_others_out() {
    let bench = Bench::new();
    let silent: Vec<_> = (0..3 * CLIENTS_MAX).map(|_| bench.raw()).collect();
    let mut k = bench.kernel();
    assert!(k.interfaces().is_ok());
    assert!(bench.clients() <= CLIENTS_MAX);
    // The first are gone, the last still there.
    let gone = |mut s: &UnixStream| {
        s.set_read_timeout(Some(Duration::from_millis(50)))
            .expect("timeout");
        matches!(s.read(&mut [0]), Ok(0))
    };
    assert!(gone(&silent[0]));
    assert!(!gone(&silent[silent.len() - 1]));
}

#[test]
fn a_monitor_gets_what_happens() {
    let bench = Bench::new();
    let mut monitor = bench.kernel().monitor().unwrap();
    let mut k = bench.kernel();
    k.if_create("l2tp5").unwrap();
    k.if_destroy("l2tp5").unwrap();
    let (name, event) = monitor.wait().unwrap();
    assert_eq!((&*name, event.kind), ("l2tp5", EV_ATTACH));
    let (name, event) = monitor.wait().unwrap();
    assert_eq!((&*name, event.kind), ("l2tp5", EV_DETACH));
    drop(monitor);
    let end = Instant::now() + Duration::from_secs(10);
    while bench.clients() > 1 {
        assert!(
            Instant::now() < end,
            "the monitor's place was not given back"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn shutdown_is_passed_on() {
    let bench = Bench::new();
    bench.kernel().shutdown().unwrap();
    let end = Instant::now() + Duration::from_secs(5);
    while bench.shutdowns.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < end, "nobody was told");
        thread::sleep(Duration::from_millis(5));
    }
}
