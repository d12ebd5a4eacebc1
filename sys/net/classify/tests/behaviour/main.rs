// SPDX-License-Identifier: BSD-2-Clause
//! What classifiers and tables do, in a host kernel that must get its memory back.

mod edges;
mod equal;
mod gen_rules;
mod junk;
mod model;
mod tables;

use host::kernel::Config;
use host::kernel::Kernel;
use host::wire::WireNet;
use kern::cx::Thread;
use kern::testing::token;

/// Runs `f` in a kernel of its own, which must get back all that it gave.
pub fn in_kernel<R>(name: &str, f: impl FnOnce(&Kernel, &mut Thread) -> R) -> R {
    let k = Kernel::new(Config::test(name, &WireNet::new(1)));
    let result = k.enter(|| f(&k, &mut token()));
    k.shutdown().unwrap();
    result
}
