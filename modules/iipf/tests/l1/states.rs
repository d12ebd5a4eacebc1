// SPDX-License-Identifier: BSD-2-Clause
//! States: listed, picked, ended, found stale; status and counts of rules.

use crate::site::*;
use iipf_abi as abi;
use kabi::Name;
use kpi_sys::KPI_EINVAL;

fn site() -> Site {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.nat(abi::IIPF_FILTER_ENDPOINT, 0);
    rules.filter(abi::IIPF_ACT_PASS, 2, "wan0");
    rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
    assert_eq!(site.load(&rules).error, 0);
    site
}

fn bytes(s: &str) -> [u8; 16] {
    net(s, s).lo
}

fn refused<T: std::fmt::Debug>(what: Result<T, i32>, errno: u32) {
    assert_eq!(what.map(|_| ()), Err(errno as i32));
}

#[test]
fn a_state_is_shown_from_the_inside() {
    let site = site();
    site.out(&udp((HOST, 5000), (SERVER, 53), b"query"))
        .unwrap();
    site.back(&udp((SERVER, 53), (OUTSIDE, 5000), b"reply!"))
        .unwrap();
    site.later(10);
    let all = site.states(Default::default());
    let [st] = all[..] else { panic!("{all:?}") };
    assert_eq!((st.src.addr, st.src.port), (bytes(HOST), 5000));
    assert_eq!((st.nat_src.addr, st.nat_src.port), (bytes(OUTSIDE), 5000));
    assert_eq!((st.dst.addr, st.dst.port), (bytes(SERVER), 53));
    assert_eq!(st.dst, st.nat_dst);
    assert_eq!((st.rule, st.nat_rule), (2, 1));
    assert_eq!((st.packets, st.bytes), ([1, 1], [33, 34]));
    assert_eq!((st.age, st.expires), (10, 290));
    assert_eq!(
        (st.flags, st.dir, st.af, st.proto),
        (abi::IIPF_ST_NAT, 2, 2, 17)
    );
    assert_eq!(st.peer, [abi::IIPF_PEER_SINGLE; 2]);
    site.end();
}

#[test]
fn each_flag_of_a_filter_picks() {
    let site = site();
    site.out(&udp((HOST, 5000), (SERVER, 53), b"")).unwrap();
    site.out(&udp((HOST2, 6000), (SERVER2, 53), b"")).unwrap();
    let all = site.states(Default::default());
    assert_eq!(all.len(), 2);
    let id = all[0].id;
    let f = abi::StateFilter {
        af: 2,
        ..Default::default()
    };
    let wan = Name::new("wan0").unwrap();
    let lan = Name::new("lan0").unwrap();
    let src = |s: &str, bits: u8| abi::StateFilter {
        flags: abi::IIPF_STF_SRC,
        src: bytes(s),
        src_prefixlen: bits,
        ..f
    };
    let flag = |flags: u32| abi::StateFilter { flags, ..f };
    let cases = [
        (src(HOST, 32), 1),
        (src("192.168.1.0", 24), 2),
        (src(OUTSIDE, 32), 2),
        (src(SERVER, 32), 0),
        (
            abi::StateFilter {
                flags: abi::IIPF_STF_SRC | abi::IIPF_STF_EITHER,
                ..src(SERVER, 32)
            },
            1,
        ),
        (
            abi::StateFilter {
                flags: abi::IIPF_STF_DST,
                dst: bytes(SERVER2),
                dst_prefixlen: 32,
                ..f
            },
            1,
        ),
        (abi::StateFilter { sport: 6000, ..f }, 1),
        (abi::StateFilter { dport: 53, ..f }, 2),
        (abi::StateFilter { af: 10, ..f }, 0),
        (
            abi::StateFilter {
                proto: 17,
                ..flag(abi::IIPF_STF_PROTO)
            },
            2,
        ),
        (
            abi::StateFilter {
                proto: 6,
                ..flag(abi::IIPF_STF_PROTO)
            },
            0,
        ),
        (
            abi::StateFilter {
                id,
                ..flag(abi::IIPF_STF_ID)
            },
            1,
        ),
        (
            abi::StateFilter {
                id: id ^ (1 << 63),
                af: 0,
                ..flag(abi::IIPF_STF_ID)
            },
            0,
        ),
        (
            abi::StateFilter {
                rule: 1,
                ..flag(abi::IIPF_STF_RULE)
            },
            2,
        ),
        (
            abi::StateFilter {
                rule: 2,
                ..flag(abi::IIPF_STF_RULE)
            },
            2,
        ),
        (
            abi::StateFilter {
                rule: 3,
                ..flag(abi::IIPF_STF_RULE)
            },
            0,
        ),
        (
            abi::StateFilter {
                ifname: wan,
                ..flag(abi::IIPF_STF_IF)
            },
            2,
        ),
        (
            abi::StateFilter {
                ifname: lan,
                ..flag(abi::IIPF_STF_IF)
            },
            0,
        ),
        (
            abi::StateFilter {
                mark: 1,
                ..flag(abi::IIPF_STF_MARK)
            },
            0,
        ),
        (
            abi::StateFilter {
                mark: 0,
                ..flag(abi::IIPF_STF_MARK)
            },
            2,
        ),
        (flag(abi::IIPF_STF_STALE), 0),
        (flag(abi::IIPF_STF_NAT), 2),
        (flag(abi::IIPF_STF_LABEL), 0),
    ];
    for (filter, n) in cases {
        assert_eq!(site.states(filter).len(), n, "{filter:?}");
    }
    let one = abi::StateFilter {
        id,
        ..flag(abi::IIPF_STF_ID)
    };
    assert_eq!(site.ask(&abi::IIPFKILLSTATES, &one).count, 1);
    assert_eq!(site.ask(&abi::IIPFKILLSTATES, &one).count, 0);
    assert_eq!(site.states(f).len(), 1);
    assert_eq!(site.ask(&abi::IIPFKILLSTATES, &Default::default()).count, 1);
    site.end();
}

