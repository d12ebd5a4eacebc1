// SPDX-License-Identifier: BSD-2-Clause
//! By how much the sequence numbers of a connection differ on its two sides.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use flow::slab::Side;

/// What is added to the numbers of both ends' streams.
#[derive(Default)]
pub struct Seq {
    /// To all, for each end that sends.
    pub(crate) base: [AtomicU32; 2],
    /// Where the last change of length stands, and what it does: see [`Shift`].
    pub(crate) edits: [AtomicU64; 2],
    /// A proxy of SYNs: the window that the client offers, and its segment size below.
    pub(crate) client: AtomicU32,
}

/// The last change of length: numbers from `pos` on are shifted by `step` more than those before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shift {
    pos: u32,
    /// 24 bits: enough for a hundred thousand changes of one stream.
    before: i32,
    step: i8,
}

impl Shift {
    const fn pack(self) -> u64 {
        (self.pos as u64) << 32
            | ((self.before as u32 as u64) & 0xff_ffff) << 8
            | self.step as u8 as u64
    }

    const fn unpack(word: u64) -> Shift {
        Shift {
            pos: (word >> 32) as u32,
            // Sign-extended.
            before: (word as u32 as i32) >> 8,
            step: word as u8 as i8,
        }
    }

    const fn after(self) -> i32 {
        self.before.wrapping_add(self.step as i32)
    }

    /// What is added to a number of the sender.
    const fn at(self, seq: u32) -> u32 {
        let behind = seq.wrapping_sub(self.pos) as i32 >= 0;
        (if behind { self.after() } else { self.before }) as u32
    }

    /// What is taken off a number that the receiver has.
    const fn back(self, seq: u32) -> u32 {
        let own = seq.wrapping_sub(self.after() as u32);
        let behind = own.wrapping_sub(self.pos) as i32 >= 0;
        (if behind { self.after() } else { self.before }) as u32
    }
}

impl Seq {
    fn of(&self, side: Side) -> (&AtomicU32, &AtomicU64) {
        let ([b0, b1], [e0, e1]) = (&self.base, &self.edits);
        match side {
            Side::A => (b0, e0),
            Side::B => (b1, e1),
        }
    }

    /// What is added to a sequence number of `side`'s.
    pub fn seq(&self, side: Side, seq: u32) -> u32 {
        let (base, edit) = self.of(side);
        let shift = Shift::unpack(edit.load(Relaxed));
        base.load(Relaxed).wrapping_add(shift.at(seq))
    }

    /// And to what `side` acknowledges.
    pub fn ack(&self, side: Side, ack: u32) -> u32 {
        let (base, edit) = self.of(opposite(side));
        let base = base.load(Relaxed);
        let shift = Shift::unpack(edit.load(Relaxed));
        0u32.wrapping_sub(base)
            .wrapping_sub(shift.back(ack.wrapping_sub(base)))
    }

    /// All of `side`'s numbers differ by so much.
    pub fn set_base(&self, side: Side, by: u32) {
        self.of(side).0.store(by, Relaxed);
    }

    /// See [`Seq::set_base`].
    pub fn base(&self, side: Side) -> u32 {
        self.of(side).0.load(Relaxed)
    }

    /// What is added to the numbers that `side` sends from now on.
    pub fn total(&self, side: Side) -> u32 {
        let (base, edit) = self.of(side);
        let shift = Shift::unpack(edit.load(Relaxed));
        base.load(Relaxed).wrapping_add(shift.after() as u32)
    }

    /// What a client has said to the proxy.
    pub fn set_client(&self, window: u16, mss: u16) {
        self.client
            .store(u32::from(window) << 16 | u32::from(mss), Relaxed);
    }

    pub fn window(&self) -> u16 {
        (self.client.load(Relaxed) >> 16) as u16
    }

    pub fn mss(&self) -> u16 {
        self.client.load(Relaxed) as u16
    }

    /// What `side` sends from `pos` on is shifted by `step` more. Under the flow's control.
    pub(crate) fn edit(&self, side: Side, pos: u32, step: i8) {
        let (_, edit) = self.of(side);
        let before = Shift::unpack(edit.load(Relaxed)).after();
        edit.store(Shift { pos, before, step }.pack(), Relaxed);
    }
}

/// The other end.
pub(crate) fn opposite(side: Side) -> Side {
    match side {
        Side::A => Side::B,
        Side::B => Side::A,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_survives_its_word() {
        for before in [0, 1, -1, 8_388_607, -8_388_608] {
            for step in [0, 1, -1, 64, -64, i8::MAX, i8::MIN] {
                let shift = Shift {
                    pos: 0xdead_beef,
                    before,
                    step,
                };
                assert_eq!(Shift::unpack(shift.pack()), shift);
            }
        }
    }

    #[test]
    fn what_is_added_is_taken_off_again() {
        let q = Seq::default();
        q.set_base(Side::A, 0x8000_0001);
        for (pos, step) in [(0xffff_fff0, 5), (20, -3), (40, -1), (90, 7)] {
            q.edit(Side::A, pos, step);
            for by in 0..64u32 {
                // Numbers within a text that shrank are no boundary of a segment.
                let seq = pos.wrapping_sub(32).wrapping_add(by);
                if step < 0 && (29..32).contains(&by) {
                    continue;
                }
                let sent = seq.wrapping_add(q.seq(Side::A, seq));
                assert_eq!(
                    sent.wrapping_add(q.ack(Side::B, sent)),
                    seq,
                    "{pos} {step} {by}"
                );
            }
            assert_eq!(q.seq(Side::B, 7), 0);
            assert_eq!(q.ack(Side::A, 7), 0);
        }
    }
}
