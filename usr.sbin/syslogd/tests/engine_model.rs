// SPDX-License-Identifier: BSD-2-Clause
//! Selection against an evaluator that asks every rule, and throttling against one that counts
//! tokens, on inputs made at random.

mod bench;

use liblog::Facility;
use liblog::Msg;
use liblog::Pri;
use liblog::Severity;
use liblog::msg::Clocks;
use liblog::parse::Flaws;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use syslogd::conf::Compare;
use syslogd::conf::Conf;
use syslogd::conf::Field;
use syslogd::conf::Names;
use syslogd::conf::OutputId;
use syslogd::conf::Rate;
use syslogd::conf::RingId;
use syslogd::conf::Target;
use syslogd::engine::Engine;
use syslogd::engine::Event;
use syslogd::engine::Input;
use syslogd::engine::Me;
use syslogd::engine::Sink;
use syslogd::engine::Table;
use syslogd::engine::Verdict;

const NAMES: [&str; 6] = ["a", "b", "ab", "ppp", "kernel", ""];
const HOSTS: [&str; 5] = ["", "gw", "gw.x", "h", "10.0.0.1"];
const TEXTS: [&str; 6] = ["a: x", "ppp: up", "deny", "DENY it", "", "aab"];
const FACILITIES: [&str; 4] = ["kern", "user", "mail", "local7"];

/// One line of a configuration.
fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "ab", "ppp", "p*", "?"]);
    let names = prop::collection::vec(name, 1..4);
    let host = prop::sample::select(vec!["gw", "gw.x", "h", "@", "10.*"]);
    let facility = prop::sample::select(vec!["*", "kern", "user", "mail,local7", "mark"]);
    let level = prop::sample::select(vec![
        "*", "err", "=info", "!=info", "<notice", "none", "debug",
    ]);
    let selector = (facility, level).prop_map(|(f, l)| format!("{f}.{l}"));
    let target = prop::sample::select(vec!["/a", "/b", "/c", "ring:r:64k", "ring:s:64k"]);
    let property = prop::sample::select(vec![
        ":msg, contains, \"deny\"",
        ":msg, !icase_contains, \"deny\"",
        ":programname, isequal, \"ab\"",
        ":hostname, startswith, \"gw\"",
        ":hostname, icase_isequal, \"HERE\"",
        ":msg, ereregex, \"^a+b?\"",
        ":*",
    ]);
    let sign = prop::sample::select(vec!["!", "!-", "!!", "!+"]);
    prop_oneof![
        5 => (prop::collection::vec(selector, 1..4), target)
            .prop_map(|(s, t)| format!("{} {t}", s.join(";"))),
        2 => (sign, names).prop_map(|(s, n)| format!("{s}{}", n.join(","))),
        1 => (prop::bool::ANY, host).prop_map(|(p, h)| format!("{}{h}", if p { "+" } else { "-" })),
        1 => property.prop_map(str::to_owned),
        1 => prop::sample::select(vec!["!*", "+*"]).prop_map(str::to_owned),
    ]
}

/// By recursion, as the word says it.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            like(&pattern[1..], text) || (!text.is_empty() && like(pattern, &text[1..]))
        }
        (Some(b'?'), Some(_)) => like(&pattern[1..], &text[1..]),
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b) && like(&pattern[1..], &text[1..]),
        _ => false,
    }
}

fn list(names: &Names, fits: impl Fn(&str) -> bool) -> bool {
    names.names.iter().any(|n| fits(n)) != names.not
}

