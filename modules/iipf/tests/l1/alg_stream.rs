// SPDX-License-Identifier: BSD-2-Clause
//! A control stream cut, repeated and lost at random: what the server has put together in the end
//! is what was said, with the endpoints changed.

use crate::alg::ftp;
use crate::alg::site;
use crate::site::*;
use host::pfiltest::Dir;
use iipf_abi as abi;

/// Repeatable random numbers below `n`.
fn below(state: &mut u64, n: usize) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    (*state >> 33) as usize % n
}

fn number(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(packet[at..at + 4].try_into().unwrap())
}

const SAID: [&str; 7] = [
    "USER x\r\n",
    "PORT 192,168,1,10,20,5\r\n",
    "RETR a file of a long name\r\n",
    "EPRT |1|192.168.1.10|5200|\r\n",
    "PORT nonsense\r\n",
    "PORT 192,168,1,10,20,7\r\n",
    "QUIT\r\n",
];

fn heard() -> String {
    let all = SAID.concat().replace("192,168,1,10", "203,0,113,1");
    all.replace("192.168.1.10", "203.0.113.1")
}

fn run(seed: u64) {
    let site = site(abi::IIPF_ALG_FTP);
    let c = ftp(&site);
    let mut rnd = seed;
    let said = SAID.concat().into_bytes();
    let mut stream: Vec<Option<u8>> = vec![None; heard().len()];
    // What the client knows to have arrived, and what it has sent.
    let (mut una, mut nxt) = (0, 0);
    for _ in 0..5_000 {
        if una == said.len() {
            break;
        }
        // One command at a time, as FTP has it.
        let end = una + said[una..].iter().position(|&b| b == b'\n').unwrap() + 1;
        let from = if below(&mut rnd, 3) == 0 {
            una
        } else {
            nxt.clamp(una, end)
        };
        let to = (from + 1 + below(&mut rnd, 12)).min(end);
        if from == to {
            nxt = una;
            continue;
        }
        nxt = nxt.max(to);
        let segment = tcp(
            c.client,
            c.server,
            (c.c + from as u32, c.s, ACK),
            &said[from..to],
        );
        let out = site.run("wan0", Dir::Out, &segment);
        for e in &out.emitted {
            una = una.max((number(&e.bytes, 28) - c.c) as usize);
        }
        let lost = below(&mut rnd, 5) == 0;
        if let Some(passed) = out.passed.filter(|_| !lost) {
            let at = (number(&passed, 24) - c.c) as usize;
            for (slot, &b) in stream[at..].iter_mut().zip(&passed[40..]) {
                assert!(
                    slot.is_none_or(|was| was == b),
                    "seed {seed}: other bytes at {at}"
                );
                *slot = Some(b);
            }
        }
        let got = stream.iter().take_while(|b| b.is_some()).count();
        let ack = tcp(c.server, c.outside, (c.s, c.c + got as u32, ACK), b"");
        if below(&mut rnd, 2) == 0
            && let Some(ack) = site.back(&ack)
        {
            una = una.max((number(&ack, 28) - c.c) as usize);
        }
    }
    assert_eq!(una, said.len(), "seed {seed}: it did not arrive");
    let stream: Vec<u8> = stream.into_iter().map(|b| b.unwrap_or(b'?')).collect();
    assert_eq!(String::from_utf8_lossy(&stream), heard(), "seed {seed}");
    site.end();
}

#[test]
fn the_server_hears_what_was_said() {
    (1..40).for_each(run);
}
