// SPDX-License-Identifier: BSD-2-Clause
//! Doors to the OS: tap devices and sockets of a real Linux, in network namespaces made for it.
//!
//! Without root, or without namespaces or tap devices, each test says `skipped: NAME: why`.

#[path = "os_doors/ether.rs"]
mod ether;
#[path = "os_doors/modules.rs"]
mod modules;
#[path = "os_doors/net.rs"]
mod net;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

use ether::Ether;
use host::clock::ClockKind;
use host::door::Doors;
use host::errno::Errno;
use host::kernel::{Config, Kernel};
use host::ledger::{Faults, Split};
use host::osdoors::{OsConfig, OsDoors};
use modules::{Test, address, endpoint};
use net::{Side, ip, two_sides, wait_for};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// Counts how often each thread calls the allocator.
struct Counting;

// SAFETY: System keeps the contract; counting touches no memory that it hands out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often this thread has called the allocator.
fn calls() -> u64 {
    CALLS.get()
}

fn kernel(side: &Side, offload: bool) -> Kernel {
    Kernel::new(Config {
        name: format!("side{}", side.number),
        clock: ClockKind::Real,
        seed: 0,
        faults: Faults::default(),
        doors: Doors::Os(OsDoors::new(OsConfig { offload }).expect("doors")),
    })
}

/// All doors are closed: nothing may be left.
fn end(kernel: Kernel) {
    let leaks = kernel.home().ledger.leaks();
    assert!(leaks.is_empty(), "{leaks}");
    drop(kernel);
}

#[test]
fn a_tap_appears_follows_and_goes() {
    two_sides("a_tap_appears_follows_and_goes", |side| {
        let kernel = kernel(side, side.number == 1);
        let mut test = Test::new(&kernel);
        test.attach("echo0", 1400, false).expect("attached");
        let shown = ip("-o link show echo0");
        assert!(
            shown.contains("mtu 1400") && shown.contains("02:00:00:00:12:34"),
            "{shown}"
        );
        assert!(!shown.contains(",UP"), "{shown}");
        kernel.if_set_up("echo0", true).expect("up");
        assert!(ip("-o link show echo0").contains(",UP"));
        kernel.if_set_mtu("echo0", 9000).expect("an MTU");
        assert!(ip("-o link show echo0").contains("mtu 9000"));
        kernel.if_rename("echo0", "other0").expect("a name");
        assert!(ip("-o link show other0").contains(",UP"));
        // The carrier is the link state.
        test.set_link(false);
        wait_for("no carrier", || {
            ip("-o link show other0").contains("NO-CARRIER")
        });
        test.set_link(true);
        wait_for("carrier", || {
            !ip("-o link show other0").contains("NO-CARRIER")
        });
        // A name that the OS knows already is not ours to take.
        let mut second = Test::new(&kernel);
        assert_eq!(second.attach("v0", 1500, false), Err(Errno::EEXIST));
        let said = kernel
            .log_lines()
            .iter()
            .any(|(_, line)| line.contains("v0: the system has"));
        assert!(said, "{:?}", kernel.log_lines());
        second.close();
        test.close();
        assert!(!ip("-o link").contains("other0"));
        // And the name is free again.
        let mut third = Test::new(&kernel);
        third.attach("other0", 1500, false).expect("attached");
        third.close();
        end(kernel);
        side.meet();
    });
}

#[test]
fn frames_go_both_ways() {
    two_sides("frames_go_both_ways", |side| {
        let kernel = kernel(side, side.number == 1);
        let mut test = Test::new(&kernel);
        test.attach("echo0", 1500, false).expect("attached");
        ip("link set echo0 arp off");
        kernel.if_set_up("echo0", true).expect("up");
        let ether = Ether::open("echo0");
        for len in [60usize, 100, 1514] {
            for _ in 0..100 {
                let mut frame: Vec<u8> = (0..len).map(|at| at as u8).collect();
                frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
                frame[6..14].copy_from_slice(&[2, 0, 0, 0, 0, 7, 0x12, 0x34]);
                ether.send(&frame);
                let mut back = None;
                // The OS speaks of its own accord too: not with our type.
                wait_for("the echo", || {
                    back = ether.receive().filter(|f| f[12..14] == [0x12, 0x34]);
                    back.is_some()
                });
                frame[..12].rotate_left(6);
                assert_eq!(back, Some(frame));
            }
        }
        // A user who sets the device down stops the traffic; nothing breaks.
        ip("link set echo0 down");
        let before = test.softc.out.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(test.softc.out.load(Ordering::Relaxed), before);
        test.close();
        end(kernel);
        side.meet();
    });
}

