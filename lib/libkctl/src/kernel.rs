// SPDX-License-Identifier: BSD-2-Clause
//! A kernel, wherever it is.

use crate::socket::{Client, Transport, accept};
use crate::types::{Interface, ModuleInfo, Outer, Stats};
use crate::{Error, Result};
use kabi::ctl::{
    DevName, EVENT, Header, IFF_LINK_DOWN, IFF_LINK_UP, IFF_RUNNING, IFF_UP, IfEntry, IfEvent,
    IfNewName, KstatReply, KstatRequest, LogReply, LogRequest, ModEntry, ModName, Op, Tunnel,
    Value, VersionReply,
};
use kabi::{IntoBytes, Ioctl, Name, Pod, read_pod, write_pod};
use std::path::Path;

/// The environment variable that says which kernel, when no option does.
pub const ENVIRONMENT: &str = "ROPEWALK_KERNEL";

/// Which kernel when nothing says so.
#[cfg(any(target_os = "netbsd", target_os = "freebsd"))]
pub const DEFAULT: &str = "native";
/// Which kernel when nothing says so.
#[cfg(not(any(target_os = "netbsd", target_os = "freebsd")))]
pub const DEFAULT: &str = "unix:/run/hostkern.sock";

enum Way {
    Frames(Box<dyn Transport>),
    #[cfg(any(target_os = "netbsd", target_os = "freebsd"))]
    Native(crate::native::Native),
}

/// A kernel that modules are in.
pub struct Kernel {
    way: Way,
}

/// Runs `$frames` with the transport, or `$native` with the system calls.
macro_rules! by_way {
    ($self:ident, $t:ident => $frames:expr, $n:ident => $native:expr) => {
        match &mut $self.way {
            Way::Frames($t) => $frames,
            #[cfg(any(target_os = "netbsd", target_os = "freebsd"))]
            Way::Native($n) => $native,
        }
    };
}

impl Kernel {
    /// Opens "unix:PATH", the host kernel with its control socket there, or "native", the kernel
    /// that this process runs on.
    ///
    /// # Errors
    /// [`Error::Open`]; [`Error::Argument`] for another word, or "native" where the system's kernel
    /// takes no modules of ours.
    pub fn open(spec: &str) -> Result<Kernel> {
        if let Some(path) = spec.strip_prefix("unix:").filter(|p| !p.is_empty()) {
            let client = Client::connect(Path::new(path)).map_err(|why| Error::Open {
                spec: spec.into(),
                why,
            })?;
            return Ok(Kernel::over(Box::new(client)));
        }
        if spec == "native" {
            return Kernel::native();
        }
        Err(Error::Argument(format!(
            "kernel '{spec}': must be native or unix:PATH"
        )))
    }

    /// Opens what `option` (of -K) says, else the environment, else [`DEFAULT`].
    ///
    /// # Errors
    /// As [`Kernel::open`].
    pub fn open_chosen(option: Option<&str>) -> Result<Kernel> {
        match (option, std::env::var(ENVIRONMENT)) {
            (Some(spec), _) => Kernel::open(spec),
            (None, Ok(spec)) if !spec.is_empty() => Kernel::open(&spec),
            _ => Kernel::open(DEFAULT),
        }
    }

    /// A host kernel that is reached in another way than by its socket.
    #[must_use]
    pub fn over(transport: Box<dyn Transport>) -> Kernel {
        Kernel {
            way: Way::Frames(transport),
        }
    }

    /// Whether this is the system's own kernel, with drivers in it that are not ours.
    #[must_use]
    pub fn is_native(&self) -> bool {
        match self.way {
            Way::Frames(_) => false,
            #[cfg(any(target_os = "netbsd", target_os = "freebsd"))]
            Way::Native(_) => true,
        }
    }

    #[cfg(any(target_os = "netbsd", target_os = "freebsd"))]
    fn native() -> Result<Kernel> {
        let native = crate::native::Native::open().map_err(|why| Error::Open {
            spec: "native".into(),
            why,
        })?;
        Ok(Kernel {
            way: Way::Native(native),
        })
    }

