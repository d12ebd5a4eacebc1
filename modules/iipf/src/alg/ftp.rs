// SPDX-License-Identifier: BSD-2-Clause
//! FTP: who waits for the data connection, and where (RFC 959, RFC 2428).
//!
//! The stream is read in order, line by line. The front of a line that may become one of interest
//! does not pass before its end has come: then both go on as one segment.

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Side;
use iipf_abi as abi;
use wire::alg::ftp;
use wire::alg::ftp::Found;
use wire::alg::ftp::MAX_TEXT;
use wire::alg::ftp::Match;
use wire::packet::Af;
use wire::packet::proto;

use super::Control;
use super::Heard;
use super::Helper;
use super::announce::Announced;
use super::control::HELD;
use super::plan::Plan;
use crate::stats::Ctr;
use crate::stats::Drop;

/// The control connection's port.
const PORT: u16 = 21;

/// Bytes of a line in pieces, and of what came with its end.
const JOINT: usize = 4 * HELD;

pub(super) struct Ftp;

/// Where a segment is read from.
struct From {
    /// Bytes of what was held back that go in front.
    prefix: usize,
    /// Bytes of the whole that were seen before and are passed over.
    skip: usize,
    /// In the midst of a line.
    mid: bool,
}

/// Whether `a` comes before `b`.
const fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

fn lines(side: Side) -> ftp::Side {
    match side {
        Side::A => ftp::Side::Client,
        Side::B => ftp::Side::Server,
    }
}

fn line_end(b: &[u8], at: usize) -> Option<usize> {
    let rest = b.get(at..)?;
    let n = rest.iter().position(|&c| c == b'\n')?;
    Some(at.saturating_add(n).saturating_add(1))
}

impl Helper for Ftp {
    fn speaks(t: &Tuple) -> bool {
        t.proto == proto::TCP && t.dport == PORT
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
        let (side, seq) = (heard.side, heard.seq);
        let size = heard.payload.len();
        let end = seq.wrapping_add(size as u32);
        let way = control.way(side);
        let next = *way.next.get_or_insert(seq);
        let Some(from) = where_from(way, seq, end, next)? else {
            return Ok(());
        };
        // What was held back and the front of the segment, joined: the line ends there, or later.
        let mut joint = [0u8; JOINT];
        let len = from.prefix.saturating_add(size);
        let payload = heard.payload;
        let whole = if from.prefix == 0 {
            payload
        } else {
            let n = len.min(JOINT);
            let front = joint
                .get_mut(..from.prefix)
                .zip(way.held.get(..from.prefix));
            let Some((front, held)) = front else {
                return Ok(());
            };
            wire::copy(front, held);
            let more = payload.get(..n.saturating_sub(from.prefix));
            let rest = joint.get_mut(from.prefix..n).zip(more);
            let Some((rest, more)) = rest else {
                return Ok(());
            };
            wire::copy(rest, more);
            joint.get(..n).unwrap_or_default()
        };
        plan.prefix = from.prefix;
        let first = seq.wrapping_sub(from.prefix as u32);
        if from.prefix > 0 {
            plan.seq = Some(first.wrapping_add(shift_at(heard, first)));
        }
        let again = way.held_n > 0 && !before(seq, way.held_at) && before(seq, next);
        let mut read = read(heard, control, plan, whole, first, &from)?;
        if read.rest.is_none() && whole.len() < len {
            // The rest when the sender repeats it.
            read.rest = Some((whole.len(), false));
        }
        let way = control.way(side);
        let mut upto = end;
        match read.rest {
            Some((at, true)) if !heard.last => {
                // Its end has not come: back with it.
                let rest = whole.get(at..).unwrap_or_default();
                let n = rest.len().min(HELD);
                if let (Some(to), Some(rest)) = (way.held.get_mut(..n), rest.get(..n)) {
                    wire::copy(to, rest);
                }
                let number = first.wrapping_add(at as u32);
                // Of one that came again shorter, the longer one holds.
                if number != way.held_at || n > way.held_n {
                    (way.held_n, way.held_at) = (n, number);
                }
                plan.ack = again;
                cut(plan, at, len);
            }
            Some((at, _)) => {
                // Another line of interest: when the sender repeats it.
                upto = first.wrapping_add(at as u32);
                cut(plan, at, len);
            }
            None => {}
        }
        if !before(upto, next) {
            (way.next, way.mid) = (Some(upto), read.mid);
        }
        Ok(())
    }
}

/// What is behind `at` does not go on.
fn cut(plan: &mut Plan, at: usize, len: usize) {
    if at == 0 {
        plan.swallow = true;
    } else {
        plan.edit(at, len.saturating_sub(at), &[]);
    }
}

