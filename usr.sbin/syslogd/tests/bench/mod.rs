// SPDX-License-Identifier: BSD-2-Clause
//! An engine with a clock and a sink of the test's own.

#![allow(dead_code)]

use liblog::Facility;
use liblog::Msg;
use liblog::Pri;
use liblog::Severity;
use liblog::msg::Clocks;
use liblog::parse::Flaws;
use std::io;
use syslogd::conf::Conf;
use syslogd::conf::Files;
use syslogd::conf::Options;
use syslogd::conf::OutputId;
use syslogd::conf::RingId;
use syslogd::conf::What;
use syslogd::conf::load;
use syslogd::engine::Changes;
use syslogd::engine::Engine;
use syslogd::engine::Event;
use syslogd::engine::Input;
use syslogd::engine::Me;
use syslogd::engine::Sink;
use syslogd::engine::Stats;

pub const SECOND: u64 = 1_000_000_000;
const WALL: i64 = 1_700_000_000 * SECOND as i64;

/// A file in memory.
struct One<'a>(&'a str);

impl Files for One<'_> {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Ok(self.0.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

pub fn conf(text: &str) -> Conf {
    let conf = load("conf", &One(text), Options::default());
    conf.unwrap_or_else(|notes| panic!("{notes:#?}"))
}

pub fn pri(name: &str) -> Pri {
    let (facility, severity) = name.split_once('.').unwrap();
    Pri {
        facility: Facility::named(facility).unwrap(),
        severity: Severity::named(severity).unwrap(),
    }
}

pub fn msg<'a>(name: &str, host: &'a str, app: &'a str, text: &'a str) -> Msg<'a> {
    Msg {
        pri: pri(name),
        sent: None,
        host: host.as_bytes(),
        app: app.as_bytes(),
        procid: b"1",
        msgid: b"",
        sd: b"",
        text: text.as_bytes(),
    }
}

/// A message that was given to the sink.
#[derive(Clone, Debug)]
pub struct Given {
    pub pri: Pri,
    pub msgid: Vec<u8>,
    pub sd: Vec<u8>,
}

/// Keeps what it is given, as `TARGET: HOST APP TEXT`.
#[derive(Default)]
struct Kept {
    outputs: Vec<String>,
    rings: Vec<String>,
    lines: Vec<String>,
    last: Option<Given>,
}

impl Kept {
    fn names(&mut self, conf: &Conf) {
        let name = |what: &What| match what {
            What::File { path, .. } => path.clone(),
            other => format!("{other:?}"),
        };
        self.outputs = conf.outputs.iter().map(|o| name(&o.what)).collect();
        self.rings = conf.rings.iter().map(|r| r.name.clone()).collect();
    }

    fn keep(&mut self, name: String, msg: &Msg<'_>) {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (host, app) = (text(msg.host), text(msg.app));
        self.lines
            .push(format!("{name}: {host} {app} {}", text(msg.text)));
        self.last = Some(Given {
            pri: msg.pri,
            msgid: msg.msgid.into(),
            sd: msg.sd.into(),
        });
    }
}

impl Sink for Kept {
    fn store(&mut self, ring: RingId, msg: &Msg<'_>, _: Clocks) {
        self.keep(self.rings[usize::from(ring.0)].clone(), msg);
    }

    fn write(&mut self, output: OutputId, msg: &Msg<'_>, _: Clocks) {
        self.keep(self.outputs[usize::from(output.0)].clone(), msg);
    }
}

pub struct Bench {
    engine: Engine,
    now: Clocks,
    kept: Kept,
    before: Stats,
}

impl Bench {
    pub fn new(text: &str) -> Bench {
        let conf = conf(text);
        let mut kept = Kept::default();
        kept.names(&conf);
        let now = Clocks {
            wall: WALL,
            mono: 0,
        };
        let me = Me {
            host: b"here.example",
            procid: b"77",
            seed: 1,
        };
        let engine = Engine::new(conf, &me, now).unwrap();
        let before = engine.stats();
        Bench {
            engine,
            now,
            kept,
            before,
        }
    }

    pub fn now(&self) -> Clocks {
        self.now
    }

    pub fn advance(&mut self, nanos: u64) {
        self.now.mono += nanos;
        self.now.wall += nanos as i64;
    }

    /// Somebody sets the clock.
    pub fn wall(&mut self, by: i64) {
        self.now.wall += by;
    }

    pub fn event(&mut self, event: Event<'_>) {
        self.engine.handle(self.now, event, &mut self.kept);
    }

    pub fn send(&mut self, input: Input, pri: &str, host: &str, app: &str, text: &str) {
        self.event(Event::Message {
            input,
            msg: msg(pri, host, app, text),
            flaws: Flaws::none(),
        });
    }

    pub fn reload(&mut self, text: &str) -> Changes {
        let new = conf(text);
        let changes = self.engine.reload(new, self.now, &mut self.kept).unwrap();
        // What was told on the way has been named already.
        self.kept.names(self.engine.conf());
        changes
    }

    /// What the sink got since the last time.
    pub fn took(&mut self) -> Vec<String> {
        std::mem::take(&mut self.kept.lines)
    }

    pub fn last(&self) -> Given {
        self.kept.last.clone().unwrap()
    }

    pub fn deadline(&self) -> Option<u64> {
        self.engine.deadline()
    }

    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Name, passed and withheld of each source.
    pub fn sources(&self) -> Vec<(String, u64, u64)> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let name = |host, app| format!("{} {}", text(host), text(app));
        let all = self.engine.sources();
        all.map(|s| (name(s.host, s.app), s.passed, s.withheld))
            .collect()
    }

    /// Exactly what `expected` sets in zeroed counters has been counted since the last time.
    #[track_caller]
    pub fn moved(&mut self, expected: impl FnOnce(&mut Stats)) {
        let zero = Stats {
            rules: vec![0; self.before.rules.len()],
            remaps: vec![0; self.before.remaps.len()],
            rings: vec![Default::default(); self.before.rings.len()],
            outputs: vec![Default::default(); self.before.outputs.len()],
            ..Stats::default()
        };
        let mut delta = zero;
        expected(&mut delta);
        let after = self.stats();
        let numbers = |s: &Stats| flatten(&serde_json::to_value(s).unwrap());
        let moved: Vec<_> = numbers(&after)
            .into_iter()
            .zip(numbers(&self.before))
            .map(|((name, after), (_, before))| (name, after - before))
            .collect();
        let expected = numbers(&delta);
        for (moved, expected) in moved.iter().zip(&expected) {
            assert_eq!(moved, expected);
        }
        assert_eq!(moved.len(), expected.len());
        self.before = after;
    }

    /// Whatever was counted is of no interest.
    pub fn moved_any(&mut self) {
        self.before = self.stats();
    }
}

/// All numbers in it, by their paths.
fn flatten(value: &serde_json::Value) -> Vec<(String, u64)> {
    use serde_json::Value;
    let inside = |name: &str, value: &Value| {
        let all = flatten(value).into_iter();
        all.map(|(path, n)| (format!("{name}.{path}"), n))
            .collect::<Vec<_>>()
    };
    match value {
        Value::Number(n) => vec![(String::new(), n.as_u64().unwrap())],
        Value::Array(list) => {
            let all = list.iter().enumerate();
            all.flat_map(|(n, value)| inside(&n.to_string(), value))
                .collect()
        }
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| inside(key, value))
            .collect(),
        other => panic!("{other}"),
    }
}
