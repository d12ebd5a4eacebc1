// SPDX-License-Identifier: BSD-2-Clause
//! Asking for forwards, renewing them, and taking them away.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use iipf_abi as abi;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KVec;
use wire::packet::proto;

use crate::cond::INET;
use crate::cond::INET6;
use crate::cond::number;
use crate::cond::octets;
use crate::ctl::page::put;
use crate::entry::Forward;
use crate::entry::Map;
use crate::entry::NONE;
use crate::forward::Plan;
use crate::forward::claim;
use crate::forward::release_run;
use crate::ifmap::IfMap;
use crate::ifmap::link_local;
use crate::refresh::find_ports;
use crate::refresh::ports_of;
use crate::softc::Config;
use crate::softc::Family;
use crate::softc::Iipf;
use flow::care::seconds;

const FLAGS: u8 = abi::IIPF_FWD_ANY_PORT | abi::IIPF_FWD_HAIRPIN | abi::IIPF_FWD_PASS;

/// The longest lifetime, as of timeouts.
const LONGEST: u32 = abi::IIPF_TM_MAX;

/// What can be wrong with a request by itself.
fn check(rec: &abi::ForwardRec) -> Result {
    let six = match rec.af {
        INET => false,
        INET6 => true,
        _ => return Err(Errno::EINVAL),
    };
    let addrs = [&rec.outside, &rec.inside, &rec.remote];
    let written = addrs.iter().all(|a| octets(six, number(rec.af, a)) == **a);
    let most: u8 = if six { 128 } else { 32 };
    let host = u32::from(
        most.checked_sub(rec.remote_prefixlen)
            .ok_or(Errno::EINVAL)?,
    );
    let mask = 1u128
        .checked_shl(host)
        .map_or(u128::MAX, |m| m.wrapping_sub(1));
    let n = rec.ports.max(1).wrapping_sub(1);
    let fits =
        rec.inside_port.checked_add(n).is_some() && rec.outside_port.checked_add(n).is_some();
    let names = rec.ifname.as_str().is_some()
        && rec.owner.as_str().is_some()
        && rec.description.as_str().is_some();
    let good = written
        && fits
        && names
        && number(rec.af, &rec.remote) & mask == 0
        && number(rec.af, &rec.inside) != 0
        && rec.inside_port != 0
        && matches!(rec.proto, proto::TCP | proto::UDP)
        && rec.flags & !FLAGS == 0
        && rec.lifetime <= LONGEST
        && rec.packets == 0
        && rec.pad == 0;
    if good { Ok(()) } else { Err(Errno::EINVAL) }
}

fn until(lifetime: u32) -> u32 {
    match lifetime {
        0 => 0,
        n => seconds().saturating_add(n),
    }
}

impl Iipf {
    /// A forward as it is shown, but for its nonce.
    fn shown(&self, cx: &mut Thread, f: &Forward) -> abi::ForwardRec {
        abi::ForwardRec {
            packets: self.forward_hits(cx, f),
            lifetime: match f.until {
                0 => 0,
                at => at.saturating_sub(seconds()).max(1),
            },
            ports: f.ports(),
            ..f.rec
        }
    }

