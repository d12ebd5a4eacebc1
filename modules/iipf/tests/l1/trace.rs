// SPDX-License-Identifier: BSD-2-Clause
//! Traces: of described packets, which change nothing, and of live ones.

use crate::site::*;
use host::pfiltest::Dir;
use iipf_abi as abi;
use kabi::Name;
use kabi::zerocopy::FromZeros;
use kpi_sys::KPI_EINVAL;
use kpi_sys::KPI_ENXIO;

fn site() -> Site {
    let site = Site::new();
    let mut rules = Rules::default();
    rules.nat(abi::IIPF_FILTER_ADDRESS_PORT, 0);
    rules.filter(abi::IIPF_ACT_PASS, 1, "lan0");
    rules.filter(abi::IIPF_ACT_PASS, 2, "wan0");
    rules.filter(abi::IIPF_ACT_BLOCK, 1, "wan0").block = abi::IIPF_BLOCK_RETURN;
    assert_eq!(site.load(&rules).error, 0);
    site
}

fn described(on: &str, out: &str, dir: u32, packet: &[u8]) -> abi::TracePacket {
    let mut rq = abi::TracePacket::new_zeroed();
    rq.ifname = Name::new(on).unwrap();
    rq.out_ifname = Name::new(out).unwrap();
    rq.dir = dir;
    rq.len = packet.len() as u32;
    rq.packet[..packet.len()].copy_from_slice(packet);
    rq
}

fn steps(reply: &abi::TraceReply) -> Vec<u16> {
    reply.steps[..reply.count as usize]
        .iter()
        .map(|s| s.step)
        .collect()
}

#[test]
fn a_described_packet_goes_all_the_way() {
    let site = site();
    let packet = udp((HOST, 5000), (SERVER, 53), b"query");
    let reply = site.ask(
        &abi::IIPFTRACEPACKET,
        &described("lan0", "wan0", 1, &packet),
    );
    assert_eq!(
        (reply.verdict, reply.generation, reply.dir),
        (abi::IIPF_VERDICT_PASS, 1, 1)
    );
    assert_eq!(&reply.head[..packet.len()], &packet[..]);
    assert_eq!(
        steps(&reply),
        [
            abi::IIPF_STEP_PARSED,
            abi::IIPF_STEP_STATE_NONE,
            abi::IIPF_STEP_FILTER_RULE,
            abi::IIPF_STEP_STATE_MADE,
            abi::IIPF_STEP_ON,
            abi::IIPF_STEP_OUT,
            abi::IIPF_STEP_PARSED,
            abi::IIPF_STEP_STATE_NONE,
            abi::IIPF_STEP_NAT_RULE,
            abi::IIPF_STEP_TRANSLATED,
            abi::IIPF_STEP_FILTER_RULE,
            abi::IIPF_STEP_STATE_MADE,
            abi::IIPF_STEP_ON,
        ]
    );
    assert_eq!(reply.steps[2].rule, 2);
    assert_eq!((reply.steps[8].rule, reply.steps[10].rule), (1, 3));
    assert_eq!(reply.steps[9].src.addr, net(OUTSIDE, OUTSIDE).lo);
    assert_eq!(reply.steps[12].name.as_str(), Some("wan0"));
    // Nothing was made, and nothing counted.
    assert_eq!(
        (site.states(Default::default()).len(), site.maps().len()),
        (0, 0)
    );
    let st = site.ask(&abi::IIPFSTATUS, &());
    assert_eq!((st.inserted, st.passed, st.dropped), (0, 0, 0));
    let rules = site.ask(&abi::IIPFRULESTATS, &Default::default());
    assert!(rules.rules.iter().all(|r| r.packets == [0; 2]));
    site.end();
}

