// SPDX-License-Identifier: BSD-2-Clause
//! Load and unload, and what kstat(8) sees.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

use flow::table::Table;
use kern::cdev::Cdev;
use kern::cx::Thread;
use kern::errno::Result;
use kern::iflog::DLT_PFLOG;
use kern::iflog::IfLog;
use kern::kstat::Emitter;
use kern::kstat::Kstat;
use kern::kstat::Source;
use kern::mem::KArc;
use kern::mem::KBox;
use kern::mem::KVec;
use kern::module::Module;
use kern::passive::Passive;
use kern::passive::Value;
use kern::pfil::Gate;
use kern::pfil::Pfil;
use kern::stats::Counters;
use kern::sync::Mutex;
use kern::task::Task;
use kern::trace::Trace;

use crate::alg::Controls;
use crate::blocklog::BlockLog;
use crate::frag::Frags;
use crate::ifmap::IfCounts;
use crate::log;
use crate::overload::Overloads;
use crate::softc::Config;
use crate::softc::Family;
use crate::softc::Iipf;
use crate::softc::Registered;
use crate::softc::SEQS;
use crate::synproxy::Cookies;
use crate::watch::Watch;
use crate::worker::TICK;
use crate::worker::secret;
use flow::care::seconds;

/// The log's name.
const LOG: &str = "iipflog0";

impl Module for Iipf {
    fn init(cx: &mut Thread) -> Result<KArc<Self>> {
        let this = Self::new(cx)?;
        Self::register(&this, cx).inspect_err(|_| Self::withdraw(&this, cx))?;
        Ok(this)
    }

    fn fini(this: &KArc<Self>, cx: &mut Thread) -> Result {
        Self::withdraw(this, cx);
        Ok(())
    }
}

/// Nothing configured.
#[inline(never)]
fn nothing(cx: &mut Thread) -> Result<KBox<Config>> {
    let config = Config {
        load: None,
        tickets: 0,
        generation: 0,
        loaded: 0,
        live: None,
        tables: KVec::new(),
        ports: KVec::new(),
        ifs: IfCounts::default(),
        forwards: KVec::new(),
        next_forward: 1,
    };
    KBox::new(cx, config)
}

impl Iipf {
    /// Without rules. Apart, for its frame is large.
    #[inline(never)]
    fn new(cx: &mut Thread) -> Result<KArc<Self>> {
        let config = nothing(cx)?;
        let state = Iipf {
            gate: Gate::new(cx)?,
            rules: Passive::empty(),
            v4: Family::new(cx)?,
            v6: Family::new(cx)?,
            seqs: Table::new(cx, "iipf sequences", SEQS)?,
            controls: Controls::new(cx)?,
            frags: Frags::new(cx, secret())?,
            now: AtomicU32::new(seconds()),
            enabled: AtomicU32::new(1),
            since: AtomicU32::new(seconds()),
            log_budget: AtomicU32::new(log::BUDGET),
            error_budget: AtomicU32::new(log::ERRORS),
            secret: AtomicU64::new(secret()),
            cookies: Cookies::new([secret(), secret(), secret(), secret()]),
            nodes: AtomicU32::new(0),
            overloads: Overloads::new(cx)?,
            blocks: BlockLog::new(cx)?,
            watch: Watch::new(cx)?,
            worker: Passive::empty(),
            log: Passive::empty(),
            config: Mutex::new(cx, "iipf", config)?,
            counters: Counters::new(cx)?,
            drops: Counters::new(cx)?,
            trace: Trace::new(cx)?,
            registered: Mutex::new(cx, "iipf module", Registered::default())?,
        };
        KArc::new(cx, state)
    }

    fn register(this: &KArc<Self>, cx: &mut Thread) -> Result {
        let iflog = IfLog::attach(cx, LOG, DLT_PFLOG)?;
        let value = Value::new(cx, iflog)?;
        drop(this.log.replace(cx, Some(value)));
        let task = Task::new(cx, this.clone())?;
        let value = Value::new(cx, task)?;
        drop(this.worker.replace(cx, Some(value)));
        let kstat = Kstat::attach(cx, "iipf", "iipf_trace", this.clone())?;
        this.registered.lock(cx).kstat = Some(kstat);
        // Packets come from here on, and pass until there are rules.
        let gate = this.gate.clone();
        let pfil = Pfil::attach(cx, &gate, this.clone())?;
        this.registered.lock(cx).pfil = Some(pfil);
        let cdev = Cdev::attach(cx, this.clone())?;
        this.registered.lock(cx).cdev = Some(cdev);
        this.schedule(cx, TICK);
        Ok(())
    }

    fn withdraw(this: &KArc<Self>, cx: &mut Thread) {
        let registered = core::mem::take(&mut *this.registered.lock(cx));
        if let Some(cdev) = registered.cdev {
            cdev.detach(cx);
        }
        if let Some(pfil) = registered.pfil {
            pfil.detach(cx);
        }
        if let Some(kstat) = registered.kstat {
            kstat.detach(cx);
        }
        if let Some(task) = this.worker.replace(cx, None) {
            task.into_inner().destroy(cx);
        }
        if let Some(log) = this.log.replace(cx, None) {
            log.into_inner().detach(cx);
        }
        drop(this.rules.replace(cx, None));
        let mut config = this.config.lock(cx);
        config.live = None;
        config.load = None;
        config.tables = KVec::new();
        config.ports = KVec::new();
        config.ifs = IfCounts::default();
        config.forwards = KVec::new();
    }
}

impl Source for Iipf {
    fn emit(&self, _cx: &mut Thread, n: u64, out: &mut Emitter<'_, '_>) -> bool {
        if n != 0 {
            return false;
        }
        out.instance("");
        let states = self.v4.flows.len().saturating_add(self.v6.flows.len());
        out.gauge("states", "states that there are", u64::from(states));
        let maps = self.v4.maps.len().saturating_add(self.v6.maps.len());
        out.gauge("maps", "translations that there are", u64::from(maps));
        let held = self.frags.held();
        out.gauge("fragments_waiting", "fragments that wait", u64::from(held));
        let enabled = self.enabled.load(Relaxed);
        out.gauge("enabled", "1: packets are looked at", u64::from(enabled));
        out.counters(&self.counters);
        out.counters(&self.drops);
        true
    }

    fn emit_trace(&self, _cx: &mut Thread, out: &mut Emitter<'_, '_>) {
        self.trace.set_on(true);
        out.instance("");
        out.trace(&self.trace);
    }
}
