// SPDX-License-Identifier: BSD-2-Clause
//! Bytes of a packet are not kept while it changes.

use kern::mbuf::Mbuf;

pub fn f(m: &mut Mbuf) -> usize {
    let head = m.head();
    let _ = m.append(&[1]); //~ E0502
    head.len()
}

fn main() {}
