// SPDX-License-Identifier: BSD-2-Clause
//! A queued packet belongs to the queue.

use kern::mbuf::Mbuf;
use kern::mbuf::MbufQueue;

pub fn f(q: &mut MbufQueue, m: Mbuf) -> u32 {
    q.push(m);
    m.len() //~ E0382
}

fn main() {}
