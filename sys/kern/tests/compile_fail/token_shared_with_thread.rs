// SPDX-License-Identifier: BSD-2-Clause
//! A token is not lent to another thread either.

use kern::cx::Softint;
use kern::epoch;

pub fn f(cx: &mut Softint) {
    std::thread::scope(|s| {
        s.spawn(|| epoch::read(cx, |_| ())); //~ E0277
    });
}

fn main() {}
