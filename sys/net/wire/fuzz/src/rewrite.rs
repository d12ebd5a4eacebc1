// SPDX-License-Identifier: BSD-2-Clause
//! A packet parsed, rewritten there and back, shortened, answered: its checksums stay right, and
//! what is said to have become of it is what a parser reads.

use wire::build::{self, MAX_LEN, Problem};
use wire::cksum::Sum;
use wire::packet::{self, Af, Bad, Ids, Packet, Upper};
use wire::rewrite::{self, Ends, Refused, Sums};

/// Bytes in front of the packet that say what becomes of it.
pub const PROGRAM: usize = 40;

/// 36 bytes are addresses and ids to get, then a number, then how much is contiguous; the packet.
pub fn rewrite(data: &[u8]) {
    let Some((program, bytes)) = data.split_first_chunk::<PROGRAM>() else {
        return;
    };
    let number = u16::from_be_bytes([program[36], program[37]]);
    for af in [Af::V4, Af::V6] {
        let contiguous = usize::from(program[38]);
        if let Some(front) = bytes.get(..contiguous) {
            match (parse(bytes, af), packet::parse(front, bytes.len(), af)) {
                (a, b) if a == b => {}
                (_, Err(Bad::Beyond)) => {}
                (a, b) => panic!("{a:?} {b:?}"),
            }
        }
        let Ok(p) = parse(bytes, af) else { continue };
        let mut b = bytes[..p.end()].to_vec();
        mend(&mut b, &p);
        assert_eq!(parse(&b, af), Ok(p));
        right(&b, &p);
        let to = ends(program, &p);
        there_and_back(&b, p, &to);
        if p.is_icmp_error() {
            error(&b, p, &to, program);
        }
        tcp(&b, p, number);
        splice(&b, p, number, program);
        answers(&b, &p, number);
    }
}

fn parse(b: &[u8], af: Af) -> Result<Packet, Bad> {
    let parsed = packet::parse(b, b.len(), af);
    assert_ne!(parsed, Err(Bad::Beyond));
    parsed
}

fn ends(program: &[u8; PROGRAM], p: &Packet) -> Ends {
    let number = |at: usize| u128::from_be_bytes(program[at..at + 16].try_into().unwrap());
    let short = |at: usize| u16::from_be_bytes([program[at], program[at + 1]]);
    let narrow = |addr: u128| match p.af {
        Af::V4 => addr & 0xffff_ffff,
        Af::V6 => addr,
    };
    Ends {
        src: narrow(number(0)),
        dst: narrow(number(16)),
        ids: p.ids.with_pair(short(32), short(34)),
    }
}

