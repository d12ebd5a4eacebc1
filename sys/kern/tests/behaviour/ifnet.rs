// SPDX-License-Identifier: BSD-2-Clause
//! Interfaces that no driver has attached yet.

use super::in_kernel;
use super::with_every_allocation_failing;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::errno::Result;
use kern::ifnet::IfName;
use kern::ifnet::IfStat;
use kern::ifnet::Ifnet;
use kern::ifnet::Params;
use kern::mbuf::Mbuf;

fn alloc(cx: &mut Thread, name: &str) -> Result<Ifnet> {
    let params = Params {
        name: IfName::new(name.as_bytes()).unwrap(),
        unit: 0,
        mtu: 1500,
        lladdr: [2, 0, 0, 0, 0, 1],
    };
    Ifnet::alloc(cx, &params)
}

#[test]
fn names_have_1_to_15_bytes() {
    assert!(IfName::new(b"").is_none() && IfName::new(&[b'x'; 16]).is_none());
    assert_eq!(IfName::new(&[b'x'; 15]).unwrap().as_str(), "x".repeat(15));
    assert_eq!(IfName::new(&[0xff]).unwrap().as_str(), "?");
}

/// Twice through one interface is a loop; through more than the limit is taken for one.
#[test]
fn nesting_is_bounded() {
    in_kernel("nesting", |_, cx| {
        let ifs = ["x0", "x1", "x2"].map(|name| alloc(cx, name).unwrap());
        let mut m = Mbuf::get(20, 0).unwrap();
        assert_eq!(ifs[0].check_nesting(&mut m, 2), Ok(()));
        assert_eq!(ifs[0].check_nesting(&mut m, 2), Err(Errno::ELOOP));
        assert_eq!(ifs[1].check_nesting(&mut m, 2), Ok(()));
        assert_eq!(ifs[2].check_nesting(&mut m, 2), Err(Errno::ELOOP));
        // The marks outlive new headers, new flags and a copy.
        let mut m = m.prepend(&[0; 40]).unwrap();
        m.renew();
        let mut twin = m.dup().unwrap();
        for ifnet in &ifs {
            assert_eq!(ifnet.check_nesting(&mut m, 2), Err(Errno::ELOOP));
            assert_eq!(ifnet.check_nesting(&mut twin, 2), Err(Errno::ELOOP));
        }
        let mut fresh = Mbuf::get(20, 0).unwrap();
        assert_eq!(ifs[0].check_nesting(&mut fresh, 2), Ok(()));
    });
}

/// Put into an interface that is not attached, a packet is freed; nothing else happens.
#[test]
fn an_interface_that_is_not_attached_takes_nothing() {
    in_kernel("detached", |k, cx| {
        let ifnet = alloc(cx, "x0").unwrap();
        assert_eq!((ifnet.name(), ifnet.mtu()), ("x0", 1500));
        ifnet.input(cx, Mbuf::get(20, 0).unwrap());
        ifnet.count(IfStat::Noproto, 1);
        ifnet.set_link(cx, true);
        ifnet.set_running(cx, true);
        assert!(k.ifnets().is_empty());
        assert_eq!(k.home().ledger.mbufs(), 0);
    });
}

#[test]
fn every_allocation_may_fail() {
    with_every_allocation_failing("ifnet", |cx| alloc(cx, "x0").map(drop));
}