#[test]
fn endpoints_carry_packets() {
    two_sides("endpoints_carry_packets", |side| {
        let kernel = kernel(side, side.number == 1);
        let other = 3 - side.number;
        for (v6, udp) in [(false, true), (false, false), (true, true), (true, false)] {
            let mut test = Test::new(&kernel);
            test.open(v6, udp, side.number, other).expect("open");
            let mut again = Test::new(&kernel);
            let same = again.open(v6, udp, side.number, other);
            assert_eq!(same, Err(Errno::EADDRINUSE));
            side.meet();
            // The larger ones leave in fragments.
            let sizes = [4u32, 1000, 1480, 3000, 9000, 65_000];
            for size in sizes {
                test.send(&vec![size as u8; size as usize]).expect("sent");
            }
            wait_for("the packets", || {
                test.softc.lens.lock().expect("fine").len() == sizes.len()
            });
            assert_eq!(*test.softc.lens.lock().expect("fine"), sizes);
            let rx = test
                .softc
                .last
                .lock()
                .expect("fine")
                .take()
                .expect("one came");
            assert_eq!(rx.kr_src, address(v6, other));
            assert_eq!(rx.kr_dst, address(v6, side.number));
            let port = if udp { 1701 } else { 0 };
            assert_eq!((rx.kr_sport, rx.kr_dport), (port, port));
            assert_eq!(test.send(&vec![0; 65_536]), Err(Errno::EMSGSIZE));
            side.meet();
            again.close();
            test.close();
        }
        end(kernel);
        side.meet();
    });
}

#[test]
fn addresses_are_judged() {
    two_sides("addresses_are_judged", |side| {
        let kernel = kernel(side, true);
        for addr in [[0; 16], [255; 16], [224; 16]] {
            let mut test = Test::new(&kernel);
            let never = test.open_at(&endpoint(false, true, addr));
            assert_eq!(never, Err(Errno::EADDRNOTAVAIL), "{addr:?}");
            test.close();
        }
        // An address that may come later is fine, now and again.
        for _ in 0..2 {
            let mut test = Test::new(&kernel);
            test.open_at(&endpoint(true, true, address(true, 77)))
                .expect("not yet ours");
            test.close();
        }
        // A peer that is not there answers with ICMP errors: they change nothing.
        let mut test = Test::new(&kernel);
        test.open(false, true, side.number, 3 - side.number)
            .expect("open");
        side.meet();
        let mut alone = Test::new(&kernel);
        if side.number == 1 {
            // Nobody listens on the other side's raw protocol.
            alone.open(false, false, 1, 2).expect("open");
            (0..10).for_each(|_| alone.send(&[1; 10]).expect("sent all the same"));
        }
        test.send(&[1; 10]).expect("sent");
        wait_for("the packet", || {
            test.softc.lens.lock().expect("fine").len() == 1
        });
        side.meet();
        alone.close();
        test.close();
        end(kernel);
        side.meet();
    });
}

/// What is sent through a tunnel.
struct Job {
    v6: bool,
    udp: bool,
    offload: bool,
    mtu: u32,
    bytes: usize,
    split: Split,
}

const JOB: Job = Job {
    v6: false,
    udp: true,
    offload: true,
    mtu: 1400,
    bytes: 2 << 20,
    split: Split::None,
};

fn byte(at: usize, number: u8) -> u8 {
    ((at * 31) ^ (at >> 9)) as u8 ^ number
}

/// Both ends send and receive at once; what comes out is what went in.
fn exchange(stream: &TcpStream, number: u8, bytes: usize) {
    let mut to = stream.try_clone().expect("cloned");
    let writer = std::thread::spawn(move || {
        let bytes: Vec<u8> = (0..bytes).map(|at| byte(at, number)).collect();
        to.write_all(&bytes).expect("written");
    });
    let mut got = vec![0; bytes];
    let mut from = stream;
    from.read_exact(&mut got).expect("all arrived");
    let wrong = got
        .iter()
        .enumerate()
        .find(|(at, b)| **b != byte(*at, 3 - number));
    assert_eq!(wrong, None);
    writer.join().expect("written");
}

