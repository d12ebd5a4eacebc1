// SPDX-License-Identifier: BSD-2-Clause
//! What could not be made writable is gone.

use kern::mbuf::Mbuf;

pub fn f(m: Mbuf) -> u32 {
    match m.writable(20) {
        Ok(m) => m.len(),
        Err(_) => m.len(), //~ E0382
    }
}

fn main() {}
