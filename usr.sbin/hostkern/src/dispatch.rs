// SPDX-License-Identifier: BSD-2-Clause
//! One request of the control protocol, one reply.

use crate::backend::{Backend, Refusal, Result, TunnelOp};
use kabi::ctl::{
    AF_INET, AF_INET6, DevName, Header, IfEntry, IfNewName, KstatReply, KstatRequest, LogReply,
    LogRequest, ModEntry, ModName, Op, PAYLOAD_MAX, Tunnel, VERSION, Value, VersionReply,
};
use kabi::{IntoBytes, Name, Pod, read_pod, write_pod};
use libkctl::Errno;
use std::sync::Arc;

/// What the caller of [`dispatch`] has to do besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// Send events from here on.
    Monitor,
    /// Shut the process down.
    Shutdown,
}

/// Answers a request; refusals are replies too.
pub fn dispatch(k: &dyn Backend, request: &Header, payload: &[u8]) -> (Header, Vec<u8>, Then) {
    let mut reply = Header {
        len: 0,
        errno: 0,
        cmd: 0,
        ..*request
    };
    match answer(k, request, payload, &mut reply) {
        Ok((payload, then)) => (reply, payload, then),
        Err(r) => {
            reply.errno = r.errno.0;
            (reply, r.text.into_bytes(), Then::Nothing)
        }
    }
}

fn answer(
    k: &dyn Backend,
    request: &Header,
    payload: &[u8],
    reply: &mut Header,
) -> Result<(Vec<u8>, Then)> {
    let Some(op) = Op::from_raw(request.op) else {
        return Err(Refusal::new(
            Errno::EOPNOTSUPP,
            format!("no operation {}", request.op),
        ));
    };
    // Checked when the header was read.
    let ifname = request.ifname.as_str().unwrap_or("");
    let needs_name = matches!(
        op,
        Op::IfCreate
            | Op::IfDestroy
            | Op::IfIoctl
            | Op::IfTunnelSet
            | Op::IfTunnelGet
            | Op::IfTunnelDel
            | Op::IfSetMtu
            | Op::IfSetUp
            | Op::IfRename
    );
    if needs_name && ifname.is_empty() {
        return Err(Refusal::new(Errno::EINVAL, "no interface named"));
    }
    let mut out = Vec::new();
    let mut then = Then::Nothing;
    match op {
        Op::Version => {
            exactly::<()>(payload)?;
            let v = VersionReply {
                protocol: VERSION.into(),
                kpi: k.kpi_version(),
                pid: std::process::id(),
                pad: 0,
            };
            out.extend_from_slice(v.as_bytes());
        }
        Op::ModLoad => k.load(text(&exactly::<ModName>(payload)?.name)?)?,
        Op::ModUnload => k.unload(text(&exactly::<ModName>(payload)?.name)?)?,
        Op::ModList => list::<ModEntry>(request, reply, &mut out, k.modules()),
        Op::IfCreate => {
            exactly::<()>(payload)?;
            autoload(k, ifname)?;
            let name = k.create(ifname)?;
            reply.ifname = Name::new(&name).ok_or(Errno::EINVAL)?;
        }
        Op::IfDestroy => {
            exactly::<()>(payload)?;
            k.destroy(ifname)?;
        }
        Op::IfList => list::<IfEntry>(request, reply, &mut out, k.interfaces()),
        Op::IfCloners => list(request, reply, &mut out, mod_names(k.cloners())),
        Op::IfIoctl => {
            out.extend_from_slice(payload);
            k.ioctl(ifname, request.cmd, &mut out)?;
        }
        Op::IfTunnelSet => {
            let mut t: Tunnel = exactly(payload)?;
            if !matches!(t.af, AF_INET | AF_INET6) {
                let what = format!("address family {}: must be IPv4 or IPv6", t.af);
                return Err(Refusal::new(Errno::EAFNOSUPPORT, what));
            }
            k.tunnel(ifname, TunnelOp::Set, &mut t)?;
        }
        Op::IfTunnelGet => {
            exactly::<()>(payload)?;
            let mut t = Tunnel {
                af: 0,
                pad: 0,
                src: [0; 16],
                dst: [0; 16],
            };
            k.tunnel(ifname, TunnelOp::Get, &mut t)?;
            out.extend_from_slice(t.as_bytes());
        }
        Op::IfTunnelDel => {
            exactly::<()>(payload)?;
            let mut t = Tunnel {
                af: 0,
                pad: 0,
                src: [0; 16],
                dst: [0; 16],
            };
            k.tunnel(ifname, TunnelOp::Del, &mut t)?;
        }
        Op::IfSetMtu => k.set_mtu(ifname, exactly::<Value>(payload)?.value)?,
        Op::IfSetUp => k.set_up(ifname, exactly::<Value>(payload)?.value != 0)?,
        Op::IfRename => {
            let new: IfNewName = exactly(payload)?;
            k.rename(ifname, text(&new.name)?)?;
        }
        Op::KstatList => list(request, reply, &mut out, mod_names(k.kstat_names())),
        Op::KstatRead => {
            let r: KstatRequest = exactly(payload)?;
            let mut cursor = r.cursor;
            let head = size_of::<KstatReply>();
            out.resize(PAYLOAD_MAX, 0);
            let n = k.kstat_read(text(&r.name)?, &mut cursor, &mut out[head..])?;
            // The head is in front: the buffer was made for it.
            write_pod(&KstatReply { cursor }, &mut out).ok_or(Errno::EIO)?;
            out.truncate(head + n);
        }
        Op::DevIoctl => {
            let dev: DevName = read_pod(payload).ok_or(Errno::EINVAL)?;
            out.extend_from_slice(&payload[size_of::<DevName>()..]);
            k.dev_ioctl(text(&dev.name)?, request.cmd, &mut out)?;
        }
        Op::DevList => {
            let names = k.dev_names();
            let names = names.iter().filter_map(|n| Name::new(n));
            let names = names.map(|name| DevName { name }).collect();
            list::<DevName>(request, reply, &mut out, names);
        }
        Op::LogRead => {
            let r: LogRequest = exactly(payload)?;
            let mut cursor = r.cursor;
            let head = size_of::<LogReply>();
            out.resize(PAYLOAD_MAX, 0);
            let (n, lost) = k.log_read(text(&r.name)?, &mut cursor, &mut out[head..])?;
            // The head is in front: the buffer was made for it.
            write_pod(&LogReply { cursor, lost }, &mut out).ok_or(Errno::EIO)?;
            out.truncate(head + n);
        }
        Op::Monitor => then = Then::Monitor,
        Op::Shutdown => then = Then::Shutdown,
    }
    Ok((out, then))
}

