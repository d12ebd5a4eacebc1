// SPDX-License-Identifier: BSD-2-Clause
//! What a rule's record asks of a packet, checked and in the classifier's form.

use classify::Addr;
use classify::AddrMatch;
use classify::Af;
use classify::Dir;
use classify::Icmp;
use classify::Match;
use classify::Ports;
use iipf_abi as abi;
use kern::cx::MaySleep;
use kern::mem::KVec;

use crate::ifmap;
use crate::load::Load;

/// `AF_INET` and `AF_INET6` as the kpi numbers them.
pub(crate) const INET: u8 = kabi::ctl::AF_INET as u8;
pub(crate) const INET6: u8 = kabi::ctl::AF_INET6 as u8;

/// An address interface records give: which interface, which part, which family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub iface: Option<u32>,
    pub part: u8,
    pub af: u8,
}

/// Addresses in 16 bytes as a number, IPv4 in the low 32 bits.
pub(crate) fn number(af: u8, bytes: &[u8; 16]) -> u128 {
    let n = u128::from_be_bytes(*bytes);
    if af == INET { n >> 96 } else { n }
}

/// And back.
pub(crate) fn octets(six: bool, n: u128) -> [u8; 16] {
    if six { n } else { n << 96 }.to_be_bytes()
}

/// A family as a record has it.
pub(crate) fn family(af: u8) -> Result<Option<Af>, u32> {
    match af {
        0 => Ok(None),
        INET => Ok(Some(Af::V4)),
        INET6 => Ok(Some(Af::V6)),
        _ => Err(abi::IIPF_LE_VALUE),
    }
}

/// Turns records into conditions, and notes which addresses of interfaces they need.
pub(crate) struct Conditions<'l> {
    pub load: &'l Load,
    /// Tables behind the named ones.
    pub sources: KVec<Source>,
}

