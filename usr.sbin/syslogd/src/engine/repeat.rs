// SPDX-License-Identifier: BSD-2-Clause
//! The last message of each ring and output: one that is the same is counted, not written, and the
//! count is told after 30, 120, then each 600 seconds (BSD's syslogd), or when another one comes.

use crate::engine::text::same;
use liblog::Msg;
use liblog::Pri;
use liblog::msg::Clocks;

/// Longer messages are never the same as the one before.
const MOST: usize = 2048;

/// What a ring or output got last.
pub(super) struct Last {
    bytes: Box<[u8]>,
    /// Where host, app, procid, msgid, sd and text end; all 0: there is none.
    ends: [u16; 6],
    pri: Pri,
    /// How often it came again.
    pub count: u64,
    /// When it came last.
    pub at: Clocks,
    /// When something was last written, by the clock that never jumps.
    pub written: u64,
    /// Which interval it is.
    step: usize,
    known: bool,
}

impl Last {
    pub fn new() -> Last {
        Last {
            bytes: vec![0; MOST].into(),
            ends: [0; 6],
            pri: Pri::DEFAULT,
            count: 0,
            at: Clocks::default(),
            written: 0,
            step: 0,
            known: false,
        }
    }

    fn fields<'a>(msg: &Msg<'a>) -> [&'a [u8]; 6] {
        [msg.text, msg.app, msg.procid, msg.host, msg.msgid, msg.sd]
    }

    fn field(&self, n: usize) -> &[u8] {
        let end = |n: usize| self.ends.get(n).map_or(0, |&end| usize::from(end));
        let start = if n == 0 { 0 } else { end(n - 1) };
        self.bytes.get(start..end(n)).unwrap_or_default()
    }

    /// Whether a message is the same.
    pub fn is(&self, msg: &Msg<'_>) -> bool {
        let mut fields = Last::fields(msg).into_iter().enumerate();
        self.known && self.pri == msg.pri && fields.all(|(n, field)| same(self.field(n), field))
    }

    /// Remembers a message.
    pub fn set(&mut self, msg: &Msg<'_>, at: Clocks) {
        (self.count, self.step, self.at, self.written) = (0, 0, at, at.mono);
        self.pri = msg.pri;
        let mut end = 0;
        self.known = false;
        for (field, to_end) in Last::fields(msg).into_iter().zip(&mut self.ends) {
            let Some(place) = self.bytes.get_mut(end..end + field.len()) else {
                return;
            };
            place.copy_from_slice(field);
            end += field.len();
            *to_end = end as u16;
        }
        self.known = true;
    }

    /// It came again.
    pub fn again(&mut self, at: Clocks) {
        self.count += 1;
        self.at = at;
    }

    /// When the count is to be told.
    pub fn due(&self, intervals: &[u64]) -> Option<u64> {
        let interval = intervals.get(self.step).or(intervals.last())?;
        (self.count > 0).then(|| self.written.saturating_add(*interval))
    }

    /// Takes the count; what is written about it has `text`, and the names of the message itself.
    pub fn tell<'a>(&'a mut self, now: u64, steps: usize, text: &'a [u8]) -> (Msg<'a>, Clocks) {
        self.count = 0;
        self.written = now;
        self.step = (self.step + 1).min(steps.saturating_sub(1));
        let msg = Msg {
            pri: self.pri,
            sent: None,
            host: self.field(3),
            app: self.field(1),
            procid: self.field(2),
            msgid: b"",
            sd: b"",
            text,
        };
        (msg, self.at)
    }

    /// Something else was written.
    pub fn forget(&mut self) {
        (self.count, self.known) = (0, false);
    }
}
