// SPDX-License-Identifier: BSD-2-Clause
//! Finding our own outer packets in frames: whole, cut anywhere, tagged, fragmented, and not ours.

use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use wire::cksum::Sum;
use wire::ip::{Carried, LOOK, Ports, carried, inner};
use wire::l2tp::{Encap, SessionId};
use wire::{ether, ipv4, ipv6, udp};
use zerocopy::IntoBytes;

const SRC4: [u8; 4] = [192, 0, 2, 1];
const DST4: [u8; 4] = [198, 51, 100, 2];
const SRC6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const DST6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const PORTS: Ports = Ports {
    src: 1701,
    dst: 5001,
};
const SESSION: u32 = 0x0102_0304;

fn l2tp(encap: Encap, id: u32) -> Vec<u8> {
    let mut b = match encap {
        Encap::Ip => vec![],
        Encap::Udp => vec![0, 3, 0, 0],
    };
    b.extend(id.to_be_bytes());
    b.extend([0xaa; 18]);
    b
}

fn datagram(payload: &[u8], pseudo: Option<Sum>) -> Vec<u8> {
    let h = udp::Header::new(PORTS.src, PORTS.dst, payload, pseudo).unwrap();
    [h.as_bytes(), payload].concat()
}

fn packet4(proto: u8, payload: &[u8]) -> Vec<u8> {
    let h = ipv4::Header::new(SRC4, DST4, proto, 64, payload.len()).unwrap();
    [h.as_bytes(), payload].concat()
}

fn packet6(next: u8, payload: &[u8]) -> Vec<u8> {
    let h = ipv6::Header::new(SRC6, DST6, next, 64, payload.len()).unwrap();
    [h.as_bytes(), payload].concat()
}

fn frame(tags: &[u16], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut b = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    for &tpid in tags {
        b.extend(tpid.to_be_bytes());
        b.extend([0, 7]);
    }
    b.extend(ethertype.to_be_bytes());
    b.extend(payload);
    b
}

fn addrs(v6: bool) -> (IpAddr, IpAddr) {
    if v6 {
        (Ipv6Addr::from(SRC6).into(), Ipv6Addr::from(DST6).into())
    } else {
        (Ipv4Addr::from(SRC4).into(), Ipv4Addr::from(DST4).into())
    }
}

/// The frame of one shape, and how many bytes of it show the session id.
fn shape(v6: bool, encap: Encap, tags: &[u16]) -> (Vec<u8>, usize) {
    let message = l2tp(encap, SESSION);
    let (proto, upper) = match encap {
        Encap::Ip => (115, message),
        Encap::Udp => (17, datagram(&message, None)),
    };
    let (ethertype, packet, header) = if v6 {
        (ether::TYPE_IPV6, packet6(proto, &upper), ipv6::HEADER_LEN)
    } else {
        (ether::TYPE_IPV4, packet4(proto, &upper), ipv4::HEADER_LEN)
    };
    let base = if encap == Encap::Udp { 16 } else { 4 };
    (
        frame(tags, ethertype, &packet),
        14 + 4 * tags.len() + header + base,
    )
}

#[test]
fn every_shape_and_every_truncation() {
    let stacks: [&[u16]; 4] = [&[], &[0x8100], &[0x88a8, 0x8100], &[0x8100, 0x8100]];
    for v6 in [false, true] {
        for encap in [Encap::Ip, Encap::Udp] {
            for tags in stacks {
                let (f, need) = shape(v6, encap, tags);
                let (src, dst) = addrs(v6);
                let session = SessionId::new(SESSION).unwrap();
                let want = Carried {
                    src,
                    dst,
                    encap,
                    session,
                };
                assert!(need <= LOOK);
                for n in 0..=f.len() {
                    let got = carried(&f[..n], Some(PORTS));
                    assert_eq!(
                        got,
                        (n >= need).then_some(want),
                        "{v6} {encap:?} {tags:?} {n}"
                    );
                }
            }
        }
    }
}

#[test]
fn three_tags_are_beyond_us() {
    let (f, _) = shape(false, Encap::Ip, &[0x8100, 0x8100, 0x8100]);
    assert_eq!(inner(&f), None);
}

#[test]
fn other_ports_and_no_ports() {
    let (udp, _) = shape(false, Encap::Udp, &[]);
    assert!(carried(&udp, Some(PORTS)).is_some());
    assert_eq!(carried(&udp, None), None);
    let swapped = Ports {
        src: PORTS.dst,
        dst: PORTS.src,
    };
    assert_eq!(carried(&udp, Some(swapped)), None);
    assert_eq!(carried(&udp, Some(Ports { src: 1, ..PORTS })), None);
    assert_eq!(carried(&udp, Some(Ports { dst: 1, ..PORTS })), None);
    let (ip, _) = shape(false, Encap::Ip, &[]);
    assert!(carried(&ip, None).is_some());
}