    #[cfg(not(any(target_os = "netbsd", target_os = "freebsd")))]
    fn native() -> Result<Kernel> {
        let what = "kernel 'native': this system's kernel takes no modules; start hostkern and \
                    use -K unix:PATH";
        Err(Error::Argument(what.into()))
    }

    /// Version of the protocol and of the kpi, and process id, of a host kernel.
    ///
    /// # Errors
    /// [`Error`]; a native kernel has none of these.
    pub fn version(&mut self) -> Result<VersionReply> {
        by_way!(self, t => one(t, Header::request(Op::Version), &[]), n => n.only_hosted())
    }

    /// The modules that are there.
    ///
    /// # Errors
    /// [`Error`]; a native kernel has kldstat(8) or modstat(8).
    pub fn modules(&mut self) -> Result<Vec<ModuleInfo>> {
        by_way!(self, t => {
            let all: Vec<ModEntry> = many(t, Header::request(Op::ModList))?;
            Ok(all
                .iter()
                .map(|m| ModuleInfo {
                    name: m.name.to_string(),
                    loaded: m.loaded != 0,
                    kpi: m.kpi,
                })
                .collect())
        }, n => n.only_hosted())
    }

    /// Loads a module.
    ///
    /// # Errors
    /// ENOENT: not linked in; EEXIST: loaded; what the module says.
    pub fn mod_load(&mut self, name: &str) -> Result {
        let name = mod_name(name)?;
        by_way!(self, t => none(t, Header::request(Op::ModLoad), name.as_bytes()),
            n => n.only_hosted())
    }

    /// Unloads a module.
    ///
    /// # Errors
    /// EBUSY: in use, and all is as it was; ENOENT.
    pub fn mod_unload(&mut self, name: &str) -> Result {
        let name = mod_name(name)?;
        by_way!(self, t => none(t, Header::request(Op::ModUnload), name.as_bytes()),
            n => n.only_hosted())
    }

    /// Creates "l2tp7", or the lowest free unit of "l2tp"; gives its name.
    ///
    /// # Errors
    /// EEXIST; EINVAL when no module clones such interfaces.
    pub fn if_create(&mut self, name: &str) -> Result<String> {
        let header = for_if(Op::IfCreate, name)?;
        by_way!(self, t => {
            let (reply, _) = accept(t.call(header, &[])?)?;
            Ok(reply.ifname.to_string())
        }, n => n.if_create(name))
    }

    /// Destroys an interface.
    ///
    /// # Errors
    /// ENXIO: there is none of that name.
    pub fn if_destroy(&mut self, name: &str) -> Result {
        let header = for_if(Op::IfDestroy, name)?;
        by_way!(self, t => none(t, header, &[]), n => n.if_destroy(name))
    }

    /// The names that `ifconfig NAME create` takes.
    ///
    /// # Errors
    /// [`Error`]
    pub fn cloners(&mut self) -> Result<Vec<String>> {
        by_way!(self, t => names(t, Op::IfCloners), n => n.cloners())
    }

    /// All interfaces.
    ///
    /// # Errors
    /// [`Error`]
    pub fn interfaces(&mut self) -> Result<Vec<Interface>> {
        by_way!(self, t => {
            let all: Vec<IfEntry> = many(t, Header::request(Op::IfList))?;
            Ok(all.iter().map(interface).collect())
        }, n => n.interfaces())
    }

