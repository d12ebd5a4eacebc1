// SPDX-License-Identifier: BSD-2-Clause
//! What the wrappers do on a host kernel: that nothing leaks, nothing tears, and readers and
//! writers do not meet.

mod cdev;
mod encap;
mod iflog;
mod ifnet;
mod kstat;
mod log;
mod map;
mod mbuf;
mod mem;
mod module;
mod once;
mod passive;
mod pfil;
mod spin;
mod stats;
mod task;
mod trace;

use host::kernel::Config;
use host::kernel::Kernel;
use host::ledger::Fault;
use host::wire::WireNet;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::testing;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// A kernel without doors worth mentioning.
pub fn kernel(name: &str) -> Kernel {
    Kernel::new(Config::test(name, &WireNet::new(1)))
}

/// Runs `f` in a kernel of its own, which must get back all that it gave.
pub fn in_kernel<R>(name: &str, f: impl FnOnce(&Kernel, &mut Thread) -> R) -> R {
    let k = kernel(name);
    let result = k.enter(|| f(&k, &mut testing::token()));
    k.shutdown().unwrap();
    result
}

/// Runs `f` with the first, then the second ... allocation failing, until it succeeds without a
/// failure; each time nothing may be left behind, and a failure must have been told as ENOMEM.
pub fn with_every_allocation_failing(
    name: &str,
    mut f: impl FnMut(&mut Thread) -> Result<(), Errno>,
) {
    for n in 1..10_000 {
        let failed = in_kernel(name, |k, cx| {
            k.fail_nth(Fault::Any, n);
            let result = f(cx);
            let hit = !k.fail_pending(Fault::Any);
            k.fail_nth(Fault::Any, 0);
            match result {
                Ok(()) => assert!(!hit, "failure {n} of {name} was not told"),
                Err(e) => assert!(hit && e == Errno::ENOMEM, "failure {n} of {name}: {e:?}"),
            }
            hit
        });
        if !failed {
            assert!(n > 1, "{name} allocates nothing");
            return;
        }
    }
    panic!("{name} does not come to an end");
}

/// How many of these are alive; each adds one when made and takes it away when dropped.
pub struct Alive<'a>(&'a AtomicUsize);

impl<'a> Alive<'a> {
    /// One more.
    pub fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Alive(count)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
