// SPDX-License-Identifier: BSD-2-Clause
//! A failed pullup has freed the packet: nobody has it.

use kern::mbuf::Mbuf;

pub fn f(m: Mbuf) -> u32 {
    match m.pullup(20) {
        Ok(m) => m.len(),
        Err(_) => m.len(), //~ E0382
    }
}

fn main() {}
