// SPDX-License-Identifier: BSD-2-Clause
//! References and sections nest.

use kern::cx::Softint;
use kern::epoch;
use kern::passive::Passive;

pub fn f(p: &Passive<u32>, q: &Passive<u32>, cx: &mut Softint) -> Option<u32> {
    p.with(cx, |a, cx| {
        q.with(cx, |b, cx| {
            epoch::read(cx, |s| p.peek(s).map(|c| a + b + c))
        })
    })
    .flatten()
    .flatten()
}

fn main() {}