    /// A driver's own command.
    ///
    /// ```compile_fail
    /// # fn f(k: &mut libkctl::Kernel, set: &kabi::Ioctl<u64, ()>) {
    /// let reply: u32 = k.ioctl("l2tp0", set, &7u64).unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    /// ENXIO: no such interface; ENOTTY: it has no such command; what the driver says.
    pub fn ioctl<Rq: Pod, Rs: Pod>(
        &mut self,
        ifname: &str,
        command: &Ioctl<Rq, Rs>,
        request: &Rq,
    ) -> Result<Rs> {
        let short = || Error::Protocol("a reply that is too short".into());
        let mut data = vec![0; command.size()];
        write_pod(request, &mut data).ok_or_else(short)?;
        let header = Header {
            cmd: command.cmd,
            ..for_if(Op::IfIoctl, ifname)?
        };
        by_way!(self, t => {
            let (_, reply) = accept(t.call(header, &data)?)?;
            // What a command does not give back is not sent back either.
            if command.comes_out() { read_pod(&reply) } else { read_pod(&data) }.ok_or_else(short)
        }, n => {
            n.ioctl(ifname, command.cmd, command.freebsd, &mut data)?;
            read_pod(&data).ok_or_else(short)
        })
    }

    /// A device's command: of a module that has no interface.
    ///
    /// # Errors
    /// ENXIO: no such device; ENOTTY: it has no such command; what the module says.
    pub fn dev_ioctl<Rq: Pod, Rs: Pod>(
        &mut self,
        device: &str,
        command: &Ioctl<Rq, Rs>,
        request: &Rq,
    ) -> Result<Rs> {
        let name = Name::new(device).filter(|n| !n.is_empty());
        let name = name.ok_or_else(|| {
            Error::Argument(format!("device '{device}': must have 1 to 31 bytes"))
        })?;
        let mut data = vec![0; command.size()];
        write_pod(request, &mut data).ok_or_else(short_reply)?;
        by_way!(self, t => {
            let header = Header {
                cmd: command.cmd,
                ..Header::request(Op::DevIoctl)
            };
            let payload = [DevName { name }.as_bytes(), &data].concat();
            let (_, reply) = accept(t.call(header, &payload)?)?;
            // What a command does not give back is not sent back either.
            let from = if command.comes_out() { &reply } else { &data };
            read_pod(from).ok_or_else(short_reply)
        }, n => {
            n.dev_ioctl(&name.to_string(), command.cmd, command.freebsd, &mut data)?;
            read_pod(&data).ok_or_else(short_reply)
        })
    }

    /// The devices that modules have made.
    ///
    /// # Errors
    /// [`Error`]; a native kernel has `/dev`.
    pub fn dev_names(&mut self) -> Result<Vec<String>> {
        by_way!(self, t => {
            let all: Vec<DevName> = many(t, Header::request(Op::DevList))?;
            Ok(all.iter().map(|d| d.name.to_string()).collect())
        }, n => n.only_hosted())
    }

    /// What was logged since the last call, as the next bytes of a pcap file, and how many packets
    /// were lost because nobody asked. A cursor of 0 begins; nothing new is no bytes.
    ///
    /// # Errors
    /// ENXIO: no such log; a native kernel has bpf(4).
    pub fn log_read(&mut self, ifname: &str, cursor: &mut u64) -> Result<(Vec<u8>, u64)> {
        let request = LogRequest {
            name: if_name(ifname)?,
            cursor: *cursor,
        };
        by_way!(self, t => {
            let header = Header::request(Op::LogRead);
            let (_, mut reply) = accept(t.call(header, request.as_bytes())?)?;
            let at: LogReply = read_pod(&reply).ok_or_else(short_reply)?;
            reply.drain(..size_of::<LogReply>());
            *cursor = at.cursor;
            Ok((reply, at.lost))
        }, n => n.only_hosted())
    }

    /// Sets the outer addresses.
    ///
    /// # Errors
    /// EADDRNOTAVAIL, EEXIST, what the driver says.
    pub fn tunnel_set(&mut self, ifname: &str, outer: Outer) -> Result {
        let header = for_if(Op::IfTunnelSet, ifname)?;
        let tunnel = outer.to_abi()?;
        by_way!(self, t => none(t, header, tunnel.as_bytes()), n => n.tunnel_set(ifname, outer))
    }

