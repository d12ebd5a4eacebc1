// SPDX-License-Identifier: BSD-2-Clause
//! A run of the task may wait for the section that waits for it.

use kern::cx::Thread;
use kern::epoch;
use kern::task::Runner;
use kern::task::Task;

pub fn f<T: Runner>(task: Task<T>, cx: &mut Thread) {
    epoch::read(cx, |_| task.destroy(cx)); //~ E0499|E0500|E0501
}

fn main() {}
