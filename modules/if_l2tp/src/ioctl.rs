// SPDX-License-Identifier: BSD-2-Clause
//! ioctls: NetBSD's l2tp(4), byte for byte, and the additions.
//!
//! Contexts: thread. Locking: all changes go through `Softc::reconfigure` [C].

use if_l2tp_abi as abi;
use kabi::Ioctl;
use kabi::Pod;
use kern::KPI_IFC_IN;
use kern::KPI_IFC_OUT;
use kern::KPI_IFC_PRIV;
use kern::cx::Softint;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::errno::Result;
use kern::ifnet::Cmd;
use kern::ifnet::Driver;
use kern::ifnet::Ifnet;
use kern::ifnet::Tunnel;
use kern::mbuf::Mbuf;
use kern::mem::KArc;
use kern::verdict::Verdict;
use wire::l2tp::Cookie;
use wire::l2tp::CookieLen;
use wire::l2tp::SessionId;
use wire::l2tp::Sublayer;

use crate::config::Config;
use crate::config::Ports;
use crate::config::Session;
use crate::softc::Softc;
use crate::stats::Drop;

/// A command under the number of either system. All are for the superuser: the cookies are secret.
const fn cmd<Rq: Pod, Rs: Pod>(c: &Ioctl<Rq, Rs>, number: u32) -> Cmd {
    let dir =
        if c.goes_in() { KPI_IFC_IN } else { 0 } | if c.comes_out() { KPI_IFC_OUT } else { 0 };
    Cmd {
        kc_cmd: number,
        kc_size: c.size() as u32,
        kc_flags: dir | KPI_IFC_PRIV,
        kc_pad: 0,
    }
}

macro_rules! commands {
    ($($name:ident),+ $(,)?) => {
        &[$(cmd(&abi::$name, abi::$name.cmd), cmd(&abi::$name, abi::$name.freebsd)),+]
    };
}

impl Driver for Softc {
    type Drop = Drop;

    const CMDS: &'static [Cmd] = commands![
        SIOCSL2TPSESSION,
        SIOCDL2TPSESSION,
        SIOCSL2TPCOOKIE,
        SIOCDL2TPCOOKIE,
        SIOCSL2TPSTATE,
        SIOCGL2TP,
        SIOCSL2TPENCAP,
        SIOCGL2TPENCAP,
    ];

    fn ifnet(&self) -> &Ifnet {
        &self.shared.ifnet
    }

    fn transmit(&self, cx: &mut Softint, m: Mbuf) -> Verdict<Drop> {
        self.output(cx, m)
    }

    fn dropped(&self, why: Drop) {
        self.shared.drops.inc(why);
    }

    fn ioctl(this: &KArc<Self>, cx: &mut Thread, cmd: u32, data: &mut [u8]) -> Result {
        if abi::SIOCGL2TP.is(cmd) {
            let reply = this.config.lock(cx).to_req();
            return kabi::write_pod(&reply, data).ok_or(Errno::EINVAL);
        }
        if abi::SIOCGL2TPENCAP.is(cmd) {
            let reply = this.config.lock(cx).to_encap_req();
            return kabi::write_pod(&reply, data).ok_or(Errno::EINVAL);
        }
        if abi::SIOCSL2TPENCAP.is(cmd) {
            let req = kabi::read_pod(data).ok_or(Errno::EINVAL)?;
            return Self::reconfigure(this, cx, |config| config.set_encap(&req));
        }
        let req: abi::L2tpReq = kabi::read_pod(data).ok_or(Errno::EINVAL)?;
        if abi::SIOCSL2TPSESSION.is(cmd) {
            Self::reconfigure(this, cx, |config| config.set_session(&req))
        } else if abi::SIOCDL2TPSESSION.is(cmd) {
            Self::reconfigure(this, cx, |config| {
                config.session = None;
                Ok(())
            })
        } else if abi::SIOCSL2TPCOOKIE.is(cmd) {
            Self::reconfigure(this, cx, |config| config.set_cookies(&req))
        } else if abi::SIOCDL2TPCOOKIE.is(cmd) {
            Self::reconfigure(this, cx, |config| {
                config.replace_cookies(Cookie::NONE, Cookie::NONE);
                Ok(())
            })
        } else if abi::SIOCSL2TPSTATE.is(cmd) {
            Self::reconfigure(this, cx, |config| config.set_state(req.state))
        } else {
            Err(Errno::ENOTTY)
        }
    }

    fn set_tunnel(this: &KArc<Self>, cx: &mut Thread, t: Tunnel) -> Result {
        Self::reconfigure(this, cx, |config| {
            config.tunnel = Some(t);
            Ok(())
        })
    }

    fn tunnel(&self, cx: &mut Thread) -> Option<Tunnel> {
        self.config.lock(cx).tunnel
    }

    fn delete_tunnel(this: &KArc<Self>, cx: &mut Thread) -> Result {
        Self::reconfigure(this, cx, |config| {
            config.tunnel = None;
            Ok(())
        })
    }

    fn set_mtu(&self, _cx: &mut Thread, mtu: u32) -> Result {
        if (abi::L2TP_MTU_MIN..=abi::L2TP_MTU_MAX).contains(&mtu) {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }

    fn set_up(&self, cx: &mut Thread, up: bool) -> Result {
        Softc::set_up(self, cx, up);
        Ok(())
    }
}

