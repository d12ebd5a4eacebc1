// SPDX-License-Identifier: BSD-2-Clause
//! What can be wrong with records by themselves, and with what they refer to.

use iipf_abi as abi;

use crate::load::Load;
use crate::load::Wrong;

/// The flags that there are.
const IFACE: u32 = abi::IIPF_IFACE_GROUP | abi::IIPF_IFACE_SKIP;
const OPTIONS: u32 = abi::IIPF_O_REASSEMBLE
    | abi::IIPF_O_REASSEMBLE_NO_DF
    | abi::IIPF_O_DEFAULT_BLOCK
    | abi::IIPF_O_EVICT;
const MATCH: u32 = abi::IIPF_M_IF_NEG
    | abi::IIPF_M_PROTO
    | abi::IIPF_M_ICMP_TYPE
    | abi::IIPF_M_ICMP_CODE
    | abi::IIPF_M_DSCP
    | abi::IIPF_M_FRAGMENT
    | abi::IIPF_M_MARK
    | abi::IIPF_M_MARK_NEG;
const STATE: u32 = abi::IIPF_SF_IF_BOUND
    | abi::IIPF_SF_SLOPPY
    | abi::IIPF_SF_SRC_GLOBAL
    | abi::IIPF_SF_FLUSH
    | abi::IIPF_SF_FLUSH_GLOBAL;
const NAT: u32 = abi::IIPF_NF_PAIRED | abi::IIPF_NF_HAIRPIN | abi::IIPF_NF_PASS;
const SET: u32 =
    abi::IIPF_SET_MARK | abi::IIPF_SET_DSCP | abi::IIPF_SET_NO_DF | abi::IIPF_SET_RANDOM_ID;
const ALG: u32 = abi::IIPF_ALG_FTP | abi::IIPF_ALG_TFTP | abi::IIPF_ALG_PPTP;
const RULE: u32 =
    abi::IIPF_R_QUICK | abi::IIPF_R_LOG | abi::IIPF_R_LOG_ALL | abi::IIPF_R_ALLOW_OPTS;

/// More of a sort than the load itself allows.
pub(crate) fn check_limits(load: &Load, options: &abi::OptionsRec) -> Result<(), Wrong> {
    let sorts = [
        (abi::IIPF_LIMIT_RULES, abi::IIPF_KIND_RULE, load.rules.len()),
        (
            abi::IIPF_LIMIT_TABLES,
            abi::IIPF_KIND_TABLE,
            load.tables.len(),
        ),
        (
            abi::IIPF_LIMIT_TABLE_ENTRIES,
            abi::IIPF_KIND_TABLE_ADDR,
            load.addrs.len(),
        ),
    ];
    for (which, kind, n) in sorts {
        let most = options.limits.get(which).copied().unwrap_or(0) as usize;
        if most != 0 && n > most {
            return Err(Wrong::new(abi::IIPF_LE_LIMIT, kind, most));
        }
    }
    if options.flags & !OPTIONS != 0 || options.debug > 3 {
        return Err(Wrong::new(abi::IIPF_LE_VALUE, abi::IIPF_KIND_OPTIONS, 0));
    }
    Ok(())
}

/// Records that stand for themselves.
pub(crate) fn check_records(load: &Load) -> Result<(), Wrong> {
    for (i, rec) in load.ifaces.iter().enumerate() {
        let at = |error| Wrong::new(error, abi::IIPF_KIND_IFACE, i);
        let name = rec.name.as_str().filter(|n| !n.is_empty());
        let name = name.ok_or(at(abi::IIPF_LE_VALUE))?;
        if rec.flags & !IFACE != 0 || rec.pad != 0 {
            return Err(at(abi::IIPF_LE_VALUE));
        }
        let same = |r: &abi::IfaceRec| r.name.as_str() == Some(name) && r.flags == rec.flags;
        if load.ifaces.iter().take(i).any(same) {
            return Err(at(abi::IIPF_LE_DUPLICATE));
        }
    }
    for (i, rec) in load.anchors.iter().enumerate() {
        if rec.parent as usize > i {
            let wrong = Wrong::new(abi::IIPF_LE_REFERENCE, abi::IIPF_KIND_ANCHOR, i);
            return Err(wrong);
        }
    }
    Ok(())
}

/// What can be wrong with a rule but for its conditions.
pub(crate) fn check_rule(load: &Load, r: &abi::RuleRec) -> Result<(), u32> {
    let within = |n: u32, len: usize| n as usize <= len;
    let refers = within(r.label, load.names.len())
        && within(r.file, load.names.len())
        && within(r.anchor, load.anchors.len())
        && within(r.state.overload, load.tables.len())
        && within(r.state.timeouts, load.timeouts.len())
        && within(r.nat.pool, load.pools.len());
    if !refers {
        return Err(abi::IIPF_LE_REFERENCE);
    }
    let known = (abi::IIPF_ACT_PASS..=abi::IIPF_ACT_NPTV6).contains(&r.action);
    let block = r.block <= abi::IIPF_BLOCK_ICMP;
    let state = r.state.mode <= abi::IIPF_STATE_SYNPROXY;
    if !plain(r) {
        return Err(abi::IIPF_LE_VALUE);
    }
    if r.id == 0 || !known || !block || !state || r.nat.port_mode > abi::IIPF_NATPORT_SHIFT {
        return Err(abi::IIPF_LE_VALUE);
    }
    if r.state.max_src_rate != 0 && r.state.max_src_seconds == 0 {
        return Err(abi::IIPF_LE_VALUE);
    }
    let translates = matches!(
        r.action,
        abi::IIPF_ACT_NAT | abi::IIPF_ACT_RDR | abi::IIPF_ACT_BINAT | abi::IIPF_ACT_NPTV6
    );
    if translates != (r.nat.pool != 0) || r.nat.port_lo > r.nat.port_hi {
        return Err(abi::IIPF_LE_CONFLICT);
    }
    if r.action == abi::IIPF_ACT_NAT && !(1..=3).contains(&r.nat.filtering) {
        return Err(abi::IIPF_LE_VALUE);
    }
    let size = r.nat.port_block;
    if r.nat.port_mode == abi::IIPF_NATPORT_BLOCK
        && r.action == abi::IIPF_ACT_NAT
        && !(size.is_power_of_two() && (32..=4_096).contains(&size))
    {
        return Err(abi::IIPF_LE_VALUE);
    }
    Ok(())
}

/// Whether what must be zero is, and no flag is unknown.
fn plain(r: &abi::RuleRec) -> bool {
    let (m, st, nat, set) = (&r.m, &r.state, &r.nat, &r.set);
    let pads = [
        u32::from(m.pad),
        u32::from(m.sport.pad),
        u32::from(m.dport.pad),
        u32::from(nat.pad),
        u32::from(nat.pad2),
        nat.pad3,
        set.pad,
        r.pad,
    ];
    let bytes = m.pad2.iter().chain(&st.pad);
    let flags = [
        (m.flags, MATCH),
        (st.flags, STATE),
        (nat.flags, NAT),
        (set.flags, SET),
        (set.alg, ALG),
        (r.flags, RULE),
    ];
    pads.iter().all(|&n| n == 0)
        && bytes.into_iter().all(|&n| n == 0)
        && flags.iter().all(|(has, known)| has & !known == 0)
}
