// SPDX-License-Identifier: BSD-2-Clause
//! The thread that locked is the one that unlocks.

use kern::cx::Thread;
use kern::sync::Mutex;

pub fn f(m: &Mutex<u32>, cx: &mut Thread) {
    let guard = m.lock(cx);
    std::thread::scope(|s| {
        s.spawn(move || drop(guard)); //~ E0277
    });
}

fn main() {}
