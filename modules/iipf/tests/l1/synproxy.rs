// SPDX-License-Identifier: BSD-2-Clause
//! The handshake with the client first, then with the server.

use crate::control::End;
use crate::site::*;
use host::ledger::Split;
use host::pfiltest::Dir;
use host::pfiltest::Emitted;
use iipf_abi as abi;

const CLIENT: End = (SERVER, 4000);
/// As clients see it, and where it is.
const OUT: End = (OUTSIDE, 80);
const WEB: End = (HOST, 80);
const ISN: u32 = 0xffff_fffe;
const MSS: [u8; 4] = [2, 4, 5, 0xb4];

/// With "flags S/SA", which iipfctl writes.
fn site(mss: u16) -> Site {
    site_with(mss, SYN | ACK)
}

/// A rule about segments whose flags are a SYN's among `mask`.
fn site_with(mss: u16, mask: u8) -> Site {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.rdr(OUTSIDE, 80, HOST);
    let pass = rules.filter(abi::IIPF_ACT_PASS, 1, "wan0");
    pass.state.mode = abi::IIPF_STATE_SYNPROXY;
    pass.set.max_mss = mss;
    pass.m.proto = 6;
    pass.m.flags |= abi::IIPF_M_PROTO;
    (pass.m.tcp_flags, pass.m.tcp_mask) = (SYN & mask, mask);
    rules.filter(abi::IIPF_ACT_BLOCK, 0, "");
    let reply = site.load(&rules);
    assert_eq!(reply.error, 0, "{reply:?}");
    site
}

fn seq(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[24..28].try_into().unwrap())
}

/// What came out, which is all that came out.
#[track_caller]
fn only(dir: Dir, emitted: &[Emitted]) -> Vec<u8> {
    assert_eq!(emitted.len(), 1, "{emitted:?}");
    assert_eq!(emitted[0].dir, dir);
    emitted[0].bytes.clone()
}

fn syn_from(client: End) -> Vec<u8> {
    tcp_with(client, OUT, (ISN, 0, SYN, 1_000), &MSS, b"")
}

/// A SYN: the cookie that answers it.
fn cookie(site: &Site, mss: u16) -> u32 {
    let before = site.snapshot();
    let out = site.run("wan0", Dir::In, &syn_from(CLIENT));
    assert_eq!(out.passed, None);
    let answer = only(Dir::Out, &out.emitted);
    let cookie = seq(&answer);
    let [h, l] = mss.to_be_bytes();
    let expected = (cookie, ISN.wrapping_add(1), SYN | ACK, 0);
    assert_eq!(answer, tcp_with(OUT, CLIENT, expected, &[2, 4, h, l], b""));
    site.snapshot()
        .assert_moved(&before, &[(".synproxy", 1), (".syn_cookies", 1)]);
    cookie
}

fn prove(cookie: u32) -> Vec<u8> {
    let numbers = (ISN.wrapping_add(1), cookie.wrapping_add(1), ACK, 2_000);
    tcp_with(CLIENT, OUT, numbers, &[], b"")
}

/// The SYN that the server gets.
fn syn(mss: u16) -> Vec<u8> {
    let [h, l] = mss.to_be_bytes();
    tcp_with(CLIENT, WEB, (ISN, 0, SYN, 2_000), &[2, 4, h, l], b"")
}

const S: u32 = 5_000;

/// Both handshakes; the cookie.
fn open(site: &Site) -> u32 {
    let cookie = cookie(site, 1_460);
    let before = site.snapshot();
    let out = site.run("wan0", Dir::In, &prove(cookie));
    assert_eq!(out.passed, None);
    assert_eq!(only(Dir::In, &out.emitted), syn(1_460));
    site.snapshot().assert_moved(
        &before,
        &[(".synproxy", 1), (".state_added", 1), (".states", 1)],
    );
    let before = site.snapshot();
    let isn = ISN.wrapping_add(1);
    let answer = tcp_with(WEB, CLIENT, (S, isn, SYN | ACK, 3_000), &MSS, b"");
    let out = site.run("wan0", Dir::Out, &answer);
    assert_eq!(out.passed, None);
    assert_eq!(out.emitted.len(), 2);
    let ack = tcp_with(CLIENT, WEB, (isn, S + 1, ACK, 2_000), &[], b"");
    assert_eq!((out.emitted[0].dir, &out.emitted[0].bytes), (Dir::In, &ack));
    let update = tcp_with(
        OUT,
        CLIENT,
        (cookie.wrapping_add(1), isn, ACK, 3_000),
        &[],
        b"",
    );
    assert_eq!(
        (out.emitted[1].dir, &out.emitted[1].bytes),
        (Dir::Out, &update)
    );
    site.snapshot()
        .assert_moved(&before, &[(".synproxy", 1), (".syn_proxied", 1)]);
    cookie
}

