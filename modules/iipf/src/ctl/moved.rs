// SPDX-License-Identifier: BSD-2-Clause
//! A state from another kernel: what its record says, checked.

use flow::key::Tuple;
use flow::tcp::Track;
use flow::tcp::judge::Peer;
use flow::tcp::judge::State;
use flow::timeouts::Class;
use iipf_abi as abi;
use wire::packet::proto;

use crate::cond::INET;
use crate::cond::INET6;
use crate::cond::number;
use crate::cond::octets;
use crate::entry::Word;
use crate::follow::first_class;

/// Flags that a record may have; staleness is found out anew.
const FLAGS: u16 = abi::IIPF_ST_NAT
    | abi::IIPF_ST_IF_BOUND
    | abi::IIPF_ST_SLOPPY
    | abi::IIPF_ST_STALE
    | abi::IIPF_ST_LOG
    | abi::IIPF_ST_CHILD
    | abi::IIPF_ST_HAIRPIN;

/// The largest shift of a window (RFC 7323, 2.3).
const SCALE: u8 = 14;

/// A state from elsewhere.
pub(super) struct Moved {
    pub six: bool,
    /// Its first packet, before and after translation.
    pub first: Tuple,
    pub to: Tuple,
    pub peers: [Peer; 2],
    pub class: Class,
    /// Bits of [`Word`], without the class.
    pub word: u32,
    /// A mapping's; 0: it has none.
    pub filtering: u8,
}

/// An end, as it must be written.
fn end(rec: &abi::Peer, six: bool) -> Option<(u128, u16)> {
    let af = if six { INET6 } else { INET };
    let addr = number(af, &rec.addr);
    let written = octets(six, addr) == rec.addr && rec.pad == 0 && rec.spi == 0;
    written.then_some((addr, rec.port))
}

fn tcp_end(rec: &abi::ExportRec, i: usize) -> Option<Peer> {
    let flags = rec.tcp >> if i == 0 { 0 } else { 4 };
    let peer = Peer {
        end: *rec.seq_lo.get(i)?,
        lim: *rec.seq_hi.get(i)?,
        ack: *rec.ack.get(i)?,
        acked: flags & abi::IIPF_EX_ACKED != 0,
        win: *rec.max_win.get(i)?,
        scale: *rec.wscale.get(i)?,
        scaled: flags & abi::IIPF_EX_SCALED != 0,
        syn_win: flags & abi::IIPF_EX_SYN_WINDOW != 0,
        beyond: flags & abi::IIPF_EX_BEYOND != 0,
        state: match *rec.info.peer.get(i)? {
            abi::IIPF_PEER_CLOSED => State::None,
            abi::IIPF_PEER_SYN_SENT => State::SynSent,
            abi::IIPF_PEER_ESTABLISHED => State::Open,
            abi::IIPF_PEER_CLOSING => State::FinSent,
            abi::IIPF_PEER_FIN_WAIT => State::FinAcked,
            abi::IIPF_PEER_TIME_WAIT => State::Reset,
            _ => return None,
        },
    };
    (peer.scale <= SCALE).then_some(peer)
}

/// The class of what is not TCP, by who was heard.
fn class(p: u8, call: bool, [a, b]: [u64; 2]) -> Class {
    match (first_class(p, call), a, b) {
        (Class::UdpFirst, _, 1..) => Class::UdpMultiple,
        (Class::UdpFirst, 2.., 0) => Class::UdpSingle,
        (Class::IcmpFirst, _, 1..) => Class::IcmpMultiple,
        (Class::TunnelFirst, _, 1..) => Class::TunnelMultiple,
        (Class::EspFirst, _, 1..) => Class::EspMultiple,
        (Class::OtherFirst, _, 1..) => Class::OtherMultiple,
        (Class::OtherFirst, 2.., 0) => Class::OtherSingle,
        (class, _, _) => class,
    }
}

impl Moved {
    /// None: nonsense.
    pub fn of(rec: &abi::ExportRec) -> Option<Moved> {
        let info = &rec.info;
        let six = match info.af {
            INET => false,
            INET6 => true,
            _ => return None,
        };
        let odd = [proto::ICMP, proto::ICMPV6].contains(&info.proto)
            && (info.proto == proto::ICMPV6) != six;
        let tcp = info.proto == proto::TCP;
        let (src, dst) = (end(&info.src, six)?, end(&info.dst, six)?);
        let (far_src, far_dst) = (end(&info.nat_src, six)?, end(&info.nat_dst, six)?);
        let dir = info.dir.checked_sub(1).filter(|d| *d < 2)?;
        let tuple = |(src, sport): (u128, u16), (dst, dport): (u128, u16)| Tuple {
            src,
            dst,
            sport,
            dport,
            proto: info.proto,
            dir,
            zone: 0,
        };
        let (near, far) = (tuple(src, dst), tuple(far_src, far_dst));
        let (first, to) = if dir == 0 { (far, near) } else { (near, far) };
        let has = |flag: u16| info.flags & flag != 0;
        let said = has(abi::IIPF_ST_NAT) == (first != to) && info.flags & !FLAGS == 0;
        let hairpin = !has(abi::IIPF_ST_HAIRPIN) || (dir == 0 && first != to);
        let known =
            rec.filtering <= abi::IIPF_FILTER_ADDRESS_PORT && (tcp || rec.seq_diff == [0; 2]);
        let apart = first.src != first.dst || first.sport != first.dport;
        if odd || !said || !hairpin || !known || !apart || (!tcp && rec.tcp != 0) {
            return None;
        }
        let (peers, class) = if tcp {
            let peers = [tcp_end(rec, 0)?, tcp_end(rec, 1)?];
            let track = Track::default();
            track.set_peers(peers);
            (peers, Class::tcp(track.phase()))
        } else {
            let call = info.src.port != 0 || info.dst.port != 0;
            ([Peer::default(); 2], class(info.proto, call, info.packets))
        };
        let bit = |flag: u16, bit: u32| if has(flag) { bit } else { 0 };
        Some(Moved {
            six,
            first,
            to,
            peers,
            class,
            word: bit(abi::IIPF_ST_NAT, Word::NAT)
                | bit(abi::IIPF_ST_HAIRPIN, Word::HAIRPIN)
                | bit(abi::IIPF_ST_IF_BOUND, Word::IF_BOUND)
                | bit(abi::IIPF_ST_SLOPPY, Word::SLOPPY)
                | bit(abi::IIPF_ST_LOG, Word::LOG_ALL)
                | bit(abi::IIPF_ST_CHILD, Word::CHILD)
                | u32::from(info.alg) << Word::ALG_SHIFT,
            filtering: rec.filtering,
        })
    }
}
