// SPDX-License-Identifier: BSD-2-Clause
//! `read -f`: what comes, as it comes. A thread for each ring waits for it; when syslogd is started
//! again, each goes on where it was.

use crate::client::{Client, Trouble};
use crate::cursor::{self, Cursor, Place};
use crate::options::ReadArgs;
use crate::view::{Entry, View};
use liblog::filter::FilterSpec;
use liblog::proto::{Line, Read, Reply, Request};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

/// How long to wait for a syslogd that is away, between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Where to go on is written down at most so often.
const NOTED: Duration = Duration::from_secs(1);

enum News {
    Record(Entry),
    /// So many are gone; the next is this.
    Lost(u64, u64),
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
    filter: &FilterSpec,
    rings: Vec<(String, Place)>,
    args: &ReadArgs,
    view: &mut View,
) -> Result<(), Trouble> {
    let (sender, receiver) = sync_channel(256);
    for (index, (ring, place)) in rings.iter().enumerate() {
        let (ring, place, sender) = (ring.clone(), *place, sender.clone());
        let (path, filter, json) = (path.to_owned(), filter.clone(), view.style.json);
        // It ends with the process: it waits in a read.
        std::thread::Builder::new()
            .spawn(move || {
                Watch {
                    path: &path,
                    filter: &filter,
                    ring: &ring,
                    json,
                    index,
                    to: &sender,
                }
                .run(place)
            })
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
            News::Record(entry) => {
                view.show(ring, place.boot, index, None, &entry)?;
                place.seq = entry.record.seq.saturating_add(1);
            }
            News::Lost(count, next) => {
                view.lost(ring, place.boot, count, next)?;
                place.seq = next;
            }
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

/// Follows one ring.
struct Watch<'a> {
    path: &'a Path,
    filter: &'a FilterSpec,
    ring: &'a str,
    json: bool,
    index: usize,
    to: &'a SyncSender<(usize, News)>,
}

impl Watch<'_> {
    /// Whatever becomes of syslogd.
    fn run(&self, mut place: Place) {
        loop {
            match self.stream(&mut place) {
                // Nobody listens to us any more.
                Ok(()) => return,
                // A syslogd that has just begun may get the ring by its next configuration.
                Err(Trouble::Gone(why) | Trouble::Missing(why)) => {
                    if !self.tell(News::Away(why)) {
                        return;
                    }
                }
                Err(trouble) => {
                    self.tell(News::Over(trouble));
                    return;
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn tell(&self, news: News) -> bool {
        self.to.send((self.index, news)).is_ok()
    }

    fn stream(&self, place: &mut Place) -> Result<(), Trouble> {
        let mut client = Client::open(self.path)?;
        client.send(&Request::Read(Box::new(Read {
            ring: self.ring.to_owned(),
            boot: Some(place.boot),
            from: Some(place.seq),
            follow: true,
            filter: self.filter.clone(),
            ..Read::default()
        })))?;
        while let Some(line) = client.line()? {
            let news = match line {
                Line::Record(record) => {
                    place.seq = record.seq.saturating_add(1);
                    News::Record(Entry::new(record, &client, self.json))
                }
                Line::Reply(Reply::Hello { boot, .. }) => {
                    if boot != place.boot {
                        *place = Place { boot, seq: 0 };
                    }
                    News::Life(boot)
                }
                Line::Reply(Reply::Lost { lost, next }) => {
                    place.seq = next;
                    News::Lost(lost, next)
                }
                // It ends, or the ring does.
                Line::Reply(Reply::End { .. }) => break,
                Line::Reply(_) => continue,
            };
            if !self.tell(news) {
                return Ok(());
            }
        }
        Err(Trouble::Gone(format!(
            "{}: syslogd went away",
            self.path.display()
        )))
    }
}
