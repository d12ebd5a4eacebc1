// SPDX-License-Identifier: BSD-2-Clause
//! States: listed, killed, carried over a restart.

use kabi::{FromBytes, Immutable, IntoBytes, KnownLayout, Name};

/// States in one list.
pub const IIPF_STATE_LIST: usize = 20;
/// States in one export.
pub const IIPF_EXPORT_LIST: usize = 14;
/// What [`ExportRec`]s are called here; another number is refused.
pub const IIPF_EXPORT_VERSION: u32 = 1;

/// One end of a flow.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Peer {
    /// Network order; IPv4 in the first four bytes, the rest zero.
    pub addr: [u8; 16],
    /// Port, ICMP id, GRE call id or the like, host order; 0 where there is none.
    pub port: u16,
    /// Zero.
    pub pad: u16,
    /// ESP: the SPI, host order. Else 0.
    pub spi: u32,
}

/// Who is meant. Everything counts at once; all zero: every state.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct StateFilter {
    /// `IIPF_STF_*`: which of the members below count.
    pub flags: u32,
    /// `AF_INET`, `AF_INET6`; 0: both.
    pub af: u8,
    /// With `IIPF_STF_PROTO`.
    pub proto: u8,
    /// With `IIPF_STF_SRC`: bits of `src` that count.
    pub src_prefixlen: u8,
    /// With `IIPF_STF_DST`: bits of `dst` that count.
    pub dst_prefixlen: u8,
    /// Who began, before or after translation.
    pub src: [u8; 16],
    /// To whom, before or after translation.
    pub dst: [u8; 16],
    /// Port of who began; 0: any.
    pub sport: u16,
    /// Port of the other; 0: any.
    pub dport: u16,
    /// With `IIPF_STF_MARK`.
    pub mark: u32,
    /// With `IIPF_STF_ID`: [`StateInfo::id`].
    pub id: u64,
    /// With `IIPF_STF_RULE`: [`crate::RuleRec::id`] of the filter or translation rule.
    pub rule: u64,
    /// With `IIPF_STF_IF`: the interface it was made on.
    pub ifname: Name<16>,
    /// With `IIPF_STF_LABEL`: label of the filter rule.
    pub label: Name<56>,
}

/// [`StateFilter::flags`]: `proto`.
pub const IIPF_STF_PROTO: u32 = 0x1;
/// [`StateFilter::flags`]: `src`; needs `af`.
pub const IIPF_STF_SRC: u32 = 0x2;
/// [`StateFilter::flags`]: `dst`; needs `af`.
pub const IIPF_STF_DST: u32 = 0x4;
/// [`StateFilter::flags`]: `id`.
pub const IIPF_STF_ID: u32 = 0x8;
/// [`StateFilter::flags`]: `rule`.
pub const IIPF_STF_RULE: u32 = 0x10;
/// [`StateFilter::flags`]: `ifname`.
pub const IIPF_STF_IF: u32 = 0x20;
/// [`StateFilter::flags`]: `label`.
pub const IIPF_STF_LABEL: u32 = 0x40;
/// [`StateFilter::flags`]: `mark`.
pub const IIPF_STF_MARK: u32 = 0x80;
/// [`StateFilter::flags`]: only those that the running rules would refuse.
pub const IIPF_STF_STALE: u32 = 0x100;
/// [`StateFilter::flags`]: only translated ones.
pub const IIPF_STF_NAT: u32 = 0x200;
/// [`StateFilter::flags`]: the other direction matches as well: `src` and `dst` exchanged.
pub const IIPF_STF_EITHER: u32 = 0x400;

/// Which states are wanted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct StateListReq {
    /// 0, or what the last reply said.
    pub cursor: u64,
    /// Which.
    pub filter: StateFilter,
}

/// Some states. States that come and go meanwhile may be missing or not; none is there twice.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StateListReply {
    /// Where to go on; 0: these were the last. A reply with none may have more behind it.
    pub cursor: u64,
    /// How many.
    pub count: u32,
    /// Zero.
    pub pad: u32,
    /// The states.
    pub states: [StateInfo; IIPF_STATE_LIST],
}

/// A state as it is now.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct StateInfo {
    /// Its number; not used again while this kernel runs.
    pub id: u64,
    /// [`crate::RuleRec::id`] of the filter rule; 0: none, or it is gone.
    pub rule: u64,
    /// The same of the translation rule.
    pub nat_rule: u64,
    /// Who began, as the system's own stack or the inside sees it.
    pub src: Peer,
    /// To whom.
    pub dst: Peer,
    /// Who began, as it is on the other side of the translation; the same if there is none.
    pub nat_src: Peer,
    /// To whom, on the other side of the translation.
    pub nat_dst: Peer,
    /// Packets from who began, and back.
    pub packets: [u64; 2],
    /// Bytes of them.
    pub bytes: [u64; 2],
    /// Seconds since it was made.
    pub age: u32,
    /// Seconds until it ends, if nothing comes.
    pub expires: u32,
    /// Mark.
    pub mark: u32,
    /// Index of the interface it was made on.
    pub ifindex: u32,
    /// `IIPF_ST_*`
    pub flags: u16,
    /// `AF_INET` or `AF_INET6`
    pub af: u8,
    /// IP protocol.
    pub proto: u8,
    /// `KPI_PFIL_*`: direction of the first packet.
    pub dir: u8,
    /// `IIPF_PEER_*` of who began, and of the other.
    pub peer: [u8; 2],
    /// The `IIPF_ALG_*` that looks into it.
    pub alg: u8,
}

