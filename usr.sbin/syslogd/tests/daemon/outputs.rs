// SPDX-License-Identifier: BSD-2-Clause
//! Files, commands and other hosts.

use crate::rig::Rig;
use crate::rig::free_port;
use crate::rig::wait_for;
use std::io::Read;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::time::Duration;

fn read(rig: &Rig, name: &str) -> String {
    std::fs::read_to_string(rig.path(name)).unwrap_or_default()
}

#[test]
fn files_and_commands() {
    let rig = Rig::new("*.* DIR/all\nmail.err DIR/mail\nlocal0.* |cat >>DIR/piped\n");
    let log = rig.log();
    log.send(b"<13>Nov 29 01:02:03 app[7]: plain")
        .expect("sent");
    log.send(b"<19>worse mail").expect("sent");
    log.send(b"<20>mail").expect("sent");
    for n in 0..1000 {
        log.send(format!("<134>app: through {n}").as_bytes())
            .expect("sent");
    }
    wait_for("the command", || {
        read(&rig, "piped").lines().count() == 1000
    });
    wait_for("the file", || read(&rig, "all").lines().count() >= 1003);
    let all = read(&rig, "all");
    assert!(
        all.starts_with("Nov 29 01:02:03 router app[7]: plain\n"),
        "{all:.200}"
    );
    assert_eq!(read(&rig, "mail").lines().count(), 1);
    assert!(
        read(&rig, "piped")
            .lines()
            .all(|line| line.contains("router app: through"))
    );
}

#[test]
fn a_command_that_ends_is_started_again() {
    let rig = Rig::new("*.* |head -n 1 >>DIR/piped\n");
    let log = rig.log();
    let mut n = 0;
    wait_for("two of them", || {
        // Each another, or the second one is told as a repeat, and that is later.
        n += 1;
        log.send(format!("<13>app: again {n}").as_bytes())
            .expect("sent");
        std::thread::sleep(Duration::from_millis(50));
        read(&rig, "piped").lines().count() >= 2
    });
}

#[test]
fn a_full_disk_is_told_once_and_counted() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: a full disk: there is no /dev/full");
        return;
    }
    let rig = Rig::new("*.* /dev/full\n*.* ring:all:4M\n");
    let log = rig.log();
    for n in 0..5000 {
        log.send(format!("<13>full {n} {}", "x".repeat(200)).as_bytes())
            .expect("sent");
    }
    wait_for("all of them", || rig.received(0) >= 5000);
    wait_for("the loss", || {
        rig.stats()["outputs"][0]["lost"].as_u64() > Some(0)
    });
    let told = rig.read("all");
    let told = told
        .iter()
        .filter(|r| r.text.starts_with("/dev/full: "))
        .count();
    assert_eq!(told, 1);
    let stats = rig.stats();
    let figures = &stats["outputs"][0];
    let sum = figures["messages"].as_u64().zip(figures["lost"].as_u64());
    let (kept, lost) = sum.expect("figures");
    assert_eq!(
        kept + lost,
        stats["engine"]["outputs"][0]["written"]
            .as_u64()
            .expect("a number")
    );
}

#[test]
fn a_host_by_tcp_that_comes_late_and_goes() {
    let port = free_port();
    let conf = format!("set queue 1M\n*.* @@127.0.0.1:{port}\n*.* ring:all:1M\n");
    let rig = Rig::new(&conf);
    let log = rig.log();
    for n in 0..300 {
        log.send(format!("<13>app: late {n}").as_bytes())
            .expect("sent");
    }
    wait_for("them to wait", || {
        rig.stats()["outputs"][0]["waiting"].as_u64() >= Some(300)
    });
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a socket");
    let (mut stream, _) = listener.accept().expect("it comes");
    let mut said = String::new();
    let mut part = [0; 4096];
    while said.matches("late").count() < 300 {
        let n = stream.read(&mut part).expect("read");
        assert!(n > 0);
        said.push_str(std::str::from_utf8(&part[..n]).expect("text"));
    }
    for n in 0..300 {
        assert_eq!(said.matches(&format!("app: late {n}\n")).count(), 1, "{n}");
    }
    assert!(said.starts_with("<13>"), "{said:.100}");
    assert!(said.contains("router app: late 0\n"));
    // It goes, and comes again.
    drop(stream);
    wait_for("the loss", || rig.stats()["outputs"][0]["open"] == false);
    log.send(b"<13>app: again").expect("sent");
    let (mut stream, _) = listener.accept().expect("it comes again");
    let mut said = String::new();
    while !said.contains("app: again\n") {
        let n = stream.read(&mut part).expect("read");
        assert!(n > 0);
        said.push_str(std::str::from_utf8(&part[..n]).expect("text"));
    }
}

#[test]
fn a_host_by_udp() {
    let to = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    to.set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time-out");
    let port = to.local_addr().expect("an address").port();
    let rig = Rig::new(&format!("*.* @127.0.0.1:{port}\n"));
    rig.log().send(b"<13>app: by udp").expect("sent");
    let mut bytes = [0; 2048];
    loop {
        let n = to.recv(&mut bytes).expect("a packet");
        let text = std::str::from_utf8(&bytes[..n]).expect("text");
        assert!(text.starts_with('<'), "{text}");
        if text.ends_with("router app: by udp") {
            break;
        }
    }
}

#[test]
fn a_queue_on_disk_outlives_syslogd() {
    let port = free_port();
    let conf = format!("set spool DIR/spool 256K\n*.* @@127.0.0.1:{port}\n");
    let mut rig = Rig::new(&conf);
    let log = rig.log();
    for n in 0..100 {
        log.send(format!("<13>app: kept {n}").as_bytes())
            .expect("sent");
    }
    wait_for("them to wait", || {
        rig.stats()["outputs"][0]["waiting"].as_u64() >= Some(100)
    });
    rig.stop();
    rig.start_again();
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a socket");
    rig.log().send(b"<13>app: last").expect("sent");
    let (mut stream, _) = listener.accept().expect("it comes");
    let mut said = String::new();
    let mut part = [0; 4096];
    while !said.contains("app: last\n") {
        let n = stream.read(&mut part).expect("read");
        assert!(n > 0);
        said.push_str(std::str::from_utf8(&part[..n]).expect("text"));
    }
    for n in 0..100 {
        assert_eq!(said.matches(&format!("app: kept {n}\n")).count(), 1, "{n}");
    }
}
