// SPDX-License-Identifier: BSD-2-Clause
//! The packet path takes no mutex.

use kern::cx::Softint;
use kern::sync::Mutex;

pub fn f(m: &Mutex<u32>, cx: &mut Softint) {
    drop(m.lock(cx)); //~ E0277
}

fn main() {}
