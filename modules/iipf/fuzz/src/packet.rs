// SPDX-License-Identifier: BSD-2-Clause
//! Packets in both directions through one of a few rulesets. What had right checksums before has
//! them afterwards, what the module itself sends has them always, and nothing leaks.

use super::Input;
use super::rulesets::ruleset;
use super::site::*;
use host::ledger::Fault;
use host::ledger::Split;
use host::pfiltest::Dir;
use wire::packet;
use wire::packet::Af;

/// Packets to begin with.
fn templates() -> Vec<Vec<u8>> {
    let six = ("2001:db8::1", 4000);
    let far = ("2001:db8:1::1", 53);
    let echo = |typ: u8, src: &str, dst: &str, rest: &[u8]| {
        let mut body = [&[typ, 0, 0, 0][..], rest].concat();
        let sum = testkit::packet::checksum(&[&body]);
        body[2..4].copy_from_slice(&sum.to_be_bytes());
        testkit::packet::ip(ip(src), ip(dst), 1, 64, &body)
    };
    let sent = udp((OUTSIDE, 4000), (SERVER, 53), b"query");
    let quoted = [&[0, 0, 0, 0][..], &sent].concat();
    let mut piece = udp((HOST, 4000), (SERVER, 53), &[7; 24]);
    piece[6] = 0x20;
    let mut later = piece.clone();
    (later[6], later[7]) = (0, 4);
    let mut all = vec![
        udp((HOST, 4000), (SERVER, 53), b"query"),
        udp((SERVER, 53), (OUTSIDE, 4000), b"reply"),
        udp((HOST2, 4000), (OUTSIDE, 4000), b"hairpin"),
        tcp((HOST, 4001), (SERVER, 21), (1_000, 0, SYN), b""),
        tcp(
            (SERVER, 21),
            (OUTSIDE, 4001),
            (5_000, 1_001, SYN | ACK),
            b"",
        ),
        tcp(
            (HOST, 4001),
            (SERVER, 21),
            (1_001, 5_001, ACK),
            b"PORT 192,168,1,10,20,30\r\n",
        ),
        tcp((SERVER2, 9), (OUTSIDE, 80), (77, 0, SYN), b""),
        echo(8, HOST, SERVER, &[0, 9, 0, 1, 1, 2, 3]),
        echo(0, SERVER, OUTSIDE, &[0, 9, 0, 1, 1, 2, 3]),
        echo(3, SERVER2, OUTSIDE, &quoted),
        testkit::packet::ip(
            ip(HOST),
            ip(SERVER),
            47,
            64,
            &[0x20, 1, 0x88, 0x0b, 0, 4, 0, 1],
        ),
        testkit::packet::ip(ip(SERVER), ip(OUTSIDE), 50, 64, &[0, 0, 0, 7, 0, 0, 0, 1]),
        udp(six, far, b"query"),
        udp(far, six, b"reply"),
        piece,
        later,
    ];
    for p in &mut all {
        mend(p);
    }
    all
}

/// Sets the sum of an IPv4 header right.
fn mend(p: &mut [u8]) {
    let len = p.first().map_or(0, |b| usize::from(b & 15) * 4);
    if p.len() >= len && len >= 20 && p[0] >> 4 == 4 {
        p[10..12].fill(0);
        let sum = testkit::packet::checksum(&[&p[..len]]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Whether both checksums can be told, and are right.
fn right(whole: &[u8]) -> bool {
    let af = match whole.first().map(|b| b >> 4) {
        Some(4) => Af::V4,
        Some(6) => Af::V6,
        _ => return false,
    };
    let Ok(p) = packet::parse(whole, whole.len(), af) else {
        return false;
    };
    packet::header_sum_ok(whole, &p) && packet::upper_sum_ok(whole, &p) != Some(false)
}

fn is_fragment(whole: &[u8]) -> bool {
    let af = if whole.first().is_some_and(|b| b >> 4 == 6) {
        Af::V6
    } else {
        Af::V4
    };
    packet::parse(whole, whole.len(), af).is_ok_and(|p| p.is_fragment())
}

/// The first byte says which rules; then come packets, one after another.
pub fn packet(data: &[u8]) {
    let mut input = Input(data);
    let site = Site::new();
    let reply = site.load(&ruleset(input.byte()));
    assert_eq!(reply.error, 0, "{reply:?}");
    let templates = templates();
    while !input.0.is_empty() {
        let (op, how) = (input.byte(), input.byte());
        let mut bytes = match usize::from(op & 31) {
            n if n < templates.len() => templates[n].clone(),
            30 => {
                site.later(u64::from(how));
                continue;
            }
            31 => {
                let reply = site.load(&ruleset(how));
                assert_eq!(reply.error, 0, "{reply:?}");
                continue;
            }
            _ => {
                let n = input.byte().into();
                input.some(n)
            }
        };
        input.patch(&mut bytes);
        if how & 1 != 0 {
            mend(&mut bytes);
        }
        if how & 2 != 0 {
            site.kernel.fail_nth(Fault::Any, u64::from(how >> 6) + 1);
        }
        site.kernel.set_split(if how & 4 == 0 {
            Split::None
        } else {
            Split::Each
        });
        let on = if how & 8 == 0 { "wan0" } else { "lan0" };
        let dir = if how & 16 == 0 { Dir::Out } else { Dir::In };
        let was = right(&bytes);
        if let Ok(done) = site.kernel.pfil_run(on, dir, &bytes, 0) {
            let passed = done.passed.iter().all(|p| !was || right(p));
            assert!(passed, "{bytes:02x?} became {:02x?}", done.passed);
            // Fragments that waited come out as they went in; the rest is of its own making.
            for e in done.emitted.iter().filter(|e| !is_fragment(&e.bytes)) {
                assert!(right(&e.bytes), "{bytes:02x?} brought {:02x?}", e.bytes);
            }
        }
        site.kernel.fail_nth(Fault::Any, 0);
    }
    site.end();
}
