// SPDX-License-Identifier: BSD-2-Clause
//! The frames of a host kernel's control socket: a header of fixed size, then at most
//! [`PAYLOAD_MAX`] bytes.
//!
//! A client sends a request; the reply has the same `op` and `seq`, and either `errno` 0 or a
//! `KPI_E*` with, as payload, a sentence about it (UTF-8, may be empty). Numbers are in the
//! machine's byte order: the socket never leaves it.

use crate::golden::{Abi, Layout};
use crate::{Name, layout, read_pod};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What every frame starts with: "Rope".
pub const MAGIC: u32 = 0x526f_7065;
/// The version of the protocol described here.
pub const VERSION: u16 = 1;
/// No payload is longer (bytes).
pub const PAYLOAD_MAX: usize = 65536;
/// Added to `op` in frames that a monitor gets without asking.
pub const EVENT: u16 = 0x8000;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Op {
    /// Reply: [`VersionReply`].
    Version = 1,
    /// Payload: [`ModName`].
    ModLoad = 2,
    /// Payload: [`ModName`].
    ModUnload = 3,
    /// Reply: [`ModEntry`]s, of all modules linked in.
    ModList = 4,
    /// The header names the interface ("l2tp7") or cloner ("l2tp"); so does the reply's.
    IfCreate = 5,
    /// The header names the interface; so in all `If*` below but `IfList` and `IfCloners`.
    IfDestroy = 6,
    /// Reply: [`IfEntry`]s.
    IfList = 7,
    /// Reply: [`ModName`]s, one a cloner.
    IfCloners = 8,
    /// `cmd` and payload as in ioctl(2) behind `ifr_data`; the payload comes back.
    IfIoctl = 9,
    /// Payload: [`Tunnel`].
    IfTunnelSet = 10,
    /// Reply: [`Tunnel`].
    IfTunnelGet = 11,
    /// No payload.
    IfTunnelDel = 12,
    /// Payload: [`Value`], the MTU in bytes.
    IfSetMtu = 13,
    /// Payload: [`Value`], 0 or 1.
    IfSetUp = 14,
    /// Payload: [`IfNewName`].
    IfRename = 15,
    /// Reply: [`ModName`]s, one a source of records.
    KstatList = 16,
    /// Payload: [`KstatRequest`]; reply: [`KstatReply`] and records, none at the end.
    KstatRead = 17,
    /// From here on the connection carries frames of `op` `Monitor | EVENT` with [`IfEvent`]s.
    Monitor = 18,
    /// The host kernel shuts down as on SIGTERM.
    Shutdown = 19,
    /// `cmd` as in ioctl(2); payload: [`DevName`] and the bytes of the command; these come back.
    DevIoctl = 20,
    /// Reply: [`DevName`]s.
    DevList = 21,
    /// Payload: [`LogRequest`]; reply: [`LogReply`] and what was logged, none for now at the end.
    LogRead = 22,
}

impl Op {
    /// Every operation.
    pub const ALL: [Op; 22] = [
        Op::Version,
        Op::ModLoad,
        Op::ModUnload,
        Op::ModList,
        Op::IfCreate,
        Op::IfDestroy,
        Op::IfList,
        Op::IfCloners,
        Op::IfIoctl,
        Op::IfTunnelSet,
        Op::IfTunnelGet,
        Op::IfTunnelDel,
        Op::IfSetMtu,
        Op::IfSetUp,
        Op::IfRename,
        Op::KstatList,
        Op::KstatRead,
        Op::Monitor,
        Op::Shutdown,
        Op::DevIoctl,
        Op::DevList,
        Op::LogRead,
    ];

    /// From the number in a header.
    #[must_use]
    pub fn from_raw(raw: u16) -> Option<Op> {
        Op::ALL.into_iter().find(|&op| op as u16 == raw)
    }
}

/// How every frame starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`]
    pub magic: u32,
    /// [`VERSION`]
    pub version: u16,
    /// [`Op`], with [`EVENT`] in it or not.
    pub op: u16,
    /// Bytes of payload after this header, at most [`PAYLOAD_MAX`].
    pub len: u32,
    /// The client's own; the reply has the same.
    pub seq: u32,
    /// In replies 0 or a `KPI_E*`.
    pub errno: u32,
    /// The ioctl's number, with [`Op::IfIoctl`] and [`Op::DevIoctl`].
    pub cmd: u32,
    /// The interface meant.
    pub ifname: Name<16>,
}

/// Why bytes are no frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// They do not start with [`MAGIC`].
    Magic(u32),
    /// Another version of the protocol.
    Version(u16),
    /// More payload than [`PAYLOAD_MAX`].
    TooLong(u32),
    /// The interface's name has no end or is not UTF-8.
    IfName,
}

