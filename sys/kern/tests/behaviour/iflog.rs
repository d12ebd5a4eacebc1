// SPDX-License-Identifier: BSD-2-Clause
//! Logged packets: only while somebody listens, behind their header.

use super::in_kernel;
use super::with_every_allocation_failing;
use host::errno::Errno as HostErrno;
use host::ledger::Split;
use kern::errno::Errno;
use kern::iflog::DLT_PFLOG;
use kern::iflog::IfLog;
use kern::iflog::MAX_HEADER;
use kern::mbuf::Mbuf;

fn packet(len: u8) -> Mbuf {
    let mut m = Mbuf::get(100, 0).unwrap();
    // One byte a time, so that there is more than one segment.
    (0..len).for_each(|n| m.append(&[n]).unwrap());
    m
}

#[test]
fn who_listens_gets_header_and_packet() {
    in_kernel("iflog", |k, cx| {
        let log = IfLog::attach(cx, "testlog0", DLT_PFLOG).unwrap();
        assert_eq!(IfLog::attach(cx, "testlog0", 1).err(), Some(Errno::EEXIST));
        assert_eq!(IfLog::attach(cx, "a/b", 1).err(), Some(Errno::EINVAL));
        assert_eq!(k.log_names(), ["testlog0"]);
        k.set_split(Split::Each);
        assert!(!log.active());
        log.tap(b"early", &packet(9));
        let (mut cursor, mut buf) = (0, [0; 1024]);
        let part = k.log_read("testlog0", &mut cursor, &mut buf).unwrap();
        assert_eq!((part.bytes, part.lost), (24, 0));
        assert!(log.active());
        log.tap(b"hdr", &packet(60));
        log.tap(&[7; MAX_HEADER + 9], &packet(0));
        let part = k.log_read("testlog0", &mut cursor, &mut buf).unwrap();
        assert_eq!(part.bytes, 16 + 3 + 60 + 16 + MAX_HEADER);
        assert_eq!(&buf[16..22], b"hdr\0\x01\x02");
        assert_eq!(buf[8..16], [63, 0, 0, 0, 63, 0, 0, 0].map(u8::to_le));
        assert_eq!(
            k.log_read("no", &mut cursor, &mut buf).err(),
            Some(HostErrno::ENXIO)
        );
        log.detach(cx);
        assert!(k.log_names().is_empty());
    });
}

#[test]
fn every_allocation_may_fail() {
    with_every_allocation_failing("iflog", |cx| {
        IfLog::attach(cx, "testlog0", DLT_PFLOG)?.detach(cx);
        Ok(())
    });
}
