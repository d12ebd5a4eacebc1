// SPDX-License-Identifier: BSD-2-Clause
//! What the fuzz targets run, and what `tests/fuzz.rs` replays: one function a target, which takes
//! any bytes and panics (or, from within the host kernel, aborts) when something is wrong.

#![forbid(unsafe_code)]

mod ioctl;
mod packet;
mod rulesets;
#[allow(dead_code, reason = "the cases of the module use more of it")]
#[path = "../../tests/l1/site.rs"]
mod site;

pub use ioctl::ioctl;
pub use packet::packet;

/// Takes bytes off the front of the input; zeros when there are no more.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let [b] = self.take();
        b
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(self.0) {
            *to = *from;
        }
        self.0 = self.0.get(N..).unwrap_or_default();
        bytes
    }

    fn some(&mut self, n: usize) -> Vec<u8> {
        let (now, later) = self.0.split_at(n.min(self.0.len()));
        self.0 = later;
        now.to_vec()
    }

    /// A few bytes of something changed: how many, then where and to what.
    fn patch(&mut self, bytes: &mut [u8]) {
        for _ in 0..self.byte() & 7 {
            let at = usize::from(u16::from_le_bytes(self.take()));
            let value = self.byte();
            if !bytes.is_empty() {
                let n = bytes.len();
                bytes[at % n] = value;
            }
        }
    }
}
