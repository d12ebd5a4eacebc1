// SPDX-License-Identifier: BSD-2-Clause
//! /dev/iipf: what each command asks, and who does it.

mod export;
mod forwards;
mod import;
mod moved;
mod nat;
mod page;
mod rules;
mod states;
mod status;
mod tables;
mod trace;

use iipf_abi as abi;
use kabi::FromBytes;
use kabi::Immutable;
use kabi::IntoBytes;
use kabi::Ioctl;
use kabi::KnownLayout;
use kern::cdev::Cmd;
use kern::cdev::Device;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KArc;

use crate::softc::Iipf;

/// A command's line in the list: its number, size and direction.
const fn cmd<Rq: kabi::Pod, Rs: kabi::Pod>(c: &Ioctl<Rq, Rs>) -> Cmd {
    let into = if c.goes_in() { kern::KPI_IFC_IN } else { 0 };
    let out = if c.comes_out() { kern::KPI_IFC_OUT } else { 0 };
    Cmd {
        kc_cmd: c.cmd,
        kc_size: c.size() as u32,
        kc_flags: into | out | kern::KPI_IFC_PRIV,
        kc_pad: 0,
    }
}

// Each command has a frame of its own: together they are too large for a kernel's stack.

/// Runs a command on its types.
#[inline(never)]
pub(crate) fn call<Rq, Rs>(data: &mut [u8], f: impl FnOnce(&Rq) -> Result<Rs>) -> Result
where
    Rq: FromBytes + Immutable + KnownLayout,
    Rs: IntoBytes + Immutable,
{
    let (req, _) = Rq::ref_from_prefix(data).map_err(|_| Errno::EINVAL)?;
    let reply = f(req)?;
    reply.write_to_prefix(data).map_err(|_| Errno::EINVAL)
}

/// Runs a command whose request is large: it is read in place, and only then is the reply written.
#[inline(never)]
pub(crate) fn call_in_place<Rq, Rs>(
    data: &mut [u8],
    f: impl FnOnce(&mut Rq) -> Result<Rs>,
) -> Result
where
    Rq: FromBytes + IntoBytes + KnownLayout,
    Rs: IntoBytes + Immutable,
{
    let (req, _) = Rq::mut_from_prefix(data).map_err(|_| Errno::EINVAL)?;
    let reply = f(req)?;
    reply.write_to_prefix(data).map_err(|_| Errno::EINVAL)
}

/// Runs a command whose reply is large: the request is small and copied, the reply is filled where
/// it is. It is all zero at first.
#[inline(never)]
pub(crate) fn fill<Rq, Rs>(data: &mut [u8], f: impl FnOnce(&Rq, &mut Rs) -> Result) -> Result
where
    Rq: FromBytes + Copy,
    Rs: FromBytes + IntoBytes + KnownLayout,
{
    let (req, _) = Rq::read_from_prefix(data).map_err(|_| Errno::EINVAL)?;
    data.fill(0);
    let (reply, _) = Rs::mut_from_prefix(data).map_err(|_| Errno::EINVAL)?;
    f(&req, reply)
}

impl Device for Iipf {
    const NAME: &'static str = abi::IIPF_DEVICE;

    const CMDS: &'static [Cmd] = &[
        cmd(&abi::IIPFBEGIN),
        cmd(&abi::IIPFADD),
        cmd(&abi::IIPFCOMMIT),
        cmd(&abi::IIPFABORT),
        cmd(&abi::IIPFGETRULES),
        cmd(&abi::IIPFRULESTATS),
        cmd(&abi::IIPFSTATUS),
        cmd(&abi::IIPFENABLE),
        cmd(&abi::IIPFLISTIFS),
        cmd(&abi::IIPFLISTSTATES),
        cmd(&abi::IIPFKILLSTATES),
        cmd(&abi::IIPFEXPORT),
        cmd(&abi::IIPFIMPORT),
        cmd(&abi::IIPFLISTMAPS),
        cmd(&abi::IIPFLISTSOURCES),
        cmd(&abi::IIPFADDFORWARD),
        cmd(&abi::IIPFDELFORWARD),
        cmd(&abi::IIPFLISTFORWARDS),
        cmd(&abi::IIPFTABLE),
        cmd(&abi::IIPFTABLEENTRIES),
        cmd(&abi::IIPFTABLES),
        cmd(&abi::IIPFTRACEPACKET),
        cmd(&abi::IIPFTRACEARM),
        cmd(&abi::IIPFTRACEREAD),
    ];

    fn ioctl(this: &KArc<Self>, cx: &mut Thread, cmd: u32, data: &mut [u8]) -> Result {
        match cmd {
            c if abi::IIPFBEGIN.is(c) => call(data, |req| this.begin_load(cx, req)),
            c if abi::IIPFADD.is(c) => call_in_place(data, |req| this.add_records(cx, req)),
            c if abi::IIPFCOMMIT.is(c) => call(data, |req| this.commit(cx, req)),
            c if abi::IIPFABORT.is(c) => call(data, |req| this.abort(cx, req)),
            c if abi::IIPFGETRULES.is(c) => fill(data, |req, reply| this.get_rules(cx, req, reply)),
            c if abi::IIPFRULESTATS.is(c) => {
                fill(data, |req, reply| this.rule_stats(cx, req, reply))
            }
            c if abi::IIPFSTATUS.is(c) => fill(data, |(), reply| this.status(cx, reply)),
            c if abi::IIPFENABLE.is(c) => call(data, |req| this.enable(req)),
            c if abi::IIPFLISTIFS.is(c) => fill(data, |req, reply| this.list_ifs(cx, req, reply)),
            c if abi::IIPFLISTSTATES.is(c) => {
                fill(data, |req, reply| this.list_states(cx, req, reply))
            }
            c if abi::IIPFKILLSTATES.is(c) => call(data, |req| this.kill_states(cx, req)),
            c if abi::IIPFEXPORT.is(c) => fill(data, |req, reply| this.export(cx, req, reply)),
            c if abi::IIPFIMPORT.is(c) => call_in_place(data, |req| this.import(cx, req)),
            c if abi::IIPFLISTMAPS.is(c) => fill(data, |req, reply| this.list_maps(cx, req, reply)),
            c if abi::IIPFLISTSOURCES.is(c) => {
                fill(data, |req, reply| this.list_sources(cx, req, reply))
            }
            c if abi::IIPFADDFORWARD.is(c) => call(data, |req| this.add_forward(cx, req)),
            c if abi::IIPFDELFORWARD.is(c) => call(data, |req| this.del_forward(cx, req)),
            c if abi::IIPFLISTFORWARDS.is(c) => {
                fill(data, |req, reply| this.list_forwards(cx, req, reply))
            }
            c if abi::IIPFTABLE.is(c) => call(data, |req| this.table(cx, req)),
            c if abi::IIPFTABLEENTRIES.is(c) => {
                fill(data, |req, reply| this.table_entries(cx, req, reply))
            }
            c if abi::IIPFTABLES.is(c) => fill(data, |req, reply| this.tables(cx, req, reply)),
            c if abi::IIPFTRACEPACKET.is(c) => this.trace_packet(cx, data),
            c if abi::IIPFTRACEARM.is(c) => call(data, |req| this.trace_arm(cx, req)),
            c if abi::IIPFTRACEREAD.is(c) => fill(data, |(), reply| this.trace_read(cx, reply)),
            _ => Err(Errno::ENOTTY),
        }
    }
}
