// SPDX-License-Identifier: BSD-2-Clause
//! Frames cut and joined again, judged by code that shares nothing with what it judges.

use proptest::prelude::*;

use super::gro::{Candidate, Group};
use super::gso::Plan;
use super::layout::{L4, Layout};
use super::vnet::{Gso, Vnet, complete};

/// What a test frame looks like.
#[derive(Clone, Debug)]
struct Shape {
    tags: usize,
    v6: bool,
    udp: bool,
    /// 32-bit words of TCP options.
    tcp_options: usize,
    payload: usize,
    mss: usize,
    flags: u8,
    id: u16,
    seq: u32,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let wire = (0usize..3, any::<bool>(), any::<bool>(), 0usize..=10);
    let flags = prop::sample::select(vec![0x10u8, 0x18, 0x11, 0x19]);
    let numbers = (
        1usize..20_000,
        300usize..9_000,
        flags,
        any::<u16>(),
        any::<u32>(),
    );
    (wire, numbers).prop_map(
        |((tags, v6, udp, tcp_options), (payload, mss, flags, id, seq))| Shape {
            tags,
            v6,
            udp,
            tcp_options,
            payload,
            mss,
            flags,
            id,
            seq,
        },
    )
}

/// RFC 1071 byte by byte.
fn slow_sum(bytes: &[u8]) -> u16 {
    let mut acc = 0u64;
    for (at, byte) in bytes.iter().enumerate() {
        acc += u64::from(*byte) << if at % 2 == 0 { 8 } else { 0 };
    }
    while acc > 0xffff {
        acc = (acc & 0xffff) + (acc >> 16);
    }
    acc as u16
}

impl Shape {
    fn l3(&self) -> usize {
        14 + 4 * self.tags
    }

    fn l4(&self) -> usize {
        self.l3() + if self.v6 { 40 } else { 20 }
    }

    fn hdr(&self) -> usize {
        self.l4()
            + if self.udp {
                8
            } else {
                20 + 4 * self.tcp_options
            }
    }

    /// A frame as a stack with offloads hands it out: lengths whole, checksum partial.
    fn large(&self) -> Vec<u8> {
        let (l3, l4, hdr) = (self.l3(), self.l4(), self.hdr());
        let mut b: Vec<u8> = (0..hdr + self.payload)
            .map(|at| (at * 7 + at / 251) as u8)
            .collect();
        let mut at = 12;
        for _ in 0..self.tags {
            b[at..at + 4].copy_from_slice(&[0x81, 0x00, 0x00, 0x2a]);
            at += 4;
        }
        let proto = if self.udp { 17 } else { 6 };
        b[at..at + 2].copy_from_slice(if self.v6 {
            &[0x86, 0xdd]
        } else {
            &[0x08, 0x00]
        });
        let ip_len = b.len() - l3;
        if self.v6 {
            b[l3..l3 + 4].copy_from_slice(&[0x60, 0x02, 0x34, 0x56]);
            b[l3 + 4..l3 + 6].copy_from_slice(&(ip_len as u16 - 40).to_be_bytes());
            b[l3 + 6..l3 + 8].copy_from_slice(&[proto, 64]);
        } else {
            b[l3..l3 + 2].copy_from_slice(&[0x45, 0x08]);
            b[l3 + 2..l3 + 4].copy_from_slice(&(ip_len as u16).to_be_bytes());
            b[l3 + 4..l3 + 6].copy_from_slice(&self.id.to_be_bytes());
            b[l3 + 6..l3 + 12].copy_from_slice(&[0x40, 0, 64, proto, 0, 0]);
            let csum = !slow_sum(&b[l3..l4]);
            b[l3 + 10..l3 + 12].copy_from_slice(&csum.to_be_bytes());
        }
        let csum_at = if self.udp {
            b[l4 + 4..l4 + 6].copy_from_slice(&((8 + self.payload) as u16).to_be_bytes());
            l4 + 6
        } else {
            b[l4 + 4..l4 + 8].copy_from_slice(&self.seq.to_be_bytes());
            b[l4 + 12] = ((5 + self.tcp_options) << 4) as u8;
            b[l4 + 13] = self.flags;
            l4 + 16
        };
        let sum = slow_sum(&self.pseudo(&b, b.len() - l4));
        b[csum_at..csum_at + 2].copy_from_slice(&sum.to_be_bytes());
        b
    }

