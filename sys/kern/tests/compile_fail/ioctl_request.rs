// SPDX-License-Identifier: BSD-2-Clause
//! The command says what it is asked with.

use kabi::Ioctl;
use kabi::Pod;

pub const SET: Ioctl<u64, ()> = Ioctl::ifr_iow(b'i', 151);

pub fn call<Rq: Pod, Rs: Pod>(_c: &Ioctl<Rq, Rs>, _request: Rq) -> Option<Rs> {
    None
}

pub fn f() {
    call(&SET, 7u32); //~ E0308
}

fn main() {}