/// TCP through a tunnel.
fn transfer(side: &Side, job: &Job) {
    let kernel = kernel(side, job.offload);
    kernel.set_split(job.split);
    let mut test = Test::new(&kernel);
    test.open(job.v6, job.udp, side.number, 3 - side.number)
        .expect("open");
    test.attach("tun0", job.mtu, true).expect("attached");
    kernel.if_set_up("tun0", true).expect("up");
    ip(&format!(
        "link set tun0 address 02:00:00:00:00:0{}",
        side.number
    ));
    ip(&format!("addr add 10.0.0.{}/24 dev tun0", side.number));
    let listener = TcpListener::bind(format!("10.0.0.{}:7000", side.number)).expect("bound");
    side.meet();
    let stream = if side.number == 1 {
        TcpStream::connect("10.0.0.2:7000").expect("connected")
    } else {
        listener.accept().expect("accepted").0
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    exchange(&stream, side.number, job.bytes);
    side.meet();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let (out, out_calls) = (count(&test.softc.out), count(&test.softc.out_calls));
    let (into, in_calls) = (count(&test.softc.into), count(&test.softc.in_calls));
    assert!(out as usize > job.bytes / job.mtu as usize);
    exchange(&stream, side.number, job.bytes);
    side.meet();
    if job.split == Split::None && job.mtu <= 1500 {
        // Warm: the doors' threads call the allocator only when a batch is larger than any before.
        let (out, into) = (count(&test.softc.out) - out, count(&test.softc.into) - into);
        let out_calls = count(&test.softc.out_calls) - out_calls;
        let in_calls = count(&test.softc.in_calls) - in_calls;
        assert!(
            out_calls < 100 + out / 50,
            "{out_calls} calls for {out} frames"
        );
        assert!(
            in_calls < 100 + into / 50,
            "{in_calls} calls for {into} packets"
        );
    }
    drop(stream);
    test.close();
    end(kernel);
    side.meet();
}

#[test]
fn tcp_survives_udp_with_offloads() {
    two_sides("tcp_survives_udp_with_offloads", |side| {
        transfer(side, &JOB)
    });
}

#[test]
fn tcp_survives_udp_without_offloads() {
    two_sides("tcp_survives_udp_without_offloads", |side| {
        transfer(
            side,
            &Job {
                v6: true,
                offload: false,
                ..JOB
            },
        );
    });
}

#[test]
fn tcp_survives_raw_with_offloads() {
    two_sides("tcp_survives_raw_with_offloads", |side| {
        transfer(
            side,
            &Job {
                v6: true,
                udp: false,
                ..JOB
            },
        );
    });
}

#[test]
fn tcp_survives_fragments_outside() {
    two_sides("tcp_survives_fragments_outside", |side| {
        transfer(
            side,
            &Job {
                offload: false,
                mtu: 9000,
                ..JOB
            },
        );
    });
}

#[test]
fn tcp_survives_one_side_without_offloads() {
    two_sides("tcp_survives_one_side_without_offloads", |side| {
        transfer(
            side,
            &Job {
                offload: side.number == 1,
                mtu: 1500,
                ..JOB
            },
        );
    });
}

#[test]
fn tcp_survives_packets_in_splinters() {
    two_sides("tcp_survives_packets_in_splinters", |side| {
        for split in [Split::At(0), Split::At(30), Split::Each] {
            transfer(
                side,
                &Job {
                    bytes: 100_000,
                    split,
                    ..JOB
                },
            );
        }
    });
}

#[test]
fn tcp_is_cut_to_fit_the_outer_path() {
    two_sides("tcp_is_cut_to_fit_the_outer_path", |side| {
        let fragments = || {
            let all = std::fs::read_to_string("/proc/thread-self/net/snmp").expect("counters");
            let mut rows = all.lines().filter(|line| line.starts_with("Ip:"));
            let (names, values) = (rows.next().expect("names"), rows.next().expect("values"));
            let at = names
                .split(' ')
                .position(|name| name == "FragCreates")
                .expect("a column");
            values
                .split(' ')
                .nth(at)
                .expect("a value")
                .parse::<usize>()
                .expect("a number")
        };
        let before = fragments();
        transfer(side, &Job { mtu: 1500, ..JOB });
        let made = fragments() - before;
        // Uncut, each of some 3,000 frames would leave in two.
        assert!(made < 600, "{made} fragments");
    });
}