    fn pseudo(&self, b: &[u8], len: usize) -> Vec<u8> {
        let l3 = self.l3();
        let mut p = if self.v6 {
            b[l3 + 8..l3 + 40].to_vec()
        } else {
            b[l3 + 12..l3 + 20].to_vec()
        };
        p.extend([0, if self.udp { 17 } else { 6 }]);
        p.extend((len as u32).to_be_bytes());
        p
    }

    fn gso(&self) -> Gso {
        Gso {
            proto: if self.udp { L4::Udp } else { L4::Tcp },
            size: self.mss,
        }
    }

    fn cut(&self, large: &[u8]) -> Vec<Vec<u8>> {
        let plan = Plan::new(large, self.gso()).expect("a plan");
        let piece = |n| {
            let payload = &large[plan.range(n)];
            let mut out = vec![0; plan.headers()];
            assert!(plan.write(n, large, payload, &mut out));
            out.extend_from_slice(payload);
            out
        };
        (0..plan.pieces()).map(piece).collect()
    }

    /// Both checksums and all lengths of a frame, by the slow way.
    fn judge(&self, b: &[u8]) {
        let (l3, l4) = (self.l3(), self.l4());
        let be16 = |at: usize| usize::from(u16::from_be_bytes([b[at], b[at + 1]]));
        if self.v6 {
            assert_eq!(be16(l3 + 4), b.len() - l4);
        } else {
            assert_eq!(be16(l3 + 2), b.len() - l3);
            assert_eq!(slow_sum(&b[l3..l4]), 0xffff);
        }
        if self.udp {
            assert_eq!(be16(l4 + 4), b.len() - l4);
            assert_ne!(be16(l4 + 6), 0);
        }
        let mut all = self.pseudo(b, b.len() - l4);
        all.extend_from_slice(&b[l4..]);
        assert_eq!(slow_sum(&all), 0xffff);
    }
}

/// Join frames as a door does; each group as (virtio header, frame).
fn join(frames: &[Vec<u8>]) -> Vec<(Vnet, Vec<u8>)> {
    let mut out: Vec<(Vnet, Vec<u8>)> = Vec::new();
    let mut group: Option<(Group, Vec<u8>, Vec<u8>)> = None;
    let finish = |group: Option<(Group, Vec<u8>, Vec<u8>)>, out: &mut Vec<_>| {
        let Some((group, first, payload)) = group else {
            return;
        };
        if group.pieces() == 1 {
            out.push((Vnet::default(), first));
            return;
        }
        let mut frame = vec![0; group.headers()];
        let vnet = group.write(&first, &mut frame);
        frame.extend_from_slice(&payload);
        out.push((Vnet::parse(&vnet).expect("ours"), frame));
    };
    for frame in frames {
        let candidate =
            Layout::parse(frame).and_then(|layout| Candidate::new(layout, frame, frame.len()));
        let valid = candidate.is_some_and(|c| c.verify(frame, frame.chunks(97)));
        let Some(candidate) = candidate.filter(|_| valid) else {
            finish(group.take(), &mut out);
            out.push((Vnet::default(), frame.clone()));
            continue;
        };
        let layout = candidate.layout();
        let rest = &frame[layout.payload..];
        match &mut group {
            Some((g, first, payload))
                if g.same_flow(first, layout, frame) && g.fits(first, &candidate, frame) =>
            {
                g.join(&candidate, frame);
                payload.extend_from_slice(rest);
            }
            _ => {
                finish(group.take(), &mut out);
                group = Some((Group::new(candidate, frame), frame.clone(), rest.to_vec()));
            }
        }
    }
    finish(group, &mut out);
    out
}