#[test]
fn a_bad_filter_is_refused() {
    let site = site();
    let bad = [
        abi::StateFilter {
            flags: 0x800,
            ..Default::default()
        },
        abi::StateFilter {
            af: 3,
            ..Default::default()
        },
        abi::StateFilter {
            flags: abi::IIPF_STF_SRC,
            ..Default::default()
        },
        abi::StateFilter {
            af: 2,
            src_prefixlen: 33,
            ..Default::default()
        },
        abi::StateFilter {
            af: 10,
            dst_prefixlen: 129,
            ..Default::default()
        },
    ];
    for filter in bad {
        refused(site.try_call(&abi::IIPFKILLSTATES, &filter), KPI_EINVAL);
        let rq = abi::StateListReq { cursor: 0, filter };
        refused(
            site.try_call(&abi::IIPFLISTSTATES, &rq).map(|r| r.count),
            KPI_EINVAL,
        );
    }
    let rq = abi::StateListReq {
        cursor: u64::MAX,
        ..Default::default()
    };
    refused(
        site.try_call(&abi::IIPFLISTSTATES, &rq).map(|r| r.count),
        KPI_EINVAL,
    );
    site.end();
}

#[test]
fn many_states_come_in_pages_each_once() {
    let site = site();
    for port in 0..300 {
        site.out(&udp((HOST, 10_000 + port), (SERVER, 53), b""))
            .unwrap();
    }
    let mut ports: Vec<u16> = site
        .states(Default::default())
        .iter()
        .map(|s| s.src.port)
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, (10_000..10_300).collect::<Vec<_>>());
    let maps = site.maps();
    assert_eq!(maps.len(), 300);
    assert!(
        maps.iter()
            .all(|m| m.states == 1 && m.kind == abi::IIPF_MAP_DYNAMIC && m.rule == 1)
    );
    site.end();
}