#[test]
fn a_blocked_packet_says_by_which_rule() {
    let site = site();
    let packet = udp((SERVER, 53), (OUTSIDE, 5000), b"");
    let reply = site.ask(&abi::IIPFTRACEPACKET, &described("wan0", "", 1, &packet));
    assert_eq!(reply.verdict, abi::IIPF_VERDICT_DROP);
    let all = &reply.steps[..reply.count as usize];
    let [.., rule, answer, drop] = all else {
        panic!()
    };
    assert_eq!((rule.step, rule.rule), (abi::IIPF_STEP_FILTER_RULE, 4));
    assert_eq!((answer.step, answer.value), (abi::IIPF_STEP_REPLY, 3 << 8));
    assert_eq!(
        (drop.step, drop.name.as_str()),
        (abi::IIPF_STEP_DROP, Some("blocked"))
    );
    let mut short = described("wan0", "", 1, &packet[..21]);
    let reply = site.ask(&abi::IIPFTRACEPACKET, &short);
    assert_eq!((reply.verdict, reply.count), (abi::IIPF_VERDICT_DROP, 1));
    assert_eq!(reply.steps[0].name.as_str(), Some("bad_header"));
    short.packet[0] = 0;
    assert_eq!(
        site.try_call(&abi::IIPFTRACEPACKET, &short).map(|_| ()),
        Err(KPI_EINVAL as i32)
    );
    let nowhere = described("wan7", "", 1, &packet);
    assert_eq!(
        site.try_call(&abi::IIPFTRACEPACKET, &nowhere).map(|_| ()),
        Err(KPI_ENXIO as i32)
    );
    let mut long = described("wan0", "", 1, &packet);
    long.len = abi::IIPF_TRACE_PACKET as u32 + 1;
    assert_eq!(
        site.try_call(&abi::IIPFTRACEPACKET, &long).map(|_| ()),
        Err(KPI_EINVAL as i32)
    );
    site.end();
}

#[test]
fn a_described_packet_finds_the_state_that_is_there() {
    let site = site();
    let packet = udp((HOST, 5000), (SERVER, 53), b"");
    site.out(&packet).unwrap();
    let before = site.states(Default::default());
    let reply = site.ask(&abi::IIPFTRACEPACKET, &described("wan0", "", 2, &packet));
    let [parsed, found, translated, on] = &reply.steps[..reply.count as usize] else {
        panic!("{:?}", steps(&reply));
    };
    assert_eq!(
        (parsed.step, on.step),
        (abi::IIPF_STEP_PARSED, abi::IIPF_STEP_ON)
    );
    assert_eq!(
        (found.step, found.value),
        (abi::IIPF_STEP_STATE_FOUND, before[0].id)
    );
    assert_eq!(translated.src.addr, net(OUTSIDE, OUTSIDE).lo);
    assert_eq!(site.states(Default::default()), before);
    site.end();
}

#[test]
fn live_packets_are_traced_when_armed() {
    let site = site();
    let read = || site.ask(&abi::IIPFTRACEREAD, &());
    assert_eq!(read().count, 0);
    let mut arm = abi::TraceArm {
        count: 2,
        dir: 2,
        filter: abi::StateFilter {
            flags: abi::IIPF_STF_PROTO | abi::IIPF_STF_IF,
            proto: 17,
            ifname: Name::new("wan0").unwrap(),
            ..Default::default()
        },
    };
    site.ask(&abi::IIPFTRACEARM, &arm);
    let packet = |n| udp((HOST, n), (SERVER, 53), b"");
    site.run("lan0", Dir::In, &packet(1));
    for n in 1..4 {
        site.out(&packet(n)).unwrap();
    }
    let one = read();
    assert_eq!(
        (one.more, one.lost, one.verdict, one.dir),
        (1, 0, abi::IIPF_VERDICT_PASS, 2)
    );
    assert_eq!(one.ifname.as_str(), Some("wan0"));
    assert_eq!(&one.head[..28], &packet(1)[..]);
    assert!(steps(&one).contains(&abi::IIPF_STEP_STATE_MADE));
    let last = one.steps[one.count as usize - 1];
    assert_eq!(
        (last.step, last.name.as_str()),
        (abi::IIPF_STEP_ON, Some("wan0"))
    );
    assert_eq!(&read().head[..28], &packet(2)[..]);
    assert_eq!(read().count, 0);
    arm.filter.flags |= abi::IIPF_STF_STALE;
    assert_eq!(
        site.try_call(&abi::IIPFTRACEARM, &arm),
        Err(KPI_EINVAL as i32)
    );
    arm.filter.flags = abi::IIPF_STF_IF;
    arm.filter.ifname = Name::new("wan7").unwrap();
    assert_eq!(
        site.try_call(&abi::IIPFTRACEARM, &arm),
        Err(KPI_ENXIO as i32)
    );
    arm.filter.flags = 0;
    arm.count = abi::IIPF_TRACE_ARM_MAX + 1;
    assert_eq!(
        site.try_call(&abi::IIPFTRACEARM, &arm),
        Err(KPI_EINVAL as i32)
    );
    site.end();
}
