// SPDX-License-Identifier: BSD-2-Clause
//! PPTP, and tunnels that nobody announces.

use crate::control::Control;
use crate::control::End;
use crate::site::*;
use iipf_abi as abi;

fn site(alg: u32) -> Site {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.nat(abi::IIPF_FILTER_ADDRESS_PORT, 0).set.alg = alg;
    rules.filter(abi::IIPF_ACT_PASS, 2, "wan0");
    rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
    assert_eq!(site.load(&rules).error, 0);
    site
}

/// GRE as PPTP has it (RFC 2637, 4.1).
fn gre(src: &str, dst: &str, call: u16, data: &[u8]) -> Vec<u8> {
    let mut b = vec![0x30, 0x01, 0x88, 0x0b];
    b.extend((data.len() as u16).to_be_bytes());
    b.extend(call.to_be_bytes());
    b.extend(7u32.to_be_bytes());
    b.extend(data);
    testkit::packet::ip(ip(src), ip(dst), 47, 64, &b)
}

fn esp(src: &str, dst: &str, spi: u32) -> Vec<u8> {
    let body = [&spi.to_be_bytes()[..], &[0, 0, 0, 1], &[0xaa; 32]].concat();
    testkit::packet::ip(ip(src), ip(dst), 50, 64, &body)
}

fn message(kind: u16, len: u16, rest: &[u8]) -> Vec<u8> {
    let mut b = len.to_be_bytes().to_vec();
    b.extend([0, 1, 0x1a, 0x2b, 0x3c, 0x4d]);
    b.extend(kind.to_be_bytes());
    b.extend([0, 0]);
    b.extend(rest);
    b.resize(usize::from(len), 0);
    b
}

fn request(own: u16) -> Vec<u8> {
    message(7, 168, &own.to_be_bytes())
}

fn reply(own: u16, peer: u16) -> Vec<u8> {
    message(
        8,
        32,
        &[own.to_be_bytes(), peer.to_be_bytes(), [1, 0]].concat(),
    )
}

fn pptp(site: &Site, client: End, outside: End) -> Control {
    Control::open(site, client, outside, (SERVER, 1723))
}

#[test]
fn pptp_calls_of_two_hosts_are_told_apart() {
    let site = site(abi::IIPF_ALG_PPTP);
    let mut a = pptp(&site, (HOST, 4000), (OUTSIDE, 4000));
    let mut b = pptp(&site, (HOST2, 4001), (OUTSIDE, 4001));
    a.say(&site, &request(5), &request(5));
    a.answer(&site, &reply(70, 5), &reply(70, 5));
    // The other host's call has the same id, and is another one outside.
    let sent = site.out(&b.said(&request(5))).unwrap();
    let outside = u16::from_be_bytes([sent[40 + 12], sent[40 + 13]]);
    assert_ne!(outside, 5);
    assert_eq!(sent, b.heard(&request(outside)));
    b.c += 168;
    b.answer(&site, &reply(71, outside), &reply(71, 5));
    for (host, peer, id) in [(HOST, 70, 5), (HOST2, 71, outside)] {
        let up = site.out(&gre(host, SERVER, peer, b"up"));
        assert_eq!(up, Some(gre(OUTSIDE, SERVER, peer, b"up")));
        let down = site.back(&gre(SERVER, OUTSIDE, id, b"down"));
        assert_eq!(down, Some(gre(SERVER, host, 5, b"down")));
    }
    // Further packets have their states by now.
    for (host, id) in [(HOST2, outside), (HOST, 5)] {
        let before = site.snapshot();
        let down = site.back(&gre(SERVER, OUTSIDE, id, b"more"));
        assert_eq!(down, Some(gre(SERVER, host, 5, b"more")));
        site.snapshot()
            .assert_moved(&before, &[(".passed_state", 1)]);
    }
    // Set-Link-Info from the server names the client's id; Call-Clear from the client its own.
    b.answer(
        &site,
        &message(15, 24, &outside.to_be_bytes()),
        &message(15, 24, &5u16.to_be_bytes()),
    );
    b.say(
        &site,
        &message(12, 16, &5u16.to_be_bytes()),
        &message(12, 16, &outside.to_be_bytes()),
    );
    site.end();
}

