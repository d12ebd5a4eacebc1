// SPDX-License-Identifier: BSD-2-Clause
//! An engine with a stream of messages, for what is measured.

use liblog::Msg;
use liblog::Pri;
use liblog::msg::Clocks;
use liblog::parse::Flaws;
use std::io;
use syslogd::conf::Files;
use syslogd::conf::Options;
use syslogd::conf::OutputId;
use syslogd::conf::RingId;
use syslogd::conf::load;
use syslogd::engine::Engine;
use syslogd::engine::Event;
use syslogd::engine::Input;
use syslogd::engine::Me;
use syslogd::engine::Sink;

struct One(String);

impl Files for One {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

#[derive(Default)]
struct Count(u64);

impl Sink for Count {
    fn store(&mut self, _: RingId, msg: &Msg<'_>, _: Clocks) {
        self.0 += msg.text.len() as u64;
    }

    fn write(&mut self, _: OutputId, msg: &Msg<'_>, _: Clocks) {
        self.0 += msg.text.len() as u64;
    }
}

/// An engine, and messages of some programs with a number each.
pub struct Rig {
    engine: Engine,
    texts: Vec<String>,
    now: Clocks,
    sink: Count,
    n: usize,
}

const APPS: [&str; 4] = ["sshd", "dhcpd", "named", "cron"];

impl Rig {
    /// `different`: no text is that of the message before.
    pub fn new(conf: &str, different: bool) -> Rig {
        let conf = load("bench", &One(conf.to_owned()), Options::default()).unwrap();
        let me = Me {
            host: b"router",
            procid: b"1",
            seed: 7,
        };
        let engine = Engine::new(conf, &me, Clocks::default()).unwrap();
        let number = |n: u32| if different { n } else { 0 };
        let text = |n| {
            format!(
                "DHCPREQUEST for 192.0.2.7 from 00:00:5e:00:53:{:06x}",
                number(n)
            )
        };
        Rig {
            engine,
            texts: (0..1024).map(text).collect(),
            now: Clocks::default(),
            sink: Count::default(),
            n: 0,
        }
    }

    /// One message.
    pub fn one(&mut self) {
        self.n += 1;
        self.now.mono += 1000;
        self.now.wall += 1000;
        // Each program has its own facility: daemon, auth, cron, local0.
        let which = self.n / 256 % APPS.len();
        let msg = Msg {
            pri: Pri::from_value([30, 38, 78, 134][which]).unwrap(),
            sent: None,
            host: b"",
            app: APPS[which].as_bytes(),
            procid: b"1234",
            msgid: b"",
            sd: b"",
            text: self.texts[self.n % self.texts.len()].as_bytes(),
        };
        let event = Event::Message {
            input: Input::Local,
            msg,
            flaws: Flaws::none(),
        };
        self.engine.handle(self.now, event, &mut self.sink);
    }

    /// Bytes that came out.
    pub fn seen(&self) -> u64 {
        self.sink.0
    }
}

/// Names, configurations, and whether the messages differ.
pub fn cases() -> [(&'static str, String, bool); 9] {
    let usual = "*.err;kern.warning;auth.notice;mail.crit /dev/console\n\
                 *.notice;authpriv.none;kern.debug;lpr.info /var/log/messages\n\
                 auth.info;authpriv.info /var/log/auth.log\nmail.info /var/log/maillog\n\
                 cron.* /var/log/cron\n!-devd\n*.=debug /var/log/debug.log\n*.emerg *\n\
                 daemon.info /var/log/daemon.log\n!*\n*.* ring:all:1m\n*.err ring:err:64k\n";
    let many: String = (0..1000)
        .map(|n| format!("!prog{n}\n*.* /var/log/{n}\n"))
        .chain(["!*\nkern.* /k\n".repeat(1000), "*.* ring:all:1m\n".into()])
        .collect();
    [
        ("one ring", "*.* ring:all:1m\n".to_owned(), true),
        ("a usual file", usual.to_owned(), true),
        ("2000 rules that can not match", many, true),
        (
            "throttled",
            "set throttle 1/s\n*.* ring:all:1m\n".into(),
            true,
        ),
        (
            "too many sources",
            "set throttle 1/s\nset sources 3\nset summary 1ms\n*.* ring:all:1m\n".into(),
            true,
        ),
        (
            "passed by the throttle",
            "set throttle 1000000/s burst 9999\n*.* ring:a:1m\n".into(),
            true,
        ),
        ("repeated", "*.* ring:all:1m\n".into(), false),
        (
            "by an expression",
            ":msg, ereregex, \"from (0[0-9]:)+5e.*zz\"\n*.* /x\n".into(),
            true,
        ),
        (
            "remapped",
            "remap !dhcpd,cron daemon.* -> .debug\n*.* ring:all:1m\n".into(),
            true,
        ),
    ]
}
