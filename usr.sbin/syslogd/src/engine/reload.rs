// SPDX-License-Identifier: BSD-2-Clause
//! What of an old configuration lives on in a new one.

use crate::conf::Conf;
use crate::conf::Output;
use crate::conf::OutputId;
use crate::conf::RingId;
use crate::conf::What;

/// For each ring and output of a new configuration the old one that it goes on with, and those
/// that end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// By new ring: the old one of that name.
    pub rings: Vec<Option<RingId>>,
    /// By new output: the old one for the same file, host, users or command.
    pub outputs: Vec<Option<OutputId>>,
    /// Old rings that end.
    pub dropped_rings: Vec<RingId>,
    /// Old outputs that end.
    pub dropped_outputs: Vec<OutputId>,
}

fn is_same(a: &Output, b: &Output) -> bool {
    match (&a.what, &b.what) {
        (What::Remote(a), What::Remote(b)) => {
            (a.transport, a.family, &a.host, a.port) == (b.transport, b.family, &b.host, b.port)
        }
        (a, b) => a == b,
    }
}

/// For each of the new ones the first old one that is the same and not taken; and those left.
fn pairs<T>(old: &[T], new: &[T], same: impl Fn(&T, &T) -> bool) -> (Vec<Option<u16>>, Vec<u16>) {
    let mut left: Vec<u16> = (0..u16::try_from(old.len()).unwrap_or(u16::MAX)).collect();
    let found = new.iter().map(|item| {
        let is = |&n: &u16| old.get(usize::from(n)).is_some_and(|o| same(o, item));
        let at = left.iter().position(is)?;
        Some(left.remove(at))
    });
    let found = found.collect();
    (found, left)
}

impl Changes {
    /// From one to another.
    #[must_use]
    pub fn between(old: &Conf, new: &Conf) -> Changes {
        let (rings, dropped_rings) = pairs(&old.rings, &new.rings, |a, b| a.name == b.name);
        let (outputs, dropped_outputs) = pairs(&old.outputs, &new.outputs, is_same);
        Changes {
            rings: rings.into_iter().map(|n| n.map(RingId)).collect(),
            outputs: outputs.into_iter().map(|n| n.map(OutputId)).collect(),
            dropped_rings: dropped_rings.into_iter().map(RingId).collect(),
            dropped_outputs: dropped_outputs.into_iter().map(OutputId).collect(),
        }
    }
}
