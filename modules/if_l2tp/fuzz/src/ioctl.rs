// SPDX-License-Identifier: BSD-2-Clause
//! The ioctl dispatcher: any commands with any bytes, on interfaces that come and go and carry
//! packets meanwhile. What it answers can be set again, and nothing leaks.

use super::Input;
use host::errno::Errno;
use host::kernel::Config;
use host::kernel::Kernel;
use host::ledger::Fault;
use host::wire::WireNet;
use if_l2tp_abi as abi;
use kabi::IntoBytes;
use kpi_sys::kpi_tunnel;

/// A program for the dispatcher: one byte says what comes next.
pub fn ioctl(data: &[u8]) {
    let net = WireNet::new(1);
    let k = Kernel::new(Config::test("fuzz", &net));
    k.load(if_l2tp::MODULE.raw()).expect("loads");
    k.clone_create("l2tp0").expect("is created");
    let commands = k.if_commands("l2tp0").expect("is there");
    let mut input = Input(data);
    while !input.0.is_empty() {
        let op = input.byte();
        // Few interfaces, few ids: so that they meet.
        let name = if op & 0x80 == 0 { "l2tp0" } else { "l2tp1" };
        if op & 0x40 != 0 {
            k.fail_nth(Fault::Any, u64::from(input.byte() % 16) + 1);
        }
        step(&k, &net, name, op & 0x1f, &commands, &mut input);
        k.fail_nth(Fault::Any, 0);
        for name in ["l2tp0", "l2tp1"] {
            sane(&k, name);
        }
    }
    net.run();
    for ifnet in k.ifnets() {
        k.clone_destroy(&ifnet.name).expect("is destroyed");
    }
    k.shutdown().expect("nothing is leaked");
}

fn step(
    k: &Kernel,
    net: &WireNet,
    name: &str,
    op: u8,
    commands: &[kpi_sys::kpi_ifcmd],
    input: &mut Input<'_>,
) {
    match op {
        0..16 => {
            let c = commands[usize::from(op) % commands.len()];
            let mut bytes = input.some(c.kc_size as usize);
            let _ = k.if_ioctl(name, c.kc_cmd, &mut bytes);
        }
        16 => {
            let number = u32::from_le_bytes(input.take());
            let n = input.byte().into();
            let mut bytes = input.some(n);
            let _ = k.if_ioctl(name, number, &mut bytes);
        }
        17..20 => {
            let op = u32::from(op) - 16;
            let mut t = kpi_tunnel {
                kt_af: if input.byte() & 1 == 0 { 2 } else { 10 },
                kt_pad: 0,
                kt_src: input.take(),
                kt_dst: input.take(),
            };
            let _ = k.if_tunnel(name, op, &mut t);
        }
        20 => {
            let mut t = kpi_tunnel {
                kt_af: u32::from_le_bytes(input.take()),
                kt_pad: u32::from_le_bytes(input.take()),
                kt_src: input.take(),
                kt_dst: input.take(),
            };
            let _ = k.if_tunnel(name, input.byte().into(), &mut t);
        }
        21 => {
            let mtu = u32::from(u16::from_le_bytes(input.take()));
            let result = k.if_set_mtu(name, mtu);
            let good = (abi::L2TP_MTU_MIN..=abi::L2TP_MTU_MAX).contains(&mtu);
            assert!(matches!(result, Err(Errno::ENXIO)) || result.is_ok() == good);
        }
        22 => drop(k.if_set_up(name, true)),
        23 => drop(k.if_set_up(name, false)),
        24 => drop(k.clone_create(name)),
        25 => drop(k.clone_destroy(name)),
        26 => {
            let n = input.byte().into();
            let _ = k.if_output(name, &input.some(n));
        }
        27 => {
            let n = input.byte().into();
            net.inject(&input.some(n));
        }
        28 => drop(k.unload("if_l2tp").map(|()| k.load(if_l2tp::MODULE.raw()))),
        29 => {
            let (mut cursor, mut buf) = (u64::from_le_bytes(input.take()), [0; 512]);
            let _ = k.kstat_read("if_l2tp", &mut cursor, &mut buf);
        }
        _ => drop((0..16).take_while(|_| net.step()).count()),
    }
}

/// What the interface says of itself is what one could have told it.
fn sane(k: &Kernel, name: &str) {
    let mut bytes = [0; size_of::<abi::L2tpReq>()];
    if k.if_ioctl(name, abi::SIOCGL2TP.cmd, &mut bytes).is_err() {
        return;
    }
    let req: abi::L2tpReq = kabi::read_pod(&bytes).expect("as long as it is");
    for len in [req.my_cookie_len, req.peer_cookie_len] {
        assert!(matches!(len, 0 | 4 | 8));
    }
    assert_eq!(req.my_sess_id == 0, req.peer_sess_id == 0);
    let again = |number: u32, bytes: &[u8]| {
        let result = k.if_ioctl(name, number, &mut bytes.to_vec());
        result.expect("what it answers it takes");
    };
    again(abi::SIOCSL2TPCOOKIE.cmd, req.as_bytes());
    again(abi::SIOCSL2TPSTATE.cmd, req.as_bytes());
    if req.my_sess_id != 0 {
        again(abi::SIOCSL2TPSESSION.cmd, req.as_bytes());
    }
    let mut bytes = [0; size_of::<abi::L2tpEncapReq>()];
    let result = k.if_ioctl(name, abi::SIOCGL2TPENCAP.cmd, &mut bytes);
    result.expect("the other one answered");
    again(abi::SIOCSL2TPENCAP.cmd, &bytes);
}
