// SPDX-License-Identifier: BSD-2-Clause
//! Packets made field by field, with checksums computed over all their bytes by the definition:
//! what a rewritten packet must be equal to, byte for byte.
#![allow(dead_code)]

use testkit::Noise;
use wire::packet::{Af, Ids};
use wire::rewrite::Ends;

/// RFC 1071, word by word.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let all = parts.concat();
    let mut sum = 0u32;
    for pair in all.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
        if sum > 0xffff {
            sum -= 0xffff;
        }
    }
    !(sum as u16)
}

/// The kinds of packets.
#[derive(Clone, Debug)]
pub enum What {
    Tcp {
        opts: Vec<u8>,
        seq: u32,
        ack: u32,
        flags: u8,
    },
    Udp {
        sum: bool,
    },
    Udplite,
    Dccp,
    Sctp,
    Query {
        typ: u8,
    },
    Error {
        typ: u8,
        code: u8,
        inner: Box<Shape>,
    },
    Pptp,
    Esp,
    Other(u8),
}

/// Everything about a packet but what a translation changes.
#[derive(Clone, Debug)]
pub struct Shape {
    pub af: Af,
    pub what: What,
    /// Options of IPv4, a multiple of 4; extension headers of IPv6 as (type, bytes).
    pub options: Vec<u8>,
    pub exts: Vec<(u8, Vec<u8>)>,
    pub payload: Vec<u8>,
    /// Of a fragment: from which to which byte of the IP payload, in multiples of 8, and whether
    /// the rest is in others.
    pub piece: Option<(usize, usize)>,
    pub id: u32,
    pub tos: u8,
    pub ttl: u8,
    /// Bytes of the transport header and payload that are left of an embedded packet.
    pub cut: usize,
    /// The checksum of TCP and UDP is the pseudo-header's sum.
    pub partial: bool,
}

impl Shape {
    pub fn new(af: Af, what: What, payload: &[u8]) -> Shape {
        Shape {
            af,
            what,
            options: vec![],
            exts: vec![],
            payload: payload.to_vec(),
            piece: None,
            id: 0x1c46,
            tos: 0,
            ttl: 64,
            cut: usize::MAX,
            partial: false,
        }
    }

    pub fn proto(&self) -> u8 {
        match self.what {
            What::Tcp { .. } => 6,
            What::Udp { .. } => 17,
            What::Udplite => 136,
            What::Dccp => 33,
            What::Sctp => 132,
            What::Query { .. } | What::Error { .. } if self.af == Af::V4 => 1,
            What::Query { .. } | What::Error { .. } => 58,
            What::Pptp => 47,
            What::Esp => 50,
            What::Other(proto) => proto,
        }
    }

    /// Where the transport header starts in a packet that is not a fragment.
    pub fn at(&self) -> usize {
        match self.af {
            Af::V4 => 20 + self.options.len(),
            Af::V6 => 40 + self.exts.iter().map(|(_, b)| b.len()).sum::<usize>(),
        }
    }

    fn pseudo(&self, ends: &Ends, len: usize) -> Vec<u8> {
        match self.af {
            Af::V4 => [
                &(ends.src as u32).to_be_bytes()[..],
                &(ends.dst as u32).to_be_bytes(),
                &[0, self.proto()],
                &(len as u16).to_be_bytes(),
            ]
            .concat(),
            Af::V6 => [
                &ends.src.to_be_bytes()[..],
                &ends.dst.to_be_bytes(),
                &(len as u32).to_be_bytes(),
                &[0, 0, 0, self.proto()],
            ]
            .concat(),
        }
    }