    /// The outer addresses; `None` when there are none.
    ///
    /// # Errors
    /// [`Error`]
    pub fn tunnel_get(&mut self, ifname: &str) -> Result<Option<Outer>> {
        let header = for_if(Op::IfTunnelGet, ifname)?;
        by_way!(self, t => match one::<Tunnel>(t, header, &[]) {
            Ok(tunnel) => Ok(Outer::from_abi(&tunnel)),
            Err(e) if e.errno() == Some(crate::Errno::EADDRNOTAVAIL) => Ok(None),
            Err(e) => Err(e),
        }, n => n.tunnel_get(ifname))
    }

    /// Takes the outer addresses away.
    ///
    /// # Errors
    /// [`Error`]
    pub fn tunnel_delete(&mut self, ifname: &str) -> Result {
        let header = for_if(Op::IfTunnelDel, ifname)?;
        by_way!(self, t => none(t, header, &[]), n => n.tunnel_delete(ifname))
    }

    /// Sets the MTU (bytes).
    ///
    /// # Errors
    /// EINVAL: out of the driver's range.
    pub fn if_set_mtu(&mut self, ifname: &str, mtu: u32) -> Result {
        let header = for_if(Op::IfSetMtu, ifname)?;
        let value = Value { value: mtu, pad: 0 };
        by_way!(self, t => none(t, header, value.as_bytes()), n => n.if_set_mtu(ifname, mtu))
    }

    /// Marks an interface up or down.
    ///
    /// # Errors
    /// [`Error`]
    pub fn if_set_up(&mut self, ifname: &str, up: bool) -> Result {
        let header = for_if(Op::IfSetUp, ifname)?;
        let value = Value {
            value: u32::from(up),
            pad: 0,
        };
        by_way!(self, t => none(t, header, value.as_bytes()), n => n.if_set_up(ifname, up))
    }

    /// Gives an interface another name.
    ///
    /// # Errors
    /// EEXIST; EOPNOTSUPP where the system can not.
    pub fn if_rename(&mut self, ifname: &str, new: &str) -> Result {
        let header = for_if(Op::IfRename, ifname)?;
        let body = IfNewName {
            name: if_name(new)?,
        };
        by_way!(self, t => none(t, header, body.as_bytes()), n => n.if_rename(ifname, new))
    }

    /// The sources of kstat records.
    ///
    /// # Errors
    /// [`Error`]
    pub fn kstat_names(&mut self) -> Result<Vec<String>> {
        by_way!(self, t => names(t, Op::KstatList), n => n.kstat_names())
    }

    /// All records of a source, for [`kabi::kstat::Records`].
    ///
    /// # Errors
    /// ENOENT: no such source.
    pub fn kstat_read(&mut self, source: &str) -> Result<Vec<u8>> {
        let name = mod_name(source)?.name;
        by_way!(self, t => {
            let mut all = Vec::new();
            let mut request = KstatRequest { name, cursor: 0 };
            loop {
                let header = Header::request(Op::KstatRead);
                let (_, reply) = accept(t.call(header, request.as_bytes())?)?;
                let at: KstatReply = read_pod(&reply).ok_or_else(short_reply)?;
                let records = reply.get(size_of::<KstatReply>()..).unwrap_or(&[]);
                if records.is_empty() {
                    return Ok(all);
                }
                if all.len() > KSTAT_MAX {
                    return Err(Error::Protocol(format!("kstat {source} does not end")));
                }
                all.extend_from_slice(records);
                request.cursor = at.cursor;
            }
        }, n => n.kstat_read(source))
    }

    /// Turns this connection into a stream of what happens to interfaces.
    ///
    /// # Errors
    /// [`Error`]; a native kernel has route(4).
    pub fn monitor(self) -> Result<Monitor> {
        match self.way {
            Way::Frames(mut t) => {
                accept(t.call(Header::request(Op::Monitor), &[])?)?;
                Ok(Monitor(t))
            }
            #[cfg(any(target_os = "netbsd", target_os = "freebsd"))]
            Way::Native(n) => n.only_hosted(),
        }
    }

