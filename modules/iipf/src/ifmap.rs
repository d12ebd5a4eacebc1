// SPDX-License-Identifier: BSD-2-Clause
//! Interfaces as rules see them: from the system's index to a slot of the classifier.
//!
//! A slot is an interface record of the ruleset, an exact name before a group; what no record
//! names is in slot 255. So an interface that comes later gets its slot without a new compilation.

use iipf_abi as abi;
use kern::cx::MaySleep;
use kern::errno::Result;
use kern::ifnet::IfName;
use kern::mem::KVec;
use kern::pfil;

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

/// One interface.
#[derive(Clone, Copy)]
pub(crate) struct Iface {
    pub ifindex: u32,
    pub name: IfName,
    pub slot: u8,
    pub skip: bool,
    pub up: bool,
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