/// Loads the module that makes such interfaces, when none does yet: "l2tp0" is of if_l2tp.
fn autoload(k: &dyn Backend, ifname: &str) -> Result {
    let cloner = ifname.trim_end_matches(|c: char| c.is_ascii_digit());
    let module = format!("if_{cloner}");
    let named = |m: &&ModEntry| m.name.as_str() == Some(&module);
    match k.modules().iter().find(named) {
        Some(m) if m.loaded == 0 => k.load(&module),
        Some(_) => Ok(()),
        None if k.cloners().iter().any(|c| c == cloner) => Ok(()),
        None => {
            let what = format!(
                "no module makes '{cloner}' interfaces; there are {}",
                k.cloners().join(" ")
            );
            Err(Refusal::new(Errno::EINVAL, what))
        }
    }
}

fn exactly<T: Pod>(payload: &[u8]) -> Result<T> {
    let size = size_of::<T>();
    read_pod(payload)
        .filter(|_| payload.len() == size)
        .ok_or_else(|| {
            let what = format!("{} bytes of payload, must be {size}", payload.len());
            Refusal::new(Errno::EINVAL, what)
        })
}

fn text<const N: usize>(name: &Name<N>) -> Result<&str> {
    let text = name
        .as_str()
        .filter(|t| !t.is_empty() && !t.contains(|c: char| c.is_control()));
    text.ok_or_else(|| Refusal::new(Errno::EINVAL, "a name that is none"))
}

fn mod_names(names: Vec<String>) -> Vec<ModName> {
    names
        .iter()
        .filter_map(|n| {
            Some(ModName {
                name: Name::new(n)?,
            })
        })
        .collect()
}

/// As many as fit a frame from number `request.cmd` on; `reply.cmd` says where to go on, or 0.
fn list<T: Pod>(request: &Header, reply: &mut Header, out: &mut Vec<u8>, all: Vec<T>) {
    let room = PAYLOAD_MAX / size_of::<T>();
    let from = usize::try_from(request.cmd)
        .unwrap_or(usize::MAX)
        .min(all.len());
    let to = from.saturating_add(room).min(all.len());
    for entry in &all[from..to] {
        out.extend_from_slice(entry.as_bytes());
    }
    reply.cmd = if to < all.len() {
        u32::try_from(to).unwrap_or(0)
    } else {
        0
    };
}

/// The way into this process's own kernel, for the lines of its configuration.
pub struct Local(pub Arc<dyn Backend>);

impl libkctl::Transport for Local {
    fn call(&mut self, header: Header, payload: &[u8]) -> libkctl::Result<(Header, Vec<u8>)> {
        let (reply, payload, _) = dispatch(&*self.0, &header, payload);
        Ok((reply, payload))
    }
}
