// SPDX-License-Identifier: BSD-2-Clause
//! Tables while they are in use.

use crate::site::*;
use iipf_abi as abi;
use kabi::Name;
use kabi::zerocopy::FromZeros;
use kpi_sys::KPI_EBUSY;
use kpi_sys::KPI_EINVAL;
use kpi_sys::KPI_ENOENT;
use kpi_sys::KPI_ENOSPC;
use kpi_sys::KPI_EPERM;

fn entry(addr: &str, prefixlen: u8) -> abi::TableAddrRec {
    abi::TableAddrRec {
        af: if addr.contains(':') { 10 } else { 2 },
        prefixlen,
        addr: net(addr, addr).lo,
        ..Default::default()
    }
}

fn request(name: &str, op: u32, addrs: &[abi::TableAddrRec]) -> abi::TableReq {
    let mut rq = abi::TableReq::new_zeroed();
    rq.name = Name::new(name).unwrap();
    rq.op = op;
    rq.count = addrs.len() as u32;
    rq.addrs[..addrs.len()].copy_from_slice(addrs);
    rq
}

fn op(site: &Site, name: &str, op: u32, addrs: &[abi::TableAddrRec]) -> abi::TableReply {
    site.ask(&abi::IIPFTABLE, &request(name, op, addrs))
}

fn refused(site: &Site, rq: &abi::TableReq, errno: u32) {
    assert_eq!(site.try_call(&abi::IIPFTABLE, rq), Err(errno as i32));
}

fn entries(site: &Site, name: &str) -> Vec<abi::TableEntry> {
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        let rq = abi::TableListReq {
            name: Name::new(name).unwrap(),
            cursor,
        };
        let page = site.ask(&abi::IIPFTABLEENTRIES, &rq);
        all.extend(&page.entries[..page.count as usize]);
        cursor = page.cursor;
        if cursor == 0 {
            return all;
        }
    }
}

/// Blocks what is in `bad`; `fixed` is const.
fn site() -> Site {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.table("bad", 0);
    rules.table("fixed", abi::IIPF_TABLE_CONST);
    let block = rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
    block.m.src.kind = abi::IIPF_ADDR_TABLE;
    block.m.src.index = 1;
    rules.filter(abi::IIPF_ACT_PASS, 0, "");
    let reply = site.load(&rules);
    assert_eq!(reply.error, 0, "{reply:?}");
    site
}

#[test]
fn entries_come_and_go_without_a_load() {
    let site = site();
    let packet = |n: u16| udp((SERVER, n), (OUTSIDE, n), b"");
    assert!(site.back(&packet(1)).is_some());
    let r = op(
        &site,
        "bad",
        abi::IIPF_TOP_ADD,
        &[entry("198.51.100.0", 24), entry("2001:db8::", 32)],
    );
    assert_eq!((r.added, r.changed), (2, 0));
    let again = op(
        &site,
        "bad",
        abi::IIPF_TOP_ADD,
        &[entry("198.51.100.0", 24)],
    );
    assert_eq!((again.added, again.changed), (0, 1));
    assert!(site.back(&packet(2)).is_none());
    let not = abi::TableAddrRec {
        neg: 1,
        ..entry(SERVER, 32)
    };
    op(&site, "bad", abi::IIPF_TOP_ADD, &[not]);
    assert!(site.back(&packet(3)).is_some());
    let test = op(
        &site,
        "bad",
        abi::IIPF_TOP_TEST,
        &[
            entry(SERVER2, 32),
            entry(SERVER, 32),
            entry("2001:db8::1", 128),
        ],
    );
    assert_eq!((test.matches, test.matched), (2, [0b101, 0, 0]));
    assert_eq!(op(&site, "bad", abi::IIPF_TOP_DELETE, &[not]).deleted, 1);
    assert_eq!(op(&site, "bad", abi::IIPF_TOP_DELETE, &[not]).deleted, 0);
    assert!(site.back(&packet(4)).is_none());
    assert_eq!(op(&site, "bad", abi::IIPF_TOP_FLUSH, &[]).deleted, 2);
    assert!(site.back(&packet(5)).is_some());
    site.end();
}

