// SPDX-License-Identifier: BSD-2-Clause
//! A published value is no longer the writer's.

use kern::cx::Thread;
use kern::passive::Passive;
use kern::passive::Value;

pub fn f(p: &Passive<u32>, cx: &mut Thread, v: Value<u32>) -> u32 {
    p.replace(cx, Some(v));
    *v //~ E0382
}

fn main() {}
