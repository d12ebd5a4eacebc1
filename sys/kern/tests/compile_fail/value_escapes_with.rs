// SPDX-License-Identifier: BSD-2-Clause
//! A value is seen only while its passive reference is held.

use kern::cx::Thread;
use kern::passive::Passive;

pub fn f(p: &Passive<u32>, cx: &mut Thread) {
    let mut kept: Option<&u32> = None;
    p.with(cx, |v, _| kept = Some(v)); //~ E0521
    let _ = kept;
}

fn main() {}
