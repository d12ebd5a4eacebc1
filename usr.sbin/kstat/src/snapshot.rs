// SPDX-License-Identifier: BSD-2-Clause
//! What modules show at one time, and the difference of two of them.

use kabi::kstat::{Class, Record, Records};
use libkctl::Kernel;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Zeroes too.
    pub all: bool,
    /// Only drops.
    pub drops: bool,
    /// One instance; "-": the module itself.
    pub instance: Option<String>,
}

/// One counter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Counter {
    /// The source, a module's name.
    pub module: String,
    /// "" for the module itself.
    pub instance: String,
    /// Its name.
    pub name: String,
    /// "counter", "drop" or "gauge"
    pub class: &'static str,
    /// The value.
    pub value: u64,
    /// What was added a second, between two looks; of a gauge nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// One line about it.
    pub description: String,
}

/// One event of the trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Nanoseconds of uptime.
    pub ns: u64,
    /// On which CPU.
    pub cpu: u16,
    /// Counts the events of that CPU.
    pub seq: u64,
    /// What happened.
    pub event: String,
    /// What the event says.
    pub args: [u64; 3],
}

/// All at one time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// In the kernel's order.
    pub counters: Vec<Counter>,
    /// By time.
    pub trace: Vec<Event>,
}

impl Snapshot {
    /// Reads `sources`.
    ///
    /// # Errors
    /// A sentence with the source in it.
    pub fn take(kernel: &mut Kernel, sources: &[String], f: &Filter) -> Result<Snapshot, String> {
        let mut snap = Snapshot::default();
        for source in sources {
            let bytes = kernel
                .kstat_read(source)
                .map_err(|e| format!("{source}: {e}"))?;
            snap.add(source, &bytes, f)?;
        }
        snap.trace.sort_by_key(|e| (e.ns, e.cpu, e.seq));
        let missing = !snap.counters.iter().any(|_| true) && f.instance.is_some();
        match (&f.instance, missing && snap.trace.is_empty()) {
            (Some(i), true) => Err(format!("{}: no instance '{i}'", sources.join(" "))),
            _ => Ok(snap),
        }
    }

    /// Adds the records in `bytes`.
    ///
    /// # Errors
    /// They are none.
    pub fn add(&mut self, source: &str, bytes: &[u8], f: &Filter) -> Result<(), String> {
        let mut instance = String::new();
        let mut names = BTreeMap::new();
        for record in Records::new(bytes) {
            match record.map_err(|e| format!("{source}: {e}"))? {
                Record::Instance(name) => instance = name.to_string(),
                Record::Counter {
                    name,
                    desc,
                    class,
                    value,
                } => {
                    let wanted = f.instance.as_deref().map(|i| if i == "-" { "" } else { i });
                    if wanted.is_some_and(|i| i != instance) {
                        continue;
                    }
                    self.counters.push(Counter {
                        module: source.to_owned(),
                        instance: instance.clone(),
                        name: printable(name),
                        class: class.name(),
                        value,
                        rate: None,
                        description: printable(desc),
                    });
                }
                Record::TraceName { code, name } => {
                    names.insert(code, printable(name));
                }
                Record::TraceEvent(e) => self.trace.push(Event {
                    ns: e.ns,
                    cpu: e.cpu,
                    seq: e.seq,
                    event: names
                        .get(&e.code)
                        .cloned()
                        .unwrap_or_else(|| e.code.to_string()),
                    args: e.args,
                }),
                Record::Unknown { .. } => {}
            }
        }
        Ok(())
    }

    /// This one, with rates since `last`, `after` ago. What was not there then has none.
    #[must_use]
    pub fn since(&self, last: &Snapshot, after: Duration) -> Snapshot {
        let key = |c: &Counter| (c.module.clone(), c.instance.clone(), c.name.clone());
        let before: BTreeMap<_, _> = last.counters.iter().map(|c| (key(c), c.value)).collect();
        let mut now = self.clone();
        for c in &mut now.counters {
            let Some(&was) = before.get(&key(c)) else {
                continue;
            };
            // A counter that went back was destroyed and made anew.
            if c.class != Class::Gauge.name() && c.value >= was {
                c.rate = Some((c.value - was) as f64 / after.as_secs_f64());
            }
        }
        now
    }

    /// The counters that `f` lets through.
    #[must_use]
    pub fn shown(&self, f: &Filter) -> Vec<Counter> {
        let drop = Class::Drop.name();
        let wanted = |c: &&Counter| (f.all || c.value != 0) && (!f.drops || c.class == drop);
        self.counters.iter().filter(wanted).cloned().collect()
    }
}

