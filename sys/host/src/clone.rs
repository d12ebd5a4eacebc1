// SPDX-License-Identifier: BSD-2-Clause
//! Cloners: `ifconfig NAMEn create` and `destroy`.
//!
//! *Contexts*: thread. *Locking*: `busy` is held for the whole of a create, a destroy or a detach,
//! upcalls included: one at a time a kernel, as the BSDs do. `map` is held for look-ups only.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use kpi_sys::{KPI_LOG_ERR, kpi_ifcloneops};

use crate::errno::Errno;
use crate::home::Home;
use crate::ifnet::{IfTable, Ifnet};
use crate::ifreg::valid_name;
use crate::ledger::{Fault, Kind};
use crate::sync::lock;

/// Units from here on are refused.
const UNITS: u32 = 1 << 20;

/// What `struct kpi_ifclone` is on the host.
#[derive(Debug)]
pub struct Cloner {
    name: String,
    ops: *const kpi_ifcloneops,
    arg: *mut c_void,
    /// Units in use, and the interfaces' indices; an interface may have been renamed since.
    units: Mutex<BTreeMap<u32, u32>>,
    table: Arc<Cloners>,
}

// SAFETY: by the contract of kpi_ifclone_attach any thread may make the upcalls (one at a time);
// ops is read only, and arg only passed on.
unsafe impl Send for Cloner {}
// SAFETY: as above.
unsafe impl Sync for Cloner {}

/// The cloners of a kernel.
#[derive(Debug)]
pub struct Cloners {
    home: Arc<Home>,
    ifs: Arc<IfTable>,
    map: Mutex<BTreeMap<String, Arc<Cloner>>>,
    busy: Mutex<()>,
}

/// Split "l2tp7" into "l2tp" and unit 7, "l2tp" into "l2tp" and none; `None` for "l2tp07".
fn parse(name: &str) -> Option<(&str, Option<u32>)> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = name.get(stem.len()..)?;
    if digits.is_empty() {
        return Some((stem, None));
    }
    let unit: u32 = digits.parse().ok()?;
    (unit < UNITS && (digits == "0" || !digits.starts_with('0'))).then_some((stem, Some(unit)))
}

impl Cloners {
    /// No cloners yet.
    pub fn new(home: Arc<Home>, ifs: Arc<IfTable>) -> Arc<Cloners> {
        Arc::new(Cloners {
            home,
            ifs,
            map: Mutex::default(),
            busy: Mutex::new(()),
        })
    }

    /// Let interfaces called `name` be created: `EINVAL` for a bad name, `EEXIST`.
    ///
    /// # Safety
    ///
    /// `ops` is a complete table; it and `arg` stay valid until [`Cloner::detach`] has returned.
    pub unsafe fn attach(
        self: &Arc<Self>,
        name: &str,
        ops: *const kpi_ifcloneops,
        arg: *mut c_void,
    ) -> Result<Arc<Cloner>, Errno> {
        if !valid_name(name) || name.ends_with(|c: char| c.is_ascii_digit()) {
            return Err(Errno::EINVAL);
        }
        if self.home.ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        let mut map = lock(&self.map);
        if map.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let units = Mutex::default();
        let cloner = Cloner {
            name: name.to_owned(),
            ops,
            arg,
            units,
            table: Arc::clone(self),
        };
        let cloner = Arc::new(cloner);
        map.insert(name.to_owned(), Arc::clone(&cloner));
        self.home.ledger.born(Kind::Ifclone);
        Ok(cloner)
    }

    /// The names that can be created.
    pub fn names(&self) -> Vec<String> {
        lock(&self.map).keys().cloned().collect()
    }

