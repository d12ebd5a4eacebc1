// SPDX-License-Identifier: BSD-2-Clause
//! A tap device of the OS that stands for an interface of ours.
//!
//! *Contexts*: [`Tap::write`] and [`Tap::read`] any thread; the rest thread. *Locking*: none; the
//! kernel below serializes.
//!
//! The device lives in the network namespace of the thread that opens it, and dies with
//! [`Tap::close`] or the process. Each frame has a `struct virtio_net_hdr` in front, so that the
//! OS can hand out TCP in pieces of 64 KB and leave checksums to us, and take them back so.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use kpi_sys::{KPI_LOG_ERR, KPI_LOG_WARNING};

use crate::errno::Errno;
use crate::mbuf::Mbuf;
use crate::offload::vnet::VNET_HDR;
use crate::os::{self, check_len};
use crate::port::{IfPort, Link};

const DEVICE: &str = "/dev/net/tun";
/// The name must be free (linux/if_tun.h).
const IFF_TUN_EXCL: libc::c_int = 0x8000;
const TUN_F_CSUM: u32 = 0x01;
const TUN_F_TSO4: u32 = 0x02;
const TUN_F_TSO6: u32 = 0x04;
const TUN_F_TSO_ECN: u32 = 0x08;
const TUN_F_USO4: u32 = 0x20;
const TUN_F_USO6: u32 = 0x40;
const TUNSETCARRIER: libc::c_ulong = 0x4004_54e2;

/// How often, and how long after each other, we look whether a device is gone.
const GONE_TRIES: u32 = 100;
const GONE_PAUSE: Duration = Duration::from_millis(2);
/// Segments of a packet that are written without being joined first.
const SLOTS: usize = 16;

/// See the module's text.
#[derive(Debug)]
pub struct Tap {
    /// The interface.
    pub port: Arc<IfPort>,
    fd: File,
    /// Any socket will do for the interface ioctls; it belongs to the namespace.
    control: OwnedFd,
    /// Large frames of TCP may be written.
    tso: bool,
    /// Large frames of UDP may be written.
    uso: bool,
    /// Longest frame whose packet needs no fragments outside, as far as seen; 0: not seen.
    pub fits: AtomicUsize,
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: zeros are a valid ifreq.
    let mut req: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays 0.
    let room = req.ifr_name.len() - 1;
    for (to, from) in req.ifr_name.iter_mut().take(room).zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    req
}

impl Tap {
    /// Make the device. `EEXIST` when the OS has an interface of that name, `EPERM` without
    /// CAP_NET_ADMIN; the log says so.
    pub fn open(port: &Arc<IfPort>, offload: bool) -> Result<Tap, Errno> {
        let name = port.name();
        let say = |what: &str, e: &io::Error| {
            let line = format!("{name}: {what}: {e}");
            port.home.log.put(KPI_LOG_ERR, line.as_bytes());
        };
        let mut how = OpenOptions::new();
        how.read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
        let fd = how
            .open(DEVICE)
            .inspect_err(|e| say("cannot open /dev/net/tun", e))?;
        let control = os::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
        let mut req = request(&name);
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | IFF_TUN_EXCL;
        req.ifr_ifru.ifru_flags = flags as libc::c_short;
        // SAFETY: TUNSETIFF takes an ifreq.
        if let Err(e) = unsafe { os::ioctl(fd.as_fd(), libc::TUNSETIFF as _, &mut req) } {
            if matches!(e.raw_os_error(), Some(libc::EBUSY | libc::EEXIST)) {
                say(
                    "the system has an interface of this name already: remove it first",
                    &e,
                );
                return Err(Errno::EEXIST);
            }
            say("cannot make a tap device, which needs CAP_NET_ADMIN", &e);
            return Err(e.into());
        }
        let mut tap = Tap {
            port: Arc::clone(port),
            fd,
            control,
            tso: false,
            uso: false,
            fits: AtomicUsize::new(0),
        };
        if offload {
            tap.offer();
        }
        tap.configure()
            .inspect_err(|e| say("cannot set the MTU and the address", e))?;
        Ok(tap)
    }

