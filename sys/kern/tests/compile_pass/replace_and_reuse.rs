// SPDX-License-Identifier: BSD-2-Clause
//! The old value comes back whole and may be published again.

use kern::cx::Thread;
use kern::passive::Passive;

pub fn f(p: &Passive<u32>, q: &Passive<u32>, cx: &mut Thread) -> Option<u32> {
    let old = p.replace(cx, None)?;
    let older = q.replace(cx, Some(old))?;
    Some(older.into_inner())
}

fn main() {}
