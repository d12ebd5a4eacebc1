// SPDX-License-Identifier: BSD-2-Clause
//! The ioctls: what they set, what they refuse, and that a refusal changes nothing.

use super::site::Case;
use super::site::MY_ID;
use super::site::PEER_ID;
use super::site::PLAIN;
use super::site::RICH;
use super::site::Site;
use super::site::delete_tunnel;
use super::site::get;
use super::site::ids;
use super::site::kernel;
use super::site::set;
use super::site::snapshot;
use super::site::state;
use super::site::tunnel;
use host::errno::Errno;
use host::kernel::Kernel;
use host::ledger::Fault;
use host::port::Link;
use host::wire::WireNet;
use if_l2tp_abi as abi;
use kabi::IntoBytes;
use kpi_sys::kpi_tunnel;
use std::net::IpAddr;
use testkit::packet;

const UDP: Case = Case { udp: true, ..PLAIN };

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Whether frames cross `l2tp0` in both directions.
#[track_caller]
fn works(site: &Site) {
    let frame = packet::frame(60);
    site.packets();
    site.k.if_output("l2tp0", &frame).unwrap();
    assert_eq!(site.packets(), [site.case.sent(&frame)]);
    site.receive(&site.case.message(&frame));
    assert_eq!(site.frames(), [frame]);
}

/// `act` fails with `errno`, and everything is as it was: counters, gauges, answers, traffic.
#[track_caller]
fn refused<R: std::fmt::Debug + PartialEq>(
    site: &Site,
    errno: Errno,
    act: impl FnOnce(&Kernel) -> Result<R, Errno>,
) {
    let answers = |k: &Kernel| {
        let info = k.ifnet("l2tp0").unwrap();
        let req = get(k, "l2tp0", &abi::SIOCGL2TP).unwrap();
        let encap = get(k, "l2tp0", &abi::SIOCGL2TPENCAP).unwrap();
        let tunnel = info.tunnel.map(|t| (t.0.kt_src, t.0.kt_dst));
        (
            req,
            encap,
            tunnel,
            info.running,
            info.link,
            info.mtu,
            info.up,
        )
    };
    let (before, counters) = (answers(&site.k), snapshot(&site.k));
    assert_eq!(act(&site.k), Err(errno));
    assert_eq!(answers(&site.k), before);
    snapshot(&site.k).assert_moved(&counters, &[]);
    works(site);
}

#[test]
fn what_is_set_is_what_is_read() {
    for case in Case::all() {
        let site = Site::new(case);
        let req = get(&site.k, "l2tp0", &abi::SIOCGL2TP).unwrap();
        let expected = abi::L2tpReq {
            state: abi::L2TP_STATE_UP,
            my_sess_id: MY_ID,
            peer_sess_id: PEER_ID,
            ..case.cookies()
        };
        assert_eq!(req, expected);
        assert_eq!(
            get(&site.k, "l2tp0", &abi::SIOCGL2TPENCAP),
            Ok(case.encap())
        );
        let info = site.k.ifnet("l2tp0").unwrap();
        let t = info.tunnel.unwrap().0;
        assert_eq!(
            host::outer::from_bytes(t.kt_af, &t.kt_src),
            Ok(case.addr(1))
        );
        assert_eq!(
            host::outer::from_bytes(t.kt_af, &t.kt_dst),
            Ok(case.addr(2))
        );
        assert_eq!((info.mtu, info.running, info.link), (1500, true, Link::Up));
        let mac = info.lladdr.unwrap();
        assert_eq!(mac[0] & 3, 2, "individual, locally administered");
        works(&site);
        site.done();
    }
}

#[test]
fn a_new_interface_has_nothing() {
    let net = WireNet::new(1);
    let k = kernel("new", &net);
    k.clone_create("l2tp5").unwrap();
    assert_eq!(
        get(&k, "l2tp5", &abi::SIOCGL2TP),
        Ok(abi::L2tpReq::default())
    );
    assert_eq!(
        get(&k, "l2tp5", &abi::SIOCGL2TPENCAP),
        Ok(abi::L2tpEncapReq::default())
    );
    let info = k.ifnet("l2tp5").unwrap();
    assert!(info.tunnel.is_none() && !info.running && !info.up && info.link != Link::Up);
    // Taking away what is not there is no error.
    delete_tunnel(&k, "l2tp5").unwrap();
    set(&k, "l2tp5", &abi::SIOCDL2TPSESSION, &ids(0, 0)).unwrap();
    set(&k, "l2tp5", &abi::SIOCDL2TPCOOKIE, &ids(0, 0)).unwrap();
    k.clone_destroy("l2tp5").unwrap();
    k.shutdown().unwrap();
}

