// SPDX-License-Identifier: BSD-2-Clause
//! What works under one configuration: the engine, where it writes to, and what comes in. The loop
//! around it knows of descriptors and events.

use crate::conf::Conf;
use crate::engine::Changes;
use crate::engine::Engine;
use crate::engine::Event;
use crate::engine::Me;
use crate::io::gather::Gathered;
use crate::io::output::Output;
use crate::io::receive::Raw;
use crate::io::receive::Rules;
use crate::io::rings::Rings;
use crate::io::source::Source;
use crate::io::store::Outlets;
use crate::privsep::wire::Input;
use liblog::Clocks;
use liblog::Severity;
use liblog::time::Zone;
use libsys::batch::Batch;
use rustls::ServerConfig;
use std::sync::Arc;

/// All of it.
pub struct Core {
    /// The number of the configuration.
    pub generation: u32,
    /// The engine.
    pub engine: Engine,
    /// Where it writes to.
    pub outlets: Outlets,
    /// What comes in one by one, and where connections are accepted.
    pub sources: Vec<Source>,
    /// For connections that come in by TLS.
    pub server: Option<Arc<ServerConfig>>,
    /// Who may send, and how much.
    pub rules: Rules,
    /// How often rings with `keep=boot` are synced, and when the next time.
    sync: (u64, u64),
    /// Datagrams of the network that were read since somebody asked.
    datagrams: u64,
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Core {
    /// From a configuration, after another one, if there was one.
    ///
    /// # Errors
    /// It is not one that was loaded by the parent.
    pub fn new(
        mut gathered: Gathered,
        old: Option<Core>,
        zone: &Zone,
        now: Clocks,
    ) -> Result<Core, (String, Option<Box<Core>>)> {
        let conf = gathered.setup.conf.clone();
        let sync = nanos(conf.settings.sync).max(1_000_000_000);
        let tls = gathered.sources.iter().any(|s| s.input() == Input::Tls);
        let server = gathered.server(tls);
        let allowed = std::mem::take(&mut gathered.setup.allowed);
        let mut rules = Rules::new(allowed, gathered.message());
        let access = gathered.access();
        let boot = gathered.setup.boot;
        let (engine, rings, outputs) = match old {
            None => {
                let procid = std::process::id().to_string();
                let me = Me {
                    host: gathered.setup.host.as_bytes(),
                    procid: procid.as_bytes(),
                    seed: boot ^ now.mono,
                };
                let engine = Engine::new(conf.clone(), &me, now).map_err(|e| (e, None))?;
                let mut notes = Vec::new();
                let rings = Rings::load(&conf, access, &gathered.kept, boot, None, &mut notes);
                gathered.notes.extend(notes);
                (engine, rings, gathered.outputs())
            }
            Some(mut old) => {
                let before = old.engine.conf().clone();
                let changes = match old.engine.reload(conf.clone(), now, &mut old.outlets) {
                    Ok(changes) => changes,
                    Err(e) => return Err((e, Some(Box::new(old)))),
                };
                rules.denied = old.rules.denied;
                rules.cut = old.rules.cut;
                let Outlets { rings, outputs, .. } = old.outlets;
                let mut notes = Vec::new();
                let rings =
                    Rings::load(&conf, access, &gathered.kept, boot, Some(rings), &mut notes);
                gathered.notes.extend(notes);
                let fresh = gathered.outputs();
                let outputs = carry_over(fresh, outputs, &changes, &before, &conf, zone);
                (old.engine, rings, outputs)
            }
        };
        let mut core = Core {
            generation: gathered.generation,
            engine,
            outlets: Outlets {
                rings,
                outputs,
                zone: zone.clone(),
                stored: true,
            },
            sources: gathered.sources,
            server,
            rules,
            sync: (sync, now.mono.saturating_add(sync)),
            datagrams: 0,
        };
        for note in gathered.notes {
            core.say(Severity::WARNING, b"CONFIG", &note, now);
        }
        Ok(core)
    }

    /// Logs something of syslogd's own.
    pub fn say(&mut self, severity: Severity, msgid: &[u8], text: &str, now: Clocks) {
        let event = Event::Own {
            severity,
            msgid,
            sd: b"",
            text: text.as_bytes(),
        };
        self.engine.handle(now, event, &mut self.outlets);
    }

    /// Reads what has come by the sources, each for as long as its turn is.
    pub fn read(&mut self, batch: &mut Batch, now: Clocks) {
        let Core {
            engine,
            outlets,
            sources,
            rules,
            datagrams,
            ..
        } = self;
        for source in sources {
            if !source.ready || source.input().accepts() {
                continue;
            }
            let input = source.input();
            source.read(batch, &mut |packet| {
                *datagrams += u64::from(input == Input::Udp);
                let raw = Raw {
                    input,
                    bytes: packet.bytes,
                    cut: packet.cut,
                    from: packet.from,
                };
                rules.receive(raw, now, engine, outlets);
            });
        }
    }

    /// How many datagrams of the network were read since this was asked last.
    pub fn datagrams(&mut self) -> u64 {
        std::mem::take(&mut self.datagrams)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Clocks) {
        if self.engine.deadline().is_some_and(|at| at <= now.mono) {
            self.engine.handle(now, Event::Tick, &mut self.outlets);
        }
        let (every, due) = self.sync;
        if now.mono >= due {
            self.sync.1 = now.mono.saturating_add(every);
            if let Err(e) = self.outlets.rings.sync(false) {
                self.say(Severity::ERR, b"SYNC", &format!("rings: {e}"), now);
            }
        }
    }

    /// When something is due if nothing happens.
    #[must_use]
    pub fn next(&self) -> u64 {
        let outputs = self.outlets.outputs.iter().filter_map(Output::next);
        outputs
            .chain(self.engine.deadline())
            .chain([self.sync.1])
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Whether a source is to be read again at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.sources.iter().any(|source| source.ready)
    }

    /// All that waits is written, as far as that can be done at once.
    pub fn end(&mut self, now: Clocks) {
        self.engine.handle(now, Event::Flush, &mut self.outlets);
        let Outlets { outputs, zone, .. } = &mut self.outlets;
        for output in outputs {
            // There is nobody left to be told.
            let _ = output.close(zone);
        }
        let _ = self.outlets.rings.sync(true);
    }
}

/// The outputs of a new configuration: hosts and commands go on, with what waits for them.
fn carry_over(
    fresh: Vec<Output>,
    old: Vec<Output>,
    changes: &Changes,
    before: &Conf,
    conf: &Conf,
    zone: &Zone,
) -> Vec<Output> {
    let mut old: Vec<Option<Output>> = old.into_iter().map(Some).collect();
    let mut outputs = Vec::with_capacity(fresh.len());
    for (n, mut output) in fresh.into_iter().enumerate() {
        let from = changes.outputs.get(n).copied().flatten();
        let from = from.map(|id| usize::from(id.0));
        let known = from.and_then(|at| old.get_mut(at)?.take());
        let said = from.and_then(|at| before.outputs.get(at));
        match known {
            Some(known)
                if known.goes_on()
                    && said.map(|o| &o.what) == conf.outputs.get(n).map(|o| &o.what) =>
            {
                outputs.push(known);
            }
            Some(mut known) => {
                // What can be written is, and the rest waits in the new queue, if it has one.
                let _ = known.close(zone);
                output.inherit(&mut known);
                outputs.push(output);
            }
            None => outputs.push(output),
        }
    }
    for mut left in old.into_iter().flatten() {
        // As above.
        let _ = left.close(zone);
    }
    outputs
}
