// SPDX-License-Identifier: BSD-2-Clause
//! Which states somebody means.

use core::sync::atomic::Ordering::Relaxed;

use flow::key::Packed;
use flow::key::Tuple;
use flow::slab::Id;
use flow::slab::Side;
use flow::table::Hit;
use iipf_abi as abi;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::errno::Result;
use kern::pfil;

use crate::cond::INET;
use crate::cond::INET6;
use crate::entry::Flow;
use crate::entry::Word;
use crate::ruleset::Ruleset;
use crate::watch::within;

/// In numbers of states: it is one of IPv6. The tables of the two families number by themselves.
const SIX: u64 = 1 << 63;

/// The number of a state, as all commands have it.
pub(crate) fn state_id(six: bool, id: Id) -> u64 {
    id.to_u64() | if six { SIX } else { 0 }
}

/// The index of an interface; None: there is none of that name.
pub(crate) fn ifindex(cx: &mut Thread, name: &str) -> Option<u32> {
    let mut found = None;
    pfil::interfaces(cx, |_, info| {
        if info.name.as_str() == name {
            found = Some(info.index);
        }
    });
    found
}

/// A filter of states, checked.
pub(crate) struct Pick {
    f: abi::StateFilter,
    ifindex: u32,
}

impl Pick {
    /// Checks a filter.
    ///
    /// # Errors
    /// EINVAL.
    pub fn new(cx: &mut Thread, f: &abi::StateFilter) -> Result<Pick> {
        const ALL: u32 = 2 * abi::IIPF_STF_EITHER - 1;
        let has = |bit: u32| f.flags & bit != 0;
        let most = match f.af {
            0 | INET6 => 128,
            INET => 32,
            _ => return Err(Errno::EINVAL),
        };
        let ends = has(abi::IIPF_STF_SRC) || has(abi::IIPF_STF_DST);
        if f.flags & !ALL != 0
            || (ends && f.af == 0)
            || f.src_prefixlen > most
            || f.dst_prefixlen > most
            || f.ifname.as_str().is_none()
            || f.label.as_str().is_none()
        {
            return Err(Errno::EINVAL);
        }
        let name = f.ifname.as_str().filter(|_| has(abi::IIPF_STF_IF));
        Ok(Pick {
            f: *f,
            ifindex: name.and_then(|n| ifindex(cx, n)).unwrap_or(0),
        })
    }

    fn has(&self, bit: u32) -> bool {
        self.f.flags & bit != 0
    }

    /// Whether states of a family can be meant.
    pub fn family(&self, six: bool) -> bool {
        let wanted = if six { INET6 } else { INET };
        let id = self.f.id & SIX != 0;
        (self.f.af == 0 || self.f.af == wanted) && (!self.has(abi::IIPF_STF_ID) || id == six)
    }

    /// The only state that can be meant.
    pub fn id(&self) -> Option<Id> {
        self.has(abi::IIPF_STF_ID)
            .then(|| Id::from_u64(self.f.id & !SIX))
    }

    /// Whether a state is meant.
    pub fn means<const N: usize>(&self, rules: Option<&Ruleset>, hit: &Hit<'_, N, Flow>) -> bool
    where
        [u64; N]: Packed,
    {
        let (f, flow) = (&self.f, hit.entry);
        let word = flow.word();
        let first: Tuple = flow.key(Side::A).unpack();
        if (self.has(abi::IIPF_STF_ID) && self.id() != Some(hit.id))
            || (self.has(abi::IIPF_STF_PROTO) && first.proto != f.proto)
            || (self.has(abi::IIPF_STF_STALE) && !word.has(Word::STALE))
            || (self.has(abi::IIPF_STF_NAT) && !word.has(Word::NAT))
            || (self.has(abi::IIPF_STF_MARK) && flow.mark.load(Relaxed) != f.mark)
        {
            return false;
        }
        let made_on = flow.ifindex.load(Relaxed);
        if self.has(abi::IIPF_STF_IF) && (self.ifindex == 0 || made_on != self.ifindex) {
            return false;
        }
        let rule = |num: u32| rules?.numbered(num);
        let (filter, nat) = (rule(flow.rule.load(Relaxed)), rule(flow.nat.load(Relaxed)));
        if self.has(abi::IIPF_STF_RULE) {
            let ids = [filter, nat].map(|r| r.map(|r| r.rec.id));
            if !ids.contains(&Some(f.rule)) {
                return false;
            }
        }
        if self.has(abi::IIPF_STF_LABEL) {
            let at = filter.map_or(0, |r| r.rec.label).wrapping_sub(1);
            let name = rules.and_then(|r| r.names.get(at as usize));
            if !name.is_some_and(|n| n.name == f.label) {
                return false;
            }
        }
        let to: Tuple = flow.key(Side::B).unpack().flip();
        self.ends(&first, &to)
            || (self.has(abi::IIPF_STF_EITHER) && self.ends(&to.flip(), &first.flip()))
    }

    /// Whether the ends are meant, as they were before or after translation.
    fn ends(&self, first: &Tuple, to: &Tuple) -> bool {
        let f = &self.f;
        let addr =
            |bit, net: &[u8; 16], bits, addr| !self.has(bit) || within(f.af, net, bits, addr);
        let port = |want: u16, has: u16| want == 0 || want == has;
        let src = |t: &Tuple| {
            addr(abi::IIPF_STF_SRC, &f.src, f.src_prefixlen, t.src) && port(f.sport, t.sport)
        };
        let dst = |t: &Tuple| {
            addr(abi::IIPF_STF_DST, &f.dst, f.dst_prefixlen, t.dst) && port(f.dport, t.dport)
        };
        (src(first) || src(to)) && (dst(first) || dst(to))
    }
}