#[test]
fn the_link_follows_tunnel_session_and_state() {
    let site = Site::new(PLAIN);
    let link = || site.k.ifnet("l2tp0").map(|i| (i.running, i.link)).unwrap();
    set(&site.k, "l2tp0", &abi::SIOCSL2TPSTATE, &state(false)).unwrap();
    assert_eq!(link(), (true, Link::Down));
    set(&site.k, "l2tp0", &abi::SIOCSL2TPSTATE, &state(true)).unwrap();
    assert_eq!(link(), (true, Link::Up));
    delete_tunnel(&site.k, "l2tp0").unwrap();
    assert_eq!(link(), (false, Link::Down));
    tunnel(&site.k, "l2tp0", PLAIN.addr(1), PLAIN.addr(2)).unwrap();
    assert_eq!(link(), (true, Link::Up));
    set(&site.k, "l2tp0", &abi::SIOCDL2TPSESSION, &ids(0, 0)).unwrap();
    assert_eq!(link(), (false, Link::Down));
    set(
        &site.k,
        "l2tp0",
        &abi::SIOCSL2TPSESSION,
        &ids(MY_ID, PEER_ID),
    )
    .unwrap();
    works(&site);
    site.done();
}

#[test]
fn a_taken_session_id_is_refused() {
    let site = Site::new(PLAIN);
    site.k.clone_create("l2tp1").unwrap();
    let duplicate = |k: &Kernel| set(k, "l2tp1", &abi::SIOCSL2TPSESSION, &ids(MY_ID, 1));
    refused(&site, Errno::EEXIST, duplicate);
    site.configure("l2tp1", PLAIN, 7, 8);
    refused(&site, Errno::EEXIST, duplicate);
    assert_eq!(
        get(&site.k, "l2tp1", &abi::SIOCGL2TP).unwrap().my_sess_id,
        7
    );
    // The peer's ids may be alike: another peer may deal them out.
    set(&site.k, "l2tp1", &abi::SIOCSL2TPSESSION, &ids(7, PEER_ID)).unwrap();
    // Given up, it is free.
    set(&site.k, "l2tp0", &abi::SIOCDL2TPSESSION, &ids(0, 0)).unwrap();
    duplicate(&site.k).unwrap();
    site.done();
}

#[test]
fn a_new_session_id_moves_the_entry() {
    let site = Site::new(RICH);
    set(&site.k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(99, PEER_ID)).unwrap();
    let frame = packet::frame(60);
    let (old, cookie) = (RICH.message(&frame), &RICH.rx_header()[8..16]);
    site.moves(&[(".no_session", 1)], |site| site.receive(&old));
    let new = [RICH.header(99, cookie), frame.clone()].concat();
    site.moves(&[("l2tp0.ipackets", 1), ("l2tp0.ibytes", 60)], |site| {
        site.receive(&new)
    });
    assert_eq!(site.frames(), [frame]);
    assert_eq!(snapshot(&site.k).get(".sessions"), 1);
    site.done();
}

#[test]
fn wrong_values_are_refused() {
    let site = Site::new(RICH);
    for (my, peer) in [(0, 1), (1, 0), (0, 0)] {
        refused(&site, Errno::EINVAL, |k| {
            set(k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(my, peer))
        });
    }
    for len in [1, 2, 3, 5, 7, 9, 16, u32::MAX] {
        let req = abi::L2tpReq {
            my_cookie_len: len,
            ..RICH.cookies()
        };
        refused(&site, Errno::EINVAL, |k| {
            set(k, "l2tp0", &abi::SIOCSL2TPCOOKIE, &req)
        });
        let req = abi::L2tpReq {
            peer_cookie_len: len,
            ..RICH.cookies()
        };
        refused(&site, Errno::EINVAL, |k| {
            set(k, "l2tp0", &abi::SIOCSL2TPCOOKIE, &req)
        });
    }
    for (len, value) in [(0, 1), (4, 1 << 32)] {
        let req = abi::L2tpReq {
            my_cookie_len: len,
            my_cookie: value,
            ..RICH.cookies()
        };
        refused(&site, Errno::EINVAL, |k| {
            set(k, "l2tp0", &abi::SIOCSL2TPCOOKIE, &req)
        });
    }
    for value in [2, -1, i32::MAX] {
        let req = abi::L2tpReq {
            state: value,
            ..Default::default()
        };
        refused(&site, Errno::EINVAL, |k| {
            set(k, "l2tp0", &abi::SIOCSL2TPSTATE, &req)
        });
    }
    let good = RICH.encap();
    let mut reserved = [0; 4];
    reserved[3] = 1;
    let wrong = [
        abi::L2tpEncapReq { encap: 2, ..good },
        abi::L2tpEncapReq {
            encap: abi::L2TP_ENCAP_IP,
            ..good
        },
        abi::L2tpEncapReq { my_port: 0, ..good },
        abi::L2tpEncapReq {
            peer_port: 0,
            ..good
        },
        abi::L2tpEncapReq {
            sublayer: 2,
            ..good
        },
        abi::L2tpEncapReq { flags: 1, ..good },
        abi::L2tpEncapReq { reserved, ..good },
    ];
    for req in wrong {
        refused(&site, Errno::EINVAL, |k| {
            set(k, "l2tp0", &abi::SIOCSL2TPENCAP, &req)
        });
    }
    site.done();
}

