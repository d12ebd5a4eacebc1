// SPDX-License-Identifier: BSD-2-Clause
//! Standard output: buffered, and without complaint when its reader has seen enough.

use crate::client::Trouble;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

/// Standard output.
pub struct Out {
    to: BufWriter<Stdout>,
}

impl Out {
    /// It.
    pub fn new() -> Out {
        Out {
            to: BufWriter::with_capacity(1 << 16, io::stdout()),
        }
    }

    /// Writes it, some time.
    ///
    /// # Errors
    ///
    /// [`Trouble::Enough`]: nobody reads any more. Else it cannot be written.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.to.write_all(bytes).map_err(explain)
    }

    /// What was put is written now.
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn flush(&mut self) -> Result<(), Trouble> {
        self.to.flush().map_err(explain)
    }
}

/// Whether it is a terminal that takes colours.
pub fn is_colorful() -> bool {
    io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        && std::env::var_os("TERM").is_none_or(|v| v != "dumb")
}

/// All of it, now.
///
/// # Errors
///
/// As [`Out::put`].
pub fn print(text: &str) -> Result<(), Trouble> {
    let mut out = Out::new();
    out.put(text.as_bytes())?;
    out.flush()
}

fn explain(e: io::Error) -> Trouble {
    if e.kind() == io::ErrorKind::BrokenPipe {
        Trouble::Enough
    } else {
        Trouble::Other(format!("standard output: {e}"))
    }
}
