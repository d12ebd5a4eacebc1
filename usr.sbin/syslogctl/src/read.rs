// SPDX-License-Identifier: BSD-2-Clause
//! `read`: what rings hold, merged by time, and from where on.

use crate::client::{Client, Trouble, socket};
use crate::cursor::{self, Cursor, Place};
use crate::follow;
use crate::options::{Color, Options, ReadArgs};
use crate::out::{self, Out};
use crate::seen::Seen;
use crate::show::{Style, identity};
use crate::when;
use jiff::Zoned;
use liblog::filter::{Filter, FilterSpec};
use liblog::proto::{Line, Read, RecordLine, Reply, Request};
use std::collections::VecDeque;
use std::path::Path;

/// How many were lost before a record, and its number.
type Gap = Option<(u64, u64)>;

/// A record, and the line that it was.
pub struct Entry {
    /// What it says.
    pub record: Box<RecordLine>,
    /// How it came, where that is wanted.
    pub raw: String,
}

/// A ring that is read.
pub struct Source {
    /// Its name.
    pub ring: String,
    /// Where to go on in it.
    pub place: Place,
    /// The life that was asked for.
    wanted: Option<u64>,
    json: bool,
    client: Client,
    /// What was lost before the head.
    lost: Gap,
    head: Option<Entry>,
    ended: bool,
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

/// Reads, and follows if that is asked for.
///
/// # Errors
///
/// syslogd is not there, refuses, or the command line makes no sense.
pub fn run(o: &Options, args: &ReadArgs) -> Result<(), Trouble> {
    let now = Zoned::now();
    let filter = filter(args, &now)?;
    let path = socket(o);
    let rings = chosen(&path, args)?;
    let places = places(args)?;
    let mut view = View::new(o, args, rings.len(), &now);
    // Who follows wants to see that something is there, not all of it.
    let all = !places.is_empty() || args.from.is_some() || args.since.is_some();
    let last = args
        .last
        .or(if args.follow && !all { Some(10) } else { None });
    let mut sources = Vec::new();
    for ring in rings {
        let place = places.get(&ring);
        let mut client = Client::open(&path)?;
        client.send(&Request::Read(Box::new(Read {
            ring: ring.clone(),
            boot: place.map(|p| p.boot),
            from: place.map(|p| p.seq).or(args.from),
            last,
            filter: filter.clone(),
            ..Read::default()
        })))?;
        sources.push(Source {
            place: Place { boot: 0, seq: 0 },
            wanted: place.map(|p| p.boot),
            json: o.json,
            ring,
            client,
            lost: None,
            head: None,
            ended: false,
        });
    }
    merge(&mut sources, last, &mut view)?;
    view.out.flush()?;
    if args.follow {
        follow::run(&path, &filter, sources, args, &mut view)?;
    } else {
        let cursor = sources.into_iter().map(|s| (s.ring, s.place)).collect();
        finish(args, o.json, &cursor, &mut view)?;
    }
    view.out.flush()
}

/// Where to go on is written down.
fn finish(args: &ReadArgs, json: bool, cursor: &Cursor, view: &mut View) -> Result<(), Trouble> {
    view.out.flush()?;
    if let Some(file) = &args.cursor_file {
        cursor::store(file, cursor).map_err(Trouble::Other)?;
    }
    if args.show_cursor {
        let words = cursor::print(cursor);
        let line = if json {
            format!("{{\"cursor\":\"{words}\"}}\n")
        } else {
            format!("-- cursor: {words}\n")
        };
        view.out.put(line.as_bytes())?;
    }
    Ok(())
}

/// The rings that are meant.
fn chosen(path: &Path, args: &ReadArgs) -> Result<Vec<String>, Trouble> {
    let there: Vec<String> = match Client::open(path)?.ask(&Request::Rings)? {
        Reply::Rings { rings } => rings.into_iter().map(|ring| ring.name).collect(),
        _ => Vec::new(),
    };
    let mut wanted: Vec<String> = Vec::new();
    for name in &args.rings {
        if !there.contains(name) {
            let text = format!("there is no ring '{name}'; there are: {}", there.join(" "));
            return Err(Trouble::Missing(text));
        }
        if !wanted.contains(name) {
            wanted.push(name.clone());
        }
    }
    if args.rings.is_empty() {
        wanted = there;
    }
    if wanted.is_empty() {
        return Err(Trouble::Missing(
            "there is no ring that you may read: syslog.conf(5) makes them, as *.* ring:all:1M"
                .into(),
        ));
    }
    if args.from.is_some() && wanted.len() != 1 {
        return Err(Trouble::Usage("--from is for one ring: name it".into()));
    }
    Ok(wanted)
}

/// From where on, as the command line says.
fn places(args: &ReadArgs) -> Result<Cursor, Trouble> {
    if let Some(file) = &args.cursor_file {
        return cursor::load(file).map_err(Trouble::Usage);
    }
    cursor::parse(&args.cursor.join(" ")).map_err(|e| Trouble::Usage(format!("--cursor: {e}")))
}

/// The filter as syslogd takes it; what is wrong with it is said here.
fn filter(args: &ReadArgs, now: &Zoned) -> Result<FilterSpec, Trouble> {
    let time = |key: &str, word: &Option<String>| {
        word.as_ref()
            .map(|word| when::parse(word, now))
            .transpose()
            .map_err(|e| Trouble::Usage(format!("--{key}: {e}")))
    };
    let spec = FilterSpec {
        facilities: args.facility.clone(),
        level: args.level.clone(),
        programs: args.program.clone(),
        hosts: args.host.clone(),
        regex: args.regex.clone(),
        since: time("since", &args.since)?,
        until: time("until", &args.until)?,
    };
    Filter::new(&spec).map_err(|e| Trouble::Usage(e.to_string()))?;
    Ok(spec)
}

/// Shows what the rings hold, oldest first; of all together the last so many only.
fn merge(sources: &mut [Source], last: Option<u64>, view: &mut View) -> Result<(), Trouble> {
    let cap = last.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let cap = cap.filter(|_| sources.len() > 1);
    let mut kept: VecDeque<(usize, Gap, Entry)> = VecDeque::new();
    for source in sources.iter_mut() {
        source.advance()?;
        if source.wanted.is_some_and(|boot| boot != source.place.boot) {
            view.anew(&source.ring)?;
        }
    }
    loop {
        let oldest = sources
            .iter()
            .enumerate()
            .filter_map(|(i, s)| s.head.as_ref().map(|e| (e.record.wall, i)))
            .min();
        let Some((_, i)) = oldest else { break };
        let Some(source) = sources.get_mut(i) else {
            break;
        };
        let (lost, Some(entry)) = (source.lost.take(), source.head.take()) else {
            break;
        };
        source.place.seq = entry.record.seq.saturating_add(1);
        match cap {
            None => view.show(&source.ring, source.place.boot, i, lost, &entry)?,
            Some(_) if !view.fresh(i, &entry.record) => {}
            Some(cap) => {
                kept.push_back((i, lost, entry));
                if kept.len() > cap {
                    kept.pop_front();
                }
            }
        }
        source.advance()?;
    }
    for (i, lost, entry) in kept {
        if let Some(source) = sources.get(i) {
            view.shown(&source.ring, source.place.boot, lost, &entry)?;
        }
    }
    for source in sources {
        if let Some((count, next)) = source.lost.take() {
            view.lost(&source.ring, source.place.boot, count, next)?;
        }
    }
    Ok(())
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

impl Source {
    /// To the next record, or the end.
    fn advance(&mut self) -> Result<(), Trouble> {
        while self.head.is_none() && !self.ended {
            match self.client.line()? {
                None => return Err(Trouble::Gone("syslogd went away in the middle".into())),
                Some(Line::Record(record)) => {
                    self.head = Some(Entry::new(record, &self.client, self.json));
                }
                Some(Line::Reply(Reply::Hello { boot, .. })) => self.place.boot = boot,
                Some(Line::Reply(Reply::Lost { lost, next })) => {
                    let before = self.lost.map_or(0, |(n, _)| n);
                    self.lost = Some((before.saturating_add(lost), next));
                    self.place.seq = next;
                }
                Some(Line::Reply(Reply::End { next, .. })) => {
                    self.place.seq = self.place.seq.max(next);
                    self.ended = true;
                }
                Some(Line::Reply(_)) => {}
            }
        }
        Ok(())
    }
}

impl View {
    fn new(o: &Options, args: &ReadArgs, rings: usize, now: &Zoned) -> View {
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
    fn fresh(&mut self, ring: usize, record: &RecordLine) -> bool {
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

    fn shown(&mut self, ring: &str, boot: u64, lost: Gap, entry: &Entry) -> Result<(), Trouble> {
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
