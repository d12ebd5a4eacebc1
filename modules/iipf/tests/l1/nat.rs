// SPDX-License-Identifier: BSD-2-Clause
//! Translation.

use crate::site::*;
use host::pfiltest::Dir;
use iipf_abi as abi;

fn natted(filtering: u8) -> Site {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.nat(filtering, abi::IIPF_NF_HAIRPIN);
    rules.filter(abi::IIPF_ACT_PASS, 2, "wan0");
    rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
    let reply = site.load(&rules);
    assert_eq!(reply.error, 0, "{reply:?}");
    site
}

#[test]
fn udp_goes_out_and_comes_back() {
    let site = natted(abi::IIPF_FILTER_ADDRESS_PORT);
    let sent = site.out(&udp((HOST, 5000), (SERVER, 53), b"query"));
    assert_eq!(sent, Some(udp((OUTSIDE, 5000), (SERVER, 53), b"query")));
    let got = site.back(&udp((SERVER, 53), (OUTSIDE, 5000), b"reply"));
    assert_eq!(got, Some(udp((SERVER, 53), (HOST, 5000), b"reply")));
    assert_eq!(site.back(&udp((SERVER2, 53), (OUTSIDE, 5000), b"x")), None);
    assert_eq!(site.back(&udp((SERVER, 54), (OUTSIDE, 5000), b"x")), None);
    site.end();
}

#[test]
fn the_mapping_is_endpoint_independent() {
    let site = natted(abi::IIPF_FILTER_ENDPOINT);
    site.out(&udp((HOST2, 5000), (SERVER, 53), b"")).unwrap();
    let first = site.out(&udp((HOST, 5000), (SERVER, 53), b"")).unwrap();
    let port = u16::from_be_bytes([first[20], first[21]]);
    assert_ne!(port, 5000, "it is the other host's");
    assert_eq!(port & 1, 0, "parity is kept");
    let second = site.out(&udp((HOST, 5000), (SERVER2, 99), b"")).unwrap();
    assert_eq!(second, udp((OUTSIDE, port), (SERVER2, 99), b""));
    let stranger = site.back(&udp((SERVER2, 7), (OUTSIDE, port), b"hi"));
    // The filter still has its say: it blocks what comes in.
    assert_eq!(stranger, None);
    site.end();
}

#[test]
fn what_does_not_fit_the_way_out_is_told_its_sender() {
    let site = natted(abi::IIPF_FILTER_ENDPOINT);
    // The interface has an MTU of 1,500, and the packet may not be cut. As NetBSD shows it, its
    // header has no right sum yet.
    let mut large = udp((HOST, 5000), (SERVER, 53), &[0; 1_473]);
    assert_eq!(large.len(), 1_501);
    let header = large[..20].to_vec();
    large[10] ^= 0x10;
    let out = site.run("wan0", Dir::Out, &large);
    assert_eq!(out.passed, None);
    assert_eq!(out.emitted.len(), 1, "{:?}", out.emitted);
    let told = &out.emitted[0];
    assert_eq!(told.dir, Dir::In);
    assert_eq!(told.bytes[20..22], [3, 4], "fragmentation needed");
    assert_eq!(told.bytes[26..28], 1_500u16.to_be_bytes());
    assert_eq!(told.bytes[28..48], header, "as its sender sent it");
    assert_eq!(told.bytes[16..20], header[12..16], "to the sender");
    assert_eq!(told.bytes[12..16], [192, 168, 1, 1], "from his router");
    // A card cuts that.
    let flags = kpi_sys::KPI_PFILF_GSO;
    let cut = site.kernel.pfil_run("wan0", Dir::Out, &large, flags);
    assert!(cut.unwrap().passed.is_some());
    // That may be cut, and that fits.
    large[6] = 0;
    assert!(site.out(&large).is_some());
    let fits = udp((HOST, 5000), (SERVER, 53), &[0; 1_472]);
    assert!(site.out(&fits).is_some());
    site.end();
}

#[test]
fn hosts_meet_by_their_outside_addresses() {
    let site = natted(abi::IIPF_FILTER_ENDPOINT);
    let mut rules = Rules::default();
    rules.nat(abi::IIPF_FILTER_ENDPOINT, abi::IIPF_NF_HAIRPIN);
    rules.filter(abi::IIPF_ACT_PASS, 0, "");
    assert_eq!(site.load(&rules).error, 0);
    site.out(&udp((HOST, 5000), (SERVER, 53), b"")).unwrap();
    let turned = site.run(
        "lan0",
        Dir::In,
        &udp((HOST2, 6000), (OUTSIDE, 5000), b"hello"),
    );
    assert_eq!(
        turned.passed,
        Some(udp((OUTSIDE, 6000), (HOST, 5000), b"hello"))
    );
    let out = site.run(
        "lan0",
        Dir::Out,
        &udp((OUTSIDE, 6000), (HOST, 5000), b"hello"),
    );
    assert_eq!(
        out.passed,
        Some(udp((OUTSIDE, 6000), (HOST, 5000), b"hello"))
    );
    let back = site.run(
        "lan0",
        Dir::In,
        &udp((HOST, 5000), (OUTSIDE, 6000), b"yes?"),
    );
    assert_eq!(
        back.passed,
        Some(udp((OUTSIDE, 5000), (HOST2, 6000), b"yes?"))
    );
    let out = site.run(
        "lan0",
        Dir::Out,
        &udp((OUTSIDE, 5000), (HOST2, 6000), b"yes?"),
    );
    assert_eq!(
        out.passed,
        Some(udp((OUTSIDE, 5000), (HOST2, 6000), b"yes?"))
    );
    site.end();
}