fn holds(conf: &Conf, block: u16, msg: &Msg<'_>) -> bool {
    let block = &conf.blocks[usize::from(block)];
    let text = String::from_utf8(msg.text.to_vec()).unwrap();
    let host = if msg.host.is_empty() {
        b"here"
    } else {
        msg.host
    };
    let kernel = (msg.pri.facility == Facility::KERN && [&b"kernel"[..], b""].contains(&msg.app))
        .then(|| text.split_once(": ").map(|(name, _)| name.to_owned()))
        .flatten()
        .filter(|name| !name.contains(' '));
    let programs = block.programs.as_ref().is_none_or(|p| {
        list(p, |n| {
            let kernel = kernel
                .as_ref()
                .is_some_and(|k| like(n.as_bytes(), k.as_bytes()));
            kernel || like(n.as_bytes(), msg.app)
        })
    });
    let hosts = block.hosts.as_ref().is_none_or(|h| {
        if h.local {
            return (msg.host.is_empty() || msg.host == b"here") != h.not;
        }
        list(h, |n| {
            let label = host.split(|&b| b == b'.').next().unwrap();
            let short = !n.contains('.') && host != b"10.0.0.1" && like(n.as_bytes(), label);
            short || like(n.as_bytes(), host)
        })
    });
    let property = block.property.as_ref().is_none_or(|p| {
        let mut field = match p.field {
            Field::Msg => text,
            Field::Program => String::from_utf8(msg.app.to_vec()).unwrap(),
            Field::Host => String::from_utf8(host.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        };
        let mut value = p.value.clone();
        if p.icase {
            field.make_ascii_lowercase();
            value.make_ascii_lowercase();
        }
        let found = match p.compare {
            Compare::Contains => field.contains(&value),
            Compare::Equal => field == value,
            Compare::Starts => field.starts_with(&value),
            // The one expression that there is: ^a+b?
            Compare::Regex => field.starts_with('a'),
        };
        found != p.not
    });
    programs && hosts && property
}

/// The targets of a message, by asking every rule.
fn naive(conf: &Conf, msg: &Msg<'_>) -> (Vec<Target>, Vec<usize>) {
    let (mut targets, mut taken) = (Vec::new(), Vec::new());
    let mut stopped = None;
    for (n, rule) in conf.rules.iter().enumerate() {
        let facility = usize::from(msg.pri.facility.number());
        if !rule.levels.has(facility, msg.pri.severity.number()) {
            continue;
        }
        if stopped.is_some_and(|b| b != rule.block) || !holds(conf, rule.block, msg) {
            continue;
        }
        taken.push(n);
        if !targets.contains(&rule.to) {
            targets.push(rule.to);
        }
        if conf.blocks[usize::from(rule.block)].stop {
            stopped = Some(rule.block);
        }
    }
    (targets, taken)
}

#[derive(Default)]
struct Targets(Vec<Target>);

impl Sink for Targets {
    fn store(&mut self, ring: RingId, _: &Msg<'_>, _: Clocks) {
        self.0.push(Target::Ring(ring));
    }

    fn write(&mut self, output: OutputId, _: &Msg<'_>, _: Clocks) {
        self.0.push(Target::Output(output));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn selection_is_that_of_asking_every_rule(lines in prop::collection::vec(line(), 1..30)) {
        let conf = bench::conf(&format!("set repeats off\n{}\n", lines.join("\n")));
        let me = Me { host: b"here", procid: b"1", seed: 5 };
        let mut engine = Engine::new(conf.clone(), &me, Clocks::default()).unwrap();
        let mut counts = vec![0; conf.rules.len()];
        for facility in FACILITIES {
            for severity in 0..8 {
                for (n, app) in NAMES.iter().enumerate() {
                    for (m, text) in TEXTS.iter().enumerate() {
                        let msg = Msg {
                            pri: Pri {
                                facility: Facility::named(facility).unwrap(),
                                severity: Severity::new(severity).unwrap(),
                            },
                            ..bench::msg("user.info", HOSTS[(n + m) % HOSTS.len()], app, text)
                        };
                        let mut out = Targets::default();
                        let flaws = Flaws::none();
                        let event = Event::Message { input: Input::Local, msg, flaws };
                        engine.handle(Clocks::default(), event, &mut out);
                        let (targets, taken) = naive(&conf, &msg);
                        prop_assert_eq!(&out.0, &targets, "{:?}", msg);
                        taken.iter().for_each(|&n| counts[n] += 1);
                    }
                }
            }
        }
        prop_assert_eq!(engine.stats().rules, counts);
    }
}

/// A bucket as the word says it: tokens in units of 1 / rate nanoseconds, and who was heard when.
#[derive(Default)]
struct Reference {
    sources: BTreeMap<String, (u128, u64, u64, u64, u64)>,
    heard: u64,
}

impl Reference {
    /// Whether it passes, and whom it was forgotten for.
    fn ask(&mut self, now: u64, app: &str, rate: &Rate, most: usize) -> (bool, bool) {
        let interval = rate.per.as_nanos() / u128::from(rate.messages);
        let depth = interval * u128::from(rate.burst);
        let mut evicted = false;
        if !self.sources.contains_key(app) && self.sources.len() == most {
            let oldest = self.sources.iter().min_by_key(|(_, s)| s.2).unwrap();
            let name = oldest.0.clone();
            self.sources.remove(&name);
            evicted = true;
        }
        self.heard += 1;
        let fresh = (depth, now, 0, 0, 0);
        let source = self.sources.entry(app.into()).or_insert(fresh);
        source.0 = (source.0 + u128::from(now - source.1)).min(depth);
        source.1 = now;
        source.2 = self.heard;
        let passes = source.0 >= interval;
        if passes {
            source.0 -= interval;
            source.3 += 1;
        } else {
            source.4 += 1;
        }
        (passes, evicted)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_throttle_is_a_bucket_of_tokens(
        (messages, burst, sources) in (1..20u32, 1..10u32, 1..6u32),
        events in prop::collection::vec((0..8usize, 0..400_000_000u64), 1..300),
    ) {
        let rate = Rate { messages, per: Duration::from_secs(1), burst };
        let text = format!("set throttle {messages}/s burst {burst}\nset sources {sources}\n\
                            set repeats off\nset summary 1d\nuser.* /a\n");
        let me = Me { host: b"here", procid: b"1", seed: 5 };
        let conf = bench::conf(&text);
        let mut engine = Engine::new(conf, &me, Clocks::default()).unwrap();
        let mut reference = Reference::default();
        let mut now = Clocks::default();
        let (mut withheld, mut evicted) = (0, 0);
        for (who, wait) in events {
            now.mono += wait;
            now.wall += wait as i64;
            let app = format!("app{who}");
            let msg = bench::msg("user.info", "", &app, "x");
            let mut out = Targets::default();
            let event = Event::Message { input: Input::Local, msg, flaws: Flaws::none() };
            engine.handle(now, event, &mut out);
            let (passes, forgot) = reference.ask(now.mono, &app, &rate, sources as usize);
            prop_assert_eq!(out.0.len(), usize::from(passes));
            withheld += u64::from(!passes);
            evicted += u64::from(forgot);
        }
        let stats = engine.stats();
        prop_assert_eq!((stats.withheld, stats.evicted), (withheld, evicted));
        let mut all: Vec<_> = reference.sources.iter().collect();
        all.sort_by_key(|(_, s)| std::cmp::Reverse(s.2));
        let expected: Vec<_> = all.iter().map(|(n, s)| ((*n).clone(), s.3, s.4)).collect();
        let seen: Vec<_> = engine
            .sources()
            .map(|s| (String::from_utf8(s.app.to_vec()).unwrap(), s.passed, s.withheld))
            .collect();
        prop_assert_eq!(seen, expected);
    }
}

/// Names longer than what is kept of them share a bucket; nothing panics at the ends of time.
#[test]
fn the_ends_of_names_and_times() {
    let rate = Rate {
        messages: 1,
        per: Duration::from_secs(86_400),
        burst: 10_000_000,
    };
    let mut table = Table::new(1, Some(&rate), 0);
    let long = [b'x'; 300];
    assert_eq!(table.asked(u64::MAX, &long, &long), Verdict::Pass);
    table.asked(0, &long, &long[1..]);
    assert_eq!(table.sources().count(), 1);
    let mut none = Table::new(5, None, 0);
    assert_eq!(none.asked(0, b"", b""), Verdict::Pass);
    assert_eq!(none.sources().count(), 0);
}
