// SPDX-License-Identifier: BSD-2-Clause
//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Where syslogd listens if nobody says otherwise.
pub const SOCKET: &str = "/var/run/syslogd.sock";

/// Read and follow the rings of syslogd(8), and control them.
#[derive(Parser)]
#[command(
    version,
    disable_help_subcommand = true,
    subcommand_precedence_over_arg = true
)]
#[command(
    override_usage = "syslogctl [-s SOCKET] [--json] [READ OPTIONS] [RING ...]\n       \
                            syslogctl [-s SOCKET] [--json] COMMAND [ARGUMENT ...]"
)]
pub struct Options {
    /// The control socket of syslogd [default: $SYSLOGCTL_SOCKET, or /var/run/syslogd.sock]
    #[arg(short, long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,
    /// As JSON, a line for each record
    #[arg(long, global = true)]
    pub json: bool,
    /// Colours: auto means on a terminal
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: Color,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// When there are colours.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Also into a pipe.
    Always,
    /// Not at all.
    Never,
}

#[derive(Subcommand)]
pub enum Command {
    /// Records of the rings named, or of all; this is what syslogctl does without a command
    Read(Box<ReadArgs>),
    /// The rings: sizes, what they hold, from when
    Rings,
    /// What came in, what was lost, budgets, rates
    Stats(StatsArgs),
    /// Sources that are held back, and how many messages were withheld
    Throttle,
    /// Give a ring another size; the newest records stay
    Resize {
        /// Its name
        ring: String,
        /// Bytes; K, M and G are powers of 1024
        #[arg(value_parser = size)]
        size: u64,
    },
    /// Empty a ring; its numbers go on
    Clear {
        /// Its name
        ring: String,
    },
    /// Write what is held back to storage now
    Flush,
}

#[derive(Args, Default, PartialEq, Eq)]
pub struct ReadArgs {
    /// Go on when the end is reached
    #[arg(short, long)]
    pub follow: bool,
    /// From this time on: 10m, 2h, yesterday, HH:MM, "YYYY-MM-DD HH:MM:SS", RFC 3339, @SECONDS
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Until then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// This severity and worse; =LEVEL: just this one; also >, <=, < and !
    #[arg(short, long, value_name = "LEVEL")]
    pub level: Option<String>,
    /// Of these facilities, by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub facility: Vec<String>,
    /// Of these programs, by commas
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',')]
    pub program: Vec<String>,
    /// From these hosts, by commas
    #[arg(short = 'H', long, value_name = "NAMES", value_delimiter = ',')]
    pub host: Vec<String>,
    /// Whose text matches this regular expression
    #[arg(short = 'e', long, value_name = "REGEX")]
    pub regex: Option<String>,
    /// From this number on; for one ring
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
    /// The last N only; with -f: before what comes [default with -f: 10]
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<u64>,
    /// From where the file says, which is written anew at the end
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub cursor_file: Option<PathBuf>,
    /// From RING:BOOT:SEQ, as --show-cursor printed it; may be given for each ring
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["from", "cursor_file"])]
    pub cursor: Vec<String>,
    /// Print at the end where to go on: RING:BOOT:SEQ
    #[arg(long)]
    pub show_cursor: bool,
    /// A message that is in several rings is shown for each
    #[arg(long)]
    pub duplicates: bool,
    /// Also the ring, number, priority, message id and structured data
    #[arg(short, long)]
    pub verbose: bool,
    /// Times in full, as RFC 3339 has them
    #[arg(long)]
    pub iso: bool,
    /// Rings [default: all that may be read]
    #[arg(value_name = "RING")]
    pub rings: Vec<String>,
}

#[derive(Args)]
pub struct StatsArgs {
    /// Again every so many seconds, with rates
    #[arg(short, long, value_name = "SECS")]
    pub wait: Option<f64>,
    /// So many times
    #[arg(short = 'n', long, value_name = "N", requires = "wait")]
    pub count: Option<u64>,
}

/// Bytes, with K, M or G behind.
fn size(word: &str) -> Result<u64, String> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at(digits);
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" => 10,
        "M" | "MB" => 20,
        "G" | "GB" => 30,
        _ => return Err("a size is a number, with K, M or G behind".into()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(1 << shift))
        .filter(|n| *n > 0)
        .ok_or_else(|| "a size is a number, with K, M or G behind".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line() {
        Options::command().debug_assert();
        let o = Options::try_parse_from(["syslogctl", "-f", "-n", "3", "auth", "kern"])
            .expect("it is right");
        assert!(o.command.is_none() && o.read.follow && o.read.last == Some(3));
        assert_eq!(o.read.rings, ["auth", "kern"]);
        let o = Options::try_parse_from(["syslogctl", "--json", "stats"]).expect("it is right");
        assert!(o.json && matches!(o.command, Some(Command::Stats(_))));
        let o = Options::try_parse_from(["syslogctl", "read", "-l", "err", "--json"])
            .expect("it is right");
        assert!(o.json && matches!(o.command, Some(Command::Read(_))));
    }

    #[test]
    fn sizes() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64k"), Ok(65_536));
        assert_eq!(size("1M"), Ok(1 << 20));
        assert_eq!(size("2GB"), Ok(2 << 30));
        for word in [
            "",
            "0",
            "K",
            "1X",
            "-1",
            "99999999999999999999",
            "999999999999G",
        ] {
            assert!(size(word).is_err(), "{word}");
        }
    }
}
