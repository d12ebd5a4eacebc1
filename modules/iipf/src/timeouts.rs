// SPDX-License-Identifier: BSD-2-Clause
//! Timeouts, from records to what runs and back.

use flow::timeouts::Class;
use flow::timeouts::Timeouts;
use iipf_abi as abi;
use kern::cx::MaySleep;
use kern::mem::KVec;

use crate::load::Load;
use crate::load::Wrong;

const NO_MEMORY: u32 = abi::IIPF_LE_MEMORY;

/// The global timeouts, then those of records, each on top of the global ones.
#[inline(never)]
pub(crate) fn all_timeouts<C: MaySleep>(
    cx: &mut C,
    load: &Load,
    options: &abi::OptionsRec,
) -> Result<KVec<Timeouts>, Wrong> {
    let wrong = |kind, i| move |error| Wrong::new(error, kind, i);
    let mut base = Timeouts::new();
    base.set(Class::Mapping, crate::worker::MAP_IDLE);
    let global = timeouts(&base, &options.timeouts);
    let global = global.map_err(wrong(abi::IIPF_KIND_OPTIONS, 0))?;
    let mut all = KVec::new();
    let full = |_| Wrong::new(NO_MEMORY, abi::IIPF_KIND_TIMEOUTS, 0);
    all.push(cx, global).map_err(full)?;
    for (i, rec) in load.timeouts.iter().enumerate() {
        let one = timeouts(&global, rec).map_err(wrong(abi::IIPF_KIND_TIMEOUTS, i))?;
        all.push(cx, one).map_err(full)?;
    }
    Ok(all)
}

/// Where each `IIPF_TM_*` goes.
const CLASSES: [(usize, &[Class]); 19] = [
    (abi::IIPF_TM_TCP_FIRST, &[Class::TcpFirst]),
    (abi::IIPF_TM_TCP_OPENING, &[Class::TcpOpening]),
    (abi::IIPF_TM_TCP_ESTABLISHED, &[Class::TcpEstablished]),
    (abi::IIPF_TM_TCP_CLOSING, &[Class::TcpClosing]),
    (abi::IIPF_TM_TCP_FINWAIT, &[Class::TcpFinWait]),
    (abi::IIPF_TM_TCP_CLOSED, &[Class::TcpClosed]),
    (abi::IIPF_TM_UDP_FIRST, &[Class::UdpFirst]),
    (abi::IIPF_TM_UDP_SINGLE, &[Class::UdpSingle]),
    (abi::IIPF_TM_UDP_MULTIPLE, &[Class::UdpMultiple]),
    (abi::IIPF_TM_ICMP_FIRST, &[Class::IcmpFirst]),
    (abi::IIPF_TM_ICMP_REPLY, &[Class::IcmpMultiple]),
    (abi::IIPF_TM_OTHER_FIRST, &[Class::OtherFirst]),
    (abi::IIPF_TM_OTHER_SINGLE, &[Class::OtherSingle]),
    (abi::IIPF_TM_OTHER_MULTIPLE, &[Class::OtherMultiple]),
    (
        abi::IIPF_TM_GRE,
        &[Class::TunnelFirst, Class::TunnelMultiple],
    ),
    (abi::IIPF_TM_ESP, &[Class::EspFirst, Class::EspMultiple]),
    (abi::IIPF_TM_FRAG, &[Class::Fragment]),
    (abi::IIPF_TM_SRC_TRACK, &[Class::Source]),
    (abi::IIPF_TM_MAPPING, &[Class::Mapping]),
];

/// As records have it, with the defaults put in.
pub(crate) fn timeouts_rec(t: &Timeouts) -> abi::TimeoutsRec {
    let mut rec = abi::TimeoutsRec::default();
    let mut put = |i: usize, value: u32| {
        if let Some(slot) = rec.values.get_mut(i) {
            *slot = value;
        }
    };
    for (i, classes) in &CLASSES {
        if let Some(class) = classes.last() {
            put(*i, t.get(*class));
        }
    }
    let (start, end) = t.adaptive();
    put(abi::IIPF_TM_INTERVAL, crate::worker::TICK / 1_000);
    put(abi::IIPF_TM_ADAPTIVE_START, start);
    put(abi::IIPF_TM_ADAPTIVE_END, end);
    rec
}

fn timeouts(base: &Timeouts, rec: &abi::TimeoutsRec) -> Result<Timeouts, u32> {
    let get = |i: usize| {
        rec.values
            .get(i)
            .copied()
            .filter(|&v| v != abi::IIPF_TM_DEFAULT)
    };
    let mut t = *base;
    for &(i, classes) in &CLASSES {
        let Some(secs) = get(i) else { continue };
        if secs > abi::IIPF_TM_MAX {
            return Err(abi::IIPF_LE_VALUE);
        }
        for &class in classes {
            t.set(class, secs);
        }
    }
    if get(abi::IIPF_TM_BLOCK).is_some() {
        return Err(abi::IIPF_LE_VALUE);
    }
    let (start, end) = base.adaptive();
    let start = get(abi::IIPF_TM_ADAPTIVE_START).unwrap_or(start);
    let end = get(abi::IIPF_TM_ADAPTIVE_END).unwrap_or(end);
    if start == 0 {
        t.adapt(0, 0).map_err(|_| abi::IIPF_LE_CONFLICT)?;
    } else {
        t.adapt(start, end).map_err(|_| abi::IIPF_LE_CONFLICT)?;
    }
    Ok(t)
}
