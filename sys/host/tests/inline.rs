// SPDX-License-Identifier: BSD-2-Clause
//! Inline pairs in a real Linux, in network namespaces made for them.
//!
//! Without root, or without namespaces or tap devices, each test says `skipped: NAME: why`.

#[path = "os_doors/ether.rs"]
mod ether;
#[path = "inline/hook.rs"]
mod hook;
#[path = "os_doors/net.rs"]
mod net;
#[path = "inline/packets.rs"]
mod packets;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use host::clock::ClockKind;
use host::door::Doors;
use host::kernel::{Config, Kernel};
use host::ledger::Faults;
use host::osdoors::{OsConfig, OsDoors};
use net::{Side, ip, two_sides, wait_for};

fn kernel(side: &Side) -> Kernel {
    Kernel::new(Config {
        name: format!("side{}", side.number),
        clock: ClockKind::Real,
        seed: 0,
        faults: Faults::default(),
        doors: Doors::Os(OsDoors::new(OsConfig::default()).expect("doors")),
    })
}

/// Where pairs of this namespace keep what undoes them.
fn dir() -> PathBuf {
    let meta = std::fs::metadata("/proc/thread-self/ns/net").expect("a namespace");
    let name = format!("inline-test-{}-{}", std::process::id(), meta.ino());
    std::env::temp_dir().join(name)
}

