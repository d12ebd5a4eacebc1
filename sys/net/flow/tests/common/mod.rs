// SPDX-License-Identifier: BSD-2-Clause
//! A kernel for each test, and the value that a firewall keeps.
#![allow(dead_code, reason = "not every test uses all of it")]

use flow::tcp::Track;
use host::kernel::Config;
use host::kernel::Kernel;
use host::wire::WireNet;
use kern::cx::Thread;
use kern::testing;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;

/// As much as a firewall keeps about a flow: 88 bytes.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Flow {
    /// When the last packet came.
    pub last: AtomicU32,
    /// Timeout class and flags.
    pub class: AtomicU32,
    /// The rule that let it in.
    pub rule: AtomicU32,
    /// The mapping of a NAT.
    pub map: AtomicU32,
    /// A mark.
    pub mark: AtomicU32,
    /// The source that it counts for.
    pub source: AtomicU32,
    /// The windows.
    pub tcp: Track,
    /// Packets and bytes, both ways.
    pub counters: [AtomicU64; 4],
}

/// Runs `f` in a kernel of its own, which must get back all that it gave.
pub fn in_kernel<R>(f: impl FnOnce(&Kernel, &mut Thread) -> R) -> R {
    let k = Kernel::new(Config::test("flow", &WireNet::new(1)));
    let result = k.enter(|| f(&k, &mut testing::token()));
    k.shutdown().unwrap();
    result
}