impl core::fmt::Display for BadHeader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BadHeader::Magic(m) => write!(f, "not a frame of a host kernel (starts {m:#010x})"),
            BadHeader::Version(v) => {
                write!(
                    f,
                    "the other side speaks version {v} of the protocol, this one {VERSION}"
                )
            }
            BadHeader::TooLong(n) => write!(f, "{n} bytes of payload, at most {PAYLOAD_MAX}"),
            BadHeader::IfName => f.write_str("the interface's name is not a name"),
        }
    }
}

impl core::error::Error for BadHeader {}

impl Header {
    /// Bytes of a header.
    pub const SIZE: usize = size_of::<Header>();

    /// A request, with nothing but its operation set.
    #[must_use]
    pub const fn request(op: Op) -> Header {
        Header {
            magic: MAGIC,
            version: VERSION,
            op: op as u16,
            len: 0,
            seq: 0,
            errno: 0,
            cmd: 0,
            ifname: Name::EMPTY,
        }
    }

    /// Reads and checks a header.
    ///
    /// # Errors
    /// What is wrong with it; magic first, then version, so that a stranger is called a stranger.
    pub fn parse(bytes: &[u8; Header::SIZE]) -> Result<Header, BadHeader> {
        // The array is exactly as long as a header.
        let Some(h) = read_pod::<Header>(bytes) else {
            return Err(BadHeader::Magic(0));
        };
        if h.magic != MAGIC {
            return Err(BadHeader::Magic(h.magic));
        }
        if h.version != VERSION {
            return Err(BadHeader::Version(h.version));
        }
        if usize::try_from(h.len).map_or(true, |n| n > PAYLOAD_MAX) {
            return Err(BadHeader::TooLong(h.len));
        }
        if h.ifname.as_str().is_none() {
            return Err(BadHeader::IfName);
        }
        Ok(h)
    }
}

/// Reply to [`Op::Version`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VersionReply {
    /// [`VERSION`]
    pub protocol: u32,
    /// `KPI_VERSION` of the host kernel.
    pub kpi: u32,
    /// Its process id.
    pub pid: u32,
    /// Zero.
    pub pad: u32,
}

/// The name of a module, a cloner or a source of kstat records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ModName {
    /// The name.
    pub name: Name<32>,
}

/// One module that is linked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ModEntry {
    /// Its name.
    pub name: Name<32>,
    /// 1 when it is loaded.
    pub loaded: u32,
    /// The `KPI_VERSION` that it was built for.
    pub kpi: u32,
}

/// The outer addresses of a tunnel; the same bytes as `struct kpi_tunnel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tunnel {
    /// [`AF_INET`], [`AF_INET6`]; 0: none.
    pub af: u32,
    /// Zero.
    pub pad: u32,
    /// This end, in network order; IPv4 uses the first four bytes.
    pub src: [u8; 16],
    /// The other end.
    pub dst: [u8; 16],
}

/// IPv4, as the kpi numbers it.
pub const AF_INET: u32 = 2;
/// IPv6, as the kpi numbers it.
pub const AF_INET6: u32 = 10;

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Value {
    /// The number.
    pub value: u32,
    /// Zero.
    pub pad: u32,
}

/// What an interface shall be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IfNewName {
    /// The name.
    pub name: Name<16>,
}

/// [`IfEntry::flags`]: administratively up.
pub const IFF_UP: u32 = 0x1;
/// [`IfEntry::flags`]: has what it needs to carry packets.
pub const IFF_RUNNING: u32 = 0x40;
/// [`IfEntry::flags`]: the link is up. Neither this nor the next: nobody has said.
pub const IFF_LINK_UP: u32 = 0x1_0000;
/// [`IfEntry::flags`]: the link is down.
pub const IFF_LINK_DOWN: u32 = 0x2_0000;

/// One interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IfEntry {
    /// Its name.
    pub name: Name<16>,
    /// Its index.
    pub index: u32,
    /// Bytes.
    pub mtu: u32,
    /// `IFF_*`
    pub flags: u32,
    /// Link-layer address; all zero: none.
    pub lladdr: [u8; 6],
    /// Zero.
    pub pad: [u8; 6],
    /// In the order of `KPI_IFS_*`.
    pub stats: [u64; 9],
    /// `af` 0: none.
    pub tunnel: Tunnel,
}

/// What [`Op::KstatRead`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct KstatRequest {
    /// The source.
    pub name: Name<32>,
    /// 0, or what the last reply said.
    pub cursor: u64,
}

/// What stands before the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct KstatReply {
    /// Where to go on.
    pub cursor: u64,
}

/// The name of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DevName {
    /// The name, as below `/dev`.
    pub name: Name<32>,
}