impl Conditions<'_> {
    /// The number of the table that follows `source`.
    fn table_of<C: MaySleep>(&mut self, cx: &mut C, source: Source) -> Result<u16, u32> {
        let at = match self.sources.iter().position(|s| *s == source) {
            Some(at) => at,
            None => {
                self.sources
                    .push(cx, source)
                    .map_err(|_| abi::IIPF_LE_MEMORY)?;
                self.sources.len().saturating_sub(1)
            }
        };
        let number = self.load.tables.len().saturating_add(at);
        u16::try_from(number).map_err(|_| abi::IIPF_LE_LIMIT)
    }

    fn addr<C: MaySleep>(
        &mut self,
        cx: &mut C,
        a: &abi::AddrRec,
        af: &mut Option<Af>,
    ) -> Result<AddrMatch, u32> {
        if a.neg > 1 {
            return Err(abi::IIPF_LE_VALUE);
        }
        let own = family(a.af)?;
        match (own, *af) {
            (Some(own), Some(af)) if own != af => return Err(abi::IIPF_LE_CONFLICT),
            (Some(own), None) => *af = Some(own),
            _ => {}
        }
        let addr = match a.kind {
            abi::IIPF_ADDR_ANY if a.neg == 0 => Addr::Any,
            abi::IIPF_ADDR_RANGE => {
                let (lo, hi) = (number(a.af, &a.lo), number(a.af, &a.hi));
                if own.is_none() || lo > hi {
                    return Err(abi::IIPF_LE_VALUE);
                }
                Addr::Range(lo, hi)
            }
            abi::IIPF_ADDR_TABLE => {
                let at = a.index.wrapping_sub(1);
                if at as usize >= self.load.tables.len() {
                    return Err(abi::IIPF_LE_REFERENCE);
                }
                Addr::Table(u16::try_from(at).map_err(|_| abi::IIPF_LE_LIMIT)?)
            }
            abi::IIPF_ADDR_IF => {
                let at = a.index.wrapping_sub(1);
                if at as usize >= self.load.ifaces.len() {
                    return Err(abi::IIPF_LE_REFERENCE);
                }
                if a.part > abi::IIPF_IFPART_FIRST {
                    return Err(abi::IIPF_LE_VALUE);
                }
                let source = Source {
                    iface: Some(at),
                    part: a.part,
                    af: a.af,
                };
                Addr::Table(self.table_of(cx, source)?)
            }
            abi::IIPF_ADDR_SELF => {
                let source = Source {
                    iface: None,
                    part: 0,
                    af: a.af,
                };
                Addr::Table(self.table_of(cx, source)?)
            }
            _ => return Err(abi::IIPF_LE_VALUE),
        };
        Ok(AddrMatch {
            addr,
            not: a.neg == 1,
        })
    }

    /// The condition of a rule.
    ///
    /// # Errors
    /// An `IIPF_LE_*`.
    pub fn of<C: MaySleep>(&mut self, cx: &mut C, m: &abi::MatchRec) -> Result<Match, u32> {
        let flag = |bit: u32| m.flags & bit != 0;
        let mut af = family(m.af)?;
        let src = self.addr(cx, &m.src, &mut af)?;
        let dst = self.addr(cx, &m.dst, &mut af)?;
        let ifaces = match m.iface {
            0 if flag(abi::IIPF_M_IF_NEG) => return Err(abi::IIPF_LE_VALUE),
            0 => classify::IfSet::ANY,
            n if n as usize > self.load.ifaces.len() => return Err(abi::IIPF_LE_REFERENCE),
            n => {
                let set = ifmap::slots(&self.load.ifaces, n.wrapping_sub(1) as usize);
                if flag(abi::IIPF_M_IF_NEG) {
                    set.not()
                } else {
                    set
                }
            }
        };
        let proto = flag(abi::IIPF_M_PROTO).then_some(m.proto);
        let icmp = match (flag(abi::IIPF_M_ICMP_TYPE), flag(abi::IIPF_M_ICMP_CODE)) {
            (false, true) => return Err(abi::IIPF_LE_VALUE),
            (false, false) => None,
            (true, code) if matches!(proto, Some(1 | 58)) => Some(Icmp {
                kind: m.icmp_type,
                code: code.then_some(m.icmp_code),
            }),
            (true, _) => return Err(abi::IIPF_LE_CONFLICT),
        };
        let dir = match m.dir {
            0 => None,
            1 => Some(Dir::In),
            2 => Some(Dir::Out),
            _ => return Err(abi::IIPF_LE_VALUE),
        };
        if m.tcp_flags & !m.tcp_mask != 0 || m.dscp > 63 {
            return Err(abi::IIPF_LE_VALUE);
        }
        let mark = match (flag(abi::IIPF_M_MARK), flag(abi::IIPF_M_MARK_NEG)) {
            (false, false) => (0, 0),
            (true, false) => (m.mark & m.mark_mask, m.mark_mask),
            // "! tagged": run through `maybe`.
            (_, true) => (0, 0),
        };
        let frags = if flag(abi::IIPF_M_FRAGMENT) {
            classify::Frag::First as u8 | classify::Frag::Later as u8
        } else {
            Match::ANY.frags
        };
        Ok(Match {
            src,
            dst,
            ifaces,
            mark,
            sport: ports(&m.sport)?,
            dport: ports(&m.dport)?,
            tcp_flags: (m.tcp_flags, m.tcp_mask),
            icmp,
            dir,
            af,
            proto,
            dscp: flag(abi::IIPF_M_DSCP).then_some(m.dscp),
            frags,
            maybe: m.probability != 0 || flag(abi::IIPF_M_MARK_NEG),
        })
    }
}

fn ports(p: &abi::PortRec) -> Result<Ports, u32> {
    if p.lo > p.hi {
        return Err(abi::IIPF_LE_VALUE);
    }
    match p.op {
        abi::IIPF_PORT_ANY => Ok(Ports::ANY),
        abi::IIPF_PORT_IN | abi::IIPF_PORT_OUT => Ok(Ports {
            lo: p.lo,
            hi: p.hi,
            not: p.op == abi::IIPF_PORT_OUT,
        }),
        _ => Err(abi::IIPF_LE_VALUE),
    }
}

/// A number of 64 bits of an address.
pub(crate) fn fold(addr: u128) -> u64 {
    (addr as u64) ^ ((addr >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
