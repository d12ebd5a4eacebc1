// SPDX-License-Identifier: BSD-2-Clause
//! A kernel's log and its randomness.
//!
//! *Contexts*: any. *Locking*: a mutex each, held for a line or a few words.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock};

use crate::die::die;
use crate::sync::lock;

/// Longest line of the log; the rest is cut.
pub const LINE: usize = 256;
/// Lines that [`Log::lines`] remembers.
const KEPT: usize = 1000;

/// Where lines go: level as in syslog(3), and the text.
pub type Sink = Arc<dyn Fn(u32, &str) + Send + Sync>;

/// A kernel's log: the last lines are kept, each goes to the sink as well.
pub struct Log {
    lines: Mutex<VecDeque<(u32, String)>>,
    sink: Mutex<Sink>,
}

impl Log {
    /// A log whose lines go to stderr, marked with the kernel's name.
    pub fn new(kernel: &str) -> Log {
        let kernel = kernel.to_owned();
        let stderr: Sink = Arc::new(move |level, line| eprintln!("{kernel}: <{level}> {line}"));
        Log {
            lines: Mutex::default(),
            sink: Mutex::new(stderr),
        }
    }

    /// Send lines elsewhere from now on.
    pub fn set_sink(&self, sink: Sink) {
        *lock(&self.sink) = sink;
    }

    /// Log one line; control characters become `?`, and what exceeds [`LINE`] is cut.
    pub fn put(&self, level: u32, text: &[u8]) {
        let text = String::from_utf8_lossy(text.get(..LINE).unwrap_or(text));
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        let sink = Arc::clone(&lock(&self.sink));
        sink(level, &line);
        let mut lines = lock(&self.lines);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back((level, line));
    }

    /// The last lines, the oldest first.
    pub fn lines(&self) -> Vec<(u32, String)> {
        lock(&self.lines).iter().cloned().collect()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("lines", &lock(&self.lines).len())
            .finish_non_exhaustive()
    }
}

/// A kernel's randomness.
#[derive(Debug)]
pub enum Random {
    /// The OS's.
    Strong,
    /// The same for the same seed: for tests.
    Seeded(Mutex<Seeded>),
}

impl Random {
    /// Seed 0 stands for the OS's randomness.
    pub fn new(seed: u64) -> Random {
        if seed == 0 {
            Random::Strong
        } else {
            Random::Seeded(Mutex::new(Seeded(seed)))
        }
    }

    /// Fill `buf`.
    pub fn fill(&self, buf: &mut [u8]) {
        match self {
            Random::Strong => strong(buf),
            Random::Seeded(seeded) => {
                let mut seeded = lock(seeded);
                for chunk in buf.chunks_mut(8) {
                    chunk.copy_from_slice(&seeded.word().to_le_bytes()[..chunk.len()]);
                }
            }
        }
    }
}

/// A splitmix64 generator: reproducible, and no secret.
#[derive(Clone, Debug)]
pub struct Seeded(pub u64);

impl Seeded {
    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True in `per_mille` of 1,000 calls, on average.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        per_mille != 0 && self.word() % 1000 < u64::from(per_mille)
    }
}

/// Fill `buf` with the OS's strong random bytes.
pub fn strong(buf: &mut [u8]) {
    // Opened once, so that it also works after a chroot(2).
    static DEVICE: OnceLock<File> = OnceLock::new();
    let open = || match File::open("/dev/urandom") {
        Ok(file) => file,
        Err(e) => die(&format!("random: cannot open /dev/urandom: {e}")),
    };
    if let Err(e) = DEVICE.get_or_init(open).read_exact(buf) {
        die(&format!("random: cannot read /dev/urandom: {e}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_keeps_cuts_and_cleans() {
        let log = Log::new("t");
        let (tx, rx) = std::sync::mpsc::channel();
        let tx = Mutex::new(tx);
        log.set_sink(Arc::new(move |level, line| {
            let _ = lock(&tx).send((level, line.to_owned()));
        }));
        log.put(3, b"a\nb\xff");
        log.put(6, &[b'x'; 400]);
        assert_eq!(rx.try_recv(), Ok((3, "a?b\u{fffd}".to_owned())));
        assert_eq!(log.lines()[1], (6, "x".repeat(LINE)));
        (0..KEPT).for_each(|_| log.put(7, b"y"));
        assert_eq!(log.lines().len(), KEPT);
        assert_eq!(log.lines()[0].0, 7);
    }

    #[test]
    fn seeded_repeats_and_strong_does_not() {
        let take = |seed| {
            let mut buf = [0; 13];
            Random::new(seed).fill(&mut buf);
            buf
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
        assert_ne!(take(0), take(0));
    }
}
