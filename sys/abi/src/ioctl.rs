// SPDX-License-Identifier: BSD-2-Clause
//! Typed ioctl numbers: the constant carries what goes in and what comes out.

use crate::Pod;
use core::fmt;
use core::marker::PhantomData;
use core::mem::size_of;

/// Bytes come out of the kernel.
pub const IOC_OUT: u32 = 0x4000_0000;
/// Bytes go into the kernel.
pub const IOC_IN: u32 = 0x8000_0000;
/// Both.
pub const IOC_INOUT: u32 = IOC_IN | IOC_OUT;
/// The largest size that a number can carry.
pub const IOCPARM_MASK: u32 = 0x1fff;

/// The BSDs' `_IOC`: direction, size of what is copied, group, number.
///
/// A size over [`IOCPARM_MASK`] does not compile in a constant.
#[must_use]
pub const fn ioc(inout: u32, group: u8, nr: u8, len: usize) -> u32 {
    assert!(
        len <= IOCPARM_MASK as usize,
        "an ioctl number carries at most 8191 bytes"
    );
    inout | ((len as u32) << 16) | ((group as u32) << 8) | nr as u32
}

/// The size of `struct ifreq`, which is part of every interface ioctl's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum IfreqSize {
    /// NetBSD's, with a whole `sockaddr_storage` in it. Host kernels use its numbers.
    NetBsd = 144,
    /// FreeBSD's.
    FreeBsd = 32,
}

/// One command: its number and the types behind it. `()` is no data.
///
/// An interface command (`ifr_*`) moves its data through `ifr_data`, so its number has the size of
/// `struct ifreq` in it and is not the same on NetBSD and on FreeBSD: the constant carries both.
///
/// ```
/// use kabi::Ioctl;
/// const SET: Ioctl<u64, ()> = Ioctl::ifr_iow(b'i', 151);
/// assert_eq!(SET.cmd, 0x8090_6997);
/// assert_eq!(SET.freebsd, 0x8020_6997);
/// assert_eq!(SET.size(), 8);
/// ```
pub struct Ioctl<Rq, Rs> {
    /// The number on NetBSD and on host kernels.
    pub cmd: u32,
    /// The number on FreeBSD.
    pub freebsd: u32,
    // Written by hand below: derives would ask Rq and Rs for the same traits.
    types: PhantomData<fn(Rq) -> Rs>,
}

impl<Rq, Rs> Clone for Ioctl<Rq, Rs> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Rq, Rs> Copy for Ioctl<Rq, Rs> {}

impl<Rq, Rs> fmt::Debug for Ioctl<Rq, Rs> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Ioctl({:#010x}, freebsd {:#010x})",
            self.cmd, self.freebsd
        )
    }
}

impl<Rq: Pod, Rs: Pod> Ioctl<Rq, Rs> {
    const fn numbered(cmd: u32, freebsd: u32) -> Self {
        assert!(Self::SIZE <= 4096, "the kpi moves at most 4096 bytes");
        Ioctl {
            cmd,
            freebsd,
            types: PhantomData,
        }
    }

    const SIZE: usize = if size_of::<Rq>() > size_of::<Rs>() {
        size_of::<Rq>()
    } else {
        size_of::<Rs>()
    };

    /// Both ways: the request goes in, the reply comes out of the same bytes.
    #[must_use]
    pub const fn iowr(group: u8, nr: u8) -> Self {
        let cmd = ioc(IOC_INOUT, group, nr, Self::SIZE);
        Self::numbered(cmd, cmd)
    }

    /// An interface command whose `struct ifreq` is copied in and out (`_IOWR`); which way the
    /// bytes behind `ifr_data` go, the types say.
    #[must_use]
    pub const fn ifr_iowr(group: u8, nr: u8) -> Self {
        Self::numbered(
            ioc(IOC_INOUT, group, nr, IfreqSize::NetBsd as usize),
            ioc(IOC_INOUT, group, nr, IfreqSize::FreeBsd as usize),
        )
    }

