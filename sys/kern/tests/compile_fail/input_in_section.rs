// SPDX-License-Identifier: BSD-2-Clause
//! A packet does not go up the stack from within a read section.

use kern::cx::Softint;
use kern::epoch;
use kern::ifnet::Ifnet;
use kern::mbuf::Mbuf;

pub fn f(ifnet: &Ifnet, cx: &mut Softint, m: Mbuf) {
    epoch::read(cx, |_| ifnet.input(cx, m)); //~ E0499|E0500|E0501
}

fn main() {}
