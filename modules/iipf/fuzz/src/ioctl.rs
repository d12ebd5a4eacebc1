// SPDX-License-Identifier: BSD-2-Clause
//! The device's commands with any bytes, and rulesets whose records are almost right, while
//! packets pass, time goes by and memory runs out. What is refused changes nothing; what runs can
//! be read back and loaded again.

use super::Input;
use super::rulesets::ruleset;
use super::site::*;
use host::ledger::Fault;
use iipf_abi as abi;
use kabi::FromBytes;
use kabi::Immutable;
use kabi::IntoBytes;

/// A program: one byte says what comes next.
pub fn ioctl(data: &[u8]) {
    let site = Site::new();
    let mut input = Input(data);
    while !input.0.is_empty() {
        let op = input.byte();
        if op & 0x80 != 0 {
            site.kernel
                .fail_nth(Fault::Any, u64::from(input.byte()) + 1);
        }
        step(&site, op & 0x7f, &mut input);
        site.kernel.fail_nth(Fault::Any, 0);
        sane(&site);
    }
    site.end();
}

fn step(site: &Site, op: u8, input: &mut Input<'_>) {
    let commands = abi::ABI.commands;
    match op {
        0..64 => {
            let c = &commands[usize::from(op) % commands.len()];
            let n = u16::from_le_bytes(input.take());
            let mut bytes = input.some(usize::from(n).min(c.request));
            bytes.resize(c.request.max(c.reply), 0);
            let _ = site.kernel.dev_ioctl("iipf", c.cmd, &mut bytes);
        }
        64..80 => {
            let (which, flags) = (input.byte(), u32::from(input.byte()) & 7);
            let mut rules = ruleset(which);
            patched(input, &mut rules.ifaces);
            patched(input, &mut rules.tables);
            patched(input, &mut rules.addrs);
            patched(input, &mut rules.pools);
            patched(input, &mut rules.rules);
            patched(input, std::slice::from_mut(&mut rules.options));
            let before = generation(site);
            let reply = site.attempt(&rules, flags);
            if reply.is_ok_and(|r| r.error == 0) && flags & abi::IIPF_COMMIT_CHECK == 0 {
                assert_eq!(generation(site), before + 1);
            } else {
                assert_eq!(generation(site), before);
            }
        }
        80..88 => {
            let saved = export(site);
            site.ask_kill();
            let _ = import(site, &saved, input);
        }
        88 => site.later(u64::from(input.byte())),
        89 => {
            site.kernel.unload("iipf").expect("is unloaded");
            site.kernel.fail_nth(Fault::Any, 0);
            site.kernel.load(iipf::MODULE.raw()).expect("loads");
        }
        90..94 => {
            let last = input.byte() % 4;
            let addr = ip(&format!("203.0.113.{last}"));
            site.kernel
                .pfil_if_addrs("wan0", &[(addr, 24)])
                .expect("is there");
        }
        _ => {
            let port = u16::from(input.byte()) + 1;
            let packet = match op % 3 {
                0 => udp((HOST, port), (SERVER, 53), b"query"),
                1 => tcp((HOST, port), (SERVER, 80), (1, 0, SYN), b""),
                _ => udp((SERVER, 53), (OUTSIDE, port), b"reply"),
            };
            let dir = if op % 3 == 2 {
                host::pfiltest::Dir::In
            } else {
                host::pfiltest::Dir::Out
            };
            let _ = site.kernel.pfil_run("wan0", dir, &packet, 0);
        }
    }
}

/// Some bytes of records changed.
fn patched<T: IntoBytes + FromBytes + Immutable>(input: &mut Input<'_>, all: &mut [T]) {
    for rec in all {
        let mut bytes = rec.as_bytes().to_vec();
        input.patch(&mut bytes);
        *rec = T::read_from_bytes(&bytes).expect("it is as long as it was");
    }
}

fn generation(site: &Site) -> u64 {
    site.ask(&abi::IIPFSTATUS, &()).generation
}

impl Site {
    fn ask_kill(&self) {
        self.ask(&abi::IIPFKILLSTATES, &abi::StateFilter::default());
    }
}

fn export(site: &Site) -> abi::Export {
    let rq = abi::ExportReq {
        cursor: 0,
        version: abi::IIPF_EXPORT_VERSION,
        pad: 0,
    };
    site.ask(&abi::IIPFEXPORT, &rq)
}

/// States come back, almost as they were.
fn import(site: &Site, saved: &abi::Export, input: &mut Input<'_>) -> Option<abi::ImportReply> {
    let mut again = *saved;
    again.cursor = 0;
    let n = again.count as usize;
    patched(input, &mut again.states[..n]);
    let reply = site.try_call(&abi::IIPFIMPORT, &again).ok()?;
    let sum = reply.taken + reply.exists + reply.refused + reply.bad + reply.full;
    assert_eq!(sum, again.count);
    Some(reply)
}

/// What it says of itself agrees with itself.
fn sane(site: &Site) {
    let st = site.ask(&abi::IIPFSTATUS, &());
    assert_eq!(
        st.inserted - st.removed,
        u64::from(st.used[abi::IIPF_LIMIT_STATES])
    );
    assert!(st.enabled < 2);
    let states = site.states(abi::StateFilter::default());
    assert_eq!(states.len(), st.used[abi::IIPF_LIMIT_STATES] as usize);
    site.maps();
}