proptest! {
    #[test]
    fn pieces_are_right_and_give_the_whole(shape in shapes()) {
        let large = shape.large();
        let pieces = shape.cut(&large);
        let hdr = shape.hdr();
        let mut payload = Vec::new();
        for (n, piece) in pieces.iter().enumerate() {
            shape.judge(piece);
            prop_assert!(piece.len() - hdr <= shape.mss);
            prop_assert!(n + 1 == pieces.len() || piece.len() - hdr == shape.mss);
            if !shape.v6 {
                let id = u16::from_be_bytes([piece[shape.l3() + 4], piece[shape.l3() + 5]]);
                prop_assert_eq!(id, shape.id.wrapping_add(n as u16));
            }
            if !shape.udp {
                let at = shape.l4() + 4;
                let seq = u32::from_be_bytes(piece[at..at + 4].try_into().expect("four"));
                prop_assert_eq!(seq, shape.seq.wrapping_add(payload.len() as u32));
                let last = n + 1 == pieces.len();
                let flags = if last { shape.flags } else { shape.flags & !0x09 };
                prop_assert_eq!(piece[shape.l4() + 13], flags);
                // Options.
                prop_assert_eq!(&piece[shape.l4() + 20..hdr], &large[shape.l4() + 20..hdr]);
            }
            payload.extend_from_slice(&piece[hdr..]);
        }
        prop_assert_eq!(&payload, &large[hdr..]);
    }

    #[test]
    fn joined_pieces_are_what_was_cut(shape in shapes()) {
        let large = shape.large();
        let pieces = shape.cut(&large);
        let joined = join(&pieces);
        prop_assert!(pieces.len() <= 64);
        prop_assert_eq!(joined.len(), 1);
        let (vnet, frame) = &joined[0];
        if pieces.len() == 1 {
            let mut whole = large.clone();
            let csum = if shape.udp { 6 } else { 16 };
            prop_assert!(complete(&mut whole, shape.l4(), csum));
            prop_assert_eq!(frame, &whole);
        } else {
            prop_assert_eq!(vnet.gso, Some(shape.gso()));
            prop_assert_eq!(vnet.partial.map(|p| p.0), Some(shape.l4()));
            prop_assert_eq!(frame, &large);
        }
    }

    /// Whatever is done to a frame of a row, the frames come out again bit for bit.
    #[test]
    fn joining_never_changes_a_frame(shape in shapes(), hit in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), bit in 0u8..8, mend in any::<bool>())
    {
        let mut pieces = shape.cut(&shape.large());
        let n = hit.index(pieces.len());
        let piece = &mut pieces[n];
        let at = at.index(shape.hdr().min(piece.len()));
        piece[at] ^= 1 << bit;
        if mend {
            repair(&shape, piece);
        }
        let mut again = Vec::new();
        for (vnet, frame) in join(&pieces) {
            match vnet.gso {
                None => again.push(frame),
                Some(gso) => again.extend(Shape { mss: gso.size, ..shape.clone() }.cut(&frame)),
            }
        }
        prop_assert_eq!(again, pieces);
    }

    #[test]
    fn no_frame_is_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 0usize..99) {
        let mut bytes = bytes;
        if bytes.len() > 20 {
            bytes[12..14].copy_from_slice(&[0x08, 0x00]);
            bytes[14] = 0x45 | bytes[14] & 0x02;
        }
        for proto in [L4::Tcp, L4::Udp] {
            if let Some(plan) = Plan::new(&bytes, Gso { proto, size }) {
                let mut out = vec![0; plan.headers()];
                for n in 0..plan.pieces() {
                    prop_assert!(plan.write(n, &bytes, &bytes[plan.range(n)], &mut out));
                }
            }
        }
        join(&[bytes.clone(), bytes]);
    }
}