    /// Create "l2tp7", or with "l2tp" the lowest free unit: the interface's name. `EINVAL`: no
    /// such cloner; `EEXIST`; or what the module says.
    pub fn create(&self, name: &str) -> Result<String, Errno> {
        let (stem, unit) = parse(name).ok_or(Errno::EINVAL)?;
        let _busy = lock(&self.busy);
        let cloner = lock(&self.map).get(stem).cloned().ok_or(Errno::EINVAL)?;
        let taken = |unit: &u32| {
            lock(&cloner.units).contains_key(unit)
                || self.ifs.find(&format!("{stem}{unit}")).is_some()
        };
        let unit = match unit {
            Some(unit) if taken(&unit) => return Err(Errno::EEXIST),
            Some(unit) => unit,
            None => (0..UNITS).find(|unit| !taken(unit)).ok_or(Errno::ENOSPC)?,
        };
        let name = format!("{stem}{unit}");
        if !valid_name(&name) {
            return Err(Errno::EINVAL);
        }
        cloner.create(&name, unit)?;
        Ok(name)
    }

    /// Destroy an interface that was created so: `ENXIO`: there is none such; `EINVAL`: it was not
    /// created so; or what the module says.
    pub fn destroy(&self, name: &str) -> Result<(), Errno> {
        let _busy = lock(&self.busy);
        let ifp = self.ifs.find(name).ok_or(Errno::ENXIO)?;
        let cloners: Vec<_> = lock(&self.map).values().cloned().collect();
        let of = cloners
            .into_iter()
            .find_map(|c| c.unit_of(ifp.index()).map(|unit| (c, unit)));
        let (cloner, unit) = of.ok_or(Errno::EINVAL)?;
        cloner.destroy(&ifp, unit)
    }
}

impl Cloner {
    fn unit_of(&self, index: u32) -> Option<u32> {
        lock(&self.units)
            .iter()
            .find(|(_, i)| **i == index)
            .map(|(unit, _)| *unit)
    }

    fn ops(&self) -> kpi_ifcloneops {
        // SAFETY: valid until detach has returned; callers hold the table's busy lock.
        unsafe { *self.ops }
    }

    fn create(&self, name: &str, unit: u32) -> Result<(), Errno> {
        let call = self.ops().ico_create.ok_or(Errno::EOPNOTSUPP)?;
        let (text, len) = (name.as_ptr().cast(), name.len() as u32);
        // SAFETY: the contract of ico_create.
        let upcall = || unsafe { call(self.arg, text, len, unit) };
        Errno::check(self.table.home.enter(upcall))?;
        let Some(ifp) = self.table.ifs.find(name) else {
            let line = format!("{name}: created by its module but not attached");
            self.table.home.log.put(KPI_LOG_ERR, line.as_bytes());
            return Err(Errno::EIO);
        };
        lock(&self.units).insert(unit, ifp.index());
        Ok(())
    }

    fn destroy(&self, ifp: &Arc<Ifnet>, unit: u32) -> Result<(), Errno> {
        let call = self.ops().ico_destroy.ok_or(Errno::EOPNOTSUPP)?;
        // SAFETY: the contract of ico_destroy; sc is what the interface was attached with.
        let upcall = || unsafe { call(self.arg, ifp.port.sc()) };
        Errno::check(self.table.home.enter(upcall))?;
        lock(&self.units).remove(&unit);
        Ok(())
    }

    /// No more creates; the interfaces that exist are destroyed.
    pub fn detach(&self) {
        let table = &self.table;
        let _busy = lock(&table.busy);
        if lock(&table.map).remove(&self.name).is_none() {
            return;
        }
        for ifp in table.ifs.all() {
            let Some(unit) = self.unit_of(ifp.index()) else {
                continue;
            };
            if let Err(e) = self.destroy(&ifp, unit) {
                let line = format!("{}: cannot be destroyed: {e}", ifp.port.name());
                table.home.log.put(KPI_LOG_ERR, line.as_bytes());
            }
        }
        table.home.ledger.died(Kind::Ifclone);
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn names_and_units() {
        assert_eq!(parse("l2tp"), Some(("l2tp", None)));
        assert_eq!(parse("l2tp0"), Some(("l2tp", Some(0))));
        assert_eq!(parse("l2tp1048575"), Some(("l2tp", Some(1_048_575))));
        assert_eq!(parse("l2tp1048576"), None);
        assert_eq!(parse("l2tp07"), None);
        assert_eq!(parse("l2tp99999999999"), None);
        assert_eq!(parse("7"), Some(("", Some(7))));
    }
}
