// SPDX-License-Identifier: BSD-2-Clause
//! What one kernel has handed out and not got back, and the faults it injects.
//!
//! *Contexts*: any. *Locking*: none; counters are per thread or relaxed.
//!
//! Ledgers are never freed, only reused when they balance: an mbuf or a piece of memory names its
//! ledger by a plain reference, so that counting costs no reference count of its own.

use std::cell::Cell;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::thread::Counters;

/// Where a packet that a door delivers is cut into segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// One segment.
    #[default]
    None,
    /// Two segments, the second begins at this byte; at 0 the first one is empty.
    At(u32),
    /// Each byte is a segment of its own.
    Each,
}

/// Checks and faults of a kernel.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Red zones and poison around memory and packets; off for benchmarks and real use.
    pub checks: bool,
    /// How each packet that a door delivers is cut.
    pub split: Split,
    /// A door keeps a second reference to what it delivers: all bytes are read-only.
    pub readonly: bool,
    /// Wires leave the outer headers in front (`kr_off` > 0), as the BSDs do.
    pub outer_headers: bool,
    /// The nth allocation of memory from now fails, once; 0: none.
    pub fail_memory: u64,
    /// The nth allocation for a packet from now fails, once; 0: none.
    pub fail_mbuf: u64,
    /// The nth allocation of either sort from now fails, once; 0: none.
    pub fail_any: u64,
}

impl Default for Faults {
    /// Checks on, no faults: for tests.
    fn default() -> Self {
        Self {
            checks: true,
            ..Self::none()
        }
    }
}

impl Faults {
    /// No checks and no faults: for real use and benchmarks.
    pub fn none() -> Self {
        Self {
            checks: false,
            split: Split::None,
            readonly: false,
            outer_headers: false,
            fail_memory: 0,
            fail_mbuf: 0,
            fail_any: 0,
        }
    }
}

/// What an allocation is for; see [`Faults`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kpi_alloc` and the objects that kpi functions create.
    Memory,
    /// Packets.
    Mbuf,
    /// Either.
    Any,
}

/// Things counted one by one, besides packets and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `kpi_mutex_create`
    Mutex,
    /// `kpi_callout_create`
    Callout,
    /// `kpi_if_alloc`
    Ifnet,
    /// `kpi_ifclone_attach`
    Ifclone,
    /// `kpi_encap_open`
    Encap,
    /// `kpi_path_open`
    Path,
    /// `kpi_kstat_attach`
    Kstat,
    /// `kpi_pfil_alloc`
    Pfil,
    /// `kpi_cdev_attach`
    Cdev,
    /// `kpi_spin_init`
    Spin,
    /// `kpi_task_create`
    Task,
    /// `kpi_iflog_attach`
    Iflog,
}

const KINDS: [(Kind, &str); 12] = [
    (Kind::Mutex, "mutexes"),
    (Kind::Callout, "callouts"),
    (Kind::Ifnet, "ifnets"),
    (Kind::Ifclone, "cloners"),
    (Kind::Encap, "encaps"),
    (Kind::Path, "paths"),
    (Kind::Kstat, "kstats"),
    (Kind::Pfil, "hooks"),
    (Kind::Cdev, "devices"),
    (Kind::Spin, "spins"),
    (Kind::Task, "tasks"),
    (Kind::Iflog, "packet logs"),
];

const MBUFS: usize = 0;
const PIECES: usize = 1;
const BYTES: usize = 2;

/// See the module's text.
#[derive(Debug)]
pub struct Ledger {
    hot: Counters<3>,
    kinds: [AtomicI64; KINDS.len()],
    /// A kernel has it.
    in_use: AtomicBool,
    checks: AtomicBool,
    readonly: AtomicBool,
    outer_headers: AtomicBool,
    split: AtomicU64,
    countdown: [AtomicU64; 3],
}

/// For threads that are in no kernel.
static STRAY: Ledger = Ledger::new();
/// All others.
static ALL: Mutex<Vec<&'static Ledger>> = Mutex::new(Vec::new());

