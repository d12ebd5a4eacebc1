// SPDX-License-Identifier: BSD-2-Clause
//! What the verbs ask of a kernel, and how interfaces are shown: against a recorder that answers
//! as if_l2tp does.

#![forbid(unsafe_code)]

use if_l2tp_abi::{
    L2tpEncapReq, L2tpReq, SIOCDL2TPSESSION, SIOCGL2TP, SIOCGL2TPENCAP, SIOCSL2TPCOOKIE,
    SIOCSL2TPENCAP, SIOCSL2TPSESSION, SIOCSL2TPSTATE,
};
use kabi::ctl::{Header, IFF_LINK_UP, IFF_RUNNING, IFF_UP, IfEntry, Op, Tunnel, Value};
use kabi::{IntoBytes, Name, read_pod};
use libifconfig::{parse, run, text, views};
use libkctl::{Errno, Kernel, Transport};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct State {
    log: Vec<String>,
    l2tp: L2tpReq,
    encap: L2tpEncapReq,
    tunnel: Option<Tunnel>,
    refuse: Option<(Op, Errno)>,
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<State>>);

impl Transport for Recorder {
    fn call(&mut self, header: Header, payload: &[u8]) -> libkctl::Result<(Header, Vec<u8>)> {
        let mut s = self.0.lock().unwrap();
        let op = Op::from_raw(header.op).expect("an operation");
        let mut reply = Header { cmd: 0, ..header };
        let mut out = Vec::new();
        if let Some((refused, errno)) = s.refuse
            && refused == op
        {
            reply.errno = errno.0;
            return Ok((reply, out));
        }
        match op {
            Op::IfCreate => reply.ifname = Name::new("l2tp3").unwrap(),
            Op::IfTunnelSet => s.tunnel = read_pod(payload),
            Op::IfSetMtu => {
                let v: Value = read_pod(payload).unwrap();
                s.log.push(format!("mtu {}", v.value));
            }
            Op::IfList => out = entry(s.tunnel).as_bytes().to_vec(),
            Op::IfIoctl => {
                out = payload.to_vec();
                match header.cmd {
                    c if SIOCGL2TP.is(c) => out = s.l2tp.as_bytes().to_vec(),
                    c if SIOCGL2TPENCAP.is(c) => out = s.encap.as_bytes().to_vec(),
                    c if SIOCSL2TPENCAP.is(c) => s.encap = read_pod(payload).unwrap(),
                    c if SIOCSL2TPCOOKIE.is(c) => {
                        let r: L2tpReq = read_pod(payload).unwrap();
                        s.l2tp = L2tpReq {
                            state: s.l2tp.state,
                            my_sess_id: s.l2tp.my_sess_id,
                            peer_sess_id: s.l2tp.peer_sess_id,
                            ..r
                        };
                    }
                    c if SIOCSL2TPSESSION.is(c) => {
                        let r: L2tpReq = read_pod(payload).unwrap();
                        s.l2tp.my_sess_id = r.my_sess_id;
                        s.l2tp.peer_sess_id = r.peer_sess_id;
                    }
                    c if SIOCSL2TPSTATE.is(c) => {
                        s.l2tp.state = read_pod::<L2tpReq>(payload).unwrap().state;
                    }
                    c => assert!(SIOCDL2TPSESSION.is(c), "{c:#x}"),
                }
                s.log.push(format!("ioctl {:#x}", header.cmd));
            }
            _ => {}
        }
        if op != Op::IfIoctl && op != Op::IfSetMtu {
            s.log.push(format!("{op:?} {}", header.ifname));
        }
        Ok((reply, out))
    }
}

fn entry(tunnel: Option<Tunnel>) -> IfEntry {
    IfEntry {
        name: Name::new("l2tp3").unwrap(),
        index: 7,
        mtu: 1500,
        flags: IFF_UP | IFF_RUNNING | IFF_LINK_UP,
        lladdr: [2, 0, 0, 0, 0, 0xab],
        pad: [0; 6],
        stats: [1, 2, 3, 4, 5, 6, 7, 8, 9],
        tunnel: tunnel.unwrap_or(Tunnel {
            af: 0,
            pad: 0,
            src: [0; 16],
            dst: [0; 16],
        }),
    }
}

fn ifconfig(r: &Recorder, line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let command = parse(&words)?;
    let done = run(&mut Kernel::over(Box::new(r.clone())), &command)?;
    Ok(if done.chosen {
        done.name
    } else {
        String::new()
    })
}

#[test]
fn a_created_interface_is_what_the_other_verbs_are_about() {
    let r = Recorder::default();
    assert_eq!(ifconfig(&r, "l2tp create mtu 1400 up").unwrap(), "l2tp3");
    assert_eq!(
        r.0.lock().unwrap().log,
        ["IfCreate l2tp", "mtu 1400", "IfSetUp l2tp3"]
    );
}

#[test]
fn after_name_the_new_name_counts() {
    let r = Recorder::default();
    assert_eq!(ifconfig(&r, "l2tp3 name wan0 up").unwrap(), "");
    assert_eq!(r.0.lock().unwrap().log, ["IfRename l2tp3", "IfSetUp wan0"]);
}

