// SPDX-License-Identifier: BSD-2-Clause
//! Outer headers of wires: IPv4, IPv6 and UDP, built and taken apart.
//!
//! *Contexts*: any. *Locking*: none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kpi_sys::{
    KPI_AF_INET, KPI_AF_INET6, KPI_PROTO_ESP, KPI_PROTO_GRE, KPI_PROTO_L2TP, KPI_PROTO_UDP,
    kpi_endpoint,
};

use crate::errno::Errno;

/// One end of a wire: where packets come from or go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    /// Outer address.
    pub addr: IpAddr,
    /// `KPI_PROTO_*`.
    pub proto: u8,
    /// UDP port, else 0.
    pub port: u16,
}

/// The address in the form of the kpi; IPv4 uses the first four bytes.
pub fn to_bytes(addr: IpAddr) -> (u32, [u8; 16]) {
    match addr {
        IpAddr::V4(v4) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            (KPI_AF_INET, bytes)
        }
        IpAddr::V6(v6) => (KPI_AF_INET6, v6.octets()),
    }
}

/// An address from the form of the kpi.
pub fn from_bytes(af: u32, bytes: &[u8; 16]) -> Result<IpAddr, Errno> {
    match af {
        KPI_AF_INET => Ok(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()),
        KPI_AF_INET6 => Ok(Ipv6Addr::from(*bytes).into()),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

impl End {
    /// From the form of the kpi: `EAFNOSUPPORT`, `EPROTONOSUPPORT`, and `EINVAL` for a port where
    /// none belongs or none where one does.
    pub fn from_kpi(ep: &kpi_endpoint) -> Result<End, Errno> {
        let addr = from_bytes(ep.ke_af, &ep.ke_addr)?;
        let proto = match ep.ke_proto {
            KPI_PROTO_UDP | KPI_PROTO_GRE | KPI_PROTO_ESP | KPI_PROTO_L2TP => ep.ke_proto as u8,
            _ => return Err(Errno::EPROTONOSUPPORT),
        };
        End {
            addr,
            proto,
            port: ep.ke_port,
        }
        .checked()
    }

    /// Itself, if it has a port exactly where its protocol has.
    pub fn checked(self) -> Result<End, Errno> {
        let is_udp = u32::from(self.proto) == KPI_PROTO_UDP;
        if is_udp == (self.port != 0) {
            Ok(self)
        } else {
            Err(Errno::EINVAL)
        }
    }
}

/// The Internet checksum's sum over `bytes`, added to `sum`.
fn sum(bytes: &[u8], sum: u32) -> u32 {
    let pair = |pair: &[u8]| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    };
    // 64 KB of pairs stay below 2^32.
    bytes
        .chunks(2)
        .map(pair)
        .fold(sum, |sum, word| sum.wrapping_add(word))
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

const UDP_HEADER: usize = 8;

/// Put an IP packet from `src` to `dst` into `out`, its payload given in pieces: the length of
/// the outer headers. `EAFNOSUPPORT` for mixed families, `EMSGSIZE` when it is too long for IP.
pub fn build<'a>(
    out: &mut Vec<u8>,
    src: &End,
    dst: &End,
    ttl: u8,
    payload: impl Iterator<Item = &'a [u8]>,
) -> Result<usize, Errno> {
    out.clear();
    let ip = match (src.addr, dst.addr) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            // Version 4, 5 words; total length, id and checksum come later; DF.
            out.extend_from_slice(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, ttl, src.proto, 0, 0]);
            out.extend_from_slice(&s.octets());
            out.extend_from_slice(&d.octets());
            20
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            out.extend_from_slice(&[0x60, 0, 0, 0, 0, 0, src.proto, ttl]);
            out.extend_from_slice(&s.octets());
            out.extend_from_slice(&d.octets());
            40
        }
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    let is_udp = u32::from(src.proto) == KPI_PROTO_UDP;
    if is_udp {
        out.extend_from_slice(&src.port.to_be_bytes());
        out.extend_from_slice(&dst.port.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
    }
    let headers = out.len();
    payload.for_each(|piece| out.extend_from_slice(piece));
    let total = u16::try_from(out.len()).map_err(|_| Errno::EMSGSIZE)?;
    if is_udp {
        let len = total - ip as u16;
        out[ip + 4..ip + 6].copy_from_slice(&len.to_be_bytes());
        // The pseudo header: addresses, length, protocol.
        let addresses = if ip == 20 { 12..20 } else { 8..40 };
        let pseudo = sum(&out[addresses], u32::from(len) + KPI_PROTO_UDP);
        let check = match fold(sum(&out[ip..], pseudo)) {
            0 => 0xffff,
            check => check,
        };
        out[ip + 6..ip + 8].copy_from_slice(&check.to_be_bytes());
    }
    if ip == 20 {
        out[2..4].copy_from_slice(&total.to_be_bytes());
        let check = fold(sum(&out[..20], 0));
        out[10..12].copy_from_slice(&check.to_be_bytes());
    } else {
        out[4..6].copy_from_slice(&(total - 40).to_be_bytes());
    }
    Ok(headers)
}