    /// The same command under another number on FreeBSD, where this one means something else.
    #[must_use]
    pub const fn freebsd_nr(mut self, nr: u8) -> Self {
        self.freebsd = (self.freebsd & !0xff) | nr as u32;
        self
    }

    /// Whether `cmd` is this command, as either system numbers it.
    #[must_use]
    pub const fn is(&self, cmd: u32) -> bool {
        cmd == self.cmd || cmd == self.freebsd
    }

    /// Bytes that are copied: the larger of request and reply.
    #[must_use]
    pub const fn size(&self) -> usize {
        Self::SIZE
    }

    /// Whether there is a request to copy in.
    #[must_use]
    pub const fn goes_in(&self) -> bool {
        size_of::<Rq>() > 0
    }

    /// Whether there is a reply to copy out.
    #[must_use]
    pub const fn comes_out(&self) -> bool {
        size_of::<Rs>() > 0
    }
}

impl<Rq: Pod> Ioctl<Rq, ()> {
    /// In only.
    #[must_use]
    pub const fn iow(group: u8, nr: u8) -> Self {
        let cmd = ioc(IOC_IN, group, nr, size_of::<Rq>());
        Self::numbered(cmd, cmd)
    }

    /// An interface command whose `struct ifreq` is copied in only (`_IOW`).
    #[must_use]
    pub const fn ifr_iow(group: u8, nr: u8) -> Self {
        Self::numbered(
            ioc(IOC_IN, group, nr, IfreqSize::NetBsd as usize),
            ioc(IOC_IN, group, nr, IfreqSize::FreeBsd as usize),
        )
    }
}

impl<Rs: Pod> Ioctl<(), Rs> {
    /// Out only.
    #[must_use]
    pub const fn ior(group: u8, nr: u8) -> Self {
        let cmd = ioc(IOC_OUT, group, nr, size_of::<Rs>());
        Self::numbered(cmd, cmd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_bsds() {
        // SIOCGIFGENERIC and SIOCSL2TPSESSION of NetBSD, SIOCGIFGENERIC of FreeBSD.
        const GENERIC: Ioctl<(), u64> = Ioctl::ifr_iowr(b'i', 58);
        assert_eq!((GENERIC.cmd, GENERIC.freebsd), (0xc090_693a, 0xc020_693a));
        const SESSION: Ioctl<u64, ()> = Ioctl::ifr_iow(b'i', 151);
        assert_eq!(SESSION.cmd, 0x8090_6997);
        // FIONBIO: _IOW('f', 126, int)
        const FIONBIO: Ioctl<u32, ()> = Ioctl::iow(b'f', 126);
        assert_eq!(FIONBIO.cmd, 0x8004_667e);
        // FIONREAD: _IOR('f', 127, int)
        const FIONREAD: Ioctl<(), u32> = Ioctl::ior(b'f', 127);
        assert_eq!(FIONREAD.cmd, 0x4004_667f);
    }

    #[test]
    fn direction_and_size_come_from_the_types() {
        const BOTH: Ioctl<u32, [u8; 12]> = Ioctl::iowr(b'x', 1);
        assert_eq!(BOTH.cmd, 0xc00c_7801);
        assert!(BOTH.goes_in() && BOTH.comes_out());
        assert_eq!(BOTH.size(), 12);
        const IN: Ioctl<u32, ()> = Ioctl::iow(b'x', 2);
        assert!(IN.goes_in() && !IN.comes_out());
    }

    #[test]
    fn another_number_on_freebsd() {
        const SET: Ioctl<u32, ()> = Ioctl::ifr_iow(b'i', 153).freebsd_nr(174);
        assert_eq!((SET.cmd, SET.freebsd), (0x8090_6999, 0x8020_69ae));
        assert!(SET.is(0x8090_6999) && SET.is(0x8020_69ae) && !SET.is(0x8020_6999));
    }
}
