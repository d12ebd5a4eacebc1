// SPDX-License-Identifier: BSD-2-Clause
//! Interfaces as rules see them: from the system's index to a slot of the classifier.
//!
//! A slot is an interface record of the ruleset, an exact name before a group; what no record
//! names is in slot 255. So an interface that comes later gets its slot without a new compilation.

use iipf_abi as abi;
use kern::cx::MaySleep;
use kern::errno::Result;
use kern::ifnet::IfName;
use kern::mem::KArc;
use kern::mem::KVec;
use kern::pfil;
use kern::pfil::Dir;
use kern::pfil::Rx;
use kern::stats::Counters;

use classify::IfSet;

/// The slot of interfaces that no record names.
pub(crate) const OTHER: u8 = 255;

/// One address of an interface.
#[derive(Clone, Copy)]
pub(crate) struct Addr {
    pub ifindex: u32,
    pub six: bool,
    pub addr: u128,
    pub prefixlen: u8,
}

impl Addr {
    /// Whether another address lies in its network.
    pub fn near(&self, other: u128) -> bool {
        let all = if self.six { 128 } else { 32u32 };
        let host = all.saturating_sub(u32::from(self.prefixlen));
        (self.addr ^ other).checked_shr(host).unwrap_or(0) == 0
    }
}

kern::counters! {
    /// Packets that were judged, as [`abi::IfInfo::packets`] has them.
    pub enum IfCtr {
        In4Passed = "in4_passed", "IPv4 packets passed in";
        In4Dropped = "in4_dropped", "IPv4 packets dropped in";
        Out4Passed = "out4_passed", "IPv4 packets passed out";
        Out4Dropped = "out4_dropped", "IPv4 packets dropped out";
        In6Passed = "in6_passed", "IPv6 packets passed in";
        In6Dropped = "in6_dropped", "IPv6 packets dropped in";
        Out6Passed = "out6_passed", "IPv6 packets passed out";
        Out6Dropped = "out6_dropped", "IPv6 packets dropped out";
    }
}

/// All of them: passed and dropped.
pub(crate) const IF_CTRS: [[IfCtr; 2]; 4] = [
    [IfCtr::In4Passed, IfCtr::In4Dropped],
    [IfCtr::Out4Passed, IfCtr::Out4Dropped],
    [IfCtr::In6Passed, IfCtr::In6Dropped],
    [IfCtr::Out6Passed, IfCtr::Out6Dropped],
];

/// What is counted of an interface, from one map and ruleset to the next. Per CPU, and one line of
/// it: a packet costs one addition.
pub(crate) struct IfStats {
    pub ifindex: u32,
    pub name: IfName,
    pub packets: Counters<IfCtr>,
}

impl IfStats {
    /// Whether it is this interface's.
    pub fn of(&self, iface: &Iface) -> bool {
        self.ifindex == iface.ifindex && self.name.as_str() == iface.name.as_str()
    }

    /// Packets in and out.
    pub fn both(&self) -> [u64; 2] {
        let sum = |[pass, drop]: [IfCtr; 2]| {
            let packets = &self.packets;
            packets.sum(pass).wrapping_add(packets.sum(drop))
        };
        let [in4, out4, in6, out6] = IF_CTRS.map(sum);
        [in4.wrapping_add(in6), out4.wrapping_add(out6)]
    }
}

/// The counters of all interfaces that there are.
#[derive(Default)]
pub(crate) struct IfCounts {
    pub list: KVec<KArc<IfStats>>,
    /// Packets in and out of those that are gone.
    pub gone: [u64; 2],
}

impl IfCounts {
    /// Those of an interface, made if need be.
    fn get<C: MaySleep>(&mut self, cx: &mut C, iface: &Iface) -> Result<KArc<IfStats>> {
        if let Some(known) = self.list.iter().find(|s| s.of(iface)) {
            return Ok(known.clone());
        }
        let stats = IfStats {
            ifindex: iface.ifindex,
            name: iface.name,
            packets: Counters::new(cx)?,
        };
        let stats = KArc::new(cx, stats)?;
        self.list.push(cx, stats.clone())?;
        Ok(stats)
    }

    /// Forgets interfaces that are not there any more.
    pub fn keep(&mut self, there: impl Fn(&IfStats) -> bool) {
        while let Some(at) = self.list.iter().position(|s| !there(s)) {
            let Some(gone) = self.list.swap_remove(at) else {
                return;
            };
            for (sum, n) in self.gone.iter_mut().zip(gone.both()) {
                *sum = sum.wrapping_add(n);
            }
        }
    }
}

/// One interface.
#[derive(Clone)]
pub(crate) struct Iface {
    pub ifindex: u32,
    pub name: IfName,
    pub slot: u8,
    pub skip: bool,
    pub up: bool,
    /// Bytes of an IP packet.
    pub mtu: u32,
    /// Of those that packets are judged by.
    pub stats: Option<KArc<IfStats>>,
}

