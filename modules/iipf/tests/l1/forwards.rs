// SPDX-License-Identifier: BSD-2-Clause
//! Forwards that programs ask for.

use crate::site::*;
use host::pfiltest::Dir;
use iipf_abi as abi;
use kabi::Name;
use kpi_sys::KPI_EADDRINUSE;
use kpi_sys::KPI_EADDRNOTAVAIL;
use kpi_sys::KPI_EEXIST;
use kpi_sys::KPI_EINVAL;
use kpi_sys::KPI_ENOENT;
use kpi_sys::KPI_ENOSPC;
use kpi_sys::KPI_ENXIO;
use kpi_sys::KPI_EPERM;

fn site() -> Site {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.nat(abi::IIPF_FILTER_ADDRESS_PORT, abi::IIPF_NF_HAIRPIN);
    rules.filter(abi::IIPF_ACT_PASS, 2, "wan0");
    rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
    rules.options.limits[abi::IIPF_LIMIT_FORWARDS] = 3;
    assert_eq!(site.load(&rules).error, 0);
    site
}

fn wanted(outside_port: u16, inside_port: u16) -> abi::ForwardRec {
    abi::ForwardRec {
        ifname: Name::new("wan0").unwrap(),
        inside: net(HOST, HOST).lo,
        outside_port,
        inside_port,
        af: 2,
        proto: 17,
        flags: abi::IIPF_FWD_PASS,
        nonce: [7; 16],
        owner: Name::new("pcpd").unwrap(),
        ..Default::default()
    }
}

fn add(site: &Site, rec: &abi::ForwardRec) -> Result<abi::ForwardRec, i32> {
    site.try_call(&abi::IIPFADDFORWARD, rec)
}

fn list(site: &Site) -> Vec<abi::ForwardRec> {
    let page = site.ask(&abi::IIPFLISTFORWARDS, &abi::Cursor::default());
    assert_eq!(page.cursor, 0);
    page.forwards[..page.count as usize].to_vec()
}

fn inward(site: &Site, from: &str, port: u16) -> Option<Vec<u8>> {
    site.back(&udp((from, 99), (OUTSIDE, port), b"knock"))
}

#[test]
fn a_forward_lets_in_until_its_time_is_over() {
    let site = site();
    assert_eq!(inward(&site, SERVER, 8000), None);
    let made = add(
        &site,
        &abi::ForwardRec {
            lifetime: 30,
            ..wanted(8000, 80)
        },
    )
    .unwrap();
    assert_eq!(
        (made.id, made.outside_port, made.ports, made.lifetime),
        (1, 8000, 1, 30)
    );
    assert_eq!(made.outside, net(OUTSIDE, OUTSIDE).lo);
    let got = inward(&site, SERVER, 8000);
    assert_eq!(got, Some(udp((SERVER, 99), (HOST, 80), b"knock")));
    let answer = site.out(&udp((HOST, 80), (SERVER, 99), b"who?"));
    assert_eq!(answer, Some(udp((OUTSIDE, 8000), (SERVER, 99), b"who?")));
    site.later(10);
    let shown = list(&site)[0];
    assert_eq!(
        (shown.lifetime, shown.packets, shown.nonce),
        (20, 1, [0; 16])
    );
    assert_eq!(site.maps().len(), 0, "it has a list of its own");
    // What has a state goes on; nobody new comes in.
    site.later(25);
    assert_eq!(list(&site).len(), 0);
    assert!(inward(&site, SERVER, 8000).is_some());
    assert_eq!(inward(&site, SERVER2, 8000), None);
    site.end();
}

