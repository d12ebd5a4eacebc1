// SPDX-License-Identifier: BSD-2-Clause
//! Where lines go: a file, a terminal, a FIFO or a command. What a round of the loop has for it is
//! gathered and written at once; what cannot be written waits in a buffer that does not grow.

use crate::io::link::Link;
use crate::io::link::Todo;
use liblog::Buf;
use liblog::Clocks;
use liblog::Facility;
use liblog::Msg;
use liblog::emit;
use liblog::time::Zone;
use std::fs::File;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

/// What could not be written is tried again after so long.
const RETRY: u64 = 1_000_000_000;
/// Lines for a file that cannot be opened or written are held back up to this many bytes more
/// than a message.
const ROOM: usize = 16 * 1024;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As always.
    Plain,
    /// With facility and severity.
    Full,
    /// RFC 5424.
    Ietf,
}

/// What became of a flush.
#[derive(Debug)]
pub enum Flushed {
    /// All is written, or there was nothing.
    All,
    /// It takes no more for now; a pipe says when it does.
    Later,
    /// There is no room, or an error that may pass. What waits is kept.
    Stuck(io::Error),
    /// It is lost, and is opened again.
    Lost(io::Error),
}

/// An output of lines.
#[derive(Debug)]
pub struct Sink {
    file: Option<File>,
    /// Lines; a new-line is behind each.
    buf: Buf,
    link: Link,
    style: Style,
    /// Written out after a message of the kernel.
    sync: bool,
    sync_due: bool,
    /// Not tried before that time.
    retry: u64,
    lost: u64,
    lines: u64,
}

impl Sink {
    /// For messages of so many bytes.
    #[must_use]
    pub fn new(style: Style, sync: bool, message: usize) -> Sink {
        Sink {
            file: None,
            // A byte may become four in a line.
            buf: Buf::new(message.saturating_mul(2).saturating_add(ROOM)),
            link: Link::new(),
            style,
            sync,
            sync_due: false,
            retry: 0,
            lost: 0,
            lines: 0,
        }
    }

    /// Its way to the world.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// What to do now about opening it.
    pub fn step(&mut self, now: u64, random: u64) -> Todo {
        let wanted = !self.buf.is_empty();
        self.link.step(now, wanted, random)
    }

    /// When there is something to be done if nothing happens.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        if self.file.is_some() {
            return (!self.buf.is_empty()).then_some(self.retry);
        }
        self.link.next(!self.buf.is_empty())
    }

    /// Lines that were lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Lines that were taken in.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.buf.len()
    }

    /// Its descriptor, if it is open.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    /// It was opened.
    pub fn opened(&mut self, file: File, now: u64) {
        self.file = Some(file);
        self.link.opened(now);
        self.retry = 0;
    }

    /// Appends a line. If there is no room for it even after a flush it is lost.
    pub fn add(&mut self, msg: &Msg<'_>, stamp: i64, zone: &Zone, now: Clocks) -> Flushed {
        let flushed = if self.put(msg, stamp, zone) {
            Flushed::All
        } else {
            let flushed = self.flush(now.mono);
            if !self.put(msg, stamp, zone) {
                self.lost += 1;
            }
            flushed
        };
        self.sync_due |= self.sync && msg.pri.facility == Facility::KERN;
        flushed
    }

    /// Appends a line; whether there was room for all of it.
    fn put(&mut self, msg: &Msg<'_>, stamp: i64, zone: &Zone) -> bool {
        let before = self.buf.len();
        let empty = before == 0;
        let out = &mut self.buf;
        let whole = match self.style {
            Style::Plain => emit::line(msg, stamp, zone, out),
            Style::Full => {
                let (facility, severity) = (msg.pri.facility.name(), msg.pri.severity.name());
                let head = out.byte(b'<')
                    && out.push(facility.as_bytes())
                    && out.byte(b'.')
                    && out.push(severity.as_bytes())
                    && out.push(b"> ");
                emit::line(msg, stamp, zone, out) && head
            }
            Style::Ietf => {
                let max = out.room().saturating_sub(1);
                emit::ietf(msg, stamp, zone, max, out)
            }
        };
        let whole = whole && out.byte(b'\n');
        if whole {
            self.lines += 1;
        } else if empty {
            // It does not fit into all that there is: then a part of it.
            out.truncate(out.capacity().saturating_sub(1));
            out.byte(b'\n');
            self.lines += 1;
        } else {
            out.truncate(before);
        }
        whole || empty
    }

    /// Writes what waits.
    pub fn flush(&mut self, now: u64) -> Flushed {
        let Some(file) = &mut self.file else {
            return Flushed::All;
        };
        if now < self.retry {
            return Flushed::All;
        }
        while !self.buf.is_empty() {
            match file.write(self.buf.as_bytes()) {
                Ok(0) => {
                    self.retry = now.saturating_add(RETRY);
                    return Flushed::Stuck(ErrorKind::WriteZero.into());
                }
                Ok(n) => self.buf.consume(n),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.retry = now.saturating_add(RETRY / 20);
                    return Flushed::Later;
                }
                Err(e) if passes(&e) => {
                    self.retry = now.saturating_add(RETRY);
                    return Flushed::Stuck(e);
                }
                Err(e) => {
                    self.file = None;
                    return Flushed::Lost(e);
                }
            }
        }
        if std::mem::take(&mut self.sync_due) {
            // A terminal cannot be synced; that is no fault.
            sync(file);
        }
        Flushed::All
    }

    /// A pipe has room again.
    pub fn ready(&mut self) {
        self.retry = 0;
    }

    /// Takes over what waits in another one, and its counters.
    pub fn inherit(&mut self, old: &mut Sink) {
        if self.buf.is_empty() && old.buf.capacity() == self.buf.capacity() {
            std::mem::swap(&mut self.buf, &mut old.buf);
            self.lines = old.lines;
        } else {
            self.buf.push(old.buf.as_bytes());
        }
        self.lost = old.lost;
    }

    /// It ends: lines that wait are lost, if they cannot be written now. How many bytes of them.
    pub fn close(&mut self) -> usize {
        self.retry = 0;
        let _ = self.flush(u64::MAX - 2 * RETRY);
        if let Some(file) = &self.file {
            // As above.
            sync(file);
        }
        self.file = None;
        self.buf.len()
    }
}

