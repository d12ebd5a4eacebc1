// SPDX-License-Identifier: BSD-2-Clause
//! ioctl(2) on a socket, for interfaces.

use super::os;
use kabi::{IOC_IN, IOC_INOUT, ioc};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const IFNAMSIZ: usize = 16;
const AF_INET: u8 = 2;
const IFF_UP: u16 = 0x1;
const SOCKADDR_IN: usize = 16;
const SOCKADDR_IN6: usize = 28;
/// struct in6_ifreq, on both.
const IN6_IFREQ: usize = 288;

/// A request's bytes, aligned as the kernel's struct is; the largest of them all.
#[repr(C, align(8))]
struct Request([u8; IN6_IFREQ]);

impl Request {
    fn named(name: &str) -> io::Result<Request> {
        let mut r = Request([0; IN6_IFREQ]);
        if name.is_empty() || name.len() >= IFNAMSIZ {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        r.0[..name.len()].copy_from_slice(name.as_bytes());
        Ok(r)
    }

    /// The union behind the name.
    fn body(&mut self) -> &mut [u8] {
        &mut self.0[IFNAMSIZ..]
    }

    /// Creating tells the name in the same place.
    #[cfg(target_os = "freebsd")]
    fn name(&self) -> String {
        let name = &self.0[..IFNAMSIZ];
        let end = name.iter().position(|&b| b == 0).unwrap_or(IFNAMSIZ);
        String::from_utf8_lossy(&name[..end]).into_owned()
    }
}

/// Sockets to ask about interfaces with.
#[derive(Debug)]
pub struct Control {
    inet: OwnedFd,
    /// Not there when the kernel has no IPv6.
    inet6: Option<OwnedFd>,
}

fn socket(family: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn ioctl(fd: &OwnedFd, cmd: u32, request: &mut Request) -> io::Result<()> {
    debug_assert!((cmd >> 16 & 0x1fff) as usize <= IN6_IFREQ);
    let arg = std::ptr::from_mut(request);
    // SAFETY: the kernel copies at most the size in cmd, which is at most that of Request; what
    // ifr_data points to, if anything, the caller keeps alive.
    let r = unsafe { libc::ioctl(fd.as_raw_fd(), libc::c_ulong::from(cmd), arg) };
    if r == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

impl Control {
    /// Opens the sockets.
    ///
    /// # Errors
    /// As socket(2).
    pub fn open() -> io::Result<Control> {
        Ok(Control {
            inet: socket(libc::AF_INET)?,
            inet6: socket(libc::AF_INET6).ok(),
        })
    }

    fn simple(&self, inout: u32, nr: u8, name: &str, body: &[u8]) -> io::Result<Request> {
        let mut r = Request::named(name)?;
        r.body()[..body.len()].copy_from_slice(body);
        ioctl(&self.inet, ioc(inout, b'i', nr, os::IFREQ), &mut r)?;
        Ok(r)
    }

    /// A driver's own command, with `data` behind `ifr_data`, both ways.
    ///
    /// # Errors
    /// As ioctl(2).
    pub fn data(&self, name: &str, cmd: u32, data: &mut [u8]) -> io::Result<()> {
        let mut r = Request::named(name)?;
        let address = data.as_mut_ptr().expose_provenance();
        r.body()[..8].copy_from_slice(&(address as u64).to_ne_bytes());
        ioctl(&self.inet, cmd, &mut r)
    }

    /// SIOCIFCREATE; gives the name that the interface got.
    ///
    /// # Errors
    /// As ioctl(2).
    pub fn create(&self, name: &str) -> io::Result<String> {
        #[cfg(target_os = "freebsd")]
        {
            // SIOCIFCREATE2: picks a unit where the name has none, and tells.
            Ok(self.simple(IOC_INOUT, 124, name, &[])?.name())
        }
        #[cfg(target_os = "netbsd")]
        {
            if name.ends_with(|c: char| c.is_ascii_digit()) {
                self.simple(IOC_IN, 122, name, &[])?;
                return Ok(name.to_owned());
            }
            // NetBSD wants a unit; the lowest free one is ours.
            for unit in 0..65536u32 {
                let name = format!("{name}{unit}");
                match self.simple(IOC_IN, 122, &name, &[]) {
                    Ok(_) => return Ok(name),
                    Err(e) if e.raw_os_error() == Some(libc::EEXIST) => {}
                    Err(e) => return Err(e),
                }
            }
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        }
    }

    /// SIOCIFDESTROY
    ///
    /// # Errors
    /// As ioctl(2).
    pub fn destroy(&self, name: &str) -> io::Result<()> {
        self.simple(IOC_IN, 121, name, &[]).map(drop)
    }

    /// The cloners (SIOCIFGCLONERS).
    ///
    /// # Errors
    /// As ioctl(2).
    pub fn cloners(&self) -> io::Result<Vec<String>> {
        let mut names = vec![0u8; 256 * IFNAMSIZ];
        let cmd = ioc(IOC_INOUT, b'i', 120, 16);
        let mut r = Request([0; IN6_IFREQ]);
        let address = names.as_mut_ptr().expose_provenance() as u64;
        r.0[4..8].copy_from_slice(&256i32.to_ne_bytes());
        r.0[8..16].copy_from_slice(&address.to_ne_bytes());
        ioctl(&self.inet, cmd, &mut r)?;
        let total = i32::from_ne_bytes([r.0[0], r.0[1], r.0[2], r.0[3]]).clamp(0, 256) as usize;
        let text = |b: &[u8]| {
            String::from_utf8_lossy(b.split(|&c| c == 0).next().unwrap_or(b)).into_owned()
        };
        Ok(names.chunks(IFNAMSIZ).take(total).map(text).collect())
    }

    /// The MTU (bytes).
    ///
    /// # Errors
    /// As ioctl(2).
    pub fn mtu(&self, name: &str) -> io::Result<u32> {
        let mut r = self.simple(IOC_INOUT, os::SIOCGIFMTU, name, &[])?;
        let b = r.body();
        Ok(u32::from_ne_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// Sets the MTU (bytes).
    ///
    /// # Errors
    /// As ioctl(2).
    pub fn set_mtu(&self, name: &str, mtu: u32) -> io::Result<()> {
        self.simple(IOC_IN, os::SIOCSIFMTU, name, &mtu.to_ne_bytes())
            .map(drop)
    }

    /// Sets or clears IFF_UP and leaves the other flags alone.
    ///
    /// # Errors
    /// As ioctl(2).
    pub fn set_up(&self, name: &str, up: bool) -> io::Result<()> {
        let mut r = self.simple(IOC_INOUT, 17, name, &[])?;
        let b = r.body();
        let flags = u16::from_ne_bytes([b[0], b[1]]);
        let flags = if up { flags | IFF_UP } else { flags & !IFF_UP };
        // FreeBSD keeps the upper half next to it.
        let both = [flags.to_ne_bytes(), [b[2], b[3]]].concat();
        self.simple(IOC_IN, 16, name, &both).map(drop)
    }

    /// Gives the interface another name.
    ///
    /// # Errors
    /// As ioctl(2); EOPNOTSUPP on NetBSD, which can not.
    pub fn rename(&self, name: &str, new: &str) -> io::Result<()> {
        #[cfg(target_os = "freebsd")]
        {
            let new = std::ffi::CString::new(new)?;
            let mut r = Request::named(name)?;
            let address = new.as_ptr().expose_provenance() as u64;
            r.body()[..8].copy_from_slice(&address.to_ne_bytes());
            ioctl(&self.inet, ioc(IOC_IN, b'i', 40, os::IFREQ), &mut r)
        }
        #[cfg(target_os = "netbsd")]
        {
            let _ = (name, new);
            Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
        }
    }

    fn inet6(&self) -> io::Result<&OwnedFd> {
        self.inet6
            .as_ref()
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
    }

    /// Sets the outer addresses (SIOCSIFPHYADDR, SIOCSIFPHYADDR_IN6).
    ///
    /// # Errors
    /// As ioctl(2); EAFNOSUPPORT when the families differ.
    pub fn set_tunnel(&self, name: &str, src: IpAddr, dst: IpAddr) -> io::Result<()> {
        let mut r = Request::named(name)?;
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                sockaddr_in(&mut r.body()[..SOCKADDR_IN], src);
                sockaddr_in(&mut r.body()[SOCKADDR_IN..2 * SOCKADDR_IN], dst);
                ioctl(&self.inet, ioc(IOC_IN, b'i', 70, os::IN_ALIASREQ), &mut r)
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                sockaddr_in6(&mut r.body()[..SOCKADDR_IN6], src);
                sockaddr_in6(&mut r.body()[SOCKADDR_IN6..2 * SOCKADDR_IN6], dst);
                let cmd = ioc(IOC_IN, b'i', os::SIOCSIFPHYADDR_IN6, os::IN6_ALIASREQ);
                ioctl(self.inet6()?, cmd, &mut r)
            }
            _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        }
    }

    /// Takes the outer addresses away (SIOCDIFPHYADDR).
    ///
    /// # Errors
    /// As ioctl(2).
    pub fn delete_tunnel(&self, name: &str) -> io::Result<()> {
        self.simple(IOC_IN, 73, name, &[]).map(drop)
    }

    /// The outer addresses; `None` when there are none (SIOCGIFPSRCADDR and its kin).
    ///
    /// # Errors
    /// As ioctl(2).
    pub fn tunnel(&self, name: &str) -> io::Result<Option<(IpAddr, IpAddr)>> {
        let get = |fd: &OwnedFd, nr: u8, size: usize| -> io::Result<Option<IpAddr>> {
            let mut r = Request::named(name)?;
            match ioctl(fd, ioc(IOC_INOUT, b'i', nr, size), &mut r) {
                Ok(()) => Ok(address(r.body())),
                // Of the other family, or none at all.
                Err(e) if NO_TUNNEL.contains(&e.raw_os_error().unwrap_or(0)) => Ok(None),
                Err(e) => Err(e),
            }
        };
        if let Some(src) = get(&self.inet, 71, os::IFREQ)? {
            return Ok(get(&self.inet, 72, os::IFREQ)?.map(|dst| (src, dst)));
        }
        let Some(inet6) = &self.inet6 else {
            return Ok(None);
        };
        let Some(src) = get(inet6, 71, IN6_IFREQ)? else {
            return Ok(None);
        };
        Ok(get(inet6, 72, IN6_IFREQ)?.map(|dst| (src, dst)))
    }
}

const NO_TUNNEL: [i32; 5] = [
    libc::EADDRNOTAVAIL,
    libc::EINVAL,
    libc::EAFNOSUPPORT,
    libc::ENOTTY,
    libc::EOPNOTSUPP,
];

fn sockaddr_in(to: &mut [u8], a: Ipv4Addr) {
    to[0] = SOCKADDR_IN as u8;
    to[1] = AF_INET;
    to[4..8].copy_from_slice(&a.octets());
}

fn sockaddr_in6(to: &mut [u8], a: Ipv6Addr) {
    to[0] = SOCKADDR_IN6 as u8;
    to[1] = os::AF_INET6;
    to[8..24].copy_from_slice(&a.octets());
}

fn address(sockaddr: &[u8]) -> Option<IpAddr> {
    if sockaddr[1] == AF_INET {
        let b: [u8; 4] = sockaddr[4..8].try_into().ok()?;
        return Some(IpAddr::from(b));
    }
    if sockaddr[1] == os::AF_INET6 {
        let b: [u8; 16] = sockaddr[8..24].try_into().ok()?;
        return Some(IpAddr::from(b));
    }
    None
}
