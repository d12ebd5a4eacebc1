// SPDX-License-Identifier: BSD-2-Clause
//! `read -f`: what comes, as it comes. A thread for each ring waits for it; when syslogd is started
//! again, each goes on where it was.

use crate::client::{Client, Trouble};
use crate::cursor::{self, Cursor, Place};
use crate::options::ReadArgs;
use crate::read::{Source, View};
use crate::show::Line;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

/// How long to wait for a syslogd that is away, between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Where to go on is written down at most so often.
const NOTED: Duration = Duration::from_secs(1);

enum News {
    Line(Line),
    /// The ring's life is this.
    Life(u64),
    /// syslogd is away.
    Away(String),
    /// It is no use.
    Over(Trouble),
}

/// Shows what comes, until nobody reads any more.
///
/// # Errors
///
/// syslogd refuses.
pub fn run(
    path: &Path,
    filter: &Value,
    sources: Vec<Source>,
    args: &ReadArgs,
    view: &mut View,
) -> Result<(), Trouble> {
    let (sender, receiver) = sync_channel(256);
    let rings: Vec<(String, Place)> = sources.into_iter().map(|s| (s.ring, s.place)).collect();
    for (index, (ring, place)) in rings.iter().enumerate() {
        let (ring, place, sender) = (ring.clone(), *place, sender.clone());
        let (path, filter) = (path.to_owned(), filter.clone());
        // It ends with the process: it waits in a read.
        std::thread::Builder::new()
            .spawn(move || watch(&path, &filter, &ring, place, index, &sender))
            .map_err(|e| Trouble::Other(format!("a thread cannot be made: {e}")))?;
    }
    drop(sender);
    show(rings, &receiver, args, view)
}

fn show(
    mut rings: Vec<(String, Place)>,
    receiver: &Receiver<(usize, News)>,
    args: &ReadArgs,
    view: &mut View,
) -> Result<(), Trouble> {
    let mut noted = Instant::now();
    let mut unsaid = vec![false; rings.len()];
    let mut dirty = args.cursor_file.is_some();
    loop {
        let (index, news) = match receiver.try_recv() {
            Ok(news) => news,
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => {
                view.out.flush()?;
                // A place is written only once what is before it has been shown.
                if dirty && noted.elapsed() >= NOTED {
                    let cursor: Cursor = rings.iter().cloned().collect();
                    if let Some(file) = &args.cursor_file {
                        cursor::store(file, &cursor).map_err(Trouble::Other)?;
                    }
                    (noted, dirty) = (Instant::now(), false);
                }
                match receiver.recv_timeout(if dirty {
                    NOTED
                } else {
                    Duration::from_secs(3600)
                }) {
                    Ok(news) => news,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            }
        };
        let Some((ring, place)) = rings.get_mut(index) else {
            continue;
        };
        match news {
            News::Line(Line::Record(record)) => {
                view.show(ring, place.boot, index, None, &record)?;
                place.seq = record.seq.saturating_add(1);
            }
            News::Line(Line::Lost { count, next }) => {
                view.lost(ring, place.boot, count, next)?;
                place.seq = next;
            }
            News::Line(Line::End { .. }) => {}
            News::Life(boot) => {
                if let Some(away) = unsaid.get_mut(index) {
                    *away = false;
                }
                if boot != place.boot {
                    *place = Place { boot, seq: 0 };
                    view.anew(ring)?;
                }
            }
            News::Away(why) => {
                // Once for all rings.
                if unsaid.iter().all(|away| !away) {
                    view.out.flush()?;
                    eprintln!("syslogctl: {why}; waiting for it");
                }
                if let Some(away) = unsaid.get_mut(index) {
                    *away = true;
                }
            }
            News::Over(trouble) => return Err(trouble),
        }
        dirty |= args.cursor_file.is_some();
    }
}

/// Follows one ring, whatever becomes of syslogd.
fn watch(
    path: &Path,
    filter: &Value,
    ring: &str,
    mut place: Place,
    index: usize,
    to: &SyncSender<(usize, News)>,
) {
    loop {
        match stream(path, filter, ring, &mut place, index, to) {
            // Nobody listens to us any more.
            Ok(()) => return,
            Err(Trouble::Gone(why)) => {
                if to.send((index, News::Away(why))).is_err() {
                    return;
                }
            }
            Err(trouble) => {
                let _ = to.send((index, News::Over(trouble)));
                return;
            }
        }
        std::thread::sleep(PAUSE);
    }
}

fn stream(
    path: &Path,
    filter: &Value,
    ring: &str,
    place: &mut Place,
    index: usize,
    to: &SyncSender<(usize, News)>,
) -> Result<(), Trouble> {
    let boot = life(path, ring)?;
    if to.send((index, News::Life(boot))).is_err() {
        return Ok(());
    }
    if boot != place.boot {
        *place = Place { boot, seq: 0 };
    }
    let mut client = Client::open(path)?;
    client.send(&json!({
        "op": "read", "ring": ring, "boot": place.boot, "from": place.seq, "follow": true, "filter": filter,
    }))?;
    while let Some(value) = client.line()? {
        let line = Line::parse(value)?;
        match &line {
            Line::Record(record) => place.seq = record.seq.saturating_add(1),
            Line::Lost { next, .. } => place.seq = *next,
            Line::End { .. } => {}
        }
        if to.send((index, News::Line(line))).is_err() {
            return Ok(());
        }
    }
    Err(Trouble::Gone(format!(
        "{}: syslogd went away",
        path.display()
    )))
}

/// The ring's life.
fn life(path: &Path, ring: &str) -> Result<u64, Trouble> {
    let answer = Client::open(path)?.ask(&json!({ "op": "rings" }))?;
    answer
        .get("rings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|one| one.get("ring").and_then(Value::as_str) == Some(ring))
        .and_then(|one| one.get("boot")?.as_u64())
        // A syslogd that has just begun may get it by its next configuration.
        .ok_or_else(|| Trouble::Gone(format!("there is no ring '{ring}' any more")))
}
