// SPDX-License-Identifier: BSD-2-Clause
//! Sockets of the OS as the outer side of tunnels.
//!
//! *Contexts*: opening thread; the rest any. *Locking*: none; the kernel below serializes.
//!
//! UDP endpoints are datagram sockets, all others raw sockets of their protocol. Both are bound to
//! the endpoint's address, which need not be there yet (`IP_FREEBIND`), and never set DF: what is
//! too large for the outer path leaves in fragments.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kpi_sys::{KPI_LOG_ERR, KPI_LOG_WARNING, KPI_PROTO_UDP};

use crate::errno::Errno;
use crate::os::{self, SockAddr, set_option};
use crate::outer;
use crate::port::EncapPort;

/// Bytes of the receive buffer that we ask for: 20 ms at 3 Gb/s.
const RECEIVE_ROOM: libc::c_int = 8 << 20;
/// Bytes of the send buffer: what is beyond it is better dropped than late.
const SEND_ROOM: libc::c_int = 1 << 20;
/// How often, and how long after each other, an address in use is tried again.
const BIND_TRIES: u32 = 20;
const BIND_PAUSE: Duration = Duration::from_millis(5);
/// Not in the libc crate (linux/in6.h).
const IPV6_FREEBIND: libc::c_int = 78;
const UDP_GRO: libc::c_int = 104;
/// Milliseconds after which the outer path's MTU is looked at again.
const LOOK_AGAIN: u64 = 1000;
/// No limit known for the size of a segment.
const NO_LIMIT: usize = usize::MAX;

/// What an endpoint's socket went through, beyond what modules count.
#[derive(Debug, Default)]
pub struct RawStats {
    /// Packets dropped because the socket's buffer was full.
    pub full: AtomicU64,
    /// Packets dropped because the OS refused them: no route, no address.
    pub refused: AtomicU64,
    /// Errors that peers reported by ICMP; they change nothing.
    pub icmp: AtomicU64,
    /// Packets received that were cut short, or without memory for them.
    pub lost: AtomicU64,
}

/// An endpoint's socket.
#[derive(Debug)]
pub struct RawEndpoint {
    /// The endpoint.
    pub port: Arc<EncapPort>,
    /// Counters.
    pub stats: RawStats,
    fd: OwnedFd,
    v6: bool,
    udp: bool,
    /// The OS cuts what we send with `UDP_SEGMENT`.
    segment: AtomicBool,
    /// The OS joins what we receive (`UDP_GRO`).
    joins: bool,
}

/// An endpoint with a peer.
#[derive(Debug)]
pub struct RawPath {
    /// The endpoint.
    pub end: Arc<RawEndpoint>,
    /// The peer.
    pub dst: SockAddr,
    /// TTL or hop limit; 0: the system's.
    pub ttl: u8,
    /// Longest packet that may be part of a `UDP_SEGMENT` send: longer ones need fragments.
    segment_most: AtomicUsize,
    /// Longest packet that needs no fragments outside, as of the last look; 0: not known.
    fits: AtomicUsize,
    /// Milliseconds from `opened` to the last look, plus 1; 0: there was none.
    looked: AtomicU64,
    opened: Instant,
}

/// Whether `addr` can never be an address of this machine.
fn never_ours(addr: IpAddr) -> bool {
    addr.is_unspecified()
        || addr.is_multicast()
        || matches!(addr, IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] >= 240)
}

impl RawEndpoint {
    /// Open and bind the socket: `EADDRINUSE`, `EADDRNOTAVAIL`, `EPERM` without CAP_NET_RAW.
    pub fn open(port: &Arc<EncapPort>, offload: bool) -> Result<RawEndpoint, Errno> {
        let ep = &port.endpoint;
        let addr = outer::from_bytes(ep.ke_af, &ep.ke_addr)?;
        if never_ours(addr) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let udp = ep.ke_proto == KPI_PROTO_UDP;
        let opened = Self::socket(addr, udp, ep.ke_proto as i32, ep.ke_port);
        let fd = opened.map_err(|e| {
            let line = format!(
                "endpoint {addr} protocol {} port {}: {e}",
                ep.ke_proto, ep.ke_port
            );
            port.home.log.put(KPI_LOG_ERR, line.as_bytes());
            match e.raw_os_error() {
                // An IPv6 address that needs a scope.
                Some(libc::EINVAL) => Errno::EADDRNOTAVAIL,
                _ => Errno::from(e),
            }
        })?;
        let on = 1i32;
        let joins = udp && offload && set_option(fd.as_fd(), libc::SOL_UDP, UDP_GRO, &on).is_ok();
        Ok(RawEndpoint {
            port: Arc::clone(port),
            stats: RawStats::default(),
            fd,
            v6: addr.is_ipv6(),
            udp,
            segment: AtomicBool::new(udp && offload),
            joins,
        })
    }