    /// Offer the OS to hand over large frames and partial checksums.
    fn offer(&mut self) {
        let tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
        let set = |bits: u32| {
            // SAFETY: TUNSETOFFLOAD takes a number.
            unsafe { os::ioctl_value(self.fd.as_fd(), libc::TUNSETOFFLOAD as _, bits) }.is_ok()
        };
        // UDP came with Linux 6.2.
        let uso = set(tcp | TUN_F_USO4 | TUN_F_USO6);
        self.tso = uso || set(tcp);
        self.uso = uso;
        if !self.tso {
            let line = format!(
                "{}: no offloads: the system's tap devices have none",
                self.name()
            );
            self.port.home.log.put(KPI_LOG_WARNING, line.as_bytes());
        }
    }

    fn configure(&self) -> io::Result<()> {
        let mac = self.port.lladdr;
        if mac != [0; 6] {
            let mut req = request(&self.name());
            // SAFETY: zeros are a valid sockaddr.
            let mut addr: libc::sockaddr = unsafe { std::mem::zeroed() };
            addr.sa_family = libc::ARPHRD_ETHER;
            for (to, from) in addr.sa_data.iter_mut().zip(mac) {
                *to = from as libc::c_char;
            }
            req.ifr_ifru.ifru_hwaddr = addr;
            // SAFETY: SIOCSIFHWADDR takes an ifreq.
            unsafe { os::ioctl(self.control.as_fd(), libc::SIOCSIFHWADDR as _, &mut req) }?;
        }
        self.os_mtu(self.port.mtu())?;
        if self.port.link() == Link::Down {
            self.carrier(false)?;
        }
        if self.port.is_up() {
            self.os_up(true)
        } else {
            Ok(())
        }
    }

    /// The device's name: asked for each time, since a user may rename it.
    fn name(&self) -> String {
        let mut req = request("");
        // SAFETY: TUNGETIFF takes an ifreq.
        match unsafe { os::ioctl(self.fd.as_fd(), libc::TUNGETIFF as _, &mut req) } {
            Ok(_) => {
                let name = req.ifr_name.iter().take_while(|c| **c != 0);
                String::from_utf8_lossy(&name.map(|c| *c as u8).collect::<Vec<_>>()).into_owned()
            }
            Err(_) => self.port.name(),
        }
    }

    fn os_mtu(&self, mtu: u32) -> io::Result<()> {
        let mut req = request(&self.name());
        req.ifr_ifru.ifru_mtu = mtu as libc::c_int;
        // SAFETY: SIOCSIFMTU takes an ifreq.
        unsafe { os::ioctl(self.control.as_fd(), libc::SIOCSIFMTU as _, &mut req) }.map(drop)
    }

    fn os_up(&self, up: bool) -> io::Result<()> {
        let mut req = request(&self.name());
        // SAFETY: SIOCGIFFLAGS takes an ifreq.
        unsafe { os::ioctl(self.control.as_fd(), libc::SIOCGIFFLAGS as _, &mut req) }?;
        // SAFETY: the call above has filled the flags.
        let before = unsafe { req.ifr_ifru.ifru_flags };
        let bit = libc::IFF_UP as libc::c_short;
        req.ifr_ifru.ifru_flags = if up { before | bit } else { before & !bit };
        // SAFETY: SIOCSIFFLAGS takes an ifreq.
        unsafe { os::ioctl(self.control.as_fd(), libc::SIOCSIFFLAGS as _, &mut req) }.map(drop)
    }

    fn carrier(&self, up: bool) -> io::Result<()> {
        let mut on = libc::c_int::from(up);
        // SAFETY: TUNSETCARRIER takes an int.
        unsafe { os::ioctl(self.fd.as_fd(), TUNSETCARRIER, &mut on) }.map(drop)
    }

    /// The link state has changed: the device's carrier follows.
    pub fn set_link(&self, up: bool) {
        if let Err(e) = self.carrier(up) {
            let line = format!("{}: cannot set the carrier: {e}", self.name());
            self.port.home.log.put(KPI_LOG_WARNING, line.as_bytes());
        }
    }

