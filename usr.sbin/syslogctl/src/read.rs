// SPDX-License-Identifier: BSD-2-Clause
//! `read`: what rings hold, merged by time, and from where on.

use crate::client::{Client, Trouble, socket};
use crate::cursor::{self, Cursor, Place};
use crate::follow;
use crate::options::{Options, ReadArgs};
use crate::view::{Entry, Gap, View};
use crate::when;
use jiff::Zoned;
use liblog::filter::{Filter, FilterSpec};
use liblog::proto::{Line, Read, Reply, Request};
use std::collections::VecDeque;
use std::path::Path;

/// A ring that is read.
struct Source {
    /// Its name.
    ring: String,
    /// Where to go on in it.
    place: Place,
    /// The life that was asked for.
    wanted: Option<u64>,
    json: bool,
    client: Client,
    /// What was lost before the head.
    lost: Gap,
    head: Option<Entry>,
    ended: bool,
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
        let rings = sources.into_iter().map(|s| (s.ring, s.place)).collect();
        follow::run(&path, &filter, rings, args, &mut view)?;
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