/// What a kernel says goes to a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kabi::kstat::{TraceEventBody, Writer};

    fn records(ipackets: u64) -> Vec<u8> {
        let mut buf = vec![0; 1024];
        let mut w = Writer::new(&mut buf);
        assert!(w.counter("sessions", "sessions now", Class::Gauge, 1));
        assert!(w.instance("l2tp0"));
        assert!(w.counter("ipackets", "packets in", Class::Counter, ipackets));
        assert!(w.counter("cookie", "wrong cookie", Class::Drop, 3));
        assert!(w.counter("short", "too short", Class::Drop, 0));
        let n = w.len();
        buf.truncate(n);
        buf
    }

    fn snap(ipackets: u64, f: &Filter) -> Snapshot {
        let mut s = Snapshot::default();
        s.add("if_l2tp", &records(ipackets), f)
            .expect("well-formed");
        s
    }

    fn names(s: &[Counter]) -> Vec<&str> {
        s.iter().map(|c| c.name.as_str()).collect()
    }

    #[test]
    fn filters() {
        let some = Filter::default();
        assert_eq!(
            names(&snap(7, &some).shown(&some)),
            ["sessions", "ipackets", "cookie"]
        );
        let all = Filter {
            all: true,
            ..Filter::default()
        };
        assert_eq!(names(&snap(7, &all).shown(&all)).len(), 4);
        let drops = Filter {
            drops: true,
            ..Filter::default()
        };
        assert_eq!(names(&snap(7, &drops).shown(&drops)), ["cookie"]);
        let own = Filter {
            instance: Some("-".into()),
            ..Filter::default()
        };
        assert_eq!(names(&snap(7, &own).shown(&own)), ["sessions"]);
        let l2tp0 = Filter {
            instance: Some("l2tp0".into()),
            ..Filter::default()
        };
        assert_eq!(
            names(&snap(7, &l2tp0).shown(&l2tp0)),
            ["ipackets", "cookie"]
        );
    }

    #[test]
    fn rates_are_of_counters_only_and_never_negative() {
        let f = Filter::default();
        let (a, b) = (snap(10, &f), snap(40, &f));
        let rate = |s: &Snapshot, name: &str| {
            s.counters
                .iter()
                .find(|c| c.name == name)
                .and_then(|c| c.rate)
        };
        let r = b.since(&a, Duration::from_secs(2));
        assert_eq!(rate(&r, "ipackets"), Some(15.0));
        assert_eq!(rate(&r, "cookie"), Some(0.0));
        assert_eq!(rate(&r, "sessions"), None);
        assert_eq!(rate(&a.since(&b, Duration::from_secs(2)), "ipackets"), None);
        let nothing = Snapshot::default();
        assert_eq!(
            rate(&b.since(&nothing, Duration::from_secs(2)), "ipackets"),
            None
        );
    }

    #[test]
    fn events_have_names() {
        let mut buf = vec![0; 256];
        let mut w = Writer::new(&mut buf);
        let e = TraceEventBody {
            seq: 1,
            ns: 2,
            cpu: 0,
            code: 1,
            pad: 0,
            args: [4, 5, 6],
        };
        assert!(w.trace_name(1, "r\x1bx") && w.trace_event(&e));
        assert!(w.trace_event(&TraceEventBody { code: 9, ..e }));
        let n = w.len();
        let mut s = Snapshot::default();
        s.add("m_trace", &buf[..n], &Filter::default())
            .expect("well-formed");
        assert_eq!((&*s.trace[0].event, &*s.trace[1].event), ("r?x", "9"));
    }

    #[test]
    fn garbage_is_an_error_with_the_source_in_it() {
        let e = Snapshot::default()
            .add("if_l2tp", &[1; 9], &Filter::default())
            .unwrap_err();
        assert_eq!(e, "if_l2tp: malformed kstat record at byte 0");
    }

    #[test]
    fn json_shape() {
        let f = Filter::default();
        let shown = snap(7, &f).shown(&f);
        let v = serde_json::to_value(&shown).expect("it is all plain");
        assert_eq!(
            v[1],
            serde_json::json!({
                "module": "if_l2tp", "instance": "l2tp0", "name": "ipackets",
                "class": "counter", "value": 7, "description": "packets in",
            })
        );
    }
}