#[test]
fn session_also_sets_the_state_up() {
    let r = Recorder::default();
    ifconfig(&r, "l2tp3 session 100 200").unwrap();
    let s = r.0.lock().unwrap();
    assert_eq!(s.log, ["ioctl 0x80906997", "ioctl 0x8090699b"]);
    assert_eq!(
        (s.l2tp.my_sess_id, s.l2tp.peer_sess_id, s.l2tp.state),
        (100, 200, 1)
    );
}

#[test]
fn ports_mean_udp_and_encap_keeps_them() {
    let r = Recorder::default();
    ifconfig(
        &r,
        "l2tp3 tunnel 192.0.2.1,5000 192.0.2.2,5001 encap udp sublayer default",
    )
    .unwrap();
    let encap = r.0.lock().unwrap().encap;
    assert_eq!(
        (encap.encap, encap.my_port, encap.peer_port, encap.sublayer),
        (1, 5000, 5001, 1)
    );
    ifconfig(&r, "l2tp3 encap ip").unwrap();
    let encap = r.0.lock().unwrap().encap;
    assert_eq!(
        (encap.encap, encap.my_port, encap.peer_port, encap.sublayer),
        (0, 0, 0, 1)
    );
    ifconfig(&r, "l2tp3 encap udp").unwrap();
    let encap = r.0.lock().unwrap().encap;
    assert_eq!(
        (encap.encap, encap.my_port, encap.peer_port),
        (1, 1701, 1701)
    );
}

#[test]
fn refusals_are_explained_and_end_the_line() {
    for (line, op, errno, said) in [
        (
            "l2tp3 mtu 100",
            Op::IfSetMtu,
            Errno::EINVAL,
            "l2tp3: mtu 100: out of range; an L2TPv3 interface takes 576..9216",
        ),
        (
            "l2tp3 session 5 6",
            Op::IfIoctl,
            Errno::EEXIST,
            "l2tp3: session 5 6: another interface has this session id (EEXIST)",
        ),
        (
            "l2tp3 tunnel 192.0.2.1 192.0.2.2",
            Op::IfTunnelSet,
            Errno::EADDRNOTAVAIL,
            "l2tp3: tunnel 192.0.2.1 192.0.2.2: the first address is not of this machine (EADDRNOTAVAIL)",
        ),
        (
            "l2tp3 up",
            Op::IfSetUp,
            Errno::ENXIO,
            "l2tp3: up: no such interface; make it with create (ENXIO)",
        ),
        (
            "l2tp3 up",
            Op::IfSetUp,
            Errno::ENOBUFS,
            "l2tp3: up: no buffer space available (ENOBUFS)",
        ),
    ] {
        let r = Recorder::default();
        r.0.lock().unwrap().refuse = Some((op, errno));
        assert_eq!(
            ifconfig(&r, &format!("{line} name never0")).unwrap_err(),
            said
        );
        assert!(
            !r.0.lock().unwrap().log.iter().any(|l| l.contains("Rename")),
            "it went on"
        );
    }
}

#[test]
fn shown_as_text_and_json() {
    let r = Recorder::default();
    ifconfig(
        &r,
        "l2tp3 tunnel 192.0.2.1,5000 192.0.2.2,5001 session 100 200 cookie 4 0xabcd 8 0x1122334455667788",
    )
    .unwrap();
    let mut kernel = Kernel::over(Box::new(r));
    let brief = views(&mut kernel, Some("l2tp3"), false).unwrap();
    let wanted = "l2tp3: flags=41<UP,RUNNING> metric 0 mtu 1500\n\
        \ttunnel inet 192.0.2.1 --> 192.0.2.2\n\
        \tsession 100 --> 200 state up\n\
        \tcookie 4 bytes --> 8 bytes\n\
        \tencap udp port 5000 --> 5001 sublayer none\n\
        \taddress: 02:00:00:00:00:ab\n\
        \tstatus: active\n";
    assert_eq!(text(&brief[0], false), wanted);
    let json = serde_json::to_value(&brief).unwrap();
    assert_eq!(
        json,
        serde_json::json!([{
            "name": "l2tp3", "index": 7, "mtu": 1500, "flags": ["UP", "RUNNING"],
            "status": "active", "address": "02:00:00:00:00:ab",
            "tunnel": {"family": "inet", "src": "192.0.2.1", "dst": "192.0.2.2"},
            "l2tp": {
                "state": "up", "session": {"my": 100, "peer": 200},
                "cookie_len": {"my": 4, "peer": 8},
                "encap": {"proto": "udp", "port": {"my": 5000, "peer": 5001}, "sublayer": "none"},
            },
            "stats": {
                "ipackets": 1, "ierrors": 2, "ibytes": 3, "iqdrops": 4, "noproto": 5,
                "opackets": 6, "oerrors": 7, "obytes": 8, "oqdrops": 9,
            },
        }])
    );
    let full = views(&mut kernel, None, true).unwrap();
    let shown = text(&full[0], true);
    assert!(
        shown.contains("\tcookie 4 0x0000abcd --> 8 0x1122334455667788\n"),
        "{shown}"
    );
    assert!(
        shown.contains("\tinput: 1 packets, 3 bytes, 2 errors, 4 drops\n"),
        "{shown}"
    );
    assert!(views(&mut kernel, Some("l2tp9"), false).unwrap().is_empty());
}
