// SPDX-License-Identifier: BSD-2-Clause
//! What kstat(8) gets to see.

use super::site::MY_ID;
use super::site::PEER_ID;
use super::site::PLAIN;
use super::site::RICH;
use super::site::Site;
use super::site::kernel;
use super::site::snapshot;
use host::kernel::Kernel;
use host::wire::WireNet;
use kabi::kstat::Record;
use kabi::kstat::Records;
use kabi::kstat::TraceEventBody;
use kern::stats::Counter;
use std::collections::BTreeSet;
use testkit::packet;

#[test]
fn every_counter_is_listed_for_the_module_and_each_interface() {
    let net = WireNet::new(1);
    let k = kernel("kstat", &net);
    for _ in 0..40 {
        k.clone_create("l2tp").unwrap();
    }
    assert_eq!(k.kstat_names(), ["if_l2tp", "if_l2tp_trace"]);
    let all = snapshot(&k);
    let names: BTreeSet<&str> = all.names().collect();
    for info in if_l2tp::Drop::INFO {
        assert!(names.contains(format!(".{}", info.name).as_str()));
    }
    for n in 0..40 {
        for info in if_l2tp::Drop::INFO.iter().chain(if_l2tp::Ctr::INFO) {
            assert_eq!(all.get(&format!("l2tp{n}.{}", info.name)), 0);
        }
    }
    // Small buffers give the same as one large one.
    let lines = |size| -> Vec<String> {
        let read = |cursor: &mut u64, buf: &mut [u8]| k.kstat_read("if_l2tp", cursor, buf).unwrap();
        let buffers = testkit::counters::read_all(size, read);
        buffers
            .iter()
            .flat_map(|b| testkit::counters::describe(b))
            .collect()
    };
    let one = lines(1 << 20);
    assert_eq!(
        one.len(),
        2 + if_l2tp::Drop::INFO.len() * 41 + if_l2tp::Ctr::INFO.len() * 40
    );
    assert_eq!(lines(160), one);
    assert_eq!(lines(4096), one);
    for n in 0..40 {
        k.clone_destroy(&format!("l2tp{n}")).unwrap();
    }
    k.shutdown().unwrap();
}

#[test]
fn gauges_show_what_is_set() {
    let site = Site::new(PLAIN);
    site.k.clone_create("l2tp1").unwrap();
    let gauges = || {
        let all = snapshot(&site.k);
        (all.get(".sessions"), all.get(".endpoints"))
    };
    assert_eq!(gauges(), (1, 1));
    site.configure("l2tp1", PLAIN, 7, 8);
    assert_eq!(gauges(), (2, 1), "one endpoint for both");
    let other = super::site::Case { udp: true, ..PLAIN };
    site.configure("l2tp1", other, 7, 8);
    assert_eq!(gauges(), (2, 2));
    site.k.clone_destroy("l2tp1").unwrap();
    assert_eq!(gauges(), (1, 1));
    site.k.clone_destroy("l2tp0").unwrap();
    assert_eq!(gauges(), (0, 0));
    site.done();
}

fn events(k: &Kernel) -> Vec<TraceEventBody> {
    let read =
        |cursor: &mut u64, buf: &mut [u8]| k.kstat_read("if_l2tp_trace", cursor, buf).unwrap();
    let buffers = testkit::counters::read_all(4096, read);
    let records = buffers.iter().flat_map(|b| Records::new(b));
    let mut names = 0;
    let mut events: Vec<_> = records
        .filter_map(|record| match record.unwrap() {
            Record::TraceEvent(e) => Some(e),
            Record::TraceName { code, name } => {
                assert_eq!(if_l2tp::Event::INFO[code as usize].name, name);
                names += 1;
                None
            }
            _ => None,
        })
        .collect();
    assert_eq!(names, if_l2tp::Event::INFO.len());
    events.sort_by_key(|e| (e.ns, e.seq));
    events
}

/// Reading turns the trace on, and it goes off 60 seconds after the last reading.
#[test]
fn the_trace_is_on_while_it_is_read() {
    let site = Site::new(RICH);
    let frame = packet::frame(60);
    let send = || site.k.if_output("l2tp0", &frame).unwrap();
    send();
    assert!(events(&site.k).is_empty(), "off until it is read");
    send();
    site.receive(&RICH.message(&frame));
    let wrong = [RICH.header(1, &[]), frame.clone()].concat();
    site.receive(&wrong);
    assert!(site.k.if_output("l2tp0", &frame[..13]).is_err());
    let seen: Vec<_> = events(&site.k).iter().map(|e| (e.code, e.args)).collect();
    let code = |e: if_l2tp::Event| e.index() as u16;
    let why = |e: if_l2tp::Drop| e.index() as u64;
    let expected = [
        (code(if_l2tp::Event::Tx), [PEER_ID.into(), 60, 0]),
        (code(if_l2tp::Event::Rx), [MY_ID.into(), 80, 0]),
        (
            code(if_l2tp::Event::DropRx),
            [why(if_l2tp::Drop::NoSession), 0, 0],
        ),
        (
            code(if_l2tp::Event::DropTx),
            [why(if_l2tp::Drop::Runt), 0, 13],
        ),
    ];
    assert_eq!(seen, expected);
    // Each reading gives it another minute.
    site.k.advance(59_999_000_000);
    assert_eq!(events(&site.k).len(), 4);
    site.k.advance(59_999_000_000);
    send();
    site.k.advance(2_000_000);
    // Off now: what happens is not recorded, what was recorded is still there.
    send();
    assert_eq!(events(&site.k).len(), 5);
    send();
    assert_eq!(events(&site.k).len(), 6, "reading has turned it on again");
    site.done();
}
