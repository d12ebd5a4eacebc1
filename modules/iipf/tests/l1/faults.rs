// SPDX-License-Identifier: BSD-2-Clause
//! Memory that runs out: whatever allocation fails, what ran runs on, and nothing leaks.

use crate::site::*;
use host::ledger::Fault;
use iipf_abi as abi;
use kabi::Name;
use kabi::zerocopy::FromZeros;

/// Passes port 53 and blocks what is in the table, or the other way round.
fn rules(first: bool) -> Rules {
    let mut rules = Rules::default();
    let filtering = if first {
        abi::IIPF_FILTER_ENDPOINT
    } else {
        abi::IIPF_FILTER_ADDRESS
    };
    rules.table("them", abi::IIPF_TABLE_REPLACE);
    let addr = if first { SERVER } else { SERVER2 };
    rules.addrs.push(abi::TableAddrRec {
        table: 1,
        af: 2,
        prefixlen: 32,
        addr: net(addr, addr).lo,
        ..Default::default()
    });
    rules.nat(filtering, abi::IIPF_NF_HAIRPIN);
    let block = rules.filter(abi::IIPF_ACT_BLOCK, 2, "wan0");
    block.m.dst.kind = abi::IIPF_ADDR_TABLE;
    block.m.dst.index = 1;
    rules.filter(abi::IIPF_ACT_PASS, 0, "").id = if first { 7 } else { 8 };
    rules
}

/// Which of the two servers is blocked.
fn blocked(site: &Site, port: u16) -> (bool, bool) {
    let to = |server| site.out(&udp((HOST, port), (server, 53), b"")).is_none();
    let seen = (to(SERVER), to(SERVER2));
    site.ask(&abi::IIPFKILLSTATES, &Default::default());
    seen
}

#[test]
fn a_load_that_runs_out_of_memory_changes_nothing() {
    let site = Site::new();
    assert_eq!(site.load(&rules(true)).error, 0);
    let mut failed = 0;
    for n in 1.. {
        let before = site.ask(&abi::IIPFSTATUS, &());
        site.kernel.fail_nth(Fault::Memory, n);
        let reply = site.attempt(&rules(false), abi::IIPF_COMMIT_COUNT_STALE);
        let struck = !site.kernel.fail_pending(Fault::Memory);
        site.kernel.fail_nth(Fault::Memory, 0);
        let after = site.ask(&abi::IIPFSTATUS, &());
        let taken = reply.is_ok_and(|r| r.error == 0);
        if taken {
            assert_eq!(after.generation, before.generation + 1, "at {n}");
            assert_eq!(blocked(&site, 5000), (false, true), "at {n}");
            if !struck {
                break;
            }
            assert_eq!(site.load(&rules(true)).error, 0);
        } else {
            assert!(struck, "{reply:?} at {n}");
            failed += 1;
            if let Ok(reply) = reply {
                assert_eq!(reply.error, abi::IIPF_LE_MEMORY, "at {n}");
            }
            assert_eq!(after.generation, before.generation, "at {n}");
            assert_eq!(blocked(&site, 5000), (true, false), "at {n}");
        }
    }
    assert!(failed > 20, "{failed}");
    site.end();
}

#[test]
fn forwards_and_tables_that_run_out_of_memory_are_not_there() {
    let site = Site::new();
    assert_eq!(site.load(&rules(true)).error, 0);
    let forward = abi::ForwardRec {
        ifname: Name::new("wan0").unwrap(),
        inside: net(HOST, HOST).lo,
        outside_port: 8000,
        inside_port: 80,
        ports: 3,
        af: 2,
        proto: 17,
        ..Default::default()
    };
    let mut table = abi::TableReq::new_zeroed();
    table.name = Name::new("more").unwrap();
    table.op = abi::IIPF_TOP_ADD;
    table.count = 1;
    table.addrs[0] = abi::TableAddrRec {
        af: 2,
        prefixlen: 8,
        addr: net("10.0.0.0", "10.0.0.0").lo,
        ..Default::default()
    };
    for n in 1..200 {
        site.kernel.fail_nth(Fault::Memory, n);
        let made = site.try_call(&abi::IIPFADDFORWARD, &forward);
        let pending = site.kernel.fail_pending(Fault::Memory);
        site.kernel.fail_nth(Fault::Memory, 0);
        let list = site.ask(&abi::IIPFLISTFORWARDS, &Default::default());
        assert_eq!(list.count, u32::from(made.is_ok()), "at {n}");
        let used = site.ask(&abi::IIPFSTATUS, &()).used[abi::IIPF_LIMIT_MAPPINGS];
        assert_eq!(used, 3 * u32::from(made.is_ok()), "at {n}");
        if made.is_ok() {
            site.ask(&abi::IIPFDELFORWARD, &Default::default());
            if pending {
                break;
            }
        }
    }
    for n in 1..200 {
        site.kernel.fail_nth(Fault::Memory, n);
        let made = site.try_call(&abi::IIPFTABLE, &table);
        let pending = site.kernel.fail_pending(Fault::Memory);
        site.kernel.fail_nth(Fault::Memory, 0);
        if made.is_ok() && pending {
            break;
        }
        table.op = abi::IIPF_TOP_DESTROY;
        let _ = site.try_call(&abi::IIPFTABLE, &table);
        table.op = abi::IIPF_TOP_ADD;
    }
    site.end();
}

#[test]
fn ends_without_being_asked_to_let_go_of_anything() {
    let site = Site::new();
    assert_eq!(site.load(&rules(true)).error, 0);
    for port in 0..20 {
        site.out(&udp((HOST, 5000 + port), (SERVER2, 53), b""));
    }
    let begin = abi::BeginReq {
        version: abi::IIPF_VERSION,
        counts: [0, 0, 0, 0, 1, 0, 0, 0, 0],
    };
    site.ask(&abi::IIPFBEGIN, &begin);
    let arm = abi::TraceArm {
        count: 64,
        ..FromZeros::new_zeroed()
    };
    site.ask(&abi::IIPFTRACEARM, &arm);
    site.out(&udp((HOST, 1), (SERVER2, 53), b""));
    site.end();
}
