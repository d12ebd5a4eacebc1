// SPDX-License-Identifier: BSD-2-Clause
//! The configuration of one interface, as the ioctls set it piece by piece.

use kern::encap::Local;
use kern::encap::Proto;
use kern::encap::Remote;
use kern::errno::Errno;
use kern::errno::Result;
use kern::ifnet::Tunnel;
use wire::l2tp::Cookie;
use wire::l2tp::Encap;
use wire::l2tp::Layout;
use wire::l2tp::SessionId;
use wire::l2tp::Sublayer;

/// Session ids of both ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// In packets that we receive.
    pub my: SessionId,
    /// In packets that we send.
    pub peer: SessionId,
}

/// UDP ports of both ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub my: u16,
    pub peer: u16,
}

/// All that an interface is told. Protected by the softc's mutex; secrets are cleared on drop.
#[derive(Clone, Default)]
pub(crate) struct Config {
    pub tunnel: Option<Tunnel>,
    pub session: Option<Session>,
    /// What we expect.
    pub my_cookie: Cookie,
    /// What the peer expects.
    pub peer_cookie: Cookie,
    /// None: IP protocol 115.
    pub udp: Option<Ports>,
    pub sublayer: Sublayer,
    /// SIOCSL2TPSTATE: the session carries packets.
    pub enabled: bool,
}

impl Config {
    /// The header's shape.
    pub(crate) fn layout(&self) -> Layout {
        let encap = if self.udp.is_some() {
            Encap::Udp
        } else {
            Encap::Ip
        };
        Layout {
            encap,
            sublayer: self.sublayer,
        }
    }

    /// Both ends of the outer path, once there is a tunnel.
    pub(crate) fn ends(&self) -> Option<(Local, Remote)> {
        let t = self.tunnel?;
        let (proto, port) = match self.udp {
            None => (Proto::L2tp, 0),
            Some(ports) => (Proto::Udp(ports.my), ports.peer),
        };
        Some((Local { addr: t.src, proto }, Remote { addr: t.dst, port }))
    }

    /// Refuses what cannot work whatever comes later.
    ///
    /// # Errors
    /// EINVAL: the addresses are of two families, or a UDP port is 0. EADDRNOTAVAIL: an address is
    /// unspecified or a group. ELOOP: the pseudowire would end in itself.
    pub(crate) fn check(&self) -> Result {
        if self.udp.is_some_and(|p| p.my == 0 || p.peer == 0) {
            return Err(Errno::EINVAL);
        }
        let Some(t) = self.tunnel else { return Ok(()) };
        if t.src.is_ipv4() != t.dst.is_ipv4() {
            return Err(Errno::EINVAL);
        }
        if [t.src, t.dst]
            .iter()
            .any(|a| a.is_unspecified() || a.is_multicast())
        {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let same_port = self.udp.is_none_or(|p| p.my == p.peer);
        let same_id = self.session.is_some_and(|s| s.my == s.peer);
        if t.src == t.dst && same_port && same_id {
            return Err(Errno::ELOOP);
        }
        Ok(())
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        self.my_cookie.clear();
        self.peer_cookie.clear();
    }
}
