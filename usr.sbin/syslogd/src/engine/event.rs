// SPDX-License-Identifier: BSD-2-Clause
//! What comes into the engine, and what goes out.

use crate::conf::OutputId;
use crate::conf::RingId;
use liblog::Msg;
use liblog::Severity;
use liblog::msg::Clocks;
use liblog::parse::Flaws;

/// How a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// By a local socket.
    Local,
    /// From the kernel.
    Kernel,
    /// By UDP.
    Udp,
    /// By TCP.
    Tcp,
    /// By TLS.
    Tls,
}

impl Input {
    /// How many there are.
    pub const COUNT: usize = 5;
    /// Their names, in their order.
    pub const NAMES: [&'static str; Input::COUNT] = ["local", "kernel", "udp", "tcp", "tls"];

    /// Its number, an index of [`Input::NAMES`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A message came.
    Message {
        /// How.
        input: Input,
        /// The message.
        msg: Msg<'a>,
        /// What is wrong with it.
        flaws: Flaws,
    },
    /// syslogd itself has something to say; its facility is syslog. There may be so many of these
    /// as `set own` allows, whatever happens.
    Own {
        /// How bad it is.
        severity: Severity,
        /// What kind of message.
        msgid: &'a [u8],
        /// Structured data as it is on the wire.
        sd: &'a [u8],
        /// What it says.
        text: &'a [u8],
    },
    /// Time has passed. See [`Engine::deadline`](crate::engine::Engine::deadline).
    Tick,
    /// All that waits to be told is told now: it ends, or the files are about to be closed.
    Flush,
}

/// Where messages go. `at` is when they came, by both clocks.
pub trait Sink {
    /// Into a ring.
    fn store(&mut self, ring: RingId, msg: &Msg<'_>, at: Clocks);

    /// To a file, a remote host, users or a command.
    fn write(&mut self, output: OutputId, msg: &Msg<'_>, at: Clocks);
}
