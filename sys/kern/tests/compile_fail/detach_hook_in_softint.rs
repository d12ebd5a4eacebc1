// SPDX-License-Identifier: BSD-2-Clause
//! The packet path does not wait for itself.

use kern::cx::Softint;
use kern::pfil::Hook;
use kern::pfil::Pfil;

pub fn f<H: Hook>(hook: Pfil<H>, cx: &mut Softint) {
    hook.detach(cx); //~ E0277
}

fn main() {}
