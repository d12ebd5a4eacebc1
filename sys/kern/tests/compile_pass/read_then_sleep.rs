// SPDX-License-Identifier: BSD-2-Clause
//! After a section the token is whole again.

use kern::cx::Thread;
use kern::epoch;
use kern::passive::Passive;
use kern::sync::Mutex;

pub fn f(p: &Passive<u32>, m: &Mutex<u32>, cx: &mut Thread) {
    let copy = epoch::read(cx, |s| p.peek(s).copied());
    *m.lock(cx) = copy.unwrap_or(0);
    epoch::wait(cx);
}

fn main() {}
