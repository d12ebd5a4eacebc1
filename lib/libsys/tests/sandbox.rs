// SPDX-License-Identifier: BSD-2-Clause
//! What a thread that shut itself in can and cannot do.

#![cfg(target_os = "linux")]

use libsys::map::Mapped;
use libsys::map::allocate;
use libsys::sandbox::Shut;
use libsys::sandbox::enter;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::process::Command;

const EPERM: Option<i32> = Some(1);

#[test]
fn what_is_open_works_and_nothing_opens() {
    // A filter is the thread's that set it, and of those it makes.
    let shut_in = std::thread::spawn(|| {
        let mut file = tempfile::tempfile().expect("a file");
        allocate(&file, 4096).expect("room");
        let mut map = Mapped::new(&file, 4096).expect("mapped");
        let (mut a, mut b) = UnixStream::pair().expect("a pair");
        assert_eq!(enter().expect("seccomp"), Shut::In);
        file.write_all(b"still").expect("writes");
        map.as_mut()[0] = b'S';
        map.sync().expect("synced");
        a.write_all(b"x").expect("sends");
        b.set_nonblocking(true).expect("a flag");
        b.read_exact(&mut [0]).expect("receives");
        drop(Mapped::new(&file, 4096).expect("maps what is open"));
        let memory = vec![1u8; 10 << 20];
        assert_eq!(
            memory.iter().map(|&b| usize::from(b)).sum::<usize>(),
            10 << 20
        );

        assert_eq!(
            File::open("/dev/null").expect_err("no").raw_os_error(),
            EPERM
        );
        let e = UdpSocket::bind("127.0.0.1:0").expect_err("no");
        assert_eq!(e.raw_os_error(), EPERM);
        assert!(UnixStream::connect("/dev/log").is_err());
        assert!(Command::new("/bin/true").spawn().is_err());
        assert!(std::thread::Builder::new().spawn(|| ()).is_err());
    });
    shut_in.join().expect("all as said");
}
