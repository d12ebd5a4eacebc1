// SPDX-License-Identifier: BSD-2-Clause
//! An end says that it listens: whether it may, and what the other end is to be told.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Id;
use flow::table::InsertError;
use iipf_abi as abi;

use super::Control;
use super::Heard;
use crate::entry::NONE;
use crate::shift::opposite;
use crate::stats::Drop;

/// Ports that are tried where nobody gives them out.
const TRIES: usize = 8;

/// An endpoint that was announced.
pub(super) struct Announced {
    pub proto: u8,
    /// The speaker's own port.
    pub port: u16,
    /// What it is to the other end, if that is settled.
    pub outside: Option<u16>,
    /// `IIPF_ALG_*`
    pub alg: u32,
}

impl<const N: usize> Heard<'_, '_, N>
where
    [u64; N]: Packed,
{
    /// The speaker's own end and peer, and how the other end sees it.
    pub(super) fn ends(&self) -> (Tuple, Tuple) {
        let own = self.hit.entry.key(self.side).unpack();
        let other = self.hit.entry.key(opposite(self.side)).unpack();
        (own, other)
    }

    /// The speaker says that it listens: what the other end is to be told.
    pub(super) fn announce(
        &mut self,
        control: &mut Control,
        addr: Option<u128>,
        what: &Announced,
    ) -> Result<(u128, u16), Drop> {
        let (own, other) = self.ends();
        // Nobody may open a way to somebody else, nor to what is not his to give (RFC 2577).
        if addr.is_some_and(|a| a != own.src && a != other.dst) || what.port < 1_024 {
            return Err(Drop::Alg);
        }
        let (real, outside) = (own.src, other.dst);
        let from = if own.dst == other.src { 0 } else { own.dst };
        let family = self.family;
        let key = |addr: u128, port: u16| Tuple {
            src: other.src,
            sport: 0,
            dst: addr,
            dport: port,
            proto: what.proto,
            dir: other.dir,
            zone: 0,
        };
        self.clean(control);
        let flow = self.hit.entry;
        for try_ in 0..TRIES {
            let (addr, port, map) = match what.outside {
                Some(port) => (outside, port, self.own_map()),
                None if real == outside => (outside, what.port, None),
                None => self.place(outside, real, what, try_)?,
            };
            let key = key(addr, port);
            let goal = (real, from, what.port);
            if let Some(id) = self.job.expect_again(family, &key, (real, what.port)) {
                self.release(map);
                note(control, id)?;
                return Ok((addr, port));
            }
            if control.pending.iter().all(Option::is_some) {
                self.release(map);
                return Err(Drop::Alg);
            }
            match self.job.expect(family, flow, &key, goal, map, what.alg) {
                Ok(id) => {
                    note(control, id)?;
                    return Ok((addr, port));
                }
                Err(InsertError::Taken) if real != outside => self.release(map),
                Err(InsertError::NoMemory) => {
                    self.job.kick = true;
                    self.release(map);
                    return Err(Drop::NoBufs);
                }
                Err(_) => {
                    self.release(map);
                    return Err(Drop::Alg);
                }
            }
        }
        Err(Drop::Alg)
    }

    /// Forgets expectations that are met, or over.
    fn clean(&self, control: &mut Control) {
        for slot in &mut control.pending {
            let lives = |&id: &u64| {
                let hit = self.family.expects.by_id(self.job.s, Id::from_u64(id));
                hit.is_some_and(|h| h.entry.used.load(Relaxed) == 0)
            };
            *slot = slot.filter(lives);
        }
    }

    /// The flow's own mapping, held once more.
    fn own_map(&self) -> Option<Id> {
        let at = self.hit.entry.map.load(Relaxed);
        let map = self.family.maps.at(self.job.s, at).filter(|_| at != NONE)?;
        map.entry.hold().then_some(map.id)
    }

    /// Gives a mapping back that was held in vain.
    fn release(&self, map: Option<Id>) {
        if let Some(m) = map.and_then(|id| self.family.maps.by_id(self.job.s, id)) {
            m.entry.release(self.job.now);
        }
    }

    /// An outside address and port for the speaker's.
    fn place(
        &mut self,
        outside: u128,
        real: u128,
        what: &Announced,
        try_: usize,
    ) -> Result<(u128, u16, Option<Id>), Drop> {
        let rules = self.job.rules;
        let at = rules.index_of(self.hit.entry.nat.load(Relaxed));
        match rules.rule(at) {
            Some(rule) if rule.rec.action == abi::IIPF_ACT_NAT => {
                let t = Tuple {
                    src: real,
                    sport: what.port,
                    proto: what.proto,
                    ..Tuple::default()
                };
                let got = self.job.mapping(self.family, at, rule, &t)?;
                Ok((got.addr, got.port, got.id))
            }
            Some(rule) if rule.rec.action == abi::IIPF_ACT_BINAT => Ok((outside, what.port, None)),
            _ => {
                let ends = (outside, real);
                let got = self
                    .job
                    .port_behind(self.family, ends, what.port, what.proto, try_);
                let (port, map) = got.ok_or(Drop::NatPorts)?;
                Ok((outside, port, map))
            }
        }
    }
}

/// The flow waits for one more.
fn note(control: &mut Control, id: Id) -> Result<(), Drop> {
    let id = Some(id.to_u64());
    if control.pending.contains(&id) {
        return Ok(());
    }
    let slot = control.pending.iter_mut().find(|p| p.is_none());
    *slot.ok_or(Drop::Alg)? = id;
    Ok(())
}
