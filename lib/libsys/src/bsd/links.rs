// SPDX-License-Identifier: BSD-2-Clause
//! All interfaces, by getifaddrs(3).

use super::os;
use std::ffi::CStr;
use std::{io, ptr, slice};

/// One interface as the system lists it.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// `IFF_*` of the system.
    pub flags: u32,
    /// Bytes.
    pub mtu: u32,
    /// Whether the link is up; `None`: the driver does not tell.
    pub up: Option<bool>,
    /// Link-layer address, where it is one of Ethernet.
    pub lladdr: Option<[u8; 6]>,
    /// In the order of `KPI_IFS_*`.
    pub stats: [u64; 9],
}

/// Owns what getifaddrs gave.
struct List(*mut libc::ifaddrs);

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: from getifaddrs, freed once.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

/// All interfaces, in the system's order.
///
/// # Errors
/// As getifaddrs(3).
pub fn links() -> io::Result<Vec<Link>> {
    let mut first = ptr::null_mut();
    // SAFETY: a variable of ours.
    if unsafe { libc::getifaddrs(&mut first) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let list = List(first);
    let mut all = Vec::new();
    let mut at = list.0;
    while !at.is_null() {
        // SAFETY: an element of the list, which lives as long as `list`.
        let entry = unsafe { &*at };
        all.extend(link(entry));
        at = entry.ifa_next;
    }
    Ok(all)
}

/// The bytes that `ptr` points to.
fn bytes<'a>(ptr: *const u8, len: usize) -> Option<&'a [u8]> {
    if ptr.is_null() {
        return None;
    }
    // SAFETY: the callers below pass pointers into the list, with the length of what is there, and
    // keep no slice longer than the list.
    Some(unsafe { slice::from_raw_parts(ptr, len) })
}

/// `None` for addresses of other families.
fn link(entry: &libc::ifaddrs) -> Option<Link> {
    let len = usize::from(*bytes(entry.ifa_addr.cast(), 1)?.first()?);
    let sdl = bytes(entry.ifa_addr.cast(), len.max(8))?;
    if i32::from(*sdl.get(1)?) != libc::AF_LINK {
        return None;
    }
    // SAFETY: a string of the list.
    let name = unsafe { CStr::from_ptr(entry.ifa_name) };
    // struct sockaddr_dl: len, family, index u16, type, nlen, alen, slen, name, address
    let at = 8 + usize::from(*sdl.get(5)?);
    let lladdr = match sdl.get(6)? {
        6 => sdl.get(at..at + 6).and_then(|a| a.try_into().ok()),
        _ => None,
    };
    // Both systems' struct if_data is longer than what is read here.
    let data = bytes(entry.ifa_data.cast(), 120).unwrap_or(&[0; 120]);
    let word = |at: usize| match data.get(at..at + 8).and_then(|w| w.try_into().ok()) {
        Some(w) if at != 0 => u64::from_ne_bytes(w),
        _ => 0,
    };
    let mtu = data.get(os::MTU..os::MTU + 4)?.try_into().ok()?;
    let state = data
        .get(os::LINK_STATE)?
        .iter()
        .copied()
        .find(|&b| b != 0)
        .unwrap_or(0);
    Some(Link {
        name: name.to_string_lossy().into_owned(),
        index: u32::from(u16::from_ne_bytes([*sdl.get(2)?, *sdl.get(3)?])),
        flags: entry.ifa_flags,
        mtu: u32::from_ne_bytes(mtu),
        // LINK_STATE_UNKNOWN 0, DOWN 1, UP 2
        up: [None, Some(false), Some(true)]
            .get(usize::from(state))
            .copied()
            .flatten(),
        lladdr: lladdr.filter(|a| *a != [0; 6]),
        stats: os::STATS.map(word),
    })
}