#[test]
fn the_same_again_is_a_renewal() {
    let site = site();
    let rec = abi::ForwardRec {
        lifetime: 30,
        ..wanted(8000, 80)
    };
    let made = add(&site, &rec).unwrap();
    site.later(20);
    assert_eq!(add(&site, &rec).unwrap().id, made.id);
    assert_eq!(list(&site)[0].lifetime, 30);
    let by_id = abi::ForwardRec {
        id: made.id,
        lifetime: 50,
        nonce: [7; 16],
        ..Default::default()
    };
    assert_eq!(add(&site, &by_id).unwrap().lifetime, 50);
    let other = abi::ForwardRec {
        nonce: [8; 16],
        ..by_id
    };
    assert_eq!(add(&site, &other), Err(KPI_EEXIST as i32));
    assert_eq!(
        add(&site, &abi::ForwardRec { id: 9, ..by_id }),
        Err(KPI_ENOENT as i32)
    );
    let foreign = abi::ForwardRec {
        nonce: [8; 16],
        ..rec
    };
    assert_eq!(add(&site, &foreign), Err(KPI_EEXIST as i32));
    site.later(45);
    assert_eq!(list(&site).len(), 1);
    site.end();
}

#[test]
fn ports_are_chosen_when_they_may_be() {
    let site = site();
    // A mapping has 5000 already.
    site.out(&udp((HOST2, 5000), (SERVER, 53), b"")).unwrap();
    assert_eq!(add(&site, &wanted(5000, 80)), Err(KPI_EADDRINUSE as i32));
    let any = abi::ForwardRec {
        flags: abi::IIPF_FWD_ANY_PORT,
        ..wanted(5000, 80)
    };
    let made = add(&site, &any).unwrap();
    assert!(made.outside_port >= 1024 && made.outside_port != 5000);
    let free = add(&site, &wanted(0, 7777)).unwrap();
    assert_eq!(free.outside_port, 7777, "the inside one is as good as any");
    let range = add(
        &site,
        &abi::ForwardRec {
            ports: 10,
            ..wanted(9000, 100)
        },
    )
    .unwrap();
    assert_eq!((range.outside_port, range.ports), (9000, 10));
    assert_eq!(add(&site, &wanted(6000, 1)), Err(KPI_ENOSPC as i32));
    let got = inward(&site, SERVER, 9009);
    assert_eq!(got, Some(udp((SERVER, 99), (HOST, 109), b"knock")));
    assert_eq!(inward(&site, SERVER, 9010), None);
    site.end();
}

#[test]
fn only_the_remote_prefix_comes_in() {
    let site = site();
    let rec = abi::ForwardRec {
        remote: net("198.51.100.0", "198.51.100.0").lo,
        remote_prefixlen: 31,
        ..wanted(8000, 80)
    };
    add(&site, &rec).unwrap();
    assert!(inward(&site, SERVER, 8000).is_some());
    assert_eq!(inward(&site, SERVER2, 8000), None);
    site.end();
}

#[test]
fn without_pass_the_filter_has_its_say() {
    let site = site();
    add(
        &site,
        &abi::ForwardRec {
            flags: 0,
            ..wanted(8000, 80)
        },
    )
    .unwrap();
    assert_eq!(inward(&site, SERVER, 8000), None);
    site.end();
}

#[test]
fn inside_hosts_use_it_when_they_may() {
    let site = site();
    add(&site, &wanted(8000, 80)).unwrap();
    let knock = udp((HOST2, 600), (OUTSIDE, 8000), b"");
    assert_eq!(
        site.run("lan0", Dir::In, &knock).passed,
        Some(knock.clone())
    );
    site.ask(
        &abi::IIPFDELFORWARD,
        &abi::ForwardDel {
            id: 1,
            kill: 1,
            ..Default::default()
        },
    );
    site.ask(&abi::IIPFKILLSTATES, &Default::default());
    let flags = abi::IIPF_FWD_PASS | abi::IIPF_FWD_HAIRPIN;
    add(
        &site,
        &abi::ForwardRec {
            flags,
            ..wanted(8000, 80)
        },
    )
    .unwrap();
    let turned = site.run("lan0", Dir::In, &knock).passed.unwrap();
    assert_eq!(turned, udp((OUTSIDE, 600), (HOST, 80), b""));
    site.end();
}

