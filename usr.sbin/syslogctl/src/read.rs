// SPDX-License-Identifier: BSD-2-Clause
//! `read`: what rings hold, merged by time, and from where on.

use crate::client::{Client, Trouble, socket};
use crate::cursor::{self, Cursor, Place};
use crate::follow;
use crate::options::{Color, Options, ReadArgs};
use crate::out::{self, Out};
use crate::seen::Seen;
use crate::show::{Line, Record, Style};
use crate::when;
use jiff::Zoned;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::path::Path;

/// How many were lost before a record, and its number.
type Gap = Option<(u64, u64)>;

/// A ring that is read.
pub struct Source {
    /// Its name.
    pub ring: String,
    /// Where to go on in it.
    pub place: Place,
    /// It is another one than that of the place that was asked for.
    pub anew: bool,
    client: Client,
    /// What was lost before the head.
    lost: Gap,
    head: Option<Box<Record>>,
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
    let last = args.last.or(
        if args.follow && places.is_empty() && args.from.is_none() && args.since.is_none() {
            Some(10)
        } else {
            None
        },
    );
    let mut sources = Vec::new();
    for (ring, boot) in rings {
        let wanted = places.get(&ring).copied();
        let mut request = json!({ "op": "read", "ring": ring, "filter": filter });
        if let Some(map) = request.as_object_mut() {
            if let Some(place) = wanted {
                map.insert("boot".into(), place.boot.into());
                map.insert("from".into(), place.seq.into());
            } else if let Some(from) = args.from {
                map.insert("boot".into(), boot.into());
                map.insert("from".into(), from.into());
            }
            if let Some(n) = last {
                map.insert("last".into(), n.into());
            }
        }
        let mut client = Client::open(&path)?;
        client.send(&request)?;
        sources.push(Source {
            place: Place {
                boot,
                seq: args.from.unwrap_or(0),
            },
            anew: wanted.is_some_and(|place| place.boot != boot),
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
            format!("{}\n", json!({ "cursor": words }))
        } else {
            format!("-- cursor: {words}\n")
        };
        view.out.put(line.as_bytes())?;
    }
    Ok(())
}

/// The rings that are meant, and their lives.
fn chosen(path: &Path, args: &ReadArgs) -> Result<Vec<(String, u64)>, Trouble> {
    let answer = Client::open(path)?.ask(&json!({ "op": "rings" }))?;
    let there: Vec<(String, u64)> = answer
        .get("rings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|ring| {
            let name = ring.get("ring")?.as_str()?.to_owned();
            Some((name, ring.get("boot")?.as_u64()?))
        })
        .collect();
    let mut wanted = Vec::new();
    for name in &args.rings {
        let found = there.iter().find(|(ring, _)| ring == name).ok_or_else(|| {
            let names: Vec<&str> = there.iter().map(|(ring, _)| ring.as_str()).collect();
            Trouble::Usage(format!(
                "there is no ring '{name}'; there are: {}",
                names.join(" ")
            ))
        })?;
        if !wanted.contains(found) {
            wanted.push(found.clone());
        }
    }
    if args.rings.is_empty() {
        wanted = there;
    }
    if wanted.is_empty() {
        return Err(Trouble::Usage(
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

/// The filter as syslogd takes it.
fn filter(args: &ReadArgs, now: &Zoned) -> Result<Value, Trouble> {
    let mut filter = Map::new();
    if !args.facility.is_empty() {
        for name in &args.facility {
            liblog::Facility::named(name)
                .ok_or_else(|| Trouble::Usage(format!("'{name}' is no facility")))?;
        }
        filter.insert("facilities".into(), args.facility.clone().into());
    }
    if let Some(level) = &args.level {
        let name = level.strip_prefix('=').unwrap_or(level);
        let severity = liblog::Severity::named(name).ok_or_else(|| {
            Trouble::Usage(format!(
                "'{name}' is no level: emerg alert crit err warning notice info debug"
            ))
        })?;
        filter.insert("severity".into(), severity.name().into());
        if level.starts_with('=') {
            filter.insert("exact".into(), true.into());
        }
    }
    for (key, word) in [
        ("program", &args.program),
        ("host", &args.host),
        ("regex", &args.regex),
    ] {
        if let Some(word) = word {
            filter.insert(key.into(), word.as_str().into());
        }
    }
    if let Some(regex) = &args.regex {
        regex::bytes::Regex::new(regex).map_err(|e| Trouble::Usage(format!("-e: {e}")))?;
    }
    for (key, word) in [("since", &args.since), ("until", &args.until)] {
        if let Some(word) = word {
            let at = when::parse(word, now).map_err(|e| Trouble::Usage(format!("--{key}: {e}")))?;
            filter.insert(key.into(), at.into());
        }
    }
    Ok(Value::Object(filter))
}

/// Shows what the rings hold, oldest first; of all together the last so many only.
fn merge(sources: &mut [Source], last: Option<u64>, view: &mut View) -> Result<(), Trouble> {
    let cap = last
        .map(|n| usize::try_from(n).unwrap_or(usize::MAX))
        .filter(|_| sources.len() > 1);
    let mut kept: VecDeque<(usize, Gap, Box<Record>)> = VecDeque::new();
    for source in sources.iter_mut() {
        source.advance()?;
        if source.anew {
            view.anew(&source.ring)?;
        }
    }
    loop {
        let oldest = sources
            .iter()
            .enumerate()
            .filter_map(|(i, s)| s.head.as_ref().map(|r| ((r.wall, i), i)))
            .min();
        let Some((_, i)) = oldest else { break };
        let Some(source) = sources.get_mut(i) else {
            break;
        };
        let (lost, Some(record)) = (source.lost.take(), source.head.take()) else {
            break;
        };
        source.place.seq = record.seq.saturating_add(1);
        match cap {
            None => view.show(&source.ring, source.place.boot, i, lost, &record)?,
            Some(_) if !view.fresh(i, &record) => {}
            Some(cap) => {
                kept.push_back((i, lost, record));
                if kept.len() > cap {
                    kept.pop_front();
                }
            }
        }
        source.advance()?;
    }
    for (i, lost, record) in kept {
        if let Some(source) = sources.get(i) {
            view.shown(&source.ring, source.place.boot, lost, &record)?;
        }
    }
    for source in sources {
        if let Some((count, next)) = source.lost.take() {
            view.lost(&source.ring, source.place.boot, count, next)?;
        }
    }
    Ok(())
}

impl Source {
    /// To the next record, or the end.
    fn advance(&mut self) -> Result<(), Trouble> {
        while self.head.is_none() && !self.ended {
            let Some(value) = self.client.line()? else {
                return Err(Trouble::Gone("syslogd went away in the middle".into()));
            };
            match Line::parse(value)? {
                Line::Record(record) => self.head = Some(record),
                Line::Lost { count, next } => {
                    let before = self.lost.map_or(0, |(n, _)| n);
                    self.lost = Some((before.saturating_add(count), next));
                    self.place.seq = next;
                }
                Line::End { next } => {
                    self.place.seq = self.place.seq.max(next);
                    self.ended = true;
                }
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
    pub fn fresh(&mut self, ring: usize, record: &Record) -> bool {
        self.seen
            .as_mut()
            .is_none_or(|seen| seen.show(record.identity(), ring))
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
        record: &Record,
    ) -> Result<(), Trouble> {
        if self.fresh(index, record) {
            return self.shown(ring, boot, lost, record);
        }
        lost.map_or(Ok(()), |(count, next)| self.lost(ring, boot, count, next))
    }

    fn shown(&mut self, ring: &str, boot: u64, lost: Gap, record: &Record) -> Result<(), Trouble> {
        if let Some((count, next)) = lost {
            self.lost(ring, boot, count, next)?;
        }
        self.text.clear();
        self.style.record(ring, boot, record, &mut self.text);
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
