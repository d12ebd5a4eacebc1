// SPDX-License-Identifier: BSD-2-Clause
//! Who holds a reference is a reader, and waits for none.

use kern::cx::Thread;
use kern::passive::Passive;

pub fn f(p: &Passive<u32>, cx: &mut Thread) {
    p.with(cx, |_, cx| {
        p.replace(cx, None); //~ E0277
    });
}

fn main() {}
