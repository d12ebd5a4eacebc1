// SPDX-License-Identifier: BSD-2-Clause
//! Contexts are sealed: a module makes none of its own.

use kern::cx::Cx;

pub struct Mine;

impl Cx for Mine {
    //~^ E0277
    const ALLOC: u32 = 0;
}

fn main() {}
