// SPDX-License-Identifier: BSD-2-Clause
//! Capture files, as tcpdump and tshark read them.

use std::io;
use std::io::Write;

/// What the packets of a capture start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet = 1,
    /// An IPv4 or IPv6 header.
    Raw = 101,
}

/// Longest packet in a capture (bytes).
const SNAPLEN: u32 = 262_144;

/// Writes a capture with nanosecond times.
#[derive(Debug)]
pub struct Pcap<W: Write> {
    out: W,
}

impl<W: Write> Pcap<W> {
    /// Starts a capture.
    ///
    /// # Errors
    /// What writing says.
    pub fn new(mut out: W, link: LinkType) -> io::Result<Self> {
        let head: [u32; 6] = [0xa1b2_3c4d, 0x0004_0002, 0, 0, SNAPLEN, link as u32];
        for word in head {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(Pcap { out })
    }

    /// Adds a packet that was seen `ns` nanoseconds after the start of time.
    ///
    /// # Errors
    /// What writing says.
    pub fn packet(&mut self, ns: u64, bytes: &[u8]) -> io::Result<()> {
        let seen = bytes.len().min(SNAPLEN as usize);
        let (second, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
        for word in [second as u32, rest as u32, seen as u32, bytes.len() as u32] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(&bytes[..seen])
    }

    /// Ends the capture and gives back what it was written to.
    ///
    /// # Errors
    /// What flushing says.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_file() {
        let mut pcap = Pcap::new(Vec::new(), LinkType::Raw).unwrap();
        pcap.packet(3_000_000_007, &[0x45, 1, 2]).unwrap();
        let bytes = pcap.finish().unwrap();
        let head = [
            0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0,
        ];
        assert_eq!(bytes[..24], head);
        assert_eq!(
            bytes[24..40],
            [3, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0]
        );
        assert_eq!(bytes[40..], [0x45, 1, 2]);
    }
}
