// SPDX-License-Identifier: BSD-2-Clause
//! How much each source may log: a bucket of tokens for each, in a table of a fixed size. The
//! source that was silent for the longest is forgotten first.
//!
//! A bucket is one number, the time at which it will be full again (the generic cell rate
//! algorithm): exact, and without a timer.

use crate::conf::Rate;
use crate::engine::text::hash;
use crate::engine::text::same;

/// As much of a host's and a program's name tells sources apart.
const NAME: usize = 48;
const NONE: u32 = u32::MAX;

/// A bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket(u64);

/// A rate in nanoseconds: between messages, and for all that may come at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval: u64,
    depth: u64,
}

impl Pace {
    pub fn new(rate: &Rate) -> Pace {
        let per = rate.per.as_nanos() / u128::from(rate.messages.max(1));
        let interval = u64::try_from(per).unwrap_or(u64::MAX).max(1);
        Pace {
            interval,
            depth: interval.saturating_mul(u64::from(rate.burst.max(1))),
        }
    }
}

impl Bucket {
    /// Takes a token if there is one.
    pub fn take(&mut self, now: u64, pace: &Pace) -> bool {
        let full = self.0.max(now).saturating_add(pace.interval);
        if full.saturating_sub(now) > pace.depth {
            return false;
        }
        self.0 = full;
        true
    }

    /// When there will be one.
    pub fn ready(&self, pace: &Pace) -> u64 {
        let full = self.0.saturating_add(pace.interval);
        full.saturating_sub(pace.depth)
    }
}

/// A name, or as much of it as is kept.
#[derive(Clone, Copy)]
struct Name {
    len: u8,
    bytes: [u8; NAME],
}

impl Name {
    fn new(name: &[u8]) -> Name {
        let mut bytes = [0; NAME];
        bytes
            .iter_mut()
            .zip(name)
            .for_each(|(to, from)| *to = *from);
        let len = name.len().min(NAME);
        Name {
            len: len as u8,
            bytes,
        }
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

struct Entry {
    host: Name,
    app: Name,
    key: u64,
    bucket: Bucket,
    passed: u64,
    withheld: u64,
    /// Of those, the ones not told yet, and since when.
    waiting: u64,
    since: u64,
    /// The next one with the same hash head; older and younger ones.
    chain: u32,
    older: u32,
    younger: u32,
}

/// A source, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// Its host; empty: this one.
    pub host: &'a [u8],
    /// Its program.
    pub app: &'a [u8],
    /// Messages that passed since it is remembered.
    pub passed: u64,
    /// Messages that were withheld.
    pub withheld: u64,
}

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass,
    /// It is withheld; since this time messages wait to be told.
    Withhold(u64),
}

/// What was withheld of a source, to be told.
#[derive(Clone, Copy)]
pub(super) struct Told {
    host: Name,
    app: Name,
    /// Messages.
    pub n: u64,
    /// In so many nanoseconds.
    pub time: u64,
}

impl Told {
    pub fn host(&self) -> &[u8] {
        self.host.get()
    }

    pub fn app(&self) -> &[u8] {
        self.app.get()
    }
}

/// The sources.
pub struct Table {
    entries: Vec<Entry>,
    heads: Vec<u32>,
    most: usize,
    oldest: u32,
    youngest: u32,
    seed: u64,
    pace: Option<Pace>,
}

impl Table {
    /// For so many sources, with a rate for each; `None`: no limit, and nobody is remembered.
    #[must_use]
    pub fn new(most: u32, rate: Option<&Rate>, seed: u64) -> Table {
        let most = if rate.is_some() {
            most.max(1) as usize
        } else {
            0
        };
        Table {
            entries: Vec::with_capacity(most),
            heads: vec![NONE; (most * 2).next_power_of_two().max(2)],
            most,
            oldest: NONE,
            youngest: NONE,
            seed,
            pace: rate.map(Pace::new),
        }
    }

    fn get(&self, n: u32) -> Option<&Entry> {
        self.entries.get(n as usize)
    }

    fn get_mut(&mut self, n: u32) -> Option<&mut Entry> {
        self.entries.get_mut(n as usize)
    }

    /// Asks likewise. The second: what was withheld of the source
    /// that was forgotten for it.
    pub(super) fn ask(&mut self, now: u64, host: &[u8], app: &[u8]) -> (Verdict, Evicted) {
        let Some(pace) = self.pace else {
            return (Verdict::Pass, Evicted::No);
        };
        let (host, app) = (cut(host), cut(app));
        let key = hash(self.seed, host, app);
        let mut evicted = Evicted::No;
        let n = match self.find(key, host, app) {
            Some(n) => {
                self.unlink(n);
                n
            }
            None if self.entries.len() < self.most => self.add(key, host, app),
            None => {
                let n = self.oldest;
                self.unlink(n);
                evicted = self.replace(n, now, key, host, app);
                n
            }
        };
        self.link(n);
        let Some(entry) = self.get_mut(n) else {
            return (Verdict::Pass, evicted);
        };
        if entry.bucket.take(now, &pace) {
            entry.passed += 1;
            return (Verdict::Pass, evicted);
        }
        entry.withheld += 1;
        if entry.waiting == 0 {
            entry.since = now;
        }
        entry.waiting += 1;
        (Verdict::Withhold(entry.since), evicted)
    }

    /// Asks whether a message of a source may pass.
    pub fn asked(&mut self, now: u64, host: &[u8], app: &[u8]) -> Verdict {
        self.ask(now, host, app).0
    }

