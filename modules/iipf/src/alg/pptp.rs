// SPDX-License-Identifier: BSD-2-Clause
//! PPTP: call ids, by which the GRE packets of several hosts behind one address are told apart
//! (RFC 2637). Each end's packets carry the other's id: the flows of the two directions are two.

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Side;
use flow::table::InsertError;
use iipf_abi as abi;
use wire::alg::pptp;
use wire::alg::pptp::Id;
use wire::alg::pptp::Kind;
use wire::alg::pptp::Message;
use wire::alg::pptp::Next;
use wire::packet::proto;

use super::Control;
use super::Heard;
use super::Helper;
use super::control::Call;
use super::plan::Plan;
use crate::stats::Ctr;
use crate::stats::Drop;

/// Ids that are tried for one call.
const TRIES: usize = 16;
/// The result code of a reply: connected.
const CONNECTED: u8 = 1;

pub(super) struct Pptp;

impl Helper for Pptp {
    fn speaks(t: &Tuple) -> bool {
        t.proto == proto::TCP && t.dport == pptp::PORT
    }

    #[inline(never)]
    fn look<const N: usize>(
        heard: &mut Heard<'_, '_, N>,
        control: &mut Control,
        plan: &mut Plan,
    ) -> Result<(), Drop>
    where
        [u64; N]: Packed,
    {
        let mut at = 0usize;
        while let Some(rest) = heard.payload.get(at..).filter(|r| !r.is_empty()) {
            let Next::Message(message) = pptp::parse(rest) else {
                // Its rest is in another segment, or it is something else.
                heard.job.iipf.counters.inc(Ctr::AlgPassed);
                return Ok(());
            };
            match heard.side {
                Side::A => said(heard, control, plan, &message, at)?,
                Side::B => answered(heard, control, plan, &message, at)?,
            }
            at = at.saturating_add(message.len);
        }
        Ok(())
    }
}

/// The client says something: its own id becomes that of the outside.
fn said<const N: usize>(
    heard: &mut Heard<'_, '_, N>,
    control: &mut Control,
    plan: &mut Plan,
    message: &Message,
    at: usize,
) -> Result<(), Drop>
where
    [u64; N]: Packed,
{
    let Some(own) = message.own else {
        return Ok(());
    };
    let known = control
        .calls
        .iter()
        .flatten()
        .find(|c| c.own == own.id)
        .copied();
    let call = match (message.kind, known) {
        (_, Some(call)) => call,
        (Kind::OutRequest | Kind::InReply, None) => begin(heard, control, own.id)?,
        _ => return Ok(()),
    };
    replace(plan, at, own, call.outside)?;
    match (message.kind, message.peer) {
        (Kind::InReply, Some(peer)) if message.result == Some(CONNECTED) => {
            outward(heard, control, call, peer.id)
        }
        (Kind::Clear, _) => {
            forget(control, |c| c.own == own.id);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The server does: the outside's id becomes the client's own again.
fn answered<const N: usize>(
    heard: &mut Heard<'_, '_, N>,
    control: &mut Control,
    plan: &mut Plan,
    message: &Message,
    at: usize,
) -> Result<(), Drop>
where
    [u64; N]: Packed,
{
    if let (Kind::Disconnect, Some(own)) = (message.kind, message.own) {
        forget(control, |c| c.peer == own.id && c.peer != 0);
        return Ok(());
    }
    let Some(peer) = message.peer else {
        return Ok(());
    };
    let known = control
        .calls
        .iter()
        .flatten()
        .find(|c| c.outside == peer.id)
        .copied();
    let Some(call) = known else { return Ok(()) };
    replace(plan, at, peer, call.own)?;
    match (message.kind, message.own) {
        (Kind::OutReply, Some(own)) if message.result == Some(CONNECTED) => {
            outward(heard, control, call, own.id)
        }
        _ => Ok(()),
    }
}

fn replace(plan: &mut Plan, at: usize, id: Id, new: u16) -> Result<(), Drop> {
    if id.id == new || plan.edit(at.saturating_add(id.at), 2, &new.to_be_bytes()) {
        Ok(())
    } else {
        Err(Drop::Alg)
    }
}

fn forget(control: &mut Control, which: impl Fn(&Call) -> bool) {
    for slot in &mut control.calls {
        *slot = slot.filter(|c| !which(c));
    }
}

/// A new call: an id that nobody else has towards this server, and its packets are expected.
fn begin<const N: usize>(
    heard: &mut Heard<'_, '_, N>,
    control: &mut Control,
    own: u16,
) -> Result<Call, Drop>
where
    [u64; N]: Packed,
{
    let free = control
        .calls
        .iter_mut()
        .find(|c| c.is_none())
        .ok_or(Drop::Alg)?;
    let (client, server) = (
        heard.hit.entry.key(Side::A).unpack(),
        heard.hit.entry.key(Side::B).unpack(),
    );
    let from = if client.dst == server.src {
        0
    } else {
        client.dst
    };
    let translated = client.src != server.dst;
    let mut outside = own;
    for _ in 0..TRIES {
        let key = Tuple {
            sport: 0,
            dport: outside,
            proto: proto::GRE,
            ..server
        };
        let goal = (client.src, from, own);
        let (s, family) = (heard.job.s, heard.family);
        let taken = family.flows.get(s, &Packed::pack(&key)).is_some();
        let made = if taken {
            Err(InsertError::Taken)
        } else {
            let flow = heard.hit.entry;
            heard
                .job
                .expect(family, flow, &key, goal, None, abi::IIPF_ALG_PPTP)
        };
        match made {
            Ok(_) => {
                let call = Call {
                    own,
                    outside,
                    peer: 0,
                };
                *free = Some(call);
                return Ok(call);
            }
            Err(InsertError::Taken) if translated => {
                outside = (heard.job.random() >> 16) as u16 | 1;
            }
            // A call that is known already, of a connection before this one.
            Err(InsertError::Taken) => {
                let call = Call {
                    own,
                    outside,
                    peer: 0,
                };
                *free = Some(call);
                return Ok(call);
            }
            Err(_) => return Err(Drop::Alg),
        }
    }
    Err(Drop::Alg)
}

/// The other end has given the call an id: the client's packets carry that.
fn outward<const N: usize>(
    heard: &mut Heard<'_, '_, N>,
    control: &mut Control,
    call: Call,
    peer: u16,
) -> Result<(), Drop>
where
    [u64; N]: Packed,
{
    for c in control
        .calls
        .iter_mut()
        .flatten()
        .filter(|c| c.own == call.own)
    {
        c.peer = peer;
    }
    let (client, server) = (
        heard.hit.entry.key(Side::A).unpack(),
        heard.hit.entry.key(Side::B).unpack(),
    );
    let from = if server.dst == client.src {
        0
    } else {
        server.dst
    };
    let key = Tuple {
        sport: 0,
        dport: peer,
        proto: proto::GRE,
        ..client
    };
    let goal = (server.src, from, peer);
    let (family, flow) = (heard.family, heard.hit.entry);
    match heard
        .job
        .expect(family, flow, &key, goal, None, abi::IIPF_ALG_PPTP)
    {
        // Repeated.
        Ok(_) | Err(InsertError::Taken) => Ok(()),
        Err(_) => Err(Drop::Alg),
    }
}
