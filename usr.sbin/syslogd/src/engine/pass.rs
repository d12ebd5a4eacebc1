// SPDX-License-Identifier: BSD-2-Clause
//! The engine: the way of a message from its input to the sink.

use crate::conf::Conf;
use crate::conf::Levels;
use crate::conf::Settings;
use crate::engine::core::recognise;
use crate::engine::event::Event;
use crate::engine::event::Input;
use crate::engine::event::Sink;
use crate::engine::matcher::Here;
use crate::engine::matcher::Test;
use crate::engine::matcher::kernel_program;
use crate::engine::own::Own;
use crate::engine::reload::Changes;
use crate::engine::select::Select;
use crate::engine::slots::Slots;
use crate::engine::stats::Stats;
use crate::engine::stats::count;
use crate::engine::text::nanos;
use crate::engine::throttle::Bucket;
use crate::engine::throttle::Evicted;
use crate::engine::throttle::Pace;
use crate::engine::throttle::Source;
use crate::engine::throttle::Table;
use crate::engine::throttle::Told;
use crate::engine::throttle::Verdict;
use liblog::Facility;
use liblog::Msg;
use liblog::Pri;
use liblog::Severity;
use liblog::msg::Clocks;
use liblog::parse::Flaws;

/// What the engine is told of itself.
#[derive(Clone, Copy, Debug)]
pub struct Me<'a> {
    /// This host's name, for `+@`, and for messages that have none.
    pub host: &'a [u8],
    /// The process's id, for its own messages.
    pub procid: &'a [u8],
    /// Random, so that nobody knows which names collide.
    pub seed: u64,
}

/// A remap rule, ready.
struct Change {
    levels: Levels,
    test: Test,
    facility: Option<Facility>,
    severity: Option<Severity>,
}

/// Times of the settings, in nanoseconds.
struct Times {
    summary: u64,
    mark: Option<u64>,
    jump: u64,
}

impl Times {
    fn new(settings: &Settings) -> Times {
        Times {
            summary: nanos(settings.summary),
            mark: settings.mark.map(nanos),
            jump: nanos(settings.jump),
        }
    }
}

/// The engine.
pub struct Engine {
    conf: Conf,
    select: Select,
    changes: Vec<Change>,
    slots: Slots,
    times: Times,
    table: Table,
    own: Bucket,
    own_pace: Pace,
    own_waiting: u64,
    here: Here,
    procid: Box<[u8]>,
    seed: u64,
    /// The clock on the wall less the other one.
    offset: i128,
    next_mark: u64,
    /// Nothing is to be done before.
    wake: u64,
    stats: Stats,
}

fn ready(conf: &Conf) -> Result<Vec<Change>, String> {
    let all = conf.remaps.iter().map(|remap| {
        Ok(Change {
            levels: remap.levels,
            test: Test::new(&remap.block)?,
            facility: remap.facility.and_then(Facility::new),
            severity: remap.severity.and_then(Severity::new),
        })
    });
    all.collect()
}

fn offset(now: Clocks) -> i128 {
    i128::from(now.wall) - i128::from(now.mono)
}

impl Engine {
    /// For a configuration.
    ///
    /// # Errors
    /// It is not one that was loaded here: an expression in it is not possible.
    pub fn new(conf: Conf, me: &Me<'_>, now: Clocks) -> Result<Engine, String> {
        let settings = &conf.settings;
        let times = Times::new(settings);
        let mut stats = Stats::default();
        stats.fit(&conf);
        let mut engine = Engine {
            select: Select::new(&conf, me.seed)?,
            changes: ready(&conf)?,
            slots: Slots::new(&conf),
            table: Table::new(settings.sources, settings.throttle.as_ref(), me.seed),
            own: Bucket::default(),
            own_pace: Pace::new(&settings.own),
            own_waiting: 0,
            here: Here(me.host.into()),
            procid: me.procid.into(),
            seed: me.seed,
            offset: offset(now),
            next_mark: times.mark.map_or(u64::MAX, |m| now.mono.saturating_add(m)),
            wake: 0,
            times,
            stats,
            conf,
        };
        engine.rearm();
        Ok(engine)
    }

    /// What it is configured for.
    #[must_use]
    pub fn conf(&self) -> &Conf {
        &self.conf
    }