impl Config {
    fn set_session(&mut self, req: &abi::L2tpReq) -> Result {
        let my = SessionId::new(req.my_sess_id).ok_or(Errno::EINVAL)?;
        let peer = SessionId::new(req.peer_sess_id).ok_or(Errno::EINVAL)?;
        self.session = Some(Session { my, peer });
        Ok(())
    }

    fn set_cookies(&mut self, req: &abi::L2tpReq) -> Result {
        let cookie = |len, value| {
            let len = CookieLen::new(len).ok_or(Errno::EINVAL)?;
            Cookie::from_value(len, value).ok_or(Errno::EINVAL)
        };
        let my = cookie(req.my_cookie_len, req.my_cookie)?;
        let peer = cookie(req.peer_cookie_len, req.peer_cookie)?;
        self.replace_cookies(my, peer);
        Ok(())
    }

    fn replace_cookies(&mut self, my: Cookie, peer: Cookie) {
        self.my_cookie.clear();
        self.peer_cookie.clear();
        (self.my_cookie, self.peer_cookie) = (my, peer);
    }

    fn set_state(&mut self, state: i32) -> Result {
        self.enabled = match state {
            abi::L2TP_STATE_UP => true,
            abi::L2TP_STATE_DOWN => false,
            _ => return Err(Errno::EINVAL),
        };
        Ok(())
    }

    fn set_encap(&mut self, req: &abi::L2tpEncapReq) -> Result {
        if req.flags != 0 || req.reserved != [0; 4] {
            return Err(Errno::EINVAL);
        }
        self.udp = match req.encap {
            abi::L2TP_ENCAP_IP if req.my_port == 0 && req.peer_port == 0 => None,
            abi::L2TP_ENCAP_UDP => Some(Ports {
                my: req.my_port,
                peer: req.peer_port,
            }),
            _ => return Err(Errno::EINVAL),
        };
        self.sublayer = match req.sublayer {
            abi::L2TP_SUBLAYER_NONE => Sublayer::None,
            abi::L2TP_SUBLAYER_DEFAULT => Sublayer::Default,
            _ => return Err(Errno::EINVAL),
        };
        Ok(())
    }

    fn to_req(&self) -> abi::L2tpReq {
        abi::L2tpReq {
            state: if self.enabled {
                abi::L2TP_STATE_UP
            } else {
                abi::L2TP_STATE_DOWN
            },
            my_cookie_len: self.my_cookie.len().bytes() as u32,
            peer_cookie_len: self.peer_cookie.len().bytes() as u32,
            my_sess_id: self.session.map_or(0, |s| s.my.get()),
            peer_sess_id: self.session.map_or(0, |s| s.peer.get()),
            pad: 0,
            my_cookie: self.my_cookie.value(),
            peer_cookie: self.peer_cookie.value(),
        }
    }

    fn to_encap_req(&self) -> abi::L2tpEncapReq {
        abi::L2tpEncapReq {
            encap: if self.udp.is_some() {
                abi::L2TP_ENCAP_UDP
            } else {
                abi::L2TP_ENCAP_IP
            },
            my_port: self.udp.map_or(0, |p| p.my),
            peer_port: self.udp.map_or(0, |p| p.peer),
            sublayer: match self.sublayer {
                Sublayer::None => abi::L2TP_SUBLAYER_NONE,
                Sublayer::Default => abi::L2TP_SUBLAYER_DEFAULT,
            },
            flags: 0,
            reserved: [0; 4],
        }
    }
}