    fn socket(addr: IpAddr, udp: bool, proto: i32, port: u16) -> io::Result<OwnedFd> {
        let family = if addr.is_ipv6() {
            libc::AF_INET6
        } else {
            libc::AF_INET
        };
        let fd = if udp {
            os::socket(family, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0)?
        } else {
            os::socket(family, libc::SOCK_RAW | libc::SOCK_NONBLOCK, proto)?
        };
        let (on, sock) = (1i32, fd.as_fd());
        if addr.is_ipv6() {
            if udp {
                // Raw sockets are of one family anyway, and refuse it.
                set_option(sock, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &on)?;
            }
            set_option(sock, libc::IPPROTO_IPV6, IPV6_FREEBIND, &on)?;
            let never = libc::IPV6_PMTUDISC_DONT;
            set_option(sock, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, &never)?;
        } else {
            set_option(sock, libc::IPPROTO_IP, libc::IP_FREEBIND, &on)?;
            let never = libc::IP_PMTUDISC_DONT;
            set_option(sock, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, &never)?;
        }
        for (force, plain, room) in [
            (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_ROOM),
            (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_ROOM),
        ] {
            // Beyond the system's limit with CAP_NET_ADMIN, else as much as it lets us have.
            set_option(sock, libc::SOL_SOCKET, force, &room)
                .or_else(|_| set_option(sock, libc::SOL_SOCKET, plain, &room))?;
        }
        let (af, bytes) = outer::to_bytes(addr);
        let name = SockAddr::new(af, &bytes, if udp { port } else { 0 });
        let name = name.ok_or(io::ErrorKind::InvalidInput)?;
        // A child that another thread has forked keeps a socket that we closed until it calls
        // exec; who really has the address still has it after a moment.
        let busy = |e: &io::Error| e.raw_os_error() == Some(libc::EADDRINUSE);
        let mut bound = os::bind(sock, &name);
        for _ in 0..BIND_TRIES {
            if !bound.as_ref().is_err_and(busy) {
                break;
            }
            std::thread::sleep(BIND_PAUSE);
            bound = os::bind(sock, &name);
        }
        bound.map(|()| fd)
    }

    /// Readable when a packet waits.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// IPv6 outside, else IPv4.
    pub fn is_v6(&self) -> bool {
        self.v6
    }

    /// UDP, else raw.
    pub fn is_udp(&self) -> bool {
        self.udp
    }

    /// Several datagrams may come in one buffer.
    pub fn joins(&self) -> bool {
        self.joins
    }

    /// Longest payload that fits an IP packet.
    pub fn payload_most(&self) -> usize {
        65_535 - if self.v6 { 0 } else { 20 } - if self.udp { 8 } else { 0 }
    }

    /// Prepare to send to `dst`.
    pub fn path(self: &Arc<Self>, dst: IpAddr, dport: u16, ttl: u32) -> Result<RawPath, Errno> {
        let (af, bytes) = outer::to_bytes(dst);
        if af != self.port.endpoint.ke_af {
            return Err(Errno::EAFNOSUPPORT);
        }
        if self.udp != (dport != 0) {
            return Err(Errno::EINVAL);
        }
        let dst = SockAddr::new(af, &bytes, dport).ok_or(Errno::EAFNOSUPPORT)?;
        let ttl = u8::try_from(ttl).map_err(|_| Errno::EINVAL)?;
        Ok(RawPath {
            end: Arc::clone(self),
            dst,
            ttl,
            segment_most: AtomicUsize::new(NO_LIMIT),
            fits: AtomicUsize::new(0),
            looked: AtomicU64::new(0),
            opened: Instant::now(),
        })
    }
}

impl RawPath {
    /// Longest packet that needs no fragments outside, by what the system knew less than
    /// [`LOOK_AGAIN`] ago.
    pub fn fits(&self) -> Option<usize> {
        let now = self.opened.elapsed().as_millis() as u64 + 1;
        let looked = self.looked.load(Ordering::Relaxed);
        if looked == 0 || now - looked.min(now) >= LOOK_AGAIN {
            self.looked.store(now, Ordering::Relaxed);
            let ep = &self.end.port.endpoint;
            let src = SockAddr::new(ep.ke_af, &ep.ke_addr, 0);
            let mtu = src.and_then(|src| os::path_mtu(&src, &self.dst.with_port()).ok());
            let outer = if self.end.v6 { 40 } else { 20 } + if self.end.udp { 8 } else { 0 };
            let fits = mtu.map_or(0, |mtu| mtu.saturating_sub(outer));
            self.fits.store(fits, Ordering::Relaxed);
        }
        Some(self.fits.load(Ordering::Relaxed)).filter(|fits| *fits != 0)
    }

    /// Longest packet that may go out together with others; 0: none.
    pub fn segment_most(&self) -> usize {
        if self.end.segment.load(Ordering::Relaxed) {
            self.segment_most.load(Ordering::Relaxed)
        } else {
            0
        }
    }

    /// The OS did not take packets of `len` bytes together: `e` says why.
    pub fn segment_failed(&self, len: usize, e: &io::Error) {
        if e.raw_os_error() == Some(libc::EMSGSIZE) {
            // They need fragments, smaller ones may not.
            self.segment_most
                .fetch_min(len.saturating_sub(1), Ordering::Relaxed);
            return;
        }
        if self.end.segment.swap(false, Ordering::Relaxed) {
            let line = format!(
                "UDP_SEGMENT to {:?}: {e}: packets leave one by one",
                self.dst
            );
            self.end.port.home.log.put(KPI_LOG_WARNING, line.as_bytes());
        }
    }
}
