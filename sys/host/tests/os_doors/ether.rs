// SPDX-License-Identifier: BSD-2-Clause
//! A packet socket of a test.

/// A packet socket on an interface: what a frame looks like to the OS.
pub struct Ether(i32);

impl Ether {
    /// Open one.
    pub fn open(name: &str) -> Ether {
        let c = std::ffi::CString::new(name).expect("no NUL");
        // SAFETY: a C string.
        let index = unsafe { libc::if_nametoindex(c.as_ptr()) };
        assert_ne!(index, 0, "{name} exists");
        let all = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(all)) };
        assert!(fd >= 0);
        // SAFETY: zeros are a valid sockaddr_ll.
        let mut addr: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        addr.sll_family = libc::AF_PACKET as u16;
        addr.sll_protocol = all;
        addr.sll_ifindex = index as i32;
        let (at, len) = (std::ptr::from_ref(&addr).cast(), size_of_val(&addr) as u32);
        // SAFETY: an address of that length.
        assert_eq!(unsafe { libc::bind(fd, at, len) }, 0);
        Ether(fd)
    }

    /// Send a frame.
    pub fn send(&self, frame: &[u8]) {
        // SAFETY: so many bytes.
        let n = unsafe { libc::send(self.0, frame.as_ptr().cast(), frame.len(), 0) };
        assert_eq!(
            n,
            frame.len() as isize,
            "{}",
            std::io::Error::last_os_error()
        );
    }

    /// The next frame that came in (not: went out), if one is there.
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut buf = vec![0; 10_000];
        loop {
            // SAFETY: zeros are a valid sockaddr_ll.
            let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            let mut len = size_of_val(&from) as u32;
            let (at, room) = (buf.as_mut_ptr().cast(), buf.len());
            let name = std::ptr::from_mut(&mut from).cast();
            // SAFETY: room for so many bytes, and for the address.
            let n = unsafe { libc::recvfrom(self.0, at, room, libc::MSG_DONTWAIT, name, &mut len) };
            let n = usize::try_from(n).ok()?;
            if from.sll_pkttype != libc::PACKET_OUTGOING {
                return Some(buf[..n].to_vec());
            }
        }
    }
}

impl Drop for Ether {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { libc::close(self.0) };
    }
}