    /// Tells a host kernel to shut down as on SIGTERM.
    ///
    /// # Errors
    /// [`Error`]
    pub fn shutdown(&mut self) -> Result {
        by_way!(self, t => none(t, Header::request(Op::Shutdown), &[]), n => n.only_hosted())
    }
}

/// 64 bytes a record, 65,535 interfaces, 40 counters each, and some more.
const KSTAT_MAX: usize = 256 << 20;

/// What happens to interfaces, as it happens.
pub struct Monitor(Box<dyn Transport>);

impl Monitor {
    /// Waits for the next event: the interface's name, and what.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn wait(&mut self) -> Result<(String, IfEvent)> {
        let (header, payload) = self.0.event()?;
        if header.op != Op::Monitor as u16 | EVENT {
            return Err(Error::Protocol("a frame that is no event".into()));
        }
        let event = read_pod(&payload).ok_or_else(short_reply)?;
        Ok((header.ifname.to_string(), event))
    }
}

fn short_reply() -> Error {
    Error::Protocol("a reply that is too short".into())
}

fn if_name(name: &str) -> Result<Name<16>> {
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && c != '/');
    Name::new(name).filter(|_| fits).ok_or_else(|| {
        Error::Argument(format!(
            "interface name '{name}': must be 1 to 15 printable characters"
        ))
    })
}

fn mod_name(name: &str) -> Result<ModName> {
    let made = Name::new(name).filter(|n| !n.is_empty());
    let name = made.ok_or_else(|| Error::Argument(format!("'{name}': no such module")))?;
    Ok(ModName { name })
}

fn for_if(op: Op, ifname: &str) -> Result<Header> {
    Ok(Header {
        ifname: if_name(ifname)?,
        ..Header::request(op)
    })
}

fn none(t: &mut Box<dyn Transport>, header: Header, payload: &[u8]) -> Result {
    accept(t.call(header, payload)?).map(|_| ())
}

fn one<T: Pod>(t: &mut Box<dyn Transport>, header: Header, payload: &[u8]) -> Result<T> {
    let (_, reply) = accept(t.call(header, payload)?)?;
    read_pod(&reply).ok_or_else(short_reply)
}

fn many<T: Pod>(t: &mut Box<dyn Transport>, header: Header) -> Result<Vec<T>> {
    let (reply, payload) = accept(t.call(header, &[])?)?;
    let mut all: Vec<T> = payload
        .chunks_exact(size_of::<T>())
        .filter_map(read_pod)
        .collect();
    // A list longer than a frame goes on with the number of those seen, in cmd.
    let mut more = reply.cmd;
    while more != 0 {
        let (reply, payload) = accept(t.call(
            Header {
                cmd: more,
                ..header
            },
            &[],
        )?)?;
        all.extend(
            payload
                .chunks_exact(size_of::<T>())
                .filter_map(read_pod::<T>),
        );
        if reply.cmd != 0 && reply.cmd <= more {
            return Err(Error::Protocol("a list that does not end".into()));
        }
        more = reply.cmd;
    }
    Ok(all)
}

fn names(t: &mut Box<dyn Transport>, op: Op) -> Result<Vec<String>> {
    let all: Vec<ModName> = many(t, Header::request(op))?;
    Ok(all.iter().map(|n| n.name.to_string()).collect())
}

fn interface(e: &IfEntry) -> Interface {
    Interface {
        name: e.name.to_string(),
        index: e.index,
        mtu: e.mtu,
        up: e.flags & IFF_UP != 0,
        running: e.flags & IFF_RUNNING != 0,
        link: match e.flags & (IFF_LINK_UP | IFF_LINK_DOWN) {
            IFF_LINK_UP => Some(true),
            IFF_LINK_DOWN => Some(false),
            _ => None,
        },
        lladdr: (e.lladdr != [0; 6]).then_some(e.lladdr),
        stats: Stats(e.stats),
        tunnel: Outer::from_abi(&e.tunnel),
    }
}