#[test]
fn wrong_addresses_are_refused() {
    let site = Site::new(PLAIN);
    let (us, six) = (PLAIN.addr(1), addr("2001:db8::2"));
    for wrong in ["0.0.0.0", "224.0.0.1"] {
        refused(&site, Errno::EADDRNOTAVAIL, |k| {
            tunnel(k, "l2tp0", us, addr(wrong))
        });
        refused(&site, Errno::EADDRNOTAVAIL, |k| {
            tunnel(k, "l2tp0", addr(wrong), us)
        });
    }
    for wrong in ["::", "ff02::1"] {
        refused(&site, Errno::EADDRNOTAVAIL, |k| {
            tunnel(k, "l2tp0", six, addr(wrong))
        });
    }
    let mut t = kpi_tunnel {
        kt_af: 99,
        kt_pad: 0,
        kt_src: [1; 16],
        kt_dst: [2; 16],
    };
    refused(&site, Errno::EAFNOSUPPORT, |k| {
        k.if_tunnel("l2tp0", kpi_sys::KPI_TUNNEL_SET, &mut t)
    });
    refused(&site, Errno::EINVAL, |k| k.if_tunnel("l2tp0", 77, &mut t));
    site.done();
}

#[test]
fn sizes_and_numbers_are_checked() {
    let site = Site::new(PLAIN);
    let commands = site.k.if_commands("l2tp0").unwrap();
    assert_eq!(
        commands.len(),
        16,
        "eight commands under the numbers of two systems"
    );
    for c in commands {
        for len in [0, c.kc_size as usize - 1, c.kc_size as usize + 1, 4096] {
            refused(&site, Errno::EINVAL, |k| {
                k.if_ioctl("l2tp0", c.kc_cmd, &mut vec![0; len])
            });
        }
    }
    for number in [
        0,
        1,
        u32::MAX,
        abi::SIOCGL2TP.cmd ^ 0x0100,
        abi::SIOCGL2TP.cmd & 0xffff,
    ] {
        refused(&site, Errno::ENOTTY, |k| {
            k.if_ioctl("l2tp0", number, &mut [0; 40])
        });
    }
    site.done();
}

#[test]
fn both_systems_numbers_work() {
    let site = Site::new(PLAIN);
    let mut req = ids(12, 13).as_bytes().to_vec();
    site.k
        .if_ioctl("l2tp0", abi::SIOCSL2TPSESSION.freebsd, &mut req)
        .unwrap();
    let mut buf = vec![0; 40];
    site.k
        .if_ioctl("l2tp0", abi::SIOCGL2TP.freebsd, &mut buf)
        .unwrap();
    let read: abi::L2tpReq = kabi::read_pod(&buf).unwrap();
    assert_eq!((read.my_sess_id, read.peer_sess_id), (12, 13));
    site.done();
}

#[test]
fn mtu_bounds() {
    let site = Site::new(PLAIN);
    for mtu in [0, abi::L2TP_MTU_MIN - 1, abi::L2TP_MTU_MAX + 1, u32::MAX] {
        refused(&site, Errno::EINVAL, |k| k.if_set_mtu("l2tp0", mtu));
    }
    for mtu in [abi::L2TP_MTU_MIN, abi::L2TP_MTU_MAX] {
        site.k.if_set_mtu("l2tp0", mtu).unwrap();
        assert_eq!(site.k.ifnet("l2tp0").unwrap().mtu, mtu);
    }
    site.done();
}