#[test]
fn status_says_how_it_is() {
    let site = site();
    site.out(&udp((HOST, 5000), (SERVER, 53), b"")).unwrap();
    site.back(&udp((SERVER2, 53), (OUTSIDE, 9), b""));
    site.later(5);
    let st = site.ask(&abi::IIPFSTATUS, &());
    assert_eq!(
        (st.version, st.enabled, st.generation, st.loaded),
        (1, 1, 1, 5)
    );
    assert_eq!(st.used[abi::IIPF_LIMIT_STATES], 1);
    assert_eq!(st.used[abi::IIPF_LIMIT_MAPPINGS], 1);
    assert_eq!(st.used[abi::IIPF_LIMIT_RULES], 3);
    assert_eq!(st.limits[abi::IIPF_LIMIT_STATES], 65_536);
    assert_eq!((st.inserted, st.removed, st.dropped), (1, 0, 1));
    assert_eq!(st.timeouts.values[abi::IIPF_TM_TCP_ESTABLISHED], 7_440);
    assert!(st.state_memory > 0 && st.rules_memory > 0);
    site.end();
}

#[test]
fn off_lets_everything_pass() {
    let site = site();
    let off = abi::Value { value: 0, pad: 0 };
    site.ask(&abi::IIPFENABLE, &off);
    let packet = udp((SERVER2, 53), (OUTSIDE, 9), b"");
    assert_eq!(site.back(&packet), Some(packet.clone()));
    site.ask(&abi::IIPFENABLE, &abi::Value { value: 1, pad: 0 });
    assert_eq!(site.back(&packet), None);
    for bad in [
        abi::Value { value: 2, pad: 0 },
        abi::Value { value: 1, pad: 1 },
    ] {
        refused(site.try_call(&abi::IIPFENABLE, &bad), KPI_EINVAL);
    }
    site.end();
}

#[test]
fn interfaces_are_listed() {
    let site = site();
    let page = site.ask(&abi::IIPFLISTIFS, &abi::Cursor::default());
    assert_eq!((page.count, page.cursor), (2, 0));
    let wan = page.ifs[..2]
        .iter()
        .find(|i| i.name.as_str() == Some("wan0"))
        .unwrap();
    assert_eq!((wan.slot, wan.addrs), (0, 1));
    assert_eq!(wan.flags, abi::IIPF_IF_UP | abi::IIPF_IF_NAMED);
    let lan = page.ifs[..2]
        .iter()
        .find(|i| i.name.as_str() == Some("lan0"))
        .unwrap();
    assert_eq!((lan.slot, lan.flags), (255, abi::IIPF_IF_UP));
    site.end();
}

#[test]
fn interfaces_count_what_was_judged() {
    let site = site();
    site.out(&udp((HOST, 5000), (SERVER, 53), b"12")).unwrap();
    site.back(&udp((SERVER, 53), (OUTSIDE, 5000), b"3"))
        .unwrap();
    assert_eq!(site.back(&udp((SERVER, 53), (OUTSIDE, 5001), b"")), None);
    let page = site.ask(&abi::IIPFLISTIFS, &abi::Cursor::default());
    let wan = page.ifs[..2]
        .iter()
        .find(|i| i.name.as_str() == Some("wan0"))
        .unwrap();
    assert_eq!(wan.packets, [1, 1, 1, 0, 0, 0, 0, 0]);
    let all = |packets: [u64; 8]| packets.iter().sum::<u64>();
    let seen = page.ifs[..2].iter().map(|i| all(i.packets)).sum::<u64>();
    let st = site.ask(&abi::IIPFSTATUS, &());
    assert_eq!(st.packets.iter().sum::<u64>(), seen);
    site.end();
}

#[test]
fn rules_count_what_their_states_do() {
    let site = site();
    site.out(&udp((HOST, 5000), (SERVER, 53), b"12")).unwrap();
    site.back(&udp((SERVER, 53), (OUTSIDE, 5000), b"123"))
        .unwrap();
    let stats = |clear| site.ask(&abi::IIPFRULESTATS, &abi::RuleStatsReq { first: 0, clear });
    let st = stats(0);
    assert_eq!(st.count, 3);
    let pass = st.rules[1];
    assert_eq!((pass.id, pass.states, pass.states_made), (2, 1, 1));
    assert_eq!((pass.packets, pass.bytes), ([1, 1], [31, 30]));
    stats(1);
    assert_eq!(stats(0).rules[1].packets, [0, 0]);
    site.back(&udp((SERVER, 53), (OUTSIDE, 5000), b"")).unwrap();
    assert_eq!(stats(0).rules[1].packets, [1, 0]);
    site.ask(&abi::IIPFKILLSTATES, &Default::default());
    let end = stats(0).rules[1];
    assert_eq!((end.packets, end.bytes, end.states), ([1, 0], [28, 0], 0));
    site.end();
}

