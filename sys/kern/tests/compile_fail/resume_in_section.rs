// SPDX-License-Identifier: BSD-2-Clause
//! A packet does not go on from within a read section.

use kern::cx::Softint;
use kern::epoch;
use kern::mbuf::Mbuf;
use kern::pfil::Gate;
use kern::pfil::Rx;

pub fn f(gate: &Gate, cx: &mut Softint, rx: &Rx, m: Mbuf) {
    let _ = epoch::read(cx, |_| gate.resume(cx, rx, m)); //~ E0499|E0500|E0501
}

fn main() {}
