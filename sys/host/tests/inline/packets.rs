// SPDX-License-Identifier: BSD-2-Clause
//! What hooks do with the packets of a pair, and what passes them by.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use host::errno::Errno;
use host::mbuf::Mbuf;
use kpi_sys::{
    KPI_AF_INET, KPI_AF_INET6, KPI_IFS_IPACKETS, KPI_PFIL_IN, KPI_PFIL_OUT, KPI_PFILF_CSUM_PARTIAL,
    KPI_PFILF_GSO,
};

use crate::ether::Ether;
use crate::hook::Hook;
use crate::net::{Side, ip, two_sides, wait_for};
use crate::{byte, dir, end, kernel, ping};

const PROTO_UDP: u8 = 17;

fn proto(m: &Mbuf) -> u8 {
    m.head().get(9).copied().unwrap_or(0)
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
    let wrong = got.iter().enumerate();
    let wrong = wrong.filter(|(at, b)| **b != byte(*at, 3 - number)).count();
    assert_eq!(wrong, 0);
    writer.join().expect("written");
}

fn stream(side: &Side, to: &str) -> TcpStream {
    let mine = to.replace('#', &side.number.to_string());
    let listener = TcpListener::bind(&mine).expect("bound");
    side.meet();
    let stream = if side.number == 1 {
        TcpStream::connect(to.replace('#', "2")).expect("connected")
    } else {
        listener.accept().expect("accepted").0
    };
    let timeout = Some(Duration::from_secs(20));
    stream.set_read_timeout(timeout).expect("a timeout");
    stream
}

#[test]
fn tcp_passes_in_large_pieces_byte_for_byte() {
    two_sides("tcp_passes_in_large_pieces_byte_for_byte", |side| {
        let kernel = kernel(side);
        let seen: Arc<[AtomicUsize; 2]> = Arc::default();
        let mut hook = None;
        if side.number == 1 {
            kernel.pair_create("wan0", "v0", &dir()).expect("a pair");
            let largest = Arc::clone(&seen);
            hook = Some(Hook::attach(&kernel, move |_, m, rx| {
                let gso = rx.kx_flags & KPI_PFILF_GSO != 0;
                assert!(gso || m.len() <= 1500, "{} bytes, {rx:?}", m.len());
                if gso {
                    assert!(rx.kx_flags & KPI_PFILF_CSUM_PARTIAL != 0);
                    let which = usize::from(rx.kx_dir == KPI_PFIL_OUT);
                    largest[which].fetch_max(m.len(), Ordering::Relaxed);
                }
                Some(m)
            }));
        }
        for to in ["192.0.2.#:7000", "[2001:db8::#]:7000"] {
            side.meet();
            let stream = stream(side, to);
            exchange(&stream, side.number, 8 << 20);
            side.meet();
        }
        if let Some(hook) = hook {
            hook.detach();
            for large in seen.iter() {
                let large = large.load(Ordering::Relaxed);
                assert!(large > 30_000, "{large}");
            }
        }
        end(kernel);
        side.meet();
    });
}

