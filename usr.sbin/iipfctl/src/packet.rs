// SPDX-License-Identifier: BSD-2-Clause
//! A packet out of its description.

use crate::words::{Words, address, name, number, port, protocol};
use iipf_abi::{IIPF_TRACE_PACKET, TracePacket};
use kabi::zerocopy::FromZeros;
use std::net::IpAddr;

const LETTERS: &str = "FSRPAUEW";

/// What was described.
#[derive(Debug)]
struct Described {
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    sport: u16,
    dport: u16,
    flags: u8,
    icmp: (u8, u8),
    tos: u8,
    payload: usize,
}

/// `in|out on IF [out IF] proto P from A [port P] to B [port P] [flags S] [icmp-type N [code N]]
/// [tos N] [length N] [tagged T]`
///
/// # Errors
/// A sentence.
pub(crate) fn described(words: &[String]) -> Result<TracePacket, String> {
    let mut t = TracePacket::new_zeroed();
    let mut w = Words::new(words);
    t.dir = match w.next() {
        Some("in") => 1,
        Some("out") => 2,
        _ => return Err("trace: say 'in on IF' or 'out on IF' first, or --live N".into()),
    };
    let unset = IpAddr::from([0, 0, 0, 0]);
    let (mut src, mut dst) = (None, None);
    let mut d = Described {
        src: unset,
        dst: unset,
        proto: 0,
        sport: 0,
        dport: 0,
        flags: 0x02,
        icmp: (8, 0),
        tos: 0,
        payload: 0,
    };
    let mut icmp_said = false;
    while let Some(word) = w.next() {
        match word {
            "on" => t.ifname = name("interface", w.after(word)?)?,
            "out" => {
                w.eat("on");
                t.out_ifname = name("interface", w.after(word)?)?;
            }
            "inet" | "inet6" => {}
            "proto" => d.proto = protocol(w.after(word)?)?,
            "from" | "to" => {
                let addr = Some(address(word, w.after(word)?)?);
                let place = if word == "from" { &mut src } else { &mut dst };
                *place = addr;
                if w.eat("port") {
                    let port = port(w.after("port")?)?;
                    if word == "from" {
                        d.sport = port;
                    } else {
                        d.dport = port;
                    }
                }
            }
            "flags" => d.flags = flags(w.after(word)?)?,
            "icmp-type" | "icmp6-type" => {
                d.icmp.0 = number(word, w.after(word)?, 0, 255)? as u8;
                icmp_said = true;
                if w.eat("code") {
                    d.icmp.1 = number("code", w.after("code")?, 0, 255)? as u8;
                }
            }
            "tos" => d.tos = number(word, w.after(word)?, 0, 255)? as u8,
            "length" => d.payload = number(word, w.after(word)?, 0, 1400)? as usize,
            "tagged" => t.mark = libiipf::tag_mark(w.after(word)?),
            _ => {
                return Err(format!(
                    "trace: '{word}' describes no packet: on, out, proto, from, to, port, flags, \
                     icmp-type, tos, length, tagged"
                ));
            }
        }
    }
    if t.ifname.is_empty() {
        return Err("trace: on which interface? 'on IF'".into());
    }
    d.src = src.ok_or("trace: from where? 'from ADDRESS'")?;
    d.dst = dst.ok_or("trace: to where? 'to ADDRESS'")?;
    if d.src.is_ipv4() != d.dst.is_ipv4() {
        return Err("trace: the addresses are of two families".into());
    }
    if d.proto == 0 {
        return Err("trace: which protocol? 'proto tcp'".into());
    }
    if !icmp_said && d.proto == 58 {
        d.icmp = (128, 0);
    }
    let packet = bytes(&d);
    let room = t
        .packet
        .get_mut(..packet.len())
        .ok_or("trace: the packet is too long")?;
    room.copy_from_slice(&packet);
    t.len = packet.len() as u32;
    debug_assert!(packet.len() <= IIPF_TRACE_PACKET);
    Ok(t)
}

fn flags(text: &str) -> Result<u8, String> {
    text.chars().try_fold(0, |bits, c| {
        let bit = LETTERS
            .find(c)
            .ok_or_else(|| format!("flags {text}: letters of {LETTERS}"))?;
        Ok(bits | 1 << bit)
    })
}

/// The internet checksum of some parts, each of even length but the last.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