#[test]
fn deleting_is_for_its_owner_and_ends_states_when_asked() {
    let site = site();
    let one = add(&site, &wanted(8000, 80)).unwrap();
    add(&site, &wanted(8001, 81)).unwrap();
    inward(&site, SERVER, 8000).unwrap();
    inward(&site, SERVER, 8001).unwrap();
    let del = |id, owner: &str, kill| {
        let owner = Name::new(owner).unwrap();
        site.try_call(
            &abi::IIPFDELFORWARD,
            &abi::ForwardDel {
                id,
                owner,
                kill,
                pad: 0,
            },
        )
    };
    assert_eq!(del(one.id, "upnpd", 0), Err(KPI_EPERM as i32));
    assert_eq!(del(99, "", 0), Err(KPI_ENOENT as i32));
    assert_eq!(del(0, "upnpd", 0), Err(KPI_ENOENT as i32));
    assert_eq!(del(one.id, "pcpd", 2), Err(KPI_EINVAL as i32));
    assert_eq!(del(one.id, "pcpd", 1).unwrap().count, 1);
    assert_eq!(site.states(Default::default()).len(), 1);
    assert_eq!(inward(&site, SERVER, 8000), None);
    // Its port is free at once.
    add(
        &site,
        &abi::ForwardRec {
            nonce: [9; 16],
            ..wanted(8000, 80)
        },
    )
    .unwrap();
    assert_eq!(del(0, "", 0).unwrap().count, 2);
    assert_eq!(list(&site).len(), 0);
    assert!(inward(&site, SERVER, 8001).is_some(), "its state lives");
    assert_eq!(inward(&site, SERVER2, 8001), None);
    site.end();
}

#[test]
fn nonsense_is_refused() {
    let site = site();
    let good = wanted(8000, 80);
    let bad = [
        abi::ForwardRec { af: 3, ..good },
        abi::ForwardRec { proto: 1, ..good },
        abi::ForwardRec {
            inside: [0; 16],
            ..good
        },
        abi::ForwardRec {
            inside: [1; 16],
            ..good
        },
        abi::ForwardRec {
            inside_port: 0,
            ..good
        },
        abi::ForwardRec {
            outside_port: 65_530,
            ports: 7,
            ..good
        },
        abi::ForwardRec {
            remote_prefixlen: 33,
            ..good
        },
        abi::ForwardRec {
            remote: net(SERVER, SERVER).lo,
            remote_prefixlen: 24,
            ..good
        },
        abi::ForwardRec { flags: 8, ..good },
        abi::ForwardRec { pad: 1, ..good },
        abi::ForwardRec {
            lifetime: u32::MAX,
            ..good
        },
    ];
    for rec in bad {
        assert_eq!(add(&site, &rec), Err(KPI_EINVAL as i32), "{rec:?}");
    }
    let nowhere = abi::ForwardRec {
        ifname: Name::new("wan9").unwrap(),
        ..good
    };
    assert_eq!(add(&site, &nowhere), Err(KPI_ENXIO as i32));
    let not_ours = abi::ForwardRec {
        outside: net(SERVER, SERVER).lo,
        ..good
    };
    assert_eq!(add(&site, &not_ours), Err(KPI_EADDRNOTAVAIL as i32));
    assert_eq!(list(&site).len(), 0);
    site.end();
}

#[test]
fn a_hole_in_ipv6_translates_nothing() {
    let site = site();
    let host = net("2001:db8::10", "2001:db8::10").lo;
    let rec = abi::ForwardRec {
        af: 10,
        inside: host,
        outside: host,
        ..wanted(80, 80)
    };
    let knock = udp(("2001:db8:1::1", 99), ("2001:db8::10", 80), b"knock");
    assert_eq!(site.back(&knock), None);
    add(&site, &rec).unwrap();
    assert_eq!(site.back(&knock), Some(knock.clone()));
    site.end();
}
