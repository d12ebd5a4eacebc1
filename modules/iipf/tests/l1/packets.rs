// SPDX-License-Identifier: BSD-2-Clause
//! Packets by hand.

use super::ip;
use std::net::IpAddr;

/// A UDP packet.
pub fn udp(src: (&str, u16), dst: (&str, u16), payload: &[u8]) -> Vec<u8> {
    let (s, d) = ((ip(src.0), src.1), (ip(dst.0), dst.1));
    let datagram = testkit::packet::udp(s, d, payload);
    testkit::packet::ip(s.0, d.0, 17, 64, &datagram)
}

/// TCP's flags.
pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 0x10;

/// An IP packet with a TCP segment; `options` in whole words.
pub fn tcp_with(
    src: (&str, u16),
    dst: (&str, u16),
    (seq, ack, flags, win): (u32, u32, u8, u16),
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let (s, d) = (ip(src.0), ip(dst.0));
    let mut seg = [src.1.to_be_bytes(), dst.1.to_be_bytes()].concat();
    seg.extend(seq.to_be_bytes());
    seg.extend(ack.to_be_bytes());
    seg.push((5 + options.len() as u8 / 4) << 4);
    seg.push(flags);
    seg.extend(win.to_be_bytes());
    seg.extend([0; 4]);
    seg.extend(options);
    seg.extend(payload);
    let octets = |a: IpAddr| match a {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    };
    let len = (seg.len() as u32).to_be_bytes();
    let pseudo = [octets(s), octets(d), len.to_vec(), vec![0, 0, 0, 6]].concat();
    let sum = testkit::packet::checksum(&[&pseudo, &seg]);
    seg[16..18].copy_from_slice(&sum.to_be_bytes());
    testkit::packet::ip(s, d, 6, 64, &seg)
}

/// One with a window of 64,000 and no options.
pub fn tcp(
    src: (&str, u16),
    dst: (&str, u16),
    (seq, ack, flags): (u32, u32, u8),
    payload: &[u8],
) -> Vec<u8> {
    tcp_with(src, dst, (seq, ack, flags, 64_000), &[], payload)
}