fn bytes(d: &Described) -> Vec<u8> {
    let (src, dst) = (octets(d.src), octets(d.dst));
    let mut body = Vec::new();
    // Where its checksum is.
    let at = match d.proto {
        6 => {
            body.extend(d.sport.to_be_bytes());
            body.extend(d.dport.to_be_bytes());
            body.extend(1u32.to_be_bytes());
            body.extend(u32::from(d.flags & 0x10 != 0).to_be_bytes());
            body.extend([5 << 4, d.flags, 0xff, 0xff, 0, 0, 0, 0]);
            Some(16)
        }
        17 => {
            body.extend(d.sport.to_be_bytes());
            body.extend(d.dport.to_be_bytes());
            body.extend((8 + d.payload as u16).to_be_bytes());
            body.extend([0, 0]);
            Some(6)
        }
        1 | 58 => {
            body.extend([d.icmp.0, d.icmp.1, 0, 0, 0, 1, 0, 1]);
            Some(2)
        }
        _ => None,
    };
    body.resize(body.len() + d.payload, 0);
    if let Some(at) = at {
        let mut pseudo = [src.clone(), dst.clone()].concat();
        pseudo.extend((body.len() as u32).to_be_bytes());
        pseudo.extend([0, 0, 0, d.proto]);
        let sum = if d.proto == 1 {
            checksum(&[&body])
        } else {
            checksum(&[&pseudo, &body])
        };
        // Of UDP, 0 is "none".
        let sum = if d.proto == 17 && sum == 0 {
            0xffff
        } else {
            sum
        };
        body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    let mut all = if d.src.is_ipv4() {
        let total = (20 + body.len()) as u16;
        let mut head = vec![0x45, d.tos];
        head.extend(total.to_be_bytes());
        head.extend([0, 0, 0x40, 0, 64, d.proto, 0, 0]);
        head.extend(&src);
        head.extend(&dst);
        let sum = checksum(&[&head]);
        head[10..12].copy_from_slice(&sum.to_be_bytes());
        head
    } else {
        let mut head = vec![0x60 | d.tos >> 4, d.tos << 4, 0, 0];
        head.extend((body.len() as u16).to_be_bytes());
        head.extend([d.proto, 64]);
        head.extend(&src);
        head.extend(&dst);
        head
    };
    all.extend(body);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(text: &str) -> Result<TracePacket, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        described(&words)
    }

    #[test]
    fn checksums_are_right() {
        for (text, pseudo) in [
            (
                "in on wan0 proto tcp from 192.0.2.1 port 1025 to 192.0.2.2 port ssh",
                true,
            ),
            (
                "in on wan0 proto udp from 192.0.2.1 port 1025 to 192.0.2.2 port 53 length 33",
                true,
            ),
            ("in on wan0 proto icmp from 192.0.2.1 to 192.0.2.2", false),
        ] {
            let t = packet(text).unwrap();
            let p = &t.packet[..t.len as usize];
            assert_eq!(checksum(&[&p[..20]]), 0, "{text}");
            let len = (p.len() as u32 - 20).to_be_bytes();
            let rest = [0, 0, 0, p[9]];
            let sum = if pseudo {
                checksum(&[&p[12..20], &len, &rest, &p[20..]])
            } else {
                checksum(&[&p[20..]])
            };
            assert_eq!(sum, 0, "{text}");
        }
        let t = packet("out on wan0 proto icmp6 from fe80::1 to ff02::1").unwrap();
        let p = &t.packet[..t.len as usize];
        let len = (p.len() as u32 - 40).to_be_bytes();
        assert_eq!(checksum(&[&p[8..40], &len, &[0, 0, 0, 58], &p[40..]]), 0);
        assert_eq!((p[40], t.dir), (128, 2));
    }

    #[test]
    fn what_is_missing_is_asked_for() {
        for (text, said) in [
            ("", "in on IF"),
            ("in proto tcp", "on which interface"),
            ("in on wan0 proto tcp", "from where"),
            ("in on wan0 from 10.0.0.1 to 10.0.0.2", "which protocol"),
            ("in on wan0 proto tcp from 10.0.0.1 to ::1", "two families"),
            ("in on wan0 colour blue", "describes no packet"),
        ] {
            let e = packet(text).err().unwrap();
            assert!(e.contains(said), "{text}: {e}");
        }
    }
}
