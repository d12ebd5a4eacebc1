// SPDX-License-Identifier: BSD-2-Clause
//! Sends numbered log messages to a syslogd from several sources, as fast as it takes them or at a
//! given rate, and says how many it took and how long that was.

#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::io;
use std::io::Write as _;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str =
    "usage: logblast [-n COUNT] [-s SOURCES] [-l BYTES] [-r RATE] [-t SECONDS] [-p PRI]
                [-a APP] [-g MESSAGES] [-5] [-w] unix:PATH|udp:ADDRESS:PORT|tcp:ADDRESS:PORT
  -n  messages in all (100000)       -s  sources that share them, each a socket (1)
  -l  bytes of a message (120)       -r  messages a second, 0: as fast as they are taken (0)
  -t  give up after so long (60)     -p  priority (13)
  -a  program's name, a number is appended (blast)
  -g  messages that a send hands over (1); more than 1: UDP on Linux, and equal lengths
  -5  RFC 5424                       -w  wait for a receiver that is away, and try again";

/// ENOBUFS of the BSDs: a local socket is full. They do not wait there; syslog(3) tries again.
const FULL: i32 = 55;

#[derive(Clone)]
struct Plan {
    count: u64,
    sources: u64,
    length: usize,
    rate: u64,
    seconds: u64,
    pri: u8,
    app: String,
    together: u64,
    ietf: bool,
    wait: bool,
    to: String,
}

/// What one source did.
#[derive(Default)]
struct Done {
    sent: u64,
    /// Sends that failed and were not made again.
    failed: u64,
    /// Sends that were made again with another socket.
    again: u64,
}

enum Door {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Door {
    /// `size`: of the messages, if several are sent at once.
    fn open(to: &str, size: Option<usize>) -> io::Result<Door> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidInput, USAGE);
        match to.split_once(':').ok_or_else(wrong)? {
            ("unix", path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                // A receiver that hangs shall not hang this.
                socket.set_write_timeout(Some(Duration::from_millis(500)))?;
                Ok(Door::Unix(socket))
            }
            ("udp", address) => {
                let local = if address.starts_with('[') {
                    "[::1]:0"
                } else {
                    "127.0.0.1:0"
                };
                let socket = UdpSocket::bind(local)?;
                socket.connect(address)?;
                if let Some(size) = size {
                    segment(&socket, size)?;
                }
                Ok(Door::Udp(socket))
            }
            ("tcp", address) => {
                let socket = TcpStream::connect(address)?;
                // Part of a message may be gone by then, so this one is not made again.
                socket.set_write_timeout(Some(Duration::from_secs(10)))?;
                Ok(Door::Tcp(socket))
            }
            _ => Err(wrong()),
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Door::Unix(socket) => socket.send(bytes).map(drop),
            Door::Udp(socket) => socket.send(bytes).map(drop),
            Door::Tcp(socket) => (&*socket).write_all(bytes).map_err(io::Error::other),
        }
    }
}

/// What is written to it becomes packets of `size` bytes: one system call for many, so that a sender
/// can offer more than a receiver on another core takes.
#[cfg(target_os = "linux")]
fn segment(socket: &UdpSocket, size: usize) -> io::Result<()> {
    use nix::sys::socket::setsockopt;
    use nix::sys::socket::sockopt::UdpGsoSegment;
    let size = i32::try_from(size).map_err(io::Error::other)?;
    Ok(setsockopt(socket, UdpGsoSegment, &size)?)
}

