// SPDX-License-Identifier: BSD-2-Clause
//! Does what a [`Command`] asks for, and explains refusals.

use crate::action::{Action, Command, Encap, Endpoint};
use if_l2tp_abi::{
    L2TP_ENCAP_IP, L2TP_ENCAP_UDP, L2TP_MTU_MAX, L2TP_MTU_MIN, L2TP_STATE_UP,
    L2TP_SUBLAYER_DEFAULT, L2TP_SUBLAYER_NONE, L2TP_UDP_PORT, L2tpEncapReq, L2tpReq,
    SIOCDL2TPCOOKIE, SIOCDL2TPSESSION, SIOCGL2TPENCAP, SIOCSL2TPCOOKIE, SIOCSL2TPENCAP,
    SIOCSL2TPSESSION, SIOCSL2TPSTATE,
};
use libkctl::{Errno, Error, Kernel, Outer};

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What the interface is called now.
    pub name: String,
    /// The kernel chose the name, so it should be told.
    pub chosen: bool,
}

/// Runs the verbs of `command` in order; stops at the first that is refused.
///
/// # Errors
/// A sentence that names the interface, the verb and why.
pub fn run(kernel: &mut Kernel, command: &Command) -> Result<Done, String> {
    let mut done = Done {
        name: command.target.clone(),
        chosen: false,
    };
    for action in &command.actions {
        match act(kernel, &done.name, action) {
            Ok(None) => {}
            Ok(Some(name)) => {
                done.chosen |= *action == Action::Create && name != done.name;
                done.name = name;
            }
            Err(e) => {
                return Err(format!("{}: {action}: {}", done.name, explain(action, &e)));
            }
        }
    }
    Ok(done)
}

/// Gives the interface's new name, when it has one.
fn act(kernel: &mut Kernel, name: &str, action: &Action) -> Result<Option<String>, Error> {
    match action {
        Action::Create => return kernel.if_create(name).map(Some),
        Action::Name(new) => {
            kernel.if_rename(name, new)?;
            return Ok(Some(new.clone()));
        }
        Action::Destroy => kernel.if_destroy(name)?,
        Action::Tunnel { src, dst } => tunnel(kernel, name, src, dst)?,
        Action::DeleteTunnel => kernel.tunnel_delete(name)?,
        Action::Session { my, peer } => {
            let req = L2tpReq {
                state: L2TP_STATE_UP,
                my_sess_id: my.get(),
                peer_sess_id: peer.get(),
                ..L2tpReq::default()
            };
            kernel.ioctl(name, &SIOCSL2TPSESSION, &req)?;
            // As NetBSD's ifconfig does.
            kernel.ioctl(name, &SIOCSL2TPSTATE, &req)?;
        }
        Action::DeleteSession => kernel.ioctl(name, &SIOCDL2TPSESSION, &L2tpReq::default())?,
        Action::Cookie {
            my_len,
            my,
            peer_len,
            peer,
        } => {
            let req = L2tpReq {
                my_cookie_len: *my_len,
                my_cookie: *my,
                peer_cookie_len: *peer_len,
                peer_cookie: *peer,
                ..L2tpReq::default()
            };
            kernel.ioctl(name, &SIOCSL2TPCOOKIE, &req)?;
        }
        Action::DeleteCookie => kernel.ioctl(name, &SIOCDL2TPCOOKIE, &L2tpReq::default())?,
        Action::Encap(Encap::Ip) => change_encap(kernel, name, |req| {
            req.encap = L2TP_ENCAP_IP;
            req.my_port = 0;
            req.peer_port = 0;
        })?,
        Action::Encap(Encap::Udp) => change_encap(kernel, name, |req| {
            req.encap = L2TP_ENCAP_UDP;
            for port in [&mut req.my_port, &mut req.peer_port] {
                // What `tunnel` has set stays.
                if *port == 0 {
                    *port = L2TP_UDP_PORT;
                }
            }
        })?,
        Action::Sublayer(wanted) => change_encap(kernel, name, |req| {
            req.sublayer = if *wanted {
                L2TP_SUBLAYER_DEFAULT
            } else {
                L2TP_SUBLAYER_NONE
            };
        })?,
        Action::Mtu(mtu) => kernel.if_set_mtu(name, *mtu)?,
        Action::Up(up) => kernel.if_set_up(name, *up)?,
    }
    Ok(None)
}

fn change_encap(
    kernel: &mut Kernel,
    name: &str,
    change: impl FnOnce(&mut L2tpEncapReq),
) -> Result<(), Error> {
    let mut req = kernel.ioctl(name, &SIOCGL2TPENCAP, &())?;
    change(&mut req);
    kernel.ioctl(name, &SIOCSL2TPENCAP, &req)
}

fn tunnel(kernel: &mut Kernel, name: &str, src: &Endpoint, dst: &Endpoint) -> Result<(), Error> {
    if let (Some(my_port), Some(peer_port)) = (src.port, dst.port) {
        // Ports first: with addresses and the old ports, packets could go astray.
        change_encap(kernel, name, |req| {
            req.encap = L2TP_ENCAP_UDP;
            req.my_port = my_port;
            req.peer_port = peer_port;
        })?;
    }
    kernel.tunnel_set(
        name,
        Outer {
            src: src.addr,
            dst: dst.addr,
        },
    )
}

/// What a refusal of this verb means.
fn explain(action: &Action, e: &Error) -> String {
    // A kernel that says a sentence knows better.
    let Error::Errno { errno, text } = e else {
        return e.to_string();
    };
    if !text.is_empty() {
        return text.clone();
    }
    let why = match (action, *errno) {
        (_, Errno::ENXIO) => "no such interface; make it with create",
        (_, Errno::ENOTTY) => "not a verb for this kind of interface",
        (Action::Create, Errno::EACCES) => "permission denied; the kernel's log says to what",
        (_, Errno::EPERM | Errno::EACCES) => "only the superuser may do this",
        (Action::Create, Errno::EINVAL) => "no loaded module makes interfaces of this name",
        (Action::Create | Action::Name(_), Errno::EEXIST) => "there is one of this name",
        (Action::Session { .. }, Errno::EEXIST) => "another interface has this session id",
        (Action::Tunnel { .. }, Errno::EADDRNOTAVAIL) => "the first address is not of this machine",
        (Action::Tunnel { .. } | Action::Encap(_), Errno::EADDRINUSE) => {
            "another program has this port"
        }
        (Action::Mtu(_), Errno::EINVAL) => {
            return format!(
                "out of range; an L2TPv3 interface takes {L2TP_MTU_MIN}..{L2TP_MTU_MAX}"
            );
        }
        _ => return errno.to_string(),
    };
    format!("{why} ({})", errno.name())
}
