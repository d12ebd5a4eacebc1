// SPDX-License-Identifier: BSD-2-Clause
//! TFTP: the server answers from another port (RFC 1350).

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Side;
use iipf_abi as abi;
use wire::alg::tftp;
use wire::packet::proto;

use super::Control;
use super::Heard;
use super::Helper;
use super::announce::Announced;
use super::plan::Plan;
use crate::stats::Ctr;
use crate::stats::Drop;

pub(super) struct Tftp;

impl Helper for Tftp {
    fn speaks(t: &Tuple) -> bool {
        t.proto == proto::UDP && t.dport == tftp::PORT
    }

    #[inline(never)]
    fn look<const N: usize>(
        heard: &mut Heard<'_, '_, N>,
        control: &mut Control,
        _plan: &mut Plan,
    ) -> Result<(), Drop>
    where
        [u64; N]: Packed,
    {
        if heard.side == Side::B {
            return Ok(());
        }
        if tftp::parse(heard.payload).is_none() {
            heard.job.iipf.counters.inc(Ctr::AlgPassed);
            return Ok(());
        }
        let (own, other) = heard.ends();
        let what = Announced {
            proto: proto::UDP,
            port: own.sport,
            outside: Some(other.dport),
            alg: abi::IIPF_ALG_TFTP,
        };
        heard.announce(control, None, &what).map(|_| ())
    }
}
