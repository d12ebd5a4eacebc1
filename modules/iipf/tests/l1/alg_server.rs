// SPDX-License-Identifier: BSD-2-Clause
//! Helpers for a server behind a redirection, and where only the filter keeps state.

use crate::control::End;
use crate::site::*;
use host::pfiltest::Dir;
use iipf_abi as abi;

const FTP: End = (HOST, 21);
const CLIENT: End = (SERVER, 4000);

/// `rdr on wan0 proto tcp from any to (outside) port 21 -> HOST`, and only that may come in.
fn redirected(nat: bool) -> Site {
    let site = Site::new();
    let mut rules = Rules::default();
    if nat {
        rules.nat(abi::IIPF_FILTER_ADDRESS_PORT, 0);
    }
    rules.rdr(OUTSIDE, 21, HOST).set.alg = abi::IIPF_ALG_FTP;
    let pass = rules.filter(abi::IIPF_ACT_PASS, 1, "wan0");
    pass.m.proto = 6;
    pass.m.flags |= abi::IIPF_M_PROTO;
    pass.m.dport.op = abi::IIPF_PORT_IN;
    (pass.m.dport.lo, pass.m.dport.hi) = (21, 21);
    rules.filter(abi::IIPF_ACT_BLOCK, 0, "wan0");
    let reply = site.load(&rules);
    assert_eq!(reply.error, 0, "{reply:?}");
    site
}

fn opened(site: &Site) {
    let out: End = (OUTSIDE, 21);
    assert_eq!(
        site.back(&tcp(CLIENT, out, (10, 0, SYN), b"")),
        Some(tcp(CLIENT, FTP, (10, 0, SYN), b""))
    );
    assert_eq!(
        site.out(&tcp(FTP, CLIENT, (50, 11, SYN | ACK), b"")),
        Some(tcp(out, CLIENT, (50, 11, SYN | ACK), b""))
    );
    assert!(site.back(&tcp(CLIENT, out, (11, 51, ACK), b"")).is_some());
}

#[test]
fn a_passive_server_behind_a_redirection() {
    for nat in [false, true] {
        let site = redirected(nat);
        opened(&site);
        let said = tcp(
            FTP,
            CLIENT,
            (51, 11, ACK),
            b"227 ok (192,168,1,10,120,1)\r\n",
        );
        let heard = tcp(
            (OUTSIDE, 21),
            CLIENT,
            (51, 11, ACK),
            b"227 ok (203,0,113,1,120,1)\r\n",
        );
        assert_eq!(site.out(&said), Some(heard));
        let syn = |dst| tcp((SERVER, 4001), dst, (1, 0, SYN), b"");
        assert_eq!(
            site.back(&syn((OUTSIDE, 30_721))),
            Some(syn((HOST, 30_721)))
        );
        let back = |src| tcp(src, (SERVER, 4001), (3, 2, SYN | ACK), b"");
        assert_eq!(
            site.out(&back((HOST, 30_721))),
            Some(back((OUTSIDE, 30_721)))
        );
        let other = tcp((SERVER2, 4001), (OUTSIDE, 30_721), (1, 0, SYN), b"");
        assert_eq!(site.back(&other), None);
        site.end();
    }
}

#[test]
fn a_server_that_knows_its_outside_address() {
    let site = redirected(true);
    opened(&site);
    let text = b"227 ok (203,0,113,1,120,1)\r\n";
    let said = tcp(FTP, CLIENT, (51, 11, ACK), text);
    assert_eq!(
        site.out(&said),
        Some(tcp((OUTSIDE, 21), CLIENT, (51, 11, ACK), text))
    );
    let syn = |dst| tcp((SERVER, 4001), dst, (1, 0, SYN), b"");
    assert_eq!(
        site.back(&syn((OUTSIDE, 30_721))),
        Some(syn((HOST, 30_721)))
    );
    site.end();
}

#[test]
fn an_active_client_of_a_redirected_server() {
    let site = redirected(false);
    opened(&site);
    let text = b"PORT 198,51,100,1,20,5\r\n";
    let got = site.back(&tcp(CLIENT, (OUTSIDE, 21), (11, 51, ACK), text));
    assert_eq!(got, Some(tcp(CLIENT, FTP, (11, 51, ACK), text)));
    let syn = |src| tcp(src, (SERVER, 20 * 256 + 5), (1, 0, SYN), b"");
    assert_eq!(site.out(&syn((HOST, 20))), Some(syn((OUTSIDE, 20))));
    let back = |dst| tcp((SERVER, 20 * 256 + 5), dst, (9, 2, SYN | ACK), b"");
    assert_eq!(site.back(&back((OUTSIDE, 20))), Some(back((HOST, 20))));
    site.end();
}

#[test]
fn a_filter_without_translation() {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.filter(abi::IIPF_ACT_PASS, 2, "wan0").set.alg = abi::IIPF_ALG_FTP;
    rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
    assert_eq!(site.load(&rules).error, 0);
    let (client, server): (End, End) = (("2001:db8::1", 4000), ("2001:db8:1::1", 21));
    site.out(&tcp(client, server, (10, 0, SYN), b"")).unwrap();
    site.back(&tcp(server, client, (50, 11, SYN | ACK), b""))
        .unwrap();
    site.out(&tcp(client, server, (11, 51, ACK), b"")).unwrap();
    let said = tcp(
        client,
        server,
        (11, 51, ACK),
        b"EPRT |2|2001:db8::1|5000|\r\n",
    );
    let syn = tcp((server.0, 20), (client.0, 5000), (1, 0, SYN), b"");
    assert_eq!(site.back(&syn), None);
    assert_eq!(site.out(&said).as_ref(), Some(&said));
    let before = site.snapshot();
    assert_eq!(site.run("wan0", Dir::In, &syn).passed.as_ref(), Some(&syn));
    site.snapshot()
        .assert_moved(&before, &[(".state_added", 1), (".states", 1)]);
    site.end();
}
