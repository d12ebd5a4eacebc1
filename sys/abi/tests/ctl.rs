// SPDX-License-Identifier: BSD-2-Clause
//! A frame's header survives the way, and what is none is refused for the right reason.

#![forbid(unsafe_code)]

use kabi::ctl::{BadHeader, Header, MAGIC, Op, PAYLOAD_MAX, VERSION};
use kabi::{IntoBytes, Name};

fn bytes(h: &Header) -> [u8; Header::SIZE] {
    h.as_bytes()
        .try_into()
        .expect("a header has the size of a header")
}

#[test]
fn round_trip() {
    for op in Op::ALL {
        let ifname = Name::new("l2tp0").expect("fits");
        let h = Header {
            seq: 7,
            cmd: 0x8090_6997,
            len: 40,
            ifname,
            ..Header::request(op)
        };
        assert_eq!(Header::parse(&bytes(&h)), Ok(h));
        assert_eq!(Op::from_raw(h.op), Some(op));
    }
    assert_eq!(Op::from_raw(0), None);
    assert_eq!(Op::from_raw(23), None);
}

#[test]
fn each_flaw_has_its_error() {
    let good = Header::request(Op::IfList);
    let parse = |h: Header| Header::parse(&bytes(&h));
    assert_eq!(parse(Header { magic: 1, ..good }), Err(BadHeader::Magic(1)));
    assert_eq!(
        parse(Header { version: 2, ..good }),
        Err(BadHeader::Version(2))
    );
    let most = PAYLOAD_MAX as u32;
    assert!(parse(Header { len: most, ..good }).is_ok());
    assert_eq!(
        parse(Header {
            len: most + 1,
            ..good
        }),
        Err(BadHeader::TooLong(most + 1))
    );
    let mut raw = bytes(&good);
    raw[24..].fill(b'x');
    assert_eq!(Header::parse(&raw), Err(BadHeader::IfName));
}

#[test]
fn a_stranger_is_called_a_stranger() {
    let http = *b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: ";
    let head: [u8; Header::SIZE] = http[..Header::SIZE].try_into().expect("long enough");
    assert!(matches!(Header::parse(&head), Err(BadHeader::Magic(m)) if m != MAGIC));
    assert_eq!(VERSION, 1);
}
