// SPDX-License-Identifier: BSD-2-Clause
//! A configuration: loaded, sent to the worker and put to work, or refused with its reasons.

use liblog::Msg;
use liblog::Pri;
use liblog::msg::Clocks;
use liblog::parse::Flaws;
use std::io;
use syslogd::conf::Conf;
use syslogd::conf::Files;
use syslogd::conf::Note;
use syslogd::conf::Options;
use syslogd::conf::OutputId;
use syslogd::conf::RingId;
use syslogd::conf::Target;
use syslogd::conf::load;
use syslogd::engine::Engine;
use syslogd::engine::Event;
use syslogd::engine::Input;
use syslogd::engine::Me;
use syslogd::engine::Sink;

/// The file, and a folder with itself in it.
struct One<'a>(&'a [u8]);

impl Files for One<'_> {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Ok(self.0.to_vec())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(vec!["itself.conf".into()])
    }
}

/// Whatever is given is one of the configuration's.
struct Known<'a>(&'a Conf);

impl Sink for Known<'_> {
    fn store(&mut self, ring: RingId, _: &Msg<'_>, _: Clocks) {
        assert!(usize::from(ring.0) < self.0.rings.len());
    }

    fn write(&mut self, output: OutputId, _: &Msg<'_>, _: Clocks) {
        assert!(usize::from(output.0) < self.0.outputs.len());
    }
}

/// A note's line and column are in the file.
fn is_inside(note: &Note, data: &[u8]) {
    let place = &note.place;
    assert!(!note.what.is_empty());
    if place.line == 0 {
        return;
    }
    let line = data.split(|&b| b == b'\n').nth(place.line as usize - 1);
    let line = line.expect("a line of the file");
    assert!(
        (1..=line.len() as u32 + 1).contains(&place.column),
        "{note}"
    );
}

/// A configuration.
pub fn conf(data: &[u8]) {
    let conf = match load("f", &One(data), Options::default()) {
        Ok(conf) => conf,
        Err(notes) => {
            assert!((1..=100).contains(&notes.len()));
            notes.iter().for_each(|note| is_inside(note, data));
            return;
        }
    };
    conf.warnings.iter().for_each(|note| is_inside(note, data));
    for rule in &conf.rules {
        assert!(usize::from(rule.block) < conf.blocks.len());
        match rule.to {
            Target::Ring(id) => assert!(usize::from(id.0) < conf.rings.len()),
            Target::Output(id) => assert!(usize::from(id.0) < conf.outputs.len()),
        }
    }
    let sum: u64 = conf.rings.iter().map(|ring| ring.size).sum();
    assert!(conf.settings.budget.is_none_or(|budget| sum <= budget));
    let text = serde_json::to_vec(&conf).expect("text");
    let again: Conf = serde_json::from_slice(&text).expect("a configuration");
    assert_eq!(again, conf);
    work(&conf);
}

fn work(conf: &Conf) {
    let me = Me {
        host: b"here",
        procid: b"1",
        seed: 1,
    };
    let mut now = Clocks::default();
    let mut out = Known(conf);
    let mut engine = Engine::new(conf.clone(), &me, now).expect("an engine");
    for (value, app, text) in [(0, "kernel", "a: b"), (13, "b", "Deny"), (191, "", "")] {
        now.mono += 7_000_000_000;
        let msg = Msg {
            pri: Pri::from_value(value).expect("a priority"),
            sent: None,
            host: b"h",
            app: app.as_bytes(),
            procid: b"",
            msgid: b"",
            sd: b"",
            text: text.as_bytes(),
        };
        let event = Event::Message {
            input: Input::Kernel,
            msg,
            flaws: Flaws::none(),
        };
        (0..3).for_each(|_| engine.handle(now, event, &mut out));
    }
    engine.handle(now, Event::Flush, &mut out);
    let changes = engine
        .reload(conf.clone(), now, &mut out)
        .expect("the same");
    assert!(changes.dropped_rings.is_empty() && changes.dropped_outputs.is_empty());
}
