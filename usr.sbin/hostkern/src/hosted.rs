// SPDX-License-Identifier: BSD-2-Clause
//! The kernel of sys/host, as the rest of this process sees it.

use crate::backend::{Backend, Event, Pair, Refusal, Result, TunnelOp};
use crate::log::say_raw;
use crate::registry;
use host::clock::ClockKind;
use host::door::Doors;
use host::event;
use host::ifnet::IfInfo;
use host::kernel::{Config, Kernel, LoadError};
use host::ledger::Faults;
use host::osdoors::{OsConfig, OsDoors};
use host::port::Link;
use kabi::Name;
use kabi::ctl::{
    EV_ATTACH, EV_CHANGE, EV_DETACH, EV_DOWN, EV_LINK_DOWN, EV_LINK_UP, EV_UP, IFF_LINK_DOWN,
    IFF_LINK_UP, IFF_RUNNING, IFF_UP, IfEntry, IfEvent, ModEntry, Tunnel,
};
use kpi_sys::{KPI_VERSION, kpi_tunnel};
use libkctl::Errno;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A host kernel whose doors are the OS's.
#[derive(Clone)]
pub struct Hosted(Kernel, Arc<Path>);

impl Hosted {
    /// Starts one without modules; `state` is where pairs keep what undoes them.
    ///
    /// # Errors
    /// The OS's doors can not be opened.
    pub fn boot(state: &Path) -> io::Result<Hosted> {
        let kernel = Kernel::new(Config {
            name: "hostkern".into(),
            clock: ClockKind::Real,
            seed: 0,
            faults: Faults::none(),
            doors: Doors::Os(OsDoors::new(OsConfig::default())?),
        });
        kernel.home().log.set_sink(Arc::new(say_raw));
        Ok(Hosted(kernel, state.into()))
    }

    /// Destroys all interfaces, unloads all modules, takes all pairs away.
    ///
    /// # Errors
    /// What was not given back.
    pub fn shutdown(self) -> std::result::Result<(), String> {
        let pairs = self.0.pairs();
        let of_pair = |name: &str| pairs.iter().any(|(tap, _)| tap == name);
        for i in self.0.ifnets().iter().filter(|i| !of_pair(&i.name)) {
            self.0
                .clone_destroy(&i.name)
                .map_err(|e| format!("{}: destroy: {e}", i.name))?;
        }
        self.0.shutdown().map_err(|leaks| leaks.to_string())
    }
}

fn refusal(e: host::errno::Errno) -> Refusal {
    Errno(e.0.unsigned_abs()).into()
}

fn entry(i: &IfInfo) -> Option<IfEntry> {
    let mut flags = match i.link {
        Link::Up => IFF_LINK_UP,
        Link::Down => IFF_LINK_DOWN,
        Link::Unknown => 0,
    };
    flags |= if i.up { IFF_UP } else { 0 } | if i.running { IFF_RUNNING } else { 0 };
    Some(IfEntry {
        name: Name::new(&i.name)?,
        index: i.index,
        mtu: i.mtu,
        flags,
        lladdr: i.lladdr.unwrap_or_default(),
        pad: [0; 6],
        stats: i.stats,
        tunnel: i.tunnel.as_ref().map_or(
            Tunnel {
                af: 0,
                pad: 0,
                src: [0; 16],
                dst: [0; 16],
            },
            |t| Tunnel {
                af: t.0.kt_af,
                pad: 0,
                src: t.0.kt_src,
                dst: t.0.kt_dst,
            },
        ),
    })
}

fn told(e: event::Event) -> Event {
    use event::Event as E;
    let (name, index, kind) = match e {
        E::IfAttach { index, name } => (name, index, EV_ATTACH),
        E::IfDetach { index, name } => (name, index, EV_DETACH),
        E::Link {
            index,
            name,
            up: true,
        } => (name, index, EV_LINK_UP),
        E::Link {
            index,
            name,
            up: false,
        } => (name, index, EV_LINK_DOWN),
        E::Up { index, name } => (name, index, EV_UP),
        E::Down { index, name } => (name, index, EV_DOWN),
        E::Mtu { index, name, .. } | E::Rename { index, name, .. } => (name, index, EV_CHANGE),
    };
    (name, IfEvent { kind, index })
}

impl Backend for Hosted {
    fn kpi_version(&self) -> u32 {
        KPI_VERSION
    }