    pub(super) fn add_forward(
        &self,
        cx: &mut Thread,
        req: &abi::ForwardRec,
    ) -> Result<abi::ForwardRec> {
        if req.id != 0 {
            if req.lifetime > LONGEST {
                return Err(Errno::EINVAL);
            }
            let mut config = self.config.lock(cx);
            let at = config.forwards.iter().position(|f| f.rec.id == req.id);
            return self.renew(cx, &mut config, at.ok_or(Errno::ENOENT)?, req);
        }
        check(req)?;
        let six = req.af == INET6;
        let mut config = self.config.lock(cx);
        let (outside, door) = self.outside(cx, &config, req)?;
        // The same once more is a renewal (RFC 6887, 11.3).
        let same = |f: &Forward| {
            f.six == six
                && (f.rec.proto, f.rec.inside, f.rec.inside_port)
                    == (req.proto, req.inside, req.inside_port)
                && f.ports() == req.ports.max(1)
                && number(f.rec.af, &f.rec.outside) == outside
                && (f.rec.remote, f.rec.remote_prefixlen) == (req.remote, req.remote_prefixlen)
                && (req.outside_port == 0 || req.outside_port == f.rec.outside_port)
                && f.rec.nonce == req.nonce
                && f.rec.owner == req.owner
        };
        if let Some(at) = config.forwards.iter().position(same) {
            return self.renew(cx, &mut config, at, req);
        }
        let n = req.ports.max(1);
        let any = req.outside_port == 0 || req.flags & abi::IIPF_FWD_ANY_PORT != 0;
        let wanted = if req.outside_port == 0 {
            req.inside_port
        } else {
            req.outside_port
        };
        let in_way = |f: &Forward| f.covers(six, req.proto, outside, wanted, n);
        if !any && config.forwards.iter().any(in_way) {
            return Err(Errno::EEXIST);
        }
        if config.forwards.len() >= self.limit(cx, abi::IIPF_LIMIT_FORWARDS) as usize {
            return Err(Errno::ENOSPC);
        }
        let mut rec = *req;
        rec.outside = octets(six, outside);
        rec.outside_port = wanted;
        let hole = rec.outside == rec.inside;
        if !hole {
            ports_of(cx, &mut config.ports, six, outside)?;
        }
        if let Some(map) = Self::forward_ports(&config, &rec, outside) {
            let exact = req.outside_port != 0;
            rec.outside_port = claim(map, wanted, n, any, exact).ok_or(Errno::EADDRINUSE)?;
        }
        self.install_forward(cx, &mut config, rec, outside, door)
    }

    /// Makes it, and notes it; or gives its ports back.
    fn install_forward(
        &self,
        cx: &mut Thread,
        config: &mut Config,
        mut rec: abi::ForwardRec,
        outside: u128,
        door: u32,
    ) -> Result<abi::ForwardRec> {
        let (six, n) = (rec.af == INET6, rec.ports.max(1));
        let flag = |bit: u8, word: u32| if rec.flags & bit != 0 { word } else { 0 };
        let has_ports = rec.outside != rec.inside;
        let number_ = u32::try_from(config.next_forward).map_err(|_| Errno::ENOSPC)?;
        let plan = Plan {
            number: number_,
            outside,
            inside: number(rec.af, &rec.inside),
            remote: number(rec.af, &rec.remote),
            door,
            word: u32::from(abi::IIPF_FILTER_ENDPOINT)
                | Map::FORWARD
                | if has_ports { Map::PORT } else { 0 }
                | flag(abi::IIPF_FWD_HAIRPIN, Map::HAIRPIN)
                | flag(abi::IIPF_FWD_PASS, Map::PASS)
                | u32::from(rec.remote_prefixlen) << Map::REMOTE_SHIFT,
        };
        rec.id = config.next_forward;
        rec.ports = n;
        let made = if six {
            self.make_forward(cx, &self.v6, &rec, &plan)
        } else {
            self.make_forward(cx, &self.v4, &rec, &plan)
        };
        let free = |config: &Config| {
            if let Some(map) = Self::forward_ports(config, &rec, outside) {
                release_run(map, rec.outside_port, n);
            }
        };
        let maps = match made {
            Ok(maps) => maps,
            Err(e) => {
                free(config);
                return Err(e);
            }
        };
        // Room for it first: behind that it cannot fail.
        let mut forwards = KVec::with_capacity(cx, config.forwards.len().saturating_add(1));
        let forward = Forward {
            rec,
            until: until(rec.lifetime),
            six,
            maps,
        };
        let Ok(list) = forwards.as_mut() else {
            self.end_forward(cx, config, &forward);
            return Err(Errno::ENOMEM);
        };
        config.forwards.reverse();
        while let Some(f) = config.forwards.pop() {
            let _ = list.push_within(f);
        }
        let reply = self.shown(cx, &forward);
        let _ = list.push_within(forward);
        config.forwards = core::mem::take(list);
        config.next_forward = config.next_forward.wrapping_add(1);
        Ok(reply)
    }

    /// A forward's lifetime counts anew.
    fn renew(
        &self,
        cx: &mut Thread,
        config: &mut Config,
        at: usize,
        req: &abi::ForwardRec,
    ) -> Result<abi::ForwardRec> {
        let f = config.forwards.get_mut(at).ok_or(Errno::ENOENT)?;
        if f.rec.nonce != req.nonce {
            return Err(Errno::EEXIST);
        }
        f.rec.lifetime = req.lifetime;
        f.until = until(req.lifetime);
        Ok(self.shown(cx, f))
    }

