// SPDX-License-Identifier: BSD-2-Clause
//! The interfaces that rules may name: those that modules attached, and those of doors.
//!
//! *Contexts*: thread. *Locking*: one mutex, held for a look-up or a change.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use kpi_sys::{KPI_IFI_LOOPBACK, KPI_IFI_UP, KPI_IFNAMSIZ, kpi_ifaddr, kpi_ifinfo};

use crate::errno::Errno;
use crate::outer;
use crate::sync::lock;

/// Whether `name` may name an interface: 1 to 15 bytes, printable, without `/` and space.
pub fn valid_name(name: &str) -> bool {
    let fits = !name.is_empty() && name.len() < KPI_IFNAMSIZ as usize;
    fits && name
        .bytes()
        .all(|b| b.is_ascii_graphic() && b != b'/' && b != b':')
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfAddr {
    /// The address.
    pub addr: IpAddr,
    /// Bits of its network.
    pub prefixlen: u8,
}

/// What is known about an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Bytes of an IP packet.
    pub mtu: u32,
    /// Whether it is set up.
    pub up: bool,
    /// Whether it leads back to us.
    pub loopback: bool,
    /// Its addresses.
    pub addrs: Vec<IfAddr>,
}

/// The interfaces of a kernel, by index.
#[derive(Debug, Default)]
pub struct IfReg {
    map: Mutex<Map>,
    last: AtomicU32,
}

/// Both ways to find one: a look-up by name must not slow down with their number.
#[derive(Debug, Default)]
struct Map {
    by_index: BTreeMap<u32, Entry>,
    by_name: HashMap<String, u32>,
}

impl IfReg {
    /// An index that nobody had.
    pub fn next_index(&self) -> u32 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Add one: `EEXIST` when the name is taken.
    pub fn insert(&self, index: u32, entry: Entry) -> Result<(), Errno> {
        let mut map = lock(&self.map);
        if map.by_name.contains_key(&entry.name) {
            return Err(Errno::EEXIST);
        }
        map.by_name.insert(entry.name.clone(), index);
        map.by_index.insert(index, entry);
        Ok(())
    }

    /// Take it away.
    pub fn remove(&self, index: u32) -> bool {
        let mut map = lock(&self.map);
        let entry = map.by_index.remove(&index);
        entry.is_some_and(|e| map.by_name.remove(&e.name).is_some())
    }

    /// Give it another name: `EEXIST`; `ENXIO`.
    pub fn rename(&self, index: u32, name: &str) -> Result<(), Errno> {
        let mut guard = lock(&self.map);
        let map = &mut *guard;
        if map.by_name.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let entry = map.by_index.get_mut(&index).ok_or(Errno::ENXIO)?;
        map.by_name.remove(&entry.name);
        map.by_name.insert(name.to_owned(), index);
        name.clone_into(&mut entry.name);
        Ok(())
    }

    /// Change all but the name of one: whether there is any such and `f` left it another than
    /// before.
    pub fn update(&self, index: u32, f: impl FnOnce(&mut Entry)) -> bool {
        let mut map = lock(&self.map);
        let Some(entry) = map.by_index.get_mut(&index) else {
            return false;
        };
        let before = entry.clone();
        f(entry);
        entry.name.clone_from(&before.name);
        *entry != before
    }

    /// The lowest index above `after`; 0: there is none.
    pub fn next(&self, after: u32) -> u32 {
        let above = (Bound::Excluded(after), Bound::Unbounded);
        lock(&self.map)
            .by_index
            .range(above)
            .next()
            .map_or(0, |(index, _)| *index)
    }

    /// As `kpi_if_info`: `ENXIO`.
    pub fn info(&self, index: u32) -> Result<kpi_ifinfo, Errno> {
        let map = lock(&self.map);
        let entry = map.by_index.get(&index).ok_or(Errno::ENXIO)?;
        let mut ki_name = [0; 16];
        let name = entry.name.as_bytes();
        let name = name.get(..15).unwrap_or(name);
        ki_name[..name.len()].copy_from_slice(name);
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        Ok(kpi_ifinfo {
            ki_name,
            ki_index: index,
            ki_mtu: entry.mtu,
            ki_flags: flag(entry.up, KPI_IFI_UP) | flag(entry.loopback, KPI_IFI_LOOPBACK),
            ki_pad: 0,
        })
    }

    /// As `kpi_if_addr`: `ENXIO`, `ENOENT` behind the last.
    pub fn addr(&self, index: u32, n: u32) -> Result<kpi_ifaddr, Errno> {
        let map = lock(&self.map);
        let entry = map.by_index.get(&index).ok_or(Errno::ENXIO)?;
        let found = entry.addrs.get(n as usize).ok_or(Errno::ENOENT)?;
        let (ka_af, ka_addr) = outer::to_bytes(found.addr);
        Ok(kpi_ifaddr {
            ka_af,
            ka_prefixlen: found.prefixlen.into(),
            ka_addr,
        })
    }

    /// The index of the interface of this name.
    pub fn find(&self, name: &str) -> Option<u32> {
        lock(&self.map).by_name.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.into(),
            mtu: 1500,
            up: true,
            loopback: false,
            addrs: vec![IfAddr {
                addr: "192.0.2.1".parse().expect("is one"),
                prefixlen: 24,
            }],
        }
    }

    #[test]
    fn it_is_walked_by_index_and_has_one_of_a_name() {
        let reg = IfReg::default();
        let (a, b) = (reg.next_index(), reg.next_index());
        assert_eq!(reg.insert(b, entry("b")), Ok(()));
        assert_eq!(reg.insert(a, entry("b")), Err(Errno::EEXIST));
        assert_eq!(reg.insert(a, entry("a")), Ok(()));
        assert_eq!((reg.next(0), reg.next(a), reg.next(b)), (a, b, 0));
        assert_eq!(reg.find("b"), Some(b));
        assert_eq!(reg.rename(a, "b"), Err(Errno::EEXIST));
        assert_eq!(reg.rename(a, "c"), Ok(()));
        assert_eq!((reg.find("a"), reg.find("c")), (None, Some(a)));
        assert!(reg.remove(a) && !reg.remove(a));
        assert_eq!(reg.info(a).map(|i| i.ki_index), Err(Errno::ENXIO));
    }

    #[test]
    fn it_tells_what_holds_now() {
        let reg = IfReg::default();
        let index = reg.next_index();
        reg.insert(index, entry("wan0")).expect("free");
        assert!(!reg.update(index, |e| e.up = true));
        assert!(reg.update(index, |e| e.mtu = 1400));
        let info = reg.info(index).expect("is there");
        assert_eq!(info.ki_name, *b"wan0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!((info.ki_mtu, info.ki_flags), (1400, KPI_IFI_UP));
        let addr = reg.addr(index, 0).expect("has one");
        assert_eq!(
            (addr.ka_prefixlen, &addr.ka_addr[..4]),
            (24, &[192, 0, 2, 1][..])
        );
        assert_eq!(reg.addr(index, 1).map(|a| a.ka_af), Err(Errno::ENOENT));
    }
}
