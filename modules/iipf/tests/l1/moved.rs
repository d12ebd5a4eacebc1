// SPDX-License-Identifier: BSD-2-Clause
//! States that outlive a restart of the module.

use crate::site::*;
use iipf_abi as abi;
use kabi::Name;
use kabi::zerocopy::FromZeros;
use kpi_sys::KPI_EINVAL;
use kpi_sys::KPI_EPROTONOSUPPORT;

fn rules(filtering: u8) -> Rules {
    let mut rules = Rules::default();
    rules.nat(filtering, 0).nat.max_per_host = 100;
    rules
        .filter(abi::IIPF_ACT_PASS, 2, "wan0")
        .state
        .max_src_states = 100;
    rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
    rules
}

fn site() -> Site {
    let site = Site::new();
    assert_eq!(site.load(&rules(abi::IIPF_FILTER_ADDRESS)).error, 0);
    site
}

/// A connection that is open, from port 4000.
fn connect(site: &Site) {
    let (i, o, s) = ((HOST, 4000), (OUTSIDE, 4000), (SERVER, 80));
    site.out(&tcp(i, s, (100, 0, SYN), b"")).unwrap();
    site.back(&tcp(s, o, (500, 101, SYN | ACK), b"")).unwrap();
    site.out(&tcp(i, s, (101, 501, ACK), b"hello")).unwrap();
}

fn export(site: &Site) -> Vec<abi::ExportRec> {
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        let version = abi::IIPF_EXPORT_VERSION;
        let rq = abi::ExportReq {
            cursor,
            version,
            pad: 0,
        };
        let page = site.ask(&abi::IIPFEXPORT, &rq);
        assert_eq!(page.version, version);
        all.extend(&page.states[..page.count as usize]);
        cursor = page.cursor;
        if cursor == 0 {
            return all;
        }
    }
}

fn import(site: &Site, states: &[abi::ExportRec]) -> abi::ImportReply {
    let mut sum = abi::ImportReply::default();
    for some in states.chunks(abi::IIPF_EXPORT_LIST) {
        let mut rq = abi::Export::new_zeroed();
        rq.version = abi::IIPF_EXPORT_VERSION;
        rq.count = some.len() as u32;
        rq.states[..some.len()].copy_from_slice(some);
        let r = site.ask(&abi::IIPFIMPORT, &rq);
        sum.taken += r.taken;
        sum.exists += r.exists;
        sum.refused += r.refused;
        sum.bad += r.bad;
        sum.full += r.full;
    }
    sum
}

fn reload(site: &Site) {
    site.kernel.unload("iipf").unwrap();
    site.kernel.load(iipf::MODULE.raw()).unwrap();
}

#[test]
fn a_connection_survives_the_module() {
    let site = site();
    connect(&site);
    site.out(&udp((HOST, 5000), (SERVER, 53), b"")).unwrap();
    site.later(100);
    let saved = export(&site);
    assert_eq!(saved.len(), 2);
    let shown = |site: &Site| {
        let mut all = site.states(Default::default());
        all.sort_by_key(|s| s.proto);
        all.iter()
            .map(|s| abi::StateInfo { id: 0, ..*s })
            .collect::<Vec<_>>()
    };
    let before = shown(&site);
    reload(&site);
    // Without the rules nothing is taken.
    assert_eq!(import(&site, &saved).refused, 2);
    site.load(&rules(abi::IIPF_FILTER_ADDRESS));
    let reply = import(&site, &saved);
    assert_eq!(
        (reply.taken, reply.bad, reply.refused),
        (2, 0, 0),
        "{reply:?}"
    );
    assert_eq!(shown(&site), before);
    assert_eq!(export(&site).len(), 2);
    assert_eq!(import(&site, &saved).exists, 2);
    // Windows, addresses and ports are where they were.
    let (i, o, s) = ((HOST, 4000), (OUTSIDE, 4000), (SERVER, 80));
    assert_eq!(site.back(&tcp(s, o, (900_000, 106, ACK), b"forged")), None);
    let got = site.back(&tcp(s, o, (501, 106, ACK), b"welcome"));
    assert_eq!(got, Some(tcp(s, i, (501, 106, ACK), b"welcome")));
    let sent = site.out(&tcp(i, s, (106, 508, ACK), b"more"));
    assert_eq!(sent, Some(tcp(o, s, (106, 508, ACK), b"more")));
    // Their ports are taken: another host gets another one.
    let other = site.out(&udp((HOST2, 5000), (SERVER, 53), b"")).unwrap();
    assert_ne!(u16::from_be_bytes([other[20], other[21]]), 5000);
    // And the limits count them.
    let page = site.ask(&abi::IIPFLISTSOURCES, &abi::Cursor::default());
    let all = &page.sources[..page.count as usize];
    let host = |s: &&abi::SourceInfo| s.addr == net(HOST, HOST).lo;
    assert_eq!(all.iter().filter(host).map(|s| s.states).sum::<u32>(), 2);
    assert_eq!(all.iter().filter(host).map(|s| s.mappings).sum::<u32>(), 2);
    site.ask(&abi::IIPFKILLSTATES, &Default::default());
    site.later(400);
    assert_eq!(site.maps().len(), 0);
    let st = site.ask(&abi::IIPFSTATUS, &());
    assert_eq!(st.used[..abi::IIPF_LIMIT_FRAGS], [0, 0]);
    assert_eq!(st.used[abi::IIPF_LIMIT_MAPPINGS], 0);
    site.end();
}

