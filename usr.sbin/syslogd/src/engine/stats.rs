// SPDX-License-Identifier: BSD-2-Clause
//! What is counted.

use crate::conf::Conf;
use crate::engine::event::Input;
use liblog::parse::Flaws;
use serde::Serialize;

/// What went to one ring or output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Messages given to the sink, lines about repeated ones included.
    pub written: u64,
    /// Messages that were the same as the one before, and not given.
    pub repeated: u64,
    /// Lines about those.
    pub told: u64,
}

/// Everything that the engine counts, since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Messages received, by [`Input`].
    pub received: [u64; Input::COUNT],
    /// Messages with a flaw, by the numbers of [`Flaws`]. A message may have several.
    pub flaws: [u64; Flaws::COUNT],
    /// Withheld by the throttle.
    pub withheld: u64,
    /// Lines about those.
    pub summaries: u64,
    /// Sources forgotten to remember others.
    pub evicted: u64,
    /// Given another facility or severity.
    pub remapped: u64,
    /// Taken by no rule; own ones included.
    pub unselected: u64,
    /// syslogd's own messages, those about what it does to others' included.
    pub own: u64,
    /// Those withheld.
    pub own_withheld: u64,
    /// Marks.
    pub marks: u64,
    /// Jumps of the clock on the wall.
    pub jumps: u64,
    /// Crashes of processes.
    pub crashes: u64,
    /// Configurations loaded after the first.
    pub reloads: u64,
    /// Rings that a new configuration did not have any more.
    pub dropped_rings: u64,
    /// Messages that each rule of the configuration took.
    pub rules: Vec<u64>,
    /// Messages that each remap rule changed.
    pub remaps: Vec<u64>,
    /// By ring.
    pub rings: Vec<Sent>,
    /// By output.
    pub outputs: Vec<Sent>,
}

impl Stats {
    /// With the lists of rules as long as a configuration has it.
    pub(super) fn fit(&mut self, conf: &Conf) {
        self.rules = vec![0; conf.rules.len()];
        self.remaps = vec![0; conf.remaps.len()];
    }
}

/// One more, if there is such a counter.
pub(super) fn count(counters: &mut [u64], n: usize) {
    if let Some(counter) = counters.get_mut(n) {
        *counter += 1;
    }
}
