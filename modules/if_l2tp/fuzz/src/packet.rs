// SPDX-License-Identifier: BSD-2-Clause
//! Packets in both directions: each is delivered, sent, passed on or counted, exactly one of these.

use super::Input;
use host::kernel::Config;
use host::kernel::Kernel;
use host::ledger::Fault;
use host::ledger::Faults;
use host::ledger::Split;
use host::outer;
use host::outer::End;
use host::wire::WireNet;
use host::wire::WirePeer;
use if_l2tp_abi as abi;
use kabi::IntoBytes;
use kpi_sys::KPI_TUNNEL_SET;
use kpi_sys::kpi_tunnel;
use std::net::IpAddr;
use testkit::Snapshot;

/// A kernel with pseudowires of all kinds, made once a thread.
struct Live {
    k: Kernel,
    net: WireNet,
    wires: Vec<Wire>,
}

struct Wire {
    name: String,
    ours: End,
    peer: WirePeer,
}

/// IPv6, UDP, bytes of cookie, sublayer.
const KINDS: [(bool, bool, u32, u32); 4] = [
    (false, false, 0, abi::L2TP_SUBLAYER_NONE),
    (false, true, 4, abi::L2TP_SUBLAYER_NONE),
    (true, false, 8, abi::L2TP_SUBLAYER_DEFAULT),
    (true, true, 0, abi::L2TP_SUBLAYER_DEFAULT),
];

/// Session id of the first wire; the next ones count up.
pub(crate) const FIRST_ID: u32 = 0x0000_0101;

/// All cookies: every byte is this.
pub(crate) const COOKIE_BYTE: u8 = 0xc0;

impl Live {
    fn new() -> Live {
        let net = WireNet::new(1);
        let k = Kernel::new(Config::test("fuzz", &net));
        k.load(if_l2tp::MODULE.raw()).expect("loads");
        let wires = (0..)
            .zip(KINDS)
            .map(|(n, kind)| wire(&k, &net, n, kind))
            .collect();
        Live { k, net, wires }
    }

    fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::new();
        let read = |cursor: &mut u64, buf: &mut [u8]| {
            self.k
                .kstat_read("if_l2tp", cursor, buf)
                .expect("is published")
        };
        for buffer in testkit::counters::read_all(1 << 16, read) {
            all.add_records(&buffer);
        }
        all
    }
}

fn wire(k: &Kernel, net: &WireNet, n: u32, kind: (bool, bool, u32, u32)) -> Wire {
    let (v6, udp, cookie, sublayer) = kind;
    let addr = |host: u32| -> IpAddr {
        let text = if v6 { "2001:db8::" } else { "192.0.2." };
        format!("{text}{host}").parse().expect("an address")
    };
    let (proto, port) = if udp { (17, 1701) } else { (115, 0) };
    let name = k.clone_create("l2tp").expect("is created");
    let set = |number: u32, mut bytes: Vec<u8>| {
        k.if_ioctl(&name, number, &mut bytes).expect("is accepted");
    };
    let encap = abi::L2tpEncapReq {
        encap: u32::from(udp),
        my_port: port,
        peer_port: port,
        sublayer,
        ..Default::default()
    };
    set(abi::SIOCSL2TPENCAP.cmd, encap.as_bytes().to_vec());
    let value = match cookie {
        0 => 0,
        4 => u64::from(u32::from_ne_bytes([COOKIE_BYTE; 4])),
        _ => u64::from_ne_bytes([COOKIE_BYTE; 8]),
    };
    let req = abi::L2tpReq {
        my_sess_id: FIRST_ID + n,
        peer_sess_id: FIRST_ID + n,
        my_cookie_len: cookie,
        my_cookie: value,
        peer_cookie_len: cookie,
        peer_cookie: value,
        state: abi::L2TP_STATE_UP,
        pad: 0,
    };
    for command in [
        abi::SIOCSL2TPSESSION,
        abi::SIOCSL2TPCOOKIE,
        abi::SIOCSL2TPSTATE,
    ] {
        set(command.cmd, req.as_bytes().to_vec());
    }
    let ((kt_af, kt_src), (_, kt_dst)) = (outer::to_bytes(addr(1)), outer::to_bytes(addr(2)));
    let mut t = kpi_tunnel {
        kt_af,
        kt_pad: 0,
        kt_src,
        kt_dst,
    };
    k.if_tunnel(&name, KPI_TUNNEL_SET, &mut t)
        .expect("is accepted");
    k.if_set_up(&name, true).expect("comes up");
    let end = |host| End {
        addr: addr(host),
        proto,
        port,
    };
    let peer = net.peer(end(2)).expect("is free");
    Wire {
        name,
        ours: end(1),
        peer,
    }
}

thread_local! {
    static LIVE: Live = Live::new();
}

/// The first two bytes say which wire, which way and under which faults; the rest is the packet.
pub fn packet(data: &[u8]) {
    LIVE.with(|live| run(live, data));
}

fn run(live: &Live, data: &[u8]) {
    let mut input = Input(data);
    let (how, at) = (input.byte(), input.byte());
    let bytes = input.0;
    let split = match how >> 2 & 3 {
        0 => Split::None,
        1 => Split::Each,
        _ => Split::At(at.into()),
    };
    live.k.set_faults(&Faults {
        split,
        readonly: how & 0x10 != 0,
        outer_headers: how & 0x20 != 0,
        fail_mbuf: if how & 0x40 != 0 {
            u64::from(at % 4) + 1
        } else {
            0
        },
        ..Faults::default()
    });
    let wire = &live.wires[usize::from(how & 3)];
    let before = live.snapshot();
    let refused = live.net.stats().refused;
    let (mut happened, mut sent) = (0, false);
    if how & 0x80 == 0 {
        if wire.peer.send(&wire.ours, bytes).is_err() {
            return;
        }
        live.net.run();
        happened += live.net.stats().refused - refused;
    } else {
        let result = live.k.if_output(&wire.name, bytes);
        assert_eq!(live.net.in_flight(), usize::from(result.is_ok()));
        sent = result.is_ok();
        happened += u64::from(sent);
        live.net.run();
    }
    live.k.fail_nth(Fault::Mbuf, 0);
    for wire in &live.wires {
        for frame in live.k.if_received(&wire.name) {
            assert!(bytes.ends_with(&frame) && frame.len() >= 14);
            happened += 1;
        }
        while let Some((_, payload)) = wire.peer.recv() {
            assert!(sent && payload.ends_with(bytes));
        }
    }
    // All other counters count drops.
    let others = ["rx_vlan", "rx_sequenced"];
    let after = live.snapshot();
    for name in after
        .names()
        .filter(|name| !others.iter().any(|o| name.ends_with(o)))
    {
        happened += after.get(name) - before.get(name);
    }
    assert_eq!(
        happened, 1,
        "delivered, sent, passed on or counted: one of these"
    );
    assert_eq!(live.k.home().ledger.mbufs(), 0, "packets were leaked");
}
