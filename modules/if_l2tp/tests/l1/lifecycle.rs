// SPDX-License-Identifier: BSD-2-Clause
//! Load, create, destroy, unload: in any order, with any allocation failing.

use super::site::Case;
use super::site::PLAIN;
use super::site::RICH;
use super::site::Site;
use super::site::get;
use super::site::ids;
use super::site::kernel;
use super::site::set;
use super::site::snapshot;
use super::site::tunnel;
use host::errno::Errno;
use host::kernel::Config;
use host::kernel::Kernel;
use host::kernel::LoadError;
use host::ledger::Fault;
use host::wire::WireNet;
use if_l2tp_abi as abi;
use testkit::packet;

#[test]
fn load_and_unload_a_thousand_times() {
    let net = WireNet::new(1);
    let k = kernel("again", &net);
    assert_eq!(k.cloners(), ["l2tp"]);
    for _ in 0..1000 {
        k.unload("if_l2tp").unwrap();
        assert!(k.home().ledger.leaks().is_empty());
        k.load(if_l2tp::MODULE.raw()).unwrap();
    }
    k.shutdown().unwrap();
}

#[test]
fn load_with_every_allocation_failing() {
    let net = WireNet::new(1);
    let k = Kernel::new(Config::test("load", &net));
    for n in 1.. {
        k.fail_nth(Fault::Any, n);
        let result = k.load(if_l2tp::MODULE.raw());
        let hit = !k.fail_pending(Fault::Any);
        k.fail_nth(Fault::Any, 0);
        if !hit {
            result.unwrap();
            assert!(n > 10, "only {n} allocations");
            break;
        }
        // kpi_kstat_attach has one way to say no, whatever the reason.
        let LoadError::Init(name, errno) = result.unwrap_err() else {
            panic!("not refused by the module")
        };
        assert_eq!(name, "if_l2tp");
        assert!(
            [Errno::ENOMEM, Errno::EEXIST].contains(&errno),
            "failure {n}: {errno}"
        );
        assert!(k.home().ledger.leaks().is_empty(), "failure {n}");
        assert!(k.cloners().is_empty() && k.kstat_names().is_empty());
    }
    k.shutdown().unwrap();
}

#[test]
fn unload_while_interfaces_exist() {
    let site = Site::new(RICH);
    let before = snapshot(&site.k);
    assert_eq!(site.k.unload("if_l2tp"), Err(Errno::EBUSY));
    assert_eq!(
        (site.k.modules(), site.k.cloners()),
        (vec!["if_l2tp".into()], vec!["l2tp".into()])
    );
    snapshot(&site.k).assert_moved(&before, &[]);
    let frame = packet::frame(60);
    site.receive(&RICH.message(&frame));
    assert_eq!(site.frames(), [frame]);
    site.k.clone_destroy("l2tp0").unwrap();
    site.k.unload("if_l2tp").unwrap();
    assert!(site.k.home().ledger.leaks().is_empty());
    site.done();
}

#[test]
fn units_names_and_repeats() {
    let net = WireNet::new(1);
    let k = kernel("units", &net);
    assert_eq!(k.clone_create("l2tp7"), Ok("l2tp7".into()));
    assert_eq!(k.clone_create("l2tp"), Ok("l2tp0".into()));
    assert_eq!(k.clone_create("l2tp7"), Err(Errno::EEXIST));
    k.clone_destroy("l2tp7").unwrap();
    assert_eq!(k.clone_destroy("l2tp7"), Err(Errno::ENXIO));
    for _ in 0..300 {
        k.clone_create("l2tp7").unwrap();
        set(&k, "l2tp7", &abi::SIOCSL2TPSESSION, &ids(5, 6)).unwrap();
        tunnel(&k, "l2tp7", PLAIN.addr(1), PLAIN.addr(2)).unwrap();
        k.clone_destroy("l2tp7").unwrap();
    }
    k.clone_destroy("l2tp0").unwrap();
    assert_eq!(snapshot(&k).get(".sessions"), 0);
    k.shutdown().unwrap();
}

#[test]
fn create_with_every_allocation_failing() {
    let net = WireNet::new(1);
    let k = kernel("create", &net);
    let empty = k.home().ledger.leaks();
    for n in 1.. {
        k.fail_nth(Fault::Any, n);
        let result = k.clone_create("l2tp3");
        let hit = !k.fail_pending(Fault::Any);
        k.fail_nth(Fault::Any, 0);
        if !hit {
            result.unwrap();
            assert!(n > 5, "only {n} allocations");
            break;
        }
        assert_eq!(result, Err(Errno::ENOMEM));
        // The list of interfaces may keep the room that it has grown to.
        let grown = k.home().ledger.memory().0 - empty.get("memory pieces");
        assert!(
            k.ifnets().is_empty() && (0..=1).contains(&grown),
            "failure {n}"
        );
        assert_eq!(k.home().ledger.leaks().get("ifnets"), 0);
    }
    k.clone_destroy("l2tp3").unwrap();
    k.shutdown().unwrap();
}

/// A name given by the administrator changes nothing inside.
#[test]
fn renamed_interfaces_work() {
    let site = Site::new(PLAIN);
    site.k.if_rename("l2tp0", "uplink").unwrap();
    let frame = packet::frame(60);
    site.receive(&PLAIN.message(&frame));
    assert_eq!(site.k.if_received("uplink"), [frame]);
    assert!(get(&site.k, "uplink", &abi::SIOCGL2TP).is_ok());
    site.k.clone_destroy("uplink").unwrap();
    site.done();
}

/// Several pseudowires to one peer share the endpoint; each frame comes out where it belongs.
fn many(n: u32) {
    let site = Site::new(PLAIN);
    for i in 1..n {
        let name = site.k.clone_create(&format!("l2tp{i}")).unwrap();
        tunnel(&site.k, &name, PLAIN.addr(1), PLAIN.addr(2)).unwrap();
        set(&site.k, &name, &abi::SIOCSL2TPSESSION, &ids(i, 70_000 + i)).unwrap();
        set(
            &site.k,
            &name,
            &abi::SIOCSL2TPSTATE,
            &super::site::state(true),
        )
        .unwrap();
        site.k.if_set_up(&name, true).unwrap();
    }
    let frame = |i: u32| [&packet::frame(14)[..], &i.to_be_bytes()].concat();
    let some: Vec<u32> = (1..n).step_by(1 + n as usize / 500).collect();
    for &i in &some {
        site.receive(&[Case::header(PLAIN, i, &[]), frame(i)].concat());
        site.k.if_output(&format!("l2tp{i}"), &frame(i)).unwrap();
    }
    for &i in &some {
        assert_eq!(site.k.if_received(&format!("l2tp{i}")), [frame(i)]);
    }
    site.net.run();
    for &i in &some {
        let (_, payload) = site.peer.recv().unwrap();
        assert_eq!(
            payload,
            [&(70_000 + i).to_be_bytes()[..], &frame(i)].concat()
        );
    }
    let all = snapshot(&site.k);
    assert_eq!((all.get(".sessions"), all.get(".endpoints")), (n.into(), 1));
    site.done();
}

#[test]
fn many_pseudowires_to_one_peer() {
    many(300);
}

/// All of them; takes minutes without optimisation: `cargo test --release -- --ignored`.
#[test]
#[ignore = "minutes; the table itself is tested with 65,535 entries in sys/kern"]
fn sixty_five_thousand_pseudowires() {
    many(65_535);
}
