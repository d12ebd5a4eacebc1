// SPDX-License-Identifier: BSD-2-Clause
//! Who took a spin lets go of it.

use kern::spin::Spin;

pub fn f(spin: &Spin<u32>) {
    let guard = spin.lock();
    std::thread::scope(|s| {
        s.spawn(move || drop(guard)); //~ E0277
    });
}

fn main() {}
