// SPDX-License-Identifier: BSD-2-Clause
//! A kernel with nothing behind it, for the tests of what stands before it.

use crate::backend::{Backend, Event, Pair, Refusal, Result, TunnelOp};
use kabi::Name;
use kabi::ctl::{EV_ATTACH, EV_DETACH, IFF_UP, IfEntry, IfEvent, ModEntry, Tunnel};
use kabi::kstat::{Class, Writer};
use libkctl::Errno;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard};

#[derive(Default)]
struct State {
    loaded: bool,
    ifs: Vec<IfEntry>,
    next: u32,
    listeners: Vec<Sender<Event>>,
    ioctls: Vec<(String, u32, Vec<u8>)>,
    pairs: Vec<Pair>,
}

/// One module, if_l2tp, whose interfaces take any ioctl and give back the bytes inverted, as does its
/// device.
#[derive(Default)]
pub struct Fake(Mutex<State>);

const NONE: Tunnel = Tunnel {
    af: 0,
    pad: 0,
    src: [0; 16],
    dst: [0; 16],
};

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics with it")
    }

    fn with<T>(&self, name: &str, f: impl FnOnce(&mut IfEntry) -> Result<T>) -> Result<T> {
        let mut s = self.state();
        let found = s.ifs.iter_mut().find(|i| i.name.as_str() == Some(name));
        f(found.ok_or(Errno::ENXIO)?)
    }
}

fn tell(s: &mut State, name: &str, kind: u32, index: u32) {
    let event = (name.to_owned(), IfEvent { kind, index });
    s.listeners.retain(|l| l.send(event.clone()).is_ok());
}

impl Backend for Fake {
    fn kpi_version(&self) -> u32 {
        1
    }

    fn modules(&self) -> Vec<ModEntry> {
        let name = Name::new("if_l2tp").expect("short");
        vec![ModEntry {
            name,
            loaded: self.state().loaded.into(),
            kpi: 1,
        }]
    }

    fn load(&self, name: &str) -> Result {
        let mut s = self.state();
        if name != "if_l2tp" {
            return Err(Errno::ENOENT.into());
        }
        if std::mem::replace(&mut s.loaded, true) {
            Err(Errno::EEXIST.into())
        } else {
            Ok(())
        }
    }

    fn unload(&self, _name: &str) -> Result {
        let mut s = self.state();
        if !s.ifs.is_empty() {
            return Err(Refusal::new(Errno::EBUSY, "interfaces of it are there"));
        }
        if std::mem::replace(&mut s.loaded, false) {
            Ok(())
        } else {
            Err(Errno::ENOENT.into())
        }
    }

    fn pair(&self, pair: &Pair) -> Result {
        if pair.physical == "none0" {
            return Err(Refusal::new(Errno::ENXIO, "none0: no such interface"));
        }
        self.state().pairs.push(pair.clone());
        Ok(())
    }

    fn unpair(&self, pair: &Pair) -> Result {
        self.state().pairs.retain(|p| p != pair);
        Ok(())
    }

    fn cloners(&self) -> Vec<String> {
        if self.state().loaded {
            vec!["l2tp".into()]
        } else {
            Vec::new()
        }
    }

    fn create(&self, name: &str) -> Result<String> {
        let mut s = self.state();
        let taken = |n: &str, s: &State| s.ifs.iter().any(|i| i.name.as_str() == Some(n));
        let name = match name {
            "l2tp" => (0..)
                .map(|u| format!("l2tp{u}"))
                .find(|n| !taken(n, &s))
                .expect("endless"),
            n if taken(n, &s) => return Err(Errno::EEXIST.into()),
            n => n.to_owned(),
        };
        s.next += 1;
        let index = s.next;
        s.ifs.push(IfEntry {
            name: Name::new(&name).ok_or(Errno::EINVAL)?,
            index,
            mtu: 1500,
            flags: 0,
            lladdr: [2, 0, 0, 0, 0, 1],
            pad: [0; 6],
            stats: [0; 9],
            tunnel: NONE,
        });
        tell(&mut s, &name, EV_ATTACH, index);
        Ok(name)
    }

    fn destroy(&self, name: &str) -> Result {
        self.with(name, |_| Ok(()))?;
        let mut s = self.state();
        s.ifs.retain(|i| i.name.as_str() != Some(name));
        tell(&mut s, name, EV_DETACH, 0);
        Ok(())
    }

    fn interfaces(&self) -> Vec<IfEntry> {
        self.state().ifs.clone()
    }

    fn ioctl(&self, name: &str, cmd: u32, data: &mut [u8]) -> Result {
        self.with(name, |_| Ok(()))?;
        self.state().ioctls.push((name.into(), cmd, data.to_vec()));
        data.iter_mut().for_each(|b| *b = !*b);
        Ok(())
    }

    fn tunnel(&self, name: &str, op: TunnelOp, t: &mut Tunnel) -> Result {
        self.with(name, |i| {
            match op {
                TunnelOp::Set => i.tunnel = *t,
                TunnelOp::Get if i.tunnel.af == 0 => return Err(Errno::EADDRNOTAVAIL.into()),
                TunnelOp::Get => *t = i.tunnel,
                TunnelOp::Del => i.tunnel = NONE,
            }
            Ok(())
        })
    }

    fn set_mtu(&self, name: &str, mtu: u32) -> Result {
        self.with(name, |i| {
            if mtu < 576 {
                return Err(Errno::EINVAL.into());
            }
            i.mtu = mtu;
            Ok(())
        })
    }

    fn set_up(&self, name: &str, up: bool) -> Result {
        self.with(name, |i| {
            i.flags = if up { IFF_UP } else { 0 };
            Ok(())
        })
    }

    fn rename(&self, name: &str, new: &str) -> Result {
        self.with(name, |i| {
            i.name = Name::new(new).ok_or(Errno::EINVAL)?;
            Ok(())
        })
    }

    fn kstat_names(&self) -> Vec<String> {
        vec!["if_l2tp".into(), "if_l2tp_trace".into()]
    }

    fn kstat_read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<usize> {
        if name != "if_l2tp" {
            return Err(Errno::ENOENT.into());
        }
        // Far more than one frame's worth, so that a reader has to come back.
        let mut w = Writer::new(buf);
        while *cursor < 5000 && w.counter(&format!("c{cursor}"), "", Class::Counter, *cursor) {
            *cursor += 1;
        }
        Ok(w.len())
    }

    fn dev_names(&self) -> Vec<String> {
        vec!["test0".into()]
    }

    fn dev_ioctl(&self, name: &str, _cmd: u32, data: &mut [u8]) -> Result {
        if name != "test0" {
            return Err(Errno::ENXIO.into());
        }
        data.iter_mut().for_each(|b| *b = !*b);
        Ok(())
    }

    fn log_read(&self, name: &str, cursor: &mut u64, buf: &mut [u8]) -> Result<(usize, u64)> {
        if name != "testlog0" {
            return Err(Errno::ENXIO.into());
        }
        // A file of three replies.
        let part = [&b"head"[..], b"first", b""][(*cursor).min(2) as usize];
        buf[..part.len()].copy_from_slice(part);
        *cursor += 1;
        Ok((part.len(), u64::from(*cursor == 2)))
    }

    fn events(&self) -> Receiver<Event> {
        let (tx, rx) = channel();
        self.state().listeners.push(tx);
        rx
    }
}
