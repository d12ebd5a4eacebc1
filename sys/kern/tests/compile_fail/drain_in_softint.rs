// SPDX-License-Identifier: BSD-2-Clause
//! The packet path does not wait for readers.

use kern::cx::Softint;
use kern::passive::Passive;

pub fn f(p: &Passive<u32>, cx: &mut Softint) {
    p.replace(cx, None); //~ E0277
}

fn main() {}
