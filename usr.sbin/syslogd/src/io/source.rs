// SPDX-License-Identifier: BSD-2-Clause
//! What messages come from one by one: local sockets, UDP, the kernel.

use crate::privsep::wire::Input;
use libsys::batch::Batch;
use libsys::batch::Sender;
use libsys::batch::dropped;
use std::fs::File;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;

/// Batches of one source in a round: then it is another's turn.
const BATCHES: usize = 8;
/// Messages of the kernel in a round.
const KERNEL: usize = 256;
/// A line of the kernel is not longer, a record neither.
const LINE: usize = 16 * 1024;

/// A message, and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// It was longer.
    pub cut: bool,
    /// Its sender on the network.
    pub from: Option<SocketAddr>,
    /// Its sender here, where the system says.
    pub sender: Option<Sender>,
}

/// A source.
pub struct Source {
    input: Input,
    fd: File,
    /// There may be something to read.
    pub ready: bool,
    /// The part of a line of the kernel whose end has not come yet.
    line: Vec<u8>,
    have: usize,
    /// Messages that the kernel overwrote before we read them.
    overrun: u64,
    errors: u64,
}

impl Source {
    /// From what the parent opened.
    #[must_use]
    pub fn new(input: Input, fd: OwnedFd) -> Source {
        let line = match input {
            Input::Kmsg | Input::Klog => vec![0; LINE],
            _ => Vec::new(),
        };
        Source {
            input,
            fd: File::from(fd),
            ready: true,
            line,
            have: 0,
            overrun: 0,
            errors: 0,
        }
    }

    /// What it is.
    #[must_use]
    pub fn input(&self) -> Input {
        self.input
    }

    /// Its descriptor.
    #[must_use]
    pub fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The descriptor, to accept connections from.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.fd
    }

    /// Messages that were lost before they could be read, as far as the system says.
    #[must_use]
    pub fn overrun(&self) -> u64 {
        let packets = match self.input {
            Input::Udp => dropped(self.fd.as_fd()).unwrap_or(0),
            _ => 0,
        };
        self.overrun + u64::from(packets)
    }

    /// Reads that failed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Reads what has come, as much as is this source's turn, and gives it to `take`.
    pub fn read(&mut self, batch: &mut Batch, take: &mut dyn FnMut(Packet<'_>)) {
        match self.input {
            Input::Local | Input::LocalPrivileged | Input::Udp => self.datagrams(batch, take),
            Input::Kmsg => self.records(take),
            Input::Klog => self.lines(take),
            Input::Tcp | Input::Tls | Input::Control => self.ready = false,
        }
    }

    fn datagrams(&mut self, batch: &mut Batch, take: &mut dyn FnMut(Packet<'_>)) {
        for _ in 0..BATCHES {
            let got = match batch.receive(self.fd.as_fd()) {
                Ok(got) => got,
                Err(e) => {
                    self.ready = false;
                    self.errors += u64::from(e.kind() != ErrorKind::WouldBlock);
                    return;
                }
            };
            for n in 0..got {
                if let Some(one) = batch.get(n) {
                    take(Packet {
                        bytes: one.bytes,
                        cut: one.cut,
                        from: one.from,
                        sender: one.sender,
                    });
                }
            }
            // Fewer than there was room for: it was empty then, and what came since is an event.
            if got < batch.len() {
                self.ready = false;
                return;
            }
        }
    }

    /// One record a read.
    fn records(&mut self, take: &mut dyn FnMut(Packet<'_>)) {
        for _ in 0..KERNEL {
            match (&self.fd).read(&mut self.line) {
                Ok(n) if n > 0 => take(Packet {
                    bytes: self.line.get(..n).unwrap_or_default(),
                    cut: false,
                    from: None,
                    sender: None,
                }),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // The next one to be read was overwritten: the next read gives the oldest there is.
                Err(e) if e.kind() == ErrorKind::BrokenPipe => self.overrun += 1,
                other => {
                    self.over(other);
                    return;
                }
            }
        }
    }

    fn over(&mut self, end: io::Result<usize>) {
        self.ready = false;
        if let Err(e) = end {
            self.errors += u64::from(e.kind() != ErrorKind::WouldBlock);
        }
    }

    /// Lines, of which the last may not be complete.
    fn lines(&mut self, take: &mut dyn FnMut(Packet<'_>)) {
        for _ in 0..KERNEL / 16 {
            let room = self.line.get_mut(self.have..).unwrap_or_default();
            match (&self.fd).read(room) {
                Ok(n) if n > 0 => self.have += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => {
                    self.over(other);
                    return;
                }
            }
            let have = self.line.get(..self.have).unwrap_or_default();
            let mut start = 0;
            let mut give = |bytes, cut| {
                take(Packet {
                    bytes,
                    cut,
                    from: None,
                    sender: None,
                });
            };
            for (at, _) in have.iter().enumerate().filter(|&(_, &b)| b == b'\n') {
                let line = have.get(start..at).unwrap_or_default();
                if !line.is_empty() {
                    give(line, false);
                }
                start = at + 1;
            }
            if start == 0 && self.have == self.line.len() {
                give(have, true);
                start = self.have;
            }
            self.line.copy_within(start..self.have, 0);
            self.have -= start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixDatagram;

    fn read(source: &mut Source) -> Vec<Vec<u8>> {
        let mut batch = Batch::new(4, 100);
        let mut got = Vec::new();
        while source.ready {
            source.read(&mut batch, &mut |packet| got.push(packet.bytes.to_vec()));
        }
        got
    }

    #[test]
    fn lines_of_the_kernel_come_in_pieces() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let flags = nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&reader, nix::fcntl::FcntlArg::F_SETFL(flags)).expect("a flag");
        let mut source = Source::new(Input::Klog, reader.into());
        writer.write_all(b"<6>one\n\n<6>tw").expect("written");
        assert_eq!(read(&mut source), [b"<6>one"]);
        writer.write_all(b"o\n").expect("written");
        source.ready = true;
        assert_eq!(read(&mut source), [b"<6>two"]);
        writer.write_all(&vec![b'x'; LINE + 5]).expect("written");
        writer.write_all(b"\nrest\n").expect("written");
        source.ready = true;
        let got = read(&mut source);
        let lens: Vec<usize> = got.iter().map(Vec::len).collect();
        assert_eq!(lens, [LINE, 5, 4], "too long a line is cut, and goes on");
        assert_eq!(source.errors(), 0);
    }

    #[test]
    fn datagrams_up_to_the_last() {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        let mut source = Source::new(Input::Local, ours.into());
        assert!(read(&mut source).is_empty());
        for round in 0..3u8 {
            for n in 0..8u8 {
                theirs.send(&[round, n]).expect("sent");
            }
            source.ready = true;
            assert_eq!(read(&mut source).len(), 8);
        }
    }
}
