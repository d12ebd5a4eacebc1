// SPDX-License-Identifier: BSD-2-Clause
//! Users' terminals: messages wait for the parent to open those of all who are logged in now, are
//! written as far as each takes them at once, and the terminals are closed again.

use liblog::Buf;
use liblog::Msg;
use liblog::emit;
use liblog::time::Zone;
use liblog::time::write_rfc3164;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Write;
use std::os::fd::OwnedFd;

/// Room for messages that wait, besides one of the longest.
const ROOM: usize = 8 * 1024;

/// The terminals of some users, or of all.
#[derive(Debug)]
pub struct Terminals {
    host: Vec<u8>,
    /// With a line that says who it is from.
    wall: bool,
    buf: Buf,
    waiting: u64,
    asked: bool,
    messages: u64,
    lost: u64,
}

impl Terminals {
    /// For messages of so many bytes.
    #[must_use]
    pub fn new(host: &str, wall: bool, message: usize) -> Terminals {
        Terminals {
            host: host.as_bytes().to_vec(),
            wall,
            buf: Buf::new(message.saturating_add(ROOM)),
            waiting: 0,
            asked: false,
            messages: 0,
            lost: 0,
        }
    }

    /// Messages that terminals were opened for.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages for which there was no room while the parent looked for terminals, and those that
    /// a terminal did not take whole: once for each terminal.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes a message in.
    pub fn add(&mut self, msg: &Msg<'_>, stamp: i64, zone: &Zone) {
        let before = self.buf.len();
        let out = &mut self.buf;
        let mut whole = out.push(b"\r\n");
        if self.wall {
            whole &= out.push(b"\x07Message from syslogd@");
            whole &= out.push(&self.host);
            whole &= out.push(b" at ");
            write_rfc3164(stamp, zone, out);
            whole &= out.push(b" ...\r\n ");
        }
        whole &= emit::line(msg, stamp, zone, out) && out.push(b"\r\n");
        if whole {
            self.waiting += 1;
        } else {
            out.truncate(before);
            self.lost += 1;
        }
    }

    /// Whether the parent is to open terminals.
    pub fn step(&mut self) -> bool {
        if self.asked || self.waiting == 0 {
            return false;
        }
        self.asked = true;
        true
    }

    /// It has: those of all that are to see what waits.
    pub fn opened(&mut self, terminals: impl Iterator<Item = OwnedFd>) {
        for terminal in terminals {
            let mut file = File::from(terminal);
            let mut rest = self.buf.as_bytes();
            while !rest.is_empty() {
                match file.write(rest) {
                    Ok(n) if n > 0 => rest = rest.get(n..).unwrap_or_default(),
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    // It is stopped, or hung up: nobody waits for it.
                    _ => {
                        self.lost += 1;
                        break;
                    }
                }
            }
        }
        self.messages += self.waiting;
        self.reset();
    }

    /// It could not.
    pub fn failed(&mut self) {
        self.lost += self.waiting;
        self.reset();
    }

    fn reset(&mut self) {
        self.waiting = 0;
        self.asked = false;
        self.buf.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblog::Pri;
    use std::io::Read;

    #[test]
    fn what_waits_goes_to_all_and_controls_do_not() {
        let msg = Msg {
            pri: Pri::DEFAULT,
            sent: None,
            host: b"h",
            app: b"a",
            procid: b"",
            msgid: b"",
            sd: b"",
            text: b"evil \x1b[2J",
        };
        let mut wall = Terminals::new("router", true, 1000);
        assert!(!wall.step());
        wall.add(&msg, 0, &Zone::utc());
        assert!(wall.step());
        wall.add(&msg, 0, &Zone::utc());
        assert!(!wall.step(), "asked already");
        let (mut a, to_a) = std::io::pipe().expect("a pipe");
        let (mut b, to_b) = std::io::pipe().expect("a pipe");
        wall.opened([OwnedFd::from(to_a), OwnedFd::from(to_b)].into_iter());
        for pipe in [&mut a, &mut b] {
            let mut said = String::new();
            pipe.read_to_string(&mut said).expect("read");
            assert_eq!(said.matches("Message from syslogd@router at").count(), 2);
            assert!(
                said.contains("evil ^[[2J") && !said.contains('\x1b'),
                "{said}"
            );
        }
        assert_eq!((wall.messages(), wall.lost()), (2, 0));
        wall.add(&msg, 0, &Zone::utc());
        assert!(wall.step());
        wall.failed();
        assert_eq!((wall.messages(), wall.lost()), (2, 1));
    }
}