#[test]
fn what_is_not_pptp_passes() {
    let site = site(abi::IIPF_ALG_PPTP);
    let mut a = pptp(&site, (HOST, 4000), (OUTSIDE, 4000));
    for text in [&b"hello"[..], &request(5)[..100], &message(99, 16, b"")] {
        let before = site.snapshot();
        a.say(&site, text, text);
        site.snapshot()
            .assert_moved(&before, &[(".passed_state", 1), (".alg_passed", 1)]);
    }
    // Calls without end are refused.
    for n in 0..8 {
        a.say(&site, &request(n + 1), &request(n + 1));
    }
    let before = site.snapshot();
    assert_eq!(site.out(&a.said(&request(100))), None);
    site.snapshot()
        .assert_moved(&before, &[(".passed_state", 1), (".alg", 1)]);
    site.end();
}

#[test]
fn esp_of_two_hosts_to_one_peer_is_told_apart() {
    let site = site(0);
    assert_eq!(
        site.back(&esp(SERVER, OUTSIDE, 0x5000)),
        None,
        "nobody has spoken"
    );
    assert_eq!(
        site.out(&esp(HOST, SERVER, 0x1000)),
        Some(esp(OUTSIDE, SERVER, 0x1000))
    );
    assert_eq!(
        site.back(&esp(SERVER, OUTSIDE, 0x5000)),
        Some(esp(SERVER, HOST, 0x5000))
    );
    // One host alone: a new SPI is its too.
    assert_eq!(
        site.back(&esp(SERVER, OUTSIDE, 0x5001)),
        Some(esp(SERVER, HOST, 0x5001))
    );
    assert_eq!(
        site.out(&esp(HOST2, SERVER, 0x2000)),
        Some(esp(OUTSIDE, SERVER, 0x2000))
    );
    assert_eq!(
        site.back(&esp(SERVER, OUTSIDE, 0x6000)),
        Some(esp(SERVER, HOST2, 0x6000))
    );
    // From now on nobody knows whose a new one is.
    assert_eq!(site.back(&esp(SERVER, OUTSIDE, 0x7000)), None);
    for (spi, host) in [(0x5000, HOST), (0x6000, HOST2), (0x5001, HOST)] {
        let before = site.snapshot();
        assert_eq!(
            site.back(&esp(SERVER, OUTSIDE, spi)),
            Some(esp(SERVER, host, spi))
        );
        site.snapshot()
            .assert_moved(&before, &[(".passed_state", 1)]);
    }
    assert_eq!(
        site.out(&esp(HOST, SERVER, 0x1000)),
        Some(esp(OUTSIDE, SERVER, 0x1000))
    );
    assert_eq!(
        site.back(&esp(SERVER2, OUTSIDE, 0x5000)),
        None,
        "another peer"
    );
    site.end();
}

#[test]
fn gre_without_a_helper_goes_by_call_ids() {
    let site = site(0);
    let up = |host, call| site.out(&gre(host, SERVER, call, b"x"));
    assert_eq!(up(HOST, 10), Some(gre(OUTSIDE, SERVER, 10, b"x")));
    let down = |call| site.back(&gre(SERVER, OUTSIDE, call, b"y"));
    assert_eq!(down(1), Some(gre(SERVER, HOST, 1, b"y")));
    assert_eq!(up(HOST2, 11), Some(gre(OUTSIDE, SERVER, 11, b"x")));
    assert_eq!(down(2), Some(gre(SERVER, HOST2, 2, b"y")));
    assert_eq!(down(1), Some(gre(SERVER, HOST, 1, b"y")));
    // The same id of the peer's by two hosts: one of them.
    let before = site.snapshot();
    assert_eq!(up(HOST2, 10), None);
    site.snapshot().assert_moved(&before, &[(".nat_clash", 1)]);
    site.end();
}
