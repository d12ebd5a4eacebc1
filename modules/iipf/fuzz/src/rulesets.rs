// SPDX-License-Identifier: BSD-2-Clause
//! A few rulesets that differ in what they exercise.

use super::site::Rules;
use super::site::SERVER;
use super::site::net;
use iipf_abi as abi;
use kabi::Name;

/// How many there are.
pub const RULESETS: u8 = 5;

/// Ruleset `n`.
pub fn ruleset(n: u8) -> Rules {
    let mut r = Rules::default();
    r.options.flags = abi::IIPF_O_REASSEMBLE;
    match n % RULESETS {
        0 => {
            r.nat(abi::IIPF_FILTER_ENDPOINT, abi::IIPF_NF_HAIRPIN);
            r.filter(abi::IIPF_ACT_PASS, 0, "").set.max_mss = 1_400;
        }
        1 => {
            let nat = r.nat(abi::IIPF_FILTER_ADDRESS, 0);
            nat.nat.max_per_host = 3;
            nat.set.alg = abi::IIPF_ALG_FTP | abi::IIPF_ALG_TFTP | abi::IIPF_ALG_PPTP;
            r.filter(abi::IIPF_ACT_PASS, 2, "wan0");
            r.filter(abi::IIPF_ACT_BLOCK, 1, "wan0").block = abi::IIPF_BLOCK_RETURN;
            r.filter(abi::IIPF_ACT_PASS, 0, "lan0").state.max_src_states = 4;
        }
        2 => {
            let nat = r
                .nat(abi::IIPF_FILTER_ADDRESS_PORT, abi::IIPF_NF_HAIRPIN)
                .nat;
            let last = r.rules.last_mut().expect("it was just made");
            last.nat = abi::NatRec {
                port_mode: abi::IIPF_NATPORT_BLOCK,
                port_block: 64,
                ..nat
            };
            r.filter(abi::IIPF_ACT_PASS, 0, "").flags = abi::IIPF_R_ALLOW_OPTS;
        }
        3 => {
            r.table("them", abi::IIPF_TABLE_COUNTERS | abi::IIPF_TABLE_REPLACE);
            r.addrs.push(abi::TableAddrRec {
                table: 1,
                af: 2,
                prefixlen: 32,
                addr: net(SERVER, SERVER).lo,
                ..Default::default()
            });
            r.rdr("203.0.113.1", 80, "192.168.1.10");
            let pass = r.filter(abi::IIPF_ACT_PASS, 1, "wan0");
            pass.state.mode = abi::IIPF_STATE_SYNPROXY;
            pass.m.flags = abi::IIPF_M_PROTO;
            pass.m.proto = 6;
            let block = r.filter(abi::IIPF_ACT_BLOCK, 1, "wan0");
            block.m.src.kind = abi::IIPF_ADDR_TABLE;
            block.m.src.index = 1;
            let pass = r.filter(abi::IIPF_ACT_PASS, 0, "");
            pass.state.mode = abi::IIPF_STATE_NONE;
            pass.set.flags = abi::IIPF_SET_NO_DF | abi::IIPF_SET_DSCP | abi::IIPF_SET_RANDOM_ID;
            pass.set.min_ttl = 70;
        }
        _ => {
            r.options.flags |= abi::IIPF_O_DEFAULT_BLOCK | abi::IIPF_O_EVICT;
            r.options.limits[abi::IIPF_LIMIT_STATES] = 4;
            r.nat(abi::IIPF_FILTER_ENDPOINT, abi::IIPF_NF_PASS);
            let pass = r.filter(abi::IIPF_ACT_PASS, 0, "");
            pass.state.flags = abi::IIPF_SF_SLOPPY | abi::IIPF_SF_IF_BOUND;
            pass.flags = abi::IIPF_R_LOG | abi::IIPF_R_LOG_ALL;
        }
    }
    r.ifaces.push(abi::IfaceRec {
        name: Name::new("wan").expect("it is short"),
        flags: abi::IIPF_IFACE_GROUP,
        pad: 0,
    });
    r
}
