// SPDX-License-Identifier: BSD-2-Clause
//! A token asserts a context, which is unsafe.

use kern::cx::Thread;

pub fn f() -> Thread {
    Thread::assume() //~ E0133
}

fn main() {}
