// SPDX-License-Identifier: BSD-2-Clause
//! An answer that was sent is gone.

use kern::cx::Softint;
use kern::mbuf::Mbuf;
use kern::pfil::Gate;
use kern::pfil::Rx;

pub fn f(gate: &Gate, cx: &mut Softint, rx: &Rx, orig: &Mbuf, m: Mbuf) -> u32 {
    let _ = gate.reply(cx, rx, orig, m);
    m.len() //~ E0382
}

fn main() {}