    /// Set the device up or down.
    pub fn set_up(&self, up: bool) -> Result<(), Errno> {
        self.os_up(up).map_err(Errno::from)
    }

    /// Set the device's MTU.
    pub fn set_mtu(&self, mtu: u32) -> Result<(), Errno> {
        self.os_mtu(mtu).map_err(Errno::from)
    }

    /// Give the device another name.
    pub fn rename(&self, name: &str) -> Result<(), Errno> {
        let mut req = request(&self.name());
        // A union of plain words: the new name lies where its bytes are.
        req.ifr_ifru.ifru_newname = request(name).ifr_name;
        // SAFETY: SIOCSIFNAME takes an ifreq.
        let mut set =
            || unsafe { os::ioctl(self.control.as_fd(), libc::SIOCSIFNAME as _, &mut req) };
        match set() {
            // Older systems rename an interface only while it is down.
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) && self.port.is_up() => {
                self.os_up(false)?;
                let renamed = set();
                self.os_up(true)?;
                renamed?;
            }
            other => drop(other?),
        }
        Ok(())
    }

    /// Take the device away. What still holds the tap finds /dev/null in its place.
    pub fn close(&self) {
        let name = self.name();
        let null = match OpenOptions::new().read(true).write(true).open("/dev/null") {
            Ok(null) => null,
            Err(e) => {
                let line = format!("{name}: the device stays: /dev/null: {e}");
                return self.port.home.log.put(KPI_LOG_ERR, line.as_bytes());
            }
        };
        // SAFETY: both are open and ours; the number stays valid, what it stands for changes.
        unsafe { libc::dup3(null.as_raw_fd(), self.fd.as_raw_fd(), libc::O_CLOEXEC) };
        // A child that another thread has forked keeps the device until it calls exec.
        for _ in 0..GONE_TRIES {
            let mut req = request(&name);
            // SAFETY: SIOCGIFINDEX takes an ifreq.
            let found =
                unsafe { os::ioctl(self.control.as_fd(), libc::SIOCGIFINDEX as _, &mut req) };
            if found.is_err() {
                return;
            }
            std::thread::sleep(GONE_PAUSE);
        }
    }

    /// Readable when a frame waits.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether frames may be joined before they are written.
    pub fn takes_large(&self, udp: bool) -> bool {
        if udp { self.uso } else { self.tso }
    }

    /// Write a frame as it is.
    pub fn write(&self, m: &Mbuf) -> io::Result<()> {
        let vnet = [0; VNET_HDR];
        let mut slots = [IoSlice::new(&[]); SLOTS];
        let (first, rest) = slots.split_at_mut(1);
        first[0] = IoSlice::new(&vnet);
        if let Some(n) = m.iovecs(rest) {
            return self.write_pieces(&slots[..n + 1]);
        }
        // Cut into more pieces than real traffic has: by tests.
        let whole = m.to_vec();
        self.write_pieces(&[IoSlice::new(&vnet), IoSlice::new(&whole)])
    }

    /// Write one frame, its `virtio_net_hdr` first; at most 1,024 pieces.
    pub fn write_pieces(&self, pieces: &[IoSlice]) -> io::Result<()> {
        let at = pieces.as_ptr().cast();
        // SAFETY: IoSlice is an iovec by its documentation, and all outlive the call.
        check_len(unsafe { libc::writev(self.fd.as_raw_fd(), at, pieces.len() as i32) }).map(drop)
    }

    /// Read one frame, its `virtio_net_hdr` first, to `buf`: how many bytes; `WouldBlock` when
    /// none waits.
    pub fn read(&self, buf: &mut [std::mem::MaybeUninit<u8>]) -> io::Result<usize> {
        let at = buf.as_mut_ptr().cast();
        // SAFETY: room for so many bytes that outlives the call.
        check_len(unsafe { libc::read(self.fd.as_raw_fd(), at, buf.len()) })
    }
}