    /// The outside address of a request, and the index of the interface that has it (0: none has).
    fn outside(
        &self,
        cx: &mut Thread,
        config: &Config,
        req: &abi::ForwardRec,
    ) -> Result<(u128, u32)> {
        let six = req.af == INET6;
        let map = IfMap::read(cx, &[])?;
        let name = req.ifname.as_str().unwrap_or("");
        let on = match name {
            "" => None,
            _ => Some(map.named(name).ok_or(Errno::ENXIO)?.ifindex),
        };
        let wanted = number(req.af, &req.outside);
        if req.outside == req.inside {
            return Ok((wanted, on.unwrap_or(0)));
        }
        let mut addrs = map.addrs.iter().filter(|a| {
            let here = on.is_none_or(|on| on == a.ifindex);
            a.six == six && here && !link_local(six, a.addr)
        });
        if wanted == 0 {
            let first = addrs
                .next()
                .filter(|_| on.is_some())
                .ok_or(Errno::EADDRNOTAVAIL)?;
            return Ok((first.addr, first.ifindex));
        }
        match addrs.find(|a| a.addr == wanted) {
            Some(a) => Ok((wanted, a.ifindex)),
            // An address that is routed to us, and that pools give out.
            None if find_ports(&config.ports, six, wanted).is_some() => {
                Ok((wanted, on.unwrap_or(0)))
            }
            None => Err(Errno::EADDRNOTAVAIL),
        }
    }

    pub(super) fn del_forward(&self, cx: &mut Thread, req: &abi::ForwardDel) -> Result<abi::Count> {
        if req.kill > 1 || req.pad != 0 || req.owner.as_str().is_none() {
            return Err(Errno::EINVAL);
        }
        let mut config = self.config.lock(cx);
        let theirs = |f: &Forward| req.owner.is_empty() || f.rec.owner == req.owner;
        if req.id != 0 {
            let f = config
                .forwards
                .iter()
                .find(|f| f.rec.id == req.id)
                .ok_or(Errno::ENOENT)?;
            if !theirs(f) {
                return Err(Errno::EPERM);
            }
        }
        let mut count = 0u64;
        let meant = |f: &Forward| theirs(f) && (req.id == 0 || f.rec.id == req.id);
        while let Some(at) = config.forwards.iter().position(meant) {
            let Some(f) = config.forwards.swap_remove(at) else {
                break;
            };
            let number = u32::try_from(f.rec.id).unwrap_or(0);
            if req.kill == 1 && f.six {
                self.kill_users(cx, &self.v6, number);
            } else if req.kill == 1 {
                self.kill_users(cx, &self.v4, number);
            }
            self.end_forward(cx, &config, &f);
            count = count.wrapping_add(1);
        }
        kern::sort::by_key(&mut config.forwards, |f| f.rec.id);
        if count == 0 {
            return Err(Errno::ENOENT);
        }
        Ok(abi::Count { count })
    }

    /// Ends the states of a forward.
    fn kill_users<const N: usize>(&self, cx: &mut Thread, family: &Family<N>, number: u32)
    where
        [u64; N]: Packed,
    {
        self.end_states(cx, family, |s, hit| {
            let uses = [hit.entry.map.load(Relaxed), hit.entry.map2.load(Relaxed)];
            uses.into_iter().filter(|&at| at != NONE).any(|at| {
                let map = family.maps.at(s, at);
                map.is_some_and(|m| {
                    m.entry.forward.load(Relaxed) == number && m.entry.has(Map::FORWARD)
                })
            })
        });
    }

    /// In order of their numbers; the cursor is the last one's.
    pub(super) fn list_forwards(
        &self,
        cx: &mut Thread,
        req: &abi::Cursor,
        reply: &mut abi::ForwardListReply,
    ) -> Result {
        let config = self.config.lock(cx);
        let mut left = config.forwards.iter().filter(|f| f.rec.id > req.cursor);
        for f in left.by_ref().take(abi::IIPF_FORWARD_LIST) {
            let mut shown = self.shown(cx, f);
            shown.nonce = [0; 16];
            reply.cursor = f.rec.id;
            put(&mut reply.forwards, &mut reply.count, || shown);
        }
        if left.next().is_none() {
            reply.cursor = 0;
        }
        Ok(())
    }
}