/// Make the checksums right again, so that only the changed field can keep a frame apart.
fn repair(shape: &Shape, b: &mut [u8]) {
    let (l3, l4) = (shape.l3(), shape.l4());
    if !shape.v6 {
        b[l3 + 10..l3 + 12].fill(0);
        let csum = !slow_sum(&b[l3..l4]);
        b[l3 + 10..l3 + 12].copy_from_slice(&csum.to_be_bytes());
    }
    let at = l4 + if shape.udp { 6 } else { 16 };
    b[at..at + 2].fill(0);
    let mut all = shape.pseudo(b, b.len() - l4);
    all.extend_from_slice(&b[l4..]);
    let csum = match !slow_sum(&all) {
        0 => 0xffff,
        csum => csum,
    };
    b[at..at + 2].copy_from_slice(&csum.to_be_bytes());
}

#[test]
fn a_header_that_lies_gives_no_plan() {
    let shape = Shape {
        tags: 0,
        v6: false,
        udp: false,
        tcp_options: 3,
        payload: 3000,
        mss: 1000,
        flags: 0x10,
        id: 1,
        seq: 2,
    };
    let large = shape.large();
    assert!(
        Plan::new(
            &large,
            Gso {
                proto: L4::Udp,
                size: 1000
            }
        )
        .is_none()
    );
    assert!(
        Plan::new(
            &large,
            Gso {
                proto: L4::Tcp,
                size: 0
            }
        )
        .is_none()
    );
    assert!(
        Plan::new(
            &large[..60],
            Gso {
                proto: L4::Tcp,
                size: 1000
            }
        )
        .is_none()
    );
}

#[test]
fn two_flows_do_not_mix() {
    let one = Shape {
        tags: 1,
        v6: true,
        udp: false,
        tcp_options: 3,
        payload: 2000,
        mss: 1000,
        flags: 0x10,
        id: 0,
        seq: 7,
    };
    let mut other = one.clone();
    other.seq = 2007;
    let mut frames = one.cut(&one.large());
    let mut second = other.cut(&other.large());
    for frame in &mut second {
        frame[one.l4()] ^= 1;
        repair(&one, frame);
    }
    frames.append(&mut second);
    assert_eq!(join(&frames).len(), 2);
}

#[test]
fn cwr_is_on_the_first_piece_only_and_keeps_it_alone() {
    let shape = Shape {
        tags: 0,
        v6: false,
        udp: false,
        tcp_options: 0,
        payload: 3000,
        mss: 1000,
        flags: 0x90,
        id: 1,
        seq: 2,
    };
    let pieces = shape.cut(&shape.large());
    let flags: Vec<_> = pieces.iter().map(|p| p[14 + 20 + 13]).collect();
    assert_eq!(flags, [0x90, 0x10, 0x10]);
    assert_eq!(join(&pieces).len(), 2);
}

#[test]
fn tcp_is_cut_smaller_to_fit_and_udp_is_not() {
    let mut shape = Shape {
        tags: 0,
        v6: false,
        udp: false,
        tcp_options: 3,
        payload: 5000,
        mss: 1448,
        flags: 0x18,
        id: 1,
        seq: 2,
    };
    for (udp, most, size) in [
        (false, 1458, 1392),
        (false, 9000, 1448),
        (false, 100, 1448),
        (true, 1400, 1448),
    ] {
        shape.udp = udp;
        let large = shape.large();
        let mut plan = Plan::new(&large, shape.gso()).expect("a plan");
        plan.fit(most);
        assert_eq!(plan.range(0).len(), size);
        let mut payload = Vec::new();
        for n in 0..plan.pieces() {
            let range = plan.range(n);
            let mut piece = vec![0; plan.headers()];
            assert!(plan.write(n, &large, &large[range.clone()], &mut piece));
            piece.extend_from_slice(&large[range]);
            shape.judge(&piece);
            payload.extend_from_slice(&piece[plan.headers()..]);
        }
        assert_eq!(payload, large[plan.headers()..]);
    }
}