#[test]
fn both_ends_agree_in_the_end() {
    for split in [Split::None, Split::Each, Split::At(20), Split::At(33)] {
        let site = site(0);
        site.kernel.set_split(split);
        let cookie = open(&site);
        let (c, s) = (ISN.wrapping_add(1), cookie.wrapping_add(1));
        let got = site.back(&tcp(CLIENT, OUT, (c, s, ACK), b"GET /"));
        assert_eq!(got, Some(tcp(CLIENT, WEB, (c, S + 1, ACK), b"GET /")));
        let sent = site.out(&tcp(WEB, CLIENT, (S + 1, c.wrapping_add(5), ACK), b"hello"));
        assert_eq!(
            sent,
            Some(tcp(OUT, CLIENT, (s, c.wrapping_add(5), ACK), b"hello"))
        );
        let got = site.back(&tcp(
            CLIENT,
            OUT,
            (c.wrapping_add(5), s.wrapping_add(5), FIN | ACK),
            b"",
        ));
        assert_eq!(
            got,
            Some(tcp(CLIENT, WEB, (c.wrapping_add(5), S + 6, FIN | ACK), b""))
        );
        // Out of the window, in anybody's numbers.
        let before = site.snapshot();
        assert_eq!(
            site.back(&tcp(CLIENT, OUT, (c.wrapping_add(70_000), s, ACK), b"x")),
            None
        );
        site.snapshot().assert_moved(&before, &[(".bad_state", 1)]);
        site.kernel.set_split(Split::None);
        site.end();
    }
}

#[test]
fn nothing_is_kept_of_a_flood() {
    let site = site(0);
    let before = site.snapshot();
    for n in 0..200 {
        let out = site.run("wan0", Dir::In, &syn_from((SERVER2, 1_000 + n)));
        assert_eq!(out.emitted.len(), 1);
    }
    site.snapshot()
        .assert_moved(&before, &[(".synproxy", 200), (".syn_cookies", 200)]);
    site.end();
}

#[test]
fn a_cookie_of_ours_and_no_other() {
    // What is no answer is not what the rule is about, unless it is about all.
    no_other(site_with(0, SYN | ACK), ".blocked");
    no_other(site_with(0, 0), ".bad_state");
}

fn no_other(site: Site, reason: &str) {
    let cookie = cookie(&site, 1_460);
    for wrong in [cookie ^ 1, cookie ^ 0x10, cookie.wrapping_add(1), 0] {
        let before = site.snapshot();
        let out = site.run("wan0", Dir::In, &prove(wrong));
        assert_eq!((out.passed, out.emitted), (None, vec![]));
        site.snapshot().assert_moved(&before, &[(reason, 1)]);
    }
    for (from, flags) in [
        ((SERVER, 4_001), ACK),
        (CLIENT, ACK | FIN),
        (CLIENT, RST | ACK),
    ] {
        let numbers = (ISN.wrapping_add(1), cookie.wrapping_add(1), flags);
        let out = site.run("wan0", Dir::In, &tcp(from, OUT, numbers, b""));
        assert_eq!((out.passed, out.emitted), (None, vec![]));
    }
    // It holds for the next minute, and not for ever.
    for _ in 0..64 {
        site.kernel.advance(1_000_000_000);
    }
    assert_eq!(site.run("wan0", Dir::In, &prove(cookie)).emitted.len(), 1);
    site.end();
}

#[test]
fn an_old_cookie_is_worth_nothing() {
    let site = site(0);
    let cookie = cookie(&site, 1_460);
    for _ in 0..130 {
        site.kernel.advance(1_000_000_000);
    }
    let before = site.snapshot();
    assert_eq!(site.run("wan0", Dir::In, &prove(cookie)).emitted, vec![]);
    site.snapshot().assert_moved(&before, &[(".blocked", 1)]);
    site.end();
}

#[test]
fn the_segment_size_is_the_smallest_of_all() {
    let site = site(1_400);
    let cookie = cookie(&site, 1_400);
    let out = site.run("wan0", Dir::In, &prove(cookie));
    assert_eq!(only(Dir::In, &out.emitted), syn(1_400));
    site.end();
}