#[test]
fn what_new_rules_refuse_is_marked_and_ended() {
    let site = site();
    site.out(&udp((HOST, 5000), (SERVER, 53), b"")).unwrap();
    site.out(&udp((HOST, 5000), (SERVER2, 54), b"")).unwrap();
    let mut rules = Rules::default();
    rules.nat(abi::IIPF_FILTER_ENDPOINT, 0);
    let block = rules.filter(abi::IIPF_ACT_BLOCK, 2, "wan0");
    block.id = 9;
    block.m.dst = net(SERVER2, SERVER2);
    rules.filter(abi::IIPF_ACT_PASS, 2, "wan0");
    let count = abi::IIPF_COMMIT_COUNT_STALE;
    let reply = site.load_with(&rules, count);
    assert_eq!((reply.error, reply.stale), (0, 1));
    let stale = abi::StateFilter {
        flags: abi::IIPF_STF_STALE,
        ..Default::default()
    };
    let marked = site.states(stale);
    assert_eq!(marked.len(), 1);
    assert_eq!(
        (marked[0].dst.port, marked[0].flags & abi::IIPF_ST_STALE),
        (54, abi::IIPF_ST_STALE)
    );
    // It lives on, until somebody wants it ended.
    assert!(
        site.back(&udp((SERVER2, 54), (OUTSIDE, 5000), b""))
            .is_some()
    );
    let reply = site.load_with(&rules, count | abi::IIPF_COMMIT_KILL_STALE);
    assert_eq!(reply.stale, 1);
    assert_eq!(site.states(Default::default()).len(), 1);
    site.end();
}

#[test]
fn an_address_that_goes_takes_its_states_along() {
    let site = site();
    site.out(&udp((HOST, 5000), (SERVER, 53), b"")).unwrap();
    assert_eq!(site.maps().len(), 1);
    site.kernel
        .pfil_if_addrs("wan0", &[(ip("203.0.113.9"), 24)])
        .unwrap();
    assert_eq!(site.states(Default::default()).len(), 0);
    assert_eq!(site.maps().len(), 0);
    let sent = site.out(&udp((HOST, 5000), (SERVER, 53), b""));
    assert_eq!(sent, Some(udp(("203.0.113.9", 5000), (SERVER, 53), b"")));
    // Another address more changes nothing.
    let both = [(ip("203.0.113.9"), 24), (ip("203.0.113.10"), 24)];
    site.kernel.pfil_if_addrs("wan0", &both).unwrap();
    assert_eq!(site.states(Default::default()).len(), 1);
    site.end();
}

#[test]
fn sources_are_listed() {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.nat(abi::IIPF_FILTER_ENDPOINT, 0).nat.max_per_host = 2;
    rules
        .filter(abi::IIPF_ACT_PASS, 2, "wan0")
        .state
        .max_src_states = 10;
    assert_eq!(site.load(&rules).error, 0);
    for port in [1000, 1001, 1002] {
        site.out(&udp((HOST, port), (SERVER, 53), b""));
    }
    let page = site.ask(&abi::IIPFLISTSOURCES, &abi::Cursor::default());
    let all = &page.sources[..page.count as usize];
    assert_eq!(all.len(), 2);
    let by_rule = |id| all.iter().find(|s| s.rule == id).unwrap();
    assert_eq!(
        (by_rule(2).states, by_rule(2).addr, by_rule(2).expires),
        (2, bytes(HOST), 0)
    );
    assert_eq!((by_rule(1).mappings, by_rule(1).refused), (2, 1));
    site.end();
}

#[test]
fn room_is_made_before_none_is_left() {
    let site = site();
    // Within milliseconds: the worker's own second is far away.
    for i in 0..8_000u16 {
        let sent = site.out(&udp((HOST, 1024 + i), (SERVER, 53), b""));
        assert!(sent.is_some(), "new flow {i}");
        if i % 500 == 0 {
            site.kernel.advance(1_000_000);
        }
    }
    site.end();
}