#[test]
fn a_replacement_keeps_what_stays() {
    let site = site();
    let (a, b, c) = (
        entry("10.0.0.1", 32),
        entry("10.0.0.2", 32),
        entry("10.0.0.3", 32),
    );
    op(&site, "bad", abi::IIPF_TOP_ADD, &[a, b]);
    site.later(7);
    op(&site, "bad", abi::IIPF_TOP_MARK, &[]);
    assert_eq!(op(&site, "bad", abi::IIPF_TOP_ADD, &[b, c]).added, 1);
    assert_eq!(op(&site, "bad", abi::IIPF_TOP_SWEEP, &[]).deleted, 1);
    let mut left: Vec<_> = entries(&site, "bad")
        .iter()
        .map(|e| (e.addr.addr[3], e.age))
        .collect();
    left.sort_unstable();
    assert_eq!(left, [(2, 7), (3, 0)]);
    site.end();
}

#[test]
fn entries_age_and_expire() {
    let site = site();
    let mut rq = request("bad", abi::IIPF_TOP_ADD, &[entry("10.0.0.1", 32)]);
    rq.seconds = 30;
    site.ask(&abi::IIPFTABLE, &rq);
    op(&site, "bad", abi::IIPF_TOP_ADD, &[entry("10.0.0.2", 32)]);
    site.later(10);
    let mut both: Vec<_> = entries(&site, "bad")
        .iter()
        .map(|e| (e.addr.addr[3], e.age, e.expires))
        .collect();
    both.sort_unstable();
    assert_eq!(both, [(1, 10, 20), (2, 10, 0)]);
    op(&site, "bad", abi::IIPF_TOP_ADD, &[entry("10.0.0.3", 32)]);
    site.later(25);
    assert_eq!(
        entries(&site, "bad").len(),
        2,
        "the one with a time is gone"
    );
    assert_eq!(
        op(&site, "bad", abi::IIPF_TOP_ZERO, &[entry("10.0.0.2", 32)]).changed,
        1
    );
    let mut old = request("bad", abi::IIPF_TOP_EXPIRE, &[]);
    old.seconds = 20;
    assert_eq!(site.ask(&abi::IIPFTABLE, &old).deleted, 1);
    assert_eq!(entries(&site, "bad")[0].addr.addr[3], 2);
    site.end();
}

#[test]
fn tables_are_made_listed_and_taken_away() {
    let site = site();
    let addrs: Vec<_> = (0..130)
        .map(|n| entry(&format!("10.0.1.{n}"), 32))
        .collect();
    assert_eq!(op(&site, "mine", abi::IIPF_TOP_ADD, &addrs).added, 130);
    assert_eq!(entries(&site, "mine").len(), 130);
    let page = site.ask(&abi::IIPFTABLES, &abi::TableListReq::default());
    assert_eq!((page.count, page.cursor), (3, 0));
    let find = |n: &str| {
        page.tables[..3]
            .iter()
            .find(|t| t.table.name.as_str() == Some(n))
            .unwrap()
    };
    assert_eq!(find("mine").table.flags, abi::IIPF_TABLE_PERSIST);
    assert_eq!((find("mine").table.count, find("mine").rules), (130, 0));
    assert_eq!(find("bad").table.flags, abi::IIPF_TABLE_REFERENCED);
    assert_eq!(find("bad").rules, 1);
    refused(
        &site,
        &request("bad", abi::IIPF_TOP_DESTROY, &[]),
        KPI_EBUSY,
    );
    op(&site, "mine", abi::IIPF_TOP_DESTROY, &[]);
    refused(
        &site,
        &request("mine", abi::IIPF_TOP_FLUSH, &[]),
        KPI_ENOENT,
    );
    site.end();
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let site = site();
    let good = entry("10.0.0.1", 32);
    let bad = [
        abi::TableAddrRec { af: 3, ..good },
        abi::TableAddrRec {
            prefixlen: 33,
            ..good
        },
        abi::TableAddrRec {
            prefixlen: 8,
            ..good
        },
        abi::TableAddrRec { neg: 2, ..good },
        abi::TableAddrRec { pad: 1, ..good },
        abi::TableAddrRec { table: 1, ..good },
        abi::TableAddrRec {
            addr: [1; 16],
            ..good
        },
    ];
    for b in bad {
        refused(
            &site,
            &request("bad", abi::IIPF_TOP_ADD, &[good, b]),
            KPI_EINVAL,
        );
    }
    assert_eq!(entries(&site, "bad").len(), 0);
    let mut rq = request("bad", abi::IIPF_TOP_ADD, &[good]);
    rq.pad = 1;
    refused(&site, &rq, KPI_EINVAL);
    rq = request("bad", 0, &[]);
    refused(&site, &rq, KPI_EINVAL);
    rq.op = abi::IIPF_TOP_ADD;
    rq.count = abi::IIPF_TABLE_CHUNK as u32 + 1;
    refused(&site, &rq, KPI_EINVAL);
    refused(
        &site,
        &request("bad", abi::IIPF_TOP_TEST, &[entry("10.0.0.0", 8)]),
        KPI_EINVAL,
    );
    refused(&site, &request("", abi::IIPF_TOP_ADD, &[]), KPI_EINVAL);
    refused(
        &site,
        &request("none", abi::IIPF_TOP_DELETE, &[good]),
        KPI_ENOENT,
    );
    refused(
        &site,
        &request("fixed", abi::IIPF_TOP_ADD, &[good]),
        KPI_EPERM,
    );
    op(&site, "fixed", abi::IIPF_TOP_TEST, &[good]);
    site.end();
}

