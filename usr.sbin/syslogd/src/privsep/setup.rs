// SPDX-License-Identifier: BSD-2-Clause
//! From a configuration to what the worker is told: names looked up, keys and certificates read.

use crate::conf::Conf;
use crate::conf::Keep;
use crate::conf::RingSpec;
use crate::conf::Tls;
use crate::conf::Trust;
use crate::conf::What;
use crate::privsep::options::Options;
use crate::privsep::options::Secure;
use crate::privsep::wire::Group;
use crate::privsep::wire::Pem;
use crate::privsep::wire::Setup;
use libsys::confine::members;
use std::fs::File;
use std::io;
use std::io::Read;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::path::PathBuf;

/// A key or a list of certificates is not longer.
const MOST: u64 = 1 << 20;
/// The port of syslog over TLS.
const TLS_PORT: u16 = 6514;

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other("too large for keys and certificates"));
    }
    Ok(bytes)
}

/// What is at a path, or nothing and a note about it.
fn read_or_note(path: &str, notes: &mut Vec<String>) -> Vec<u8> {
    read(Path::new(path)).unwrap_or_else(|e| {
        notes.push(format!("{path}: {e}"));
        Vec::new()
    })
}

/// The files of a folder, one behind the other.
fn read_folder(path: &str, notes: &mut Vec<String>) -> Vec<u8> {
    let mut all = Vec::new();
    let list = match std::fs::read_dir(path) {
        Ok(list) => list,
        Err(e) => {
            notes.push(format!("{path}: {e}"));
            return all;
        }
    };
    let mut paths: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.is_file()) {
        match read(path) {
            Ok(bytes) if (all.len() + bytes.len()) as u64 <= MOST => {
                all.extend_from_slice(&bytes);
                all.push(b'\n');
            }
            Ok(_) => notes.push(format!("{}: too many certificates", path.display())),
            Err(e) => notes.push(format!("{}: {e}", path.display())),
        }
    }
    all
}

fn pem(tls: &Tls, notes: &mut Vec<String>) -> Pem {
    let mut get = |path: &Option<String>| {
        path.as_ref()
            .map(|path| read_or_note(path, notes))
            .unwrap_or_default()
    };
    let mut pem = Pem {
        key: get(&tls.key),
        cert: get(&tls.cert),
        ca: get(&tls.ca),
    };
    if let Some(folder) = &tls.ca_dir {
        pem.ca.push(b'\n');
        pem.ca.extend(read_folder(folder, notes));
    }
    pem
}

fn certs(trust: &Trust, notes: &mut Vec<String>) -> Vec<Vec<u8>> {
    let read = |path: &String| read_or_note(path, notes);
    trust.certs.iter().map(read).collect()
}

fn group(name: &str, notes: &mut Vec<String>) -> Group {
    match members(name) {
        Ok((gid, members)) => Group { gid, members },
        Err(e) => {
            notes.push(format!("{e}: root alone may read"));
            Group::default()
        }
    }
}

/// This host's name up to its first dot, as syslogd of the BSDs logs it.
fn host(options: &Options) -> String {
    let name = options.host.clone().or_else(|| {
        let name = nix::unistd::gethostname().ok()?;
        name.into_string().ok()
    });
    let name = name.unwrap_or_default();
    let short = name.split('.').next().unwrap_or_default();
    if short.is_empty() { "localhost" } else { short }.to_owned()
}

/// What the worker needs to know, and notes about what could not be found out.
#[must_use]
pub fn setup(options: &Options, conf: &Conf, boot: u64, notes: &mut Vec<String>) -> Setup {
    let mut conf = conf.clone();
    if let Some(minutes) = options.mark {
        let interval = std::time::Duration::from_secs(u64::from(minutes) * 60);
        conf.settings.mark = Some(interval).filter(|i| !i.is_zero());
    }
    let control = options
        .group
        .as_ref()
        .map(|name| group(name, notes))
        .unwrap_or_default();
    let readers = conf
        .rings
        .iter()
        .map(|ring| ring.group.as_ref().map(|name| group(name, notes)))
        .collect();
    let mut all_certs: Vec<Vec<Vec<u8>>> = conf
        .outputs
        .iter()
        .map(|output| match &output.what {
            What::Remote(remote) => certs(&remote.trust, notes),
            _ => Vec::new(),
        })
        .collect();
    all_certs.push(certs(&conf.tls.clients, notes));
    Setup {
        pem: pem(&conf.tls, notes),
        host: host(options),
        control,
        readers,
        certs: all_certs,
        allowed: options.allowed.clone(),
        boot,
        owner: nix::unistd::geteuid().as_raw(),
        format: options.format,
        conf,
    }
}

/// Where the configuration wants TLS connections to come in.
#[must_use]
pub fn tls_listeners(options: &Options, conf: &Conf, notes: &mut Vec<String>) -> Vec<SocketAddr> {
    if !conf.tls.server || options.secure != Secure::Open {
        return Vec::new();
    }
    let port = conf.tls.bind_port.unwrap_or(TLS_PORT);
    let host = conf.tls.bind_host.as_str();
    if host.is_empty() || host == "*" {
        let v6 = std::net::Ipv6Addr::UNSPECIFIED;
        let v4 = std::net::Ipv4Addr::UNSPECIFIED;
        return vec![SocketAddr::from((v4, port)), SocketAddr::from((v6, port))];
    }
    match (host, port).to_socket_addrs() {
        Ok(list) => list.collect(),
        Err(e) => {
            notes.push(format!("tls_bindhost {host}: {e}"));
            Vec::new()
        }
    }
}

/// Where a ring that is kept has its file; `None`: it is not kept.
#[must_use]
pub fn ring_path(conf: &Conf, ring: &RingSpec) -> Option<PathBuf> {
    let folder = match ring.keep {
        Keep::None => return None,
        Keep::Restart => &conf.settings.ring_dir,
        Keep::Boot => &conf.settings.boot_dir,
    };
    Some(Path::new(folder).join(format!("{}.ring", ring.name)))
}

/// Where an output that has a queue on disk has it: a file whose name says what it is for.
#[must_use]
pub fn spool_path(what: &What) -> Option<(PathBuf, u64)> {
    let What::Remote(remote) = what else {
        return None;
    };
    let folder = remote.queue.spool.as_ref()?;
    let host: String = remote
        .host
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let name = format!("{:?}-{host}-{}.queue", remote.transport, remote.port).to_lowercase();
    Some((Path::new(folder).join(name), remote.queue.spool_bytes))
}
