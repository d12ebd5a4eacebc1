// SPDX-License-Identifier: BSD-2-Clause
//! What is shown of rings, and where to.

use crate::client::{Client, Trouble};
use crate::options::{Color, Options, ReadArgs};
use crate::out::{self, Out};
use crate::seen::Seen;
use crate::show::{Style, identity};
use jiff::Zoned;
use liblog::proto::RecordLine;

/// How many were lost before a record, and its number.
pub type Gap = Option<(u64, u64)>;

/// A record, and the line that it was.
pub struct Entry {
    /// What it says.
    pub record: Box<RecordLine>,
    /// How it came, where that is wanted.
    pub raw: String,
}

/// All that it takes to show what comes.
pub struct View {
    /// How.
    pub style: Style,
    /// Where to.
    pub out: Out,
    /// What was shown of other rings; `None`: it does not matter.
    pub seen: Option<Seen>,
    text: String,
}

impl Entry {
    /// What `client` has read last.
    pub fn new(record: Box<RecordLine>, client: &Client, json: bool) -> Entry {
        let raw = if json {
            String::from_utf8_lossy(client.raw()).into_owned()
        } else {
            String::new()
        };
        Entry { record, raw }
    }
}

impl View {
    /// As the command line wants it.
    pub fn new(o: &Options, args: &ReadArgs, rings: usize, now: &Zoned) -> View {
        let colors = match o.color {
            Color::Auto => out::is_colorful(),
            Color::Always => true,
            Color::Never => false,
        };
        View {
            style: Style {
                colors,
                verbose: args.verbose,
                iso: args.iso,
                zone: now.time_zone().clone(),
                json: o.json,
                stamp: None,
            },
            out: Out::new(),
            // Programs get all that there is.
            seen: (rings > 1 && !args.duplicates && !o.json).then(Seen::default),
            text: String::new(),
        }
    }

    /// Whether it was not shown yet, of another ring.
    pub fn fresh(&mut self, ring: usize, record: &RecordLine) -> bool {
        self.seen
            .as_mut()
            .is_none_or(|seen| seen.show(identity(record), ring))
    }

    /// Shows a record, unless it was; and what was lost before it.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn show(
        &mut self,
        ring: &str,
        boot: u64,
        index: usize,
        lost: Gap,
        entry: &Entry,
    ) -> Result<(), Trouble> {
        if self.fresh(index, &entry.record) {
            return self.shown(ring, boot, lost, entry);
        }
        lost.map_or(Ok(()), |(count, next)| self.lost(ring, boot, count, next))
    }

    /// Shows a record, and what was lost before it.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn shown(
        &mut self,
        ring: &str,
        boot: u64,
        lost: Gap,
        entry: &Entry,
    ) -> Result<(), Trouble> {
        if let Some((count, next)) = lost {
            self.lost(ring, boot, count, next)?;
        }
        self.text.clear();
        self.style
            .record(ring, boot, &entry.record, &entry.raw, &mut self.text);
        self.out.put(self.text.as_bytes())
    }

    /// Shows that records are gone.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn lost(&mut self, ring: &str, boot: u64, count: u64, next: u64) -> Result<(), Trouble> {
        self.text.clear();
        self.style.lost(ring, boot, count, next, &mut self.text);
        self.out.put(self.text.as_bytes())
    }

    /// Shows that a ring is another one now.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn anew(&mut self, ring: &str) -> Result<(), Trouble> {
        self.text.clear();
        self.style.anew(ring, &mut self.text);
        self.out.put(self.text.as_bytes())
    }
}
