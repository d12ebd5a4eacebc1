// SPDX-License-Identifier: BSD-2-Clause
//! A failed prepend has freed the packet: nobody has it.

use kern::mbuf::Mbuf;

pub fn f(m: Mbuf) -> u32 {
    match m.prepend(&[1, 2, 3, 4]) {
        Ok(m) => m.len(),
        Err(_) => m.len(), //~ E0382
    }
}

fn main() {}
