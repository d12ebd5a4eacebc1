// SPDX-License-Identifier: BSD-2-Clause
//! Helpers, and what is malformed, forbidden, cut or out of order.

use crate::alg::ftp;
use crate::alg::site;
use crate::site::*;
use host::pfiltest::Dir;
use iipf_abi as abi;

#[test]
fn what_follows_a_line_in_pieces_comes_again() {
    let site = site(abi::IIPF_ALG_FTP);
    let mut c = ftp(&site);
    assert_eq!(site.out(&c.said(b"PORT 192,168,1,1")), None);
    // More than is joined: the rest is left to the sender.
    let long = [b'x'; 1_000];
    let second = [&b"0,20,5\r\n"[..], &long].concat();
    let sent = site
        .out(&tcp(c.client, c.server, (c.c + 16, c.s, ACK), &second))
        .unwrap();
    let data = &sent[40..];
    assert!(data.starts_with(b"PORT 203,0,113,1,20,5\r\nxxx") && data.len() < 600);
    assert_eq!(sent, c.heard(data));
    let taken = data.len() + 1;
    c.c += taken as u32;
    c.dc = 0u32.wrapping_sub(1);
    let rest = &long[taken - 24..];
    c.say(&site, rest, rest);
    c.say(&site, b"\r\n", b"\r\n");
    c.say(
        &site,
        b"EPRT |1|192.168.1.10|5126|\r\n",
        b"EPRT |1|203.0.113.1|5126|\r\n",
    );
    site.end();
}

#[test]
fn a_partial_checksum_stays_partial() {
    let site = site(abi::IIPF_ALG_FTP);
    let c = ftp(&site);
    // The field holds the pseudo-header's sum, which has the length.
    let partial = |mut packet: Vec<u8>| {
        let len = (packet.len() - 20) as u16;
        let pseudo = [&packet[12..20], &[0, 6], &len.to_be_bytes()].concat();
        let sum = !testkit::packet::checksum(&[&pseudo]);
        packet[36..38].copy_from_slice(&sum.to_be_bytes());
        packet
    };
    let said = partial(c.said(b"PORT 192,168,1,10,20,5\r\n"));
    let out = site.kernel.pfil_run("wan0", Dir::Out, &said, 1).unwrap();
    assert_eq!(
        out.passed,
        Some(partial(c.heard(b"PORT 203,0,113,1,20,5\r\n")))
    );
    site.end();
}

#[test]
fn a_wrong_checksum_is_left_to_the_receiver() {
    let site = site(abi::IIPF_ALG_FTP);
    let c = ftp(&site);
    let mut said = c.said(b"PORT 192,168,1,10,20,5\r\n");
    said[36] ^= 0x40;
    let before = site.snapshot();
    let sent = site.out(&said).unwrap();
    assert_eq!(&sent[40..], b"PORT 192,168,1,10,20,5\r\n");
    site.snapshot()
        .assert_moved(&before, &[(".passed_state", 1)]);
    site.end();
}

#[test]
fn what_is_not_his_is_refused() {
    for text in [
        &b"PORT 192,168,1,20,20,5\r\n"[..],
        b"PORT 192,168,1,10,0,80\r\n",
        b"PORT 198,51,100,2,20,5\r\n",
        b"EPRT |1|10.0.0.1|5126|\r\n",
        b"EPRT |2|::1|5126|\r\n",
    ] {
        let site = site(abi::IIPF_ALG_FTP);
        let c = ftp(&site);
        let before = site.snapshot();
        assert_eq!(site.out(&c.said(text)), None);
        site.snapshot()
            .assert_moved(&before, &[(".passed_state", 1), (".alg", 1)]);
        site.end();
    }
    let site = site(abi::IIPF_ALG_FTP);
    let c = ftp(&site);
    for text in [
        &b"227 (198,51,100,2,120,1)\r\n"[..],
        b"229 ok (|||1023|)\r\n",
    ] {
        let before = site.snapshot();
        assert_eq!(
            site.back(&tcp(c.server, c.outside, (c.s, c.c, ACK), text)),
            None
        );
        site.snapshot()
            .assert_moved(&before, &[(".passed_state", 1), (".alg", 1)]);
    }
    site.end();
}

#[test]
fn what_cannot_be_read_passes_as_it_is() {
    let site = site(abi::IIPF_ALG_FTP);
    let mut c = ftp(&site);
    for text in [
        &b"PORT 192,168,1,10,20\r\n"[..],
        b"PORT 1,2,3,4,5,6,7\r\n",
        b"PORT 192,168,1,10,0,0\r\n",
        b"EPRT |1|192.168.1.10|99999|\r\n",
        b"EPRT 1\r\n",
    ] {
        let before = site.snapshot();
        c.say(&site, text, text);
        site.snapshot()
            .assert_moved(&before, &[(".passed_state", 1), (".alg_passed", 1)]);
    }
    site.kernel.pfil_if_mtu("wan0", 9_000).unwrap();
    let long = [b'x'; 3_000];
    c.say(&site, &long, &long);
    c.say(&site, b"\r\n", b"\r\n");
    c.say(
        &site,
        b"PORT 192,168,1,10,20,5\r\n",
        b"PORT 203,0,113,1,20,5\r\n",
    );
    site.end();
}

#[test]
fn a_flow_may_wait_for_so_many() {
    let site = site(abi::IIPF_ALG_FTP);
    let mut c = ftp(&site);
    for n in 0..8 {
        let text = format!("EPRT |1|192.168.1.10|{}|\r\n", 5_000 + n);
        let other = format!("EPRT |1|203.0.113.1|{}|\r\n", 5_000 + n);
        c.say(&site, text.as_bytes(), other.as_bytes());
    }
    let before = site.snapshot();
    assert_eq!(site.out(&c.said(b"EPRT |1|192.168.1.10|6000|\r\n")), None);
    let moved = [
        (".passed_state", 1),
        (".alg", 1),
        (".map_added", 1),
        (".maps", 1),
    ];
    site.snapshot().assert_moved(&before, &moved);
    // They end by themselves.
    for _ in 0..62 {
        site.kernel.advance(1_000_000_000);
    }
    c.say(
        &site,
        b"EPRT |1|192.168.1.10|6000|\r\n",
        b"EPRT |1|203.0.113.1|6000|\r\n",
    );
    site.end();
}

#[test]
fn out_of_order_waits() {
    let site = site(abi::IIPF_ALG_FTP);
    let mut c = ftp(&site);
    c.say(&site, b"NOOP\r\n", b"NOOP\r\n");
    let before = site.snapshot();
    let late = tcp(
        c.client,
        c.server,
        (c.c + 6, c.s, ACK),
        b"PORT 192,168,1,10,20,5\r\n",
    );
    assert_eq!(site.out(&late), None);
    site.snapshot()
        .assert_moved(&before, &[(".passed_state", 1), (".alg_order", 1)]);
    c.say(&site, b"NOOP\r\n", b"NOOP\r\n");
    c.say(
        &site,
        b"PORT 192,168,1,10,20,5\r\n",
        b"PORT 203,0,113,1,20,5\r\n",
    );
    site.end();
}
