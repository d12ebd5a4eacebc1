// SPDX-License-Identifier: BSD-2-Clause
//! No wait for readers in a read section.

use kern::cx::Thread;
use kern::epoch;

pub fn f(cx: &mut Thread) {
    epoch::read(cx, |_| epoch::wait(cx)); //~ E0499|E0500|E0501
}

fn main() {}