    /// What it has counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        (stats.outputs, stats.rings) = self.slots.sent();
        stats
    }

    /// The sources that are throttled, from the one that was heard last on.
    pub fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.table.sources()
    }

    /// When, by the clock that never jumps, there is something to do without a message; then an
    /// event must come, a [`Event::Tick`] at least. It may be too early, never too late.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        let wake = self.wake.min(self.slots.wake);
        (wake != u64::MAX).then_some(wake)
    }

    /// Does what an event asks for.
    pub fn handle(&mut self, now: Clocks, event: Event<'_>, out: &mut impl Sink) {
        self.clock(now, out);
        if now.mono >= self.wake.min(self.slots.wake) {
            self.tick(now, false, out);
        }
        match event {
            Event::Message { input, msg, flaws } => self.message(now, input, &msg, flaws, out),
            Event::Own {
                severity,
                msgid,
                sd,
                text,
            } => {
                if self.may_speak(now) {
                    self.speak(now, severity, [msgid, sd, text], out);
                }
            }
            Event::Tick => {}
            Event::Flush => self.tick(now, true, out),
        }
    }

    /// Goes on with another configuration. What is in [`Changes`] as the same keeps its counters,
    /// and what it repeats; sources keep theirs. On an error nothing has changed.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn reload(
        &mut self,
        conf: Conf,
        now: Clocks,
        out: &mut impl Sink,
    ) -> Result<Changes, String> {
        let select = Select::new(&conf, self.seed)?;
        let changes = ready(&conf)?;
        let kept = Changes::between(&self.conf, &conf);
        // What waits is told where it would have been.
        self.tick(now, true, out);
        let old = std::mem::replace(&mut self.conf, conf);
        let settings = &self.conf.settings;
        (self.select, self.changes) = (select, changes);
        self.stats.fit(&self.conf);
        self.slots.reload(&self.conf, &kept);
        if (settings.throttle, settings.sources) != (old.settings.throttle, old.settings.sources) {
            let empty = Table::new(1, None, self.seed);
            let table = std::mem::replace(&mut self.table, empty);
            // Everything was told by the tick.
            let rate = settings.throttle.as_ref();
            self.table = table.resized(settings.sources, rate, now.mono, |_| {});
        }
        self.own_pace = Pace::new(&settings.own);
        self.times = Times::new(settings);
        if settings.mark != old.settings.mark {
            let mark = self.times.mark;
            self.next_mark = mark.map_or(u64::MAX, |m| now.mono.saturating_add(m));
        }
        self.stats.reloads += 1;
        self.stats.dropped_rings += kept.dropped_rings.len() as u64;
        self.rearm();
        Ok(kept)
    }

    fn message(
        &mut self,
        now: Clocks,
        input: Input,
        msg: &Msg<'_>,
        flaws: Flaws,
        out: &mut impl Sink,
    ) {
        count(&mut self.stats.received, input.index());
        if !flaws.is_empty() {
            flaws.iter().for_each(|n| count(&mut self.stats.flaws, n));
        }
        // Only the kernel's word is taken for it; whoever logs as the kernel is not the kernel.
        let crash = (input == Input::Kernel && self.conf.settings.crashes)
            .then(|| recognise(msg.text))
            .flatten();
        if self.passes(now, msg, out) {
            let msg = self.remap(msg);
            let column = usize::from(msg.pri.facility.number());
            self.deliver(now, &msg, column, None, out);
        }
        if let Some(crash) = crash {
            self.stats.crashes += 1;
            self.say(now, &Own::Crash(crash), out);
        }
    }

    fn passes(&mut self, now: Clocks, msg: &Msg<'_>, out: &mut impl Sink) -> bool {
        let (verdict, evicted) = self.table.ask(now.mono, msg.host, msg.app);
        if let Evicted::Yes(told) = evicted {
            self.stats.evicted += 1;
            told.iter().for_each(|told| self.withheld(now, told, out));
        }
        match verdict {
            Verdict::Pass => true,
            Verdict::Withhold(since) => {
                self.stats.withheld += 1;
                self.wake = self.wake.min(since.saturating_add(self.times.summary));
                false
            }
        }
    }

    fn remap<'m>(&mut self, msg: &Msg<'m>) -> Msg<'m> {
        let mut msg = *msg;
        if self.changes.is_empty() {
            return msg;
        }
        let kernel = kernel_program(&msg);
        let (column, severity) = (msg.pri.facility.number(), msg.pri.severity.number());
        let fits = |c: &Change| {
            c.levels.has(usize::from(column), severity) && c.test.holds(&msg, kernel, &self.here)
        };
        let found = self.changes.iter().enumerate().find(|(_, c)| fits(c));
        let Some((n, change)) = found else {
            return msg;
        };
        count(&mut self.stats.remaps, n);
        self.stats.remapped += 1;
        msg.pri = Pri {
            facility: change.facility.unwrap_or(msg.pri.facility),
            severity: change.severity.unwrap_or(msg.pri.severity),
        };
        msg
    }

    /// Shows a message to the rules. A mark passes by what was written to within `idle`.
    fn deliver(
        &mut self,
        at: Clocks,
        msg: &Msg<'_>,
        column: usize,
        idle: Option<u64>,
        out: &mut impl Sink,
    ) {
        let (select, here) = (&self.select, &self.here);
        let (slots, stats) = (&mut self.slots, &mut self.stats);
        slots.begin();
        let mut any = false;
        select.each(msg, column, here, |rule, slot| {
            any = true;
            count(&mut stats.rules, rule);
            slots.put(slot, at, msg, idle, out);
        });
        if !any && idle.is_none() {
            stats.unselected += 1;
        }
    }

    /// Whether syslogd may log something of its own now.
    fn may_speak(&mut self, now: Clocks) -> bool {
        let may = self.own.take(now.mono, &self.own_pace);
        if !may {
            self.stats.own_withheld += 1;
            self.own_waiting += 1;
            self.wake = self.wake.min(self.own.ready(&self.own_pace));
        }
        may
    }

    /// msgid, structured data, text.
    fn speak(&mut self, now: Clocks, severity: Severity, what: [&[u8]; 3], out: &mut impl Sink) {
        self.stats.own += 1;
        let procid = std::mem::take(&mut self.procid);
        let [msgid, sd, text] = what;
        let msg = Msg {
            pri: Pri {
                facility: Facility::SYSLOG,
                severity,
            },
            sent: None,
            host: b"",
            app: b"syslogd",
            procid: &procid,
            msgid,
            sd,
            text,
        };
        let column = usize::from(Facility::SYSLOG.number());
        self.deliver(now, &msg, column, None, out);
        self.procid = procid;
    }

    fn say(&mut self, now: Clocks, own: &Own<'_>, out: &mut impl Sink) {
        if self.may_speak(now) {
            self.say_anyway(now, own, out);
        }
    }

    fn say_anyway(&mut self, now: Clocks, own: &Own<'_>, out: &mut impl Sink) {
        let written = own.write();
        let what = [
            written.msgid,
            written.sd.as_bytes(),
            written.text.as_bytes(),
        ];
        self.speak(now, written.severity, what, out);
    }

    /// Tells what was withheld. It asks no bucket: there is less of it than of what it is about.
    fn withheld(&mut self, now: Clocks, told: &Told, out: &mut impl Sink) {
        self.stats.summaries += 1;
        let own = Own::Withheld {
            host: told.host(),
            app: told.app(),
            n: told.n,
            time: told.time,
        };
        self.say_anyway(now, &own, out);
    }

    /// Slow changes are not told: the clock is being corrected.
    fn clock(&mut self, now: Clocks, out: &mut impl Sink) {
        let by = offset(now) - self.offset;
        if by == 0 {
            return;
        }
        self.offset += by;
        if by.unsigned_abs() <= u128::from(self.times.jump) {
            return;
        }
        self.stats.jumps += 1;
        let narrow = |n: i128| i64::try_from(n).unwrap_or(if n < 0 { i64::MIN } else { i64::MAX });
        let own = Own::Jump {
            from: narrow(i128::from(now.wall) - by),
            to: now.wall,
            by: narrow(by),
        };
        self.say(now, &own, out);
    }

    /// Does what is due, or what waits at all.
    fn tick(&mut self, now: Clocks, all: bool, out: &mut impl Sink) {
        self.slots.tick(now, all, out);
        let age = if all { 0 } else { self.times.summary };
        let mut from = 0;
        while let Some((n, told)) = self.table.due(now.mono, age, from) {
            self.withheld(now, &told, out);
            from = n + 1;
        }
        if self.own_waiting > 0 && (all || self.own.take(now.mono, &self.own_pace)) {
            let n = std::mem::take(&mut self.own_waiting);
            self.say_anyway(now, &Own::Silent { n }, out);
        }
        if let Some(mark) = self.times.mark.filter(|_| now.mono >= self.next_mark) {
            let missed = (now.mono - self.next_mark) / mark.max(1);
            self.next_mark = self
                .next_mark
                .saturating_add((missed + 1).saturating_mul(mark));
            self.mark(now, mark / 2, out);
        }
        self.rearm();
    }

    fn mark(&mut self, now: Clocks, idle: u64, out: &mut impl Sink) {
        self.stats.marks += 1;
        let procid = std::mem::take(&mut self.procid);
        let msg = Msg {
            pri: Pri {
                facility: Facility::SYSLOG,
                severity: Severity::INFO,
            },
            sent: None,
            host: b"",
            app: b"syslogd",
            procid: &procid,
            msgid: b"MARK",
            sd: b"",
            text: b"-- MARK --",
        };
        self.deliver(now, &msg, Levels::MARK, Some(idle), out);
        self.procid = procid;
    }

    fn rearm(&mut self) {
        let mut wake = self.next_mark;
        if let Some(since) = self.table.since() {
            wake = wake.min(since.saturating_add(self.times.summary));
        }
        if self.own_waiting > 0 {
            wake = wake.min(self.own.ready(&self.own_pace));
        }
        self.wake = wake;
    }
}