    fn modules(&self) -> Vec<ModEntry> {
        let loaded = self.0.modules();
        let one = |(name, m): (&str, &kpi_sys::kpi_module)| {
            let loaded = loaded.iter().any(|l| l == name).into();
            Some(ModEntry {
                name: Name::new(name)?,
                loaded,
                kpi: m.km_version,
            })
        };
        registry::modules().into_iter().filter_map(one).collect()
    }

    fn load(&self, name: &str) -> Result {
        let all = registry::modules();
        let (_, module) = all.iter().find(|m| m.0 == name).ok_or_else(|| {
            let there = registry::names().join(" ");
            Refusal::new(
                Errno::ENOENT,
                format!("no module '{name}'; there are {there}"),
            )
        })?;
        self.0.load(module).map_err(|e| {
            let errno = match &e {
                LoadError::Loaded(_) => Errno::EEXIST,
                LoadError::Init(_, errno) => Errno(errno.0.unsigned_abs()),
                _ => Errno::EINVAL,
            };
            Refusal::new(errno, e.to_string())
        })
    }

    fn unload(&self, name: &str) -> Result {
        self.0.unload(name).map_err(refusal)
    }

    fn pair(&self, pair: &Pair) -> Result {
        let made = self.0.pair_create(&pair.tap, &pair.physical, &self.1);
        made.map_err(|what| Refusal::new(Errno::EIO, what))
    }

    fn unpair(&self, pair: &Pair) -> Result {
        self.0.pair_destroy(&pair.tap).map_err(refusal)
    }

    fn cloners(&self) -> Vec<String> {
        self.0.cloners()
    }

    fn create(&self, name: &str) -> Result<String> {
        self.0.clone_create(name).map_err(refusal)
    }

    fn destroy(&self, name: &str) -> Result {
        if self.0.pairs().iter().any(|(tap, _)| tap == name) {
            let what = format!("{name}: a pair of the configuration: take its line out there");
            return Err(Refusal::new(Errno::EBUSY, what));
        }
        self.0.clone_destroy(name).map_err(refusal)
    }

    fn interfaces(&self) -> Vec<IfEntry> {
        self.0.ifnets().iter().filter_map(entry).collect()
    }

    fn ioctl(&self, name: &str, cmd: u32, data: &mut [u8]) -> Result {
        self.0.if_ioctl(name, cmd, data).map_err(refusal)
    }

    fn tunnel(&self, name: &str, op: TunnelOp, t: &mut Tunnel) -> Result {
        let mut kt = kpi_tunnel {
            kt_af: t.af,
            kt_pad: 0,
            kt_src: t.src,
            kt_dst: t.dst,
        };
        self.0
            .if_tunnel(name, op as u32, &mut kt)
            .map_err(refusal)?;
        *t = Tunnel {
            af: kt.kt_af,
            pad: 0,
            src: kt.kt_src,
            dst: kt.kt_dst,
        };
        Ok(())
    }

    fn set_mtu(&self, name: &str, mtu: u32) -> Result {
        self.0.if_set_mtu(name, mtu).map_err(refusal)
    }

    fn set_up(&self, name: &str, up: bool) -> Result {
        self.0.if_set_up(name, up).map_err(refusal)
    }

    fn rename(&self, name: &str, new: &str) -> Result {
        self.0.if_rename(name, new).map_err(refusal)
    }

    fn kstat_names(&self) -> Vec<String> {
        self.0.kstat_names()
    }

    fn kstat_read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<usize> {
        self.0.kstat_read(name, cursor, buf).map_err(refusal)
    }

    fn dev_names(&self) -> Vec<String> {
        self.0.dev_names()
    }

    fn dev_ioctl(&self, name: &str, cmd: u32, data: &mut [u8]) -> Result {
        self.0.dev_ioctl(name, cmd, data).map_err(refusal)
    }

    fn log_read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<(usize, u64)> {
        let part = self.0.log_read(name, cursor, buf).map_err(refusal)?;
        Ok((part.bytes, part.lost))
    }

    fn events(&self) -> Receiver<Event> {
        let (tx, rx) = channel();
        let theirs = self.0.events();
        // Ends when the kernel goes, or with the first event after the listener went.
        thread::spawn(move || theirs.into_iter().try_for_each(|e| tx.send(told(e))));
        rx
    }
}