#[test]
fn hooks_drop_rewrite_reply_and_resume() {
    two_sides("hooks_drop_rewrite_reply_and_resume", |side| {
        let kernel = kernel(side);
        if side.number == 2 {
            // Answers what comes, until it is told to end.
            let socket = UdpSocket::bind("192.0.2.2:9000").expect("bound");
            side.meet();
            let mut buf = [0; 100];
            loop {
                let (n, from) = match socket.recv_from(&mut buf) {
                    Ok(got) => got,
                    Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                    Err(e) => panic!("{e}"),
                };
                if &buf[..n] == b"end" {
                    break;
                }
                socket.send_to(&buf[..n], from).expect("sent");
            }
            end(kernel);
            side.meet();
            return;
        }
        kernel.pair_create("wan0", "v0", &dir()).expect("a pair");
        side.meet();
        let socket = UdpSocket::bind("192.0.2.1:0").expect("bound");
        let patience = Duration::from_millis(300);
        socket.set_read_timeout(Some(patience)).expect("a timeout");
        let ask = |what: &[u8]| {
            socket.send_to(what, "192.0.2.2:9000").expect("sent");
            let mut buf = [0; 100];
            match socket.recv(&mut buf) {
                Ok(n) => Some(buf[..n].to_vec()),
                Err(_) => None,
            }
        };
        assert_eq!(ask(b"one").as_deref(), Some(&b"one"[..]));

        // Dropped, in one direction only.
        let hook = Hook::attach(&kernel, |_, m, rx| {
            Some(m).filter(|m| proto(m) != PROTO_UDP || rx.kx_dir == KPI_PFIL_OUT)
        });
        assert_eq!(ask(b"two"), None);
        hook.detach();
        assert_eq!(ask(b"three").as_deref(), Some(&b"three"[..]));

        // Rewritten on the way in, where the checksum holds or is left out.
        let hook = Hook::attach(&kernel, |_, m, rx| {
            if proto(&m) != PROTO_UDP || rx.kx_dir != KPI_PFIL_IN {
                return Some(m);
            }
            let mut m = m.writable(32).expect("memory");
            let head = m.head_mut().expect("writable");
            head[28..30].copy_from_slice(b"FO");
            // 0: no checksum; a partial one would be completed over it.
            if rx.kx_flags & KPI_PFILF_CSUM_PARTIAL == 0 {
                head[26..28].fill(0);
            }
            Some(m)
        });
        assert_eq!(ask(b"four").as_deref(), Some(&b"FOur"[..]));
        hook.detach();

        // Answered in the other's stead.
        let hook = Hook::attach(&kernel, |ways, m, rx| {
            if proto(&m) != PROTO_UDP || rx.kx_dir != KPI_PFIL_OUT {
                return Some(m);
            }
            let mut back = m.to_vec();
            back[12..20].rotate_left(4);
            back[20..24].rotate_left(2);
            back[26..28].fill(0);
            back[28..30].copy_from_slice(b"me");
            let back = Mbuf::from_bytes(&back).expect("memory");
            ways.reply(rx, m, back).expect("it goes back");
            None
        });
        assert_eq!(ask(b"five").as_deref(), Some(&b"meve"[..]));
        hook.detach();

        // Kept, and on its way later, from another thread; and one of our own besides.
        let kept = Arc::new(Mutex::new(Vec::new()));
        let hook = {
            let kept = Arc::clone(&kept);
            Hook::attach(&kernel, move |_, m, rx| {
                if proto(&m) != PROTO_UDP || rx.kx_dir != KPI_PFIL_OUT {
                    return Some(m);
                }
                kept.lock().expect("fine").push((*rx, m));
                None
            })
        };
        assert_eq!(ask(b"six"), None);
        wait_for("the packet", || !kept.lock().expect("fine").is_empty());
        let (rx, m) = kept.lock().expect("fine").pop().expect("one");
        let mut own = m.to_vec();
        own[26..28].fill(0);
        own[28..31].copy_from_slice(b"own");
        kernel.enter(|| {
            let own = Mbuf::from_bytes(&own).expect("memory");
            let orig = m.share().expect("memory");
            hook.ways().send(&rx, Some(orig), own).expect("sent");
            hook.ways().resume(&rx, m).expect("resumed");
        });
        let answers: Vec<_> = (0..2)
            .map(|_| {
                let mut buf = [0; 100];
                let n = socket.recv(&mut buf).expect("an answer");
                buf[..n].to_vec()
            })
            .collect();
        assert_eq!(answers, [b"own", b"six"]);

        // No link header, no way; and a downed interface refuses at once.
        assert_eq!(ask(b"seven"), None);
        wait_for("the packet", || !kept.lock().expect("fine").is_empty());
        let (rx, m) = kept.lock().expect("fine").pop().expect("one");
        kernel.enter(|| {
            let own = Mbuf::from_bytes(&own).expect("memory");
            let e = hook.ways().send(&rx, None, own);
            assert_eq!(e, Err(Errno::EHOSTUNREACH));
        });
        kernel.if_set_up("wan0", false).expect("down");
        assert!(!ip("-o link show wan0").contains(",UP"));
        kernel.enter(|| assert_eq!(hook.ways().resume(&rx, m), Err(Errno::ENETDOWN)));
        kernel.if_set_up("wan0", true).expect("up");
        hook.detach();
        wait_for("the other side", || ask(b"eight").is_some());
        socket.send_to(b"end", "192.0.2.2:9000").expect("sent");
        end(kernel);
        side.meet();
    });
}