/// Where to read a segment from. None: it has been read, and passes.
fn where_from(
    way: &mut super::control::Way,
    seq: u32,
    end: u32,
    next: u32,
) -> Result<Option<From>, Drop> {
    let held_end = way.held_at.wrapping_add(way.held_n as u32);
    let whole = |skip: usize, mid: bool| {
        Ok(Some(From {
            prefix: 0,
            skip,
            mid,
        }))
    };
    if way.held_n > 0 && !before(seq, way.held_at) && !before(held_end, seq) {
        // On with the line, from its end or, repeated, from anywhere in it.
        return Ok(Some(From {
            prefix: seq.wrapping_sub(way.held_at) as usize,
            skip: 0,
            mid: false,
        }));
    }
    if seq == next {
        return whole(0, way.mid);
    }
    if before(next, seq) {
        // Something before it is missing.
        return Err(Drop::AlgOrder);
    }
    if way.held_n > 0 && before(seq, way.held_at) && before(way.held_at, end) {
        return whole(way.held_at.wrapping_sub(seq) as usize, false);
    }
    if let Some((at, _, _)) = way.edit
        && !before(at, seq)
        && before(at, end)
    {
        return whole(at.wrapping_sub(seq) as usize, false);
    }
    if !before(next, end) {
        return Ok(None);
    }
    if way.held_n > 0 && held_end == next {
        // Its front is held back: it must come again from there.
        return Err(Drop::AlgOrder);
    }
    whole(next.wrapping_sub(seq) as usize, way.mid)
}

/// What the number of a byte that the speaker sends is shifted by.
fn shift_at<const N: usize>(heard: &Heard<'_, '_, N>, seq: u32) -> u32 {
    let six = N == flow::key::V6;
    let found = heard.job.iipf.seq_of(heard.job.s, heard.hit.id, six);
    found.map_or(0, |q| q.seq(heard.side, seq))
}

/// What reading came to.
struct Read {
    mid: bool,
    /// What is not to pass now: from where, and whether it is to be kept.
    rest: Option<(usize, bool)>,
}

fn read<const N: usize>(
    heard: &mut Heard<'_, '_, N>,
    control: &mut Control,
    plan: &mut Plan,
    data: &[u8],
    first: u32,
    from: &From,
) -> Result<Read, Drop>
where
    [u64; N]: Packed,
{
    let mut at = from.skip;
    let done = |mid, rest| Ok(Read { mid, rest });
    if from.mid {
        match line_end(data, at) {
            Some(n) => at = n,
            None => return done(true, None),
        }
    }
    let mut edited = false;
    while let Some(rest) = data.get(at..).filter(|r| !r.is_empty()) {
        match ftp::line(lines(heard.side), rest) {
            Match::No => {}
            Match::NeedMore => return done(false, Some((at, true))),
            Match::Bad => heard.job.iipf.counters.inc(Ctr::AlgPassed),
            Match::Found(_) if edited => return done(false, Some((at, false))),
            Match::Found(found) => {
                announce(heard, control, plan, &found, at, first)?;
                edited = true;
            }
        }
        match line_end(data, at) {
            Some(n) => at = n,
            None => return done(true, None),
        }
    }
    done(false, None)
}

/// A line with an endpoint, `at` bytes from the front.
fn announce<const N: usize>(
    heard: &mut Heard<'_, '_, N>,
    control: &mut Control,
    plan: &mut Plan,
    found: &Found,
    at: usize,
    first: u32,
) -> Result<(), Drop>
where
    [u64; N]: Packed,
{
    let side = heard.side;
    let af = if N == flow::key::V6 { Af::V6 } else { Af::V4 };
    if found.addr.is_some_and(|(family, _)| family != af) {
        return Err(Drop::Alg);
    }
    let number = first.wrapping_add(at as u32);
    let (_, other) = heard.ends();
    let again = control
        .way(side)
        .edit
        .filter(|&(n, port, _)| n == number && port == found.port);
    let (addr, port) = match again {
        Some((_, _, port)) => (other.dst, port),
        None => {
            let what = Announced {
                proto: proto::TCP,
                port: found.port,
                outside: None,
                alg: abi::IIPF_ALG_FTP,
            };
            heard.announce(control, found.addr.map(|(_, addr)| addr), &what)?
        }
    };
    if found.addr.is_none_or(|(_, a)| a == addr) && port == found.port {
        return Ok(());
    }
    let mut text = [0u8; MAX_TEXT];
    let len = ftp::emit(found.kind, af, addr, port, &mut text).map_err(|_| Drop::Alg)?;
    let text = text.get(..len).ok_or(Drop::Alg)?;
    let place = at.saturating_add(found.at);
    let grown = i8::try_from(len as isize - found.len as isize).map_err(|_| Drop::Alg)?;
    if again.is_none() {
        if grown != 0 {
            let pos = first.wrapping_add(place.saturating_add(found.len) as u32);
            let (s, iipf) = (heard.job.s, heard.job.iipf);
            iipf.shifted(s, &heard.hit, side, pos, grown)?;
        }
        control.way(side).edit = Some((number, found.port, port));
        heard.job.iipf.counters.inc(Ctr::AlgEvents);
    }
    if !plan.edit(place, found.len, text) {
        return Err(Drop::NoBufs);
    }
    Ok(())
}
