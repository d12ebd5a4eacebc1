// SPDX-License-Identifier: BSD-2-Clause
//! Packets, queues and shared values go to other threads.

use kern::mbuf::Mbuf;
use kern::mbuf::MbufQueue;
use kern::mem::KArc;
use kern::passive::Passive;

pub static P: Passive<u32> = Passive::empty();

pub fn f(m: Mbuf, q: MbufQueue, a: KArc<u32>) {
    std::thread::spawn(move || (drop(m), drop(q), drop(a)));
}

fn main() {}
