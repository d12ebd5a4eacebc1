// SPDX-License-Identifier: BSD-2-Clause
//! sysctl(3).

use std::ffi::CString;
use std::{io, ptr};

/// The value of a node, by its name; tried again while it grows.
///
/// # Errors
/// As sysctlbyname(3): ENOENT when there is none.
pub fn read(name: &str) -> io::Result<Vec<u8>> {
    let name = CString::new(name)?;
    loop {
        let mut len = 0;
        // SAFETY: no buffer: only the length is asked for.
        let r =
            unsafe { libc::sysctlbyname(name.as_ptr(), ptr::null_mut(), &mut len, ptr::null(), 0) };
        if r == -1 {
            return Err(io::Error::last_os_error());
        }
        // Counters are added while we look.
        len += len / 8 + 4096;
        let mut value = vec![0u8; len];
        let to = value.as_mut_ptr().cast();
        // SAFETY: `len` bytes of buffer.
        let r = unsafe { libc::sysctlbyname(name.as_ptr(), to, &mut len, ptr::null(), 0) };
        if r == 0 {
            value.truncate(len);
            return Ok(value);
        }
        let e = io::Error::last_os_error();
        if e.raw_os_error() != Some(libc::ENOMEM) {
            return Err(e);
        }
    }
}

/// The names below `name`.
///
/// # Errors
/// As sysctl(3): ENOENT when there is none.
#[cfg(target_os = "netbsd")]
pub fn children(name: &str) -> io::Result<Vec<String>> {
    /// struct sysctlnode: its size, where the name is, and the flags, which hold the version.
    const NODE: usize = 96;
    const NAME: std::ops::Range<usize> = 8..40;
    const FLAGS: std::ops::Range<usize> = 0..4;
    const SYSCTL_VERSION: u32 = 0x0100_0000;
    let mut mib = [0; 12];
    let mut n = mib.len() - 1;
    let cname = CString::new(name)?;
    // SAFETY: room for n numbers.
    if unsafe { libc::sysctlnametomib(cname.as_ptr(), mib.as_mut_ptr(), &mut n) } == -1 {
        return Err(io::Error::last_os_error());
    }
    mib[n] = libc::CTL_QUERY;
    let mut query = [0u8; NODE];
    query[FLAGS].copy_from_slice(&SYSCTL_VERSION.to_ne_bytes());
    let mut nodes = vec![0u8; 1024 * NODE];
    let mut len = nodes.len();
    let (to, from) = (nodes.as_mut_ptr().cast(), query.as_ptr().cast());
    // SAFETY: len bytes of buffer; the query has the size of a node.
    let r = unsafe { libc::sysctl(mib.as_ptr(), n as u32 + 1, to, &mut len, from, query.len()) };
    if r == -1 {
        return Err(io::Error::last_os_error());
    }
    nodes.truncate(len);
    let text = |node: &[u8]| {
        let name = node[NAME].split(|&c| c == 0).next().unwrap_or(&[]);
        String::from_utf8_lossy(name).into_owned()
    };
    Ok(nodes.chunks_exact(NODE).map(text).collect())
}

/// The names below `name`.
///
/// # Errors
/// As sysctl(3): ENOENT when there is none.
#[cfg(target_os = "freebsd")]
pub fn children(name: &str) -> io::Result<Vec<String>> {
    /// The kernel's own nodes: the name of a number, the number after another.
    const SYSCTL_NAME: i32 = 1;
    const SYSCTL_NEXT: i32 = 2;
    let prefix = format!("{name}.");
    let mut root = [0; 24];
    let mut n = root.len();
    let cname = CString::new(name)?;
    // SAFETY: room for n numbers.
    if unsafe { libc::sysctlnametomib(cname.as_ptr(), root.as_mut_ptr(), &mut n) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let mut at = root[..n].to_vec();
    let mut all: Vec<String> = Vec::new();
    loop {
        let mut next = [0i32; 24];
        let query = [&[0, SYSCTL_NEXT], &at[..]].concat();
        let mut len = size_of_val(&next);
        let to = next.as_mut_ptr().cast();
        // SAFETY: len bytes of buffer.
        let r = unsafe {
            libc::sysctl(
                query.as_ptr(),
                query.len() as u32,
                to,
                &mut len,
                ptr::null(),
                0,
            )
        };
        if r == -1 {
            break;
        }
        at = next[..(len / size_of::<i32>()).min(next.len())].to_vec();
        let query = [&[0, SYSCTL_NAME], &at[..]].concat();
        let mut text = [0u8; 256];
        let mut len = text.len();
        let to = text.as_mut_ptr().cast();
        // SAFETY: len bytes of buffer.
        let r = unsafe {
            libc::sysctl(
                query.as_ptr(),
                query.len() as u32,
                to,
                &mut len,
                ptr::null(),
                0,
            )
        };
        let text = text.split(|&c| c == 0).next().unwrap_or(&[]);
        let Some(rest) = std::str::from_utf8(text)
            .ok()
            .and_then(|t| t.strip_prefix(&prefix))
        else {
            break;
        };
        if r == -1 {
            break;
        }
        all.push(rest.to_owned());
    }
    Ok(all)
}
