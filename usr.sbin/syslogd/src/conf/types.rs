// SPDX-License-Identifier: BSD-2-Clause
//! What a configuration says, typed. The parent sends it to the worker as it is.

use crate::conf::note::Note;
use crate::conf::note::Place;
use serde::Deserialize;
use serde::Serialize;
use std::time::Duration;

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conf {
    /// What goes where, in the order of the file.
    pub rules: Vec<Rule>,
    /// The tests that rules share: a rule's `block` is an index into them.
    pub blocks: Vec<Block>,
    /// Files, remote hosts, users and commands, each once.
    pub outputs: Vec<Output>,
    /// The rings, each once.
    pub rings: Vec<RingSpec>,
    /// What is another facility or severity than its sender says.
    pub remaps: Vec<Remap>,
    /// The lines `set`.
    pub settings: Settings,
    /// NetBSD's `tls_...` lines.
    pub tls: Tls,
    /// What was understood, but is not as it would be elsewhere.
    pub warnings: Vec<Note>,
}

/// A ring: an index into [`Conf::rings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RingId(pub u16);

/// An output: an index into [`Conf::outputs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutputId(pub u16);

/// Where a rule sends what it selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// Into a ring.
    Ring(RingId),
    /// To an output.
    Output(OutputId),
}

/// A line with a selector and an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Which facilities and severities.
    pub levels: Levels,
    /// What else must hold: an index into [`Conf::blocks`].
    pub block: u16,
    /// Where to.
    pub to: Target,
    /// Where it stands.
    pub place: Place,
}

/// A set of severities for each facility, and for marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels([u8; Levels::COLUMNS]);

impl Levels {
    /// The column of marks, behind those of the facilities.
    pub const MARK: usize = 24;
    /// Facilities, and marks.
    pub const COLUMNS: usize = 25;

    /// All severities of all facilities, but no marks.
    #[must_use]
    pub fn all() -> Levels {
        let mut all = Levels([0xff; Levels::COLUMNS]);
        all.put(Levels::MARK, 0);
        all
    }

    /// The severities of a facility as bits, 1 for the worst; [`Levels::MARK`] for marks.
    #[must_use]
    pub fn get(&self, column: usize) -> u8 {
        self.0.get(column).copied().unwrap_or(0)
    }

    /// Sets them.
    pub fn put(&mut self, column: usize, severities: u8) {
        if let Some(mask) = self.0.get_mut(column) {
            *mask = severities;
        }
    }

    /// Whether it has a severity, 0 to 7, of a facility.
    #[must_use]
    pub fn has(&self, column: usize, severity: u8) -> bool {
        severity < 8 && self.get(column) & (1 << severity) != 0
    }
}

/// What must hold besides facility and severity: `!program`, `+host`, `:property`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Of these programs, or of none of them.
    pub programs: Option<Names>,
    /// From these hosts, or from none of them.
    pub hosts: Option<Names>,
    /// A property is so.
    pub property: Option<Property>,
    /// OpenBSD's `!!` and `++`: a message that a rule of this block takes is not shown to the
    /// rules of other blocks behind it.
    pub stop: bool,
}

/// A list of names, positive or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// `-`: all but these.
    pub not: bool,
    /// The names; `*` and `?` in them are wild.
    pub names: Vec<String>,
    /// `@` was among them: this host.
    pub local: bool,
}

/// What a property filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// The text.
    Msg,
    /// The program.
    Program,
    /// The host.
    Host,
    /// What kind of message it is (RFC 5424).
    MsgId,
    /// Structured data as it is on the wire.
    Sd,
}

/// How it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    /// The value is somewhere in it.
    Contains,
    /// It is the value.
    Equal,
    /// It begins with the value.
    Starts,
    /// The value is a regular expression, in the syntax of Rust's regex crate.
    Regex,
}

/// A property filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Of what.
    pub field: Field,
    /// How.
    pub compare: Compare,
    /// True if it does not match.
    pub not: bool,
    /// Without regard to case (of ASCII).
    pub icase: bool,
    /// With what.
    pub value: String,
}

/// An output, and where it first stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// What it is.
    pub what: What,
    /// Where it stands.
    pub place: Place,
}

/// What an output is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// A file, terminal or FIFO.
    File {
        /// An absolute path.
        path: String,
        /// Synced after each message of the kernel: not `-`.
        sync: bool,
        /// The priority is written too: `+`.
        full: bool,
    },
    /// Another host.
    Remote(Remote),
    /// Users, on their terminals.
    Users(Vec<String>),
    /// All that are logged in.
    Wall,
    /// A command's standard input.
    Pipe(String),
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// RFC 5426.
    Udp,
    /// RFC 6587.
    Tcp,
    /// RFC 5425.
    Tls,
}

/// Which addresses of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// Any.
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The grammar in which messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// RFC 3164.
    Bsd,
    /// RFC 5424.
    Ietf,
}

/// How messages are told apart in a stream (RFC 6587).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Framing {
    /// A count before each.
    Octets,
    /// A line-feed behind each.
    Lines,
}