impl Iface {
    /// Counts a packet that was judged.
    #[inline]
    pub fn count(&self, rx: &Rx, dropped: bool) {
        let out = usize::from(rx.dir == Dir::Out);
        let six = usize::from(rx.af == pfil::Af::V6);
        let pair = IF_CTRS.get(out | six << 1);
        if let (Some(stats), Some([pass, drop])) = (&self.stats, pair) {
            stats.packets.inc(if dropped { *drop } else { *pass });
        }
    }
}

/// Every interface that there is.
pub(crate) struct IfMap {
    /// In order of their index.
    pub ifs: KVec<Iface>,
    pub addrs: KVec<Addr>,
}

/// Whether a record means an interface: 2 by its name, 1 by its group, 0 not.
pub(crate) fn means(rec: &abi::IfaceRec, name: &str) -> u8 {
    let Some(wanted) = rec.name.as_str() else {
        return 0;
    };
    if rec.flags & abi::IIPF_IFACE_GROUP == 0 {
        return if wanted == name { 2 } else { 0 };
    }
    let unit = name.strip_prefix(wanted).unwrap_or("");
    u8::from(!unit.is_empty() && unit.bytes().all(|b| b.is_ascii_digit()))
}

/// The slot of a name: its place in the records.
fn slot(records: &[abi::IfaceRec], name: &str) -> u8 {
    let best = |least: u8| records.iter().position(|r| means(r, name) >= least);
    let at = best(2).or_else(|| best(1));
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(OTHER)
}

/// The slots that a record means: its own, and of a group those of interfaces named by themselves.
pub(crate) fn slots(records: &[abi::IfaceRec], at: usize) -> IfSet {
    let Some(rec) = records.get(at) else {
        return IfSet::NONE;
    };
    let mut set = IfSet::NONE;
    for (i, other) in records.iter().enumerate() {
        let Ok(slot) = u8::try_from(i) else { break };
        let exact = other.flags & abi::IIPF_IFACE_GROUP == 0;
        let name = other.name.as_str().unwrap_or("");
        if i == at || (exact && means(rec, name) > 0) {
            set = set.with(slot);
        }
    }
    set
}

impl IfMap {
    /// As it is now.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn read<C: MaySleep>(cx: &mut C, records: &[abi::IfaceRec]) -> Result<IfMap> {
        let mut ifs = KVec::new();
        let mut addrs = KVec::new();
        let mut result = Ok(());
        pfil::interfaces(cx, |cx, info| {
            let name = info.name.as_str();
            let skip = |r: &&abi::IfaceRec| r.flags & abi::IIPF_IFACE_SKIP != 0;
            let iface = Iface {
                ifindex: info.index,
                name: info.name,
                slot: slot(records, name),
                skip: records.iter().filter(skip).any(|r| means(r, name) > 0),
                up: info.up,
                mtu: info.mtu,
                stats: None,
            };
            if let Err(e) = ifs.push(cx, iface) {
                result = Err(e);
            }
            let gone = pfil::addresses(cx, info.index, |cx, a| {
                let (six, addr) = match a.addr {
                    core::net::IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
                    core::net::IpAddr::V6(v6) => (true, u128::from(v6)),
                };
                let addr = Addr {
                    ifindex: info.index,
                    six,
                    addr,
                    prefixlen: a.prefixlen,
                };
                if let Err(e) = addrs.push(cx, addr) {
                    result = Err(e);
                }
            });
            // It went meanwhile: another call will say so.
            let _ = gone;
        });
        result?;
        kern::sort::by_key(&mut ifs, |i| i.ifindex);
        Ok(IfMap { ifs, addrs })
    }

    /// Has packets of all interfaces counted.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn counted<C: MaySleep>(&mut self, cx: &mut C, counts: &mut IfCounts) -> Result {
        for iface in self.ifs.iter_mut() {
            iface.stats = Some(counts.get(cx, iface)?);
        }
        Ok(())
    }

    /// The interface of an index.
    #[inline]
    pub fn get(&self, ifindex: u32) -> Option<&Iface> {
        // Indices are mostly 1, 2, 3 ...: look there first.
        let near = self.ifs.get(ifindex.wrapping_sub(1) as usize);
        if near.is_some_and(|i| i.ifindex == ifindex) {
            return near;
        }
        let at = self
            .ifs
            .binary_search_by_key(&ifindex, |i| i.ifindex)
            .ok()?;
        self.ifs.get(at)
    }

    /// Whether an interface has that address.
    pub fn has(&self, six: bool, addr: u128) -> bool {
        self.addrs.iter().any(|a| a.six == six && a.addr == addr)
    }

    /// The interface of a name.
    pub fn named(&self, name: &str) -> Option<&Iface> {
        self.ifs.iter().find(|i| i.name.as_str() == name)
    }

    /// The addresses of what a record means.
    pub fn of<'m>(&'m self, rec: &'m abi::IfaceRec) -> impl Iterator<Item = &'m Addr> {
        let means = |a: &&Addr| {
            let iface = self.get(a.ifindex);
            iface.is_some_and(|i| means(rec, i.name.as_str()) > 0)
        };
        self.addrs.iter().filter(means)
    }
}

/// Whether an IPv6 address is link-local.
pub(crate) fn link_local(six: bool, addr: u128) -> bool {
    six && addr >> 118 == 0x3fa
}