/// A frame of this type from side 2 to all, with a packet in it.
fn frame(types: &[u16], packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 2]);
    for (n, kind) in types.iter().enumerate() {
        if n != 0 {
            frame.extend([0x20, n as u8]);
        }
        frame.extend(kind.to_be_bytes());
    }
    frame.extend_from_slice(packet);
    frame.resize(frame.len().max(60), 0xaa);
    frame
}

/// A datagram of 4 bytes: its protocol is one for experiments, so that the OS has no opinion.
fn packet(v6: bool) -> Vec<u8> {
    let mut p = vec![0; if v6 { 44 } else { 24 }];
    if v6 {
        (p[0], p[5], p[6]) = (0x60, 4, 253);
    } else {
        (p[0], p[3], p[9]) = (0x45, 24, 253);
    }
    p
}

#[test]
fn tags_and_types_and_padding() {
    two_sides("tags_and_types_and_padding", |side| {
        let kernel = kernel(side);
        let (v4, v6) = (packet(false), packet(true));
        let ip_frames = [
            frame(&[0x0800], &v4),
            frame(&[0x8100, 0x0800], &v4),
            frame(&[0x88a8, 0x8100, 0x0800], &v4),
            frame(&[0x86dd], &v6),
            frame(&[0x8100, 0x86dd], &v6),
            frame(&[0x88a8, 0x8100, 0x86dd], &v6),
        ];
        let others = [
            frame(&[0x88cc], b"link layer"),
            frame(&[0x8100, 0x88cc], b"link layer"),
            frame(&[0x8100, 0x8100, 0x8100, 0x0800], &v4),
            frame(&[0x1234], &[7; 1400]),
        ];
        if side.number == 1 {
            kernel.pair_create("wan0", "v0", &dir()).expect("a pair");
            let seen = Arc::new(Mutex::new(Vec::new()));
            let hook = {
                let seen = Arc::clone(&seen);
                Hook::attach(&kernel, move |_, m, rx| {
                    let bytes = m.to_vec();
                    let v6 = rx.kx_af == KPI_AF_INET6;
                    if bytes.get(if v6 { 6 } else { 9 }) == Some(&253) {
                        let mut seen = seen.lock().expect("fine");
                        seen.push((rx.kx_af, rx.kx_dir, bytes, m.link().bytes().len()));
                    }
                    Some(m)
                })
            };
            let tap = Ether::open("wan0");
            let ours = |f: &Vec<u8>| f[6..12] == [2, 0, 0, 0, 0, 2];
            side.meet();
            // What comes from the wire.
            let mut got = Vec::new();
            wait_for("all frames on the tap", || {
                got.extend(std::iter::from_fn(|| tap.receive()).filter(ours));
                got.len() >= ip_frames.len() + others.len()
            });
            side.meet();
            // And what goes out.
            ip_frames.iter().chain(&others).for_each(|f| tap.send(f));
            side.meet();
            hook.detach();
            let seen = seen.lock().expect("fine");
            assert_eq!(seen.len(), 2 * ip_frames.len(), "{seen:?}");
            for (n, (af, dir, bytes, link)) in seen.iter().enumerate() {
                let (dirs, n) = ([KPI_PFIL_IN, KPI_PFIL_OUT], (n / 6, n % 6));
                assert_eq!(*dir, dirs[n.0]);
                assert_eq!(*af, if n.1 < 3 { KPI_AF_INET } else { KPI_AF_INET6 });
                // Without padding.
                assert_eq!(bytes, if n.1 < 3 { &v4 } else { &v6 });
                assert_eq!(*link, [14, 18, 22][n.1 % 3]);
            }
            // The OS shows a tag beside the frame.
            let sizes: Vec<_> = got.iter().map(Vec::len).collect();
            assert_eq!(got[6], others[0], "{sizes:?}");
            assert_eq!(got[9], others[3], "{sizes:?}");
            let stats = kernel.ifnet("wan0").expect("listed").stats;
            assert!(stats[KPI_IFS_IPACKETS as usize] >= 10, "{stats:?}");
        } else {
            let wire = Ether::open("v0");
            side.meet();
            ip_frames.iter().chain(&others).for_each(|f| wire.send(f));
            side.meet();
            let ours = |f: &Vec<u8>| f[6..12] == [2, 0, 0, 0, 0, 2];
            let mut got = Vec::new();
            wait_for("all frames on the wire", || {
                got.extend(std::iter::from_fn(|| wire.receive()).filter(ours));
                got.len() >= ip_frames.len() + others.len()
            });
            side.meet();
            // Untagged ones as they were, but for the padding of IP.
            assert_eq!(got[0][..38], ip_frames[0][..38]);
            assert_eq!(got[6], others[0]);
            assert_eq!(got[9], others[3]);
        }
        end(kernel);
        side.meet();
    });
}