/// A remote host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remote {
    /// How.
    pub transport: Transport,
    /// By which addresses.
    pub family: Family,
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The grammar. If nothing says otherwise: RFC 5424 over TLS, else RFC 3164.
    pub format: Format,
    /// The framing. If nothing says otherwise: octets over TLS, else lines.
    pub framing: Framing,
    /// What is held back while it can not be reached.
    pub queue: Queue,
    /// How it is known to be the one that is meant (TLS).
    pub trust: Trust,
}

/// A queue's bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Bytes in memory.
    pub bytes: u64,
    /// Messages; `None`: as many as there are bytes for.
    pub messages: Option<u64>,
    /// The folder of a queue on disk.
    pub spool: Option<String>,
    /// Bytes on disk.
    pub spool_bytes: u64,
}

/// What a peer's certificate must be (RFC 5425, 5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// Names that it may bear instead of the host's.
    pub subjects: Vec<String>,
    /// Its fingerprints may be these, as `SHA1:AB:...` (RFC 5425, 4.2.2), or `SHA256:...`.
    pub fingerprints: Vec<String>,
    /// It may be the one in one of these files.
    pub certs: Vec<String>,
    /// Anybody's will do.
    pub any: bool,
}

/// What becomes of a ring when syslogd or the system ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Keep {
    /// It is lost.
    None,
    /// It outlives the process, in a file in memory.
    Restart,
    /// It outlives the system, in a file on storage.
    Boot,
}

/// A ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RingSpec {
    /// Letters, digits, `_`, `-` and `.`; not `.` first.
    pub name: String,
    /// Bytes, for all of it.
    pub size: u64,
    /// How long it lives.
    pub keep: Keep,
    /// Its old records are compressed.
    pub pack: bool,
    /// The group that may read it, besides root; `None`: that of the control socket.
    pub group: Option<String>,
    /// The permissions of its file, and of its readers.
    pub mode: Option<u32>,
    /// Where it first stands.
    pub place: Place,
}

/// A remap rule; the first that matches is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remap {
    /// Which facilities and severities.
    pub levels: Levels,
    /// What else must hold.
    pub block: Block,
    /// The number of the facility that it becomes.
    pub facility: Option<u8>,
    /// The number of the severity that it becomes.
    pub severity: Option<u8>,
    /// Where it stands.
    pub place: Place,
}

/// How many messages may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// So many...
    pub messages: u32,
    /// ... in so long.
    pub per: Duration,
    /// So many at once after a pause.
    pub burst: u32,
}

/// What the lines `set` say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Bytes for all rings together; `None`: what they sum up to.
    pub budget: Option<u64>,
    /// For each source; `None`: as much as they like.
    pub throttle: Option<Rate>,
    /// How many sources are remembered.
    pub sources: u32,
    /// A source's withheld messages are told once in so long.
    pub summary: Duration,
    /// For syslogd's own messages.
    pub own: Rate,
    /// After which times repeated messages are told; empty: each is logged.
    pub repeats: Vec<Duration>,
    /// How often a mark is logged; `None`: never.
    pub mark: Option<Duration>,
    /// The clocks disagree by more: somebody has set the one on the wall.
    pub jump: Duration,
    /// Crashes of processes become records.
    pub crashes: bool,
    /// The bounds of remote hosts' queues where they do not say their own.
    pub queue: Queue,
    /// The grammar of remote hosts where they do not say their own.
    pub format: Option<Format>,
    /// Where rings with `keep=restart` have their files.
    pub ring_dir: String,
    /// Where rings with `keep=boot` have theirs.
    pub boot_dir: String,
    /// How often those with `keep=boot` are synced.
    pub sync: Duration,
    /// Longer messages are cut.
    pub message: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            budget: None,
            throttle: None,
            sources: 256,
            summary: Duration::from_secs(30),
            own: Rate {
                messages: 10,
                per: Duration::from_secs(1),
                burst: 40,
            },
            repeats: [30, 120, 600].map(Duration::from_secs).to_vec(),
            mark: Some(Duration::from_secs(20 * 60)),
            jump: Duration::from_secs(2),
            crashes: true,
            queue: Queue {
                bytes: 256 << 10,
                messages: None,
                spool: None,
                spool_bytes: 4 << 20,
            },
            format: None,
            ring_dir: "/var/run/syslogd".into(),
            boot_dir: "/var/db/syslogd".into(),
            sync: Duration::from_secs(30),
            message: 65_536,
        }
    }
}

/// NetBSD's settings for TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Takes connections.
    pub server: bool,
    /// On this address or name; "": all.
    pub bind_host: String,
    /// And port; `None`: 6514.
    pub bind_port: Option<u16>,
    /// Our private key, PEM.
    pub key: Option<String>,
    /// Our certificate, PEM.
    pub cert: Option<String>,
    /// The file of certificates that we trust.
    pub ca: Option<String>,
    /// The folder of them.
    pub ca_dir: Option<String>,
    /// Makes a key and certificate if there are none.
    pub generate: bool,
    /// Whether peers' certificates are checked.
    pub verify: Verify,
    /// Bytes in the queues of remote hosts over TLS; `None`: as for the others.
    pub queue_bytes: Option<u64>,
    /// Messages in them.
    pub queue_messages: Option<u64>,
    /// Clients with these certificates may send, whoever has signed them.
    pub clients: Trust,
}

/// Whether peers' certificates are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verify {
    /// They are.
    #[default]
    On,
    /// Those are that there are.
    Optional,
    /// They are not.
    Off,
}
