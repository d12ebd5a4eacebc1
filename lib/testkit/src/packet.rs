// SPDX-License-Identifier: BSD-2-Clause
//! Packets built by hand, from the inside out: each function puts its header before a payload.

use std::net::IpAddr;

/// IP protocol number of L2TPv3.
pub const L2TP: u8 = 115;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;

/// The address of a test host: locally administered, individual, its last byte `n`.
#[must_use]
pub const fn mac(n: u8) -> [u8; 6] {
    [0x02, 0, 0, 0, 0, n]
}

/// The Internet checksum (RFC 1071) over pieces of even length but for the last.
#[must_use]
pub fn checksum(pieces: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for piece in pieces {
        for pair in piece.chunks(2) {
            sum += u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |&b| u64::from(b));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An Ethernet frame.
#[must_use]
pub fn ether(dst: [u8; 6], src: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&dst, &src, &ethertype.to_be_bytes()[..], payload].concat()
}

/// The frame with an 802.1Q tag behind the addresses.
#[must_use]
pub fn tagged(frame: &[u8], vid: u16) -> Vec<u8> {
    tagged_as(frame, 0x8100, vid)
}

/// The frame with a tag of any kind behind the addresses.
#[must_use]
pub fn tagged_as(frame: &[u8], tpid: u16, tci: u16) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    [addresses, &tpid.to_be_bytes(), &tci.to_be_bytes(), rest].concat()
}

/// A frame of `len` bytes (at least 14) from host 1 to host 2, its payload counting up.
#[must_use]
pub fn frame(len: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..len - 14).map(|n| n as u8).collect();
    ether(mac(2), mac(1), 0x0800, &payload)
}

/// An IPv4 packet, not to be fragmented, or an IPv6 packet: as the addresses are.
///
/// # Panics
/// If they are of two families, or the packet would be too long.
#[must_use]
pub fn ip(src: IpAddr, dst: IpAddr, proto: u8, ttl: u8, payload: &[u8]) -> Vec<u8> {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let total = u16::try_from(payload.len() + 20).expect("fits IPv4");
            let [high, low] = total.to_be_bytes();
            let mut header = vec![0x45, 0, high, low, 0, 0, 0x40, 0, ttl, proto, 0, 0];
            header.extend(src.octets());
            header.extend(dst.octets());
            let sum = checksum(&[&header]).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
            [&header, payload].concat()
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let len = u16::try_from(payload.len()).expect("fits IPv6");
            let [high, low] = len.to_be_bytes();
            let mut header = vec![0x60, 0, 0, 0, high, low, proto, ttl];
            header.extend(src.octets());
            header.extend(dst.octets());
            [&header, payload].concat()
        }
        _ => panic!("addresses of two families"),
    }
}

/// A UDP datagram with its checksum, to be put into an IP packet between these addresses.
///
/// # Panics
/// If it would be too long.
#[must_use]
pub fn udp(src: (IpAddr, u16), dst: (IpAddr, u16), payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len() + 8).expect("fits UDP");
    let ports = [src.1.to_be_bytes(), dst.1.to_be_bytes()].concat();
    let octets = |a: IpAddr| match a {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    };
    let (from, to) = (octets(src.0), octets(dst.0));
    let pseudo = [from, to, vec![0, UDP], len.to_be_bytes().to_vec()].concat();
    let header = [&ports[..], &len.to_be_bytes(), &[0, 0]].concat();
    let sum = match checksum(&[&pseudo, &header, payload]) {
        0 => 0xffff,
        sum => sum,
    };
    [&ports[..], &len.to_be_bytes(), &sum.to_be_bytes(), payload].concat()
}

/// The header of an L2TPv3 data message (RFC 3931, 4.1).
#[must_use]
pub fn l2tp(over_udp: bool, session: u32, cookie: &[u8], sublayer: Option<u32>) -> Vec<u8> {
    let prefix: &[u8] = if over_udp { &[0, 3, 0, 0] } else { &[] };
    let sublayer = sublayer.map(u32::to_be_bytes);
    let sublayer: &[u8] = sublayer.as_ref().map_or(&[], |s| s);
    [prefix, &session.to_be_bytes(), cookie, sublayer].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_verify() {
        let (a, b) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let datagram = udp((a, 1701), (b, 1701), &[1, 2, 3]);
        let packet = ip(a, b, UDP, 64, &datagram);
        assert_eq!(checksum(&[&packet[..20]]), 0);
        let pseudo = [192, 0, 2, 1, 192, 0, 2, 2, 0, 17, 0, 11];
        assert_eq!(checksum(&[&pseudo, &datagram]), 0);
        assert_eq!(packet.len(), 31);
    }

    #[test]
    fn a_tag_stands_behind_the_addresses() {
        let plain = frame(16);
        let tag = tagged(&plain, 7);
        assert_eq!(tag[12..16], [0x81, 0, 0, 7]);
        assert_eq!(tag[16..18], [8, 0]);
        assert_eq!(tag.len(), 20);
    }

    #[test]
    fn headers_have_the_lengths_of_the_rfc() {
        assert_eq!(l2tp(false, 1, &[], None), [0, 0, 0, 1]);
        let longest = l2tp(true, 0x0102_0304, &[9; 8], Some(0x4000_0001));
        assert_eq!(longest.len(), 20);
        assert_eq!(longest[..8], [0, 3, 0, 0, 1, 2, 3, 4]);
        assert_eq!(longest[16..], [0x40, 0, 0, 1]);
    }
}
