// SPDX-License-Identifier: BSD-2-Clause
//! The ioctl ABI of if_l2tp: NetBSD's, byte for byte, and what UDP and the sublayer add to it.
//!
//! All commands move their struct through `ifr_data`. On NetBSD they have NetBSD's own numbers, so
//! that its ifconfig(8) drives this module. FreeBSD has no such driver, but other meanings for 153
//! (`SIOCSLANPCP`) and 155 (`SIOCSIFCAPNV`), which its stack answers before a driver is asked;
//! there the five are 172 to 176, which both systems leave free, as are 170 and 171.
//!
//! *Contexts*: any; constants and plain data.

#![no_std]
#![forbid(unsafe_code)]

use kabi::golden::Abi;
use kabi::{Ioctl, commands, layout};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Session ids are set: `my_sess_id`, `peer_sess_id`, neither 0.
pub const SIOCSL2TPSESSION: Ioctl<L2tpReq, ()> = Ioctl::ifr_iow(b'i', 151).freebsd_nr(172);
/// Session ids are taken away; the request is not looked at.
pub const SIOCDL2TPSESSION: Ioctl<L2tpReq, ()> = Ioctl::ifr_iow(b'i', 152).freebsd_nr(173);
/// Cookies are set: `my_cookie_len`, `my_cookie`, `peer_cookie_len`, `peer_cookie`.
pub const SIOCSL2TPCOOKIE: Ioctl<L2tpReq, ()> = Ioctl::ifr_iow(b'i', 153).freebsd_nr(174);
/// Cookies are taken away; the request is not looked at.
pub const SIOCDL2TPCOOKIE: Ioctl<L2tpReq, ()> = Ioctl::ifr_iow(b'i', 154).freebsd_nr(175);
/// The state is set: `state`, one of `L2TP_STATE_*`.
pub const SIOCSL2TPSTATE: Ioctl<L2tpReq, ()> = Ioctl::ifr_iow(b'i', 155).freebsd_nr(176);
/// All of it is read (`SIOCGIFGENERIC`, 58 on both systems).
pub const SIOCGL2TP: Ioctl<(), L2tpReq> = Ioctl::ifr_iowr(b'i', 58);
/// Encapsulation, ports and sublayer are set.
pub const SIOCSL2TPENCAP: Ioctl<L2tpEncapReq, ()> = Ioctl::ifr_iow(b'i', 170);
/// Encapsulation, ports and sublayer are read.
pub const SIOCGL2TPENCAP: Ioctl<(), L2tpEncapReq> = Ioctl::ifr_iowr(b'i', 171);

/// NetBSD's `struct l2tp_req`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct L2tpReq {
    /// `L2TP_STATE_*`
    pub state: i32,
    /// Bytes of the cookie that this end expects: 0, 4 or 8.
    pub my_cookie_len: u32,
    /// Bytes of the cookie that the peer expects: 0, 4 or 8.
    pub peer_cookie_len: u32,
    /// Session id in packets that come in; 0: none.
    pub my_sess_id: u32,
    /// Session id in packets that go out; 0: none.
    pub peer_sess_id: u32,
    /// What C leaves there to align the next one.
    pub pad: u32,
    /// Cookie in packets that come in; as a number, of which four-byte cookies are the low half.
    pub my_cookie: u64,
    /// Cookie in packets that go out.
    pub peer_cookie: u64,
}

/// What carries the session, and what stands before the frame.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct L2tpEncapReq {
    /// `L2TP_ENCAP_*`
    pub encap: u32,
    /// UDP port of this end, host order; 0 with `L2TP_ENCAP_IP`.
    pub my_port: u16,
    /// UDP port of the peer, host order; 0 with `L2TP_ENCAP_IP`.
    pub peer_port: u16,
    /// `L2TP_SUBLAYER_*`
    pub sublayer: u32,
    /// None yet: 0, anything else is EINVAL.
    pub flags: u32,
    /// Zero, anything else is EINVAL.
    pub reserved: [u32; 4],
}

/// [`L2tpReq::state`]: packets flow.
pub const L2TP_STATE_UP: i32 = 1;
/// [`L2tpReq::state`]: they do not.
pub const L2TP_STATE_DOWN: i32 = 0;

/// [`L2tpEncapReq::encap`]: directly over IP, protocol 115.
pub const L2TP_ENCAP_IP: u32 = 0;
/// [`L2tpEncapReq::encap`]: over UDP.
pub const L2TP_ENCAP_UDP: u32 = 1;
/// The port that L2TP is registered with.
pub const L2TP_UDP_PORT: u16 = 1701;

/// [`L2tpEncapReq::sublayer`]: the frame follows the cookie.
pub const L2TP_SUBLAYER_NONE: u32 = 0;
/// [`L2tpEncapReq::sublayer`]: the Default L2-Specific Sublayer of RFC 3931 4.6 is between them.
pub const L2TP_SUBLAYER_DEFAULT: u32 = 1;

/// Smallest MTU (bytes): what every IPv4 host takes. NetBSD's lower bound is 1280, its default too.
pub const L2TP_MTU_MIN: u32 = 576;
/// Largest MTU (bytes), for jumbo frames inside. NetBSD's is 8192.
pub const L2TP_MTU_MAX: u32 = 9216;
/// MTU of a new interface (bytes): that of the LANs it joins; the outer packet is fragmented where
/// it does not fit.
pub const L2TP_MTU_DEFAULT: u32 = 1500;

/// For the golden file.
pub const ABI: Abi = Abi {
    name: "if_l2tp",
    commands: commands![
        SIOCSL2TPSESSION,
        SIOCDL2TPSESSION,
        SIOCSL2TPCOOKIE,
        SIOCDL2TPCOOKIE,
        SIOCSL2TPSTATE,
        SIOCGL2TP,
        SIOCSL2TPENCAP,
        SIOCGL2TPENCAP,
    ],
    structs: &[
        layout!(L2tpReq {
            state,
            my_cookie_len,
            peer_cookie_len,
            my_sess_id,
            peer_sess_id,
            pad,
            my_cookie,
            peer_cookie,
        }),
        layout!(L2tpEncapReq {
            encap,
            my_port,
            peer_port,
            sublayer,
            flags,
            reserved
        }),
    ],
    numbers: &[
        ("L2TP_STATE_DOWN", L2TP_STATE_DOWN as u64),
        ("L2TP_STATE_UP", L2TP_STATE_UP as u64),
        ("L2TP_ENCAP_IP", L2TP_ENCAP_IP as u64),
        ("L2TP_ENCAP_UDP", L2TP_ENCAP_UDP as u64),
        ("L2TP_SUBLAYER_NONE", L2TP_SUBLAYER_NONE as u64),
        ("L2TP_SUBLAYER_DEFAULT", L2TP_SUBLAYER_DEFAULT as u64),
        ("L2TP_MTU_MIN", L2TP_MTU_MIN as u64),
        ("L2TP_MTU_MAX", L2TP_MTU_MAX as u64),
        ("L2TP_MTU_DEFAULT", L2TP_MTU_DEFAULT as u64),
    ],
};