/// Take an IP packet apart: source, destination, and the length of the outer headers. `None`
/// where it is not a whole, unfragmented IP packet of a known sort.
pub fn parse(packet: &[u8]) -> Option<(End, End, usize)> {
    let (src, dst, proto, ip) = match packet.first()? >> 4 {
        4 => {
            let ip = usize::from(packet.first()? & 15) * 4;
            let total = u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]);
            let fragment = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x3fff;
            let header = packet.get(..ip)?;
            if ip < 20 || fragment != 0 || usize::from(total) != packet.len() {
                return None;
            }
            let addr = |at: usize| -> Option<IpAddr> {
                let octets: [u8; 4] = header.get(at..at + 4)?.try_into().ok()?;
                Some(Ipv4Addr::from(octets).into())
            };
            (fold(sum(header, 0)) == 0).then_some(())?;
            (addr(12)?, addr(16)?, *packet.get(9)?, ip)
        }
        6 => {
            let payload = u16::from_be_bytes([*packet.get(4)?, *packet.get(5)?]);
            if usize::from(payload) + 40 != packet.len() {
                return None;
            }
            let addr = |at: usize| -> Option<IpAddr> {
                let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
                Some(Ipv6Addr::from(octets).into())
            };
            (addr(8)?, addr(24)?, *packet.get(6)?, 40)
        }
        _ => return None,
    };
    let (mut sport, mut dport, mut headers) = (0, 0, ip);
    if u32::from(proto) == KPI_PROTO_UDP {
        let udp = packet.get(ip..ip + UDP_HEADER)?;
        sport = u16::from_be_bytes([udp[0], udp[1]]);
        dport = u16::from_be_bytes([udp[2], udp[3]]);
        headers += UDP_HEADER;
    }
    Some((
        End {
            addr: src,
            proto,
            port: sport,
        },
        End {
            addr: dst,
            proto,
            port: dport,
        },
        headers,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(addr: &str, proto: u32, port: u16) -> End {
        End {
            addr: addr.parse().expect("an address"),
            proto: proto as u8,
            port,
        }
    }

    fn checked_udp(packet: &[u8], ip: usize, addresses: std::ops::Range<usize>) -> bool {
        let len = (packet.len() - ip) as u32;
        fold(sum(
            &packet[ip..],
            sum(&packet[addresses], len + KPI_PROTO_UDP),
        )) == 0
    }

    #[test]
    fn what_is_built_parses_and_its_checksums_hold() {
        let mut out = Vec::new();
        let payload: [&[u8]; 2] = [b"abc", b"defg"];
        for (a, b, ip) in [
            ("192.0.2.1", "198.51.100.2", 20),
            ("2001:db8::1", "2001:db8::2", 40),
        ] {
            let (src, dst) = (end(a, KPI_PROTO_L2TP, 0), end(b, KPI_PROTO_L2TP, 0));
            assert_eq!(build(&mut out, &src, &dst, 64, payload.into_iter()), Ok(ip));
            assert_eq!(parse(&out), Some((src, dst, ip)));
            let (src, dst) = (end(a, KPI_PROTO_UDP, 1701), end(b, KPI_PROTO_UDP, 5000));
            assert_eq!(
                build(&mut out, &src, &dst, 64, payload.into_iter()),
                Ok(ip + 8)
            );
            assert_eq!(parse(&out), Some((src, dst, ip + 8)));
            assert_eq!(&out[ip + 8..], b"abcdefg");
            assert!(checked_udp(&out, ip, if ip == 20 { 12..20 } else { 8..40 }));
            assert_eq!(parse(&out[..out.len() - 1]), None);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut out = Vec::new();
        let (four, six) = (end("192.0.2.1", 115, 0), end("::1", 115, 0));
        let none = || std::iter::empty::<&[u8]>();
        assert_eq!(
            build(&mut out, &four, &six, 64, none()),
            Err(Errno::EAFNOSUPPORT)
        );
        let long = [0; 65_536];
        let once = || std::iter::once(long.as_slice());
        assert_eq!(
            build(&mut out, &four, &four, 64, once()),
            Err(Errno::EMSGSIZE)
        );
        assert_eq!(end("::1", KPI_PROTO_UDP, 0).checked(), Err(Errno::EINVAL));
        assert_eq!(end("::1", KPI_PROTO_GRE, 1).checked(), Err(Errno::EINVAL));
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0x45; 19]), None);
    }
}
