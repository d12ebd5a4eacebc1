// SPDX-License-Identifier: BSD-2-Clause
//! Load and unload, create and destroy, and what kstat(8) sees.

use kern::callout::Callout;
use kern::callout::Handler;
use kern::clone::Cloner;
use kern::clone::IfClone;
use kern::cx::Softint;
use kern::cx::Thread;
use kern::encap::Endpoints;
use kern::errno::Errno;
use kern::errno::Result;
use kern::ifnet::IfName;
use kern::kstat::Emitter;
use kern::kstat::Kstat;
use kern::kstat::Source;
use kern::map::EpochMap;
use kern::mem::KArc;
use kern::mem::KVec;
use kern::module::Module;
use kern::stats::Counters;
use kern::sync::Mutex;
use kern::trace;
use kern::trace::Trace;

use crate::softc::L2tp;
use crate::softc::Registered;
use crate::softc::Softc;

impl Module for L2tp {
    fn init(cx: &mut Thread) -> Result<KArc<Self>> {
        let state = L2tp {
            sessions: EpochMap::new(cx, "l2tp sessions")?,
            endpoints: Endpoints::new(cx)?,
            softcs: Mutex::new(cx, "l2tp softcs", KVec::new())?,
            drops: Counters::new(cx)?,
            trace: Trace::new(cx)?,
            registered: Mutex::new(cx, "l2tp module", Registered::default())?,
        };
        let this = KArc::new(cx, state)?;
        Self::register(&this, cx).inspect_err(|_| Self::withdraw(&this, cx))?;
        Ok(this)
    }

    fn fini(this: &KArc<Self>, cx: &mut Thread) -> Result {
        if !this.softcs.lock(cx).is_empty() {
            return Err(Errno::EBUSY);
        }
        Self::withdraw(this, cx);
        Ok(())
    }
}

impl L2tp {
    fn register(this: &KArc<Self>, cx: &mut Thread) -> Result {
        let callout = Callout::new(cx, this.clone())?;
        this.registered.lock(cx).trace_off = Some(callout);
        let kstat = Kstat::attach(cx, "if_l2tp", "if_l2tp_trace", this.clone())?;
        this.registered.lock(cx).kstat = Some(kstat);
        // Last: from here on interfaces can be created.
        let cloner = IfClone::attach(cx, this.clone())?;
        this.registered.lock(cx).cloner = Some(cloner);
        Ok(())
    }

    fn withdraw(this: &KArc<Self>, cx: &mut Thread) {
        let registered = core::mem::take(&mut *this.registered.lock(cx));
        if let Some(cloner) = registered.cloner {
            cloner.detach(cx);
        }
        if let Some(kstat) = registered.kstat {
            kstat.detach(cx);
        }
        if let Some(callout) = registered.trace_off {
            callout.destroy(cx);
        }
        this.endpoints.sweep(cx);
    }
}

impl Cloner for L2tp {
    type Driver = Softc;

    const NAME: &'static str = "l2tp";

    fn create(this: &KArc<Self>, cx: &mut Thread, name: IfName, unit: u32) -> Result<KArc<Softc>> {
        let sc = Softc::new(cx, this, name, unit)?;
        this.softcs.lock(cx).push(cx, sc.clone())?;
        Ok(sc)
    }

    fn destroy(this: &KArc<Self>, cx: &mut Thread, sc: &KArc<Softc>) {
        sc.shut(cx);
        let mut softcs = this.softcs.lock(cx);
        if let Some(i) = softcs.iter().position(|other| KArc::ptr_eq(other, sc)) {
            drop(softcs.swap_remove(i));
        }
    }
}

impl Source for L2tp {
    fn emit(&self, cx: &mut Thread, n: u64, out: &mut Emitter<'_, '_>) -> bool {
        if n == 0 {
            out.instance("");
            out.gauge(
                "sessions",
                "sessions that are set",
                self.sessions.len(cx) as u64,
            );
            out.gauge(
                "endpoints",
                "outer endpoints that are open",
                self.endpoints.len(cx) as u64,
            );
            out.counters(&self.drops);
            return true;
        }
        let softcs = self.softcs.lock(cx);
        let Some(sc) = usize::try_from(n - 1).ok().and_then(|i| softcs.get(i)) else {
            return false;
        };
        out.instance(sc.shared.ifnet.name());
        out.counters(&sc.shared.counters);
        out.counters(&sc.shared.drops);
        true
    }

    fn emit_trace(&self, cx: &mut Thread, out: &mut Emitter<'_, '_>) {
        self.trace.set_on(true);
        if let Some(callout) = &self.registered.lock(cx).trace_off {
            callout.schedule(trace::LINGER_MS);
        }
        out.instance("");
        out.trace(&self.trace);
    }
}

impl Handler for L2tp {
    /// Nobody has read the trace for a while.
    fn expired(&self, _cx: &mut Softint) {
        self.trace.set_on(false);
    }
}
