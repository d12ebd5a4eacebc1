// SPDX-License-Identifier: BSD-2-Clause
//! What becomes of a packet: every entry point of the packet path says so.

use crate::errno::Errno;
use crate::mbuf::Mbuf;
use crate::mbuf::NoBufs;

/// The fate of a packet. A dropped one is freed by going out of scope; the thunk counts why.
#[must_use]
pub enum Verdict<D> {
    /// Not ours: it goes on as it came.
    Pass(Mbuf),
    /// We sent it on or keep it.
    Stolen,
    /// It is gone, for this reason.
    Drop(D),
}

/// Why a packet was dropped: an enum of the module, made by [`drops!`](crate::drops).
pub trait Reason: crate::stats::Counter + From<NoBufs> {
    /// What the sender is told, where there is one to tell.
    fn errno(self) -> Errno;
}