#[test]
fn other_traffic() {
    let (src, dst) = addrs(false);
    let icmp = frame(&[], ether::TYPE_IPV4, &packet4(1, &[8, 0, 0, 0]));
    let found = inner(&icmp).unwrap();
    assert_eq!((found.src, found.dst, found.proto), (src, dst, 1));
    assert_eq!(found.payload, Some(&[8, 0, 0, 0][..]));
    assert_eq!(carried(&icmp, Some(PORTS)), None);
    let arp = frame(
        &[],
        ether::TYPE_ARP,
        &packet4(115, &l2tp(Encap::Ip, SESSION)),
    );
    assert_eq!(inner(&arp), None);
    let wrong_family = frame(
        &[],
        ether::TYPE_IPV6,
        &packet4(115, &l2tp(Encap::Ip, SESSION)),
    );
    assert_eq!(inner(&wrong_family), None);
    let control = frame(&[], ether::TYPE_IPV4, &packet4(115, &l2tp(Encap::Ip, 0)));
    assert_eq!(carried(&control, None), None);
}

#[test]
fn fragments_of_ipv4() {
    let mut f = frame(
        &[],
        ether::TYPE_IPV4,
        &packet4(115, &l2tp(Encap::Ip, SESSION)),
    );
    f[20] = 0x20; // more fragments, offset 0
    assert!(
        carried(&f, None).is_some(),
        "the first fragment has the session id"
    );
    f[21] = 1;
    assert_eq!(inner(&f).unwrap().payload, None);
    assert_eq!(carried(&f, None), None);
}

#[test]
fn fragments_of_ipv6() {
    let mut rest = vec![115, 0, 0, 1, 0, 0, 0, 9];
    rest.extend(l2tp(Encap::Ip, SESSION));
    let mut f = frame(&[], ether::TYPE_IPV6, &packet6(44, &rest));
    assert!(
        carried(&f, None).is_some(),
        "the first fragment has the session id"
    );
    f[14 + 40 + 3] = 9;
    let found = inner(&f).unwrap();
    assert_eq!((found.proto, found.payload), (115, None));
    assert_eq!(carried(&f, None), None);
}

#[test]
fn options_do_not_hide_the_session() {
    for words in 0..=10usize {
        let message = l2tp(Encap::Udp, SESSION);
        let upper = datagram(&message, None);
        let mut p = packet4(17, &[]);
        p[0] = 0x45 + words as u8;
        p.extend(vec![1; words * 4]);
        p.extend(&upper);
        let total = u16::try_from(p.len()).unwrap();
        p[2..4].copy_from_slice(&total.to_be_bytes());
        let f = frame(&[0x88a8, 0x8100], ether::TYPE_IPV4, &p);
        assert!(
            carried(&f[..f.len().min(LOOK)], Some(PORTS)).is_some(),
            "{words} words"
        );
    }
}

#[test]
fn udp_checksum_over_ipv6_verifies() {
    let message = l2tp(Encap::Udp, SESSION);
    let len = u32::try_from(message.len() + udp::HEADER_LEN).unwrap();
    let pseudo = Sum::pseudo6(SRC6, DST6, 17, len);
    assert_eq!(pseudo.bytes(&datagram(&message, Some(pseudo))).finish(), 0);
}

fn frames() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), any::<bool>(), 0..3usize).prop_map(|(v6, udp, tags)| {
        let encap = if udp { Encap::Udp } else { Encap::Ip };
        shape(v6, encap, &[0x8100; 2][..tags.min(2)]).0
    })
}

proptest! {
    /// Nothing panics, and a payload lies within the frame.
    #[test]
    fn any_bytes(b in prop::collection::vec(any::<u8>(), 0..160)) {
        if let Some(p) = inner(&b).and_then(|i| i.payload) {
            prop_assert!(p.len() <= b.len());
        }
        let _ = carried(&b, Some(PORTS));
        let _ = ipv4::parse(&b);
        let _ = ipv6::parse(&b);
        let _ = udp::Header::parse(&b);
        let _ = ether::parse(&b);
    }

    /// The same, from frames that get past the first checks: any bytes changed, cut anywhere.
    #[test]
    fn nearly_right_frames(
        mut f in frames(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        for (at, value) in changes {
            let at = at.index(f.len());
            f[at] = value;
        }
        let n = cut.index(f.len() + 1);
        if let Some(c) = carried(&f[..n], Some(PORTS)) {
            prop_assert_eq!(inner(&f[..n]).map(|i| (i.src, i.dst)), Some((c.src, c.dst)));
        }
    }
}
