// SPDX-License-Identifier: BSD-2-Clause
//! A kernel's inline pairs, for who configures it.
//!
//! *Contexts*: thread. *Locking*: the list's mutex is held for a look-up or a change, not while a
//! pair is made or unmade.

use std::path::Path;
use std::sync::Arc;

use crate::errno::Errno;
use crate::ifreg::valid_name;
use crate::inline::Pair;
use crate::kernel::Kernel;
use crate::sync::lock;

pub use crate::inline::restore;

impl Kernel {
    /// Put the new tap `tap` before the OS's interface `physical`, whose addresses and routes it
    /// gets; `dir` keeps what [`restore`] needs if this process is killed.
    ///
    /// # Errors
    ///
    /// A sentence; all is as it was then.
    pub fn pair_create(&self, tap: &str, physical: &str, dir: &Path) -> Result<(), String> {
        if !valid_name(tap) {
            return Err(format!("{tap}: not a name of an interface"));
        }
        let pfils = &self.0.pfils;
        let pair = Pair::open(&self.0.home, pfils, (tap, physical), dir)?;
        lock(&self.0.pairs).push(Arc::new(pair));
        Ok(())
    }

    /// Take a pair away, and give its interface back what it had: `ENXIO`.
    pub fn pair_destroy(&self, tap: &str) -> Result<(), Errno> {
        let pair = self.pair(tap).ok_or(Errno::ENXIO)?;
        lock(&self.0.pairs).retain(|p| !Arc::ptr_eq(p, &pair));
        pair.close();
        Ok(())
    }

    /// The pairs, the oldest first: tap and interface.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let pairs = lock(&self.0.pairs).clone();
        let names = |p: &Arc<Pair>| (p.port().name(), p.physical());
        pairs.iter().map(names).collect()
    }
}
