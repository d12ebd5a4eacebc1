// SPDX-License-Identifier: BSD-2-Clause
//! What is published is not changed, only replaced.

use kern::cx::Thread;
use kern::passive::Passive;

pub fn f(p: &Passive<u32>, cx: &mut Thread) {
    p.with(cx, |v, _| {
        *v = 1; //~ E0594
    });
}

fn main() {}