fn end(kernel: Kernel) {
    let lines = kernel.log_lines();
    kernel.shutdown().expect("nothing leaked");
    if dir().exists() {
        std::fs::remove_dir(dir()).expect("no state is left");
    }
    let odd: Vec<_> = lines.iter().filter(|(level, _)| *level < 5).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

fn ping(args: &str) -> bool {
    let mut ping = Command::new("ping");
    ping.args(["-q", "-W", "2"]).args(args.split_whitespace());
    ping.output().expect("ping runs").status.success()
}

#[test]
fn the_os_keeps_talking_through_a_pair() {
    two_sides("the_os_keeps_talking_through_a_pair", |side| {
        let kernel = kernel(side);
        settled();
        let before = all_of_it();
        if side.number == 1 {
            kernel.pair_create("wan0", "v0", &dir()).expect("a pair");
            let info = kernel.ifnet("wan0").expect("listed");
            assert!(
                info.up && info.mtu == 1500 && info.lladdr.is_some(),
                "{info:?}"
            );
            assert_eq!(kernel.pairs(), [("wan0".to_owned(), "v0".to_owned())]);
            assert!(!ip("-o addr show dev v0").contains("inet"));
            assert!(kernel.pair_create("wan1", "nosuch0", &dir()).is_err());
            let e = kernel
                .pair_create("wan0", "lo", &dir())
                .expect_err("no Ethernet");
            assert!(e.contains("not an Ethernet interface"), "{e}");
        }
        side.meet();
        // ARP and neighbour discovery too: nobody knows anybody yet.
        ip("neigh flush all");
        if side.number == 1 {
            assert!(ping("-c 3 -i 0.1 192.0.2.2"));
            assert!(ping("-c 3 -i 0.1 2001:db8::2"));
        }
        side.meet();
        ip("neigh flush all");
        if side.number == 2 {
            assert!(ping("-c 3 -i 0.1 192.0.2.1"));
            assert!(ping("-c 3 -i 0.1 2001:db8::1"));
            assert!(ping("-c 1 -s 1472 -M do 192.0.2.1"));
        }
        side.meet();
        end(kernel);
        assert_eq!(all_of_it(), before);
        side.meet();
    });
}

/// Addresses with all that is said about them, and routes of all tables; times left out.
fn all_of_it() -> Vec<String> {
    let mut all = Vec::new();
    for args in [
        "-o addr show",
        "route show table all",
        "-6 route show table all",
        "neigh show nud permanent",
    ] {
        let shown = ip(args);
        let mut lines: Vec<_> = shown.lines().map(timeless).collect();
        if args != "-o addr show" {
            lines.sort();
        }
        all.extend(lines);
    }
    all
}

fn timeless(line: &str) -> String {
    let word = |word: &str| match word.strip_suffix("sec") {
        Some(n) if n.parse::<u64>().is_ok() => "Nsec".to_owned(),
        _ => word.to_owned(),
    };
    let words: Vec<_> = line.split_whitespace().map(word).collect();
    words.join(" ")
}

/// Much that an interface can have.
fn furnish() {
    for line in [
        "link add d0 type veth peer name d1",
        "link set d0 up",
        "link set d1 up",
        "addr add 198.51.100.1/24 brd + dev v0 label v0:web valid_lft 4000 preferred_lft 3000",
        "addr add 198.51.100.2/24 dev v0",
        "addr add 203.0.113.1/32 dev v0 scope link",
        "addr add 10.9.0.1 peer 10.9.0.2/32 dev v0 noprefixroute",
        "addr add 10.8.0.1/24 dev v0 metric 77",
        "-6 addr add 2001:db8:1::1/64 dev v0 valid_lft 4000 preferred_lft 3000",
        "-6 addr add 2001:db8:2::1/64 dev v0 noprefixroute preferred_lft 0",
        "route add default via 192.0.2.254 dev v0 metric 100",
        "route add default via 192.0.2.253 dev v0 metric 100 table 7",
        "route append default via 192.0.2.252 dev v0 metric 100 mtu 1400 advmss 1300",
        "route add 10.1.0.0/16 via 10.200.0.1 dev v0 onlink proto static",
        "route add 10.2.0.0/16 dev v0 src 198.51.100.2 scope link tos 0x10",
        "route add 10.3.0.0/16 nexthop via 192.0.2.250 dev v0 weight 3 nexthop dev d0 weight 5",
        "route add 10.4.0.0/16 dev d0 src 192.0.2.1",
        "-6 route add default via 2001:db8::fe dev v0 metric 50",
        "-6 route add 2001:db8:9::/48 via fe80::9 dev v0 mtu 1400 table 7",
        "-6 route add 2001:db8:8::/48 dev v0 expires 4000",
        "-6 route add 2001:db8:7::/48 nexthop via 2001:db8::a dev v0 nexthop via 2001:db8::b dev v0",
        "-6 route add 2001:db8:6::/48 dev d0 src 2001:db8::1",
        "neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev v0 nud permanent",
    ] {
        ip(line);
    }
    settled();
}

fn settled() {
    wait_for("addresses without doubt", || {
        !ip("-6 addr").contains("tentative")
    });
}

#[test]
fn nothing_is_lost_in_twenty_rounds_under_traffic() {
    two_sides("nothing_is_lost_in_twenty_rounds_under_traffic", |side| {
        if side.number == 1 {
            furnish();
        }
        let listener = TcpListener::bind(format!("192.0.2.{}:7000", side.number)).expect("bound");
        side.meet();
        let stream = if side.number == 1 {
            TcpStream::connect("192.0.2.2:7000").expect("connected")
        } else {
            listener.accept().expect("accepted").0
        };
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("a timeout");
        side.meet();
        let other = stream.try_clone().expect("cloned");
        if side.number == 2 {
            // All that comes goes back, until the other side has enough.
            let mut buf = vec![0; 1 << 16];
            loop {
                match (&stream).read(&mut buf) {
                    Ok(0) => break,
                    Ok(n) => (&other).write_all(&buf[..n]).expect("sent back"),
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => panic!("not all came: {e}"),
                }
            }
            side.meet();
            return;
        }
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let traffic = std::thread::spawn(move || {
            let (mut out, mut back) = (vec![0; 20_000], vec![0; 20_000]);
            let mut rounds = 0u64;
            while !until.load(Ordering::Relaxed) {
                let fresh = out.iter_mut().enumerate();
                fresh.for_each(|(at, b)| *b = byte(at, rounds as u8));
                (&stream).write_all(&out).expect("written");
                (&stream).read_exact(&mut back).expect("all came back");
                assert!(out == back, "round {rounds}");
                rounds += 1;
            }
            rounds
        });
        let before = all_of_it();
        for round in 0..20 {
            let kernel = kernel(side);
            kernel.pair_create("wan0", "v0", &dir()).expect("a pair");
            let moved: Vec<_> = all_of_it();
            let named = |line: &String| line.replace("wan0", "v0");
            let shape = |lines: &[String]| {
                let mut lines: Vec<_> = lines.iter().map(named).map(shapeless).collect();
                lines.sort();
                lines
            };
            let (m, b) = (shape(&moved), shape(&before));
            let lost: Vec<_> = b.iter().filter(|l| !m.contains(l)).collect();
            let odd: Vec<_> = m.iter().filter(|l| !b.contains(l)).collect();
            assert!(
                lost.is_empty() && odd.is_empty(),
                "round {round}: lost {lost:#?}, new {odd:#?}"
            );
            assert!(ping("-c 1 192.0.2.2"), "round {round}");
            end(kernel);
            assert_eq!(all_of_it(), before, "round {round}");
        }
        over.store(true, Ordering::Relaxed);
        let rounds = traffic.join().expect("well");
        assert!(rounds > 20, "{rounds}");
        drop(other);
        side.meet();
    });
}

/// Without the interface's number, which comes first in the list of addresses. What stays on the
/// interface is the neighbour.
fn shapeless(line: String) -> String {
    match line.split_once(": ") {
        Some((n, rest)) if n.parse::<u32>().is_ok() => rest.to_owned(),
        _ => line,
    }
}

fn byte(at: usize, number: u8) -> u8 {
    ((at * 31) ^ (at >> 9)) as u8 ^ number
}

/// What iperf3 measures from side 1 to side 2, or back, in Mb/s.
fn iperf(side: &Side, args: &str) -> f64 {
    let mut server = None;
    if side.number == 2 {
        let mut run = Command::new("iperf3");
        let run = run.args(["-s", "-1"]).stdout(std::process::Stdio::null());
        server = Some(run.spawn().expect("iperf3 runs"));
        wait_for("the server", || {
            let listening = Command::new("ss").args(["-Htln", "sport = :5201"]).output();
            !listening.expect("ss runs").stdout.is_empty()
        });
    }
    side.meet();
    let mut speed = 0.0;
    if side.number == 1 {
        let mut run = Command::new("iperf3");
        run.args(["-c", "192.0.2.2", "-t", "4", "-f", "m"]);
        let out = run
            .args(args.split_whitespace())
            .output()
            .expect("iperf3 runs");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let line = text.lines().rev().find(|l| l.contains("receiver"));
        let words: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
        let at = words.iter().position(|w| *w == "Mbits/sec");
        let number = at.and_then(|at| words.get(at - 1)?.parse().ok());
        speed = number.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&out.stderr)));
    }
    if let Some(mut server) = server {
        server.wait().expect("it ends");
    }
    side.meet();
    speed
}

/// `cargo test --release -p host --test inline -- --ignored --nocapture speed`
#[test]
#[ignore = "it measures"]
fn speed() {
    two_sides("speed", |side| {
        let all = ["", "-R", "-u -b 0 -l 1200", "-u -b 0 -l 1200 -R"];
        let plain = all.map(|args| iperf(side, args));
        let kernel = kernel(side);
        let mut hook = None;
        if side.number == 1 {
            kernel.pair_create("wan0", "v0", &dir()).expect("a pair");
            hook = Some(hook::Hook::attach(&kernel, |_, m, _| Some(m)));
        }
        side.meet();
        let paired = all.map(|args| iperf(side, args));
        if let Some(hook) = hook {
            for (at, what) in ["TCP out", "TCP in", "UDP 1200 out", "UDP 1200 in"]
                .iter()
                .enumerate()
            {
                println!("{what}: veth {} Mb/s, pair {} Mb/s", plain[at], paired[at]);
            }
            hook.detach();
        }
        end(kernel);
        side.meet();
    });
}
