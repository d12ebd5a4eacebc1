// SPDX-License-Identifier: BSD-2-Clause
//! Configuring an interface: a change builds a new variant and publishes it, or changes nothing.
//!
//! Contexts: thread. Locking: all under [C], which is held while readers of the old variant are
//! waited for; the packet path never takes it.

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering;

use if_l2tp_abi as abi;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::errno::Result;
use kern::ifnet::IfName;
use kern::ifnet::Ifnet;
use kern::ifnet::Params;
use kern::mem::KArc;
use kern::misc;
use kern::passive::Passive;
use kern::passive::Value;
use kern::stats::Counters;
use kern::sync::Mutex;

use crate::config::Config;
use crate::softc::L2tp;
use crate::softc::Shared;
use crate::softc::Softc;
use crate::softc::Variant;
use crate::softc::key;
use crate::stats::Ctr;

impl Softc {
    /// A new interface with nothing configured.
    ///
    /// # Errors
    /// ENOMEM, and what making the interface says.
    pub(crate) fn new(
        cx: &mut Thread,
        l2tp: &KArc<L2tp>,
        name: IfName,
        unit: u32,
    ) -> Result<KArc<Self>> {
        let mut lladdr = [0; 6];
        misc::random(&mut lladdr);
        let [first, ..] = &mut lladdr;
        // Locally administered, individual.
        *first = (*first & !0x01) | 0x02;
        let params = Params {
            name,
            unit,
            mtu: abi::L2TP_MTU_DEFAULT,
            lladdr,
        };
        let shared = Shared {
            ifnet: Ifnet::alloc(cx, &params)?,
            up: AtomicBool::new(false),
            counters: Counters::new(cx)?,
            drops: Counters::new(cx)?,
        };
        let softc = Softc {
            shared: KArc::new(cx, shared)?,
            l2tp: l2tp.clone(),
            variant: Passive::empty(),
            config: Mutex::new(cx, "l2tp", Config::default())?,
            if_up: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        };
        KArc::new(cx, softc)
    }

    /// Changes the configuration: all of it takes effect, or nothing does.
    ///
    /// # Errors
    /// ENXIO when the interface is being destroyed, what `change` says, what [`Config::check`] refuses, EEXIST for a session id that another
    /// interface has, and what opening the path says.
    pub(crate) fn reconfigure(
        this: &KArc<Self>,
        cx: &mut Thread,
        change: impl FnOnce(&mut Config) -> Result,
    ) -> Result {
        let mut config = this.config.lock(cx);
        if this.gone.load(Ordering::Relaxed) {
            return Err(Errno::ENXIO);
        }
        let mut new = config.clone();
        change(&mut new)?;
        new.check()?;
        let (was, is) = (config.session.map(|s| s.my), new.session.map(|s| s.my));
        let sessions = &this.l2tp.sessions;
        if let Some(id) = is.filter(|_| is != was) {
            sessions.insert(cx, key(id), this.clone())?;
        }
        let built = Variant::build(cx, &this.l2tp, &this.shared, &new);
        let built = built.and_then(|v| v.map(|v| Value::new(cx, v)).transpose());
        let value = match built {
            Ok(value) => value,
            Err(e) => {
                if let Some(id) = is.filter(|_| is != was) {
                    drop(sessions.remove(cx, key(id)));
                }
                this.l2tp.endpoints.sweep(cx);
                return Err(e);
            }
        };
        let ready = value.is_some();
        drop(this.variant.replace(cx, value));
        if let Some(id) = was.filter(|_| is != was) {
            drop(sessions.remove(cx, key(id)));
        }
        this.l2tp.endpoints.sweep(cx);
        let carries = ready && new.enabled;
        *config = new;
        this.shared.counters.inc(Ctr::Reconfigured);
        this.set_carrier(carries);
        this.shared.ifnet.set_running(cx, ready);
        this.shared.ifnet.set_link(cx, carries);
        Ok(())
    }

    /// IFF_UP has changed.
    pub(crate) fn set_up(&self, cx: &mut Thread, up: bool) {
        let config = self.config.lock(cx);
        self.if_up.store(up, Ordering::Relaxed);
        self.set_carrier(config.session.is_some() && config.tunnel.is_some() && config.enabled);
    }

    /// Under [C].
    fn set_carrier(&self, carries: bool) {
        let up = carries && self.if_up.load(Ordering::Relaxed);
        self.shared.up.store(up, Ordering::Relaxed);
    }

    /// Takes all of the configuration away; afterwards nothing finds the softc through the module.
    pub(crate) fn shut(&self, cx: &mut Thread) {
        let mut config = self.config.lock(cx);
        self.gone.store(true, Ordering::Relaxed);
        self.shared.up.store(false, Ordering::Relaxed);
        drop(self.variant.replace(cx, None));
        if let Some(session) = config.session {
            drop(self.l2tp.sessions.remove(cx, key(session.my)));
        }
        *config = Config::default();
        drop(config);
        self.l2tp.endpoints.sweep(cx);
    }
}