#[test]
fn a_lost_syn_is_sent_again() {
    let site = site(0);
    let cookie = cookie(&site, 1_460);
    site.run("wan0", Dir::In, &prove(cookie));
    let before = site.snapshot();
    let out = site.run("wan0", Dir::In, &prove(cookie));
    assert_eq!(out.passed, None);
    assert_eq!(only(Dir::In, &out.emitted), syn(1_460));
    site.snapshot().assert_moved(&before, &[(".synproxy", 1)]);
    site.end();
}

#[test]
fn a_server_that_refuses_is_heard() {
    let site = site(0);
    let cookie = cookie(&site, 1_460);
    site.run("wan0", Dir::In, &prove(cookie));
    let isn = ISN.wrapping_add(1);
    let before = site.snapshot();
    let out = site.run(
        "wan0",
        Dir::Out,
        &tcp(WEB, CLIENT, (0, isn, RST | ACK), b""),
    );
    assert_eq!(out.passed, None);
    let reset = tcp_with(
        OUT,
        CLIENT,
        (cookie.wrapping_add(1), isn, RST | ACK, 0),
        &[],
        b"",
    );
    assert_eq!(only(Dir::Out, &out.emitted), reset);
    site.snapshot()
        .assert_moved(&before, &[(".synproxy", 1), (".resets", 1)]);
    site.end();
}

#[test]
fn an_answer_to_another_syn_is_dropped() {
    let site = site(0);
    let cookie = cookie(&site, 1_460);
    site.run("wan0", Dir::In, &prove(cookie));
    let before = site.snapshot();
    let out = site.run("wan0", Dir::Out, &tcp(WEB, CLIENT, (S, 77, SYN | ACK), b""));
    assert_eq!((out.passed, out.emitted), (None, vec![]));
    site.snapshot().assert_moved(&before, &[(".bad_state", 1)]);
    site.end();
}

/// "Fragmentation needed" about a packet.
fn too_big(about: &[u8], to: &str) -> Vec<u8> {
    let mut b = vec![3, 4, 0, 0, 0, 0, 0x05, 0x14];
    b.extend(about);
    let sum = testkit::packet::checksum(&[&b]);
    b[2..4].copy_from_slice(&sum.to_be_bytes());
    testkit::packet::ip(ip(SERVER2), ip(to), 1, 64, &b)
}

#[test]
fn an_error_speaks_in_the_server_s_numbers() {
    let site = site(0);
    let cookie = open(&site);
    let (c, s) = (ISN.wrapping_add(1), cookie.wrapping_add(1));
    let data = |src: End, seq: u32| tcp(src, CLIENT, (seq, c, ACK), b"0123456789");
    let sent = data(OUT, s);
    assert_eq!(site.out(&data(WEB, S + 1)).as_ref(), Some(&sent));
    let before = site.snapshot();
    let got = site.back(&too_big(&sent, OUTSIDE));
    assert_eq!(got, Some(too_big(&data(WEB, S + 1), HOST)));
    site.snapshot()
        .assert_moved(&before, &[(".icmp_errors", 1), (".passed_state", 1)]);
    // In other numbers it is somebody's guess.
    let before = site.snapshot();
    assert_eq!(
        site.back(&too_big(&data(OUT, s.wrapping_add(1_000_000)), OUTSIDE)),
        None
    );
    site.snapshot()
        .assert_moved(&before, &[(".icmp_unmatched", 1)]);
    site.end();
}

#[test]
fn a_shifted_connection_moves_to_another_kernel() {
    let old = site(0);
    let cookie = open(&old);
    let mut states = old.export();
    assert_eq!(states.count, 1);
    old.end();
    let site = site(0);
    assert_eq!(site.import(&mut states).taken, 1);
    let (c, s) = (ISN.wrapping_add(1), cookie.wrapping_add(1));
    let got = site.back(&tcp(CLIENT, OUT, (c, s, ACK), b"GET /"));
    assert_eq!(got, Some(tcp(CLIENT, WEB, (c, S + 1, ACK), b"GET /")));
    let sent = site.out(&tcp(WEB, CLIENT, (S + 1, c.wrapping_add(5), ACK), b"hello"));
    assert_eq!(
        sent,
        Some(tcp(OUT, CLIENT, (s, c.wrapping_add(5), ACK), b"hello"))
    );
    site.end();
}