    /// The transport header and what follows, before it is cut to pieces.
    fn upper(&self, ends: &Ends, inner: Option<&Ends>) -> Vec<u8> {
        let (src, dst) = ends.ids.pair();
        let (s, d) = (src.to_be_bytes(), dst.to_be_bytes());
        let ports = [s[0], s[1], d[0], d[1]];
        // The bytes, where the checksum stands, and how much of the pseudo-header is in it.
        let (mut b, sum_at, pseudo) = match &self.what {
            What::Tcp {
                opts,
                seq,
                ack,
                flags,
            } => {
                let mut b = ports.to_vec();
                b.extend(seq.to_be_bytes());
                b.extend(ack.to_be_bytes());
                b.extend([(5 + opts.len() as u8 / 4) << 4, *flags, 0x20, 0, 0, 0, 0, 0]);
                b.extend(opts);
                (b, Some(16), true)
            }
            What::Udp { sum } => {
                let mut b = ports.to_vec();
                b.extend((8 + self.payload.len() as u16).to_be_bytes());
                b.extend([0, 0]);
                (b, sum.then_some(6), true)
            }
            What::Udplite => ([&ports[..], &[0, 0, 0, 0]].concat(), Some(6), true),
            What::Dccp => (
                [&ports[..], &[3, 0, 0, 0, 1, 2, 3, 4]].concat(),
                Some(6),
                true,
            ),
            What::Sctp => ([&ports[..], &[9; 8]].concat(), None, false),
            What::Query { typ } => {
                let b = vec![*typ, 0, 0, 0, s[0], s[1], 0, 7];
                (b, Some(2), self.af == Af::V6)
            }
            What::Error {
                typ,
                code,
                inner: shape,
            } => {
                let mut b = vec![*typ, *code, 0, 0, 0, 0, 5, 0xdc];
                b.extend(shape.make(inner.expect("ends of the embedded packet"), None));
                (b, Some(2), self.af == Af::V6)
            }
            What::Pptp => {
                let len = (self.payload.len() as u16).to_be_bytes();
                let b = vec![0x30, 1, 0x88, 0x0b, len[0], len[1], d[0], d[1], 0, 0, 0, 9];
                (b, None, false)
            }
            What::Esp => ([&ports[..], &[0, 0, 0, 1]].concat(), None, false),
            What::Other(_) => (vec![], None, false),
        };
        b.extend(&self.payload);
        let Some(at) = sum_at else { return b };
        let front = if pseudo {
            self.pseudo(ends, b.len())
        } else {
            vec![]
        };
        let partial = self.partial && matches!(self.what, What::Tcp { .. } | What::Udp { .. });
        let sum = if partial {
            !checksum(&[&front])
        } else {
            checksum(&[&front, &b])
        };
        let sum = match (sum, &self.what) {
            (0, What::Udp { .. }) => 0xffff,
            (sum, _) => sum,
        };
        b[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        b
    }

    /// The packet.
    pub fn make(&self, ends: &Ends, inner: Option<&Ends>) -> Vec<u8> {
        let upper = self.upper(ends, inner);
        let (from, to, more) = match self.piece {
            Some((from, to)) if to < upper.len() => (from, to, true),
            Some((from, _)) => (from.min(upper.len()), upper.len(), false),
            None => (0, upper.len(), false),
        };
        let piece = &upper[from..to];
        let is_piece = self.piece.is_some();
        let mut b = match self.af {
            Af::V4 => self.header4(ends, piece.len(), from, more && is_piece),
            Af::V6 => self.header6(ends, piece.len(), is_piece.then_some((from, more))),
        };
        b.extend(&piece[..piece.len().min(self.cut)]);
        b
    }

    fn header4(&self, ends: &Ends, len: usize, from: usize, more: bool) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let mut b = vec![0x40 | (header_len / 4) as u8, self.tos];
        b.extend(((header_len + len) as u16).to_be_bytes());
        b.extend((self.id as u16).to_be_bytes());
        b.extend(((from / 8) as u16 | u16::from(more) << 13).to_be_bytes());
        b.extend([self.ttl, self.proto(), 0, 0]);
        b.extend((ends.src as u32).to_be_bytes());
        b.extend((ends.dst as u32).to_be_bytes());
        b.extend(&self.options);
        let sum = checksum(&[&b]);
        b[10..12].copy_from_slice(&sum.to_be_bytes());
        b
    }

    fn header6(&self, ends: &Ends, len: usize, frag: Option<(usize, bool)>) -> Vec<u8> {
        let mut chain: Vec<(u8, Vec<u8>)> = self.exts.clone();
        if let Some((from, more)) = frag {
            let bits = (from as u16 | u16::from(more)).to_be_bytes();
            let id = self.id.to_be_bytes();
            let ext = vec![0, 0, bits[0], bits[1], id[0], id[1], id[2], id[3]];
            chain.push((44, ext));
        }
        let mut exts = vec![];
        for (n, (_, bytes)) in chain.iter().enumerate() {
            let next = chain.get(n + 1).map_or(self.proto(), |(typ, _)| *typ);
            exts.push(next);
            exts.extend(&bytes[1..]);
        }
        let first = chain.first().map_or(self.proto(), |(typ, _)| *typ);
        let mut b = vec![0x60 | self.tos >> 4, self.tos << 4, 0, 0];
        b.extend(((exts.len() + len) as u16).to_be_bytes());
        b.extend([first, self.ttl]);
        b.extend(ends.src.to_be_bytes());
        b.extend(ends.dst.to_be_bytes());
        b.extend(exts);
        b
    }
}

pub fn addr(noise: &mut Noise, af: Af) -> u128 {
    let wide = u128::from(noise.word()) << 64 | u128::from(noise.word());
    match af {
        Af::V4 => wide & 0xffff_ffff,
        Af::V6 => wide,
    }
}

/// Ids of the kind that a packet of this shape has.
pub fn ids(noise: &mut Noise, what: &What) -> Ids {
    let (a, b) = (noise.word() as u16, noise.word() as u16);
    match what {
        What::Tcp { .. } | What::Udp { .. } | What::Udplite | What::Dccp | What::Sctp => {
            Ids::Ports { src: a, dst: b }
        }
        What::Query { .. } => Ids::Query(a),
        What::Pptp => Ids::Call(a),
        What::Esp => Ids::Spi(noise.word() as u32),
        What::Error { .. } | What::Other(_) => Ids::None,
    }
}

