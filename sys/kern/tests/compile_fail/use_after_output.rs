// SPDX-License-Identifier: BSD-2-Clause
//! A packet that was sent belongs to the kernel.

use kern::cx::Softint;
use kern::ifnet::Ifnet;
use kern::mbuf::Mbuf;

pub fn f(ifnet: &Ifnet, cx: &mut Softint, m: Mbuf) -> u32 {
    ifnet.input(cx, m);
    m.len() //~ E0382
}

fn main() {}
