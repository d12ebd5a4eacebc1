// SPDX-License-Identifier: BSD-2-Clause
//! A reference may be held over sleep where the context may sleep.

use kern::cx::Thread;
use kern::passive::Passive;
use kern::sync::Mutex;

pub fn f(p: &Passive<u32>, m: &Mutex<u32>, cx: &mut Thread) {
    p.with(cx, |v, cx| *m.lock(cx) += *v);
}

fn main() {}
