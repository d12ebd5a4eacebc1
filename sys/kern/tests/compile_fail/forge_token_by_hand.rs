// SPDX-License-Identifier: BSD-2-Clause
//! A token has no public constructor.

use core::marker::PhantomData;
use kern::cx::Thread;

pub fn f() -> Thread {
    Thread(PhantomData) //~ E0423
}

fn main() {}