    fn head(&self, key: u64) -> usize {
        key as usize & (self.heads.len() - 1)
    }

    fn find(&self, key: u64, host: &[u8], app: &[u8]) -> Option<u32> {
        let mut n = self.heads.get(self.head(key)).copied()?;
        while let Some(entry) = self.get(n) {
            if entry.key == key && same(entry.host.get(), host) && same(entry.app.get(), app) {
                return Some(n);
            }
            n = entry.chain;
        }
        None
    }

    fn add(&mut self, key: u64, host: &[u8], app: &[u8]) -> u32 {
        let n = self.entries.len() as u32;
        let entry = self.entry(key, host, app, n);
        self.entries.push(entry);
        n
    }

    /// A new one, in its chain.
    fn entry(&mut self, key: u64, host: &[u8], app: &[u8], n: u32) -> Entry {
        let head = self.head(key);
        let chain = match self.heads.get_mut(head) {
            Some(head) => std::mem::replace(head, n),
            None => NONE,
        };
        Entry {
            host: Name::new(host),
            app: Name::new(app),
            key,
            bucket: Bucket::default(),
            passed: 0,
            withheld: 0,
            waiting: 0,
            since: 0,
            chain,
            older: NONE,
            younger: NONE,
        }
    }

    fn replace(&mut self, n: u32, now: u64, key: u64, host: &[u8], app: &[u8]) -> Evicted {
        let told = self.get_mut(n).and_then(|entry| entry.tell(now));
        self.unchain(n);
        let entry = self.entry(key, host, app, n);
        if let Some(place) = self.get_mut(n) {
            *place = entry;
        }
        Evicted::Yes(told)
    }

    fn unchain(&mut self, n: u32) {
        let Some((key, next)) = self.get(n).map(|e| (e.key, e.chain)) else {
            return;
        };
        let head = self.head(key);
        let mut at = self.heads.get(head).copied().unwrap_or(NONE);
        if at == n {
            if let Some(head) = self.heads.get_mut(head) {
                *head = next;
            }
            return;
        }
        while let Some(entry) = self.get_mut(at) {
            if entry.chain == n {
                entry.chain = next;
                return;
            }
            at = entry.chain;
        }
    }

    fn unlink(&mut self, n: u32) {
        let Some((older, younger)) = self.get(n).map(|e| (e.older, e.younger)) else {
            return;
        };
        match self.get_mut(older) {
            Some(entry) => entry.younger = younger,
            None => self.oldest = younger,
        }
        match self.get_mut(younger) {
            Some(entry) => entry.older = older,
            None => self.youngest = older,
        }
    }

    fn link(&mut self, n: u32) {
        let before = std::mem::replace(&mut self.youngest, n);
        match self.get_mut(before) {
            Some(entry) => entry.younger = n,
            None => self.oldest = n,
        }
        if let Some(entry) = self.get_mut(n) {
            (entry.older, entry.younger) = (before, NONE);
        }
    }

    /// What has been withheld for at least so long, from number `from` on; and its number.
    pub(super) fn due(&mut self, now: u64, age: u64, from: usize) -> Option<(usize, Told)> {
        let is_due = |e: &Entry| e.waiting > 0 && now >= e.since.saturating_add(age);
        let rest = self.entries.iter_mut().enumerate().skip(from);
        let (n, entry) = rest.into_iter().find(|(_, e)| is_due(e))?;
        Some((n, entry.tell(now)?))
    }

    /// Since when something waits to be told, at the longest.
    pub(super) fn since(&self) -> Option<u64> {
        let waiting = self.entries.iter().filter(|e| e.waiting > 0);
        waiting.map(|e| e.since).min()
    }

    /// With another size and rate. The younger ones stay; of the others it gives what to tell.
    pub(super) fn resized(
        mut self,
        most: u32,
        rate: Option<&Rate>,
        now: u64,
        mut told: impl FnMut(Told),
    ) -> Table {
        let mut table = Table::new(most, rate, self.seed);
        let skip = self.entries.len().saturating_sub(table.most);
        let mut n = self.oldest;
        let mut seen = 0;
        while let Some(entry) = self.get_mut(n) {
            let next = entry.younger;
            if seen < skip {
                entry.tell(now).into_iter().for_each(&mut told);
            } else {
                let at = table.add(entry.key, entry.host.get(), entry.app.get());
                table.link(at);
                if let Some(new) = table.get_mut(at) {
                    new.bucket = entry.bucket;
                    (new.passed, new.withheld) = (entry.passed, entry.withheld);
                    (new.waiting, new.since) = (entry.waiting, entry.since);
                }
            }
            seen += 1;
            n = next;
        }
        table
    }

    /// The sources, from the one that was heard last on.
    pub fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        let first = self.get(self.youngest);
        let all = std::iter::successors(first, |entry| self.get(entry.older));
        all.map(|entry| Source {
            host: entry.host.get(),
            app: entry.app.get(),
            passed: entry.passed,
            withheld: entry.withheld,
        })
    }
}

/// Whether a source was forgotten, and what is to be told of it.
pub(super) enum Evicted {
    No,
    Yes(Option<Told>),
}

impl Entry {
    fn tell(&mut self, now: u64) -> Option<Told> {
        let n = std::mem::take(&mut self.waiting);
        (n > 0).then(|| Told {
            host: self.host,
            app: self.app,
            n,
            time: now.saturating_sub(self.since),
        })
    }
}

fn cut(name: &[u8]) -> &[u8] {
    name.get(..name.len().min(NAME)).unwrap_or_default()
}
