// SPDX-License-Identifier: BSD-2-Clause
//! Datagrams in batches, over the loopback and over Unix sockets.

use libsys::batch::Batch;
use libsys::batch::dropped;
use libsys::batch::pass_senders;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

#[test]
fn udp_of_both_families_says_where_it_came_from() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(to) = UdpSocket::bind(any) else {
            eprintln!("skipped: udp {any}: no such address here");
            continue;
        };
        let from = UdpSocket::bind(any).expect("a socket");
        let mut batch = Batch::new(4, 100);
        let nothing = batch.receive(to.as_fd()).expect_err("nothing yet");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        let there = to.local_addr().expect("an address");
        for n in 0..6u8 {
            from.send_to(&vec![n; usize::from(n) * 30], there)
                .expect("sent");
        }
        // The batch is full, the rest comes with the next.
        assert_eq!(batch.receive(to.as_fd()).expect("four"), 4);
        for n in 0..4u8 {
            let one = batch.get(usize::from(n)).expect("a datagram");
            assert_eq!(one.bytes, vec![n; usize::from(n) * 30]);
            assert!(!one.cut);
            assert_eq!(one.from, Some(from.local_addr().expect("an address")));
            assert_eq!(one.sender, None);
        }
        assert!(batch.get(4).is_none());
        assert_eq!(batch.receive(to.as_fd()).expect("two"), 2);
        let long = batch.get(0).expect("a datagram");
        assert!(long.cut);
        assert_eq!(long.bytes, [4; 100]);
        assert!(batch.get(2).is_none(), "that one was of the first batch");
        assert!(batch.receive(to.as_fd()).is_err());
        assert!(batch.get(0).is_none());
    }
}

#[test]
fn a_unix_socket_says_which_process_it_was() {
    let (a, b) = UnixDatagram::pair().expect("a pair");
    a.send(b"before").expect("sent");
    pass_senders(b.as_fd()).expect("asked");
    a.send(b"").expect("sent");
    a.send(&[b'x'; 65_536]).expect("sent");
    let mut batch = Batch::new(8, 65_536);
    assert_eq!(batch.receive(b.as_fd()).expect("three"), 3);
    let last = batch.get(2).expect("a datagram");
    assert_eq!(last.bytes.len(), 65_536);
    assert_eq!((last.from, last.cut), (None, false));
    assert_eq!(batch.get(1).expect("the empty one").bytes, b"");
    if cfg!(target_os = "linux") {
        assert_eq!(last.sender.map(|s| s.pid), Some(std::process::id()));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn descriptors_that_come_along_are_not_taken() {
    let (a, b) = UnixDatagram::pair().expect("a pair");
    pass_senders(b.as_fd()).expect("asked");
    let open = || std::fs::read_dir("/proc/self/fd").expect("a list").count();
    let mut batch = Batch::new(8, 100);
    let file = tempfile::tempfile().expect("a file");
    libsys::fds::send(a.as_fd(), b"with", &[file.as_fd(), file.as_fd()]).expect("sent");
    let before = open();
    assert_eq!(batch.receive(b.as_fd()).expect("one"), 1);
    let one = batch.get(0).expect("a datagram");
    assert_eq!(one.bytes, b"with");
    assert!(one.sender.is_some());
    // Other tests of this process open and close theirs meanwhile: the lowest of some looks.
    let least = (0..50).map(|_| open()).min().unwrap_or(0);
    assert!(least <= before, "{least} descriptors, {before} before");
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_kernel_threw_away_is_counted() {
    let to = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let from = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let there = to.local_addr().expect("an address");
    assert_eq!(dropped(to.as_fd()), Some(0));
    for _ in 0..20_000 {
        from.send_to(&[0; 1000], there).expect("sent");
    }
    let lost = dropped(to.as_fd()).expect("a number");
    let mut batch = Batch::new(64, 1000);
    let mut got = 0;
    while let Ok(n) = batch.receive(to.as_fd()) {
        got += n;
    }
    assert!(lost > 0);
    assert_eq!(got + lost as usize, 20_000);
}
