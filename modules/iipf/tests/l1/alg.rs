// SPDX-License-Identifier: BSD-2-Clause
//! Helpers: FTP and TFTP.

use crate::control::Control;
use crate::control::End;
use crate::site::*;
use host::ledger::Split;
use host::pfiltest::Dir;
use iipf_abi as abi;

const CLIENT: End = (HOST, 4000);

pub fn site(alg: u32) -> Site {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.nat(abi::IIPF_FILTER_ADDRESS_PORT, 0).set.alg = alg;
    rules.filter(abi::IIPF_ACT_PASS, 2, "wan0");
    rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
    let reply = site.load(&rules);
    assert_eq!(reply.error, 0, "{reply:?}");
    site
}

pub fn ftp(site: &Site) -> Control {
    Control::open(site, CLIENT, (OUTSIDE, 4000), (SERVER, 21))
}

/// The server's data connection to a port of ours arrives at the client's.
#[track_caller]
fn connects(site: &Site, to: u16, port: u16) {
    let syn = |dst: End| tcp((SERVER, 20), dst, (7, 0, SYN), b"");
    assert_eq!(site.back(&syn((OUTSIDE, to))), Some(syn((HOST, port))));
    let back = |src: End| tcp(src, (SERVER, 20), (9, 8, SYN | ACK), b"");
    assert_eq!(site.out(&back((HOST, port))), Some(back((OUTSIDE, to))));
}

#[test]
fn an_active_client_is_told_outside_and_reached() {
    let site = site(abi::IIPF_ALG_FTP);
    let mut c = ftp(&site);
    let before = site.snapshot();
    c.say(
        &site,
        b"PORT 192,168,1,10,20,5\r\n",
        b"PORT 203,0,113,1,20,5\r\n",
    );
    site.snapshot().assert_moved(
        &before,
        &[
            (".passed_state", 1),
            (".alg_events", 2),
            (".map_added", 1),
            (".maps", 1),
        ],
    );
    c.answer(&site, b"200 fine\r\n", b"200 fine\r\n");
    let before = site.snapshot();
    connects(&site, 20 * 256 + 5, 20 * 256 + 5);
    site.snapshot().assert_moved(
        &before,
        &[(".state_added", 1), (".states", 1), (".passed_state", 1)],
    );
    // Once: a second one is a stranger.
    let again = tcp((SERVER, 21_000), (OUTSIDE, 20 * 256 + 5), (7, 0, SYN), b"");
    assert_eq!(site.back(&again), None);
    c.say(&site, b"LIST\r\n", b"LIST\r\n");
    c.say(
        &site,
        b"EPRT |1|192.168.1.10|5126|\r\n",
        b"EPRT |1|203.0.113.1|5126|\r\n",
    );
    c.answer(&site, b"200 fine\r\n", b"200 fine\r\n");
    connects(&site, 5126, 5126);
    site.end();
}

#[test]
fn a_repeated_command_is_changed_in_the_same_way() {
    let site = site(abi::IIPF_ALG_FTP);
    let mut c = ftp(&site);
    let text = b"PORT 192,168,1,10,20,5\r\n";
    let again = (c.said(text), c.heard(b"PORT 203,0,113,1,20,5\r\n"));
    c.say(&site, text, b"PORT 203,0,113,1,20,5\r\n");
    assert_eq!(site.out(&again.0), Some(again.1));
    c.say(&site, b"NOOP\r\n", b"NOOP\r\n");
    c.answer(&site, b"200 fine\r\n", b"200 fine\r\n");
    site.end();
}

#[test]
fn selective_acknowledgements_are_shifted() {
    let site = site(abi::IIPF_ALG_FTP);
    let mut c = ftp(&site);
    c.say(
        &site,
        b"PORT 192,168,1,10,20,5\r\n",
        b"PORT 203,0,113,1,20,5\r\n",
    );
    let sack = |ack: u32, from: u32| {
        let mut o = vec![1, 1, 5, 10];
        o.extend(from.to_be_bytes());
        o.extend((from + 4).to_be_bytes());
        (o, ack)
    };
    let (o, ack) = sack(
        c.c.wrapping_add(c.dc),
        c.c.wrapping_add(c.dc).wrapping_add(10),
    );
    let got = site.back(&tcp_with(
        c.server,
        c.outside,
        (c.s, ack, ACK, 9_000),
        &o,
        b"",
    ));
    let (o, ack) = sack(c.c, c.c + 10);
    assert_eq!(
        got,
        Some(tcp_with(
            c.server,
            c.client,
            (c.s, ack, ACK, 9_000),
            &o,
            b""
        ))
    );
    site.end();
}