/// The ends that a packet of this shape may get.
pub fn ends(noise: &mut Noise, shape: &Shape) -> Ends {
    Ends {
        src: addr(noise, shape.af),
        dst: addr(noise, shape.af),
        ids: ids(noise, &shape.what),
    }
}

/// Ends that differ from `old` in some of what may change.
pub fn other(noise: &mut Noise, shape: &Shape, old: &Ends) -> Ends {
    let mut new = ends(noise, shape);
    if noise.below(3) == 0 {
        new.src = old.src;
    }
    if noise.below(3) == 0 {
        new.dst = old.dst;
    }
    if noise.below(3) == 0 || matches!(shape.what, What::Sctp | What::Esp) {
        new.ids = old.ids;
    }
    new
}

pub fn bytes(noise: &mut Noise, n: usize) -> Vec<u8> {
    (0..n).map(|_| noise.word() as u8).collect()
}

/// TCP options: a maximum segment size and selective acknowledgements, at odd offsets too.
pub fn tcp_options(noise: &mut Noise, mss: u16) -> Vec<u8> {
    let mut b = vec![];
    (0..noise.below(4)).for_each(|_| b.push(1));
    if noise.below(2) == 0 {
        b.extend([2, 4]);
        b.extend(mss.to_be_bytes());
    }
    (0..noise.below(3)).for_each(|_| b.push(1));
    if noise.below(2) == 0 {
        b.extend([5, 18]);
        b.extend(bytes(noise, 16));
    }
    while b.len() % 4 != 0 {
        b.push(0);
    }
    b
}

fn extension(noise: &mut Noise, typ: u8) -> (u8, Vec<u8>) {
    let n = noise.below(2);
    let (units, len) = match typ {
        51 => (1 + 2 * n, 12 + 8 * n),
        _ => (n, 8 + 8 * n),
    };
    let mut b = vec![0, units as u8];
    // Padding as one option; a routing header of type 2.
    match typ {
        0 | 60 => b.extend([1, (len - 4) as u8]),
        _ => b.extend([2, 0]),
    }
    b.resize(len, 0);
    (typ, b)
}

/// A shape; `nested`: what an error embeds.
pub fn shape(noise: &mut Noise, nested: bool) -> Shape {
    let af = if noise.below(2) == 0 { Af::V4 } else { Af::V6 };
    shape_of(noise, af, nested)
}

pub fn shape_of(noise: &mut Noise, af: Af, nested: bool) -> Shape {
    let what = match noise.below(if nested { 9 } else { 11 }) {
        0 | 1 => What::Tcp {
            opts: tcp_options(noise, 1460),
            seq: noise.word() as u32,
            ack: noise.word() as u32,
            flags: 0x10,
        },
        2 | 3 => What::Udp {
            sum: noise.below(4) != 0,
        },
        4 => What::Query {
            typ: match (af, noise.below(2)) {
                (Af::V4, 0) => 8,
                (Af::V4, _) => 0,
                (Af::V6, 0) => 128,
                (Af::V6, _) => 129,
            },
        },
        5 => What::Pptp,
        6 => What::Udplite,
        7 => What::Esp,
        8 => [What::Dccp, What::Sctp, What::Other(89)][noise.below(3)].clone(),
        _ => {
            let mut inner = shape_of(noise, af, true);
            // Half a checksum of TCP is nobody's.
            inner.cut = match 8 + noise.below(60) {
                17 => 18,
                n => n,
            };
            inner.piece = None;
            What::Error {
                typ: if af == Af::V4 { 3 } else { 1 },
                code: 3,
                inner: Box::new(inner),
            }
        }
    };
    let n = noise.below(70);
    let mut s = Shape::new(af, what, &bytes(noise, n));
    if matches!(s.what, What::Error { .. }) {
        s.payload.clear();
    }
    s.id = noise.word() as u32;
    s.tos = noise.word() as u8;
    s.ttl = noise.word() as u8;
    let n = noise.below(4);
    match af {
        Af::V4 if n == 0 => s.options = [1].repeat(4 * (1 + noise.below(3))),
        Af::V6 if n == 0 => {
            let types = [[0, 60], [60, 60], [43, 60], [0, 43]][noise.below(4)];
            s.exts = types.map(|typ| extension(noise, typ)).to_vec();
        }
        _ => {}
    }
    if !nested && noise.below(5) == 0 && !matches!(s.what, What::Error { .. }) {
        // A first fragment with the whole transport header, or a later one.
        s.payload = bytes(noise, 200);
        s.piece = Some([(0, 80), (80, 160), (160, 1000)][noise.below(3)]);
    }
    s
}