thread_local! {
    static CURRENT: Cell<&'static Ledger> = const { Cell::new(&STRAY) };
}

impl Ledger {
    const fn new() -> Self {
        Self {
            hot: Counters::new(),
            kinds: [const { AtomicI64::new(0) }; KINDS.len()],
            in_use: AtomicBool::new(false),
            checks: AtomicBool::new(true),
            readonly: AtomicBool::new(false),
            outer_headers: AtomicBool::new(false),
            split: AtomicU64::new(0),
            countdown: [const { AtomicU64::new(0) }; 3],
        }
    }

    /// A balanced ledger with these faults, for a new kernel.
    pub(crate) fn open(faults: &Faults) -> &'static Ledger {
        let mut all = ALL.lock().unwrap_or_else(|e| e.into_inner());
        let free =
            |ledger: &&&Ledger| !ledger.in_use.load(Ordering::Acquire) && ledger.leaks().is_empty();
        let ledger = all.iter().find(free).copied().unwrap_or_else(|| {
            let new: &'static Ledger = Box::leak(Box::new(Ledger::new()));
            all.push(new);
            new
        });
        ledger.in_use.store(true, Ordering::Relaxed);
        ledger.set_faults(faults);
        ledger
    }

    /// Its kernel is gone: it is used again as soon as nothing can still refer to it.
    pub(crate) fn close(&self) {
        self.in_use.store(false, Ordering::Release);
    }

    /// The ledger of the kernel that this thread is in.
    pub fn current() -> &'static Ledger {
        CURRENT.get()
    }

    /// Make `ledger` the current one; returns the one before.
    pub(crate) fn set_current(ledger: &'static Ledger) -> &'static Ledger {
        CURRENT.replace(ledger)
    }

    /// Set checks and faults anew; what was handed out under checks stays checked.
    pub fn set_faults(&self, faults: &Faults) {
        self.checks.store(faults.checks, Ordering::Relaxed);
        self.readonly.store(faults.readonly, Ordering::Relaxed);
        self.outer_headers
            .store(faults.outer_headers, Ordering::Relaxed);
        self.set_split(faults.split);
        self.fail(Fault::Memory, faults.fail_memory);
        self.fail(Fault::Mbuf, faults.fail_mbuf);
        self.fail(Fault::Any, faults.fail_any);
    }

    /// See [`Faults::checks`].
    pub fn checks(&self) -> bool {
        self.checks.load(Ordering::Relaxed)
    }

    /// See [`Faults::readonly`].
    pub fn readonly(&self) -> bool {
        self.readonly.load(Ordering::Relaxed)
    }

    /// See [`Faults::outer_headers`].
    pub fn outer_headers(&self) -> bool {
        self.outer_headers.load(Ordering::Relaxed)
    }

    /// How doors cut what they deliver.
    pub fn split(&self) -> Split {
        match self.split.load(Ordering::Relaxed) {
            0 => Split::None,
            1 => Split::Each,
            n => Split::At((n - 2) as u32),
        }
    }

    /// Change how doors cut what they deliver.
    pub fn set_split(&self, split: Split) {
        let n = match split {
            Split::None => 0,
            Split::Each => 1,
            Split::At(k) => u64::from(k) + 2,
        };
        self.split.store(n, Ordering::Relaxed);
    }

    /// Let the `n`th allocation from now fail, once (1: the next); 0 lets none fail.
    pub fn fail(&self, fault: Fault, n: u64) {
        self.countdown[fault as usize].store(n, Ordering::Relaxed);
    }

    /// Whether a failure that [`Ledger::fail`] ordered is still to come.
    pub fn fail_pending(&self, fault: Fault) -> bool {
        self.countdown[fault as usize].load(Ordering::Relaxed) != 0
    }

    /// One allocation is about to be made: whether it must fail.
    pub(crate) fn strike(&self, fault: Fault) -> bool {
        let hit = |cell: &AtomicU64| {
            cell.load(Ordering::Relaxed) != 0
                && cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    == Ok(1)
        };
        // Both counts go down, also when the first one strikes.
        let own = hit(&self.countdown[fault as usize]);
        hit(&self.countdown[Fault::Any as usize]) || own
    }

    pub(crate) fn mbuf_born(&self) {
        self.hot.add(MBUFS, 1);
    }

    pub(crate) fn mbuf_died(&self) {
        self.hot.add(MBUFS, 1u64.wrapping_neg());
    }

    pub(crate) fn memory_taken(&self, bytes: usize) {
        self.hot.add(PIECES, 1);
        self.hot.add(BYTES, bytes as u64);
    }

    pub(crate) fn memory_given(&self, bytes: usize) {
        self.hot.add(PIECES, 1u64.wrapping_neg());
        self.hot.add(BYTES, (bytes as u64).wrapping_neg());
    }

    /// Packets not freed.
    pub fn mbufs(&self) -> i64 {
        self.hot.sum(MBUFS) as i64
    }

    /// Pieces of memory not freed, and their bytes.
    pub fn memory(&self) -> (i64, i64) {
        (self.hot.sum(PIECES) as i64, self.hot.sum(BYTES) as i64)
    }

    /// Things of `kind` that are not freed.
    pub fn count(&self, kind: Kind) -> i64 {
        self.kinds[kind as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn born(&self, kind: Kind) {
        self.kinds[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn died(&self, kind: Kind) {
        self.kinds[kind as usize].fetch_sub(1, Ordering::Relaxed);
    }

    /// What does not balance.
    pub fn leaks(&self) -> Leaks {
        let mut leaks = Leaks::default();
        leaks.note("mbufs", self.mbufs());
        let (pieces, bytes) = self.memory();
        leaks.note("memory pieces", pieces);
        leaks.note("memory bytes", bytes);
        for (kind, name) in KINDS {
            leaks.note(name, self.count(kind));
        }
        leaks
    }
}

/// What was handed out and not given back: (what, how many); empty when all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaks(pub Vec<(String, i64)>);

impl Leaks {
    pub(crate) fn note(&mut self, what: &str, n: i64) {
        if n != 0 {
            self.0.push((what.to_owned(), n));
        }
    }

    /// Whether nothing leaked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of `what` leaked.
    pub fn get(&self, what: &str) -> i64 {
        self.0
            .iter()
            .find(|(name, _)| name == what)
            .map_or(0, |(_, n)| *n)
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "nothing leaked");
        }
        write!(f, "leaked:")?;
        self.0
            .iter()
            .try_for_each(|(what, n)| write!(f, " {n} {what}"))
    }
}

impl std::error::Error for Leaks {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_fails_once() {
        let ledger = Ledger::new();
        ledger.fail(Fault::Mbuf, 3);
        ledger.fail(Fault::Any, 2);
        let hits: Vec<_> = (0..5).map(|_| ledger.strike(Fault::Mbuf)).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(!ledger.strike(Fault::Memory));
        assert!(!ledger.fail_pending(Fault::Any));
    }

    #[test]
    fn leaks_are_named() {
        let ledger = Ledger::new();
        assert!(ledger.leaks().is_empty());
        ledger.mbuf_born();
        ledger.memory_taken(100);
        ledger.born(Kind::Path);
        let leaks = ledger.leaks();
        let text = "leaked: 1 mbufs 1 memory pieces 100 memory bytes 1 paths";
        assert_eq!(leaks.to_string(), text);
        ledger.mbuf_died();
        ledger.memory_given(100);
        ledger.died(Kind::Path);
        assert!(ledger.leaks().is_empty());
    }

    #[test]
    fn split_survives_its_encoding() {
        let ledger = Ledger::new();
        for split in [Split::None, Split::Each, Split::At(0), Split::At(u32::MAX)] {
            ledger.set_split(split);
            assert_eq!(ledger.split(), split);
        }
    }
}
