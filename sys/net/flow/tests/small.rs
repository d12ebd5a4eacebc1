// SPDX-License-Identifier: BSD-2-Clause
//! Keys and timeouts.

use flow::key::Packed;
use flow::key::Tuple;
use flow::key::V4;
use flow::key::V6;
use flow::tcp::Phase;
use flow::timeouts::BadScale;
use flow::timeouts::CLASSES;
use flow::timeouts::Class;
use flow::timeouts::NAMES;
use flow::timeouts::Timeouts;
use proptest::prelude::*;

prop_compose! {
    fn tuple()(src: u128, dst: u128, sport: u16, dport: u16, proto: u8, dir in 0u8..2, zone: u16)
        -> Tuple
    {
        Tuple { src, dst, sport, dport, proto, dir, zone }
    }
}

proptest! {
    #[test]
    fn keys_pack_and_turn_round(t in tuple()) {
        let six = <[u64; V6]>::pack(&t);
        assert_eq!(six.unpack(), t);
        assert_eq!(six.flip(), <[u64; V6]>::pack(&t.flip()));
        assert_eq!(six.flip().flip(), six);
        let low = u128::from(u32::MAX);
        let t = Tuple { src: t.src & low, dst: t.dst & low, ..t };
        let four = <[u64; V4]>::pack(&t);
        assert_eq!(four.unpack(), t);
        assert_eq!(four.flip(), <[u64; V4]>::pack(&t.flip()));
        assert_eq!(t.flip().flip(), t);
    }
}

#[test]
fn the_words_are_as_the_docs_say() {
    let t = Tuple {
        src: 0x0102_0304,
        dst: 0x0506_0708,
        sport: 0x1111,
        dport: 0x2222,
        proto: 6,
        dir: 1,
        zone: 0x3333,
    };
    let four = <[u64; V4]>::pack(&t);
    assert_eq!(four, [0x0102_0304_0506_0708, 0x1111_2222_0601_3333]);
    assert_eq!(four.flip(), [0x0506_0708_0102_0304, 0x2222_1111_0600_3333]);
}

#[test]
fn classes_have_numbers_and_names() {
    for (n, (class, name)) in NAMES.into_iter().enumerate() {
        assert_eq!(class as usize, n);
        assert_eq!(Class::from_u8(n as u8), Some(class));
        assert_eq!((class.name(), Class::by_name(name)), (name, Some(class)));
    }
    assert_eq!(Class::from_u8(CLASSES as u8), None);
    assert_eq!(Class::by_name("tcp"), None);
    assert_eq!(Class::tcp(Phase::FinWait), Class::TcpFinWait);
}

/// RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2.
#[test]
fn the_defaults_are_what_the_rfcs_ask() {
    let t = Timeouts::new();
    assert!(t.get(Class::UdpMultiple) >= 300);
    assert!(t.get(Class::UdpFirst) >= 120 && t.get(Class::UdpSingle) >= 120);
    assert!(t.get(Class::TcpEstablished) >= 7440);
    for class in [
        Class::TcpFirst,
        Class::TcpOpening,
        Class::TcpClosing,
        Class::TcpFinWait,
    ] {
        assert!(t.get(class) >= 240);
    }
    assert!(t.get(Class::TcpClosed) >= 240);
    assert!(t.get(Class::IcmpFirst) >= 60 && t.get(Class::IcmpMultiple) >= 60);
}

#[test]
fn timeouts_shrink_in_a_line() {
    let mut t = Timeouts::new();
    t.set(Class::Fragment, 0);
    assert_eq!(t.scaled(u32::MAX), t, "never, by default");
    assert_eq!(t.adapt(100, 100), Err(BadScale));
    assert_eq!(t.adapt(600, 1200), Ok(()));
    assert_eq!(t.adaptive(), (600, 1200));
    assert_eq!(t.scaled(600), t);
    assert_eq!(t.scaled(900).get(Class::UdpMultiple), 150);
    assert_eq!(t.scaled(1199).get(Class::TcpEstablished), 12);
    for flows in [1200, 5000, u32::MAX] {
        assert_eq!(t.scaled(flows).get(Class::UdpMultiple), 1);
        assert_eq!(t.scaled(flows).get(Class::Fragment), 0);
    }
    assert_eq!(t.adapt(0, 0), Ok(()));
    assert_eq!(t.scaled(u32::MAX), t);
}
