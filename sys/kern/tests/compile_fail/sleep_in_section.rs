// SPDX-License-Identifier: BSD-2-Clause
//! No sleep in a read section: the token is borrowed meanwhile.

use kern::cx::Thread;
use kern::epoch;
use kern::sync::Mutex;

pub fn f(m: &Mutex<u32>, cx: &mut Thread) {
    epoch::read(cx, |_| drop(m.lock(cx))); //~ E0499|E0500|E0501
}

fn main() {}