#[test]
fn an_end_in_itself_is_refused() {
    let site = Site::new(PLAIN);
    let us = PLAIN.addr(1);
    // To itself with two ids: another interface here may be the other end.
    tunnel(&site.k, "l2tp0", us, us).unwrap();
    let same = |k: &Kernel| set(k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(5, 5));
    assert_eq!(same(&site.k), Err(Errno::ELOOP));
    tunnel(&site.k, "l2tp0", us, PLAIN.addr(2)).unwrap();
    works(&site);
    same(&site.k).unwrap();
    assert_eq!(tunnel(&site.k, "l2tp0", us, us), Err(Errno::ELOOP));
    site.done();
    let site = Site::new(UDP);
    tunnel(&site.k, "l2tp0", us, us).unwrap();
    // Two ports: two ends.
    set(&site.k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(5, 5)).unwrap();
    let one = abi::L2tpEncapReq {
        peer_port: UDP.encap().my_port,
        ..UDP.encap()
    };
    let result = set(&site.k, "l2tp0", &abi::SIOCSL2TPENCAP, &one);
    assert_eq!(result, Err(Errno::ELOOP));
    site.done();
}

/// Two interfaces of one kernel may be the two ends.
#[test]
fn both_ends_here() {
    let site = Site::new(PLAIN);
    let us = PLAIN.addr(1);
    site.k.clone_create("l2tp1").unwrap();
    site.configure("l2tp1", PLAIN, 2, 1);
    tunnel(&site.k, "l2tp0", us, us).unwrap();
    tunnel(&site.k, "l2tp1", us, us).unwrap();
    set(&site.k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(1, 2)).unwrap();
    site.k.if_output("l2tp0", &packet::frame(60)).unwrap();
    site.net.run();
    assert_eq!(site.k.if_received("l2tp1"), [packet::frame(60)]);
    site.done();
}

/// Somebody else has the endpoint, or the address is not ours: the old path goes on.
#[test]
fn a_path_that_cannot_be_opened_changes_nothing() {
    let site = Site::new(PLAIN);
    let taken = host::outer::End {
        port: 1701,
        proto: 17,
        ..PLAIN.ours()
    };
    let occupant = site.net.peer(taken).unwrap();
    refused(&site, Errno::EADDRINUSE, |k| {
        set(k, "l2tp0", &abi::SIOCSL2TPENCAP, &UDP.encap())
    });
    // A new session id is not left behind by the failure.
    drop(occupant);
    site.done();

    let net = WireNet::new(1);
    let k = kernel("addresses", &net.host(&[addr("192.0.2.1")]));
    k.clone_create("l2tp0").unwrap();
    set(&k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(1, 2)).unwrap();
    let result = tunnel(&k, "l2tp0", addr("192.0.2.9"), addr("192.0.2.2"));
    assert_eq!(result, Err(Errno::EADDRNOTAVAIL));
    assert_eq!(snapshot(&k).get(".endpoints"), 0);
    tunnel(&k, "l2tp0", addr("192.0.2.1"), addr("192.0.2.2")).unwrap();
    assert_eq!(snapshot(&k).get(".endpoints"), 1);
    k.clone_destroy("l2tp0").unwrap();
    k.shutdown().unwrap();
}

/// Each step of the configuration with each allocation failing: told as ENOMEM, and nothing has
/// changed; then it works.
#[test]
fn no_memory_changes_nothing() {
    type Step = fn(&Kernel) -> Result<(), Errno>;
    let steps: [Step; 5] = [
        |k| set(k, "l2tp0", &abi::SIOCSL2TPSESSION, &ids(77, 78)),
        |k| set(k, "l2tp0", &abi::SIOCSL2TPCOOKIE, &PLAIN.cookies()),
        |k| set(k, "l2tp0", &abi::SIOCSL2TPENCAP, &UDP.encap()),
        |k| tunnel(k, "l2tp0", addr("192.0.2.1"), addr("192.0.2.7")),
        |k| set(k, "l2tp0", &abi::SIOCSL2TPSTATE, &state(false)),
    ];
    for step in steps {
        let site = Site::new(RICH);
        set(
            &site.k,
            "l2tp0",
            &abi::SIOCSL2TPENCAP,
            &Case { udp: false, ..RICH }.encap(),
        )
        .unwrap();
        tunnel(&site.k, "l2tp0", addr("192.0.2.1"), addr("192.0.2.2")).unwrap();
        for n in 1.. {
            site.k.fail_nth(Fault::Any, n);
            let before = site.k.home().ledger.memory();
            let result = step(&site.k);
            let hit = !site.k.fail_pending(Fault::Any);
            site.k.fail_nth(Fault::Any, 0);
            if !hit {
                result.unwrap();
                assert!(n > 1, "a step that allocates nothing");
                break;
            }
            assert_eq!(result, Err(Errno::ENOMEM));
            assert_eq!(site.k.home().ledger.memory(), before);
            assert_eq!(
                get(&site.k, "l2tp0", &abi::SIOCGL2TP).unwrap().my_sess_id,
                MY_ID
            );
        }
        site.done();
    }
}
