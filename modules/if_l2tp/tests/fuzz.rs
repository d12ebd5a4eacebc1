// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz targets without a fuzzer: the committed inputs, and a bounded number of mutations of
//! them that are the same each time.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use if_l2tp_abi as abi;
use kabi::IntoBytes;
use testkit::Replay;
use testkit::packet;

const REPLAY: Replay<'_> = Replay {
    folder: env!("CARGO_MANIFEST_DIR"),
    targets: &[
        ("header", targets::header, 200_000),
        ("packet", targets::packet, 10_000),
        ("ioctl", targets::ioctl, 4_000),
    ],
    prefixes: 7,
    noise: 0x6c32_7470,
    joins: true,
    changes: 3,
};

/// The inputs that the corpora begin with, from the packets and requests that are right.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let (frame, cookie) = (packet::tagged(&packet::frame(60), 7), [0xc0; 8]);
    let ids = 0x0101u32..;
    let kinds = [
        (false, 0, None),
        (true, 4, None),
        (false, 8, Some(0)),
        (true, 0, Some(1 << 30)),
    ];
    let wires = kinds.iter().zip(ids).zip(0u8..);
    let messages = wires.map(|((&(udp, n, sublayer), id), wire)| {
        let header = packet::l2tp(udp, id, &cookie[..n], sublayer);
        (wire, udp, [header, frame.clone()].concat())
    });
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    match target {
        "packet" => {
            for (wire, _, message) in messages {
                for (how, faults) in [("whole", 0), ("pieces", 0x34), ("failing", 0x54)] {
                    let data = [&[wire | faults, 1], &message[..]].concat();
                    all.push((format!("receive-{wire}-{how}"), data));
                }
                let data = [&[wire | 0x80, 0], &frame[..]].concat();
                all.push((format!("send-{wire}"), data));
            }
            all.push((
                "control-ip".into(),
                [&[0, 0, 0, 0, 0, 0], &[0xc8, 3, 0, 12][..]].concat(),
            ));
            all.push(("control-udp".into(), vec![1, 0, 0xc8, 3, 0, 12, 0, 0, 0, 1]));
        }
        "header" => {
            for (wire, udp, message) in messages {
                let (a, b) = if wire < 2 {
                    ("192.0.2.1", "192.0.2.2")
                } else {
                    ("::1", "::2")
                };
                let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
                let (proto, payload) = if udp {
                    (packet::UDP, packet::udp((a, 1701), (b, 1701), &message))
                } else {
                    (packet::L2TP, message.clone())
                };
                let ip = packet::ip(a, b, proto, 64, &payload);
                let ethertype = if wire < 2 { 0x0800 } else { 0x86dd };
                let ether = packet::ether(packet::mac(2), packet::mac(1), ethertype, &ip);
                all.push((format!("message-{wire}"), message));
                all.push((format!("ip-{wire}"), ip));
                all.push((format!("udp-{wire}"), payload));
                all.push((format!("tagged-{wire}"), packet::tagged(&ether, 5)));
                all.push((format!("ether-{wire}"), ether));
            }
        }
        "ioctl" => {
            let req = abi::L2tpReq {
                state: abi::L2TP_STATE_UP,
                my_cookie_len: 4,
                my_cookie: 1,
                my_sess_id: 5,
                peer_sess_id: 6,
                ..Default::default()
            };
            let encap = abi::L2tpEncapReq {
                encap: abi::L2TP_ENCAP_UDP,
                my_port: 1701,
                peer_port: 1701,
                ..Default::default()
            };
            // The order of the commands is that of if_commands: each under two numbers.
            let session = [&[0], req.as_bytes()].concat();
            let cookie = [&[4], req.as_bytes()].concat();
            let state = [&[8], req.as_bytes()].concat();
            let encap = [&[12], encap.as_bytes()].concat();
            let mut addrs = [0; 32];
            addrs[..4].copy_from_slice(&[192, 0, 2, 1]);
            addrs[16..20].copy_from_slice(&[192, 0, 2, 2]);
            let tunnel = [&[17, 0], &addrs[..]].concat();
            let whole = [&tunnel[..], &session, &cookie, &state, &[22]].concat();
            all.push(("ip".into(), whole.clone()));
            all.push(("udp".into(), [&encap[..], &whole].concat()));
            let send = [&[26, 60][..], &packet::frame(60), &[30]].concat();
            all.push((
                "send-and-destroy".into(),
                [&whole[..], &send, &[25, 28, 24]].concat(),
            ));
            let second: Vec<u8> = [&[0x80 | 24][..], &[0x80], req.as_bytes()].concat();
            all.push(("duplicate".into(), [&whole[..], &second].concat()));
            all.push((
                "no-memory".into(),
                [&[0x51, 3, 0][..], &addrs, &[0x40, 2]].concat(),
            ));
            all.push(("unknown".into(), vec![16, 1, 2, 3, 4, 40]));
        }
        _ => unreachable!(),
    }
    all
}

#[test]
fn corpora_have_their_seeds() {
    REPLAY.seeds_are_committed(seeds);
}

#[test]
fn committed_inputs_pass() {
    REPLAY.committed_inputs_pass();
}

#[test]
fn mutated_headers() {
    REPLAY.mutations_pass("header");
}

#[test]
fn mutated_packets() {
    REPLAY.mutations_pass("packet");
}

#[test]
fn mutated_ioctls() {
    REPLAY.mutations_pass("ioctl");
}