/// Makes the checksums right, by the definition.
fn mend(b: &mut [u8], p: &Packet) {
    if p.af == Af::V4 {
        b[10..12].fill(0);
        let n = usize::from(b[0] & 0xf) * 4;
        let sum = Sum::new().bytes(&b[..n]).finish();
        b[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let at = usize::from(p.at);
    let (field, len) = match p.upper {
        _ if p.is_fragment() => return,
        Upper::Tcp(_) => (at + 16, b.len() - at),
        Upper::Udp { len } if b[at + 6..at + 8] != [0, 0] => (at + 6, len.into()),
        Upper::Icmp { .. } => (at + 2, b.len() - at),
        _ => return,
    };
    b[field..field + 2].fill(0);
    let pseudo = match (p.af, p.proto) {
        (Af::V4, 1) => Sum::new(),
        (Af::V4, proto) => Sum::pseudo4(
            (p.src as u32).to_be_bytes(),
            (p.dst as u32).to_be_bytes(),
            proto,
            len as u16,
        ),
        (Af::V6, proto) => {
            Sum::pseudo6(p.src.to_be_bytes(), p.dst.to_be_bytes(), proto, len as u32)
        }
    };
    let sum = match (pseudo.bytes(&b[at..at + len]).finish(), p.proto) {
        (0, 17) => 0xffff,
        (sum, _) => sum,
    };
    b[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Whether the checksums that a packet has are right, where they have been mended.
fn right(b: &[u8], p: &Packet) {
    assert!(packet::header_sum_ok(b, p));
    if matches!(
        p.upper,
        Upper::Tcp(_) | Upper::Udp { .. } | Upper::Icmp { .. }
    ) {
        assert_ne!(packet::upper_sum_ok(b, p), Some(false));
    }
}

fn there_and_back(was: &[u8], p: Packet, to: &Ends) {
    let (mut b, mut q) = (was.to_vec(), p);
    match rewrite::ends(&mut b, &mut q, to, Sums::Whole) {
        Ok(()) => {
            assert_eq!(q.ends(), *to);
            assert_eq!(parse(&b, p.af), Ok(q));
            right(&b, &q);
            rewrite::ends(&mut b, &mut q, &p.ends(), Sums::Whole).expect("as there, so back");
            if matches!(
                p.upper,
                Upper::Tcp(_) | Upper::Udp { .. } | Upper::Icmp { .. }
            ) && !p.is_fragment()
            {
                assert_eq!(b, was);
            }
            assert_eq!(q, p);
        }
        Err(refused) => {
            assert!(matches!(refused, Refused::Ids | Refused::Authenticated));
            assert_eq!((&b[..], q), (was, p));
        }
    }
    // The sum of a pseudo-header is another number, and nothing else is.
    let (mut partial, mut q) = (was.to_vec(), p);
    if rewrite::ends(&mut partial, &mut q, to, Sums::Partial).is_ok() {
        rewrite::ends(&mut partial, &mut q, &p.ends(), Sums::Partial).expect("as there, so back");
        assert_eq!(q, p);
    }
}

fn error(was: &[u8], p: Packet, to: &Ends, program: &[u8; PROGRAM]) {
    let Ok(inner) = p.embedded(was) else { return };
    let (mut b, mut outer, mut q) = (was.to_vec(), p, inner);
    let inner_to = ends(program, &inner);
    let done = rewrite::error(&mut b, &mut outer, &mut q, (to.src, to.dst), &inner_to);
    if done.is_err() {
        assert_eq!((&b[..], outer, q), (was, p, inner));
        return;
    }
    assert_eq!(parse(&b, p.af), Ok(outer));
    assert_eq!(outer.embedded(&b), Ok(q));
    assert_eq!(q.ends(), inner_to);
    right(&b, &outer);
    if packet::header_sum_ok(was, &inner) {
        assert!(packet::header_sum_ok(&b, &q));
    }
}

fn tcp(was: &[u8], p: Packet, number: u16) {
    let _ = p.tcp_options(was);
    let (mut b, mut q) = (was.to_vec(), p);
    let clamped = rewrite::clamp_mss(&mut b, &q, number, Sums::Whole);
    assert!(!clamped || q.tcp_options(&b).mss.is_some_and(|(mss, _)| mss == number));
    assert_eq!(parse(&b, p.af), Ok(q));
    right(&b, &q);
    let by = u32::from(number) << 5;
    rewrite::shift(&mut b, &mut q, by, by ^ 0xffff, Sums::Whole);
    assert_eq!(parse(&b, p.af), Ok(q));
    right(&b, &q);
}

fn splice(was: &[u8], p: Packet, number: u16, program: &[u8; PROGRAM]) {
    let Some(data) = p.data_at() else { return };
    let (at, old) = (data + usize::from(number >> 8), usize::from(number & 0x1f));
    let new = &program[..usize::from(program[39]) % PROGRAM];
    let (mut b, mut q) = (was.to_vec(), p);
    b.resize(was.len() + PROGRAM, 0);
    match rewrite::splice(&mut b, &mut q, at, old, new, Sums::Whole) {
        Ok(n) => {
            assert_eq!(n, was.len() - old + new.len());
            assert_eq!(parse(&b[..n], p.af), Ok(q));
            assert_eq!(&b[at..at + new.len()], new);
            right(&b[..n], &q);
        }
        Err(_) => assert_eq!(&b[..was.len()], was),
    }
}

fn answers(b: &[u8], p: &Packet, number: u16) {
    let mut out = [0; MAX_LEN];
    if let Some(n) = build::reset(p, 64, &mut out).expect("room for it") {
        let reset = parse(&out[..n], p.af).expect("a packet");
        right(&out[..n], &reset);
        assert_eq!(build::reset_for(&reset, 64), None);
        assert_ne!(p.ids, Ids::None);
    }
    let typ = if p.af == Af::V4 { 3 } else { 1 };
    let what = Problem {
        typ,
        code: 1,
        arg: number.into(),
    };
    let n = build::problem(p, b, what, p.dst, 64, &mut out).expect("room for it");
    let problem = parse(&out[..n], p.af).expect("a packet");
    right(&out[..n], &problem);
    let _ = build::may_answer(p, typ, false);
    build::may_answer(&problem, typ, false).expect_err("no error about an error");
}
