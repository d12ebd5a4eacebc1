// SPDX-License-Identifier: BSD-2-Clause
//! The token from before the reference is borrowed while it is held.

use kern::cx::Thread;
use kern::passive::Passive;

pub fn f(p: &Passive<u32>, cx: &mut Thread) {
    p.with(cx, |_, _| drop(p.replace(cx, None))); //~ E0499|E0500|E0501
}

fn main() {}