#[test]
fn timeouts_go_on() {
    let site = site();
    site.out(&udp((HOST, 5000), (SERVER, 53), b"")).unwrap();
    site.later(100);
    let saved = export(&site);
    assert_eq!((saved[0].info.expires, saved[0].info.age), (20, 100));
    reload(&site);
    site.load(&rules(abi::IIPF_FILTER_ADDRESS));
    import(&site, &saved);
    site.later(19);
    assert_eq!(site.states(Default::default()).len(), 1);
    site.later(2);
    assert_eq!(site.states(Default::default()).len(), 0);
    site.end();
}

#[test]
fn a_forward_may_come_before_or_after() {
    let forward = abi::ForwardRec {
        ifname: Name::new("wan0").unwrap(),
        inside: net(HOST, HOST).lo,
        outside_port: 8000,
        inside_port: 80,
        af: 2,
        proto: 17,
        flags: abi::IIPF_FWD_PASS,
        ..Default::default()
    };
    for first in [true, false] {
        let site = site();
        site.ask(&abi::IIPFADDFORWARD, &forward);
        let knock = udp((SERVER, 99), (OUTSIDE, 8000), b"");
        let got = site.back(&knock).unwrap();
        let saved = export(&site);
        reload(&site);
        site.load(&rules(abi::IIPF_FILTER_ADDRESS));
        if first {
            site.ask(&abi::IIPFADDFORWARD, &forward);
        }
        assert_eq!(import(&site, &saved).taken, 1);
        assert_eq!(site.back(&knock), Some(got));
        site.end();
    }
}

#[test]
fn nonsense_is_no_state() {
    let site = site();
    connect(&site);
    let good = export(&site)[0];
    site.ask(&abi::IIPFKILLSTATES, &Default::default());
    let mut bad = [good; 12];
    bad[0].info.af = 3;
    bad[1].info.dir = 0;
    bad[2].info.dir = 3;
    bad[3].info.flags = 0x8000;
    bad[4].info.flags = 0;
    bad[5].info.src.pad = 1;
    bad[6].info.src.addr = [1; 16];
    bad[7].wscale = [15, 0];
    bad[8].info.peer = [6, 2];
    bad[9].filtering = 9;
    bad[10].info.proto = 58;
    bad[11].info.flags |= abi::IIPF_ST_HAIRPIN;
    assert_eq!(import(&site, &bad).bad, 12);
    let mut wrong = [good; 5];
    wrong[0].info.rule = 99;
    wrong[1].info.nat_rule = 99;
    wrong[2].ifname = Name::new("wan9").unwrap();
    wrong[3].info.rule = 3;
    wrong[4].info.nat_src.addr = net("203.0.113.77", "203.0.113.77").lo;
    assert_eq!(import(&site, &wrong).refused, 5);
    assert_eq!(site.states(Default::default()).len(), 0);
    let mut rq = abi::Export::new_zeroed();
    let call = |rq: &abi::Export| site.try_call(&abi::IIPFIMPORT, rq).map(|_| ());
    assert_eq!(call(&rq), Err(KPI_EPROTONOSUPPORT as i32));
    rq.version = abi::IIPF_EXPORT_VERSION;
    rq.count = abi::IIPF_EXPORT_LIST as u32 + 1;
    assert_eq!(call(&rq), Err(KPI_EINVAL as i32));
    let old = abi::ExportReq {
        cursor: 0,
        version: 9,
        pad: 0,
    };
    let got = site.try_call(&abi::IIPFEXPORT, &old).map(|_| ());
    assert_eq!(got, Err(KPI_EPROTONOSUPPORT as i32));
    assert_eq!(import(&site, &[good]).taken, 1);
    site.end();
}
