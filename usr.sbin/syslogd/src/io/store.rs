// SPDX-License-Identifier: BSD-2-Clause
//! What the engine writes to, and what readers at the control socket see of all that.

use crate::conf::OutputId;
use crate::conf::RingId;
use crate::engine::Engine;
use crate::engine::Event;
use crate::engine::Input;
use crate::engine::Sink;
use crate::io::control;
use crate::io::control::is_owner;
use crate::io::output::Output;
use crate::io::region::Memory;
use crate::io::rings::Rings;
use liblog::Clocks;
use liblog::Msg;
use liblog::parse::Flaws;
use liblog::proto::Code;
use liblog::proto::Reply;
use liblog::proto::Request;
use liblog::ring::Log;
use liblog::time::Zone;
use libsys::peer::Peer;
use serde_json::Value;
use serde_json::json;

/// Rings and outputs.
pub struct Outlets {
    /// The rings.
    pub rings: Rings,
    /// The outputs.
    pub outputs: Vec<Output>,
    /// What local time is.
    pub zone: Zone,
    /// Something was stored since this was last looked at.
    pub stored: bool,
}

impl Sink for Outlets {
    fn store(&mut self, ring: RingId, msg: &Msg<'_>, at: Clocks) {
        self.rings.push(usize::from(ring.0), msg, at);
        self.stored = true;
    }

    fn write(&mut self, output: OutputId, msg: &Msg<'_>, at: Clocks) {
        if let Some(output) = self.outputs.get_mut(usize::from(output.0)) {
            output.put(msg, at, &self.zone);
        }
    }
}

/// What is asked over the control socket is answered from here.
pub struct Desk<'a> {
    /// The engine.
    pub engine: &'a mut Engine,
    /// Rings and outputs.
    pub outlets: &'a mut Outlets,
    /// The time.
    pub now: Clocks,
    /// Figures that the loop has, about what comes in.
    pub inputs: &'a dyn Fn() -> Value,
}

fn denied() -> Reply {
    Reply::error(Code::NoAccess, "that is not for you")
}

/// Counters by their names.
fn named(names: &[&str], counters: &[u64]) -> Value {
    let pairs = names.iter().zip(counters);
    pairs
        .map(|(&name, &n)| (name.to_owned(), Value::from(n)))
        .collect()
}

impl Desk<'_> {
    fn stats(&mut self, peer: &Peer) -> Value {
        let outputs: Vec<Value> = self.outlets.outputs.iter_mut().map(Output::stats).collect();
        let stats = self.engine.stats();
        let mut engine = json!(stats);
        if let Some(map) = engine.as_object_mut() {
            map.insert("received".into(), named(&Input::NAMES, &stats.received));
            map.insert("flaws".into(), named(&Flaws::NAMES, &stats.flaws));
        }
        json!({
            "time": self.now.wall,
            "mono": self.now.mono,
            "budget": self.outlets.rings.budget(),
            "rings": self.outlets.rings.infos(peer),
            "engine": engine,
            "inputs": (self.inputs)(),
            "outputs": outputs,
        })
    }

    fn throttle(&self) -> Value {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let sources = self.engine.sources().map(|source| {
            json!({
                "host": text(source.host),
                "app": text(source.app),
                "passed": source.passed,
                "withheld": source.withheld,
            })
        });
        sources.collect()
    }
}

impl control::Store for Desk<'_> {
    fn find(&self, name: &str, peer: &Peer) -> Result<usize, Reply> {
        self.outlets.rings.find(name, peer)
    }

    fn ring(&mut self, at: usize) -> Option<(&str, &mut Log<Memory>)> {
        self.outlets.rings.get(at)
    }

    fn answer(&mut self, request: Request, peer: &Peer) -> Reply {
        let owner = is_owner(peer, self.outlets.rings.owner());
        let done = |what: &str, lost| Reply::Done {
            done: what.to_owned(),
            lost,
        };
        match request {
            Request::Ping => done("ping", 0),
            Request::Rings => Reply::Rings {
                rings: self.outlets.rings.infos(peer),
            },
            _ if !self.outlets.rings.may_control(peer) => denied(),
            Request::Stats => Reply::Stats {
                stats: self.stats(peer),
            },
            Request::Throttle => Reply::Throttle {
                throttle: self.throttle(),
            },
            _ if !owner => denied(),
            Request::Flush => {
                self.engine.handle(self.now, Event::Flush, self.outlets);
                match self.outlets.rings.sync(false) {
                    Ok(()) => done("flush", 0),
                    Err(e) => Reply::error(Code::Failed, e),
                }
            }
            Request::Resize { ring, size } => match self.outlets.rings.find(&ring, peer) {
                Ok(at) => self
                    .outlets
                    .rings
                    .resize(at, size)
                    .map_or_else(|reply| reply, |lost| done("resize", lost)),
                Err(reply) => reply,
            },
            Request::Clear { ring } => match self.outlets.rings.find(&ring, peer) {
                Ok(at) => done("clear", self.outlets.rings.clear(at)),
                Err(reply) => reply,
            },
            // Those who serve readers see to it.
            Request::Read(_) => Reply::error(Code::Failed, "not here"),
        }
    }
}