#[test]
fn entries_count_what_was_decided_by_them() {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.table("bad", abi::IIPF_TABLE_COUNTERS);
    let block = rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
    block.m.src.kind = abi::IIPF_ADDR_TABLE;
    block.m.src.index = 1;
    assert_eq!(site.load(&rules).error, 0);
    op(
        &site,
        "bad",
        abi::IIPF_TOP_ADD,
        &[entry("198.51.100.0", 24), entry(SERVER, 32)],
    );
    assert!(site.back(&udp((SERVER, 1), (OUTSIDE, 1), b"12")).is_none());
    assert!(site.back(&udp((SERVER, 2), (OUTSIDE, 1), b"")).is_none());
    let mut all: Vec<_> = entries(&site, "bad")
        .iter()
        .map(|e| (e.addr.prefixlen, e.packets, e.bytes))
        .collect();
    all.sort_unstable();
    assert_eq!(all, [(24, 0, 0), (32, 2, 58)]);
    assert_eq!(op(&site, "bad", abi::IIPF_TOP_ZERO, &[]).changed, 2);
    assert!(
        entries(&site, "bad")
            .iter()
            .all(|e| e.packets == 0 && e.bytes == 0)
    );
    site.end();
}

#[test]
fn a_load_beyond_its_own_limits_or_with_unknown_flags_is_refused() {
    let site = Site::new();
    let mut good = Rules::default();
    good.filter(abi::IIPF_ACT_PASS, 0, "wan0");
    good.filter(abi::IIPF_ACT_PASS, 0, "");
    let refuse = |change: &dyn Fn(&mut Rules), error| {
        let mut rules = Rules::default();
        rules.filter(abi::IIPF_ACT_PASS, 0, "wan0");
        rules.filter(abi::IIPF_ACT_PASS, 0, "");
        change(&mut rules);
        assert_eq!(site.load(&rules).error, error);
    };
    refuse(
        &|r| r.options.limits[abi::IIPF_LIMIT_RULES] = 1,
        abi::IIPF_LE_LIMIT,
    );
    refuse(&|r| r.options.flags = 0x100, abi::IIPF_LE_VALUE);
    refuse(&|r| r.ifaces[0].pad = 1, abi::IIPF_LE_VALUE);
    refuse(&|r| r.ifaces[0].flags = 4, abi::IIPF_LE_VALUE);
    refuse(&|r| r.rules[1].pad = 1, abi::IIPF_LE_VALUE);
    refuse(&|r| r.rules[1].m.pad2[1] = 1, abi::IIPF_LE_VALUE);
    refuse(&|r| r.rules[1].state.flags = 0x100, abi::IIPF_LE_VALUE);
    refuse(&|r| r.rules[1].flags = 0x100, abi::IIPF_LE_VALUE);
    refuse(&|r| r.rules[1].set.alg = 0x100, abi::IIPF_LE_VALUE);
    assert_eq!(site.ask(&abi::IIPFSTATUS, &()).generation, 0);
    assert_eq!(site.load(&good).error, 0);
    site.end();
}

#[test]
fn there_is_a_limit_over_all_tables() {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.options.limits[abi::IIPF_LIMIT_TABLE_ENTRIES] = 3;
    rules.options.limits[abi::IIPF_LIMIT_TABLES] = 2;
    rules.filter(abi::IIPF_ACT_PASS, 0, "");
    assert_eq!(site.load(&rules).error, 0);
    let addrs = [1, 2, 3, 4].map(|n| entry(&format!("10.0.0.{n}"), 32));
    op(&site, "a", abi::IIPF_TOP_ADD, &addrs[..2]);
    refused(
        &site,
        &request("b", abi::IIPF_TOP_ADD, &addrs[2..]),
        KPI_ENOSPC,
    );
    refused(
        &site,
        &request("c", abi::IIPF_TOP_ADD, &addrs[..1]),
        KPI_ENOSPC,
    );
    op(&site, "a", abi::IIPF_TOP_ADD, &addrs[..1]);
    site.end();
}