#[test]
fn a_command_in_pieces_goes_on_in_one() {
    let text = b"PORT 192,168,1,10,20,5\r\n";
    for n in 1..text.len() {
        let site = site(abi::IIPF_ALG_FTP);
        let mut c = ftp(&site);
        let before = site.snapshot();
        assert_eq!(site.out(&c.said(&text[..n])), None, "{n}");
        site.snapshot()
            .assert_moved(&before, &[(".passed_state", 1), (".alg_held", 1)]);
        let whole = c.heard(b"PORT 203,0,113,1,20,5\r\n");
        let second = tcp(c.client, c.server, (c.c + n as u32, c.s, ACK), &text[n..]);
        assert_eq!(site.out(&second).as_ref(), Some(&whole), "{n}");
        // Lost: the sender repeats what was not acknowledged, from its front or its second piece.
        assert_eq!(site.out(&second).as_ref(), Some(&whole), "{n}");
        assert_eq!(site.out(&c.said(text)).as_ref(), Some(&whole), "{n}");
        c.c += text.len() as u32;
        c.dc = 0u32.wrapping_sub(1);
        c.say(&site, b"NOOP\r\n", b"NOOP\r\n");
        connects(&site, 20 * 256 + 5, 20 * 256 + 5);
        site.end();
    }
}

#[test]
fn a_sender_that_waits_for_an_acknowledgement_gets_one() {
    let site = site(abi::IIPF_ALG_FTP);
    let c = ftp(&site);
    let piece = c.said(b"PORT 192,");
    assert_eq!(site.out(&piece), None);
    let out = site.run("wan0", Dir::Out, &piece);
    assert_eq!(out.passed, None);
    let ack = tcp_with(c.server, c.client, (c.s, c.c + 9, ACK, 8_192), &[], b"");
    assert_eq!(out.emitted.len(), 1);
    assert_eq!(out.emitted[0].bytes, ack);
    let rest = tcp(
        c.client,
        c.server,
        (c.c + 9, c.s, ACK),
        b"168,1,10,20,5\r\n",
    );
    assert_eq!(site.out(&rest), Some(c.heard(b"PORT 203,0,113,1,20,5\r\n")));
    site.end();
}

#[test]
fn a_passive_server_is_connected_to() {
    let site = site(abi::IIPF_ALG_FTP);
    // The filter lets out nothing but control connections.
    let mut rules = Rules::default();
    rules.nat(abi::IIPF_FILTER_ADDRESS_PORT, 0).set.alg = abi::IIPF_ALG_FTP;
    let pass = rules.filter(abi::IIPF_ACT_PASS, 2, "wan0");
    pass.m.proto = 6;
    pass.m.flags |= abi::IIPF_M_PROTO;
    pass.m.dport.op = abi::IIPF_PORT_IN;
    (pass.m.dport.lo, pass.m.dport.hi) = (21, 21);
    rules.filter(abi::IIPF_ACT_BLOCK, 0, "wan0");
    assert_eq!(site.load(&rules).error, 0);
    let mut c = ftp(&site);
    let syn = |src: End, port| tcp(src, (SERVER, port), (5, 0, SYN), b"");
    assert_eq!(site.out(&syn((HOST, 4001), 30_000)), None);
    let text = b"229 Entering Extended Passive Mode (|||30000|)\r\n";
    c.answer(&site, text, text);
    assert_eq!(
        site.out(&syn((HOST, 4001), 30_000)),
        Some(syn((OUTSIDE, 4001), 30_000))
    );
    let text = b"227 Entering Passive Mode (198,51,100,1,120,1).\r\n";
    c.answer(&site, text, text);
    assert_eq!(
        site.out(&syn((HOST, 4002), 30_721)),
        Some(syn((OUTSIDE, 4002), 30_721))
    );
    assert_eq!(site.out(&syn((HOST, 4003), 30_721)), None);
    site.end();
}

#[test]
fn segments_of_any_cut_are_read() {
    for split in (0..64).map(Split::At).chain([Split::Each]) {
        let site = site(abi::IIPF_ALG_FTP);
        site.kernel.set_split(split);
        let mut c = ftp(&site);
        c.say(
            &site,
            b"PORT 192,168,1,10,20,5\r\n",
            b"PORT 203,0,113,1,20,5\r\n",
        );
        c.answer(&site, b"200 fine\r\n", b"200 fine\r\n");
        site.kernel.set_split(Split::None);
        site.end();
    }
}

#[test]
fn tftp_is_answered_from_another_port() {
    let site = site(abi::IIPF_ALG_TFTP);
    let sent = site.out(&udp((HOST, 3000), (SERVER, 69), b"\0\x01file\0octet\0"));
    assert_eq!(
        sent,
        Some(udp((OUTSIDE, 3000), (SERVER, 69), b"\0\x01file\0octet\0"))
    );
    let data = |dst| udp((SERVER, 50_000), dst, b"\0\x03\0\x01hello");
    assert_eq!(site.back(&data((OUTSIDE, 3000))), Some(data((HOST, 3000))));
    let ack = |src| udp(src, (SERVER, 50_000), b"\0\x04\0\x01");
    assert_eq!(site.out(&ack((HOST, 3000))), Some(ack((OUTSIDE, 3000))));
    // Another one, or somebody else: nobody waits for that.
    assert_eq!(
        site.back(&udp((SERVER, 50_001), (OUTSIDE, 3000), b"x")),
        None
    );
    assert_eq!(
        site.back(&udp((SERVER2, 50_000), (OUTSIDE, 3000), b"x")),
        None
    );
    let before = site.snapshot();
    site.out(&udp((HOST, 3000), (SERVER, 69), b"\0\x09file\0octet\0"))
        .unwrap();
    site.snapshot()
        .assert_moved(&before, &[(".passed_state", 1), (".alg_passed", 1)]);
    site.end();
}
