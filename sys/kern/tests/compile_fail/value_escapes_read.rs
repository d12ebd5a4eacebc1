// SPDX-License-Identifier: BSD-2-Clause
//! What a section shows is seen only until the section ends.

use kern::cx::Softint;
use kern::epoch;
use kern::passive::Passive;

pub fn f(p: &Passive<u32>, cx: &mut Softint) {
    let mut kept: Option<&u32> = None;
    epoch::read(cx, |s| kept = p.peek(s)); //~ E0521
    let _ = kept;
}

fn main() {}
