// SPDX-License-Identifier: BSD-2-Clause
//! What a spin protects is not used after it was let go.

use kern::spin::Spin;

pub fn f(spin: &Spin<[u32; 4]>) -> &u32 {
    let guard = spin.lock();
    &guard[0] //~ E0515
}

fn main() {}