#[test]
fn the_carrier_follows_the_wire() {
    two_sides("the_carrier_follows_the_wire", |side| {
        let kernel = kernel(side);
        if side.number == 1 {
            kernel.pair_create("wan0", "v0", &dir()).expect("a pair");
        }
        side.meet();
        if side.number == 2 {
            ip("link set v0 down");
            side.meet();
            ip("link set v0 up");
            ip("-6 addr replace 2001:db8::2/64 dev v0 nodad");
        } else {
            let shown = || ip("-o link show wan0");
            wait_for("no carrier", || shown().contains("NO-CARRIER"));
            side.meet();
            wait_for("a carrier", || !shown().contains("NO-CARRIER"));
            // Another MTU, another address, another name: known at once.
            ip("link set v0 mtu 1400");
            wait_for("the MTU", || shown().contains("mtu 1400"));
            ip("link set v0 mtu 1500");
            wait_for("the MTU", || shown().contains("mtu 1500"));
            kernel.if_rename("wan0", "uplink0").expect("a name");
            assert!(ip("-o link").contains("uplink0"));
            ip("addr add 198.51.100.9/24 dev uplink0");
            wait_for("the address", || {
                let mut addr = kpi_sys::kpi_ifaddr {
                    ka_af: 0,
                    ka_prefixlen: 0,
                    ka_addr: [0; 16],
                };
                let index = kernel.ifnet("uplink0").expect("listed").index;
                (0..10).any(|n| {
                    // SAFETY: addr is writable.
                    let found =
                        kernel.enter(|| unsafe { kpi_sys::kpi_if_addr(index, n, &mut addr) });
                    found == 0 && addr.ka_addr[..4] == [198, 51, 100, 9]
                })
            });
            assert!(ping("-c 2 -i 0.1 192.0.2.2"));
            // What was given to the tap is the interface's in the end.
            kernel.pair_destroy("uplink0").expect("there");
            assert!(ip("-o addr show dev v0").contains("198.51.100.9/24"));
            let e = kernel.pair_destroy("uplink0");
            assert_eq!(e, Err(Errno::ENXIO));
        }
        side.meet();
        end(kernel);
        side.meet();
    });
}