/// Whether an error is of a kind that passes: the disk is full, or a quota.
fn passes(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

/// Onto the disk. Capsicum knows no fdatasync(2) on older FreeBSDs, where it would be refused unseen.
fn sync(file: &File) {
    let _ = if cfg!(target_os = "freebsd") {
        file.sync_all()
    } else {
        file.sync_data()
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblog::Pri;
    use std::io::Read;
    use std::io::Seek;

    fn message(text: &[u8]) -> Msg<'_> {
        Msg {
            pri: Pri::DEFAULT,
            sent: None,
            host: b"h",
            app: b"a",
            procid: b"1",
            msgid: b"",
            sd: b"",
            text,
        }
    }

    fn add(sink: &mut Sink, text: &[u8], now: u64) -> Flushed {
        let now = Clocks { wall: 0, mono: now };
        sink.add(&message(text), 0, &Zone::utc(), now)
    }

    #[test]
    fn lines_of_a_round_are_one_write() {
        let mut file = tempfile::tempfile().expect("a file");
        let mut sink = Sink::new(Style::Full, true, 1000);
        assert_eq!(sink.step(0, 0), Todo::Nothing);
        add(&mut sink, b"one", 0);
        assert_eq!(sink.step(0, 0), Todo::Open);
        add(&mut sink, b"t\nwo", 0);
        sink.opened(file.try_clone().expect("a copy"), 0);
        assert!(matches!(sink.flush(0), Flushed::All));
        assert_eq!((sink.lost(), sink.lines(), sink.waiting()), (0, 2, 0));
        let mut said = String::new();
        file.rewind().expect("rewound");
        file.read_to_string(&mut said).expect("read");
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "<user.notice> Jan  1 00:00:00 h a[1]: one");
        assert!(lines[1].ends_with("t^Jwo"), "{said}");
        assert_eq!(sink.next(), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_loses_what_does_not_fit_and_counts_it() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut sink = Sink::new(Style::Plain, false, 100);
        sink.opened(full.expect("a device"), 0);
        let mut sent = 0;
        while sink.lost() < 10 {
            let stuck = add(&mut sink, &[b'x'; 100], 0);
            assert!(matches!(stuck, Flushed::All | Flushed::Stuck(_)));
            sent += 1;
        }
        assert!(matches!(sink.flush(RETRY), Flushed::Stuck(_)));
        assert!(matches!(sink.flush(RETRY + 1), Flushed::All), "not so soon");
        assert_eq!(sink.next(), Some(2 * RETRY));
        assert_eq!(sink.lines() + sink.lost(), sent);
        // There is room again: all that was held back is written.
        let mut file = tempfile::tempfile().expect("a file");
        sink.file = Some(file.try_clone().expect("a copy"));
        assert!(matches!(sink.flush(2 * RETRY), Flushed::All));
        let mut said = String::new();
        file.rewind().expect("rewound");
        file.read_to_string(&mut said).expect("read");
        assert_eq!(said.lines().count() as u64, sink.lines());
    }

    #[test]
    fn a_command_that_is_gone_is_started_again() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let mut sink = Sink::new(Style::Plain, false, 100);
        sink.opened(File::from(std::os::fd::OwnedFd::from(writer)), 0);
        drop(reader);
        add(&mut sink, b"x", 0);
        assert!(matches!(sink.flush(0), Flushed::Lost(_)));
        sink.link().failed(0, 0);
        assert!(sink.next().is_some());
        assert!(sink.waiting() > 0, "kept for the next one");
    }
}
