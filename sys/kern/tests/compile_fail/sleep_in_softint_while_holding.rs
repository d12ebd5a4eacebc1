// SPDX-License-Identifier: BSD-2-Clause
//! Holding a reference on the packet path does not allow sleep.

use kern::cx::Softint;
use kern::passive::Passive;
use kern::sync::Mutex;

pub fn f(p: &Passive<u32>, m: &Mutex<u32>, cx: &mut Softint) {
    p.with(cx, |_, cx| {
        drop(m.lock(cx)); //~ E0277
    });
}

fn main() {}
