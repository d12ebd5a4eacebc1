// SPDX-License-Identifier: BSD-2-Clause
//! Handles of what is not made for sharing stay on one thread.

use core::cell::Cell;
use kern::mem::KArc;

pub fn f(a: KArc<Cell<u32>>) {
    std::thread::spawn(move || a.set(1)); //~ E0277
}

fn main() {}
