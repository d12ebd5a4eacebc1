// SPDX-License-Identifier: BSD-2-Clause
//! Named sources of statistics, as kstat(8) reads them.
//!
//! *Contexts*: thread. *Locking*: each source has a mutex that is held while it is read;
//! withdrawing it takes that mutex, and so waits for a reader.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use crate::errno::Errno;
use crate::home::Home;
use crate::ledger::{Fault, Kind};
use crate::sync::lock;

/// A module's function, as `kpi_kstat_read` in `kpi_misc.h`.
pub type Read = unsafe extern "C" fn(*mut c_void, *mut u64, *mut u8, u32) -> u32;

#[derive(Debug)]
struct Source {
    read: Read,
    arg: *mut c_void,
}

// SAFETY: by the contract of kpi_kstat_attach any thread may call read(arg); we only pass arg on.
unsafe impl Send for Source {}

/// What `struct kpi_kstat` is on the host.
#[derive(Debug)]
pub struct Kstat {
    name: String,
    /// `None` once withdrawn.
    source: Mutex<Option<Source>>,
    table: Arc<Kstats>,
}

/// All sources of a kernel.
#[derive(Debug)]
pub struct Kstats {
    home: Arc<Home>,
    map: Mutex<BTreeMap<String, Arc<Kstat>>>,
}

impl Kstats {
    /// No sources yet.
    pub fn new(home: Arc<Home>) -> Arc<Kstats> {
        Arc::new(Kstats {
            home,
            map: Mutex::default(),
        })
    }

    /// Publish `read(arg)` under `name`; `EEXIST` when the name is taken.
    pub fn attach(
        self: &Arc<Self>,
        name: &str,
        read: Read,
        arg: *mut c_void,
    ) -> Result<Arc<Kstat>, Errno> {
        if self.home.ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        let mut map = lock(&self.map);
        if map.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let source = Mutex::new(Some(Source { read, arg }));
        let kstat = Arc::new(Kstat {
            name: name.to_owned(),
            source,
            table: Arc::clone(self),
        });
        map.insert(name.to_owned(), Arc::clone(&kstat));
        self.home.ledger.born(Kind::Kstat);
        Ok(kstat)
    }

    /// The names published.
    pub fn names(&self) -> Vec<String> {
        lock(&self.map).keys().cloned().collect()
    }

    /// Records of `name` from `cursor` on into `buf`: their bytes, 0 at the end.
    pub fn read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let kstat = lock(&self.map).get(name).cloned().ok_or(Errno::ENOENT)?;
        let guard = lock(&kstat.source);
        let source = guard.as_ref().ok_or(Errno::ENOENT)?;
        let cap = u32::try_from(buf.len()).unwrap_or(u32::MAX);
        let call = || {
            // SAFETY: read and arg are valid until detach, which waits for the lock that we hold;
            // cursor and buf are ours.
            unsafe { (source.read)(source.arg, cursor, buf.as_mut_ptr(), cap) }
        };
        let n = self.home.enter(call) as usize;
        if n > buf.len() {
            Err(Errno::EIO)
        } else {
            Ok(n)
        }
    }
}

impl Kstat {
    /// Withdraw it; waits for a read that runs.
    pub fn detach(&self) {
        lock(&self.table.map).remove(&self.name);
        if lock(&self.source).take().is_some() {
            self.table.home.ledger.died(Kind::Kstat);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockKind;
    use crate::home;

    /// Two records of one byte.
    unsafe extern "C" fn two(_: *mut c_void, cursor: *mut u64, buf: *mut u8, cap: u32) -> u32 {
        // SAFETY: the contract of kpi_kstat_read.
        let at = unsafe { &mut *cursor };
        if *at == 2 || cap == 0 {
            return 0;
        }
        *at += 1;
        // SAFETY: cap is not 0.
        unsafe { buf.write(*at as u8) };
        1
    }

    #[test]
    fn reads_by_cursor_until_withdrawn() {
        let home = home::for_test(ClockKind::Virtual);
        let table = Kstats::new(Arc::clone(&home));
        let kstat = table
            .attach("l2tp", two, std::ptr::null_mut())
            .expect("free name");
        assert_eq!(
            table.attach("l2tp", two, std::ptr::null_mut()).map(|_| ()),
            Err(Errno::EEXIST)
        );
        assert_eq!(table.names(), ["l2tp"]);
        let (mut cursor, mut buf) = (0, [0; 8]);
        assert_eq!(table.read("l2tp", &mut cursor, &mut buf), Ok(1));
        assert_eq!(buf[0], 1);
        assert_eq!(table.read("l2tp", &mut cursor, &mut buf), Ok(1));
        assert_eq!(table.read("l2tp", &mut cursor, &mut buf), Ok(0));
        kstat.detach();
        assert_eq!(
            table.read("l2tp", &mut cursor, &mut buf),
            Err(Errno::ENOENT)
        );
        assert!(home.ledger.leaks().is_empty());
    }
}