/// [`StateInfo::flags`]: `nat_src` or `nat_dst` differ.
pub const IIPF_ST_NAT: u16 = 0x1;
/// [`StateInfo::flags`]: counts on its interface only.
pub const IIPF_ST_IF_BOUND: u16 = 0x2;
/// [`StateInfo::flags`]: no window checks.
pub const IIPF_ST_SLOPPY: u16 = 0x4;
/// [`StateInfo::flags`]: the running rules would refuse it.
pub const IIPF_ST_STALE: u16 = 0x8;
/// [`StateInfo::flags`]: the handshake is still done for the server.
pub const IIPF_ST_SYNPROXY: u16 = 0x10;
/// [`StateInfo::flags`]: packets are logged.
pub const IIPF_ST_LOG: u16 = 0x20;
/// [`StateInfo::flags`]: made for another state by a helper.
pub const IIPF_ST_CHILD: u16 = 0x40;
/// [`StateInfo::flags`]: hairpinned.
pub const IIPF_ST_HAIRPIN: u16 = 0x80;

/// [`StateInfo::peer`], TCP: nothing seen.
pub const IIPF_PEER_CLOSED: u8 = 0;
/// TCP: a SYN was sent.
pub const IIPF_PEER_SYN_SENT: u8 = 1;
/// TCP: established.
pub const IIPF_PEER_ESTABLISHED: u8 = 2;
/// TCP: a FIN was sent.
pub const IIPF_PEER_CLOSING: u8 = 3;
/// TCP: and acknowledged.
pub const IIPF_PEER_FIN_WAIT: u8 = 4;
/// TCP: reset, or both FINs acknowledged.
pub const IIPF_PEER_TIME_WAIT: u8 = 5;
/// Other protocols: nothing was sent.
pub const IIPF_PEER_NO_TRAFFIC: u8 = 16;
/// One packet was.
pub const IIPF_PEER_SINGLE: u8 = 17;
/// Several were.
pub const IIPF_PEER_MULTIPLE: u8 = 18;

/// How many.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Count {
    /// The number.
    pub count: u64,
}

/// A state with all that is needed to go on with it in another kernel.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ExportRec {
    /// What is shown of it. `id` and `ifindex` are not taken over.
    pub info: StateInfo,
    /// Name of the interface it was made on.
    pub ifname: Name<16>,
    /// TCP of who began, and of the other: highest sequence number sent, plus one.
    pub seq_lo: [u32; 2],
    /// TCP: highest sequence number that it may send to, as the other allows.
    pub seq_hi: [u32; 2],
    /// TCP: largest window seen, not scaled.
    pub max_win: [u16; 2],
    /// TCP: how far windows are shifted, 0 to 14.
    pub wscale: [u8; 2],
    /// NAT: `IIPF_FILTER_*` of the mapping; 0: no mapping.
    pub filtering: u8,
    /// TCP: `IIPF_EX_*` of who began, those of the other shifted left by 4.
    pub tcp: u8,
    /// Sequence numbers are moved by this (helpers, synproxy), each direction.
    pub seq_diff: [u32; 2],
    /// TCP: highest acknowledgment sent, with `IIPF_EX_ACKED`.
    pub ack: [u32; 2],
}

/// [`ExportRec::tcp`]: it has acknowledged something.
pub const IIPF_EX_ACKED: u8 = 0x1;
/// [`ExportRec::tcp`]: its window is a SYN's, which no scale applies to.
pub const IIPF_EX_SYN_WINDOW: u8 = 0x2;
/// [`ExportRec::tcp`]: data may have followed its SYN.
pub const IIPF_EX_BEYOND: u8 = 0x4;
/// [`ExportRec::tcp`]: it sent the option for window scales; `wscale` is its own.
pub const IIPF_EX_SCALED: u8 = 0x8;

/// Some exported states, and the same on the way in.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Export {
    /// Where to go on; 0: these were the last. In an import 0.
    pub cursor: u64,
    /// [`IIPF_EXPORT_VERSION`]
    pub version: u32,
    /// How many.
    pub count: u32,
    /// The states.
    pub states: [ExportRec; IIPF_EXPORT_LIST],
}

/// Where to go on with an export.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ExportReq {
    /// 0, or what the last reply said.
    pub cursor: u64,
    /// [`IIPF_EXPORT_VERSION`]
    pub version: u32,
    /// Zero.
    pub pad: u32,
}

/// What became of imported states.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct ImportReply {
    /// Taken.
    pub taken: u32,
    /// There was one of these addresses and ports.
    pub exists: u32,
    /// The running rules would refuse it, or its rule or interface is not there.
    pub refused: u32,
    /// Not a state: nonsense in its members.
    pub bad: u32,
    /// No room.
    pub full: u32,
    /// Zero.
    pub pad: u32,
}
