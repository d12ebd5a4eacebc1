// SPDX-License-Identifier: BSD-2-Clause
//! The command says what it answers.

use kabi::Ioctl;
use kabi::Pod;

pub const GET: Ioctl<(), u64> = Ioctl::ifr_iowr(b'i', 58);

pub fn call<Rq: Pod, Rs: Pod>(_c: &Ioctl<Rq, Rs>, _request: Rq) -> Option<Rs> {
    None
}

pub fn f() -> Option<[u8; 8]> {
    call(&GET, ()) //~ E0308
}

fn main() {}
