// SPDX-License-Identifier: BSD-2-Clause
//! A token stays on the thread that it was made for.

use kern::cx::Thread;

pub fn f(cx: Thread) {
    std::thread::spawn(move || drop(cx)); //~ E0277
}

fn main() {}