#[cfg(not(target_os = "linux"))]
fn segment(_: &UdpSocket, _: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Message `n` of `source`, filled up to the length that is wanted.
fn message(plan: &Plan, source: u64, n: u64, into: &mut String) {
    let start = into.len();
    let (pri, app) = (plan.pri, &plan.app);
    // Writing to a String cannot fail.
    let _ = if plan.ietf {
        write!(
            into,
            "<{pri}>1 2026-11-29T01:02:03.000004Z host {app}{source} 77 - - "
        )
    } else {
        write!(into, "<{pri}>Nov 29 01:02:03 {app}{source}[77]: ")
    };
    let _ = write!(into, "source={source} seq={n:010} ");
    while into.len() - start < plan.length {
        into.push(char::from(b'a' + ((into.len() - start) % 26) as u8));
    }
    if plan.to.starts_with("tcp:") {
        into.push('\n');
    }
}

/// A source's share: its numbers are 0 up to `count`.
fn source(plan: &Plan, number: u64, count: u64, start: Instant) -> Done {
    let end = start + Duration::from_secs(plan.seconds);
    let mut done = Done::default();
    let mut door: Option<Door> = None;
    let mut text = String::with_capacity(plan.length + 128);
    let every = plan.rate.checked_div(plan.sources).filter(|r| *r > 0);
    let size = (plan.together > 1).then_some(plan.length);
    let mut n = 0;
    while n < count {
        if let Some(rate) = every {
            let due = start + Duration::from_nanos(n.saturating_mul(1_000_000_000) / rate);
            let wait = due.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
        }
        text.clear();
        let share = plan.together.min(count - n);
        (n..n + share).for_each(|n| message(plan, number, n, &mut text));
        loop {
            if Instant::now() >= end {
                done.failed += count - n;
                return done;
            }
            let result = match &door {
                Some(open) => open.send(text.as_bytes()),
                None => match Door::open(&plan.to, size) {
                    Ok(open) => {
                        door = Some(open);
                        continue;
                    }
                    Err(e) => Err(e),
                },
            };
            match result {
                Ok(()) => {
                    done.sent += share;
                    break;
                }
                // Timed out or full: the same again.
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) => {}
                Err(e) if !cfg!(target_os = "linux") && e.raw_os_error() == Some(FULL) => {
                    std::thread::sleep(Duration::from_micros(100));
                }
                Err(_) if plan.wait => {
                    door = None;
                    done.again += 1;
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(_) => {
                    done.failed += share;
                    break;
                }
            }
        }
        n += share;
    }
    done
}

fn plan() -> Option<Plan> {
    let mut plan = Plan {
        count: 100_000,
        sources: 1,
        length: 120,
        rate: 0,
        seconds: 60,
        pri: 13,
        app: "blast".into(),
        together: 1,
        ietf: false,
        wait: false,
        to: String::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-5" => plan.ietf = true,
            "-w" => plan.wait = true,
            "-n" => plan.count = words.next()?.parse().ok()?,
            "-s" => plan.sources = words.next()?.parse().ok()?,
            "-l" => plan.length = words.next()?.parse().ok()?,
            "-r" => plan.rate = words.next()?.parse().ok()?,
            "-t" => plan.seconds = words.next()?.parse().ok()?,
            "-p" => plan.pri = words.next()?.parse().ok()?,
            "-g" => plan.together = words.next()?.parse().ok()?,
            "-a" => plan.app = words.next()?,
            _ if plan.to.is_empty() && !word.starts_with('-') => plan.to = word,
            _ => return None,
        }
    }
    let bounded = plan.count <= 100_000_000
        && (1..=256).contains(&plan.sources)
        && plan.length <= 65_000
        && plan.seconds <= 3600
        // What one send can hold.
        && (plan.together == 1 || (plan.to.starts_with("udp:") && (2..=64).contains(&plan.together) && (100..=1000).contains(&plan.length)));
    (bounded && !plan.to.is_empty()).then_some(plan)
}

fn main() -> ExitCode {
    let Some(plan) = plan() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if let (false, Err(e)) = (plan.wait, Door::open(&plan.to, None)) {
        eprintln!("logblast: {}: {e}", plan.to);
        return ExitCode::FAILURE;
    }
    let start = Instant::now();
    let all = std::thread::scope(|scope| {
        let plan = &plan;
        let threads: Vec<_> = (0..plan.sources)
            .map(|number| {
                let extra = u64::from(number < plan.count % plan.sources);
                let share = plan.count / plan.sources + extra;
                scope.spawn(move || source(plan, number, share, start))
            })
            .collect();
        threads
            .into_iter()
            .fold(Done::default(), |mut sum, thread| {
                let done = thread.join().unwrap_or_default();
                sum.sent += done.sent;
                sum.failed += done.failed;
                sum.again += done.again;
                sum
            })
    });
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{{\"sent\":{},\"failed\":{},\"again\":{},\"seconds\":{seconds:.6},\"rate\":{:.0}}}",
        all.sent,
        all.failed,
        all.again,
        all.sent as f64 / seconds.max(1e-9)
    );
    ExitCode::SUCCESS
}
