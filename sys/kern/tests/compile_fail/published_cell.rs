// SPDX-License-Identifier: BSD-2-Clause
//! What is not made for sharing is not published.

use core::cell::Cell;
use kern::passive::Passive;

pub static P: Passive<Cell<u32>> = Passive::empty(); //~ E0277

fn main() {}