/// What [`Op::LogRead`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LogRequest {
    /// The interface that shows logged packets.
    pub name: Name<16>,
    /// 0: from now on; or what the last reply said.
    pub cursor: u64,
}

/// What stands before the logged packets. All replies to one reader, one behind the other, are a
/// pcap file: the first has its header and no packet yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LogReply {
    /// Where to go on.
    pub cursor: u64,
    /// Packets that the reader was too slow for, since the last reply.
    pub lost: u64,
}

/// [`IfEvent::kind`]: an interface came.
pub const EV_ATTACH: u32 = 1;
/// [`IfEvent::kind`]: it went; the header's name is the last it had.
pub const EV_DETACH: u32 = 2;
/// [`IfEvent::kind`]: its link came up.
pub const EV_LINK_UP: u32 = 3;
/// [`IfEvent::kind`]: its link went down.
pub const EV_LINK_DOWN: u32 = 4;
/// [`IfEvent::kind`]: `ifconfig up`.
pub const EV_UP: u32 = 5;
/// [`IfEvent::kind`]: `ifconfig down`.
pub const EV_DOWN: u32 = 6;
/// [`IfEvent::kind`]: it has a new name, MTU or whatever else [`Op::IfList`] shows.
pub const EV_CHANGE: u32 = 7;

/// Something happened to the interface that the header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IfEvent {
    /// `EV_*`
    pub kind: u32,
    /// Index of the interface.
    pub index: u32,
}

const STRUCTS: &[Layout] = &[
    layout!(Header {
        magic,
        version,
        op,
        len,
        seq,
        errno,
        cmd,
        ifname
    }),
    layout!(VersionReply {
        protocol,
        kpi,
        pid,
        pad
    }),
    layout!(ModName { name }),
    layout!(ModEntry { name, loaded, kpi }),
    layout!(Tunnel { af, pad, src, dst }),
    layout!(Value { value, pad }),
    layout!(IfNewName { name }),
    layout!(IfEntry {
        name,
        index,
        mtu,
        flags,
        lladdr,
        pad,
        stats,
        tunnel
    }),
    layout!(KstatRequest { name, cursor }),
    layout!(KstatReply { cursor }),
    layout!(IfEvent { kind, index }),
    layout!(DevName { name }),
    layout!(LogRequest { name, cursor }),
    layout!(LogReply { cursor, lost }),
];

/// For the golden file.
pub const ABI: Abi = Abi {
    name: "ctl",
    commands: &[],
    structs: STRUCTS,
    numbers: &[
        ("MAGIC", MAGIC as u64),
        ("VERSION", VERSION as u64),
        ("PAYLOAD_MAX", PAYLOAD_MAX as u64),
        ("EVENT", EVENT as u64),
        ("Version", Op::Version as u64),
        ("ModLoad", Op::ModLoad as u64),
        ("ModUnload", Op::ModUnload as u64),
        ("ModList", Op::ModList as u64),
        ("IfCreate", Op::IfCreate as u64),
        ("IfDestroy", Op::IfDestroy as u64),
        ("IfList", Op::IfList as u64),
        ("IfCloners", Op::IfCloners as u64),
        ("IfIoctl", Op::IfIoctl as u64),
        ("IfTunnelSet", Op::IfTunnelSet as u64),
        ("IfTunnelGet", Op::IfTunnelGet as u64),
        ("IfTunnelDel", Op::IfTunnelDel as u64),
        ("IfSetMtu", Op::IfSetMtu as u64),
        ("IfSetUp", Op::IfSetUp as u64),
        ("IfRename", Op::IfRename as u64),
        ("KstatList", Op::KstatList as u64),
        ("KstatRead", Op::KstatRead as u64),
        ("Monitor", Op::Monitor as u64),
        ("Shutdown", Op::Shutdown as u64),
        ("DevIoctl", Op::DevIoctl as u64),
        ("DevList", Op::DevList as u64),
        ("LogRead", Op::LogRead as u64),
        ("AF_INET", AF_INET as u64),
        ("AF_INET6", AF_INET6 as u64),
        ("IFF_UP", IFF_UP as u64),
        ("IFF_RUNNING", IFF_RUNNING as u64),
        ("IFF_LINK_UP", IFF_LINK_UP as u64),
        ("IFF_LINK_DOWN", IFF_LINK_DOWN as u64),
        ("EV_ATTACH", EV_ATTACH as u64),
        ("EV_DETACH", EV_DETACH as u64),
        ("EV_LINK_UP", EV_LINK_UP as u64),
        ("EV_LINK_DOWN", EV_LINK_DOWN as u64),
        ("EV_UP", EV_UP as u64),
        ("EV_DOWN", EV_DOWN as u64),
        ("EV_CHANGE", EV_CHANGE as u64),
    ],
};
